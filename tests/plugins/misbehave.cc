// A plugin that does one thing wrong, and needs no gRPC for it: it starts fast
// and links nothing. `misbehave NAME [ARG]`; `misbehave --list` tells the
// names. README.md has them as a table.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/plugins/lifetime.h"
#include "tests/plugins/misbehave_parts.h"

namespace {

using misbehave::Behaviour;

void List(const Behaviour* table, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    printf("%-28s %s\n", table[i].name, table[i].what);
  }
}

const Behaviour* Find(const Behaviour* table, size_t count, const char* name) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(table[i].name, name) == 0) return &table[i];
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  LimitLifetime(120);
  // As stock plugins do: the terminal's Ctrl-C is the host's business.
  signal(SIGINT, SIG_IGN);

  size_t process_count = 0;
  size_t line_count = 0;
  const Behaviour* process = misbehave::ProcessBehaviours(&process_count);
  const Behaviour* line = misbehave::LineBehaviours(&line_count);
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    List(process, process_count);
    List(line, line_count);
    return 0;
  }
  if (argc < 2) {
    fprintf(stderr, "usage: misbehave NAME [ARG] | --list\n");
    return 64;
  }
  const Behaviour* found = Find(process, process_count, argv[1]);
  if (found == nullptr) found = Find(line, line_count, argv[1]);
  if (found == nullptr) {
    fprintf(stderr, "misbehave: no behaviour %s, see --list\n", argv[1]);
    return 64;
  }
  found->run(argc > 2 ? argv[2] : "");
  return 0;
}
