#include "goplugin/internal/supervise/driver.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "goplugin/internal/supervise/shared_relay.h"

// What is asked of it, and what it does.

namespace goplugin::internal {
namespace {

using Kind = Decision::Kind;

// When those who wait for a broken connection look at it again.
constexpr absl::Duration kLookAgain = absl::Milliseconds(10);

// Hosts that start together do not wait in step.
std::uint32_t Seed(const void* address) {
  const auto time = std::chrono::steady_clock::now().time_since_epoch().count();
  return static_cast<std::uint32_t>(
      static_cast<std::uint64_t>(time) ^
      (reinterpret_cast<std::uintptr_t>(address) >> 4));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Driver>> Driver::Create(
    Source source, ClientOptions client_options, SupervisorOptions options) {
  absl::StatusOr<std::shared_ptr<Runtime>> runtime = Runtime::Acquire();
  if (!runtime.ok()) return runtime.status();
  auto driver = std::shared_ptr<Driver>(
      new Driver(*std::move(runtime), std::move(source),
                 std::move(client_options), std::move(options)));
  // A call that finds nobody may come at any time.
  driver->router_ = std::make_shared<Router>(
      Seed(driver.get()), [weak = std::weak_ptr<Driver>(driver)] {
        std::shared_ptr<Driver> driver = weak.lock();
        if (driver == nullptr) return;
        const std::shared_ptr<Runtime> runtime = driver->runtime_;
        // Not kept here: this may be the relay's thread, which its end joins.
        runtime->loop().Post(
            [driver = std::move(driver)] { driver->OnWant(); });
      });
  PassingOptions passing;
  passing.max_waiting = driver->options_.max_waiting;
  passing.retry_safe_methods = {driver->options_.retry_safe_methods.begin(),
                                driver->options_.retry_safe_methods.end()};
  driver->channel_ = std::make_shared<PassingChannel>(
      driver->router_, SharedRelay(), std::move(passing));
  return driver;
}

Driver::Driver(std::shared_ptr<Runtime> runtime, Source source,
               ClientOptions client_options, SupervisorOptions options)
    : runtime_(std::move(runtime)),
      starts_(Lane::Create(runtime_->work())),
      completions_(Lane::Create(runtime_->completions())),
      client_options_(std::move(client_options)),
      options_(std::move(options)),
      telemetry_(
          client_options_.telemetry == nullptr
              ? nullptr
              : std::make_unique<TelemetryLane>(
                    client_options_.telemetry, runtime_->callbacks(),
                    [name = source.name] { return PluginIdentity{name}; })),
      board_(stopwatch_),
      dice_(Seed(this)),
      machine_(
          options_,
          {[this] { return std::uniform_real_distribution<double>()(dice_); },
           [this](std::uint64_t id) {
             const auto found = plugins_.find(id);
             Activity activity;
             if (found == plugins_.end()) return activity;
             const CallTarget* target = found->second->target().get();
             if (target == nullptr) return activity;
             activity.under_way = target->under_way;
             activity.heard = target->heard;
             return activity;
           }}) {
  sources_.emplace(0, std::move(source));
}

Driver::~Driver() = default;

// ---- What is asked of it ----------------------------------------------------

void Driver::Post(Event event) {
  runtime_->loop().Post(
      [self = shared_from_this(), event = std::move(event)]() mutable {
        self->Tell(std::move(event));
      });
}

void Driver::Start(Done done) {
  self_ = shared_from_this();
  Post([this, done = std::move(done)](Machine& machine,
                                      absl::Duration now) mutable {
    timer_ = std::make_unique<Timer>(runtime_->loop());
    again_ = std::make_unique<Timer>(runtime_->loop());
    waiting_.emplace(++last_request_, std::move(done));
    machine.Start(now, last_request_);
  });
}

void Driver::Replace(Source source, Done done) {
  Post([this, source = std::move(source), done = std::move(done)](
           Machine& machine, absl::Duration now) mutable {
    sources_.emplace(++last_version_, std::move(source));
    waiting_.emplace(++last_request_, std::move(done));
    machine.Replace(now, last_request_, last_version_);
  });
}

void Driver::Restart(Done done) {
  Post([this, done = std::move(done)](Machine& machine,
                                      absl::Duration now) mutable {
    waiting_.emplace(++last_request_, std::move(done));
    machine.Restart(now, last_request_);
  });
}

void Driver::Shutdown(Done done) {
  Post([this, done = std::move(done)](Machine& machine,
                                      absl::Duration now) mutable {
    waiting_.emplace(++last_request_, std::move(done));
    machine.Shutdown(now, last_request_);
  });
}

void Driver::Scale(int replicas) {
  Post([replicas](Machine& machine, absl::Duration now) {
    machine.Scale(now, replicas);
  });
}

void Driver::WaitForLoop() {
  const auto done = std::make_shared<absl::Notification>();
  runtime_->loop().Post([done] { done->Notify(); });
  done->WaitForNotification();
}

// ---- What it does -----------------------------------------------------------

void Driver::Tell(Event event) {
  event(machine_, stopwatch_.Elapsed());
  std::vector<Decision> answers;
  // What is done may lead to more that is to be done, never at once.
  for (Decision& decision : machine_.TakeDecisions()) {
    if (decision.kind == Kind::kAnswer) {
      answers.push_back(std::move(decision));
    } else {
      Do(decision);
    }
  }
  TellTelemetry();
  DropWhatIsGone();
  Publish();
  if (machine_.finished() && self_ != nullptr) Leave();
  // Who gets an answer may look at once whether it is true, and may be waiting
  // to end the threads.
  for (const Decision& answer : answers) Answer(answer);
}

void Driver::Answer(const Decision& decision) {
  const auto found = waiting_.find(decision.request);
  if (found == waiting_.end()) return;
  Done done = std::move(found->second);
  waiting_.erase(found);
  std::move(done)(decision.status);
}

void Driver::Do(const Decision& decision) {
  if (decision.kind == Kind::kStart) return Launch(decision);
  const auto found = plugins_.find(decision.generation);
  if (found == plugins_.end()) return;
  LivePlugin& plugin = *found->second;
  switch (decision.kind) {
    case Kind::kPrepare:
      return plugin.RunPrepare(options_.prepare, options_.prepare_timeout);
    case Kind::kCheck:
      return plugin.Check(options_.health.timeout);
    case Kind::kUse:
      return OnUse(plugin);
    case Kind::kWithdraw:
      routes_changed_ = true;
      return;
    case Kind::kEnd:
      return plugin.End();
    default:
      return;
  }
}

void Driver::OnUse(const LivePlugin& plugin) {
  routes_changed_ = true;
  if (generation_observers_.empty()) return;
  completions_->Post([observers = generation_observers_,
                      replica = plugin.replica(), id = plugin.generation(),
                      client = plugin.client()] {
    for (const auto& observer : observers) (*observer)(replica, id, client);
  });
}

void Driver::OnWant() {
  Tell([](Machine& machine, absl::Duration now) { machine.Want(now); });
  // A connection that is broken is back, or its process gone, before long.
  if (again_ != nullptr) {
    again_->Start(kLookAgain, [this] { router_->LookAgain(); });
  }
}

void Driver::DropWhatIsGone() {
  const auto& generations = machine_.replicas().generations();
  for (auto next = plugins_.begin(); next != plugins_.end();) {
    const auto plugin = next++;
    if (generations.count(plugin->first) != 0) continue;
    plugin->second->Forget();
    plugins_.erase(plugin);
  }
  const std::vector<int> versions = machine_.versions();
  for (auto next = sources_.begin(); next != sources_.end();) {
    const auto source = next++;
    const bool needed =
        std::count(versions.begin(), versions.end(), source->first) != 0;
    if (!needed) sources_.erase(source);
  }
}

void Driver::Leave() {
  runtime_->loop().Post([self = std::move(self_)] {
    self->timer_.reset();
    self->again_.reset();
    self->state_observers_.clear();
    self->generation_observers_.clear();
    self->sources_.clear();
  });
}

}  // namespace goplugin::internal
