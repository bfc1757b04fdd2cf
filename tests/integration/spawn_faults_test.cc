// Programs that can't be started.

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
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

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class SpawnFaultTest : public HarnessTest {
 protected:
  // Makes a file of this test's own.
  std::string MakeFile(const std::string& name, const std::string& content,
                       mode_t mode) {
    const std::string path = ScratchPath(name);
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  // `path` can't be started, and the error says why and names it.
  static void ExpectSpawnFault(const Command& command,
                               const std::string& evidence,
                               const std::string& hint) {
    const absl::Time start = absl::Now();
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(command, PlainOptions());
    ASSERT_FALSE(client.ok());
    EXPECT_LT(absl::Now() - start, kGrace);
    ExpectError(client.status(), {Reason::kSpawn, evidence, hint});
    ExpectError(client.status(), {Reason::kSpawn, command.path, ""});
  }
};

TEST_F(SpawnFaultTest, FileMissing) {
  ExpectSpawnFault(Command{ScratchPath("nothing-here")}, "does not exist",
                   "check Command::path");
}

TEST_F(SpawnFaultTest, DirectoryOnTheWayMissing) {
  ExpectSpawnFault(Command{ScratchPath("no-dir/plugin")}, "no-dir",
                   "check Command::path");
}

TEST_F(SpawnFaultTest, LinkToNowhere) {
  const std::string link = ScratchPath("link");
  fs::create_symlink("/no/such/plugin", link);
  ExpectSpawnFault(Command{link}, "/no/such/plugin", "symbolic link");
}

TEST_F(SpawnFaultTest, NotInPath) {
  Command command{"no-such-plugin-anywhere"};
  command.search_path = true;
  ExpectSpawnFault(command, "PATH", "PATH");
}

TEST_F(SpawnFaultTest, Directory) {
  fs::create_directory(ScratchPath("directory"));
  ExpectSpawnFault(Command{ScratchPath("directory")}, "directory",
                   "not the directory it is in");
}

TEST_F(SpawnFaultTest, NotExecutable) {
  const std::string path = MakeFile("plain", "#!/bin/sh\n", 0644);
  ExpectSpawnFault(Command{path}, "0644", "chmod +x " + path);
}

TEST_F(SpawnFaultTest, EmptyFile) {
  ExpectSpawnFault(Command{MakeFile("empty", "", 0755)}, "empty", "redo it");
}

TEST_F(SpawnFaultTest, WrongArchitecture) {
  std::string program = ReadFile(RunfilePath("tests/plugins/misbehave"));
  Elf64_Ehdr header;
  ASSERT_GT(program.size(), sizeof(header));
  std::memcpy(&header, program.data(), sizeof(header));
  header.e_machine = header.e_machine == EM_S390 ? EM_PPC64 : EM_S390;
  program.replace(0, sizeof(header), reinterpret_cast<const char*>(&header),
                  sizeof(header));
  ExpectSpawnFault(Command{MakeFile("other-machine", program, 0755)},
                   "it is built for", "build or install the plugin for");
}

TEST_F(SpawnFaultTest, BinaryOfAnotherSystem) {
  const std::string path =
      MakeFile("plugin.exe", std::string("MZ\x90\0\x03\0\0\0", 8), 0755);
  ExpectSpawnFault(Command{path}, "Windows", "for Linux");
}

TEST_F(SpawnFaultTest, InterpreterMissing) {
  const std::string path = MakeFile("script", "#!/no/such\nexit 1\n", 0755);
  ExpectSpawnFault(Command{path}, "/no/such", "install");
}

TEST_F(SpawnFaultTest, InterpreterWithCarriageReturn) {
  const std::string path = MakeFile("script", "#!/bin/sh\r\nexit 1\r\n", 0755);
  ExpectSpawnFault(Command{path}, "/bin/sh", "Unix line ends");
}

// The program, told to be loaded by another loader of the same length.
std::string WithOtherLoader(std::string program) {
  Elf64_Ehdr header;
  if (program.size() < sizeof(header)) return program;
  std::memcpy(&header, program.data(), sizeof(header));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment,
                program.data() + header.e_phoff +
                    static_cast<std::size_t>(i) * header.e_phentsize,
                sizeof(segment));
    if (segment.p_type != PT_INTERP) continue;
    program.replace(segment.p_offset, 4, "/not");
  }
  return program;
}

TEST_F(SpawnFaultTest, LoaderMissing) {
  const std::string path = MakeFile(
      "other-loader",
      WithOtherLoader(ReadFile(RunfilePath("tests/plugins/misbehave"))), 0755);
  ExpectSpawnFault(Command{path}, "loader \"/not", "another C library");
}

TEST_F(SpawnFaultTest, ScriptWithoutInterpreterLine) {
  const std::string path = MakeFile("script", "echo hello\n", 0755);
  ExpectSpawnFault(Command{path}, "text without a #! line", "#!/usr/bin/env");
}

TEST_F(SpawnFaultTest, WorkingDirectoryMissing) {
  Command command = ServerPlugin({});
  command.working_directory = ScratchPath("gone");
  ExpectSpawnFault(command, "gone\" does not exist", "working_directory");
}

TEST_F(SpawnFaultTest, WorkingDirectoryIsAFile) {
  Command command = ServerPlugin({});
  command.working_directory = MakeFile("file", "text", 0644);
  ExpectSpawnFault(command, "0644", "working_directory");
}

}  // namespace
}  // namespace goplugin::testing
