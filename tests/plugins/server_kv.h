#ifndef TESTS_PLUGINS_SERVER_KV_H_
#define TESTS_PLUGINS_SERVER_KV_H_

#include <string>

#include "absl/strings/string_view.h"
#include "examples/proto/kv.grpc.pb.h"
#include "tests/plugins/server_flags.h"
#include "tests/plugins/server_services.h"

namespace server_plugin {

// The KV service. Values are files kv_KEY of the working directory; a Get of
// "!name:argument" does what README.md says of that name instead.
class KvService final : public proto::KV::Service {
 public:
  // `services` takes what goes over GRPCStdio, and must outlive this.
  KvService(const Flags& flags, int version, PluginServices* services)
      : flags_(flags), version_(version), services_(services) {}

  grpc::Status Get(grpc::ServerContext* context,
                   const proto::GetRequest* request,
                   proto::GetResponse* response) override;
  grpc::Status Put(grpc::ServerContext* context,
                   const proto::PutRequest* request,
                   proto::Empty* response) override;

 private:
  grpc::Status Do(const std::string& name, const std::string& argument,
                  std::string* reply);
  bool Say(absl::string_view name, const std::string& argument);

  const Flags flags_;
  const int version_;
  PluginServices* const services_;
};

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_KV_H_
