// The smallest host: one call to a plugin, through nothing but public headers.
//
//   consumer PLUGIN

#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "kv.grpc.pb.h"

namespace {

bool PutAndGet(proto::KV::Stub& kv) {
  proto::PutRequest put;
  put.set_key("greeting");
  put.set_value("hello from the consumer");
  proto::Empty empty;
  grpc::ClientContext put_context;
  grpc::Status status = kv.Put(&put_context, put, &empty);
  if (!status.ok()) {
    std::cerr << "Put: " << status.error_message() << "\n";
    return false;
  }

  proto::GetRequest get;
  get.set_key("greeting");
  proto::GetResponse response;
  grpc::ClientContext get_context;
  status = kv.Get(&get_context, get, &response);
  if (!status.ok()) {
    std::cerr << "Get: " << status.error_message() << "\n";
    return false;
  }
  std::cout << response.value() << "\n";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: consumer PLUGIN\n";
    return 2;
  }

  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};

  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(goplugin::Command{argv[1]}, options);
  if (!client.ok()) {
    std::cerr << goplugin::ToString(client.status()) << "\n";
    return 1;
  }

  std::unique_ptr<proto::KV::Stub> kv = (*client)->NewStub<proto::KV>();
  const bool answered = PutAndGet(*kv);

  const absl::Status bye = (*client)->Shutdown();
  if (!bye.ok()) std::cerr << goplugin::ToString(bye) << "\n";
  return answered && bye.ok() ? 0 : 1;
}
