#include "goplugin/reattach.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/spelling.h"
#include "simdjson.h"

namespace goplugin {
namespace {

using google::protobuf::Struct;
using internal::MakeError;
using internal::Quote;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr char kHint[] =
    "copy the text whole, as the plugin printed it when it was started for "
    "debugging";

absl::Status BadText(std::string fact, absl::string_view json) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = "the text is no set of plugins to reattach to";
  details.evidence = {std::move(fact),
                      absl::StrCat("the text: ", Quote(json, 256))};
  details.hint = kHint;
  return MakeError(details);
}

// The members of one plugin, with what is wrong with them.
class EntryReader {
 public:
  EntryReader(std::string name, const object& members, absl::string_view json)
      : name_(std::move(name)), members_(members), json_(json) {}

  absl::StatusOr<ReattachConfig> Read() const {
    ReattachConfig config;
    absl::Status status = ReadProtocol();
    if (status.ok()) status = ReadAddress(&config.endpoint);
    if (!status.ok()) return status;
    constexpr int64_t kMaxVersion = std::numeric_limits<uint32_t>::max();
    constexpr int64_t kMaxPid = std::numeric_limits<pid_t>::max();
    int64_t version = 0;
    int64_t pid = 0;
    int64_t start_time = 0;
    status = ReadNumber("ProtocolVersion", kMaxVersion, &version);
    if (status.ok()) status = ReadNumber("Pid", kMaxPid, &pid);
    if (status.ok()) {
      status = ReadNumber("StartTime", std::numeric_limits<int64_t>::max(),
                          &start_time);
    }
    if (status.ok()) status = ReadFlag("Test", &config.test);
    if (!status.ok()) return status;
    config.protocol_version = static_cast<uint32_t>(version);
    config.pid = static_cast<pid_t>(pid);
    config.start_time = static_cast<uint64_t>(start_time);
    return config;
  }

 private:
  absl::Status Bad(absl::string_view field, absl::string_view what) const {
    return BadText(absl::StrCat(Quote(name_, 64), ": ", field, " ", what),
                   json_);
  }

  // What a member that is missing or null leaves as it was is fine, as in Go.
  bool Find(absl::string_view key, element* value) const {
    return !members_.at_key_case_insensitive({key.data(), key.size()})
                .get(*value) &&
           !value->is_null();
  }

  absl::Status ReadNumber(absl::string_view key, int64_t most,
                          int64_t* number) const {
    element value;
    if (!Find(key, &value)) return absl::OkStatus();
    if (value.get(*number) || *number < 0 || *number > most) {
      return Bad(key, absl::StrCat("is no number from 0 to ", most));
    }
    return absl::OkStatus();
  }

  absl::Status ReadFlag(absl::string_view key, bool* flag) const {
    element value;
    if (Find(key, &value) && value.get(*flag)) {
      return Bad(key, "is neither true nor false");
    }
    return absl::OkStatus();
  }

  absl::Status ReadProtocol() const {
    element value;
    std::string_view protocol;
    if (Find("Protocol", &value) && value.get(protocol)) {
      return Bad("Protocol", "is no text");
    }
    if (protocol == "grpc") return absl::OkStatus();
    ErrorDetails details;
    details.reason = Reason::kProtocol;
    details.what =
        absl::StrCat("the plugin ", Quote(name_, 64), " does not serve gRPC");
    // Go takes a missing one for net/rpc.
    details.evidence = {absl::StrCat(
        "its Protocol: ", Quote({protocol.data(), protocol.size()}, 64))};
    details.hint = "only gRPC plugins can be used; \"grpc\" must stand there";
    return MakeError(details);
  }

  absl::Status ReadAddress(Endpoint* endpoint) const {
    element value;
    object address;
    std::string_view network;
    std::string_view text;
    if (!Find("Addr", &value) || value.get(address)) {
      return Bad("Addr", "is missing");
    }
    if (address.at_key_case_insensitive("Network").get(network) ||
        address.at_key_case_insensitive("String").get(text) || text.empty()) {
      return Bad("Addr", "has no Network and String");
    }
    endpoint->address = std::string(text);
    if (network == "unix" || network == "tcp") {
      endpoint->network = network == "unix" ? Endpoint::Network::kUnix
                                            : Endpoint::Network::kTcp;
      *endpoint = internal::Canonical(*endpoint);
      return absl::OkStatus();
    }
    ErrorDetails details;
    details.reason = Reason::kTransport;
    details.what = absl::StrCat("the plugin ", Quote(name_, 64),
                                " serves on a network that can't be used");
    details.evidence = {absl::StrCat(
        "its Network: ", Quote({network.data(), network.size()}, 64))};
    details.hint = "it must serve on unix or tcp";
    return MakeError(details);
  }

  const std::string name_;
  const object members_;
  const absl::string_view json_;
};

Struct ToStruct(const ReattachConfig& config) {
  Struct address;
  auto& parts = *address.mutable_fields();
  parts["Network"].set_string_value(NetworkName(config.endpoint.network));
  parts["String"].set_string_value(internal::GoSpelling(config.endpoint));

  Struct entry;
  auto& fields = *entry.mutable_fields();
  fields["Protocol"].set_string_value("grpc");
  fields["ProtocolVersion"].set_number_value(config.protocol_version);
  fields["Pid"].set_number_value(config.pid);
  fields["Test"].set_bool_value(config.test);
  *fields["Addr"].mutable_struct_value() = std::move(address);
  if (config.start_time != 0) {
    // Exact up to 2^53 ticks: three million years.
    fields["StartTime"].set_number_value(
        static_cast<double>(config.start_time));
  }
  return entry;
}

}  // namespace

absl::StatusOr<ReattachProviders> ParseReattachProviders(
    absl::string_view json) {
  ReattachProviders providers;
  if (absl::StripAsciiWhitespace(json).empty()) return providers;
  simdjson::dom::parser parser;
  object entries;
  const simdjson::error_code error =
      parser.parse(json.data(), json.size()).get(entries);
  if (error) {
    return BadText(absl::StrCat("as JSON: ", simdjson::error_message(error)),
                   json);
  }
  for (const auto member : entries) {
    const std::string name(member.key);
    object members;
    if (member.value.get(members)) {
      return BadText(absl::StrCat(Quote(name, 64), " is no object"), json);
    }
    absl::StatusOr<ReattachConfig> config =
        EntryReader(name, members, json).Read();
    if (!config.ok()) return config.status();
    providers[name] = *std::move(config);
  }
  return providers;
}

absl::StatusOr<std::string> FormatReattachProviders(
    const ReattachProviders& providers) {
  Struct all;
  for (const auto& [name, config] : providers) {
    for (const std::string& text : {name, config.endpoint.address}) {
      if (simdjson::validate_utf8(text.data(), text.size())) continue;
      ErrorDetails details;
      details.reason = Reason::kOptions;
      details.what = "JSON can't hold a text that is no UTF-8";
      details.evidence = {Quote(text)};
      details.hint =
          "use names and socket directories in UTF-8; TMPDIR and the socket "
          "directory option choose the latter";
      return MakeError(details);
    }
    *(*all.mutable_fields())[name].mutable_struct_value() = ToStruct(config);
  }
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(all, &json);
  if (status.ok()) return json;
  return MakeError(Reason::kOptions,
                   absl::StrCat("can't be written as JSON: ",
                                std::string(status.message().data(),
                                            status.message().size())),
                   "see what was to be written");
}

}  // namespace goplugin
