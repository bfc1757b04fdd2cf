#include "tests/plugins/server_mischief.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/plugins/lifetime.h"
#include "tests/plugins/output.h"

namespace server_plugin {
namespace {

using output::kStderr;
using output::kStdout;
using output::Say;

// Keeps both pipes until `file` is gone, or for 20 s. Its death must not hang
// on the plugin's.
void StartGrandchild(const std::string& file) {
  pid_t child = fork();
  if (child != 0) {
    Say(kStderr, "grandchild pid " + std::to_string(child) + "\n");
    return;
  }
  LimitLifetime(20);
  while (file.empty() || access(file.c_str(), F_OK) == 0) usleep(10000);
  _exit(0);
}

// Ten numbered lines per millisecond.
void Flood(int descriptor, std::int64_t lines) {
  const std::string filler(48, 'f');
  for (std::int64_t i = 0; lines <= 0 || i < lines; ++i) {
    Say(descriptor, "flood " + std::to_string(i) + " " + filler + "\n");
    if (i % 10 == 9) usleep(1000);
  }
}

void StartFlood(const Flags& flags, const char* name, int descriptor) {
  if (!flags.Has(name)) return;
  std::thread(Flood, descriptor, flags.Number(name, 0)).detach();
}

void SayLongLine(std::size_t size) {
  Say(kStderr, std::string(size, 'e') + "\n");
}

}  // namespace

// As language servers do: at once where there is nothing to read.
void EndWithStdin() {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  const auto ends = [] {
    char byte = 0;
    return read(STDIN_FILENO, &byte, 1) <= 0;
  };
  if (poll(&input, 1, 0) > 0 && ends()) _exit(0);
  std::thread([ends] {
    while (!ends()) {
    }
    _exit(0);
  }).detach();
}

void BeforeServer(const Flags& flags) {
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (flags.Has("ignore-sigterm")) signal(SIGTERM, SIG_IGN);
  if (flags.Has("grandchild")) StartGrandchild(flags.Get("grandchild", ""));
  if (flags.Has("ends-with-stdin")) EndWithStdin();
  if (flags.Has("stderr")) {
    Say(kStderr, output::Unescape(flags.Get("stderr", "")) + "\n");
  }
  if (flags.Has("long-stderr-line")) {
    SayLongLine(flags.Bytes("long-stderr-line", std::size_t{10} << 20));
  }
  if (flags.Has("close-stderr")) output::Drop(kStderr);
  Say(kStdout, output::Noise(flags.Get("noise", "")));
  absl::SleepFor(flags.Time("delay"));
}

void AfterLine(const Flags& flags) {
  if (flags.Has("die-after-line")) Die(flags.Get("die-after-line", "signal"));
  if (flags.Has("die-after")) {
    absl::Duration after = flags.Time("die-after");
    std::thread([after] {
      absl::SleepFor(after);
      Die("signal");
    }).detach();
  }
  if (flags.Has("after-line-stdout")) {
    Say(kStdout, output::Unescape(flags.Get("after-line-stdout", "")));
  }
  if (flags.Has("close-stdout")) output::Drop(kStdout);
  StartFlood(flags, "flood-stdout", kStdout);
  StartFlood(flags, "flood-stderr", kStderr);
  if (flags.Has("stop-self")) raise(SIGSTOP);
}

void Die(const std::string& how) {
  if (how == "exit") _exit(3);
  rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (how == "abort") {
    Say(kStderr, "terminate called after throwing 'the cause'\n");
    abort();
  }
  kill(getpid(), SIGKILL);
  while (true) pause();
}

}  // namespace server_plugin
