#ifndef GOPLUGIN_TESTING_INTERNAL_SCRIPT_ARGUMENTS_H_
#define GOPLUGIN_TESTING_INTERNAL_SCRIPT_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/testing/scripted_plugin.h"

namespace goplugin::testing {

// A script on its way to the program: NAME=VALUE each. Internal to this folder.
std::vector<std::string> WriteScript(const ScriptedPlugin& script);

// nullopt for what WriteScript has not written.
absl::optional<ScriptedPlugin> ReadScript(
    absl::Span<const char* const> arguments);

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_INTERNAL_SCRIPT_ARGUMENTS_H_
