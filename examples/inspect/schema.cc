#include "examples/inspect/schema.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/bounded_types.h"
#include "examples/inspect/error.h"
#include "examples/inspect/message_json.h"

namespace inspect {
namespace {

using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// protobuf's own status before version 22, Abseil's after it. Today's protobuf
// puts blanks into its errors at random, so that nobody relies on them.
template <typename Status>
std::string Words(const Status& status) {
  std::string words(status.message().data(), status.message().size());
  absl::RemoveExtraAsciiWhitespace(&words);
  return words;
}

// All services together, in bytes: methods without end could have one request
// with a long name.
constexpr std::size_t kMostText = std::size_t{64} << 20;

// Without methods where their text is more than what is `left` for it.
Service DescribeService(const ServiceDescriptor& service, std::size_t* left) {
  Service described;
  described.set_name(std::string(service.full_name()));
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& from = *service.method(i);
    const std::size_t size = from.name().size() +
                             from.input_type()->full_name().size() +
                             from.output_type()->full_name().size();
    if (size > *left) {
      described.clear_methods();
      described.set_undescribed(true);
      break;
    }
    *left -= size;
    Method* method = described.add_methods();
    method->set_name(std::string(from.name()));
    method->set_request(std::string(from.input_type()->full_name()));
    method->set_response(std::string(from.output_type()->full_name()));
    method->set_client_streaming(from.client_streaming());
    method->set_server_streaming(from.server_streaming());
  }
  return described;
}

absl::Status BadMessage(const char* reason, std::string what,
                        std::string evidence, std::string hint) {
  Error error;
  error.set_reason(reason);
  error.set_what(std::move(what));
  error.add_evidence(Text(evidence));
  error.set_hint(std::move(hint));
  return MakeStatus(error);
}

}  // namespace

Schema::Schema(Description description)
    : description_(std::move(description)),
      own_(*google::protobuf::DescriptorPool::generated_pool()),
      all_(&described_, &own_),
      pool_(&all_, &errors_),
      messages_(&pool_) {
  // Once each: the database would complain on stderr about a second one.
  for (const auto* file : BoundedFiles(description_.files, &errors_)) {
    described_.Add(*file);
  }
}

std::vector<Service> Schema::Services() const {
  std::vector<Service> services;
  std::size_t left = kMostText;
  for (const std::string& name : description_.services) {
    const ServiceDescriptor* service =
        IsShortName(name) ? pool_.FindServiceByName(name) : nullptr;
    if (service != nullptr) {
      services.push_back(DescribeService(*service, &left));
    } else {
      services.emplace_back();
      services.back().set_name(Text(name));
      services.back().set_undescribed(true);
    }
  }
  return services;
}

absl::Status Schema::NoSuchMethod(absl::string_view method) const {
  Error error;
  error.set_reason(kNoSuchMethod);
  error.set_what(absl::StrCat("no method ", Text(method), " is described"));
  error.add_evidence(absl::StrCat("described by ", description_.source));
  std::vector<std::string> known;
  for (const Service& service : Services()) {
    for (const Method& candidate : service.methods()) {
      known.push_back(absl::StrCat(service.name(), "/", candidate.name()));
    }
  }
  error.add_evidence(known.empty()
                         ? "it describes no method at all"
                         : absl::StrCat("it has ", absl::StrJoin(known, ", ")));
  for (const std::string& text : errors_.all()) error.add_evidence(Text(text));
  error.set_hint(
      "--call wants package.Service/Method; --proto or --descriptor-set "
      "describe what the plugin does not, and --hex needs no description");
  return MakeStatus(error);
}

absl::StatusOr<const MethodDescriptor*> Schema::FindUnary(
    absl::string_view method) const {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(method, absl::MaxSplits('/', 1));
  const ServiceDescriptor* service = pool_.FindServiceByName(parts.first);
  const MethodDescriptor* found =
      service == nullptr ? nullptr : service->FindMethodByName(parts.second);
  if (found == nullptr) return NoSuchMethod(method);
  if (found->client_streaming() || found->server_streaming()) {
    return MakeStatus(kStreaming,
                      absl::StrCat(method, " is a streaming method"),
                      "inspect calls unary methods only; call this one from a "
                      "program with a generated stub");
  }
  return found;
}

absl::StatusOr<std::string> Schema::EncodeRequest(absl::string_view method,
                                                  const std::string& json) {
  const absl::StatusOr<const MethodDescriptor*> found = FindUnary(method);
  if (!found.ok()) return found.status();
  const auto* type = (*found)->input_type();
  if (!HoldsFewTypes(*type)) {
    return MakeStatus(
        kBadRequest,
        absl::StrCat(Text(type->full_name()),
                     " holds more other messages than can be translated"),
        "give the request as bytes with --hex");
  }
  const std::unique_ptr<google::protobuf::Message> request(
      messages_.GetPrototype(type)->New());
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(json, request.get());
  if (!parsed.ok()) {
    return BadMessage(
        kBadRequest,
        absl::StrCat("the request is no ", type->full_name(), " in JSON"),
        Words(parsed),
        absl::StrCat("write it by protobuf's JSON mapping, with the fields of ",
                     type->full_name(), ": bytes are base64"));
  }
  return request->SerializePartialAsString();
}

absl::StatusOr<std::string> Schema::DecodeAnswer(absl::string_view method,
                                                 const std::string& bytes) {
  const absl::StatusOr<const MethodDescriptor*> found = FindUnary(method);
  if (!found.ok()) return found.status();
  const auto& type = *(*found)->output_type();
  const absl::StatusOr<std::string> json =
      MessageAsJson(bytes, type, messages_);
  if (json.ok()) return *json;
  if (absl::IsResourceExhausted(json.status())) {
    return BadMessage(
        kLargeAnswer,
        absl::StrCat("the answer is too long as JSON, a ", type.full_name()),
        absl::StrCat("it has ", bytes.size(), " bytes"),
        "its bytes are shown, as with --hex");
  }
  return BadMessage(kBadAnswer,
                    absl::StrCat("the answer is no ", type.full_name()),
                    absl::StrCat("it has ", bytes.size(), " bytes"),
                    "the plugin was built with another version of the message "
                    "than the description; the answer's bytes are shown");
}

}  // namespace inspect
