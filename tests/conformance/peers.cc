#include "tests/conformance/peers.h"

#include <grpcpp/client_context.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "examples/proto/kv.grpc.pb.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

// "" when all are there, else what is missing.
std::string Missing(const std::vector<std::string>& programs) {
  const std::string out = Environment("GOPLUGIN_PEERS");
  if (out.empty()) {
    return "GOPLUGIN_PEERS is not set: build the peers with "
           "tests/conformance/peers.sh and set it to their directory";
  }
  for (const std::string& program : programs) {
    const std::string path = absl::StrCat(out, "/bin/", program);
    if (access(path.c_str(), X_OK) != 0) {
      return absl::StrCat("the peer ", path,
                          " is missing: run tests/conformance/peers.sh");
    }
  }
  return "";
}

}  // namespace

PeersTest::PeersTest(std::vector<std::string> needed)
    : needed_(std::move(needed)) {}

void PeersTest::SetUp() {
  HarnessTest::SetUp();
  std::filesystem::create_directory(data());
  const std::string missing = Missing(needed_);
  if (missing.empty()) return;
  if (Environment("GOPLUGIN_REQUIRE_PEERS") == "1") FAIL() << missing;
  GTEST_SKIP() << missing;
}

std::string PeersTest::PeerPath(const std::string& name) const {
  return PeerFile(absl::StrCat("bin/", name));
}

std::string PeersTest::PeerFile(const std::string& path) const {
  return absl::StrCat(Environment("GOPLUGIN_PEERS"), "/", path);
}

Command PeersTest::Peer(const std::string& name,
                        std::vector<std::string> args) const {
  Command command{PeerPath(name)};
  command.args = std::move(args);
  command.working_directory = data();
  return command;
}

ClientOptions KvOptionsWith(TlsMode mode) {
  ClientOptions options = KvOptions();
  options.tls.mode = mode;
  return options;
}

grpc::Status GetStatus(const Client& client, const std::string& key,
                       std::string* value) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  grpc::Status status =
      client.NewStub<proto::KV>()->Get(&context, request, &response);
  if (value != nullptr) *value = response.value();
  return status;
}

void ExpectFullWalk(Client& client, const std::string& mark) {
  EXPECT_EQ(Put(client, "key", "value"), "");
  const std::string got = Get(client, "key");
  EXPECT_EQ(got.rfind("value", 0), 0u) << got;
  EXPECT_NE(got.find(mark), std::string::npos) << got;
  const absl::Status ping = client.Ping();
  EXPECT_TRUE(ping.ok()) << ping;
  const absl::Status bye = client.Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  ASSERT_TRUE(client.exit_status().has_value());
  EXPECT_TRUE(client.exit_status()->success())
      << client.exit_status()->ToString();
}

}  // namespace goplugin::testing
