// A plugin that speaks two versions of a service. With the argument "1" it is
// the plugin of a year ago, which knew only the first.

#include <string>

#include "examples/negotiated/greeter_v1.grpc.pb.h"
#include "examples/negotiated/greeter_v2.grpc.pb.h"
#include "goplugin/server.h"
#include "goplugin/server_reflection.h"

namespace {

class GreeterV1 final : public greeter::v1::Greeter::Service {
 public:
  grpc::Status Greet(grpc::ServerContext*,
                     const greeter::v1::GreetRequest* request,
                     greeter::v1::GreetResponse* response) override {
    response->set_text("Hello, " + request->name());
    return grpc::Status::OK;
  }
};

class GreeterV2 final : public greeter::v2::Greeter::Service {
 public:
  grpc::Status Greet(grpc::ServerContext*,
                     const greeter::v2::GreetRequest* request,
                     greeter::v2::GreetResponse* response) override {
    std::string text = "Hello";
    for (const std::string& name : request->names()) text += ", " + name;
    response->set_text(text);
    return grpc::Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  GreeterV1 v1;
  GreeterV2 v2;
  goplugin::ServeOptions options;
  options.magic_cookie_key = "GREETER_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services[1] = {&v1};
  const bool old = argc > 1 && std::string(argv[1]) == "1";
  if (!old) options.services[2] = {&v2};
  // So that examples/inspect can list and call them without their protos.
  goplugin::EnableServerReflection();
  return goplugin::Serve(options);
}
