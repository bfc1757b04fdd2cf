#include "goplugin/internal/handshake/handshake_response.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/handshake/error_matchers.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

HandshakePolicy Policy() {
  return {{1, 2, 0}, {Endpoint::Network::kUnix, Endpoint::Network::kTcp}};
}

// A certificate-like blob whose base64 needs two characters of padding.
const std::string& Der() {
  static const auto* const der = new std::string(
      std::string("\x30\x82\x00\xff", 4) + std::string(60, '\xfe'));
  return *der;
}

HandshakeResponse MustParse(absl::string_view line) {
  const auto response = ParseHandshakeLine(line, Policy());
  EXPECT_TRUE(response.ok()) << line << ": " << response.status();
  return response.ok() ? *response : HandshakeResponse();
}

TEST(ParseHandshakeLineTest, ReadsFiveFields) {
  const HandshakeResponse response =
      MustParse("1|2|unix|/tmp/plugin.sock|grpc");
  EXPECT_EQ(response.core_version, 1u);
  EXPECT_EQ(response.app_version, 2u);
  EXPECT_EQ(response.endpoint,
            (Endpoint{Endpoint::Network::kUnix, "/tmp/plugin.sock"}));
  EXPECT_EQ(response.protocol, Protocol::kGrpc);
  EXPECT_EQ(response.certificate_der, "");
  EXPECT_EQ(response.multiplex, absl::nullopt);
  EXPECT_EQ(response.raw_line, "1|2|unix|/tmp/plugin.sock|grpc");
}

TEST(ParseHandshakeLineTest, ReadsTcpAndVersionZero) {
  const HandshakeResponse response = MustParse("1|0|tcp|[::1]:10000|grpc|");
  EXPECT_EQ(response.app_version, 0u);
  EXPECT_EQ(response.endpoint,
            (Endpoint{Endpoint::Network::kTcp, "[::1]:10000"}));
}

TEST(ParseHandshakeLineTest, TrimsWhiteSpaceAround) {
  for (const char* line : {"1|1|unix|/s|grpc\r", "  1|1|unix|/s|grpc  ",
                           "\r1|1|unix|/s|grpc\r\n", "\t1|1|unix|/s|grpc \r"}) {
    EXPECT_EQ(MustParse(line).raw_line, "1|1|unix|/s|grpc");
  }
}

TEST(ParseHandshakeLineTest, ReadsTheCertificateWithAndWithoutPadding) {
  const std::string padded = absl::Base64Escape(Der());
  ASSERT_EQ(padded.substr(padded.size() - 2), "==");
  const std::string bare = padded.substr(0, padded.size() - 2);
  for (const std::string& field : {padded, bare}) {
    EXPECT_EQ(
        MustParse(absl::StrCat("1|1|unix|/s|grpc|", field)).certificate_der,
        Der());
  }
}

TEST(ParseHandshakeLineTest, AShortSixthFieldIsNoCertificate) {
  for (const std::string& field :
       {std::string(), std::string("!"), std::string(50, 'A')}) {
    EXPECT_EQ(
        MustParse(absl::StrCat("1|1|unix|/s|grpc|", field)).certificate_der,
        "");
  }
  EXPECT_EQ(MustParse(absl::StrCat("1|1|unix|/s|grpc|", std::string(51, 'A')))
                .certificate_der.size(),
            38u);
}

TEST(ParseHandshakeLineTest, ReadsTheMultiplexField) {
  for (const char* word : {"1", "t", "T", "TRUE", "true", "True"}) {
    EXPECT_EQ(MustParse(absl::StrCat("1|1|unix|/s|grpc||", word)).multiplex,
              true);
  }
  for (const char* word : {"0", "f", "F", "FALSE", "false", "False"}) {
    EXPECT_EQ(MustParse(absl::StrCat("1|1|unix|/s|grpc||", word)).multiplex,
              false);
  }
  EXPECT_EQ(MustParse("1|1|unix|/s|grpc||").multiplex, absl::nullopt);
}

TEST(ParseHandshakeLineTest, AnOddMultiplexFieldMattersOnlyWhenAskedFor) {
  const char kLine[] = "1|1|unix|/s|grpc||tRUE";
  EXPECT_EQ(MustParse(kLine).multiplex, absl::nullopt);

  HandshakePolicy policy = Policy();
  policy.multiplex_requested = true;
  const auto status = ParseHandshakeLine(kLine, policy).status();
  EXPECT_EQ(ReasonOf(status), "handshake_malformed");
  EXPECT_THAT(WhatOf(status), HasSubstr("\"tRUE\""));
  EXPECT_THAT(HintOf(status), HasSubstr("true or false"));
  EXPECT_TRUE(ParseHandshakeLine("1|1|unix|/s|grpc", policy).ok());
}

TEST(ParseHandshakeLineTest, IgnoresMoreFields) {
  EXPECT_EQ(MustParse("1|1|unix|/s|grpc||true|x").multiplex, true);
  EXPECT_EQ(MustParse("1|1|unix|/s|grpc||false|x|y|" + std::string(9999, '|'))
                .multiplex,
            false);
}

struct BadLine {
  std::string line;
  const char* reason;
  const char* what;
  const char* hint;
};

const std::vector<BadLine>& BadLines() {
  static const auto* const lines = new std::vector<BadLine>{
      // Too few fields.
      {"", "handshake_malformed", "1 of at least 4", "stdout"},
      {"hello", "handshake_malformed", "1 of at least 4", "stdout"},
      {"1|1|unix", "handshake_malformed", "3 of at least 4", "stdout"},
      // Versions.
      {"x|1|unix|/s|grpc", "handshake_malformed", "\"x\"", "stdout"},
      {"|1|unix|/s|grpc", "handshake_malformed", "core", "stdout"},
      {"+1|1|unix|/s|grpc", "handshake_malformed", "\"+1\"", "stdout"},
      {"\xd9\xa1|1|unix|/s|grpc", "handshake_malformed", "core", "stdout"},
      {"2|1|unix|/s|grpc", "core_version",
       "version \"2\", this host speaks "
       "version 1",
       "core protocol version 1"},
      {"0|1|unix|/s|grpc", "core_version", "\"0\"", "core protocol"},
      {"99999999999|1|unix|/s|grpc", "core_version", "\"99999999999\"",
       "core protocol"},
      {"1|x|unix|/s|grpc", "handshake_malformed", "\"x\"", "stdout"},
      {"1||unix|/s|grpc", "handshake_malformed", "application", "stdout"},
      {"1|-1|unix|/s|grpc", "handshake_malformed", "\"-1\"", "stdout"},
      {"1|4294967296|unix|/s|grpc", "handshake_malformed", "\"4294967296\"",
       "stdout"},
      {"1|9|unix|/s|grpc", "app_version",
       "version 9, the host offered "
       "{0, 1, 2}",
       "{0, 1, 2}, the plugin {9}"},
      {"1|4294967295|unix|/s|grpc", "app_version", "4294967295",
       "{4294967295}"},
      // Without a common version a Go plugin may answer as net/rpc.
      {"1|9|unix|/s|netrpc", "app_version", "9", "protocol_versions"},
      {"1|9|unix|/s", "app_version", "9", "protocol_versions"},
      // Endpoint.
      {"1|1|udp|/s|grpc", "transport", "\"udp\"", "unix and tcp"},
      {"1|1||/s|grpc", "transport", "network \"\"", "unix and tcp"},
      {"1|1|UNIX|/s|grpc", "transport", "\"UNIX\"", "unix and tcp"},
      {"1|1|unix||grpc", "transport", "empty", "address it listens on"},
      {"1|1|tcp||grpc", "transport", "empty", "address it listens on"},
      {absl::StrCat("1|1|unix|/", std::string(107, 'x'), "|grpc"), "transport",
       "108 bytes", "shorter"},
      {"1|1|tcp|localhost|grpc", "transport", "no port", "127.0.0.1:10000"},
      {"1|1|tcp|a b:80|grpc", "transport", "host:port", "127.0.0.1:10000"},
      {"1|1|tcp|127.0.0.1:0|grpc", "transport", "1..65535", "127.0.0.1"},
      {"1|1|tcp|127.0.0.1:65536|grpc", "transport", "1..65535", "127.0.0.1"},
      // Protocol.
      {"1|1|unix|/s", "protocol", "net/rpc", "DefaultGRPCServer"},
      {"1|1|unix|/s|netrpc", "protocol", "net/rpc", "DefaultGRPCServer"},
      {"1|1|unix|/s|", "protocol", "unknown protocol \"\"", "grpc"},
      {"1|1|unix|/s|gRPC", "protocol", "\"gRPC\"", "grpc"},
      // Certificate.
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(50, 'A'), "!"),
       "server_certificate", "51 characters", "base64"},
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(25, 'A'), " ",
                    std::string(26, 'A')),
       "server_certificate", "base64", "base64"},
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(53, 'A')),
       "server_certificate", "base64", "base64"},
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(52, 'A'), "="),
       "server_certificate", "base64", "base64"},
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(54, 'A'), "..|true"),
       "server_certificate", "base64", "base64"},
      {absl::StrCat("1|1|unix|/s|grpc|", std::string(55, '-')),
       "server_certificate", "base64", "base64"},
  };
  return *lines;
}

TEST(ParseHandshakeLineTest, RefusesBadLinesAndSaysWhy) {
  for (const BadLine& bad : BadLines()) {
    SCOPED_TRACE(bad.line);
    const auto response = ParseHandshakeLine(bad.line, Policy());
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(ReasonOf(response.status()), bad.reason);
    EXPECT_THAT(WhatOf(response.status()), HasSubstr(bad.what));
    EXPECT_THAT(HintOf(response.status()), HasSubstr(bad.hint));
    EXPECT_THAT(EvidenceOf(response.status()), HasSubstr("handshake line: \""));
  }
}

TEST(ParseHandshakeLineTest, QuotesTheLineAsEvidence) {
  const auto status =
      ParseHandshakeLine("1|1|udp|\x01\xff|grpc", Policy()).status();
  EXPECT_THAT(EvidenceOf(status), HasSubstr("1|1|udp|\\x01\\xff|grpc"));
  const auto huge =
      ParseHandshakeLine("1|1|udp|" + std::string(60000, 'x'), Policy())
          .status();
  EXPECT_LT(huge.message().size(), 2000u);
}

TEST(ParseHandshakeLineTest, RefusesANetworkTheHostDoesNotAllow) {
  HandshakePolicy policy = Policy();
  policy.networks = {Endpoint::Network::kUnix};
  const auto tcp =
      ParseHandshakeLine("1|1|tcp|127.0.0.1:80|grpc", policy).status();
  EXPECT_EQ(ReasonOf(tcp), "transport");
  EXPECT_THAT(WhatOf(tcp), HasSubstr("tcp"));
  EXPECT_THAT(HintOf(tcp), HasSubstr("The host allows: unix"));

  policy.networks = {};
  const auto unix_socket =
      ParseHandshakeLine("1|1|unix|/s|grpc", policy).status();
  EXPECT_EQ(ReasonOf(unix_socket), "transport");
  EXPECT_THAT(HintOf(unix_socket), HasSubstr("The host allows: none"));
}

TEST(ParseHandshakeLineTest, WithoutOfferedVersionsEveryAnswerIsAMismatch) {
  HandshakePolicy policy = Policy();
  policy.protocol_versions = {};
  const auto status = ParseHandshakeLine("1|1|unix|/s|grpc", policy).status();
  EXPECT_EQ(ReasonOf(status), "app_version");
  EXPECT_THAT(HintOf(status), HasSubstr("{}"));
}

TEST(FormatHandshakeLineTest, PrintsSixFieldsUnlessMultiplexIsSet) {
  HandshakeResponse response;
  response.app_version = 2;
  response.endpoint = {Endpoint::Network::kUnix, "/tmp/p"};
  EXPECT_EQ(FormatHandshakeLine(response), "1|2|unix|/tmp/p|grpc|");
  response.multiplex = true;
  EXPECT_EQ(FormatHandshakeLine(response), "1|2|unix|/tmp/p|grpc||true");
  response.multiplex = false;
  response.endpoint = {Endpoint::Network::kTcp, "127.0.0.1:80"};
  response.protocol = Protocol::kNetRpc;
  EXPECT_EQ(FormatHandshakeLine(response),
            "1|2|tcp|127.0.0.1:80|netrpc||false");
}

TEST(FormatHandshakeLineTest, WritesTheCertificateWithoutPadding) {
  for (size_t length : {60, 61, 62}) {
    HandshakeResponse response;
    response.app_version = 1;
    response.endpoint = {Endpoint::Network::kUnix, "/s"};
    response.certificate_der = std::string(length, '\xfb');
    const std::string line = FormatHandshakeLine(response);
    EXPECT_EQ(line.find('='), std::string::npos) << line;
    EXPECT_EQ(MustParse(line).certificate_der, response.certificate_der);
  }
}

}  // namespace
}  // namespace goplugin::internal
