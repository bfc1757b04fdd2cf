// A plugin that serves the KV example, and misbehaves as its flags say. Raw
// gRPC, nothing of the SDK: what the SDK takes for granted on both sides must
// not hide here. README.md has the flags as a table.

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/plugins/lifetime.h"
#include "tests/plugins/output.h"
#include "tests/plugins/server_connections.h"
#include "tests/plugins/server_flags.h"
#include "tests/plugins/server_kv.h"
#include "tests/plugins/server_mischief.h"
#include "tests/plugins/server_services.h"
#include "tests/plugins/server_tls.h"

namespace server_plugin {
namespace {

void CheckCookie(const Flags& flags) {
  const char* cookie = getenv("BASIC_PLUGIN");
  if (cookie != nullptr && flags.Get("cookie", "hello") == cookie) return;
  fprintf(stderr,
          "This binary is a plugin. Please start the program that uses it "
          "instead.\n");
  exit(1);
}

std::vector<int> Numbers(const std::string& list) {
  std::vector<int> numbers;
  for (absl::string_view text : absl::StrSplit(list, ',')) {
    int number = 0;
    if (absl::SimpleAtoi(text, &number)) numbers.push_back(number);
  }
  return numbers;
}

// As go-plugin: the highest common version, or the lowest of ours.
int Negotiate(const Flags& flags) {
  std::vector<int> ours = Numbers(flags.Get("versions", "1"));
  const char* offered = getenv("PLUGIN_PROTOCOL_VERSIONS");
  int best = -1;
  int lowest = ours.front();
  for (int our : ours) {
    for (int their : Numbers(offered == nullptr ? "" : offered)) {
      if (our == their && our > best) best = our;
    }
    if (our < lowest) lowest = our;
  }
  return flags.Number("app", best >= 0 ? best : lowest);
}

// Where to serve: gRPC's word for it, and the line's.
struct Address {
  std::string network;
  std::string target;   // for gRPC
  std::string address;  // for the line; a tcp port is filled in later
};

Address ChooseAddress(const Flags& flags) {
  const std::string kind = flags.Get("network", "unix");
  if (kind == "tcp") return {"tcp", "127.0.0.1:0", "127.0.0.1:"};
  if (kind == "tcp6") return {"tcp", "[::1]:0", "[::1]:"};
  if (kind == "abstract") {
    const std::string name = absl::StrCat("server_plugin.", getpid());
    return {"unix", "unix-abstract:" + name, "@" + name};
  }
  std::string path =
      absl::StrCat(output::SocketDirectory(!flags.Has("ignore-socket-dir")),
                   "/", flags.Get("socket-name", absl::StrCat("sp", getpid())));
  return {"unix", "unix:" + path, path};
}

std::string PortOf(const Address& address) {
  return address.address.substr(address.address.rfind(':') + 1);
}

std::string Line(const Flags& flags, int version, const Address& address,
                 const std::string& certificate) {
  std::string format = flags.Get(
      "line", getenv("PLUGIN_MULTIPLEX_GRPC") == nullptr
                  ? "{core}|{app}|{network}|{address}|grpc|{cert}\\n"
                  : "{core}|{app}|{network}|{address}|grpc|{cert}|false\\n");
  return absl::StrReplaceAll(output::Unescape(format),
                             {{"{core}", flags.Get("core", "1")},
                              {"{app}", absl::StrCat(version)},
                              {"{network}", address.network},
                              {"{address}", address.address},
                              {"{name}", address.address.substr(1)},
                              {"{port}", PortOf(address)},
                              {"{cert}", certificate}});
}

void SayLine(const Flags& flags, const std::string& line) {
  if (!flags.Has("slow-line")) return output::Say(output::kStdout, line);
  for (char byte : line) {
    output::Say(output::kStdout, std::string(1, byte));
    absl::SleepFor(flags.Time("slow-line"));
  }
}

// Serves from its construction until the end of the process.
struct Serving {
  PluginServices services;
  KvService kv;
  std::unique_ptr<grpc::Server> server;
  int port = 0;

  Serving(const Flags& flags, int version)
      : services(flags), kv(flags, version, &services) {}

  void Start(const Flags& flags, const ServerTls& tls,
             const std::string& target) {
    grpc::ServerBuilder builder;
    // Else two plugins can bind the same port.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    if (flags.Has("max-connection-age")) {
      builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                 static_cast<int>(absl::ToInt64Milliseconds(
                                     flags.Time("max-connection-age"))));
      builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 100);
    }
    // gRPC does not tell of the end of a connection: those are accepted here.
    const bool own = flags.Has("ends-with-connection");
    if (!own) builder.AddListeningPort(target, tls.credentials, &port);
    if (!flags.Has("default-message-limits")) {
      builder.SetMaxReceiveMessageSize(-1);
    }
    builder.RegisterService(&kv);
    builder.RegisterCallbackGenericService(&services);
    server = builder.BuildAndStart();
    if (own && server != nullptr) return EndWithConnections(*server, target);
    if (server != nullptr && port != 0) return;
    fprintf(stderr, "server_plugin: can't serve on %s\n", target.c_str());
    _exit(70);
  }
};

int Run(const Flags& flags) {
  CheckCookie(flags);
  LimitLifetime(flags.Number("lifetime", 120));
  BeforeServer(flags);

  const int version = Negotiate(flags);
  const ServerTls tls = MakeServerTls(flags);
  Address address = ChooseAddress(flags);
  Serving serving(flags, version);
  const bool late = flags.Has("delay-server");
  if (!late) serving.Start(flags, tls, address.target);
  if (address.network == "tcp") absl::StrAppend(&address.address, serving.port);
  SayLine(flags, Line(flags, version, address, tls.field));
  if (late) {
    absl::SleepFor(flags.Time("delay-server"));
    serving.Start(flags, tls, address.target);
  }
  AfterLine(flags);

  serving.services.WaitForShutdown();
  absl::SleepFor(flags.Time("slow-exit"));
  // Streams that the host keeps open are cut.
  serving.server->Shutdown(
      absl::ToChronoTime(absl::Now() + absl::Milliseconds(100)));
  if (address.network == "unix") unlink(address.address.c_str());
  // Not exit(): floods may be running.
  _exit(flags.Number("exit-code", 0));
}

}  // namespace
}  // namespace server_plugin

int main(int argc, char** argv) {
  return server_plugin::Run(server_plugin::Flags(argc, argv));
}
