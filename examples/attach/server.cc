// A plugin that no host starts: a plain gRPC server, until SIGTERM or SIGINT.
//   server ADDRESS [--tls CERTS]
// ADDRESS is unix:PATH, or HOST:PORT, where port 0 takes a free one. CERTS is a
// directory with ca.pem, plugin.pem and plugin.key. Prints the port (0 for
// unix) once it serves. Exit codes: 0 ended, 1 failed, 2 wrong usage.

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "examples/attach/read_file.h"
#include "examples/proto/kv.grpc.pb.h"

namespace {

// Keeps what it is given as long as it runs.
class KvService final : public proto::KV::Service {
 public:
  grpc::Status Put(grpc::ServerContext*, const proto::PutRequest* request,
                   proto::Empty*) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    values_[request->key()] = request->value();
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = values_.find(request->key());
    if (found == values_.end()) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such key");
    }
    response->set_value(found->second);
    return grpc::Status::OK;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

std::shared_ptr<grpc::ServerCredentials> Credentials(
    const std::string& certificates) {
  if (certificates.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(certificates + "/ca.pem");
  options.pem_key_cert_pairs = {{ReadFile(certificates + "/plugin.key"),
                                 ReadFile(certificates + "/plugin.pem")}};
  return grpc::SslServerCredentials(options);
}

int Run(const std::string& address, const std::string& certificates) {
  // Before gRPC's threads exist, so that the signals wait for sigwait.
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigaddset(&end, SIGINT);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);

  // A host asks for the health of "plugin", and takes any answer for a sign of
  // life.
  grpc::EnableDefaultHealthCheckService(true);
  KvService kv;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, Credentials(certificates), &port);
  builder.RegisterService(&kv);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  server->GetHealthCheckService()->SetServingStatus("plugin", true);
  std::printf("%d\n", address.rfind("unix:", 0) == 0 ? 0 : port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&end, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool tls = argc == 4 && std::strcmp(argv[2], "--tls") == 0;
  if (argc != 2 && !tls) {
    std::fprintf(stderr, "usage: server ADDRESS [--tls CERTS]\n");
    return 2;
  }
  return Run(argv[1], tls ? argv[3] : "");
}
