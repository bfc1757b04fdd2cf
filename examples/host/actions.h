#ifndef EXAMPLES_HOST_ACTIONS_H_
#define EXAMPLES_HOST_ACTIONS_H_

#include "absl/status/status.h"
#include "examples/host/arguments.h"
#include "examples/host/console.h"
#include "goplugin/client.h"

namespace host {

// Does with the plugin what the arguments ask for: put, get, or both. Errors
// say what the plugin said, or how it ended.
//
// It takes any Client, so a test can give it one that talks to a service of its
// own: see actions_test.cc.
absl::Status Act(goplugin::Client& client, const Arguments& arguments,
                 Console& console);

}  // namespace host

#endif  // EXAMPLES_HOST_ACTIONS_H_
