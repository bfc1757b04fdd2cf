// What goplugin::testing brings, through nothing but installed headers.
//
//   host_test SCRIPTED_PLUGIN

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "goplugin/client.h"
#include "goplugin/testing/in_process_plugin.h"
#include "goplugin/testing/scripted_plugin.h"
#include "goplugin/testing/status_matchers.h"

namespace {

std::string scripted_plugin;

goplugin::ClientOptions Options() {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  return options;
}

TEST(InstalledTestingTest, APluginWithinTheTest) {
  goplugin::testing::InProcessPlugin plugin({});
  EXPECT_THAT(plugin.Launch(Options()), goplugin::testing::IsOk());
}

TEST(InstalledTestingTest, AProgramThatMisbehaves) {
  goplugin::testing::ScriptedPlugin plugin;
  plugin.handshake = Options().handshake;
  plugin.stderr_text = "no licence found\n";
  plugin.end_at_start = {goplugin::ExitStatus::Kind::kExited, 3};
  EXPECT_THAT(
      goplugin::Client::Launch(plugin.ToCommand(scripted_plugin), Options()),
      testing::AllOf(
          goplugin::testing::StatusIs(goplugin::Reason::kExitedEarly),
          goplugin::testing::HasStderr(testing::HasSubstr("no licence"))));
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  scripted_plugin = argv[1];
  return RUN_ALL_TESTS();
}
