#include "goplugin/internal/start/process_output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "goplugin/internal/loop/file_tail.h"

namespace goplugin::internal {
namespace {

// The most that is read after the exit. A pipe holds 64 KiB, 1 MiB at most for
// ordinary users; more can only come from somebody who still writes.
constexpr size_t kLastWords = size_t{1024} * 1024;

// A plugin that may outlive its host writes to files (or to /dev/null), which
// can't be waited for; a terminal can. nullptr for what is not there.
std::unique_ptr<OutputReader> MakeReader(EventLoop& loop,
                                         const std::shared_ptr<Lane>& reads,
                                         UniqueFd output,
                                         OutputReader::Callbacks callbacks) {
  if (!output.valid()) return nullptr;
  struct stat file = {};
  fstat(output.get(), &file);
  const bool is_device = S_ISCHR(file.st_mode) && isatty(output.get()) == 0;
  if (S_ISREG(file.st_mode) || is_device) {
    return std::make_unique<FileTail>(loop, reads, output.release(),
                                      std::move(callbacks));
  }
  return std::make_unique<PipeReader>(loop, output.release(),
                                      std::move(callbacks));
}

void ReportEnd(PluginProcess::Callbacks& callbacks, absl::string_view stream,
               int error) {
  if (error == 0 || callbacks.on_read_error == nullptr) return;
  callbacks.on_read_error(stream, error);
}

}  // namespace

ProcessOutput::ProcessOutput(EventLoop& loop, Pool& pool, UniqueFd stdout_fd,
                             UniqueFd stderr_fd,
                             PluginProcess::Callbacks& callbacks)
    : self_(std::make_shared<ProcessOutput*>(this)) {
  // One for both: a dead file system takes one thread of the pool's.
  const auto reads = Lane::Create(pool);
  stdout_ =
      MakeReader(loop, reads, std::move(stdout_fd),
                 {[this, &callbacks](absl::string_view bytes) {
                    callbacks.on_stdout(bytes);
                    Brake(&ProcessOutput::stdout_, callbacks.has_stdout_room);
                  },
                  [&callbacks](int error) {
                    ReportEnd(callbacks, "stdout", error);
                    callbacks.on_stdout_end();
                  }});
  stderr_ = MakeReader(
      loop, reads, std::move(stderr_fd),
      {[this, &callbacks](absl::string_view bytes) {
         callbacks.on_stderr(bytes);
         Brake(&ProcessOutput::stderr_, callbacks.has_room);
       },
       [&callbacks](int error) { ReportEnd(callbacks, "stderr", error); }});
}

void ProcessOutput::Brake(
    std::unique_ptr<OutputReader> ProcessOutput::*reader,
    absl::AnyInvocable<bool(absl::AnyInvocable<void()>)>& has_room) {
  if (has_room == nullptr) return;
  const bool room =
      has_room([weak = std::weak_ptr<ProcessOutput*>(self_), reader] {
        const auto self = weak.lock();
        if (self != nullptr) ((*self)->*reader)->Resume();
      });
  if (!room) (this->*reader)->Pause();
}

void ProcessOutput::Drain(absl::AnyInvocable<void()> done) {
  auto drain_stdout = [this, done = std::move(done)]() mutable {
    if (stdout_ == nullptr) return done();
    stdout_->Drain(kLastWords, std::move(done));
  };
  if (stderr_ == nullptr) return drain_stdout();
  stderr_->Drain(kLastWords, std::move(drain_stdout));
}

PluginProcess::Callbacks OutputCallbacks(PluginOutput& output) {
  PluginProcess::Callbacks callbacks;
  callbacks.on_stdout = [&output](absl::string_view bytes) {
    output.OnStdout(bytes);
  };
  callbacks.on_stdout_end = [] {};
  callbacks.on_stderr = [&output](absl::string_view bytes) {
    output.OnStderr(bytes);
  };
  callbacks.has_room = [&output](absl::AnyInvocable<void()> resume) {
    return output.HasRoom(std::move(resume));
  };
  callbacks.on_last_words = [&output](absl::AnyInvocable<void()> done) {
    output.FinishStderr(std::move(done));
  };
  callbacks.on_read_error = [&output](absl::string_view stream, int error) {
    output.OnReadError(stream, error);
  };
  return callbacks;
}

}  // namespace goplugin::internal
