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
    return next;
  }

  const MakeOptions make;
  absl::Mutex mutex;
  int starts ABSL_GUARDED_BY(mutex) = 0;
  bool over ABSL_GUARDED_BY(mutex) = false;
  // All of them: one that has ended costs next to nothing.
  Plugins plugins ABSL_GUARDED_BY(mutex);
};

InProcessPlugins::InProcessPlugins(MakeOptions make_options)
    : state_(std::make_shared<State>(std::move(make_options))) {}

InProcessPlugins::~InProcessPlugins() {
  State::Plugins plugins;
  MutexLock lock(state_->mutex);
  state_->over = true;
  plugins.swap(state_->plugins);
}

SupervisorSource InProcessPlugins::Source() const {
  return SupervisorSource::FromLaunch(
      [state = state_](ClientOptions options, Client::LaunchCallback done) {
        absl::StatusOr<std::shared_ptr<InProcessPlugin>> plugin =
            state->MakeNext();
        if (!plugin.ok()) {
          std::move(done)(plugin.status());
          return LaunchOperation();
        }
        return (*plugin)->LaunchAsync(std::move(options), std::move(done));
      });
}

void InProcessPlugins::End(ExitStatus status) {
  State::Plugins plugins;
  {
    MutexLock lock(state_->mutex);
    plugins = state_->plugins;
  }
  for (const auto& plugin : plugins) plugin->End(status);
}

int InProcessPlugins::starts() const {
  MutexLock lock(state_->mutex);
  return state_->starts;
}

}  // namespace goplugin::testing
