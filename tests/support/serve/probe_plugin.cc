// A plugin for the tests of Serve. Its KV service does what the key of a Put
// says; the environment says how it serves.
//
//   PROBE_NETWORK=tcp    listens on tcp
//   PROBE_NOISE=1        prints before Serve, without flushing
//   PROBE_UNSYNCED=1     std::ios::sync_with_stdio(false), before that
//   PROBE_OUTLIVES=1     outlives its host
//   PROBE_PATIENT=1      has no end to its shutdown_grace
//   PROBE_FLUSH=SECONDS  its stdout_flush_timeout
//   PROBE_TLS=DIRECTORY  credentials of its own: cert.pem, key.pem, and roots
//                        for the host's certificate, which it asks for
//   PROBE_RECEIVE=BYTES  by configure_server: the longest message it takes
//   PROBE_AGAIN=1        serves once more when the host has asked for the end
//   PROBE_SIGPIPE=ignored  SIGPIPE is ignored from the start
//   Put "print" VALUE    prints VALUE
//   Put "cout" VALUE     prints VALUE by std::cout, without flushing
//   Put "log" VALUE      logs VALUE by a Logger, and prints it to stderr, by
//                        std::cerr and std::clog as well
//   Put "spin"           never returns
//   Put "hold"           returns when its call is cancelled
//   Put "length:N" VALUE an error unless VALUE has N bytes
//   Get "zeros:N"        N bytes of zeros
//   Get "version"        the protocol version whose services are served
//   Get "sigpipe"        what becomes of SIGPIPE: default, ignored, handled
//   Get "twice"          calls Serve once more and answers its result

#include <grpcpp/security/server_credentials.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/logger.h"
#include "goplugin/server.h"

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ServerCredentials> OwnCredentials(
    const std::string& directory) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(directory + "/roots.pem");
  options.pem_key_cert_pairs = {
      {ReadFile(directory + "/key.pem"), ReadFile(directory + "/cert.pem")}};
  return grpc::SslServerCredentials(options);
}

goplugin::ServeOptions Options() {
  goplugin::ServeOptions options;
  options.magic_cookie_key = "PROBE_COOKIE";
  options.magic_cookie_value = "probe";
  options.shutdown_grace = absl::Milliseconds(200);
  const char* network = std::getenv("PROBE_NETWORK");
  if (network != nullptr && std::string(network) == "tcp") {
    options.networks = {goplugin::Endpoint::Network::kTcp};
  }
  if (std::getenv("PROBE_PATIENT") != nullptr) {
    options.shutdown_grace = absl::InfiniteDuration();
  }
  const char* flush = std::getenv("PROBE_FLUSH");
  if (flush != nullptr) {
    options.stdout_flush_timeout = absl::Seconds(std::atoi(flush));
  }
  options.outlives_host = std::getenv("PROBE_OUTLIVES") != nullptr;
  const char* tls = std::getenv("PROBE_TLS");
  if (tls != nullptr) options.credentials = OwnCredentials(tls);
  const char* receive = std::getenv("PROBE_RECEIVE");
  if (receive != nullptr) {
    options.configure_server = [receive](grpc::ServerBuilder& builder) {
      builder.SetMaxReceiveMessageSize(std::atoi(receive));
    };
  }
  return options;
}

// The N of a key "NAME:N"; -1 for other keys.
long long NumberOf(const std::string& key, const std::string& name) {
  if (key.rfind(name + ":", 0) != 0) return -1;
  return std::atoll(key.c_str() + name.size() + 1);
}

const char* SigpipeDisposition() {
  struct sigaction action = {};
  sigaction(SIGPIPE, nullptr, &action);
  if (action.sa_handler == SIG_DFL) return "default";
  return action.sa_handler == SIG_IGN ? "ignored" : "handled";
}

class ProbeService final : public proto::KV::Service {
 public:
  explicit ProbeService(std::string version) : version_(std::move(version)) {}

  grpc::Status Put(grpc::ServerContext* context,
                   const proto::PutRequest* request, proto::Empty*) override {
    if (request->key() == "print") {
      std::fwrite(request->value().data(), 1, request->value().size(), stdout);
    } else if (request->key() == "cout") {
      std::cout << request->value();
    } else if (request->key() == "log") {
      goplugin::Logger().Info(request->value());
      std::fprintf(stderr, "%s\n", request->value().c_str());
      std::cerr << request->value() << std::endl;
      std::clog << request->value() << "\n";
    } else if (request->key() == "spin") {
      for (;;) pause();
    } else if (request->key() == "hold") {
      while (!context->IsCancelled()) usleep(1000);
    }
    const long long length = NumberOf(request->key(), "length");
    if (length >= 0 &&
        request->value().size() != static_cast<std::size_t>(length)) {
      return grpc::Status(grpc::StatusCode::OUT_OF_RANGE,
                          std::to_string(request->value().size()));
    }
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    const long long zeros = NumberOf(request->key(), "zeros");
    if (zeros >= 0) {
      response->mutable_value()->resize(static_cast<std::size_t>(zeros));
    } else if (request->key() == "version") {
      response->set_value(version_);
    } else if (request->key() == "sigpipe") {
      response->set_value(SigpipeDisposition());
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
  if (std::getenv("PROBE_UNSYNCED") != nullptr) {
    std::ios::sync_with_stdio(false);
    std::cout << "unsynced, ";
  }
  if (std::getenv("PROBE_NOISE") != nullptr) std::printf("noise, ");
  const bool ignores_sigpipe = std::getenv("PROBE_SIGPIPE") != nullptr;
  if (ignores_sigpipe) signal(SIGPIPE, SIG_IGN);
  const std::string sigpipe_before = SigpipeDisposition();
  ProbeService version_2("2");
  ProbeService version_5("5");
  goplugin::ServeOptions options = Options();
  options.services = {{2, {&version_2}}, {5, {&version_5}}};
  int result = goplugin::Serve(options);
  if (result == 0 && std::getenv("PROBE_AGAIN") != nullptr) {
    result = goplugin::Serve(options);
  }
  return SigpipeDisposition() == sigpipe_before ? result : 99;
}
