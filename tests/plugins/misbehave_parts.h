#ifndef TESTS_PLUGINS_MISBEHAVE_PARTS_H_
#define TESTS_PLUGINS_MISBEHAVE_PARTS_H_

#include <cstddef>

namespace misbehave {

// One thing a plugin can do wrong.
struct Behaviour {
  const char* name;
  // Does it. `argument` is argv[2], or empty. Returning means exit code 0.
  void (*run)(const char* argument);
  const char* what;
};

// Faults around the process and its output, without a sensible line.
const Behaviour* ProcessBehaviours(size_t* count);

// Faults in the line, or behind a line that looks right.
const Behaviour* LineBehaviours(size_t* count);

// Sleeps until killed.
[[noreturn]] void Hang();

}  // namespace misbehave

#endif  // TESTS_PLUGINS_MISBEHAVE_PARTS_H_
