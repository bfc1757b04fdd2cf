#include "goplugin/reattach.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/harness/expect_error.h"

namespace goplugin::testing {
namespace {

ReattachConfig Unix() {
  ReattachConfig config;
  config.protocol_version = 5;
  config.endpoint = {Endpoint::Network::kUnix, "/tmp/plugin \"1\""};
  config.pid = 123;
  config.start_time = 4567890123;
  config.test = true;
  return config;
}

TEST(ReattachTextTest, WritesGosNamesAndReadsThemBack) {
  ReattachConfig tcp;
  tcp.endpoint = {Endpoint::Network::kTcp, "[::1]:1234"};
  const ReattachProviders both = {{"registry.example/kv", Unix()}, {"b", tcp}};
  const absl::StatusOr<std::string> text = FormatReattachProviders(both);
  ASSERT_TRUE(text.ok()) << text.status();
  for (const char* part :
       {"\"Protocol\":\"grpc\"", "\"ProtocolVersion\":5", "\"Pid\":123",
        "\"Test\":true", "\"Network\":\"unix\"", "\"StartTime\":4567890123",
        "\"String\":\"/tmp/plugin \\\"1\\\"\""}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << " in " << *text;
  }
  EXPECT_EQ(text->find('\n'), std::string::npos);
  const absl::StatusOr<ReattachProviders> read = ParseReattachProviders(*text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, both);
}

TEST(ReattachTextTest, ReadsWhatTerraformProvidersPrint) {
  const absl::StatusOr<ReattachProviders> read = ParseReattachProviders(
      R"({"registry.terraform.io/hashicorp/random":{"Protocol":"grpc",)"
      R"("ProtocolVersion":5,"Pid":3382870,"Test":true,"Addr":)"
      R"({"Network":"unix","String":"/tmp/plugin713096927"}}})");
  ASSERT_TRUE(read.ok()) << read.status();
  const ReattachConfig& config =
      read->at("registry.terraform.io/hashicorp/random");
  EXPECT_EQ(config.protocol_version, 5u);
  EXPECT_EQ(config.pid, 3382870);
  EXPECT_EQ(config.start_time, 0u);
  EXPECT_TRUE(config.test);
  EXPECT_EQ(config.endpoint.ToString(), "unix:/tmp/plugin713096927");
}

TEST(ReattachTextTest, ToleratesWhatGoTolerates) {
  const absl::StatusOr<ReattachProviders> read = ParseReattachProviders(
      R"({"a":{"protocol":"grpc","new":[1],"Pid":null,)"
      R"("addr":{"NETWORK":"tcp","string":"h:1","Zone":""}}})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->at("a").endpoint.ToString(), "tcp:h:1");
  EXPECT_EQ(read->at("a").pid, 0);
  EXPECT_TRUE(ParseReattachProviders(" \n")->empty());
  EXPECT_TRUE(ParseReattachProviders("{}")->empty());
}

TEST(ReattachTextTest, SaysWhatIsWrong) {
  const struct {
    const char* text;
    ExpectedError expected;
  } rows[] = {
      {"{", {Reason::kOptions, "as JSON", "copy the text whole"}},
      {"[]", {Reason::kOptions, "as JSON", "copy"}},
      {R"({"a":1})", {Reason::kOptions, "is no object", "copy"}},
      {R"({"a":{"Protocol":"netrpc"}})", {Reason::kProtocol, "netrpc", "grpc"}},
      {R"({"a":{}})", {Reason::kProtocol, "does not serve gRPC", "grpc"}},
      {R"({"a":{"Protocol":"grpc"}})",
       {Reason::kOptions, "Addr is missing", "copy"}},
      {R"({"a":{"Protocol":"grpc","Addr":{"Network":"unix"}}})",
       {Reason::kOptions, "no Network and String", "copy"}},
      {R"({"a":{"Protocol":"grpc","Addr":{"Network":"ip","String":"x"}}})",
       {Reason::kTransport, "Network: \"ip\"", "unix or tcp"}},
      {R"({"a":{"Protocol":"grpc","Pid":-1,)"
       R"("Addr":{"Network":"unix","String":"x"}}})",
       {Reason::kOptions, "Pid is no number", "copy"}},
      {R"({"a":{"Protocol":"grpc","Test":1,)"
       R"("Addr":{"Network":"unix","String":"x"}}})",
       {Reason::kOptions, "Test is neither", "copy"}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    ExpectError(ParseReattachProviders(row.text).status(), row.expected);
  }
}

TEST(ReattachTextTest, RefusesToWriteWhatJsonCantHold) {
  ReattachConfig config = Unix();
  config.endpoint.address = "/tmp/\xff";
  ExpectError(FormatReattachProviders({{"a", config}}).status(),
              {Reason::kOptions, "\\xff", "UTF-8"});
}

}  // namespace
}  // namespace goplugin::testing
