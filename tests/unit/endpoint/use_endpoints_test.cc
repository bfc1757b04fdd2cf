#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/callback_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/generic/generic_stub_callback.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/interceptor.h>
#include <grpcpp/support/server_interceptor.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/channel/server_arguments.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/socket_stream.h"
#include "goplugin/internal/endpoint/use_endpoints.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/unit/endpoint/endpoint_test_support.h"
#include "tests/unit/endpoint/io_thread_count.h"

namespace goplugin::internal {
namespace {

// What the user writes may wait for what comes by an io thread.
std::atomic<int> users_anywhere{0};
std::atomic<int> users_on_sdk_threads{0};
void CountUser() {
  ++users_anywhere;
  if (OnSdkThread()) ++users_on_sdk_threads;
}
void ForgetUsers() {
  users_anywhere = 0;
  users_on_sdk_threads = 0;
}

// On either side.
class UsersInterceptor final : public grpc::experimental::Interceptor {
 public:
  UsersInterceptor() { CountUser(); }
  ~UsersInterceptor() override { CountUser(); }
  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    CountUser();
    batch->Proceed();
  }
};

class ClientInterceptors final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new UsersInterceptor;
  }
};

class ServerInterceptors final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* /*info*/) override {
    return new UsersInterceptor;
  }
};

// Call credentials that may block, which is what they say unless told else.
class UsersCredentials final : public grpc::MetadataCredentialsPlugin {
 public:
  grpc::Status GetMetadata(
      grpc::string_ref /*url*/, grpc::string_ref /*method*/,
      const grpc::AuthContext& /*context*/,
      std::multimap<std::string, std::string>* metadata) override {
    CountUser();
    metadata->insert({"user", "somebody"});
    return grpc::Status::OK;
  }
};

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

UniqueFd ListenAt(const sockaddr* address, socklen_t size) {
  UniqueFd listener(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(listener.get(), address, size), 0);
  EXPECT_EQ(listen(listener.get(), 5), 0);
  return listener;
}

UniqueFd ListenAtPath(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return ListenAt(reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

// Invalid where nobody listens.
UniqueFd ConnectToPath(const std::string& path) {
  UniqueFd connected(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  if (connect(connected.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    connected.reset();
  }
  return connected;
}

UniqueFd ListenAtLoopback(int& port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  UniqueFd listener = ListenAt(any, size);
  EXPECT_EQ(getsockname(listener.get(), any, &size), 0);
  port = ntohs(address.sin_port);
  return listener;
}

// A server whose connections this library accepts.
class Server {
 public:
  explicit Server(UniqueFd listener,
                  const std::shared_ptr<grpc::ServerCredentials>& credentials =
                      grpc::InsecureServerCredentials())
      : listener_(std::move(listener)) {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.RegisterCallbackGenericService(&echo_);
    std::vector<
        std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        interceptors;
    interceptors.push_back(std::make_unique<ServerInterceptors>());
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    intake_ = ConnectionIntake::AddTo(builder, credentials);
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] {
      for (;;) {
        UniqueFd taken(accept4(listener_.get(), nullptr, nullptr,
                               SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!taken.valid()) return;
        intake_->Take(std::move(taken));
      }
    });
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    intake_->Close();
    server_->Shutdown(std::chrono::system_clock::now());
  }

 private:
  Echo echo_;
  UniqueFd listener_;
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
            const std::string& text, bool wait = true) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(wait);
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

// A call with a callback.
grpc::Status CallBack(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::TemplatedGenericStubCallback<grpc::ByteBuffer, grpc::ByteBuffer> stub(
      channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoSeconds(kSoon));
  const grpc::Slice text("hello");
  const grpc::ByteBuffer request(&text, 1);
  grpc::ByteBuffer reply;
  grpc::Status result;
  SteadyNotification over;
  stub.UnaryCall(&context, "/test.Echo/Echo", {}, &request, &reply,
                 [&](const grpc::Status& status) {
                   CountUser();
                   result = status;
                   over.Notify();
                 });
  EXPECT_TRUE(over.WaitFor(2 * kSoon));
  return result;
}

class UseEndpointsTest : public ::testing::Test {
 protected:
  UseEndpointsTest() {
    char directory[] = "/tmp/goplugin-use-XXXXXX";
    directory_ = mkdtemp(directory);
  }
  ~UseEndpointsTest() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return absl::StrCat(directory_, "/s"); }
  UniqueFd Listen() const {
    unlink(path().c_str());
    return ListenAtPath(path());
  }
  std::string target() const { return absl::StrCat("unix:", path()); }
  std::shared_ptr<grpc::Channel> MakeChannel() const {
    return ChannelTo(target());
  }
  static std::shared_ptr<grpc::Channel> ChannelTo(const std::string& target) {
    return CreatePluginChannel(target, grpc::InsecureChannelCredentials(),
                               MergeChannelArguments({}, ""), {});
  }

 private:
  std::string directory_;
};

TEST_F(UseEndpointsTest, CallsGoByOurThreads) {
  const Server server(Listen());
  const auto channel = MakeChannel();
  for (int i = 0; i < 100; ++i) {
    const Answer answer = Call(channel, absl::StrCat("call ", i));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.text, absl::StrCat("call ", i));
  }
  EXPECT_GE(IoThreadCount(), 1);
}

// Callbacks, handlers and interceptors.
TEST_F(UseEndpointsTest, TheUsersCodeRunsElsewhere) {
  const Server server(Listen());
  ForgetUsers();
  InterceptorFactories interceptors;
  interceptors.push_back(std::make_unique<ClientInterceptors>());
  const auto channel = CreatePluginChannel(
      target(), grpc::InsecureChannelCredentials(),
      MergeChannelArguments({}, ""), std::move(interceptors));
  for (int i = 0; i < 100; ++i) {
    const grpc::Status status = CallBack(channel);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const Answer answer = Call(channel, "hello");
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  }
  EXPECT_GE(users_anywhere, 2000);
  EXPECT_EQ(users_on_sdk_threads, 0);
}

TEST_F(UseEndpointsTest, CallCredentialsRunElsewhere) {
  const Server server(Listen(),
                      grpc::experimental::LocalServerCredentials(UDS));
  ForgetUsers();
  // Over new connections, too: a call may wait for one.
  for (int i = 0; i < 20; ++i) {
    const auto channel =
        CreatePluginChannel(target(),
                            grpc::CompositeChannelCredentials(
                                grpc::experimental::LocalCredentials(UDS),
                                grpc::MetadataCredentialsFromPlugin(
                                    std::make_unique<UsersCredentials>())),
                            MergeChannelArguments({}, ""), {});
    for (int j = 0; j < 5; ++j) {
      const grpc::Status status = CallBack(channel);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
  }
  EXPECT_GE(users_anywhere, 500);
  EXPECT_EQ(users_on_sdk_threads, 0);
}

TEST_F(UseEndpointsTest, LargeMessages) {
  const Server server(Listen());
  const auto channel = MakeChannel();
  std::string large(size_t{24} << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 1000) large[i] = 'y';
  const Answer answer = Call(channel, large);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(answer.text == large);
}

TEST_F(UseEndpointsTest, ConnectsAgain) {
  auto server = std::make_unique<Server>(Listen());
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
    server = std::make_unique<Server>(Listen());
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

// A channel whose target leads nowhere.
std::shared_ptr<grpc::Channel> ChannelBy(
    OpenStream open,
    grpc::ChannelArguments arguments = MergeChannelArguments({}, "")) {
  UseStreams(std::move(open), arguments);
  return CreatePluginChannel("unix:/dev/null/nowhere",
                             grpc::InsecureChannelCredentials(), arguments, {});
}

// Counts them.
OpenStream StreamsTo(const std::string& path, std::atomic<int>& opened) {
  return [path, &opened](StreamCallback opened_one) {
    ++opened;
    std::unique_ptr<IoPlace> place = IoPlace::Take();
    UniqueFd socket = ConnectToPath(path);
    if (place == nullptr || !socket.valid()) {
      return opened_one(absl::UnavailableError("nobody is there"));
    }
    opened_one(
        std::make_unique<SocketStream>(std::move(socket), std::move(place)));
  };
}

TEST_F(UseEndpointsTest, AChannelByStreamsConnectsByThemEachTime) {
  std::atomic<int> opened{0};
  const auto channel = ChannelBy(StreamsTo(path(), opened));
  for (int i = 1; i <= 3; ++i) {
    const Server server(Listen());
    // One that was under way when the server before went fails.
    const absl::Time give_up = absl::Now() + kSoon;
    Answer answer = Call(channel, "hello");
    while (answer.status.error_code() == grpc::StatusCode::UNAVAILABLE &&
           absl::Now() < give_up) {
      answer = Call(channel, "hello");
    }
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.text, "hello");
    EXPECT_GE(opened, i);
  }
}

TEST_F(UseEndpointsTest, AStreamThatIsNotToBeHad) {
  const auto channel = ChannelBy([](StreamCallback opened) {
    opened(absl::UnavailableError("not today"));
  });
  const Answer answer = Call(channel, "hello", /*wait=*/false);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(answer.status.error_message().find("not today"), std::string::npos)
      << answer.status.error_message();
}

TEST_F(UseEndpointsTest, ACallersEngineDoesAllButConnect) {
  const Server server(Listen());
  std::atomic<int> opened{0};
  std::shared_ptr<EventEngine> callers = std::make_shared<EndpointEngine>(
      grpc_event_engine::experimental::GetDefaultEventEngine(),
      [](StreamCallback opened) {
        opened(absl::UnavailableError("the caller's"));
      });
  grpc::ChannelArguments arguments = MergeChannelArguments({}, "");
  arguments.SetPointerWithVtable(
      GRPC_ARG_EVENT_ENGINE, &callers,
      grpc_event_engine::experimental::grpc_event_engine_arg_vtable());
  const auto channel = ChannelBy(StreamsTo(path(), opened), arguments);
  EXPECT_GT(callers.use_count(), 2);
  const Answer answer = Call(channel, "hello");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(opened, 1);
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
          const Server server(Listen());
          answer = Call(MakeChannel(), "hello");
        }
        _exit(answer.status.ok() && answer.text == "hello" ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// At the exit of the process: a plugin that others run may still be there, and
// nobody hears what it answers.
TEST_F(UseEndpointsTest, ACallAfterTheHaltDoesNotWait) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        alarm(60);
        const auto server = std::make_unique<Server>(Listen());
        const auto channel = MakeChannel();
        if (!Call(channel, "hello").status.ok()) _exit(2);
        HaltIoThreads(kSoon);
        const grpc::Status after = Call(channel, "hello", false).status;
        _exit(after.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
      },
      ::testing::ExitedWithCode(0), "");
}

// The last: the other kind is for good.
TEST_F(UseEndpointsTest, PeersAreTheSameOverBothKinds) {
  int port = 0;
  const Server at_path(Listen());
  const Server at_loopback(ListenAtLoopback(port));
  const std::vector<std::string> targets = {
      target(),
      ChannelTarget(
          {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", port)}),
      ChannelTarget(
          {Endpoint::Network::kTcp, absl::StrCat("localhost:", port)})};
  // Of the client, a tcp port is another each time.
  const auto ask = [&](const std::string& target) {
    const Answer answer = Call(ChannelTo(target), "hello");
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    const bool by_path = answer.called_by == "unix:";
    return std::make_pair(
        answer.peer,
        by_path ? answer.called_by
                : answer.called_by.substr(0, answer.called_by.rfind(':')));
  };
  std::vector<std::pair<std::string, std::string>> ours;
  std::transform(targets.begin(), targets.end(), std::back_inserter(ours), ask);
  UseGrpcsEndpointsForTest();
  std::vector<std::pair<std::string, std::string>> grpcs;
  std::transform(targets.begin(), targets.end(), std::back_inserter(grpcs),
                 ask);
  EXPECT_EQ(ours, grpcs);
  EXPECT_EQ(ours[0].first, target());
  EXPECT_EQ(ours[1].first, absl::StrCat("ipv4:127.0.0.1:", port));
  EXPECT_EQ(ours[1].second, "ipv4:127.0.0.1");
}

}  // namespace
}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
