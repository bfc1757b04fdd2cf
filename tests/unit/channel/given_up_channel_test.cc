// Channels that go while they connect: gRPC 1.51 by itself forgets a connection
// whose first answer comes later, and keeps it for ever.
#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/version_info.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/channel.h"
#include "tests/unit/channel/calls_world.h"

namespace {

// Files that somebody has looked at by their descriptors.
std::atomic<int> files_looked_at{0};

}  // namespace

// In the place of the system's.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int fstat(int fd, struct stat* about) noexcept {
  const int result = fstatat(fd, "", about, AT_EMPTY_PATH);
  if (result == 0 && S_ISREG(about->st_mode)) ++files_looked_at;
  return result;
}

namespace goplugin::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Long enough for gRPC to look by itself, and for a busy machine.
constexpr seconds kPatience{40};

// Waits in gRPC, as the SDK's own thread does.
class Waiter {
 public:
  Waiter() : thread_([this] { Wait(); }) {}
  ~Waiter() {
    queue_.Shutdown();
    thread_.join();
  }

 private:
  void Wait() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

// A server that takes one connection and says what it is told to.
class SlowServer {
 public:
  explicit SlowServer(int family = AF_UNIX)
      : listener_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (family == AF_UNIX) {
      char pattern[] = "/tmp/gp-XXXXXX";
      directory_ = mkdtemp(pattern);
      endpoint_ = {Endpoint::Network::kUnix, directory_ + "/s"};
    }
  }
  ~SlowServer() {
    close(connection_);
    close(listener_);
    if (directory_.empty()) return;
    unlink(endpoint_.address.c_str());
    rmdir(directory_.c_str());
  }
  std::string target() const { return ChannelTarget(endpoint_); }

  void Listen() {
    if (directory_.empty()) {
      sockaddr_in own = {};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof(own);
      auto* const address = reinterpret_cast<sockaddr*>(&own);
      ASSERT_EQ(bind(listener_, address, size), 0);
      getsockname(listener_, address, &size);
      endpoint_ = {Endpoint::Network::kTcp,
                   absl::StrCat("127.0.0.1:", ntohs(own.sin_port))};
    } else {
      sockaddr_un own = {};
      own.sun_family = AF_UNIX;
      endpoint_.address.copy(own.sun_path, sizeof(own.sun_path) - 1);
      ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&own), sizeof(own)),
                0);
    }
    ASSERT_EQ(listen(listener_, 1), 0);
  }
  // The client's preface has come then.
  void Accept() {
    connection_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    char preface[24];
    ASSERT_EQ(recv(connection_, preface, sizeof(preface), MSG_WAITALL),
              static_cast<ssize_t>(sizeof(preface)));
  }
  // Whether the client still takes them.
  bool SendSettings() {
    const char frame[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    return send(connection_, frame, sizeof(frame), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(sizeof(frame));
  }
  void StopSending() { shutdown(connection_, SHUT_WR); }
  bool SeesTheEnd(seconds patience = kPatience) {
    const timeval most = {static_cast<time_t>(patience.count()), 0};
    setsockopt(connection_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    char bytes[4096];
    ssize_t size = 1;
    while (size > 0) size = recv(connection_, bytes, sizeof(bytes), 0);
    return size == 0 || errno == ECONNRESET;
  }

 private:
  std::string directory_;
  Endpoint endpoint_;
  const int listener_;
  int connection_ = -1;
};

std::shared_ptr<grpc::Channel> ChannelTo(
    const SlowServer& server, InterceptorFactories interceptors = {},
    const std::shared_ptr<grpc::ChannelCredentials>& credentials =
        grpc::InsecureChannelCredentials()) {
  auto channel =
      CreatePluginChannel(server.target(), credentials,
                          MergeChannelArguments({}), std::move(interceptors));
  channel->GetState(/*try_to_connect=*/true);
  return channel;
}

// How many sockets this process has.
int CountSockets() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    int type = 0;
    socklen_t size = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) ++count;
  }
  return count;
}

bool ComesTo(int sockets) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (CountSockets() != sockets) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

class GivenUpChannelTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Families, GivenUpChannelTest,
                         ::testing::Values(AF_UNIX, AF_INET));

TEST_P(GivenUpChannelTest, ItsConnectionEnds) {
  for (const bool with_waiter : {true, false}) {
    SlowServer server(GetParam());
    server.Listen();
    const int before = CountSockets();
    std::unique_ptr<Waiter> waiter;
    if (with_waiter) waiter = std::make_unique<Waiter>();
    auto channel = ChannelTo(server);
    // Where nobody waits, gRPC is slow to see that it has connected.
    server.Accept();
    channel.reset();
    server.SendSettings();
    EXPECT_TRUE(server.SeesTheEnd());
    // The server's own.
    EXPECT_TRUE(ComesTo(before + 1));
  }
}

TEST_P(GivenUpChannelTest, TheAnswerIsThereAlready) {
  for (int i = 0; i < 20; ++i) {
    SlowServer server(GetParam());
    server.Listen();
    const int before = CountSockets();
    Waiter waiter;
    auto channel = ChannelTo(server);
    server.Accept();
    EXPECT_TRUE(server.SendSettings());
    if (i % 2 == 0) server.StopSending();
    // At any moment of what gRPC makes of it.
    std::this_thread::sleep_for(std::chrono::microseconds(20 * i));
    channel.reset();
    EXPECT_TRUE(server.SeesTheEnd());
    EXPECT_TRUE(ComesTo(before + 1));
  }
}

// It says TRANSIENT_FAILURE then, whatever it does.
TEST(OneGivenUpChannelTest, ItWasRefusedFirst) {
  SlowServer server;
  Waiter waiter;
  auto channel = ChannelTo(server);
  while (channel->GetState(/*try_to_connect=*/false) !=
         GRPC_CHANNEL_TRANSIENT_FAILURE) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  server.Listen();
  server.Accept();
  const int before = CountSockets();
  channel.reset();
  server.SendSettings();
  EXPECT_TRUE(server.SeesTheEnd());
  EXPECT_TRUE(ComesTo(before - 1));
}

// One that was begun holds its channel, whatever its caller holds.
class CallOfItsOwn {
 public:
  explicit CallOfItsOwn(std::shared_ptr<grpc::Channel> channel)
      : call_(Calls::NewStub(std::move(channel))
                  ->AsyncOne(context_.get(), MessageOf("hello"), &queue_)) {
    call_->Finish(&response_, &status_, nullptr);
  }

  void Cancel() {
    context_->TryCancel();
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue_.Next(&tag, &ok));
    EXPECT_EQ(status_.error_code(), grpc::StatusCode::CANCELLED);
    call_.reset();
    context_.reset();
  }

 private:
  grpc::CompletionQueue queue_;
  grpc::Status status_;
  Message response_;
  std::unique_ptr<grpc::ClientContext> context_ =
      std::make_unique<grpc::ClientContext>();
  std::unique_ptr<grpc::ClientAsyncResponseReader<Message>> call_;
};

TEST(OneGivenUpChannelTest, ACallGoesOn) {
  Waiter waiter;
  SlowServer server;
  server.Listen();
  auto channel = ChannelTo(server);
  server.Accept();
  CallOfItsOwn call(std::move(channel));
  EXPECT_TRUE(server.SendSettings());
  EXPECT_FALSE(server.SeesTheEnd(seconds(1)));
  call.Cancel();
  EXPECT_TRUE(server.SeesTheEnd());
}

// A user's interceptors end on the thread that gives the channel up: they may
// block, and gRPC's threads are everybody's.
class Ending final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit Ending(std::thread::id* ended_on) : ended_on_(ended_on) {}
  ~Ending() override { *ended_on_ = std::this_thread::get_id(); }
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return nullptr;
  }

 private:
  std::thread::id* const ended_on_;
};

TEST(OneGivenUpChannelTest, ItsInterceptorsEndWithTheirChannel) {
  Waiter waiter;
  SlowServer server;
  server.Listen();
  std::thread::id ended_on;
  InterceptorFactories interceptors;
  interceptors.push_back(std::make_unique<Ending>(&ended_on));
  auto channel = ChannelTo(server, std::move(interceptors));
  const std::weak_ptr<grpc::Channel> seen = channel;
  server.Accept();
  EXPECT_EQ(ended_on, std::thread::id());
  channel.reset();
  EXPECT_EQ(ended_on, std::this_thread::get_id());
  EXPECT_TRUE(server.SeesTheEnd());
}

// Where a call goes on, its interceptors may use what made them.
class Alive final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit Alive(std::shared_ptr<std::atomic<bool>> is_alive)
      : is_alive_(std::move(is_alive)) {}
  ~Alive() override { *is_alive_ = false; }
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new Dependent(is_alive_);
  }

 private:
  class Dependent final : public grpc::experimental::Interceptor {
   public:
    explicit Dependent(std::shared_ptr<std::atomic<bool>> is_alive)
        : is_alive_(std::move(is_alive)) {}
    void Intercept(
        grpc::experimental::InterceptorBatchMethods* methods) override {
      EXPECT_TRUE(*is_alive_);
      methods->Proceed();
    }

   private:
    const std::shared_ptr<std::atomic<bool>> is_alive_;
  };

  const std::shared_ptr<std::atomic<bool>> is_alive_;
};

TEST(OneGivenUpChannelTest, ItsInterceptorsOutliveItsCalls) {
  Waiter waiter;
  SlowServer server;
  server.Listen();
  auto is_alive = std::make_shared<std::atomic<bool>>(true);
  InterceptorFactories interceptors;
  interceptors.push_back(std::make_unique<Alive>(is_alive));
  auto channel = ChannelTo(server, std::move(interceptors));
  server.Accept();
  CallOfItsOwn call(std::move(channel));
  EXPECT_TRUE(*is_alive);
  call.Cancel();
  EXPECT_TRUE(server.SeesTheEnd());
  while (*is_alive) std::this_thread::sleep_for(milliseconds(5));
}

// A channel with TLS is not destroyed after OpenSSL.
[[noreturn]] void ExitAmidAHandshake() {
  // Comes last, and gives others time.
  std::atexit([] { std::this_thread::sleep_for(milliseconds(500)); });
  auto* const waiter = new Waiter;
  SlowServer server(AF_INET);
  server.Listen();
  auto channel = ChannelTo(server, {}, grpc::SslCredentials({}));
  server.Accept();
  channel.reset();
  static_cast<void>(waiter);  // until the very end
  std::exit(0);
}

TEST(OneGivenUpChannelTest, TheExitLeavesItAlone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ExitAmidAHandshake(), ::testing::ExitedWithCode(0), "");
}

// A file with a lock of this process's, by every number from the lowest free
// one.
class LockedFile {
 public:
  LockedFile() {
    char pattern[] = "/tmp/gp-lock-XXXXXX";
    copies_.push_back(mkstemp(pattern));
    unlink(pattern);
    for (int i = 0; i < 64; ++i) copies_.push_back(dup(copies_.front()));
    EXPECT_EQ(fcntl(copies_.front(), F_SETLK, &lock_), 0);
  }
  ~LockedFile() {
    for (const int copy : copies_) close(copy);
  }

  // A process does not see its own.
  bool is_locked() {
    const pid_t child = fork();
    if (child == 0) {
      fcntl(copies_.front(), F_GETLK, &lock_);
      _exit(lock_.l_type == F_UNLCK ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
  }

 private:
  std::vector<int> copies_;
  struct flock lock_ = [] {
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return whole;
  }();
};

// The numbers of sockets that gRPC has closed are the host's again. To close
// any descriptor of a file gives up the process's locks on it, and to look at
// one takes as long as its file system likes.
TEST(OneGivenUpChannelTest, OtherFilesAreLeftAlone) {
  SlowServer server;
  Waiter waiter;
  auto channel = ChannelTo(server);
  while (channel->GetState(/*try_to_connect=*/true) !=
         GRPC_CHANNEL_TRANSIENT_FAILURE) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  LockedFile file;
  EXPECT_TRUE(file.is_locked());
  files_looked_at = 0;
  channel.reset();
  EXPECT_EQ(files_looked_at, 0);
  EXPECT_TRUE(file.is_locked());
}

// The sockets are its parent's as well.
TEST(OneGivenUpChannelTest, AForkedChildEndsNothing) {
  if (GRPC_CPP_VERSION_MINOR >= 70) {
    GTEST_SKIP() << "a child of today's gRPC may not end a channel";
  }
  for (const bool with_tls : {false, true}) {
    Waiter waiter;
    SlowServer server;
    server.Listen();
    const int before = CountSockets();
    auto channel = ChannelTo(server, {},
                             with_tls ? grpc::SslCredentials({})
                                      : grpc::InsecureChannelCredentials());
    server.Accept();
    const pid_t child = fork();
    if (child == 0) {
      channel.reset();
      _exit(0);
    }
    ASSERT_GT(child, 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_FALSE(server.SeesTheEnd(seconds(1)));
    if (!with_tls) {
      EXPECT_TRUE(server.SendSettings());
      while (channel->GetState(/*try_to_connect=*/false) !=
             GRPC_CHANNEL_READY) {
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
    channel.reset();
    // The server's own.
    EXPECT_TRUE(ComesTo(before + 1));
  }
}

}  // namespace
}  // namespace goplugin::internal
