// A plugin that calls its host back: it keeps a number for each key, and leaves
// the sums to the host. See README.md.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "examples/bidirectional/counter.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/server.h"

namespace {

// A key becomes part of a file's name, and must not lead out of the directory.
bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= 200 &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-';
         });
}

grpc::Status BadKey() {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                      "a key is 1 to 200 letters, digits, '_' or '-'");
}

std::string FileOf(const std::string& key) { return "kv_" + key; }

// The files are those of HashiCorp's plugin: {"Value":7}.
bool Load(const std::string& key, std::int64_t* value) {
  std::ifstream file(FileOf(key));
  file.ignore(sizeof("{\"Value\":") - 1);
  return static_cast<bool>(file >> *value);
}

grpc::Status Store(const std::string& key, std::int64_t value) {
  std::ofstream file(FileOf(key), std::ios::trunc);
  file << "{\"Value\":" << value << "}";
  file.close();
  if (file) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::INTERNAL, "can't write " + FileOf(key));
}

class CounterService final : public proto::Counter::Service {
 public:
  void set_broker(goplugin::Broker* broker) { broker_ = broker; }

  grpc::Status Put(grpc::ServerContext* server_context,
                   const proto::PutRequest* request, proto::Empty*) override {
    if (!IsKey(request->key())) return BadKey();
    absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
        broker_->Dial(request->add_server());
    if (!channel.ok()) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                          std::string(channel.status().message()));
    }
    std::int64_t value = 0;
    Load(request->key(), &value);
    proto::SumRequest sum;
    sum.set_a(value);
    sum.set_b(request->value());
    proto::SumResponse response;
    // Ends with the call that it is made for.
    const std::unique_ptr<grpc::ClientContext> context =
        grpc::ClientContext::FromServerContext(*server_context);
    const grpc::Status status =
        proto::AddHelper::NewStub(*channel)->Sum(context.get(), sum, &response);
    return status.ok() ? Store(request->key(), response.r()) : status;
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    if (!IsKey(request->key())) return BadKey();
    std::int64_t value = 0;
    if (!Load(request->key(), &value)) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND,
                          "nothing was put into " + request->key());
    }
    response->set_value(value);
    return grpc::Status::OK;
  }

 private:
  goplugin::Broker* broker_ = nullptr;
};

}  // namespace

int main() {
  CounterService counter;
  goplugin::ServeOptions options;
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services = {{1, {&counter}}};
  options.on_broker = [&counter](goplugin::Broker& broker) {
    counter.set_broker(&broker);
  };
  return goplugin::Serve(options);
}
