#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/broker.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/loop/event_loop.h"
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

  // Opens the stream, unless End came first. Once. `on_cut` tells that it was
  // cut (WasCut) before End: it can't be opened again, since a go-plugin server
  // lets a second one hang.
  void Open(CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel,
            EventLoop& loop, std::function<void(const grpc::Status&)> on_cut);
  // Ends it, unless the plugin has said anything on it. False where there was
  // nothing to end.
  bool EndUnheard(const absl::Status& reason);
  // Whoever dials or accepts gets `reason`. The first call counts. The stream's
  // last event may come later; it needs nothing of the session.
  void End(const absl::Status& reason);

 private:
  const std::shared_ptr<Acceptors> acceptors_;
  const std::shared_ptr<BrokerCore> core_;
  Broker broker_;
  std::shared_ptr<BrokerStream> stream_;
  // Null after the end. For the loop's thread.
  const std::shared_ptr<std::function<void(const grpc::Status&)>> on_cut_ =
      std::make_shared<std::function<void(const grpc::Status&)>>();
  bool ended_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_BROKER_H_
