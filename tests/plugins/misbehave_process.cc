// Faults around the process and its output.

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/plugins/lifetime.h"
#include "tests/plugins/misbehave_parts.h"
#include "tests/plugins/output.h"

namespace misbehave {

void Hang() {
  while (true) pause();
}

namespace {

using output::Say;

constexpr int kOut = output::kStdout;
constexpr int kErr = output::kStderr;

// Dies of `number`, without a core file.
[[noreturn]] void DieBy(int number) {
  rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  raise(number);
  Hang();
}

void Silent(const char*) { Hang(); }
void Exit0(const char*) { _exit(0); }
void Exit1(const char*) { _exit(1); }
void ExitCode(const char* code) { _exit(atoi(code)); }

void ExitStderr(const char*) {
  Say(kErr, "loading configuration\nfatal: cannot open /etc/kv.conf\n");
  _exit(1);
}

void ExitStdout(const char*) {
  Say(kOut, "usage: kv-plugin [--help]\nkv-plugin: missing argument\n");
  _exit(2);
}

void ExitStdout0(const char*) {
  Say(kOut, "kv-plugin 1.2.3\n");
  _exit(0);
}

void ExitBoth(const char*) {
  Say(kOut, "on stdout\n");
  Say(kErr, "on stderr\n");
  _exit(3);
}

// More than any bound on the tail; the cause is the last line.
void ExitTraceback(const char*) {
  Say(kErr, "Traceback (most recent call last):\n");
  for (int i = 0; i < 400; ++i) {
    Say(kErr, "  File \"plugin.py\", line " + std::to_string(i) + ", in f\n");
  }
  Say(kErr, "ValueError: the cause is here\n");
  _exit(1);
}

void ExitGoPanic(const char*) {
  Say(kErr,
      "panic: runtime error: index out of range [3]\n\n"
      "goroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\n");
  _exit(2);
}

void CookieWrong(const char*) {
  const char* cookie = getenv("BASIC_PLUGIN");
  if (cookie != nullptr && std::string(cookie) == "another value") Hang();
  Say(kErr,
      "This binary is a plugin. Please start the program that uses it "
      "instead.\n");
  _exit(1);
}

void DieSegv(const char*) { DieBy(SIGSEGV); }
void DieKill(const char*) { DieBy(SIGKILL); }
void DieAbrt(const char*) {
  Say(kErr, "terminate called without an active exception\n");
  DieBy(SIGABRT);
}
void DieTerm(const char*) { DieBy(SIGTERM); }
void DieSignal(const char* number) { DieBy(atoi(number)); }
void StopSelf(const char*) {
  raise(SIGSTOP);
  Hang();
}

void IgnoreTerm(const char*) {
  signal(SIGTERM, SIG_IGN);
  Hang();
}

void CloseStdout(const char*) {
  output::Drop(kOut);
  Hang();
}

void CloseBoth(const char*) {
  output::Drop(kOut);
  output::Drop(kErr);
  Hang();
}

void NoiseText(const char*) {
  Say(kOut, output::Noise("text"));
  Hang();
}

void NoiseTextExit(const char*) {
  Say(kOut, "error: no license found\n");
  _exit(0);
}

void NoiseBinary(const char*) {
  Say(kOut, output::Noise("binary"));
  Hang();
}

void NoiseFivePipes(const char*) {
  Say(kOut, output::Noise("five-pipes"));
  Hang();
}

void Noise10Mb(const char*) {
  Say(kOut, output::Noise("10mb"));
  Hang();
}

void NoiseForever(const char*) {
  std::string block = output::Noise("10mb");
  while (true) Say(kOut, block);
}

void LongLine10Mb(const char*) {
  std::string line = output::Noise("long-line");
  line.pop_back();
  Say(kOut, line);
  Hang();
}

void LongLineForever(const char*) {
  const std::string block(std::size_t{1} << 16, 'x');
  while (true) Say(kOut, block);
}

void StderrForever(const char*) {
  std::string block = output::Noise("10mb");
  while (true) Say(kErr, block);
}

void Strays(const char* seconds) {
  // The child holds both pipes after its parent is gone.
  pid_t child = fork();
  if (child == 0) {
    int limit = atoi(seconds);
    LimitLifetime(limit > 0 ? limit : 20);
    Hang();
  }
  Say(kErr, "grandchild pid " + std::to_string(child) + "\n");
  _exit(1);
}

constexpr Behaviour kTable[] = {
    {"silent", Silent, "prints nothing, stays"},
    {"exit0", Exit0, "exits with 0 at once"},
    {"exit1", Exit1, "exits with 1 at once"},
    {"exit-code", ExitCode, "exits with ARG at once"},
    {"exit-stderr", ExitStderr, "two lines on stderr, exits with 1"},
    {"exit-stdout", ExitStdout, "two lines on stdout, exits with 2"},
    {"exit-stdout-0", ExitStdout0, "a line on stdout, exits with 0"},
    {"exit-both", ExitBoth, "a line on each, exits with 3"},
    {"exit-traceback", ExitTraceback, "402 lines on stderr, the last tells"},
    {"exit-go-panic", ExitGoPanic, "a Go panic on stderr, exits with 2"},
    {"cookie-wrong", CookieWrong, "as a plugin with another cookie: exits 1"},
    {"die-segv", DieSegv, "dies of SIGSEGV"},
    {"die-kill", DieKill, "dies of SIGKILL"},
    {"die-abrt", DieAbrt, "a line on stderr, dies of SIGABRT"},
    {"die-term", DieTerm, "dies of SIGTERM"},
    {"die-signal", DieSignal, "dies of signal ARG"},
    {"stop-self", StopSelf, "stops itself by SIGSTOP before the line"},
    {"ignore-sigterm", IgnoreTerm, "prints nothing, ignores SIGTERM"},
    {"close-stdout", CloseStdout, "closes stdout, stays"},
    {"close-both", CloseBoth, "closes stdout and stderr, stays"},
    {"noise-text", NoiseText, "lines that are no candidates, stays"},
    {"noise-text-exit", NoiseTextExit, "such a line, exits with 0"},
    {"noise-binary", NoiseBinary, "4 KiB of all bytes, stays"},
    {"noise-five-pipes", NoiseFivePipes, "three lines a|b|c|d|e|f, stays"},
    {"noise-10mb", Noise10Mb, "10 MiB in lines of 1 KiB, stays"},
    {"noise-forever", NoiseForever, "such lines without end"},
    {"long-line-10mb", LongLine10Mb, "10 MiB without a newline, stays"},
    {"long-line-forever", LongLineForever, "no newline, and no end"},
    {"stderr-forever", StderrForever, "floods stderr, no line"},
    {"grandchild", Strays, "exits 1; a child keeps the pipes ARG (20) s"},
};

}  // namespace

const Behaviour* ProcessBehaviours(size_t* count) {
  *count = sizeof(kTable) / sizeof(kTable[0]);
  return kTable;
}

}  // namespace misbehave
