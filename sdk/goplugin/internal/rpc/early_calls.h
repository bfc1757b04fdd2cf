#ifndef GOPLUGIN_INTERNAL_RPC_EARLY_CALLS_H_
#define GOPLUGIN_INTERNAL_RPC_EARLY_CALLS_H_

#include <grpcpp/support/client_interceptor.h>

#include <atomic>
#include <memory>

namespace goplugin::internal {

// The calls that began on a channel before Close, while they are under way:
// what came before the SDK's own streams may keep a plugin from answering
// beside them. Later calls cost nothing. A call begins when it is sent: one
// that is prepared, and started after Close, is none of them.
//
// Thread-safe. In a shared_ptr, which the calls hold.
class EarlyCalls : public std::enable_shared_from_this<EarlyCalls> {
 public:
  // For a new call: what sees its begin and end; null when it can't be early.
  std::unique_ptr<grpc::experimental::Interceptor> See();
  // Calls that begin from now on are not early.
  void Close() { closed_ = true; }
  bool under_way() const { return under_way_ > 0; }

 private:
  class Call;

  std::atomic<bool> closed_{false};
  std::atomic<int> under_way_{0};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_EARLY_CALLS_H_
