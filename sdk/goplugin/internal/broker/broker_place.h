#ifndef GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_
#define GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/broker/broker_core.h"

namespace goplugin::internal {

// Where one server of brokered connections listens, and the ids it answers for.
// Takes socket and ids back when it goes.
//
// Thread-safe once the server was started, which is the moment that fills in
// the port.
class BrokerPlace {
 public:
  static absl::StatusOr<std::unique_ptr<BrokerPlace>> Create(
      std::shared_ptr<BrokerCore> core);
  ~BrokerPlace();
  BrokerPlace(const BrokerPlace&) = delete;
  BrokerPlace& operator=(const BrokerPlace&) = delete;

  // For gRPC: the address to listen on, and where it puts the port it got; 0
  // means that it does not listen.
  std::string Target() const;
  int* port() { return &port_; }

  Endpoint endpoint() const;
  absl::Status Announce(std::uint32_t id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  BrokerPlace(std::shared_ptr<BrokerCore> core, std::string path)
      : core_(std::move(core)), path_(std::move(path)) {}

  const std::shared_ptr<BrokerCore> core_;
  // "" for tcp.
  const std::string path_;
  int port_ = 0;
  absl::Mutex mutex_;
  bool restricted_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::uint32_t> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_BROKER_PLACE_H_
