#include "tests/support/broker/bulk.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/broker/adder.h"

namespace goplugin::testing {
namespace {

constexpr std::int64_t kMessage = std::int64_t{1} << 20;
constexpr std::int64_t kLargest = std::int64_t{1} << 26;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
}

absl::Status ToStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

absl::StatusOr<std::string> Get(proto::KV::Stub& kv, const std::string& key) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  const grpc::Status status = kv.Get(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return std::move(*response.mutable_value());
}

absl::Status PutAll(proto::KV::Stub& kv, int count) {
  proto::PutRequest request;
  request.set_value(std::string(kMessage, 'x'));
  proto::Empty response;
  for (int i = 0; i < count; ++i) {
    grpc::ClientContext context;
    SetDeadline(context);
    const grpc::Status status = kv.Put(&context, request, &response);
    if (!status.ok()) return ToStatus(status);
  }
  return absl::OkStatus();
}

absl::Status GetAll(proto::KV::Stub& kv, int count, std::int64_t* bytes) {
  const std::string wanted(kMessage, 'x');
  for (int i = 0; i < count; ++i) {
    const absl::StatusOr<std::string> value = Get(kv, absl::StrCat(kMessage));
    if (!value.ok()) return value.status();
    if (*value != wanted) return absl::DataLossError("a value came changed");
    *bytes += static_cast<std::int64_t>(value->size());
  }
  return absl::OkStatus();
}

// At least one, until `done`.
absl::Status MakeSmallCalls(const std::shared_ptr<grpc::Channel>& channel,
                            const std::atomic<bool>& done, BulkResult* result) {
  do {
    const absl::Time begin = absl::Now();
    const int number = result->small_calls++;
    const absl::StatusOr<std::int64_t> sum = HelperSum(channel, number, 1);
    if (!sum.ok()) return sum.status();
    if (*sum != number + 1) return absl::DataLossError("a wrong sum");
    result->longest_small_call =
        std::max(result->longest_small_call, absl::Now() - begin);
  } while (!done);
  return absl::OkStatus();
}

}  // namespace

grpc::Status BulkService::Get(grpc::ServerContext* /*context*/,
                              const proto::GetRequest* request,
                              proto::GetResponse* response) {
  std::int64_t size = 0;
  if (request->key() == "put") {
    response->set_value(absl::StrCat(put_.load()));
  } else if (absl::SimpleAtoi(request->key(), &size) && size >= 0 &&
             size <= kLargest) {
    response->mutable_value()->assign(static_cast<size_t>(size), 'x');
  } else {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no size");
  }
  return grpc::Status::OK;
}

grpc::Status BulkService::Put(grpc::ServerContext* /*context*/,
                              const proto::PutRequest* request,
                              proto::Empty* /*response*/) {
  put_ += static_cast<std::int64_t>(request->value().size());
  return grpc::Status::OK;
}

absl::StatusOr<BulkResult> MoveBulk(const std::shared_ptr<grpc::Channel>& bulk,
                                    const std::shared_ptr<grpc::Channel>& small,
                                    int mebibytes) {
  const auto kv = proto::KV::NewStub(bulk);
  BulkResult result;
  absl::Status put, got, asked;
  std::atomic<bool> done{false};
  const absl::Time begin = absl::Now();
  std::thread asks([&] { asked = MakeSmallCalls(small, done, &result); });
  std::thread puts([&] { put = PutAll(*kv, mebibytes); });
  std::thread gets([&] { got = GetAll(*kv, mebibytes, &result.got_bytes); });
  puts.join();
  gets.join();
  result.time = absl::Now() - begin;
  done = true;
  asks.join();
  for (const absl::Status& status : {put, got, asked}) {
    if (!status.ok()) return status;
  }
  const absl::StatusOr<std::string> counted = Get(*kv, "put");
  if (!counted.ok()) return counted.status();
  if (!absl::SimpleAtoi(*counted, &result.put_bytes)) result.put_bytes = -1;
  return result;
}

std::string ToString(const BulkResult& result) {
  return absl::StrCat("put ", result.put_bytes / kMessage, " MiB, got ",
                      result.got_bytes / kMessage, " MiB in ",
                      absl::FormatDuration(result.time), " beside ",
                      result.small_calls, " small calls of up to ",
                      absl::FormatDuration(result.longest_small_call));
}

}  // namespace goplugin::testing
