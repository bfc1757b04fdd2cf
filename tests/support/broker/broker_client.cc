#include "tests/support/broker/broker_client.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/tls/certificate.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
}

// Both sides get a certificate, and trust the other's alone.
void UseOwnCertificates(Command& command, ClientOptions& options) {
  const auto hosts = internal::GenerateOneTimeCertificate();
  const auto plugins = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(hosts.ok() && plugins.ok());
  options.tls.root_certificates = plugins->certificate_pem;
  options.tls.certificate_chain = hosts->certificate_pem;
  options.tls.private_key = hosts->private_key_pem;
  command.env.emplace_back("BROKER_CERT", plugins->certificate_pem);
  command.env.emplace_back("BROKER_KEY", plugins->private_key_pem);
  command.env.emplace_back("BROKER_ROOTS", hosts->certificate_pem);
}

// A call of the plugin's control service.
template <typename Request, typename Response>
Response Ask(const Client& client,
             grpc::Status (broker::Control::Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
             const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  Response response;
  const grpc::Status status =
      (client.NewStub<broker::Control>().get()->*method)(&context, request,
                                                         &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

}  // namespace

std::string WiringName(const ::testing::TestParamInfo<Wiring>& info) {
  const char* tls = info.param.tls == TlsMode::kInsecure   ? "Plain"
                    : info.param.tls == TlsMode::kAutoMtls ? "AutoMtls"
                                                           : "ManualTls";
  const bool tcp = info.param.network == Endpoint::Network::kTcp;
  return absl::StrCat(tcp ? "Tcp" : "Unix", tls,
                      info.param.multiplex ? "Multiplexed" : "");
}

std::unique_ptr<Client> LaunchBrokerPlugin(const Wiring& wiring) {
  return LaunchBrokerPlugin(wiring, KvOptions());
}

std::unique_ptr<Client> LaunchBrokerPlugin(const Wiring& wiring,
                                           ClientOptions options) {
  Command command{RunfilePath("tests/support/broker/broker_plugin")};
  options.tls.mode = wiring.tls;
  if (wiring.multiplex) options.multiplex = Multiplex::kRequire;
  if (wiring.tls == TlsMode::kManual) UseOwnCertificates(command, options);
  if (wiring.network == Endpoint::Network::kTcp) {
    command.env.emplace_back("BROKER_NETWORK", "tcp");
  }
  auto client = Client::Launch(std::move(command), std::move(options));
  EXPECT_TRUE(client.ok()) << client.status().message();
  return client.ok() ? *std::move(client) : nullptr;
}

broker::Outcome PluginDials(const Client& client,
                            const std::vector<std::uint32_t>& ids,
                            std::int64_t a, std::int64_t b,
                            std::int64_t timeout_ms) {
  broker::DialRequest request;
  request.mutable_ids()->Add(ids.begin(), ids.end());
  request.set_a(a);
  request.set_b(b);
  request.set_timeout_ms(timeout_ms);
  return Ask(client, &broker::Control::Stub::Dial, request);
}

broker::Outcome PluginAccepts(const Client& client, std::uint32_t count,
                              bool shared, std::uint32_t id) {
  broker::AcceptRequest request;
  request.set_count(count);
  request.set_shared(shared);
  request.set_id(id);
  return Ask(client, &broker::Control::Stub::Accept, request);
}

broker::Outcome PluginMovesBulk(const Client& client, std::uint32_t id,
                                int mebibytes) {
  broker::MoveBulkRequest request;
  request.set_id(id);
  request.set_mebibytes(mebibytes);
  return Ask(client, &broker::Control::Stub::MoveBulk, request);
}

void PluginPrints(const Client& client, std::int64_t bytes) {
  broker::PrintRequest request;
  request.set_bytes(bytes);
  Ask(client, &broker::Control::Stub::Print, request);
}

void PluginStops(const Client& client) {
  Ask(client, &broker::Control::Stub::Stop, broker::StopRequest());
}

broker::FactsResponse PluginFacts(const Client& client) {
  return Ask(client, &broker::Control::Stub::Facts, broker::FactsRequest());
}

}  // namespace goplugin::testing
