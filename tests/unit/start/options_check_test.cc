#include "goplugin/internal/start/options_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/error.h"

namespace goplugin::internal {
namespace {

struct Input {
  Command command{"./plugin"};
  ClientOptions options;

  Input() {
    options.handshake.magic_cookie_key = "COOKIE";
    options.handshake.magic_cookie_value = "value";
    options.handshake.protocol_versions = {1};
  }
};

TEST(CheckOptionsTest, TheDefaultsAreFine) {
  const Input input;
  const absl::Status status = CheckOptions(input.command, input.options);
  EXPECT_TRUE(status.ok()) << status;
}

struct Bad {
  const char* field;
  std::function<void(Input&)> change;
};

TEST(CheckOptionsTest, EachMistakeNamesItsField) {
  const std::vector<Bad> mistakes = {
      {"path", [](Input& in) { in.command.path = ""; }},
      {"path", [](Input& in) { in.command.path = std::string("a\0b", 3); }},
      {"args", [](Input& in) { in.command.args = {std::string("\0", 1)}; }},
      {"env",
       [](Input& in) {
         in.command.env = {{"", "x"}};
       }},
      {"env",
       [](Input& in) {
         in.command.env = {{"A=B", "x"}};
       }},
      {"magic_cookie_key",
       [](Input& in) { in.options.handshake.magic_cookie_key = ""; }},
      {"magic_cookie_value",
       [](Input& in) { in.options.handshake.magic_cookie_value = ""; }},
      {"protocol_versions",
       [](Input& in) { in.options.handshake.protocol_versions = {}; }},
      {"start_timeout",
       [](Input& in) { in.options.start_timeout = absl::ZeroDuration(); }},
      {"start_timeout",
       [](Input& in) { in.options.start_timeout = -absl::InfiniteDuration(); }},
      {"rpc_timeout",
       [](Input& in) { in.options.shutdown.rpc_timeout = absl::Seconds(-1); }},
      {"slow_start_notice",
       [](Input& in) { in.options.slow_start_notice = absl::ZeroDuration(); }},
      {"networks", [](Input& in) { in.options.networks = {}; }},
      {"min_port", [](Input& in) { in.options.min_port = 0; }},
      {"min_port", [](Input& in) { in.options.max_port = 65536; }},
      {"min_port", [](Input& in) { in.options.min_port = 30000; }},
      {"tls", [](Input& in) { in.options.tls.root_certificates = "PEM"; }},
      {"Command::stdin_mode",
       [](Input& in) {
         in.command.lifetime = Command::Lifetime::kOutlivesHost;
         in.command.stdin_mode = Command::Stdin::kPipe;
         in.options.tls.mode = TlsMode::kInsecure;
       }},
      {"tls.min_rsa_bits",
       [](Input& in) { in.options.tls.min_rsa_bits = 1023; }},
  };
  for (const Bad& bad : mistakes) {
    Input input;
    bad.change(input);
    const absl::Status status = CheckOptions(input.command, input.options);
    const absl::optional<ErrorDetails> details = GetErrorDetails(status);
    ASSERT_TRUE(details.has_value()) << bad.field;
    EXPECT_EQ(details->reason, Reason::kOptions) << status;
    EXPECT_TRUE(absl::StrContains(details->what, bad.field)) << status;
    EXPECT_FALSE(details->hint.empty()) << status;
  }
}

TEST(CheckOptionsTest, ManualTlsNeedsRoots) {
  Input input;
  input.options.tls.mode = TlsMode::kManual;
  const absl::Status status = CheckOptions(input.command, input.options);
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_EQ(details->reason, Reason::kOptions) << status;
}

}  // namespace
}  // namespace goplugin::internal
