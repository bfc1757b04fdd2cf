#include "goplugin/internal/start/runner_plugin_process.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

RunnerPluginProcess::RunnerPluginProcess(EventLoop& loop, Pool& pool,
                                         std::shared_ptr<Runner> runner,
                                         Owner owner, Descriptors descriptors,
                                         Callbacks callbacks)
    : PluginProcess(/*pid=*/-1, std::move(callbacks)),
      loop_(loop),
      runner_(std::move(runner)),
      owner_(owner),
      lane_(Lane::Create(pool)),
      output_(loop, pool, std::move(descriptors.stdout_fd),
              std::move(descriptors.stderr_fd), this->callbacks()),
      exit_fd_(std::move(descriptors.exit_fd)),
      watch_(std::make_unique<DescriptorWatch>(
          loop, exit_fd_.get(),
          DescriptorWatch::Callbacks{[this] { OnMaybeExited(); }, nullptr})),
      self_(std::make_shared<RunnerPluginProcess*>(this)) {
  watch_->WaitReadable();
}

void RunnerPluginProcess::OnMaybeExited() {
  lane_->Post([&loop = loop_, runner = runner_,
               weak = std::weak_ptr<RunnerPluginProcess*>(self_)] {
    loop.Post([weak, status = runner->Wait()] {
      if (const auto self = weak.lock()) (*self)->OnWaited(status);
    });
  });
}

void RunnerPluginProcess::OnWaited(const absl::StatusOr<ExitStatus>& status) {
  if (!status.ok()) {
    set_trouble(Said("Wait", status.status()));
    // It may be there still, and nobody will look again.
    if (owner_ == Owner::kClient) {
      lane_->Post([runner = runner_] { runner->Kill().IgnoreError(); });
    }
  }
  output_.Drain([this, exit = status.value_or(ExitStatus())] { Exited(exit); });
}

void RunnerPluginProcess::Signal(int /*signal*/) {
  if (exit_status().has_value() || killing_) return;
  killing_ = true;
  lane_->Post([&loop = loop_, runner = runner_,
               weak = std::weak_ptr<RunnerPluginProcess*>(self_)] {
    loop.Post([weak, status = runner->Kill()] {
      if (const auto self = weak.lock()) (*self)->OnKilled(status);
    });
  });
}

void RunnerPluginProcess::OnKilled(const absl::Status& status) {
  killing_ = false;
  if (!status.ok()) set_trouble(Said("Kill", status));
}

std::string RunnerPluginProcess::Said(const char* step,
                                      const absl::Status& status) const {
  return absl::StrCat(
      step, " of the runner ", runner_->Name(), " failed: ",
      Quote(status.ToString(absl::StatusToStringMode::kWithNoExtraData)));
}

}  // namespace goplugin::internal
