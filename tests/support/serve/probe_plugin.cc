// A plugin for the tests of Serve. Its KV service does what the key of a Put
// says; the environment says how it serves.
//
//   PROBE_NETWORK=tcp    listens on tcp
//   PROBE_NOISE=1        prints before Serve, without flushing
//   Put "print" VALUE    prints VALUE
//   Put "spin"           never returns
//   Put "hold"           returns when its call is cancelled
//   Get "version"        the protocol version whose services are served
//   Get "twice"          calls Serve once more and answers its result

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/server.h"

namespace {

goplugin::ServeOptions Options() {
  goplugin::ServeOptions options;
  options.magic_cookie_key = "PROBE_COOKIE";
  options.magic_cookie_value = "probe";
  options.shutdown_grace = absl::Milliseconds(200);
  const char* network = std::getenv("PROBE_NETWORK");
  if (network != nullptr && std::string(network) == "tcp") {
    options.networks = {goplugin::Endpoint::Network::kTcp};
  }
  return options;
}

class ProbeService final : public proto::KV::Service {
 public:
  explicit ProbeService(std::string version) : version_(std::move(version)) {}

  grpc::Status Put(grpc::ServerContext* context,
                   const proto::PutRequest* request, proto::Empty*) override {
    if (request->key() == "print") {
      std::fwrite(request->value().data(), 1, request->value().size(), stdout);
    } else if (request->key() == "spin") {
      for (;;) pause();
    } else if (request->key() == "hold") {
      while (!context->IsCancelled()) usleep(1000);
    }
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    if (request->key() == "version") {
      response->set_value(version_);
    } else if (request->key() == "twice") {
      goplugin::ServeOptions options = Options();
      options.services = {{1, {this}}};
      response->set_value(std::to_string(goplugin::Serve(options)));
    }
    return grpc::Status::OK;
  }

 private:
  const std::string version_;
};

}  // namespace

int main() {
  if (std::getenv("PROBE_NOISE") != nullptr) std::printf("noise, ");
  ProbeService version_2("2");
  ProbeService version_5("5");
  goplugin::ServeOptions options = Options();
  options.services = {{2, {&version_2}}, {5, {&version_5}}};
  return goplugin::Serve(options);
}
