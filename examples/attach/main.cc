// A host of a plugin that somebody else runs:
//   attach TARGET [--tls CERTS]
// TARGET is any of gRPC's. CERTS is a directory with ca.pem, host.pem and
// host.key. Exit codes: 0 done, 1 failed, 2 wrong usage.

#include <grpcpp/client_context.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/attach/read_file.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"

namespace {

goplugin::ClientOptions Options(const std::string& certificates) {
  goplugin::ClientOptions options;
  // Nothing is negotiated: this is the version that the plugin speaks.
  options.handshake.protocol_versions = {1};
  options.start_timeout = absl::Seconds(10);
  if (certificates.empty()) {
    options.tls.mode = goplugin::TlsMode::kInsecure;
    return options;
  }
  options.tls.mode = goplugin::TlsMode::kManual;
  options.tls.root_certificates = ReadFile(certificates + "/ca.pem");
  options.tls.certificate_chain = ReadFile(certificates + "/host.pem");
  options.tls.private_key = ReadFile(certificates + "/host.key");
  return options;
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return 1;
}

int Run(const std::string& target, const std::string& certificates) {
  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Attach(target, Options(certificates));
  if (!client.ok()) return Fail(goplugin::ToString(client.status()));

  const std::unique_ptr<proto::KV::Stub> kv = (*client)->NewStub<proto::KV>();
  proto::PutRequest put;
  put.set_key("hello");
  put.set_value("world");
  proto::Empty nothing;
  grpc::ClientContext put_context;
  grpc::Status status = kv->Put(&put_context, put, &nothing);
  proto::GetRequest get;
  get.set_key("hello");
  proto::GetResponse got;
  grpc::ClientContext get_context;
  if (status.ok()) status = kv->Get(&get_context, get, &got);
  if (!status.ok()) return Fail(status.error_message());
  std::printf("hello %s\n", got.value().c_str());

  // Drops the channel. The plugin serves on.
  const absl::Status bye = (*client)->Shutdown();
  return bye.ok() ? 0 : Fail(goplugin::ToString(bye));
}

}  // namespace

int main(int argc, char** argv) {
  const bool tls = argc == 4 && std::strcmp(argv[2], "--tls") == 0;
  if (argc != 2 && !tls) {
    std::fprintf(stderr, "usage: attach TARGET [--tls CERTS]\n");
    return 2;
  }
  return Run(argv[1], tls ? argv[3] : "");
}
