#ifndef EXAMPLES_INSPECT_SCHEMA_H_
#define EXAMPLES_INSPECT_SCHEMA_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/descriptor_errors.h"
#include "examples/inspect/report.pb.h"

namespace inspect {

// Services and messages as somebody described them.
struct Description {
  // Who: for people.
  std::string source;
  // The services to list, with their packages; others may be in `files`.
  std::vector<std::string> services;
  // In any order. protobuf's own files may be missing.
  google::protobuf::FileDescriptorSet files;
};

// Finds services and methods in a description, and translates their messages
// from and to JSON.
//
// A description may be anybody's: see bounded_types.h for what of it is left
// out.
//
// Errors: of kNoSuchMethod, kStreaming, kBadRequest, kBadAnswer and
// kLargeAnswer.
class Schema {
 public:
  explicit Schema(Description description);
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  const std::string& source() const { return description_.source; }
  // The listed services, for the report. Beyond 64 MiB of names they are listed
  // without their methods.
  std::vector<Service> Services() const;

  // The request of `method`, "package.Service/Method", as it goes over the
  // wire. Of a message with a JSON of its own, as google.protobuf.StringValue,
  // that is what `json` is: "hello".
  absl::StatusOr<std::string> EncodeRequest(absl::string_view method,
                                            const std::string& json);
  // The answer of `method` as JSON: see message_json.h.
  absl::StatusOr<std::string> DecodeAnswer(absl::string_view method,
                                           const std::string& bytes);

 private:
  absl::StatusOr<const google::protobuf::MethodDescriptor*> FindUnary(
      absl::string_view method) const;
  absl::Status NoSuchMethod(absl::string_view method) const;

  const Description description_;
  google::protobuf::SimpleDescriptorDatabase described_;
  // protobuf's own files, as far as they are linked in.
  google::protobuf::DescriptorPoolDatabase own_;
  google::protobuf::MergedDescriptorDatabase all_;
  mutable BuildErrors errors_;
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory messages_;
};

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_SCHEMA_H_
