#include "goplugin/supervisor.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/supervise/driver.h"
#include "goplugin/internal/supervise/source.h"
#include "goplugin/internal/supervise/supervisor_check.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin {

using internal::Driver;

namespace {

// How long a failed call waits for the failure that may have caused it, and how
// long before it was asked about that may have come.
constexpr absl::Duration kExplainWait = absl::Seconds(1);
constexpr absl::Duration kExplainBack = absl::Seconds(5);

// Waits for what `begin` begins. Once the process exits, clients tell nothing
// any more, and a second is given to what is on its way.
absl::Status Await(absl::AnyInvocable<void(Driver::Done) &&> begin) {
  absl::Status may_block = internal::Session::CheckMayBlock();
  if (!may_block.ok()) return may_block;
  // Shared with the loop, which may still be in Notify when this returns.
  struct Outcome {
    internal::SteadyNotification known;
    absl::Status status;
  };
  const auto outcome = std::make_shared<Outcome>();
  std::move(begin)([outcome](absl::Status status) {
    outcome->status = std::move(status);
    outcome->known.Notify();
  });
  while (!outcome->known.WaitFor(absl::Seconds(1))) {
    absl::Status usable = internal::Runtime::CheckProcess();
    if (usable.ok()) continue;
    if (!outcome->known.WaitFor(absl::Seconds(1))) return usable;
    break;
  }
  return outcome->status;
}

// Has `done` called as a completion, unless the process can't be used.
template <typename Begin>
void BeginAsync(const std::shared_ptr<Driver>& driver,
                absl::AnyInvocable<void(absl::Status) &&> done, Begin begin) {
  if (done == nullptr) done = [](const absl::Status&) {};
  absl::Status usable = internal::Runtime::CheckProcess();
  if (!usable.ok()) return std::move(done)(std::move(usable));
  begin([driver, done = std::move(done)](absl::Status status) mutable {
    driver->PostCompletion(
        [done = std::move(done), status = std::move(status)]() mutable {
          std::move(done)(std::move(status));
        });
  });
}

// In a forked child, where its threads do not exist. Kept reachable, for leak
// checkers.
void Abandon(std::shared_ptr<Driver> driver) {
  static auto* abandoned = new std::vector<std::shared_ptr<Driver>>;
  abandoned->push_back(std::move(driver));
}

}  // namespace

// ---- Supervisor -------------------------------------------------------------

absl::StatusOr<std::shared_ptr<Driver>> Supervisor::Create(
    const SupervisorSource& source, ClientOptions options,
    SupervisorOptions supervision) {
  absl::Status status = internal::Runtime::CheckProcess();
  if (status.ok()) status = internal::CheckSupervisorOptions(supervision);
  if (status.ok()) status = source.source_->check(options);
  if (!status.ok()) return status;
  return Driver::Create(*source.source_, std::move(options),
                        std::move(supervision));
}

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::Start(
    const SupervisorSource& source, ClientOptions options,
    SupervisorOptions supervision) {
  absl::Status may_block = internal::Session::CheckMayBlock();
  if (!may_block.ok()) return may_block;
  absl::StatusOr<std::shared_ptr<Driver>> driver =
      Create(source, std::move(options), std::move(supervision));
  if (!driver.ok()) return driver.status();
  const absl::Status started =
      Await([&](Driver::Done done) { (*driver)->Start(std::move(done)); });
  if (started.ok()) {
    return std::unique_ptr<Supervisor>(new Supervisor(*std::move(driver)));
  }
  (*driver)->WaitForLoop();
  return started;
}

void Supervisor::StartAsync(const SupervisorSource& source,
                            ClientOptions options,
                            SupervisorOptions supervision, StartCallback done) {
  if (done == nullptr) {
    done = [](const absl::StatusOr<std::unique_ptr<Supervisor>>&) {};
  }
  absl::StatusOr<std::shared_ptr<Driver>> created =
      Create(source, std::move(options), std::move(supervision));
  if (!created.ok()) {
    absl::AnyInvocable<void()&&> tell = [done = std::move(done),
                                         status = created.status()]() mutable {
      std::move(done)(std::move(status));
    };
    // Better here than never.
    if (!internal::Runtime::RunApart(tell)) std::move(tell)();
    return;
  }
  std::shared_ptr<Driver> driver = *std::move(created);
  BeginAsync(
      driver,
      [driver, done = std::move(done)](absl::Status started) mutable {
        if (!started.ok()) return std::move(done)(std::move(started));
        std::move(done)(
            std::unique_ptr<Supervisor>(new Supervisor(std::move(driver))));
      },
      [&](Driver::Done told) { driver->Start(std::move(told)); });
}

Supervisor::Supervisor(std::shared_ptr<Driver> driver)
    : driver_(std::move(driver)) {}

Supervisor::~Supervisor() {
  const absl::optional<ErrorDetails> details =
      GetErrorDetails(internal::Runtime::CheckProcess());
  if (details.has_value() && details->reason == Reason::kForked) {
    Abandon(std::move(driver_));
    return;
  }
  if (!internal::Session::CheckMayBlock().ok()) {
    driver_->Shutdown([](const absl::Status&) {});
    return;
  }
  Shutdown().IgnoreError();
  driver_->WaitForLoop();
}

std::shared_ptr<grpc::ChannelInterface> Supervisor::channel() const {
  return driver_->channel();
}

std::shared_ptr<Client> Supervisor::client(int replica) const {
  // A lock may be held by a thread that does not exist in a forked child.
  if (!internal::Runtime::CheckProcess().ok()) return nullptr;
  return driver_->board().client(replica);
}

absl::Status Supervisor::Replace(SupervisorSource source) {
  return Await([&](Driver::Done done) {
    driver_->Replace(*source.source_, std::move(done));
  });
}

void Supervisor::ReplaceAsync(SupervisorSource source,
                              absl::AnyInvocable<void(absl::Status) &&> done) {
  BeginAsync(driver_, std::move(done), [&](Driver::Done told) {
    driver_->Replace(*source.source_, std::move(told));
  });
}

absl::Status Supervisor::Restart() {
  return Await(
      [this](Driver::Done done) { driver_->Restart(std::move(done)); });
}

void Supervisor::RestartAsync(absl::AnyInvocable<void(absl::Status) &&> done) {
  BeginAsync(driver_, std::move(done),
             [this](Driver::Done told) { driver_->Restart(std::move(told)); });
}

absl::Status Supervisor::Scale(int replicas) {
  absl::Status status = internal::Runtime::CheckProcess();
  if (status.ok()) status = internal::CheckReplicas(replicas);
  if (status.ok()) driver_->Scale(replicas);
  return status;
}

absl::Status Supervisor::Shutdown() {
  return Await(
      [this](Driver::Done done) { driver_->Shutdown(std::move(done)); });
}

void Supervisor::ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done) {
  BeginAsync(driver_, std::move(done),
             [this](Driver::Done told) { driver_->Shutdown(std::move(told)); });
}

SupervisorStatus Supervisor::Status() const {
  if (internal::Runtime::CheckProcess().ok()) return driver_->board().Read();
  SupervisorStatus status;
  status.state = SupervisorState::kStopped;
  return status;
}

void Supervisor::OnState(
    std::function<void(SupervisorState, const absl::Status&)> callback) {
  if (callback == nullptr || !internal::Runtime::CheckProcess().ok()) return;
  driver_->ObserveStates(std::move(callback));
}

void Supervisor::OnGeneration(
    std::function<void(int, std::uint64_t, const std::shared_ptr<Client>&)>
        callback) {
  if (callback == nullptr || !internal::Runtime::CheckProcess().ok()) return;
  driver_->ObserveGenerations(std::move(callback));
}

absl::Status Supervisor::Explain(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  absl::Status may_block = internal::Session::CheckMayBlock();
  if (!may_block.ok()) return may_block;
  if (!internal::MayMeanExit(status)) {
    return internal::CallError(status, /*seen=*/true, /*hang=*/"");
  }
  internal::StatusBoard& board = driver_->board();
  const SupervisorStatus now = board.Read();
  absl::Status failure = now.last_failure;
  if (now.state != SupervisorState::kGaveUp) {
    failure = board.WaitForFailure(board.now() - kExplainBack, kExplainWait);
  }
  return failure.ok() ? internal::CallError(status, /*seen=*/true, /*hang=*/"")
                      : internal::WithCall(failure, status);
}

}  // namespace goplugin
