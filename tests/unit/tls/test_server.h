#ifndef GOPLUGIN_TESTS_UNIT_TLS_TEST_SERVER_H_
#define GOPLUGIN_TESTS_UNIT_TLS_TEST_SERVER_H_

#include <memory>
#include <string>

#include "goplugin/endpoint.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"

namespace goplugin::internal {

// A directory of its own with a short path, removed with what the tests put
// into it.
class SocketDirectory {
 public:
  SocketDirectory();
  ~SocketDirectory();
  SocketDirectory(const SocketDirectory&) = delete;
  SocketDirectory& operator=(const SocketDirectory&) = delete;

  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A real gRPC server on a unix socket. It knows no methods: a call that gets
// through is answered with UNIMPLEMENTED.
class TestServer {
 public:
  explicit TestServer(std::shared_ptr<grpc::ServerCredentials> credentials);
  ~TestServer();

  // False: gRPC refused the credentials.
  bool running() const { return server_ != nullptr; }
  Endpoint endpoint() const;

  // Calls it over a new channel that verifies kServerName.
  grpc::Status Call(std::shared_ptr<grpc::ChannelCredentials> credentials);

 private:
  SocketDirectory directory_;
  grpc::CallbackGenericService service_;
  std::unique_ptr<grpc::Server> server_;
};

// What `TestServer::Call` does, for any unix socket.
grpc::Status CallOver(const Endpoint& endpoint,
                      std::shared_ptr<grpc::ChannelCredentials> credentials);

// The answer of a server that was reached.
inline bool GotThrough(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_TLS_TEST_SERVER_H_
