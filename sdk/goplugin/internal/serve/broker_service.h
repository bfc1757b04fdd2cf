#ifndef GOPLUGIN_INTERNAL_SERVE_BROKER_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_BROKER_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/serve/broker_writer.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {

// Serves /plugin.GRPCBroker/StartStream: the plugin's end of the broker. A sync
// method, so that callbacks of the plugin which block, in a Dial for one, can't
// keep it waiting.
//
// One stream at a time is the broker's: the newest. The one before it is
// cancelled: it belongs to a host that was replaced or has lost it. A message
// of more than 4 MiB ends its stream; one that asks for answers and does not
// take them is not read (BrokerWriter).
//
// Thread safety: all methods may be called from any thread.
// Lifetime: must outlive the server it is registered with.
class BrokerService : public grpc::Service {
 public:
  BrokerService();

  // The broker whose messages these are. Calls wait for it.
  void Attach(std::shared_ptr<BrokerCore> core) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream, and any later one.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Stream = BrokerWriter::Stream;

  grpc::Status Run(grpc::ServerContext* context, Stream* stream);
  // Both ways, until Receive has returned; RESOURCE_EXHAUSTED where the system
  // gives no thread to write with.
  grpc::Status Carry(grpc::ServerContext& context, Stream& stream,
                     BrokerCore& core);
  // Until the host has nothing more to say, or has said too much at once.
  static grpc::Status Receive(Stream& stream, BrokerWriter& writer,
                              BrokerCore& core);
  // Null once closed, or when there is no broker yet.
  std::shared_ptr<BrokerCore> Begin(grpc::ServerContext* context)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Both do nothing but for the newest stream. The broker is told under the
  // lock, so that it hears of one stream's end before the next one's beginning.
  void Open(const grpc::ServerContext* context, BrokerCore& core,
            BrokerCore::Send send) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(const grpc::ServerContext* context, BrokerCore& core,
              const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  SteadyCondition changed_;
  std::shared_ptr<BrokerCore> core_ ABSL_GUARDED_BY(mutex_);
  // The newest stream's.
  grpc::ServerContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_BROKER_SERVICE_H_
