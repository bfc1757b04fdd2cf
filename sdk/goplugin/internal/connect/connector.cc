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
#include "goplugin/internal/process/socket_sweep.h"
#include "goplugin/internal/rpc/health.h"
#include "goplugin/internal/tls/explain.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(20);
// A server that takes connections and drops them is looked at after this time:
// long enough for one that is only just starting.
constexpr absl::Duration kProbeAfter = absl::Milliseconds(250);
constexpr absl::Duration kProbeTimeout = absl::Milliseconds(500);
// Some mismatches end in no error at all, only in silence (a client without TLS
// at a Go server with it). A first check that is silent for so long is followed
// by a probe.
constexpr absl::Duration kFirstCheck = absl::Seconds(2);

bool NobodyListens(const grpc::Status& status) {
  return absl::StrContains(status.error_message(), "Connection refused") ||
         absl::StrContains(status.error_message(), "No such file");
}

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
      threads_.calls, target_.channel,
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
      OnUnavailable();
      return;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      // Says less than the refusals before it.
      if (last_.ok()) last_ = status;
      if (probed_ || stopwatch_.Remaining(timeout_) == absl::ZeroDuration()) {
        Finish(ConnectError(), serving);
      } else {
        Probe();
      }
      return;
    default:
      Finish(absl::OkStatus(), serving);
  }
}

void Connector::OnUnavailable() {
  const absl::Status tls_error = TlsError();
  if (!tls_error.ok()) {
    Finish(tls_error, Serving());
  } else if (stopwatch_.Elapsed() >= std::min(kPatience, timeout_)) {
    Finish(ConnectError(), Serving());
  } else if (!probed_ && !NobodyListens(last_) &&
             stopwatch_.Elapsed() >= kProbeAfter) {
    Probe();
  } else {
    retry_.Start(kRetryDelay, [this] { Check(); });
  }
}

void Connector::Probe() {
  probed_ = true;
  if (!target_.endpoint.has_value()) return Check();
  threads_.steps->Post([self = shared_from_this()]() mutable {
    absl::StatusOr<WireKind> kind =
        ProbeEndpoint(*self->target_.endpoint, kProbeTimeout);
    EventLoop& loop = self->threads_.loop;
    loop.Post([self = std::move(self), kind = std::move(kind)]() mutable {
      self->OnProbed(std::move(kind));
    });
  });
}

void Connector::OnProbed(absl::StatusOr<WireKind> probed) {
  if (over_) return;
  if (probed.ok()) wire_kind_ = *std::move(probed);
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
