#include "goplugin/internal/connect/connector.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/unix_socket.h"
#include "goplugin/internal/rpc/health.h"
#include "goplugin/internal/tls/explain.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(20);
// What it grows to while the server itself says that it is not ready.
constexpr absl::Duration kLongestDelay = absl::Milliseconds(250);
constexpr absl::Duration kProbeTimeout = absl::Milliseconds(500);
// Some mismatches end in no error at all, only in silence (a client without TLS
// at a Go server with it). A first check that is silent for so long is followed
// by a probe.
constexpr absl::Duration kFirstCheck = absl::Seconds(2);

}  // namespace

void Connector::Start(absl::Duration timeout) {
  timeout_ = timeout;
  Check();
}

void Connector::Cancel() {
  over_ = true;
  retry_.Cancel();
  call_.Cancel();
}

void Connector::Check() {
  const absl::Duration remaining = stopwatch_.Remaining(timeout_);
  call_ = CheckHealth(
      threads_.control, target_.channel,
      probed_ ? remaining : std::min(remaining, kFirstCheck),
      [self = shared_from_this(), work = threads_.begin_work()](
          const grpc::Status& status, Serving serving) mutable {
        // Handed on, not shared: timers must be destroyed on the loop.
        EventLoop& loop = self->threads_.loop;
        loop.Post([self = std::move(self), work = std::move(work), status,
                   serving] { self->OnAnswer(status, serving); });
      });
}

void Connector::OnAnswer(const grpc::Status& status, Serving serving) {
  // It holds the channel.
  call_ = CallHandle();
  if (over_) return;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      last_ = status;
      // gRPC gives this code to its own failures, too. After one of those the
      // connection does not stand.
      not_ready_ = target_.channel->GetState(/*try_to_connect=*/false) ==
                   GRPC_CHANNEL_READY;
      if (not_ready_) {
        OnNotReady();
      } else {
        OnUnavailable();
      }
      return;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      // Says less than the refusals before it.
      if (last_.ok()) last_ = status;
      if (probed_ || stopwatch_.Remaining(timeout_) == absl::ZeroDuration()) {
        Finish(not_ready_ ? NotReadyError() : ConnectError(), serving);
      } else {
        Probe();
      }
      return;
    default:
      Finish(absl::OkStatus(), serving);
  }
}

void Connector::OnUnavailable() {
  // What the plugin says itself explains nothing.
  const absl::Status tls_error = not_ready_ ? absl::OkStatus() : TlsError();
  if (!tls_error.ok()) {
    // By gRPC's words, so far: a look tells it by more.
    if (!has_looked_ && target_.endpoint.has_value()) return Probe();
    Finish(tls_error, Serving());
  } else if (stopwatch_.Elapsed() >=
             std::min(last_answer_ + kPatience, timeout_)) {
    Finish(ConnectError(), Serving());
  } else if (!probed_ && stopwatch_.Elapsed() >= next_probe_) {
    Probe();
  } else {
    retry_.Start(kRetryDelay, [this] { Check(); });
  }
}

void Connector::OnNotReady() {
  last_answer_ = stopwatch_.Elapsed();
  const absl::Duration remaining = stopwatch_.Remaining(timeout_);
  if (remaining == absl::ZeroDuration()) {
    return Finish(NotReadyError(), Serving());
  }
  not_ready_delay_ =
      std::min(std::max(2 * not_ready_delay_, kRetryDelay), kLongestDelay);
  retry_.Start(std::min(not_ready_delay_, remaining), [this] { Check(); });
}

void Connector::Probe() {
  probed_ = true;
  has_looked_ = true;
  if (!target_.endpoint.has_value()) return Check();
  threads_.steps->Post([self = shared_from_this()]() mutable {
    absl::StatusOr<WireKind> kind = ProbeEndpoint(
        *self->target_.endpoint, kProbeTimeout, self->target_.tls_client);
    EventLoop& loop = self->threads_.loop;
    loop.Post([self = std::move(self), kind = std::move(kind)]() mutable {
      self->OnProbed(std::move(kind));
    });
  });
}

void Connector::OnProbed(absl::StatusOr<WireKind> probed) {
  if (over_) return;
  if (probed.ok()) {
    wire_kind_ = *std::move(probed);
  } else if (const auto details = GetErrorDetails(probed.status());
             details.has_value() && details->reason == Reason::kTransport) {
    // This host may not connect, whoever listens.
    return Finish(probed.status(), Serving());
  } else {
    // Nobody listens there, so far.
    probed_ = false;
    next_probe_ = stopwatch_.Elapsed() + kProbeAfter;
  }
  OnUnavailable();
}

void Connector::Finish(const absl::Status& status, Serving serving) {
  over_ = true;
  done_(status, serving);
}

absl::Status Connector::TlsError() const {
  return ExplainTlsFailure(
      last_.error_message(), target_.uses_tls, wire_kind_,
      target_.announced.has_value() ? &*target_.announced : nullptr);
}

absl::Status Connector::NotReadyError() const {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what =
      absl::StrCat("the plugin at ", target_.name, " does not become ready");
  details.evidence = {
      absl::StrCat("its health check: ", DescribeGrpcStatus(last_)),
      absl::StrCat("asked for ", InMilliseconds(stopwatch_.Elapsed()))};
  details.hint =
      "the plugin answers that it is not ready: see its log for why, or raise "
      "start_timeout";
  return MakeError(details);
}

absl::Status Connector::ConnectError() const {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what = absl::StrCat("no connection to the plugin at ", target_.name);
  details.evidence = {
      DescribeGrpcStatus(last_),
      absl::StrCat("tried for ", InMilliseconds(stopwatch_.Elapsed()))};
  if (wire_kind_.has_value()) {
    details.evidence.push_back(
        absl::StrCat("a probe of the endpoint saw ", wire_kind_->ToString()));
  }
  if (last_.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
      absl::StrContains(last_.error_message(), "before receiving SETTINGS") ||
      (wire_kind_.has_value() && wire_kind_->kind == WireKind::Kind::kSilent)) {
    details.hint =
        "something takes connections there but does not answer: the plugin is "
        "stopped, stuck or overloaded, or it is no gRPC server";
    return MakeError(details);
  }
  if (target_.endpoint.has_value() &&
      target_.endpoint->network == Endpoint::Network::kUnix) {
    const absl::optional<ErrorDetails> socket =
        GetErrorDetails(CheckUnixSocket(target_.endpoint->address));
    if (socket.has_value()) {
      details.evidence.insert(details.evidence.end(), socket->evidence.begin(),
                              socket->evidence.end());
    }
  }
  details.hint = target_.nobody_hint;
  return MakeError(details);
}

}  // namespace goplugin::internal
