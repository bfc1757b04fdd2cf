#include "examples/negotiated/greeter.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "examples/negotiated/greeter_v1.grpc.pb.h"
#include "examples/negotiated/greeter_v2.grpc.pb.h"
#include "goplugin/client.h"

namespace negotiated {
namespace {

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
}

// Version 1 greets one at a time.
class GreeterV1 final : public Greeter {
 public:
  explicit GreeterV1(std::unique_ptr<greeter::v1::Greeter::Stub> stub)
      : stub_(std::move(stub)) {}

  grpc::Status Greet(const std::vector<std::string>& names,
                     std::string* text) override {
    for (const std::string& name : names) {
      grpc::ClientContext context;
      SetDeadline(context);
      greeter::v1::GreetRequest request;
      request.set_name(name);
      greeter::v1::GreetResponse response;
      const grpc::Status status = stub_->Greet(&context, request, &response);
      if (!status.ok()) return status;
      *text += response.text() + "\n";
    }
    return grpc::Status::OK;
  }

 private:
  const std::unique_ptr<greeter::v1::Greeter::Stub> stub_;
};

class GreeterV2 final : public Greeter {
 public:
  explicit GreeterV2(std::unique_ptr<greeter::v2::Greeter::Stub> stub)
      : stub_(std::move(stub)) {}

  grpc::Status Greet(const std::vector<std::string>& names,
                     std::string* text) override {
    grpc::ClientContext context;
    SetDeadline(context);
    greeter::v2::GreetRequest request;
    for (const std::string& name : names) request.add_names(name);
    greeter::v2::GreetResponse response;
    const grpc::Status status = stub_->Greet(&context, request, &response);
    *text += response.text() + "\n";
    return status;
  }

 private:
  const std::unique_ptr<greeter::v2::Greeter::Stub> stub_;
};

using goplugin::Client;

std::unique_ptr<Greeter> MakeV1(Client& plugin) {
  return std::make_unique<GreeterV1>(plugin.NewStub<greeter::v1::Greeter>());
}

std::unique_ptr<Greeter> MakeV2(Client& plugin) {
  return std::make_unique<GreeterV2>(plugin.NewStub<greeter::v2::Greeter>());
}

}  // namespace

const goplugin::ByVersion<std::unique_ptr<Greeter>>& Greeters() {
  // Never destroyed: gRPC's statics may be gone when ours would be.
  static const auto* const greeters =
      new goplugin::ByVersion<std::unique_ptr<Greeter>>{{1, MakeV1},
                                                        {2, MakeV2}};
  return *greeters;
}

}  // namespace negotiated
