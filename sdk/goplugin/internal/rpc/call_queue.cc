#include "goplugin/internal/rpc/call_queue.h"

#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

CallQueue::CallQueue()
    : thread_(StartSdkThread("goplugin-rpc", [this] { Run(); })) {}

CallQueue::~CallQueue() {
  queue_.Shutdown();
  thread_.join();
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->OnComplete(ok);
}

}  // namespace goplugin::internal
