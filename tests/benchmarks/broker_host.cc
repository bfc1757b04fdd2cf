// A C++ host that measures brokered connections to and from a plugin that acts
// as tests/conformance/go/cmd/broker does, for comparison with that program as
// a host. Not part of cpp_host: both services' protos have the package "proto".
//
//   broker_host [-automtls] [-mux] [-back] [-shared] [-measure N] PLUGIN
//   broker_host [-automtls] [-mux] -each|-undialled [-pause MS] [-measure N]
//       PLUGIN
//   broker_host [-automtls] [-mux] -beside [-measure N] PLUGIN
//
// -back: only the connections from the plugin, which may then be the one of
// examples/bidirectional. -shared: what the plugin dials is one server for all
// ids, not one for each. Prints one JSON line: dial_us and dial_back_us, a list
// of each.
//
// -each: N times the plugin is asked for an id, which is dialled at once, or
// after a pause: ask_us, dial_us (to the first reply), and the host's processor
// time for each, cpu_us. -undialled: without the dials.
//
// -beside: N small calls on a brokered connection alone, and as many while the
// main connection moves data both ways as fast as it goes: alone_us, beside_us
// and the bulk's bytes per second.

#include <grpcpp/client_context.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "examples/bidirectional/counter.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"

namespace {

struct Flags {
  bool auto_mtls = false;
  bool shared = false;
  bool multiplex = false;
  bool beside = false;
  bool each = false;
  bool back = false;
  bool undialled = false;
  int pause_ms = 0;
  int count = 100;
  std::string plugin;
};

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "broker_host: %s\n",
               std::string(status.message()).c_str());
  std::exit(1);
}

void Must(const grpc::Status& status) {
  if (!status.ok()) Must(absl::InternalError(status.error_message()));
}

class Adder final : public proto::AddHelper::Service {
 public:
  grpc::Status Sum(grpc::ServerContext*, const proto::SumRequest* request,
                   proto::SumResponse* response) override {
    response->set_r(request->a() + request->b());
    return grpc::Status::OK;
  }
};

// The first of the ids on which the plugin accepts from now on.
std::uint32_t AskToAccept(proto::Counter::Stub& counter, int count) {
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key(absl::StrCat("accept:", count));
  proto::GetResponse response;
  Must(counter.Get(&context, request, &response));
  return static_cast<std::uint32_t>(response.value());
}

void DialAndCall(goplugin::Broker& broker, std::uint32_t id) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = broker.Dial(id);
  Must(channel.status());
  grpc::ClientContext context;
  proto::SumRequest request;
  request.set_a(1);
  request.set_b(1);
  proto::SumResponse response;
  Must(proto::AddHelper::NewStub(*channel)->Sum(&context, request, &response));
}

// The plugin dials `id` and calls.
void AskToDial(proto::Counter::Stub& counter, std::uint32_t id) {
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_add_server(id);
  request.set_key("x");
  request.set_value(1);
  proto::Empty response;
  Must(counter.Put(&context, request, &response));
}

double Microseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

template <typename Call>
std::string Timed(int count, const Call& call) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    call();
    times.push_back(Microseconds(Clock::now() - begin));
  }
  return absl::StrCat("[", absl::StrJoin(times, ","), "]");
}

void Measure(const Flags& flags, goplugin::Client& client) {
  const auto counter = client.NewStub<proto::Counter>();
  goplugin::Broker& broker = client.broker();
  std::string dial = "[]";
  if (!flags.back) {
    std::uint32_t next = AskToAccept(*counter, flags.count);
    dial = Timed(flags.count, [&] { DialAndCall(broker, next++); });
  }

  Adder adder;
  std::unique_ptr<goplugin::BrokerServer> server;
  const std::string dial_back = Timed(flags.count, [&] {
    const std::uint32_t id = broker.NextId();
    if (server != nullptr) {
      Must(server->Announce(id));
    } else {
      auto accepted = broker.AcceptAndServe(id, {&adder});
      Must(accepted.status());
      server = *std::move(accepted);
    }
    AskToDial(*counter, id);
    if (!flags.shared) server.reset();
  });
  std::printf("{\"dial_us\":%s,\"dial_back_us\":%s}\n", dial.c_str(),
              dial_back.c_str());
}

double ProcessorTime() {
  return static_cast<double>(std::clock()) * 1e6 / CLOCKS_PER_SEC;
}

void MeasureEach(const Flags& flags, goplugin::Client& client) {
  const auto counter = client.NewStub<proto::Counter>();
  std::vector<double> asks;
  std::vector<double> dials;
  const double cpu = ProcessorTime();
  for (int i = 0; i < flags.count; ++i) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    const std::uint32_t id = AskToAccept(*counter, /*count=*/1);
    asks.push_back(Microseconds(Clock::now() - begin));
    if (flags.pause_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(flags.pause_ms));
    }
    const Clock::time_point dial = Clock::now();
    if (!flags.undialled) DialAndCall(client.broker(), id);
    dials.push_back(Microseconds(Clock::now() - dial));
  }
  std::printf("{\"ask_us\":[%s],\"dial_us\":[%s],\"cpu_us\":%.1f}\n",
              absl::StrJoin(asks, ",").c_str(),
              absl::StrJoin(dials, ",").c_str(),
              (ProcessorTime() - cpu) / flags.count);
}

// Moves data over the main connection in messages of 1 MiB until it is
// destroyed, each way in a thread of its own. The plugin's KV service is called
// without generated code: its protos' names are taken here.
class Bulk {
 public:
  explicit Bulk(goplugin::Client& client) {
    // PutRequest{key, value}; GetRequest{key}, a number of bytes.
    const std::string value(kMessage, 'v');
    const std::string put =
        absl::StrCat("\x0a\x01k\x12", "\x80\x80\x40", value);
    const std::string number = absl::StrCat(kMessage);
    const std::string get = absl::StrCat(
        "\x0a", std::string(1, static_cast<char>(number.size())), number);
    threads_.emplace_back([this, put, &client] { Run(client, "Put", put); });
    threads_.emplace_back([this, get, &client] { Run(client, "Get", get); });
  }
  ~Bulk() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  std::int64_t bytes() const { return messages_ * kMessage; }

 private:
  static constexpr std::int64_t kMessage = 1 << 20;

  void Run(goplugin::Client& client, const char* method,
           const std::string& request) {
    using grpc::internal::RpcMethod;
    const std::string path = absl::StrCat("/proto.KV/", method);
    const grpc::Slice slice(request);
    const grpc::ByteBuffer message(&slice, 1);
    while (!over_) {
      grpc::ClientContext context;
      grpc::ByteBuffer answer;
      Must(
          grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
              client.channel().get(),
              RpcMethod(path.c_str(), RpcMethod::NORMAL_RPC), &context, message,
              &answer));
      ++messages_;
    }
  }

  std::atomic<bool> over_{false};
  std::atomic<std::int64_t> messages_{0};
  std::vector<std::thread> threads_;
};

void MeasureBeside(const Flags& flags, goplugin::Client& client) {
  const std::uint32_t id =
      AskToAccept(*client.NewStub<proto::Counter>(), /*count=*/1);
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      client.broker().Dial(id);
  Must(channel.status());
  const auto adder = proto::AddHelper::NewStub(*channel);
  const auto call = [&adder] {
    grpc::ClientContext context;
    proto::SumResponse response;
    Must(adder->Sum(&context, proto::SumRequest(), &response));
  };
  Timed(flags.count / 10, call);  // warms up
  const std::string alone = Timed(flags.count, call);
  using Clock = std::chrono::steady_clock;
  const Bulk bulk(client);
  const Clock::time_point begin = Clock::now();
  const std::string beside = Timed(flags.count, call);
  const std::chrono::duration<double> wall = Clock::now() - begin;
  std::printf("{\"alone_us\":%s,\"beside_us\":%s,\"bulk_per_second\":%.0f}\n",
              alone.c_str(), beside.c_str(),
              static_cast<double>(bulk.bytes()) / wall.count());
}

bool Parse(int argc, char** argv, Flags* flags) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string name = argv[i];
    if (name == "-automtls") {
      flags->auto_mtls = true;
    } else if (name == "-shared") {
      flags->shared = true;
    } else if (name == "-mux") {
      flags->multiplex = true;
    } else if (name == "-beside") {
      flags->beside = true;
    } else if (name == "-back") {
      flags->back = true;
    } else if (name == "-each") {
      flags->each = true;
    } else if (name == "-undialled") {
      flags->each = flags->undialled = true;
    } else if (name == "-pause") {
      if (++i == argc || !absl::SimpleAtoi(argv[i], &flags->pause_ms)) {
        return false;
      }
    } else if (name != "-measure" || ++i == argc ||
               !absl::SimpleAtoi(argv[i], &flags->count)) {
      return false;
    }
  }
  if (i + 1 != argc) return false;
  flags->plugin = argv[i];
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, &flags)) {
    std::fputs(
        "usage: broker_host [-automtls] [-mux] [-back] [-shared] [-each | "
        "-undialled | -beside] [-pause MS] [-measure N] PLUGIN\n",
        stderr);
    return 64;
  }
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  options.tls.mode = flags.auto_mtls ? goplugin::TlsMode::kAutoMtls
                                     : goplugin::TlsMode::kInsecure;
  if (flags.multiplex) options.multiplex = goplugin::Multiplex::kRequire;
  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(goplugin::Command{flags.plugin}, options);
  Must(client.status());
  if (flags.each) {
    MeasureEach(flags, **client);
  } else if (flags.beside) {
    MeasureBeside(flags, **client);
  } else {
    Measure(flags, **client);
  }
  return 0;
}
