#ifndef TESTS_PLUGINS_SERVER_TLS_H_
#define TESTS_PLUGINS_SERVER_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "tests/plugins/server_flags.h"

namespace server_plugin {

// How the plugin secures its server, and what its line says about it.
struct ServerTls {
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::string field;  // the line's sixth field
};

// By --tls and --tls-key, and PLUGIN_CLIENT_CERT.
ServerTls MakeServerTls(const Flags& flags);

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_TLS_H_
