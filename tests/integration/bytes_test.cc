// Bytes that are no UTF-8 in what an error tells: paths, and what a plugin
// says.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "goplugin/client.h"
#include "goplugin/internal/text/utf8.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A name of Latin-1, a lone continuation, and what never is in UTF-8.
constexpr char kName[] = "caf\xe9-\x80\xff";
constexpr char kEscapedName[] = "caf\\xe9-\\x80\\xff";

class BytesTest : public HarnessTest {
 protected:
  // misbehave under a name of these bytes.
  Command OddlyNamed(std::vector<std::string> args) {
    Command command = Misbehave(std::move(args));
    const std::string path = ScratchPath(kName);
    EXPECT_EQ(symlink(command.path.c_str(), path.c_str()), 0);
    command.path = path;
    return command;
  }

  // Everything is there, and somewhere in it the name as it is.
  void ExpectWhole(const absl::Status& status, const ExpectedError& expected) {
    ExpectError(status, expected);
    EXPECT_TRUE(internal::IsValidUtf8(status.message())) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), kEscapedName)) << status;
    const ErrorDetails details = *GetErrorDetails(status);
    EXPECT_TRUE(absl::StrContains(
        absl::StrCat(details.what, absl::StrJoin(details.evidence, "\n")),
        kName))
        << status;
  }
};

TEST_F(BytesTest, MissingProgram) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(Command{ScratchPath(kName)}, PlainOptions());
  // Quoted everywhere, which escapes it.
  ExpectError(client.status(),
              {Reason::kSpawn, "does not exist", "Command::path"});
  EXPECT_TRUE(absl::StrContains(client.status().message(), kEscapedName))
      << client.status();
}

TEST_F(BytesTest, ProgramThatExits) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(OddlyNamed({"exit-stderr"}), PlainOptions());
  ExpectWhole(client.status(),
              {Reason::kExitedEarly, "exit code 1", "magic cookie"});
  const ErrorDetails details = *GetErrorDetails(client.status());
  EXPECT_EQ(details.exit_status,
            (ExitStatus{ExitStatus::Kind::kExited, 1, false}));
  EXPECT_TRUE(absl::StrContains(details.stderr_tail, "cannot open"))
      << client.status();
}

TEST_F(BytesTest, SocketInTheLine) {
  Command command = Misbehave(
      {"say", absl::StrCat("1|1|unix|", ScratchPath(kName), "|grpc|\\n")});
  ClientOptions options = PlainOptions();
  options.start_timeout = absl::Seconds(1);
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(command, options);
  ExpectWhole(client.status(), {Reason::kConnect, "handshake", ""});
}

// The fields of a line are quoted, which escapes them.
TEST_F(BytesTest, BytesInEveryFieldOfTheLine) {
  for (const char* line :
       {"1\xff|1|unix|/s|grpc|", "1|\xff|unix|/s|grpc|", "1|1|\xff|/s|grpc|",
        "1|1|tcp|\xff|grpc|", "1|1|unix|/s|\xff|"}) {
    SCOPED_TRACE(line);
    ClientOptions options = PlainOptions();
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Launch(
        Misbehave({"say-exit", absl::StrCat(line, "\\n")}), options);
    ASSERT_FALSE(client.ok());
    EXPECT_TRUE(internal::IsValidUtf8(client.status().message()));
    EXPECT_TRUE(absl::StrContains(client.status().message(), "\\xff"))
        << client.status();
    EXPECT_TRUE(absl::StrContains(client.status().message(), "exit code 0"))
        << client.status();
    const absl::optional<ErrorDetails> details =
        GetErrorDetails(client.status());
    ASSERT_TRUE(details.has_value());
    EXPECT_NE(details->reason, Reason::kUnknown);
    EXPECT_FALSE(details->hint.empty());
  }
}

}  // namespace
}  // namespace goplugin::testing
