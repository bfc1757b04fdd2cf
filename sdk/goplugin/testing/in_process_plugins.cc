#include "goplugin/testing/in_process_plugins.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/launch_operation.h"

namespace goplugin::testing {

using internal::MutexLock;

// Shared with the sources, which may outlive the InProcessPlugins.
struct InProcessPlugins::State {
  explicit State(MakeOptions make_options) : make(std::move(make_options)) {}

  using Plugins = std::vector<std::shared_ptr<InProcessPlugin>>;

  absl::StatusOr<std::shared_ptr<InProcessPlugin>> MakeNext() {
    {
      MutexLock lock(mutex);
      ++starts;
    }
    absl::StatusOr<InProcessPluginOptions> options = make();
    if (!options.ok()) return options.status();
    auto next = std::make_shared<InProcessPlugin>(*std::move(options));
    MutexLock lock(mutex);
    if (over) {
      return internal::MakeError(Reason::kShutDown,
                                 "the test's InProcessPlugins are gone",
                                 "keep them for as long as the supervisor");
    }
    plugins.push_back(next);
    ++holders;
    return next;
  }

  Plugins HoldAll() {
    MutexLock lock(mutex);
    ++holders;
    return plugins;
  }

  // After HoldAll or a MakeNext that has succeeded, when what it gave is gone.
  void LetGo() {
    MutexLock lock(mutex);
    --holders;
  }

  Plugins TakeAll() {
    MutexLock lock(mutex);
    over = true;
    mutex.Await(absl::Condition(this, &State::IsAlone));
    return std::exchange(plugins, {});
  }

  bool IsAlone() const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    return holders == 0;
  }

  const MakeOptions make;
  absl::Mutex mutex;
  int starts ABSL_GUARDED_BY(mutex) = 0;
  bool over ABSL_GUARDED_BY(mutex) = false;
  // How many others have references to plugins: who lets the last one go waits
  // for the services' methods, and one of those may be in End.
  int holders ABSL_GUARDED_BY(mutex) = 0;
  // All of them: one that has ended costs next to nothing.
  Plugins plugins ABSL_GUARDED_BY(mutex);
};

InProcessPlugins::InProcessPlugins(MakeOptions make_options)
    : state_(std::make_shared<State>(std::move(make_options))) {}

InProcessPlugins::~InProcessPlugins() { state_->TakeAll(); }

SupervisorSource InProcessPlugins::Source() const {
  return SupervisorSource::FromLaunch(
      [state = state_](ClientOptions options, Client::LaunchCallback done) {
        absl::StatusOr<std::shared_ptr<InProcessPlugin>> plugin =
            state->MakeNext();
        if (!plugin.ok()) {
          std::move(done)(plugin.status());
          return LaunchOperation();
        }
        LaunchOperation launch =
            (*plugin)->LaunchAsync(std::move(options), std::move(done));
        plugin->reset();
        state->LetGo();
        return launch;
      });
}

void InProcessPlugins::End(ExitStatus status) {
  // This object may be gone as soon as it lets go.
  const std::shared_ptr<State> state = state_;
  State::Plugins plugins = state->HoldAll();
  for (const auto& plugin : plugins) plugin->End(status);
  plugins.clear();
  state->LetGo();
}

int InProcessPlugins::starts() const {
  MutexLock lock(state_->mutex);
  return state_->starts;
}

}  // namespace goplugin::testing
