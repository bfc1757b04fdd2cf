#ifndef TESTS_SUPPORT_BROKER_ADDER_H_
#define TESTS_SUPPORT_BROKER_ADDER_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "tests/support/broker/adder.grpc.pb.h"

// What the plugin and the host of the broker's tests have in common.

namespace goplugin::testing {

// Also answers /proto.AddHelper/Sum, as go-plugin's example names it. Given a
// number, it adds to that one only: whoever asks for another sum has come to
// the wrong server.
class AdderService final : public broker::Adder::Service {
 public:
  explicit AdderService(absl::optional<std::int64_t> number = absl::nullopt);
  grpc::Status Sum(grpc::ServerContext* context,
                   const broker::SumRequest* request,
                   broker::SumResponse* response) override;
  grpc::Status Hold(grpc::ServerContext* context,
                    const broker::SumRequest* request,
                    broker::SumResponse* response) override;

 private:
  const absl::optional<std::int64_t> number_;
};

// Asks the Adder at the other end of `channel`.
absl::StatusOr<std::int64_t> Sum(const std::shared_ptr<grpc::Channel>& channel,
                                 std::int64_t a, std::int64_t b);
// The same by go-plugin's name for it.
absl::StatusOr<std::int64_t> HelperSum(
    const std::shared_ptr<grpc::Channel>& channel, std::int64_t a,
    std::int64_t b);

// What this process holds.
broker::FactsResponse OwnFacts();

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_BROKER_ADDER_H_
