#include "examples/inspect/reflection.h"

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/inspect/generic_call.h"
#include "goplugin/wire/reflection.pb.h"

namespace inspect {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using goplugin::wire::ReflectionRequest;
using goplugin::wire::ReflectionResponse;

// A plugin could describe files without end.
constexpr int kMostFiles = 10000;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

// With the end of the stream, after the last answer.
constexpr absl::Duration kPatience = absl::Seconds(1);

// One conversation with the reflection service.
class Reflector {
 public:
  Reflector(const std::shared_ptr<grpc::Channel>& channel,
            const std::string& version, absl::Duration timeout,
            Description* description)
      : stream_(channel,
                absl::StrCat("/grpc.reflection.", version,
                             ".ServerReflection/ServerReflectionInfo"),
                timeout),
        description_(*description) {
    description_ = Description();
    description_.source = absl::StrCat("reflection ", version);
  }

  grpc::Status Run() {
    if (!AskForServices()) return Failed();
    for (const std::string& service : description_.services) {
      ReflectionRequest request;
      request.set_file_containing_symbol(service);
      if (!AskForFiles(request)) return Failed();
    }
    // Grows while it is walked.
    for (std::size_t i = 0; i < imports_.size(); ++i) {
      ReflectionRequest request;
      request.set_file_by_filename(imports_[i]);
      if (files_.count(imports_[i]) == 0 && !AskForFiles(request)) {
        return Failed();
      }
    }
    // All has been said, however it ends the stream.
    stream_.Finish(kPatience);
    return grpc::Status::OK;
  }

 private:
  bool Ask(const ReflectionRequest& request, ReflectionResponse* response) {
    std::string answer;
    return stream_.Ask(request.SerializeAsString(), &answer) &&
           response->ParseFromString(answer);
  }

  bool AskForServices() {
    ReflectionRequest request;
    request.set_list_services("*");
    ReflectionResponse response;
    if (!Ask(request, &response)) return false;
    for (const auto& service : response.services().service()) {
      description_.services.push_back(service.name());
    }
    return true;
  }

  // False only when the conversation is over.
  bool AskForFiles(const ReflectionRequest& request) {
    ReflectionResponse response;
    if (!Ask(request, &response)) return false;
    for (const std::string& bytes : response.files().file()) {
      bytes_ += bytes.size();
      FileDescriptorProto file;
      if (file.ParseFromString(bytes)) Take(std::move(file));
    }
    return description_.files.file_size() <= kMostFiles && bytes_ <= kMostBytes;
  }

  void Take(FileDescriptorProto file) {
    if (!files_.insert(file.name()).second) return;
    for (const std::string& import : file.dependency()) {
      // protobuf's own are known, whether or not the plugin can describe them.
      if (DescriptorPool::generated_pool()->FindFileByName(import) == nullptr &&
          asked_.insert(import).second) {
        imports_.push_back(import);
      }
    }
    *description_.files.add_file() = std::move(file);
  }

  grpc::Status Failed() {
    const grpc::Status status = stream_.Finish(absl::InfiniteDuration());
    if (!status.ok()) return status;
    return grpc::Status(grpc::StatusCode::INTERNAL,
                        "the plugin's reflection service makes no sense");
  }

  QuestionStream stream_;
  Description& description_;
  // Of all files.
  std::size_t bytes_ = 0;
  // Names of the files that came, and of those that are wanted.
  std::set<std::string> files_;
  std::set<std::string> asked_;
  std::vector<std::string> imports_;
};

}  // namespace

grpc::Status Reflect(const std::shared_ptr<grpc::Channel>& channel,
                     absl::Duration timeout, Description* description) {
  const absl::Time deadline = absl::Now() + timeout;
  grpc::Status status;
  for (const char* version : {"v1", "v1alpha"}) {
    status =
        Reflector(channel, version, deadline - absl::Now(), description).Run();
    if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) break;
  }
  return status;
}

}  // namespace inspect
