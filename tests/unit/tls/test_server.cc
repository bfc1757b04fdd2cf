#include "tests/unit/tls/test_server.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/tls/certificate.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace goplugin::internal {

SocketDirectory::SocketDirectory() {
  char pattern[] = "/tmp/gptlsXXXXXX";
  if (mkdtemp(pattern) == nullptr) std::abort();
  path_ = pattern;
}

SocketDirectory::~SocketDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TestServer::TestServer(std::shared_ptr<grpc::ServerCredentials> credentials) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + directory_.Path("s"),
                           std::move(credentials));
  builder.RegisterCallbackGenericService(&service_);
  server_ = builder.BuildAndStart();
}

TestServer::~TestServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(absl::ToChronoTime(absl::Now()));
  server_->Wait();
}

Endpoint TestServer::endpoint() const {
  return Endpoint{Endpoint::Network::kUnix, directory_.Path("s")};
}

grpc::Status TestServer::Call(
    std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return CallOver(endpoint(), std::move(credentials));
}

grpc::Status CallOver(const Endpoint& endpoint,
                      std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, kServerName);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(grpc::CreateCustomChannel("unix:" + endpoint.address,
                                                   credentials, arguments));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  const grpc::Slice slice("request");
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/test.Echo/Echo", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, call.get());
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return status;
}

}  // namespace goplugin::internal
