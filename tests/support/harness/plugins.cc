#include "tests/support/harness/plugins.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"

namespace goplugin::testing {
namespace {

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
}

Command OwnPlugin(const std::string& path, std::vector<std::string> args) {
  Command command{RunfilePath(path)};
  command.args = std::move(args);
  // A plugin that is to die by a signal must do so in sanitized builds too,
  // and not by the report that AddressSanitizer would make of it.
  command.env = {{"ASAN_OPTIONS",
                  "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe="
                  "0:handle_sigill=0:detect_leaks=0"}};
  return command;
}

}  // namespace

std::string RunfilePath(const std::string& path) {
  return absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"), "/",
                      path);
}

void CopyProgram(const std::string& program, const std::string& copy) {
  // Beside one that still runs: that one can't be written to.
  const std::string fresh = absl::StrCat(copy, ".new");
  std::filesystem::copy_file(program, fresh);
  std::filesystem::permissions(fresh, std::filesystem::perms(0755));
  std::filesystem::rename(fresh, copy);
}

std::string Sha256OfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  unsigned char digest[32];
  EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), digest, nullptr,
                       EVP_sha256(), nullptr),
            1);
  return {reinterpret_cast<const char*>(digest), sizeof(digest)};
}

Command Misbehave(std::vector<std::string> args) {
  return OwnPlugin("tests/plugins/misbehave", std::move(args));
}

Command ServerPlugin(std::vector<std::string> args) {
  return OwnPlugin("tests/plugins/server_plugin", std::move(args));
}

std::vector<std::string> ArgumentsOf(const Command& command) {
  std::vector<std::string> arguments = {command.path};
  arguments.insert(arguments.end(), command.args.begin(), command.args.end());
  return arguments;
}

std::vector<std::string> EnvironmentOf(const Command& command,
                                       std::vector<std::string> environment) {
  for (const auto& [name, value] : command.env) {
    environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

ClientOptions KvOptions() {
  ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  options.start_timeout = absl::Seconds(30);
  // A program with AddressSanitizer looks for leaks as it exits, which takes
  // seconds on a busy machine.
  options.shutdown.rpc_timeout = absl::Seconds(20);
  options.shutdown.exit_timeout = absl::Seconds(20);
  return options;
}

std::string Put(const Client& client, const std::string& key,
                const std::string& value) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  proto::Empty response;
  const grpc::Status status =
      client.NewStub<proto::KV>()->Put(&context, request, &response);
  return status.ok() ? "" : status.error_message();
}

std::string Get(const Client& client, const std::string& key) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  const grpc::Status status =
      client.NewStub<proto::KV>()->Get(&context, request, &response);
  return status.ok() ? response.value()
                     : absl::StrCat("error: ", status.error_message());
}

}  // namespace goplugin::testing
