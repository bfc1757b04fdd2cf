#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/status.h"
#include "goplugin/broker.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/rpc/broker_stream.h"
#include "goplugin/internal/rpc/call_queue.h"

namespace goplugin::internal {

// A session's broker, and the stream to the plugin that it lives on. Open and
// End on the loop's thread; the broker itself is for any.
class SessionBroker {
 public:
  explicit SessionBroker(BrokerSetup setup)
      : acceptors_(setup.acceptors),
        core_(std::make_shared<BrokerCore>(std::move(setup))),
        broker_(core_) {}

  Broker& broker() { return broker_; }

  // Opens the stream, unless End came first. Once.
  void Open(CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel);
  // Whoever dials or accepts gets `reason`. The first call counts. The stream's
  // last event may come later; it needs nothing of the session.
  void End(const absl::Status& reason);

 private:
  const std::shared_ptr<Acceptors> acceptors_;
  const std::shared_ptr<BrokerCore> core_;
  Broker broker_;
  std::shared_ptr<BrokerStream> stream_;
  bool ended_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_
