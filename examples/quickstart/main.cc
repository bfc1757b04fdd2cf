// The shortest host there is: starts the plugin argv[1], stores a value in it,
// and ends it. Everything else is in examples/host.

#include <iostream>
#include <memory>

#include "absl/status/statusor.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: quickstart PLUGIN\n";
    return 2;
  }
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  // The plugin's log; without a sink nobody sees it.
  options.log_sink = goplugin::MakeStderrLogSink("plugin: ");

  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(goplugin::Command{argv[1]}, options);
  if (!client.ok()) {
    // Says what happened, what was seen, and what to do about it.
    std::cerr << goplugin::ToString(client.status()) << "\n";
    return 1;
  }

  std::unique_ptr<proto::KV::Stub> kv = (*client)->NewStub<proto::KV>();
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key("hello");
  request.set_value("world");
  proto::Empty response;
  grpc::Status put = kv->Put(&context, request, &response);
  if (!put.ok()) {
    // When the plugin has crashed, Explain knows how.
    std::cerr << goplugin::ToString((*client)->Explain(put)) << "\n";
    return 1;
  }
  std::cout << "stored hello = world\n";
  return (*client)->Shutdown().ok() ? 0 : 1;
}
