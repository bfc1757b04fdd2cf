#include "goplugin/internal/serve/host_request.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Environment = std::map<std::string, std::string>;

absl::StatusOr<HostRequest> Read(const Environment& environment,
                                 int min_port = 0, int max_port = 0) {
  return ReadHostRequest(
      [&](const char* name) -> const char* {
        auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
      },
      min_port, max_port);
}

bool Cookie(const Environment& environment) {
  return CookieMatches("KEY", "value", [&](const char* name) -> const char* {
    auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

void ExpectBadPorts(const Environment& environment,
                    const std::string& evidence) {
  absl::StatusOr<HostRequest> request = Read(environment);
  ASSERT_FALSE(request.ok());
  absl::optional<ErrorDetails> details = GetErrorDetails(request.status());
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kOptions);
  EXPECT_THAT(details->what, HasSubstr(evidence));
  EXPECT_THAT(details->hint, HasSubstr("PLUGIN_MIN_PORT"));
}

TEST(CookieMatches, WantsTheVariableWithExactlyTheValue) {
  EXPECT_TRUE(Cookie({{"KEY", "value"}}));
  EXPECT_FALSE(Cookie({{"KEY", "Value"}}));
  EXPECT_FALSE(Cookie({{"KEY", "value "}}));
  EXPECT_FALSE(Cookie({{"KEY", ""}}));
  EXPECT_FALSE(Cookie({}));
}

TEST(ReadHostRequest, ReadsEverything) {
  absl::StatusOr<HostRequest> request =
      Read({{"PLUGIN_PROTOCOL_VERSIONS", "1,5,2"},
            {"PLUGIN_MIN_PORT", "10000"},
            {"PLUGIN_MAX_PORT", "25000"},
            {"PLUGIN_UNIX_SOCKET_DIR", "/run/kv"},
            {"PLUGIN_UNIX_SOCKET_GROUP", "users"},
            {"PLUGIN_CLIENT_CERT", "-----BEGIN"}});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->protocol_versions, ElementsAre(1, 5, 2));
  EXPECT_EQ(request->min_port, 10000);
  EXPECT_EQ(request->max_port, 25000);
  EXPECT_EQ(request->socket_directory, "/run/kv");
  EXPECT_EQ(request->socket_group, "users");
  EXPECT_EQ(request->client_certificate, "-----BEGIN");
}

TEST(ReadHostRequest, AsksForNothingInAnEmptyEnvironment) {
  absl::StatusOr<HostRequest> request = Read({}, 7000, 7001);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->protocol_versions, IsEmpty());
  EXPECT_EQ(request->min_port, 7000);
  EXPECT_EQ(request->max_port, 7001);
  EXPECT_EQ(request->socket_directory, "");
  EXPECT_EQ(request->socket_group, "");
  EXPECT_EQ(request->client_certificate, "");
}

TEST(ReadHostRequest, TakesEmptyVariablesForMissingOnes) {
  absl::StatusOr<HostRequest> request = Read({{"PLUGIN_PROTOCOL_VERSIONS", ""},
                                              {"PLUGIN_MIN_PORT", ""},
                                              {"PLUGIN_MAX_PORT", ""}},
                                             1, 2);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->protocol_versions, IsEmpty());
  EXPECT_EQ(request->min_port, 1);
  EXPECT_EQ(request->max_port, 2);
}

TEST(ReadHostRequest, PassesOverEntriesThatAreNoVersions) {
  absl::StatusOr<HostRequest> request =
      Read({{"PLUGIN_PROTOCOL_VERSIONS", "1,x,-2,3"}});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->protocol_versions, ElementsAre(1, 3));
}

TEST(ReadHostRequest, TheHostsRangeReplacesOursAsAWhole) {
  absl::StatusOr<HostRequest> request =
      Read({{"PLUGIN_MAX_PORT", "9"}}, 7000, 7001);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->min_port, 0);
  EXPECT_EQ(request->max_port, 9);
}

TEST(ReadHostRequest, RefusesPortsThatMakeNoSense) {
  ExpectBadPorts({{"PLUGIN_MIN_PORT", "ten"}, {"PLUGIN_MAX_PORT", "20"}},
                 "PLUGIN_MIN_PORT is no port: \"ten\"");
  ExpectBadPorts({{"PLUGIN_MAX_PORT", "65536"}}, "65536");
  ExpectBadPorts({{"PLUGIN_MIN_PORT", "-1"}, {"PLUGIN_MAX_PORT", "20"}}, "-1");
  ExpectBadPorts({{"PLUGIN_MIN_PORT", "30"}, {"PLUGIN_MAX_PORT", "20"}},
                 "PLUGIN_MIN_PORT (30) is above PLUGIN_MAX_PORT (20)");
  ExpectBadPorts({{"PLUGIN_MIN_PORT", "30"}}, "(30) is above");
}

}  // namespace
}  // namespace goplugin::internal
