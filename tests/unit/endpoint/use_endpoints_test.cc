#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpcpp/channel.h>
#include <grpcpp/generic/callback_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/generic/generic_stub_callback.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/channel/server_arguments.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/use_endpoints.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/unit/endpoint/endpoint_test_support.h"

namespace goplugin::internal {
namespace {

int IoThreadCount() {
  int count = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name == "goplugin-io") ++count;
  }
  return count;
}

// What the user writes may wait for what comes by an io thread.
std::atomic<int> users_on_sdk_threads{0};
void CountUser() {
  if (OnSdkThread()) ++users_on_sdk_threads;
}

// Answers each call with what it was sent, and says who has called.
class Echo final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    CountUser();
    context->AddInitialMetadata("called-by", context->peer());
    class Reactor final : public grpc::ServerGenericBidiReactor {
     public:
      Reactor() { StartRead(&message_); }
      void OnReadDone(bool ok) override {
        CountUser();
        if (!ok) return Finish(grpc::Status::OK);
        StartWriteAndFinish(&message_, {}, grpc::Status::OK);
      }
      void OnDone() override {
        CountUser();
        delete this;
      }

     private:
      grpc::ByteBuffer message_;
    };
    return new Reactor;
  }
};

// A server at a unix socket that this library accepts for.
class Server {
 public:
  explicit Server(const std::string& path) {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)),
              0);
    EXPECT_EQ(listen(listener_.get(), 5), 0);
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.RegisterCallbackGenericService(&echo_);
    intake_ =
        ConnectionIntake::AddTo(builder, grpc::InsecureServerCredentials());
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] {
      for (;;) {
        UniqueFd taken(accept4(listener_.get(), nullptr, nullptr,
                               SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!taken.valid()) return;
        intake_->Take(std::move(taken));
      }
    });
    path_ = path;
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    intake_->Close();
    server_->Shutdown(std::chrono::system_clock::now());
    unlink(path_.c_str());
  }

 private:
  Echo echo_;
  UniqueFd listener_;
  std::string path_;
  std::shared_ptr<ConnectionIntake> intake_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

struct Answer {
  grpc::Status status;
  std::string text;
  std::string peer;
  std::string called_by;
};

Answer Call(const std::shared_ptr<grpc::Channel>& channel,
            const std::string& text) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoSeconds(kSoon));
  grpc::CompletionQueue queue;
  const grpc::Slice sent(text);
  auto call = stub.PrepareUnaryCall(&context, "/test.Echo/Echo",
                                    grpc::ByteBuffer(&sent, 1), &queue);
  call->StartCall();
  Answer answer;
  grpc::ByteBuffer reply;
  call->Finish(&reply, &answer.status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!answer.status.ok()) return answer;
  grpc::Slice whole;
  EXPECT_TRUE(reply.DumpToSingleSlice(&whole).ok());
  answer.text.assign(reinterpret_cast<const char*>(whole.begin()),
                     whole.size());
  answer.peer = context.peer();
  const auto& metadata = context.GetServerInitialMetadata();
  const auto found = metadata.find("called-by");
  if (found != metadata.end()) {
    answer.called_by.assign(found->second.data(), found->second.size());
  }
  return answer;
}

class UseEndpointsTest : public ::testing::Test {
 protected:
  UseEndpointsTest() {
    char directory[] = "/tmp/goplugin-use-XXXXXX";
    directory_ = mkdtemp(directory);
  }
  ~UseEndpointsTest() override { rmdir(directory_.c_str()); }

  std::string path() const { return absl::StrCat(directory_, "/s"); }
  std::shared_ptr<grpc::Channel> MakeChannel() const {
    return CreatePluginChannel(absl::StrCat("unix:", path()),
                               grpc::InsecureChannelCredentials(),
                               MergeChannelArguments({}, ""), {});
  }

 private:
  std::string directory_;
};

TEST_F(UseEndpointsTest, CallsGoByOurThreads) {
  const Server server(path());
  const auto channel = MakeChannel();
  for (int i = 0; i < 100; ++i) {
    const Answer answer = Call(channel, absl::StrCat("call ", i));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.text, absl::StrCat("call ", i));
  }
  EXPECT_GE(IoThreadCount(), 1);
}

TEST_F(UseEndpointsTest, TheUsersCodeRunsElsewhere) {
  const Server server(path());
  const auto channel = MakeChannel();
  grpc::TemplatedGenericStubCallback<grpc::ByteBuffer, grpc::ByteBuffer> stub(
      channel);
  users_on_sdk_threads = 0;
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const grpc::Slice text("hello");
    const grpc::ByteBuffer request(&text, 1);
    grpc::ByteBuffer reply;
    SteadyNotification over;
    stub.UnaryCall(&context, "/test.Echo/Echo", {}, &request, &reply,
                   [&](const grpc::Status& status) {
                     CountUser();
                     EXPECT_TRUE(status.ok()) << status.error_message();
                     over.Notify();
                   });
    ASSERT_TRUE(over.WaitFor(kSoon));
  }
  EXPECT_EQ(users_on_sdk_threads, 0);
}

TEST_F(UseEndpointsTest, LargeMessages) {
  const Server server(path());
  const auto channel = MakeChannel();
  std::string large(size_t{24} << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 1000) large[i] = 'y';
  const Answer answer = Call(channel, large);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(answer.text == large);
}

TEST_F(UseEndpointsTest, ConnectsAgain) {
  auto server = std::make_unique<Server>(path());
  const auto channel = MakeChannel();
  for (int i = 0; i < 5; ++i) {
    // Some may still meet the connection that has just ended.
    Answer answer = Call(channel, "hello");
    const absl::Time give_up = absl::Now() + kSoon;
    while (answer.status.error_code() == grpc::StatusCode::UNAVAILABLE &&
           absl::Now() < give_up) {
      answer = Call(channel, "hello");
    }
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    server.reset();
    server = std::make_unique<Server>(path());
  }
}

TEST_F(UseEndpointsTest, ACallersEngineIsLeftToHim) {
  grpc::ChannelArguments arguments;
  arguments.SetPointer("grpc.socket_mutator", nullptr);
  grpc_channel_args before;
  arguments.SetChannelArgs(&before);
  UseEndpoints(arguments);
  grpc_channel_args after;
  arguments.SetChannelArgs(&after);
  EXPECT_EQ(before.num_args, after.num_args);
}

// In a process of its own: it has no io threads from then on.
TEST_F(UseEndpointsTest, WithoutAnIoThreadConnectionsAreGrpcs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        // Without a first place there is nothing to halt.
        static_cast<void>(IoPlace::Take());
        HaltIoThreads(absl::ZeroDuration());
        Answer answer;
        {
          const Server server(path());
          answer = Call(MakeChannel(), "hello");
        }
        _exit(answer.status.ok() && answer.text == "hello" ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// The last: the other kind is for good.
TEST_F(UseEndpointsTest, PeersAreTheSameOverBothKinds) {
  const auto ask = [this] {
    const Server server(path());
    return Call(MakeChannel(), "hello");
  };
  const Answer ours = ask();
  ASSERT_TRUE(ours.status.ok()) << ours.status.error_message();
  UseGrpcsEndpointsForTest();
  const Answer grpcs = ask();
  ASSERT_TRUE(grpcs.status.ok()) << grpcs.status.error_message();
  EXPECT_EQ(ours.peer, grpcs.peer);
  EXPECT_EQ(ours.peer, absl::StrCat("unix:", path()));
  EXPECT_EQ(ours.called_by, grpcs.called_by);
}

}  // namespace
}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
