#ifndef GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
#define GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_

#include <grpcpp/completion_queue.h>

#include <thread>

namespace goplugin::internal {

// The thread that completes the SDK's own calls. They do not use gRPC's
// callback threads: those belong to the user as well, and a few user callbacks
// that sleep would stop the SDK.
class CallQueue {
 public:
  // What is given to gRPC as a tag. Destroyed by whoever made it.
  class Tag {
   public:
    virtual void OnComplete(bool ok) = 0;
    // What Run casts back: the address of this base, whatever derives from it.
    void* tag() { return this; }

   protected:
    ~Tag() = default;
  };

  CallQueue();
  // Every call must have been cancelled or have ended; waits for their last
  // events, which needs nothing from the plugin, and joins.
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  grpc::CompletionQueue* completion_queue() { return &queue_; }

 private:
  void Run();

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
