#include "goplugin/internal/handshake/environment.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Strings = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

ProtocolVariables Basic() {
  ProtocolVariables protocol;
  protocol.magic_cookie_key = "BASIC_PLUGIN";
  protocol.magic_cookie_value = "hello";
  protocol.protocol_versions = {1, 2};
  return protocol;
}

TEST(EnvironmentTest, HoldsTheProtocolVariablesAndTheCookieLast) {
  EXPECT_THAT(
      BuildEnvironment({}, {}, Basic()),
      ElementsAre("PLUGIN_PROTOCOL_VERSIONS=1,2", "PLUGIN_MIN_PORT=10000",
                  "PLUGIN_MAX_PORT=25000", "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, AddsWhatWasAskedFor) {
  ProtocolVariables protocol = Basic();
  protocol.min_port = 4000;
  protocol.max_port = 4100;
  protocol.client_certificate_pem = "PEM\ntext=\n";
  protocol.socket_directory = "/run/x";
  protocol.socket_group = "staff";
  protocol.multiplex = true;
  EXPECT_THAT(
      BuildEnvironment({}, {}, protocol),
      ElementsAre("PLUGIN_PROTOCOL_VERSIONS=1,2", "PLUGIN_MIN_PORT=4000",
                  "PLUGIN_MAX_PORT=4100", "PLUGIN_CLIENT_CERT=PEM\ntext=\n",
                  "PLUGIN_CLIENT_ROOT_CERTS=PEM\ntext=\n",
                  "PLUGIN_UNIX_SOCKET_DIR=/run/x",
                  "PLUGIN_UNIX_SOCKET_GROUP=staff",
                  "PLUGIN_MULTIPLEX_GRPC=true", "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, AnEmptyCookieKeySetsNothing) {
  ProtocolVariables protocol = Basic();
  protocol.magic_cookie_key = "";
  EXPECT_THAT(BuildEnvironment({}, {}, protocol),
              Not(Contains(HasSubstr("hello"))));
}

TEST(EnvironmentTest, InheritedYieldsToCommandYieldsToProtocol) {
  const Strings inherited = {"A=inherited", "B=inherited",
                             "BASIC_PLUGIN=inherited"};
  const Pairs command = {{"B", "command"},
                         {"BASIC_PLUGIN", "command"},
                         {"PLUGIN_MIN_PORT", "1"},
                         {"C", "x=y"},
                         {"D", ""}};
  EXPECT_THAT(
      BuildEnvironment(inherited, command, Basic()),
      ElementsAre("A=inherited", "B=command", "C=x=y",
                  "D=", "PLUGIN_PROTOCOL_VERSIONS=1,2", "PLUGIN_MIN_PORT=10000",
                  "PLUGIN_MAX_PORT=25000", "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, EveryNameOnce) {
  const Strings inherited = {"A=first", "A=second", "B=1"};
  const Pairs command = {{"B", "2"}, {"B", "3"}};
  EXPECT_THAT(BuildEnvironment(inherited, command, Basic()),
              ElementsAre("A=first", "B=3", StartsWith("PLUGIN_PROTOCOL"),
                          StartsWith("PLUGIN_MIN"), StartsWith("PLUGIN_MAX"),
                          "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, StrayProtocolVariablesDoNotLeakIn) {
  const Strings inherited = {"PLUGIN_CLIENT_CERT=stray",
                             "PLUGIN_MULTIPLEX_GRPC=true",
                             "PLUGIN_UNIX_SOCKET_DIR=/stray",
                             "PLUGIN_UNIX_SOCKET_GROUP=stray",
                             "PLUGIN_UNIX_SOCKET_OTHER=stray",
                             "PLUGIN_MIN_PORT=1",
                             "PLUGIN_MAX_PORT=2",
                             "PLUGIN_PROTOCOL_VERSIONS=9",
                             "PLUGIN_CLIENT_ROOT_CERTS=stray"};
  EXPECT_THAT(
      BuildEnvironment(inherited, {}, Basic()),
      ElementsAre("PLUGIN_PROTOCOL_VERSIONS=1,2", "PLUGIN_MIN_PORT=10000",
                  "PLUGIN_MAX_PORT=25000", "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, OtherVariablesOfTheHostStay) {
  const Strings inherited = {"PATH=/bin",
                             "http_proxy=http://proxy:3128",
                             "PLUGIN_CACHE=/c",
                             "PLUGIN_CLIENT_ROOT_CERTS=the user's own",
                             "PLUGIN_CORE_VERSION=1",
                             "EMPTY="};
  const Strings built = BuildEnvironment(inherited, {}, Basic());
  for (const std::string& variable : inherited) {
    EXPECT_THAT(built, Contains(variable));
  }
}

TEST(EnvironmentTest, WhatTheCommandNamesIsNotStray) {
  const Pairs command = {{"PLUGIN_MULTIPLEX_GRPC", "1"},
                         {"PLUGIN_UNIX_SOCKET_DIR", "/mine"}};
  const Strings built = BuildEnvironment({}, command, Basic());
  EXPECT_THAT(built, Contains("PLUGIN_MULTIPLEX_GRPC=1"));
  EXPECT_THAT(built, Contains("PLUGIN_UNIX_SOCKET_DIR=/mine"));
}

TEST(EnvironmentTest, StringsThatAreNoVariablesAreDropped) {
  const Strings inherited = {"", "noequals", "=nameless", "A=1"};
  EXPECT_THAT(BuildEnvironment(inherited, {}, Basic()),
              ElementsAre("A=1", StartsWith("PLUGIN_PROTOCOL"),
                          StartsWith("PLUGIN_MIN"), StartsWith("PLUGIN_MAX"),
                          "BASIC_PLUGIN=hello"));
}

TEST(EnvironmentTest, TheCookieWinsOverEverythingOfTheSameName) {
  ProtocolVariables protocol = Basic();
  protocol.magic_cookie_key = "PLUGIN_MIN_PORT";
  EXPECT_THAT(BuildEnvironment({}, {}, protocol),
              ElementsAre("PLUGIN_PROTOCOL_VERSIONS=1,2",
                          "PLUGIN_MAX_PORT=25000", "PLUGIN_MIN_PORT=hello"));
}

}  // namespace
}  // namespace goplugin::internal
