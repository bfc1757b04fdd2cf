#ifndef GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_
#define GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/net/acceptors.h"

namespace goplugin::internal {

// Where one server of brokered connections gets them from, and the ids it
// answers for: a unix socket that this library accepts at, a tcp port of
// gRPC's, or the streams of the multiplexed connection. Takes socket and ids
// back when it goes.
//
// Thread-safe once the server was started.
class BrokerPlace {
 public:
  // May block, as the file system does.
  static absl::StatusOr<std::unique_ptr<BrokerPlace>> Create(
      const std::shared_ptr<BrokerCore>& core);
  ~BrokerPlace();
  BrokerPlace(const BrokerPlace&) = delete;
  BrokerPlace& operator=(const BrokerPlace&) = delete;

  // Once.
  void AddTo(grpc::ServerBuilder& builder,
             const std::shared_ptr<grpc::ServerCredentials>& credentials);
  // No connection comes any more. Before the server's Shutdown.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // In a child that was forked since: none of it is to be touched.
  bool forked() const { return core_->forked(); }

  // Without an address where it is multiplexed.
  Endpoint endpoint() const;
  absl::Status Announce(std::uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit BrokerPlace(std::shared_ptr<BrokerCore> core)
      : core_(std::move(core)) {}

  bool serving() const;
  void BeginToAccept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Deliver(std::uint32_t id);

  const std::shared_ptr<BrokerCore> core_;
  // nullptr for tcp, and where it is multiplexed.
  std::unique_ptr<BrokerSocket> socket_;
  // nullptr for tcp.
  std::shared_ptr<ConnectionIntake> intake_;
  // Filled in by gRPC when the server was started: tcp.
  int port_ = 0;
  absl::Mutex mutex_;
  std::unique_ptr<Accepting> accepting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_
