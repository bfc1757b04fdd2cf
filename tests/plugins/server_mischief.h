#ifndef TESTS_PLUGINS_SERVER_MISCHIEF_H_
#define TESTS_PLUGINS_SERVER_MISCHIEF_H_

#include <string>

#include "tests/plugins/server_flags.h"

namespace server_plugin {

// What is to happen before anything is set up: signals, noise, a grandchild.
// Single-threaded still, so it may fork.
void BeforeServer(const Flags& flags);

// What is to happen once the line is out. Floods run on threads of their own,
// for the life of the process.
void AfterLine(const Flags& flags);

// Ends the process: "exit" with code 3, "abort" by SIGABRT with a line on
// stderr, anything else by SIGKILL.
[[noreturn]] void Die(const std::string& how);

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_MISCHIEF_H_
