// A plugin that is out to harm its host: `hostile PROGRAM [ARGUMENT]...` is
// that program, and beside it a child that tries what a process of its user can
// think of, until HOSTILE_STOP, a file, is there. HOSTILE_VICTIMS is a
// directory of files that are none of its business.

#include <dirent.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/plugins/hostile_parts.h"
#include "tests/plugins/lifetime.h"

namespace hostile {

void Breach(const std::string& what) {
  fprintf(stderr, "BREACH: %s\n", what.c_str());
}

namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> Below(const std::string& directory) {
  std::vector<std::string> paths = {directory};
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return paths;
  while (const dirent* entry = readdir(entries)) {
    if (entry->d_name[0] != '.')
      paths.push_back(directory + "/" + entry->d_name);
  }
  closedir(entries);
  return paths;
}

[[noreturn]] void Attack(pid_t host) {
  LimitLifetime(120);
  signal(SIGPIPE, SIG_IGN);
  const std::string stop = Variable("HOSTILE_STOP");
  const std::string directory = Variable("PLUGIN_UNIX_SOCKET_DIR");
  const std::vector<std::string> victims = Below(Variable("HOSTILE_VICTIMS"));
  AttackHost(host, victims);
  while (access(stop.c_str(), F_OK) != 0) AttackFiles(directory, victims);
  _exit(0);
}

}  // namespace
}  // namespace hostile

int main(int argc, char** argv) {
  // What is an attack for others would be damage.
  if (argc < 2 || geteuid() == 0) return 64;
  const pid_t host = getppid();
  if (fork() == 0) hostile::Attack(host);
  execv(argv[1], argv + 1);
  return 70;
}
