// The plugin of the broker's tests, built on Serve. The environment says how it
// serves:
//
//   BROKER_NETWORK=tcp                     on tcp
//   BROKER_CERT, BROKER_KEY, BROKER_ROOTS  with TLS of its own, in PEM; without
//                                          roots it asks for no certificate

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/error.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/server.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/bulk.h"

namespace goplugin::testing {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool HasOwnTls() { return !Variable("BROKER_CERT").empty(); }

std::shared_ptr<grpc::ServerCredentials> OwnServerCredentials() {
  grpc::SslServerCredentialsOptions options(
      Variable("BROKER_ROOTS").empty()
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = Variable("BROKER_ROOTS");
  options.pem_key_cert_pairs.push_back(
      {Variable("BROKER_KEY"), Variable("BROKER_CERT")});
  return grpc::SslServerCredentials(options);
}

DialOptions OwnDialOptions(const broker::DialRequest& request) {
  DialOptions options;
  if (request.timeout_ms() > 0) {
    options.timeout = absl::Milliseconds(request.timeout_ms());
  }
  if (HasOwnTls()) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = Variable("BROKER_ROOTS");
    tls.pem_private_key = Variable("BROKER_KEY");
    tls.pem_cert_chain = Variable("BROKER_CERT");
    options.credentials = grpc::SslCredentials(tls);
    options.arguments.SetSslTargetNameOverride("localhost");
  }
  return options;
}

void Report(const absl::Status& error, broker::Outcome* outcome) {
  if (!outcome->message().empty()) return;
  outcome->set_message(std::string(error.message()));
  const auto details = GetErrorDetails(error);
  outcome->set_reason(details ? ReasonName(details->reason) : "");
}

using grpc::internal::RpcMethod;
using grpc::internal::RpcMethodHandler;
using grpc::internal::RpcServiceMethod;

// Besides Control: proto.Counter, for hosts that have no other, with the
// meaning that tests/conformance/go/cmd/broker gives it.
class ControlService final : public broker::Control::Service {
 public:
  ControlService() {
    AddMethod(new RpcServiceMethod(
        "/proto.Counter/Get", RpcMethod::NORMAL_RPC,
        new RpcMethodHandler<ControlService, broker::CounterGet,
                             broker::CounterValue>(
            [](ControlService* self, grpc::ServerContext*,
               const broker::CounterGet* request,
               broker::CounterValue* response) {
              return self->AcceptForCounter(*request, response);
            },
            this)));
    AddMethod(new RpcServiceMethod(
        "/proto.Counter/Put", RpcMethod::NORMAL_RPC,
        new RpcMethodHandler<ControlService, broker::CounterPut,
                             broker::CounterEmpty>(
            [](ControlService* self, grpc::ServerContext*,
               const broker::CounterPut* request, broker::CounterEmpty*) {
              return self->DialForCounter(*request);
            },
            this)));
  }

  void set_broker(Broker* broker) { broker_ = broker; }

  grpc::Status Dial(grpc::ServerContext*, const broker::DialRequest* request,
                    broker::Outcome* outcome) override {
    for (std::uint32_t id : request->ids()) {
      auto channel = broker().Dial(id, OwnDialOptions(*request));
      if (!channel.ok()) {
        Report(channel.status(), outcome);
        continue;
      }
      auto sum = Sum(*channel, request->a(), request->b());
      if (sum.ok()) {
        outcome->add_sums(*sum);
      } else {
        Report(sum.status(), outcome);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Accept(grpc::ServerContext*,
                      const broker::AcceptRequest* request,
                      broker::Outcome* outcome) override {
    for (std::uint32_t i = 0; i < request->count(); ++i) {
      const std::uint32_t id =
          request->id() != 0 ? request->id() : broker().NextId();
      const absl::Status status = request->shared() && i > 0
                                      ? AnnounceOnLast(id)
                                      : Serve(id, request->own(), i);
      if (!status.ok()) Report(status, outcome);
      outcome->add_ids(id);
    }
    internal::MutexLock lock(mutex_);
    if (!servers_.empty()) {
      outcome->set_endpoint(servers_.back()->endpoint().ToString());
    }
    return grpc::Status::OK;
  }

  grpc::Status Stop(grpc::ServerContext*, const broker::StopRequest*,
                    broker::Outcome*) override {
    std::vector<std::unique_ptr<BrokerServer>> servers;
    internal::MutexLock lock(mutex_);
    servers.swap(servers_);
    servers.clear();
    own_adders_.clear();
    return grpc::Status::OK;
  }

  grpc::Status MoveBulk(grpc::ServerContext*,
                        const broker::MoveBulkRequest* request,
                        broker::Outcome* outcome) override {
    auto channel = broker().Dial(request->id());
    const absl::StatusOr<BulkResult> moved =
        channel.ok()
            ? testing::MoveBulk(*channel, *channel, request->mebibytes())
            : channel.status();
    if (!moved.ok()) {
      Report(moved.status(), outcome);
      return grpc::Status::OK;
    }
    outcome->add_sums(moved->put_bytes);
    outcome->add_sums(moved->got_bytes);
    return grpc::Status::OK;
  }

  grpc::Status Print(grpc::ServerContext*, const broker::PrintRequest* request,
                     broker::Outcome*) override {
    const std::string line(1023, 'x');
    std::int64_t left = request->bytes();
    for (; left > 1024; left -= 1024) std::puts(line.c_str());
    std::puts(line.substr(0, static_cast<size_t>(left) - 1).c_str());
    std::fflush(stdout);
    return grpc::Status::OK;
  }

  grpc::Status Facts(grpc::ServerContext*, const broker::FactsRequest*,
                     broker::FactsResponse* facts) override {
    *facts = OwnFacts();
    return grpc::Status::OK;
  }

 private:
  grpc::Status AcceptForCounter(const broker::CounterGet& request,
                                broker::CounterValue* response) {
    if (request.key() == "stop") return Stop(nullptr, nullptr, nullptr);
    broker::AcceptRequest accept;
    absl::string_view text = request.key();
    accept.set_own(absl::ConsumePrefix(&text, "own:"));
    std::uint32_t count = 0;
    if (!absl::SimpleAtoi(absl::StripPrefix(text, "accept:"), &count)) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no count");
    }
    accept.set_count(count);
    broker::Outcome outcome;
    Accept(nullptr, &accept, &outcome);
    if (!outcome.message().empty()) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, outcome.message());
    }
    response->set_value(outcome.ids(0));
    return grpc::Status::OK;
  }

  grpc::Status DialForCounter(const broker::CounterPut& request) {
    DialOptions patient;
    patient.timeout = absl::Seconds(30);
    auto channel = broker().Dial(request.add_server(), patient);
    const absl::StatusOr<std::int64_t> sum =
        channel.ok() ? HelperSum(*channel, request.value(), 1)
                     : channel.status();
    if (sum.ok() && *sum == request.value() + 1) return grpc::Status::OK;
    return grpc::Status(
        grpc::StatusCode::UNAVAILABLE,
        sum.ok() ? "a wrong sum" : std::string(sum.status().message()));
  }

  absl::Status Serve(std::uint32_t id, bool own, std::int64_t number) {
    internal::MutexLock lock(mutex_);
    AdderService* adder = &adder_;
    if (own) {
      own_adders_.push_back(std::make_unique<AdderService>(number));
      adder = own_adders_.back().get();
    }
    auto server = broker().AcceptAndServe(id, {adder});
    if (!server.ok()) return server.status();
    servers_.push_back(*std::move(server));
    return absl::OkStatus();
  }

  absl::Status AnnounceOnLast(std::uint32_t id) {
    internal::MutexLock lock(mutex_);
    if (servers_.empty()) return absl::OkStatus();  // the first has failed
    return servers_.back()->Announce(id);
  }

  Broker& broker() { return *broker_.load(); }

  // The server is there before it.
  std::atomic<Broker*> broker_{nullptr};
  AdderService adder_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<AdderService>> own_adders_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<BrokerServer>> servers_ ABSL_GUARDED_BY(mutex_);
};

int Main() {
  ControlService control;
  BulkService bulk;
  ServeOptions options;
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services = {{1, {&control, &bulk}}};
  options.on_broker = [&control](Broker& broker) {
    control.set_broker(&broker);
  };
  if (Variable("BROKER_NETWORK") == "tcp") {
    options.networks = {Endpoint::Network::kTcp};
  }
  if (HasOwnTls()) options.credentials = OwnServerCredentials();
  return goplugin::Serve(options);
}

}  // namespace
}  // namespace goplugin::testing

int main() { return goplugin::testing::Main(); }
