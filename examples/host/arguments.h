#ifndef EXAMPLES_HOST_ARGUMENTS_H_
#define EXAMPLES_HOST_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/client_options.h"

namespace host {

// What the user asked for.
struct Arguments {
  enum class Action {
    kDemo,  // put a value, and get it back
    kPut,
    kGet,
    kHelp,
  };

  Action action = Action::kDemo;
  std::string key = "hello";
  std::string value = "world";
  // The plugin's program, and what it gets as arguments.
  std::string plugin;
  std::vector<std::string> plugin_arguments;
  goplugin::TlsMode tls = goplugin::TlsMode::kAutoMtls;
};

// The text of --help.
extern const char kUsage[];

// Reads main's arguments, and KV_PLUGIN from the environment. Errors:
// InvalidArgument, with a message for the user.
absl::StatusOr<Arguments> ParseArguments(int argc, char** argv);

}  // namespace host

#endif  // EXAMPLES_HOST_ARGUMENTS_H_
