#ifndef GOPLUGIN_INTERNAL_CONNECT_CONNECTOR_H_
#define GOPLUGIN_INTERNAL_CONNECT_CONNECTOR_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/early_calls.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/handshake.h"
#include "goplugin/internal/tls/probe.h"
#include "goplugin/wire/health.pb.h"

namespace goplugin::internal {

// What to connect to. A value.
struct ConnectTarget {
  // What errors call it: an endpoint, or gRPC's target.
  std::string name;
  // Where it can be looked at besides gRPC's way; nullopt when gRPC alone knows
  // where the target leads.
  absl::optional<Endpoint> endpoint;
  // What to do when nobody serves there.
  std::string nobody_hint;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<EarlyCalls> early_calls;
  bool uses_tls = false;
  // As whom a probe asks.
  TlsClient tls_client = {};
  // How connections that are brokered beside it are secured.
  BrokerSecurity broker_security;
  // The only certificate that is trusted; nullopt without AutoMTLS.
  absl::optional<PeerCertificate> announced;
};

// Brings a channel to readiness, or finds out why it can't be: a health check
// that fails fast, again and again. Any answer of the server's own is good, an
// error too: it is reachable. But UNAVAILABLE is the answer of one that is not
// ready yet, and is waited for as long as the timeout lets. A refused
// connection is tried again for a while (some plugins print their line before
// they listen); a TLS failure is final, and is explained by a look at what the
// server really speaks.
//
// Lives on the loop's thread, in a shared_ptr.
class Connector : public std::enable_shared_from_this<Connector> {
 public:
  // How long refused connections are tried again, after the start or after an
  // answer.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  using Serving = wire::HealthCheckResponse::ServingStatus;
  // OK, and what the health service said; or kConnect, kTls, ...
  using Done = absl::AnyInvocable<void(const absl::Status&, Serving)>;

  // What it works on, and what it holds of its owner while it does.
  struct Threads {
    EventLoop& loop;
    // Where health checks are made.
    CallPlace control;
    std::shared_ptr<Lane> steps;
    std::function<std::shared_ptr<void>()> begin_work;
  };

  Connector(Threads threads, ConnectTarget target, Done done)
      : threads_(std::move(threads)),
        target_(std::move(target)),
        done_(std::move(done)),
        retry_(threads_.loop) {}

  // `timeout` bounds everything. `done` is called once, not from inside Start,
  // unless Cancel comes first.
  void Start(absl::Duration timeout);
  // No `done` after it; calls under way end soon.
  void Cancel();

 private:
  void Check();
  void OnAnswer(const grpc::Status& status, Serving serving);
  void OnUnavailable();
  void OnNotReady();
  void Probe();
  void OnProbed(absl::StatusOr<WireKind> probed);
  void Finish(const absl::Status& status, Serving serving);
  absl::Status TlsError() const;
  absl::Status ConnectError() const;
  absl::Status NotReadyError() const;

  const Threads threads_;
  const ConnectTarget target_;
  Done done_;
  Timer retry_;
  Stopwatch stopwatch_;
  absl::Duration timeout_;
  CallHandle call_;
  grpc::Status last_;
  // Whether last_ is an answer of the server's own, and when to ask again.
  bool not_ready_ = false;
  absl::Duration not_ready_delay_;
  // When the last such answer came.
  absl::Duration last_answer_;
  bool over_ = false;
  // Whether a probe has met a server, and when to send the next one. A server
  // that takes connections and drops them is looked at after this time: long
  // enough for one that is only just starting.
  static constexpr absl::Duration kProbeAfter = absl::Milliseconds(250);
  bool probed_ = false;
  bool has_looked_ = false;
  absl::Duration next_probe_ = kProbeAfter;
  absl::optional<WireKind> wire_kind_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CONNECT_CONNECTOR_H_
