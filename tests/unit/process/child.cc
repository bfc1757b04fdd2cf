// A program for the tests to start. Its first argument says what it does; it
// tells what it sees on stdout and gives up after a minute in any case.

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

void Print(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(1, text.data() + done, text.size() - done);
    if (n <= 0) _exit(99);
    done += static_cast<size_t>(n);
  }
}

// Each string, followed by a NUL.
int PrintStrings(char** strings) {
  for (; *strings != nullptr; ++strings) {
    Print(std::string(*strings) + std::string(1, '\0'));
  }
  return 0;
}

int PrintDescriptors() {
  DIR* stream = opendir("/proc/self/fd");
  if (stream == nullptr) return 98;
  std::vector<int> fds;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = atoi(entry->d_name);
    if (fd != dirfd(stream)) fds.push_back(fd);
  }
  closedir(stream);
  std::sort(fds.begin(), fds.end());
  for (int fd : fds) Print(std::to_string(fd) + "\n");
  return 0;
}

// The masks of blocked and ignored signals, as the kernel shows them.
int PrintSignals() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigBlk:", 0) == 0 || line.rfind("SigIgn:", 0) == 0) {
      Print(line + "\n");
    }
  }
  return 0;
}

int PrintStdin() {
  char buffer[256];
  ssize_t n = 0;
  while ((n = read(0, buffer, sizeof(buffer))) > 0) {
    Print(std::string(buffer, static_cast<size_t>(n)));
  }
  Print(n == 0 ? "<end>" : "<error>");
  return 0;
}

int PrintDeathSignal() {
  int signal = -1;
  prctl(PR_GET_PDEATHSIG, &signal);
  Print(std::to_string(signal));
  return 0;
}

int PrintDirectory() {
  char buffer[4096];
  if (getcwd(buffer, sizeof(buffer)) == nullptr) return 97;
  Print(buffer);
  return 0;
}

// Whether descriptors 1 and 2 block.
int PrintFlags() {
  Print((fcntl(1, F_GETFL) & O_NONBLOCK) == 0 ? "blocks" : "does not block");
  Print((fcntl(2, F_GETFL) & O_NONBLOCK) == 0 ? ",blocks" : ",does not block");
  return 0;
}

// What tells one version of this program from another: tests change it.
volatile char marker[] = "MARKER:good";

int PrintMarker() {
  std::string text;
  for (size_t i = 0; marker[i] != '\0'; ++i) text += marker[i];
  Print(text);
  return 0;
}

int PrintFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  Print(std::string(std::istreambuf_iterator<char>(file), {}));
  return 0;
}

int PrintLink(const char* path) {
  char target[4096];
  const ssize_t size = readlink(path, target, sizeof(target));
  if (size < 0) return 93;
  Print(std::string(target, static_cast<size_t>(size)));
  return 0;
}

int PrintFrom(int fd) {
  char buffer[256];
  const ssize_t size = read(fd, buffer, sizeof(buffer));
  if (size < 0) return 92;
  Print(std::string(buffer, static_cast<size_t>(size)));
  return 0;
}

int PrintNice() {
  Print(std::to_string(getpriority(PRIO_PROCESS, 0)));
  return 0;
}

int PrintPolicy() {
  Print(std::to_string(sched_getscheduler(0)));
  return 0;
}

int Hang() {
  Print("ready\n");
  while (true) pause();
}

// Leaves a child behind that holds stdout open.
int LeaveGrandchild() {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    return Hang();
  }
  return pid > 0 ? 0 : 96;
}

int Die(int signal_number) {
  signal(signal_number, SIG_DFL);
  kill(getpid(), signal_number);
  return 95;
}

}  // namespace

int main(int argc, char** argv) {
  alarm(60);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "args") return PrintStrings(argv);
  if (mode == "env") return PrintStrings(environ);
  if (mode == "fds") return PrintDescriptors();
  if (mode == "signals") return PrintSignals();
  if (mode == "stdin") return PrintStdin();
  if (mode == "deathsig") return PrintDeathSignal();
  if (mode == "cwd") return PrintDirectory();
  if (mode == "flags") return PrintFlags();
  if (mode == "marker") return PrintMarker();
  if (mode == "nice") return PrintNice();
  if (mode == "policy") return PrintPolicy();
  if (mode == "cat" && argc > 2) return PrintFile(argv[2]);
  if (mode == "link" && argc > 2) return PrintLink(argv[2]);
  if (mode == "read" && argc > 2) return PrintFrom(atoi(argv[2]));
  if (mode == "group") return Print(std::to_string(getpgrp())), 0;
  if (mode == "stderr") return dprintf(2, "to stderr") < 0;
  if (mode == "hang") return Hang();
  if (mode == "grandchild") return LeaveGrandchild();
  if (mode == "exit" && argc > 2) return atoi(argv[2]);
  if (mode == "die" && argc > 2) return Die(atoi(argv[2]));
  return 94;
}
