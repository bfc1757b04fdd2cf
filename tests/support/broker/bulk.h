#ifndef TESTS_SUPPORT_BROKER_BULK_H_
#define TESTS_SUPPORT_BROKER_BULK_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"

// Much data on one connection, and small calls on another meanwhile.

namespace goplugin::testing {

// A KV that keeps nothing: Put counts the value's bytes, Get of "N" answers N
// bytes 'x', Get of "put" how many bytes were put, as text. The Go peer
// `broker` serves the same.
class BulkService final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext* context,
                   const proto::GetRequest* request,
                   proto::GetResponse* response) override;
  grpc::Status Put(grpc::ServerContext* context,
                   const proto::PutRequest* request,
                   proto::Empty* response) override;

 private:
  std::atomic<std::int64_t> put_{0};
};

struct BulkResult {
  std::int64_t put_bytes = 0;  // as the server counts them
  std::int64_t got_bytes = 0;
  int small_calls = 0;
  absl::Duration longest_small_call;
  absl::Duration time;
};

// Puts and gets so many MiB at the same time, in messages of 1 MiB over `bulk`
// (a BulkService), while AddHelper at the end of `small` is asked one thing
// after another. The first error, also of the small calls.
absl::StatusOr<BulkResult> MoveBulk(const std::shared_ptr<grpc::Channel>& bulk,
                                    const std::shared_ptr<grpc::Channel>& small,
                                    int mebibytes);

// The figures, as a line.
std::string ToString(const BulkResult& result);

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_BROKER_BULK_H_
