#include "goplugin/launch_operation.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/lifecycle/told.h"

namespace goplugin {

using internal::Session;

absl::StatusOr<std::unique_ptr<Client>> LaunchOperation::Wait() {
  absl::Status status = Session::CheckMayBlock();
  if (!status.ok()) return status;
  if (result_ == nullptr || !told_->Claim()) {
    return internal::MakeError(
        Reason::kOptions, "there is no client to wait for",
        "Wait once, for a launch that was given no callback");
  }
  if (told_->Wait()) return std::move(*result_);
  // Nothing is told any more.
  return internal::Runtime::CheckProcess();
}

void LaunchOperation::Cancel() {
  if (!internal::Runtime::CheckProcess().ok()) return;
  if (std::shared_ptr<Session> session = session_.lock()) {
    session->CancelStart();
  }
}

absl::Status LaunchOperation::CancelAndWait() {
  absl::Status status = Session::CheckMayBlock();
  if (!status.ok()) return status;
  if (std::shared_ptr<Session> session = session_.lock()) {
    session->CancelStart();
  }
  if (told_ != nullptr) told_->Wait();
  return absl::OkStatus();
}

}  // namespace goplugin
