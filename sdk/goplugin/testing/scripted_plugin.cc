#include "goplugin/testing/scripted_plugin.h"

#include <string>
#include <utility>

#include "goplugin/testing/internal/script_arguments.h"

namespace goplugin::testing {

Command ScriptedPlugin::ToCommand(std::string program) const {
  Command command{std::move(program)};
  command.args = WriteScript(*this);
  return command;
}

}  // namespace goplugin::testing
