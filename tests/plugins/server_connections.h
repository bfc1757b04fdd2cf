#ifndef TESTS_PLUGINS_SERVER_CONNECTIONS_H_
#define TESTS_PLUGINS_SERVER_CONNECTIONS_H_

#include <grpcpp/server.h>

#include <string>

namespace server_plugin {

// Listens on `target`, "unix:PATH", for `server`, for the life of the process,
// and ends that with code 0 when the last connection closes. Without TLS.
void EndWithConnections(grpc::Server& server, const std::string& target);

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_CONNECTIONS_H_
