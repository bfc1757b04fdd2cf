#ifndef GOPLUGIN_INTERNAL_CHANNEL_RELAY_DESK_H_
#define GOPLUGIN_INTERNAL_CHANNEL_RELAY_DESK_H_

#include <grpc/grpc.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/security/credentials.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

class WaitingLine;

// What is known of a call that is relayed, besides what it sends.
struct RelayTicket {
  std::shared_ptr<WaitingLine> line;
  std::string method;
  grpc::internal::RpcMethod::RpcType type;
  gpr_timespec deadline;  // MonotonicDeadline
  // GRPC_INITIAL_METADATA_WAIT_FOR_READY...
  std::uint32_t flags = 0;
  std::string authority;  // empty: none was set
  grpc_compression_algorithm compression = GRPC_COMPRESS_NONE;
  std::shared_ptr<grpc::CallCredentials> credentials;
  // May be made again where nothing of an answer had come.
  bool repeatable = false;
  // No call at all: ends with OK when the line is in another state.
  absl::optional<grpc_connectivity_state> watched_state;
};

// Whether a call sends one message, and nothing after it.
inline bool HasOneRequest(grpc::internal::RpcMethod::RpcType type) {
  return type == grpc::internal::RpcMethod::NORMAL_RPC ||
         type == grpc::internal::RpcMethod::SERVER_STREAMING;
}

// What is given to gRPC as a tag. Destroyed by whoever made it.
class RelayStep {
 public:
  virtual void Run(bool ok) = 0;
  // What the relay's thread casts back.
  void* tag() { return this; }

 protected:
  ~RelayStep() = default;
};

// Where the callers' threads leave tickets for the relay's, and what tells that
// thread whether there is anything to do: without, it stays away from gRPC,
// where on some versions whoever waits works for the whole process
// (versions/grpc_polling.h). Outlives the relay. Thread-safe.
class RelayDesk {
 public:
  // The name of a ticket, in the metadata of its call.
  static constexpr char kTicketKey[] = "goplugin-relay-ticket";

  // The call begins; the key's value.
  std::string Leave(std::shared_ptr<const RelayTicket> ticket);
  // It is over, wherever it is.
  void Drop(const std::string& name);

  // A call may arrive from now on; it has, or will not.
  void Await();
  void StopAwaiting();
  // The relay's thread. Null where the call is over. OnCallEnd is called once
  // for each.
  std::shared_ptr<const RelayTicket> Take(const std::string& name);
  void OnCallEnd();
  // Until there is something to do, or Close.
  void WaitForWork();

  // Has `step` run on the relay's thread, with whatever `ok`. False after
  // Close.
  bool Post(RelayStep& step) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnPosted();

  // The queue is there from here,
  void Open(grpc::CompletionQueue* queue);
  // until here: nothing is posted any more.
  void Close();
  bool closed();
  // No call is left, and none can arrive: nothing more begins on the queue.
  void WaitUntilIdle();

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || taken_ + posted_ > 0 || !left_.empty();
  }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return awaited_ + taken_ + posted_ == 0;
  }

  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<const RelayTicket>> left_
      ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_name_ ABSL_GUARDED_BY(mutex_) = 0;
  int awaited_ ABSL_GUARDED_BY(mutex_) = 0;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  int posted_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = true;
  grpc::CompletionQueue* queue_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_RELAY_DESK_H_
