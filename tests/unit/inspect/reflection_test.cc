#include "examples/inspect/reflection.h"

#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/wire/reflection.pb.h"
#include "gtest/gtest.h"

namespace inspect {
namespace {

using goplugin::wire::ReflectionRequest;
using goplugin::wire::ReflectionResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a plugin answers, as bytes.
using Answer = std::function<std::string(const ReflectionRequest&)>;

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// One stream of the plugin below.
class Stream final : public grpc::ServerGenericBidiReactor {
 public:
  // After the last question, or only when the host cancels.
  enum class End { kAtOnce, kNever };

  Stream(const Answer& answer, End end) : answer_(answer), end_(end) {
    StartRead(&buffer_);
  }
  void OnReadDone(bool ok) override {
    if (!ok && end_ == End::kAtOnce) Finish(grpc::Status::OK);
    if (!ok) return;
    ReflectionRequest request;
    EXPECT_TRUE(request.ParseFromString(ToString(buffer_)));
    const grpc::Slice slice(answer_(request));
    buffer_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&buffer_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&buffer_);
  }
  void OnCancel() override {
    if (end_ == End::kNever) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  const Answer& answer_;
  const End end_;
  grpc::ByteBuffer buffer_;
};

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  Refusal() { Finish({grpc::StatusCode::UNIMPLEMENTED, "no such service"}); }
  void OnDone() override { delete this; }
};

// A server with one version of the reflection service, or with none.
class Plugin final : public grpc::CallbackGenericService {
 public:
  Plugin(std::string version, Answer answer,
         Stream::End end = Stream::End::kAtOnce)
      : path_(absl::StrCat("/grpc.reflection.", version,
                           ".ServerReflection/ServerReflectionInfo")),
        answer_(std::move(answer)),
        end_(end) {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~Plugin() override { server_->Shutdown(); }

  std::shared_ptr<grpc::Channel> channel() {
    return server_->InProcessChannel(grpc::ChannelArguments());
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    if (context->method() != path_) return new Refusal;
    return new Stream(answer_, end_);
  }

 private:
  const std::string path_;
  const Answer answer_;
  const Stream::End end_;
  std::unique_ptr<grpc::Server> server_;
};

std::string File(const std::string& name, const std::string& import) {
  google::protobuf::FileDescriptorProto file;
  file.set_name(name);
  if (!import.empty()) file.add_dependency(import);
  ReflectionResponse response;
  response.mutable_files()->add_file(file.SerializeAsString());
  return response.SerializeAsString();
}

std::string ServiceList(const std::vector<std::string>& names) {
  ReflectionResponse response;
  response.mutable_services();
  for (const std::string& name : names) {
    response.mutable_services()->add_service()->set_name(name);
  }
  return response.SerializeAsString();
}

std::vector<std::string> FileNames(const Description& description) {
  std::vector<std::string> names;
  for (const auto& file : description.files.file()) {
    names.push_back(file.name());
  }
  return names;
}

grpc::Status Ask(Plugin& plugin, Description* description) {
  return Reflect(plugin.channel(), absl::Seconds(20), description);
}

// a.proto imports b.proto, which imports one of protobuf's own.
std::string AnswerWell(const ReflectionRequest& request) {
  if (request.has_list_services()) return ServiceList({"a.A", "unknown.B"});
  if (request.file_containing_symbol() == "a.A") {
    return File("a.proto", "b.proto");
  }
  if (request.file_by_filename() == "b.proto") {
    return File("b.proto", "google/protobuf/struct.proto");
  }
  ReflectionResponse response;
  response.mutable_error()->set_code(5);
  return response.SerializeAsString();
}

TEST(ReflectionTest, FindsServicesAndTheirFiles) {
  for (const char* version : {"v1", "v1alpha"}) {
    Plugin plugin(version, AnswerWell);
    Description description;
    const grpc::Status status = Ask(plugin, &description);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(description.source, absl::StrCat("reflection ", version));
    EXPECT_THAT(description.services, ElementsAre("a.A", "unknown.B"));
    EXPECT_THAT(FileNames(description), ElementsAre("a.proto", "b.proto"));
  }
}

TEST(ReflectionTest, APluginWithoutItSaysSo) {
  Plugin plugin("v9", AnswerWell);
  Description description;
  EXPECT_EQ(Ask(plugin, &description).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(ReflectionTest, AnswersThatMakeNoSense) {
  Plugin garbage("v1", [](const ReflectionRequest&) { return "\xff\xff"; });
  Description description;
  grpc::Status status = Ask(garbage, &description);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("makes no sense"));

  Plugin no_file("v1", [](const ReflectionRequest& request) {
    if (request.has_list_services()) return ServiceList({"a.A"});
    ReflectionResponse response;
    response.mutable_files()->add_file("\xff\xff");
    return response.SerializeAsString();
  });
  status = Ask(no_file, &description);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(FileNames(description), ElementsAre());
}

TEST(ReflectionTest, FilesWithoutEnd) {
  int count = 0;
  Plugin plugin("v1", [&](const ReflectionRequest& request) {
    if (request.has_list_services()) return ServiceList({"a.A"});
    ++count;
    return File(absl::StrCat(count), absl::StrCat(count + 1));
  });
  Description description;
  const grpc::Status status = Ask(plugin, &description);
  EXPECT_FALSE(status.ok());
  EXPECT_LE(description.files.file_size(), 10001);
}

TEST(ReflectionTest, AFileThatImportsItself) {
  Plugin plugin("v1", [](const ReflectionRequest& request) {
    if (request.has_list_services()) return ServiceList({"a.A"});
    return File("a.proto", "a.proto");
  });
  Description description;
  EXPECT_TRUE(Ask(plugin, &description).ok());
  EXPECT_THAT(FileNames(description), ElementsAre("a.proto"));
}

// It answers all, and then waits for no more questions.
TEST(ReflectionTest, AStreamThatThePluginNeverEnds) {
  Plugin plugin("v1", AnswerWell, Stream::End::kNever);
  Description description;
  const grpc::Status status = Ask(plugin, &description);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(FileNames(description), ElementsAre("a.proto", "b.proto"));
}

TEST(ReflectionTest, APluginThatNeverAnswers) {
  // Ends by the deadline; the stream is cancelled and the server lets go.
  class Silent final : public grpc::ServerGenericBidiReactor {
   public:
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
  class SilentPlugin final : public grpc::CallbackGenericService {
   public:
    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext* /*context*/) override {
      return new Silent;
    }
  };
  SilentPlugin service;
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  Description description;
  EXPECT_EQ(Reflect(server->InProcessChannel(grpc::ChannelArguments()),
                    absl::Milliseconds(200), &description)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  server->Shutdown();
}

}  // namespace
}  // namespace inspect
