// Serve as a host sees it: a plugin in a process of its own.

#include <grpcpp/create_channel.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/credentials.h"
#include "gtest/gtest.h"
#include "tests/support/serve/plugin_calls.h"
#include "tests/support/serve/plugin_process.h"

namespace goplugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Environment = std::map<std::string, std::string>;

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

// The gRPC target of a line's network and address.
std::string TargetOf(const std::vector<std::string>& line) {
  return line[2] == "unix" ? "unix:" + line[3] : line[3];
}

std::unique_ptr<proto::KV::Stub> Kv(std::shared_ptr<grpc::Channel> channel) {
  return proto::KV::NewStub(std::move(channel));
}

grpc::Status Put(proto::KV::Stub& kv, const std::string& key,
                 const std::string& value = "") {
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  proto::Empty response;
  return kv.Put(&context, request, &response);
}

// The value, or the error's text.
std::string Get(proto::KV::Stub& kv, const std::string& key) {
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  grpc::Status status = kv.Get(&context, request, &response);
  return status.ok() ? response.value() : status.error_message();
}

class ServeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Not TEST_TMPDIR: it can be longer than a socket's path may be.
    char path[] = "/tmp/serveXXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  // Fails when a plugin has left something.
  void TearDown() override { EXPECT_EQ(rmdir(directory_.c_str()), 0); }

  std::string Program() const { return getenv("PROBE_PLUGIN"); }

  Environment With(const Environment& more = {}) const {
    Environment all = {{"PROBE_COOKIE", "probe"},
                       {"PLUGIN_PROTOCOL_VERSIONS", "1,2,3"},
                       {"TMPDIR", directory_}};
    // What a sanitizer is to know.
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
      if (const char* value = getenv(name)) all[name] = value;
    }
    for (const auto& [name, value] : more) all[name] = value;
    return all;
  }

  // Starts the plugin and connects to it without TLS.
  void Start(const Environment& more = {}) {
    plugin_ = std::make_unique<PluginProcess>(Program(), With(more));
    line_ = plugin_->ReadFields();
    ASSERT_THAT(line_, SizeIs(6)) << (plugin_->Wait(), plugin_->stderr_text());
    channel_ = grpc::CreateChannel(TargetOf(line_),
                                   grpc::InsecureChannelCredentials());
    kv_ = Kv(channel_);
  }

  // Expects that the plugin ends in order when it is asked to.
  void ShutDown() {
    grpc::Status status = CallShutdown(*channel_);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(plugin_->Wait(), 0) << plugin_->stderr_text();
  }

  // Expects exit code 1, nothing on stdout, and `text` on stderr.
  void ExpectNoStart(const Environment& environment, const std::string& text) {
    PluginProcess plugin(Program(), environment);
    EXPECT_EQ(plugin.Wait(), 1);
    EXPECT_EQ(plugin.rest_of_stdout(), "");
    EXPECT_THAT(plugin.stderr_text(), HasSubstr(text));
  }

  std::string directory_;
  std::unique_ptr<PluginProcess> plugin_;
  std::vector<std::string> line_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_F(ServeTest, AnnouncesAUnixSocketAndEndsOnShutdown) {
  Start();
  EXPECT_EQ(line_[0], "1");
  EXPECT_EQ(line_[2], "unix");
  EXPECT_THAT(line_[3], StartsWith(directory_));
  EXPECT_EQ(line_[4], "grpc");
  EXPECT_EQ(line_[5], "");
  EXPECT_EQ(Get(*kv_, "version"), "2");
  wire::HealthCheckResponse health;
  EXPECT_TRUE(CallCheck(*channel_, "plugin", health).ok());
  ShutDown();
  EXPECT_EQ(plugin_->rest_of_stdout(), "");
  EXPECT_EQ(plugin_->stderr_text(), "");
}

TEST_F(ServeTest, ServesAgainWhatItServedBefore) {
  Start({{"PROBE_AGAIN", "1"}});
  EXPECT_EQ(Get(*kv_, "version"), "2");
  EXPECT_TRUE(CallShutdown(*channel_).ok());
  const std::vector<std::string> again = plugin_->ReadFields();
  ASSERT_THAT(again, SizeIs(6));
  EXPECT_NE(again[3], line_[3]);
  EXPECT_FALSE(Exists(line_[3]));
  channel_ =
      grpc::CreateChannel(TargetOf(again), grpc::InsecureChannelCredentials());
  kv_ = Kv(channel_);
  EXPECT_EQ(Get(*kv_, "version"), "2");
  ShutDown();
  EXPECT_EQ(plugin_->rest_of_stdout(), "");
  EXPECT_EQ(plugin_->stderr_text(), "");
}

TEST_F(ServeTest, TellsPeopleThatItNeedsAHost) {
  Environment environment = With();
  environment.erase("PROBE_COOKIE");
  ExpectNoStart(environment, "This program is a plugin");
  environment["PROBE_COOKIE"] = "wrong";
  ExpectNoStart(environment, "PROBE_COOKIE");
}

TEST_F(ServeTest, RefusesAnEnvironmentThatMakesNoSense) {
  ExpectNoStart(With({{"PLUGIN_MIN_PORT", "many"}}),
                "[ERROR] the plugin can't start: PLUGIN_MIN_PORT is no port");
  ExpectNoStart(With({{"PLUGIN_CLIENT_CERT", "no certificate"}}), "hint");
  ExpectNoStart(With({{"PLUGIN_UNIX_SOCKET_DIR", directory_ + "/none"}}),
                "PLUGIN_UNIX_SOCKET_DIR");
}

TEST_F(ServeTest, ServesTheHighestCommonVersion) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1,2,3", "2"},
      {"5,2", "5"},
      {"2,5,9", "5"},
      // Nothing in common, and no list: the lowest.
      {"7,8", "2"},
      {"", "2"},
  };
  for (const auto& [offered, agreed] : cases) {
    SCOPED_TRACE(offered);
    Start({{"PLUGIN_PROTOCOL_VERSIONS", offered}});
    EXPECT_EQ(line_[1], agreed);
    EXPECT_EQ(Get(*kv_, "version"), agreed);
    ShutDown();
  }
}

TEST_F(ServeTest, MultiplexesWhereTheHostAsksForIt) {
  for (const char* group : {"", "its own"}) {
    PluginProcess plugin(
        Program(), With({{"PLUGIN_MULTIPLEX_GRPC", "true"},
                         {"PLUGIN_UNIX_SOCKET_GROUP",
                          *group == '\0' ? "" : std::to_string(getegid())}}));
    const std::vector<std::string> line = plugin.ReadFields();
    ASSERT_THAT(line, SizeIs(7));
    EXPECT_EQ(line[6], "true");
    struct stat info = {};
    ASSERT_EQ(lstat(line[3].c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, *group == '\0' ? 0600u : 0660u);
    // The host comes once. When it goes, the plugin ends.
    internal::OpenConnection({Endpoint::Network::kUnix, line[3]},
                             std::chrono::steady_clock::now())
        .IgnoreError();
    EXPECT_EQ(plugin.Wait(), 0);
    EXPECT_EQ(plugin.stderr_text(),
              "[INFO] the host is gone: the plugin ends\n");
  }
}

TEST_F(ServeTest, LeavesTheSeventhFieldOut) {
  Start({{"PLUGIN_MULTIPLEX_GRPC", "false"}});
  EXPECT_THAT(line_, SizeIs(6));
  ShutDown();
}

TEST_F(ServeTest, UsesTheHostsSocketDirectoryAndGroup) {
  const std::string run = directory_ + "/run%41";
  ASSERT_EQ(mkdir(run.c_str(), 0700), 0);
  Start({{"PLUGIN_UNIX_SOCKET_DIR", run},
         {"PLUGIN_UNIX_SOCKET_GROUP", std::to_string(getegid())}});
  EXPECT_THAT(line_[3], StartsWith(run + "/"));
  struct stat info = {};
  ASSERT_EQ(lstat(line_[3].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  EXPECT_EQ(info.st_gid, getegid());
  // The target here would need the percent sign encoded: end it by signal.
  plugin_->Signal(SIGTERM);
  EXPECT_EQ(plugin_->Wait(), 0);
  EXPECT_FALSE(Exists(line_[3]));
  EXPECT_EQ(rmdir(run.c_str()), 0);
}

TEST_F(ServeTest, ItsSocketIsForThisUserOnly) {
  Start();
  struct stat info = {};
  ASSERT_EQ(lstat(line_[3].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ShutDown();
}

TEST_F(ServeTest, WalksPastAPortInUse) {
  Start({{"PROBE_NETWORK", "tcp"}});
  EXPECT_EQ(line_[2], "tcp");
  ASSERT_THAT(line_[3], StartsWith("127.0.0.1:"));
  const std::string port = line_[3].substr(10);
  PluginProcess second(Program(), With({{"PROBE_NETWORK", "tcp"},
                                        {"PLUGIN_MIN_PORT", port},
                                        {"PLUGIN_MAX_PORT", "65535"}}));
  const std::vector<std::string> line = second.ReadFields();
  ASSERT_THAT(line, SizeIs(6));
  EXPECT_GT(std::stoi(line[3].substr(10)), std::stoi(port));
  EXPECT_EQ(Get(*Kv(grpc::CreateChannel(TargetOf(line),
                                        grpc::InsecureChannelCredentials())),
                "version"),
            "2");
  second.Signal(SIGTERM);
  EXPECT_EQ(second.Wait(), 0);
  // gRPC did not get to complain about the port it could not have.
  EXPECT_EQ(second.stderr_text(), "");
  ExpectNoStart(With({{"PROBE_NETWORK", "tcp"},
                      {"PLUGIN_MIN_PORT", port},
                      {"PLUGIN_MAX_PORT", port}}),
                absl::StrCat("from ", port, " to ", port));
  ShutDown();
}

TEST_F(ServeTest, AutoMtlsTakesThatHostAndNoOther) {
  const auto ours = internal::GenerateOneTimeCertificate();
  const auto stranger = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(ours.ok() && stranger.ok());
  PluginProcess plugin(Program(),
                       With({{"PLUGIN_CLIENT_CERT", ours->certificate_pem}}));
  const std::vector<std::string> line = plugin.ReadFields();
  ASSERT_THAT(line, SizeIs(6));
  EXPECT_THAT(line[5], Not(HasSubstr("=")));
  std::string der;
  ASSERT_TRUE(absl::Base64Unescape(line[5], &der));
  const auto peer = internal::ParsePeerCertificate(der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->key_description, "ECDSA P-256");

  const auto connect = [&](std::shared_ptr<grpc::ChannelCredentials> how) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    return grpc::CreateCustomChannel(TargetOf(line), how, arguments);
  };
  wire::HealthCheckResponse health;
  auto theirs = internal::MakeAutoMtlsChannelCredentials(*stranger, *peer);
  ASSERT_TRUE(theirs.ok()) << theirs.status();
  EXPECT_EQ(CallCheck(*connect(*theirs), "plugin", health).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(
      CallCheck(*connect(grpc::InsecureChannelCredentials()), "plugin", health)
          .error_code(),
      grpc::StatusCode::UNAVAILABLE);
  auto right = internal::MakeAutoMtlsChannelCredentials(*ours, *peer);
  ASSERT_TRUE(right.ok()) << right.status();
  auto channel = connect(*right);
  EXPECT_EQ(Get(*Kv(channel), "version"), "2");
  EXPECT_TRUE(CallShutdown(*channel).ok());
  EXPECT_EQ(plugin.Wait(), 0);
}

TEST_F(ServeTest, SigtermEndsItAndSigintDoesNot) {
  Start();
  plugin_->Signal(SIGINT);
  EXPECT_EQ(Get(*kv_, "version"), "2");
  plugin_->Signal(SIGTERM);
  EXPECT_EQ(plugin_->Wait(), 0);
  EXPECT_FALSE(Exists(line_[3]));
}

TEST_F(ServeTest, SendsPrintsOverGrpcAndNotOverStdout) {
  Start({{"PROBE_NOISE", "1"}});
  auto stdio = CallStreamStdio(*channel_);
  ASSERT_TRUE(Put(*kv_, "print", "hello\n").ok());
  EXPECT_EQ(ReadStdout(*stdio, 13), "noise, hello\n");
  ShutDown();
  EXPECT_EQ(plugin_->rest_of_stdout(), "");
}

TEST_F(ServeTest, SendsTheLastWordsBeforeItAnswersShutdown) {
  Start();
  auto stdio = CallStreamStdio(*channel_);
  ASSERT_TRUE(Put(*kv_, "print", "first\n").ok());
  ASSERT_EQ(ReadStdout(*stdio, 6), "first\n");
  ASSERT_TRUE(Put(*kv_, "print", "last words").ok());
  // As a host does: it reads while it asks for the end.
  std::string text;
  grpc::Status end;
  std::thread reader([&] {
    text = ReadStdout(*stdio, 1000);
    end = stdio->reader->Finish();
  });
  ShutDown();
  reader.join();
  EXPECT_EQ(text, "last words");
  EXPECT_TRUE(end.ok()) << end.error_code() << " " << end.error_message();
}

TEST_F(ServeTest, AFloodThatNobodyReadsBlocksNothing) {
  Start();
  const std::string flood(3 << 20, 'x');
  ASSERT_TRUE(Put(*kv_, "print", flood + "end\n").ok());
  ASSERT_TRUE(Put(*kv_, "print", flood + "end\n").ok());
  auto stdio = CallStreamStdio(*channel_);
  std::string text;
  std::thread reader([&] { text = ReadStdout(*stdio, 10 << 20); });
  ShutDown();
  reader.join();
  EXPECT_THAT(text, AllOf(StartsWith("[goplugin: "),
                          HasSubstr(" bytes of stdout dropped")));
  EXPECT_EQ(text.substr(text.size() - 4), "end\n");
  EXPECT_LT(text.size(), flood.size());
}

// shutdown_grace is for calls under way, and not for output: that has had its
// stdout_flush_timeout before the answer, since when the host counts the time.
TEST_F(ServeTest, EndsBesideAHostThatDoesNotReadItsOutput) {
  constexpr auto kFlush = std::chrono::seconds(4);
  Start({{"PROBE_PATIENT", "1"}, {"PROBE_FLUSH", "4"}});
  auto stdio = CallStreamStdio(*channel_);
  ASSERT_TRUE(Put(*kv_, "print", "first\n").ok());
  ASSERT_EQ(ReadStdout(*stdio, 6), "first\n");
  // More than gRPC takes for it.
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Put(*kv_, "print", std::string(3 << 20, 'x')).ok());
  }
  EXPECT_TRUE(CallShutdown(*channel_).ok());
  const auto answered = std::chrono::steady_clock::now();
  EXPECT_EQ(plugin_->Wait(), 0) << plugin_->stderr_text();
  EXPECT_TRUE(std::chrono::steady_clock::now() - answered < kFlush);
}

TEST_F(ServeTest, TakesMessagesOverFourMegabytes) {
  Start();
  EXPECT_TRUE(Put(*kv_, "big", std::string(8 << 20, 'x')).ok());
  ShutDown();
}

TEST_F(ServeTest, CancelsCallsThatOutlastTheGrace) {
  Start();
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key("hold");
  proto::Empty response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto hold = kv_->AsyncPut(&context, request, &queue);
  hold->Finish(&response, &status, nullptr);
  // On the same connection, so the plugin has seen both.
  EXPECT_EQ(Get(*kv_, "version"), "2");
  ShutDown();
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
}

TEST_F(ServeTest, ExitsThoughAMethodNeverReturns) {
  Start();
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key("spin");
  proto::Empty response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto spin = kv_->AsyncPut(&context, request, &queue);
  spin->Finish(&response, &status, nullptr);
  EXPECT_EQ(Get(*kv_, "version"), "2");
  ShutDown();
  EXPECT_THAT(plugin_->stderr_text(), HasSubstr("[WARN] a service method"));
  EXPECT_FALSE(Exists(line_[3]));
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
}

TEST_F(ServeTest, ServesOncePerProcess) {
  Start();
  EXPECT_EQ(Get(*kv_, "twice"), "1");
  EXPECT_EQ(Get(*kv_, "version"), "2");
  ShutDown();
  EXPECT_THAT(plugin_->stderr_text(), HasSubstr("Serve runs already"));
}

// What a plugin prints by std::cout comes when it is printed, and in one order
// with C's.
TEST_F(ServeTest, SendsPrintsOfUnsyncedStreamsAsWell) {
  Start({{"PROBE_UNSYNCED", "1"}, {"PROBE_NOISE", "1"}});
  auto stdio = CallStreamStdio(*channel_);
  ASSERT_TRUE(Put(*kv_, "cout", "one\ntwo").ok());
  EXPECT_EQ(ReadStdout(*stdio, 21), "noise, unsynced, one\n");
  ASSERT_TRUE(Put(*kv_, "print", ", three").ok());
  ASSERT_TRUE(Put(*kv_, "cout", "\nlast words").ok());
  EXPECT_EQ(ReadStdout(*stdio, 11), "two, three\n");
  std::string text;
  std::thread reader([&] { text = ReadStdout(*stdio, 1000); });
  ShutDown();
  reader.join();
  EXPECT_EQ(text, "last words");
  EXPECT_EQ(plugin_->rest_of_stdout(), "");
}

TEST_F(ServeTest, LogsOfUnsyncedStreamsAreNotLate) {
  Start({{"PROBE_UNSYNCED", "1"}});
  ASSERT_TRUE(Put(*kv_, "log", "said").ok());
  // Its own end is not what brings them.
  plugin_->Signal(SIGKILL);
  EXPECT_EQ(plugin_->Wait(), 128 + SIGKILL);
  // It could not clean up.
  std::filesystem::remove_all(directory_);
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  EXPECT_THAT(plugin_->stderr_text(), HasSubstr("said\nsaid\nsaid\n"));
}

// As a plugin that was left running: its host's ends of the pipes are closed.
TEST_F(ServeTest, LivesOnWhenNobodyReadsItsOutputsAnyMore) {
  Start();
  EXPECT_EQ(Get(*kv_, "sigpipe"), "handled");
  plugin_->CloseOutputs();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Put(*kv_, "log", "nobody reads this").ok());
    EXPECT_TRUE(Put(*kv_, "print", "nor this\n").ok());
    EXPECT_TRUE(Put(*kv_, "cout", "nor that\n").ok());
  }
  EXPECT_EQ(Get(*kv_, "version"), "2");
  ShutDown();
}

// Nobody has read the line either: an error, not a death.
TEST_F(ServeTest, AHostThatIsGoneBeforeTheLineIsAnError) {
  PluginProcess plugin(Program(), With());
  plugin.CloseOutputs();
  EXPECT_EQ(plugin.Wait(), 1);
}

// A plugin's own children would inherit it.
TEST_F(ServeTest, AnIgnoredSigpipeStaysIgnored) {
  Start({{"PROBE_SIGPIPE", "ignored"}});
  EXPECT_EQ(Get(*kv_, "sigpipe"), "ignored");
  ShutDown();
}

}  // namespace
}  // namespace goplugin
