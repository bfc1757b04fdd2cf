#ifndef GOPLUGIN_INTERNAL_CHANNEL_CONNECTION_INTAKE_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CONNECTION_INTAKE_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/local_end.h"

namespace goplugin::internal {

// Gives a gRPC server connections that were accepted, or made, by this library:
// gRPC itself would bind a unix socket, and remove what is in its way, by path.
// How gRPC takes them depends on its version, which connection_intake.cc knows.
//
// Thread-safe. May outlive the server.
class ConnectionIntake {
 public:
  // Adds a way in to the server that `builder` will make. Once per builder's
  // life. The server needs no port then.
  static std::shared_ptr<ConnectionIntake> AddTo(
      grpc::ServerBuilder& builder,
      const std::shared_ptr<grpc::ServerCredentials>& credentials);
  ~ConnectionIntake();
  ConnectionIntake(const ConnectionIntake&) = delete;
  ConnectionIntake& operator=(const ConnectionIntake&) = delete;

  // Whether there is a server: BuildAndStart has made one, and it still is.
  bool serving() const;

  // Hands the connection to the server. It is closed where there is none.
  // Begins the TLS handshake, on this thread.
  void Take(LocalEnd connection);
  // Takes no more. Must come before the server's Shutdown, where that is this
  // library's matter: a connection that is handed to a server which was shut
  // down is lost until the process ends.
  void Close();

 private:
  struct Server;
  class Option;
  class Plugin;

  explicit ConnectionIntake(std::shared_ptr<Server> server)
      : server_(std::move(server)) {}

  const std::shared_ptr<Server> server_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CONNECTION_INTAKE_H_
