// The smallest plugin, with server reflection, through nothing but public
// headers. It keeps its values in memory.

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <string>

#include "goplugin/server.h"
#include "goplugin/server_reflection.h"
#include "kv.grpc.pb.h"

namespace {

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
    response->set_value(values_[request->key()]);
    return grpc::Status::OK;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

}  // namespace

int main() {
  goplugin::EnableServerReflection();
  KvService kv;
  goplugin::ServeOptions options;
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services = {{1, {&kv}}};
  return goplugin::Serve(options);
}
