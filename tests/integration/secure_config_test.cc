// Plugins that are checked before they run.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;
using Mode = SecureConfig::Mode;

class SecureConfigTest : public HarnessTest,
                         public ::testing::WithParamInterface<Mode> {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    command_ = ServerPlugin({});
    const std::string copy = ScratchPath("plugin");
    CopyProgram(command_.path, copy);
    command_.path = copy;
    command_.secure_config = SecureConfig{
        Sha256OfFile(copy), SecureConfig::Hash::kSha256, GetParam()};
  }

  void ExpectFault(Reason reason, const std::string& evidence,
                   const std::string& hint) const {
    const absl::Time start = absl::Now();
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(command_, PlainOptions());
    EXPECT_LT(absl::Now() - start, kGrace);
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), {reason, evidence, hint});
    ExpectError(client.status(), {reason, command_.path, ""});
  }

  // As large as may be, without taking any room: seconds to read, or minutes.
  void MakeEndless() const {
    const int bits = GetParam() == Mode::kSealedCopy ? 32 : 37;
    ASSERT_EQ(truncate(command_.path.c_str(), off_t{1} << bits), 0);
  }

  Command command_;
};

TEST_P(SecureConfigTest, TheRightProgramIsAPluginLikeAnyOther) {
  std::unique_ptr<Client> client = MustLaunch(command_, KvOptions());
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(Get(*client, "!args"), command_.path + std::string(1, '\0'));
  // Now that it runs, nobody cares for the file.
  fs::remove(command_.path);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_P(SecureConfigTest, OtherProgram) {
  std::ofstream(command_.path, std::ios::app) << "\n";
  ExpectFault(
      Reason::kChecksum,
      "its SHA-256 is " + absl::BytesToHexString(Sha256OfFile(command_.path)),
      "install the plugin again");
  ExpectFault(
      Reason::kChecksum,
      "expected " + absl::BytesToHexString(command_.secure_config->checksum),
      "sha256sum");
}

TEST_P(SecureConfigTest, ShortProgram) {
  ASSERT_EQ(truncate(command_.path.c_str(), 4097), 0);
  ExpectFault(Reason::kChecksum, "4097 bytes", "install the plugin again");
}

TEST_P(SecureConfigTest, EmptyProgram) {
  ASSERT_EQ(truncate(command_.path.c_str(), 0), 0);
  ExpectFault(Reason::kChecksum, "empty file", "cut short");
}

TEST_P(SecureConfigTest, MissingProgram) {
  fs::remove(command_.path);
  ExpectFault(Reason::kSpawn, "does not exist", "check Command::path");
}

TEST_P(SecureConfigTest, Directory) {
  fs::remove(command_.path);
  fs::create_directory(command_.path);
  ExpectFault(Reason::kSpawn, "Is a directory", "not the directory it is in");
}

TEST_P(SecureConfigTest, Script) {
  std::ofstream(command_.path) << "#!/bin/sh\nexit 1\n";
  command_.secure_config->checksum = Sha256OfFile(command_.path);
  ExpectFault(Reason::kChecksum, "is a script", "binary (ELF)");
}

TEST_P(SecureConfigTest, NotCheckedInTime) {
  MakeEndless();
  ClientOptions options = PlainOptions();
  options.start_timeout = absl::Milliseconds(200);
  const absl::Time start = absl::Now();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(command_, options);
  EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
  ASSERT_FALSE(client.ok());
  ExpectError(client.status(), {Reason::kHandshakeTimeout, "not started within",
                                "raise start_timeout"});
}

TEST_P(SecureConfigTest, CancelledWhileItIsChecked) {
  MakeEndless();
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> box;
  LaunchOperation launch = Client::LaunchAsync(
      command_, PlainOptions(),
      [&box](absl::StatusOr<std::unique_ptr<Client>> client) {
        box.Put(std::move(client));
      });
  launch.Cancel();
  absl::optional<absl::StatusOr<std::unique_ptr<Client>>> outcome = box.Take();
  ASSERT_TRUE(outcome.has_value());
  ExpectError(outcome->status(),
              {Reason::kCancelled, "cancelled", "LaunchOperation::Cancel"});
}

INSTANTIATE_TEST_SUITE_P(Modes, SecureConfigTest,
                         ::testing::Values(Mode::kByDescriptor,
                                           Mode::kSealedCopy),
                         [](const ::testing::TestParamInfo<Mode>& info) {
                           return info.param == Mode::kSealedCopy
                                      ? "SealedCopy"
                                      : "ByDescriptor";
                         });

}  // namespace
}  // namespace goplugin::testing
