#include "tests/benchmarks/session.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace goplugin::benchmarks {
namespace {

constexpr std::chrono::seconds kCallTimeout(30);

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "cpp_host: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace

absl::Duration Clock() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

void Must(const absl::Status& status) {
  if (!status.ok()) Die(status.ToString());
}

void Must(const grpc::Status& status) {
  if (status.ok()) return;
  Die(absl::StrCat("a call failed with ", status.error_code(), ": ",
                   status.error_message()));
}

ClientOptions OptionsOf(const Flags& flags) {
  ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  options.tls.mode = flags.auto_mtls ? TlsMode::kAutoMtls : TlsMode::kInsecure;
  if (flags.multiplex) options.multiplex = Multiplex::kRequire;
  for (const auto& argument : flags.arguments) {
    options.channel_arguments.SetInt(argument.first, argument.second);
  }
  return options;
}

Command CommandOf(const Flags& flags) {
  Command command{flags.command.front()};
  command.args.assign(flags.command.begin() + 1, flags.command.end());
  command.working_directory = flags.directory;
  return command;
}

void Kv::Put(const std::string& key, const std::string& value) const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  proto::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  proto::Empty response;
  Must(stub_->Put(&context, request, &response));
}

std::string Kv::Get(const std::string& key) const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  Must(stub_->Get(&context, request, &response));
  return std::move(*response.mutable_value());
}

Session Launch(const Flags& flags) { return Launch(flags, OptionsOf(flags)); }

Session Launch(const Flags& flags, const ClientOptions& options) {
  Session session;
  const absl::Duration begin = Clock();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(CommandOf(flags), options);
  Must(client.status());
  session.client = *std::move(client);
  session.kv = std::make_unique<Kv>(session.client->NewStub<proto::KV>());
  session.kv->Put("bench", "first");
  session.reply = Clock() - begin;
  return session;
}

std::shared_ptr<grpc::Channel> RawChannel(const std::string& socket,
                                          const Flags& flags) {
  grpc::ChannelArguments arguments;
  // The most a caller has to set: Go refuses a socket's path as the authority,
  // and messages have a limit.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetMaxReceiveMessageSize(-1);
  for (const auto& argument : flags.arguments) {
    arguments.SetInt(argument.first, argument.second);
  }
  return grpc::CreateCustomChannel(absl::StrCat("unix:", socket),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace goplugin::benchmarks
