#include "goplugin/internal/files/plugin_files.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/time_limit.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string LentBy(PluginFiles& files) {
  const absl::StatusOr<std::shared_ptr<const Directory>> lent = files.Lend();
  EXPECT_TRUE(lent.ok()) << lent.status();
  return lent.ok() ? (*lent)->path() : "";
}

SocketPlace MustHave(const absl::StatusOr<SocketPlace>& place) {
  EXPECT_TRUE(place.ok()) << place.status();
  return place.ok() ? *place : SocketPlace();
}

Endpoint UnixEndpoint(const std::string& path) {
  return {Endpoint::Network::kUnix, path};
}

class PluginFilesTest : public FilesTest {
 protected:
  std::shared_ptr<PluginFiles> Make() const {
    return PluginFiles::Create(Request());
  }
  std::shared_ptr<PluginFiles> MakeFor(const std::string& group,
                                       uint32_t uid) const {
    FilesRequest request = Request();
    request.group = group;
    if (uid != 0) request.place.user = Command::User{uid, kGid, {}};
    return PluginFiles::Create(request);
  }
};

TEST_F(PluginFilesTest, NothingIsMadeUnasked) {
  const std::shared_ptr<PluginFiles> files = Make();
  EXPECT_EQ(files->lent_path(), "");
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(PluginFilesTest, PlacesAreThisUsersAlone) {
  {
    const std::shared_ptr<PluginFiles> files = Make();
    const std::string lent = LentBy(*files);
    EXPECT_THAT(lent, EndsWith("/l"));
    EXPECT_EQ(LentBy(*files), lent);
    EXPECT_EQ(files->lent_path(), lent);
    const SocketPlace doors = MustHave(files->Doors());
    const SocketPlace brokered = MustHave(files->Brokered());
    EXPECT_THAT(doors.directory->path(), EndsWith("/d"));
    EXPECT_THAT(brokered.directory->path(), EndsWith("/b"));
    EXPECT_EQ(ModeOf(lent), 0700u);
    EXPECT_EQ(ModeOf(doors.directory->path()), 0700u);
    EXPECT_EQ(ModeOf(brokered.directory->path()), 0700u);
    EXPECT_EQ(doors.mode, 0600u);
    EXPECT_EQ(brokered.mode, 0600u);
    ASSERT_TRUE(
        BindSocket(*brokered.directory, "1", brokered.mode, absl::nullopt)
            .ok());
  }
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(PluginFilesTest, GroupMayUseWhatIsForIt) {
  const struct group* own = getgrgid(getegid());
  if (own == nullptr) GTEST_SKIP() << "the own group has no name";
  const std::string name = own->gr_name;
  for (const std::string& group : {name, absl::StrCat(getegid())}) {
    const std::shared_ptr<PluginFiles> files = MakeFor(group, 0);
    const std::string lent = LentBy(*files);
    EXPECT_EQ(ModeOf(lent), 0770u);
    EXPECT_EQ(StatOf(lent).st_gid, getegid());
    const SocketPlace brokered = MustHave(files->Brokered());
    EXPECT_EQ(ModeOf(brokered.directory->path()), 0710u);
    EXPECT_EQ(StatOf(brokered.directory->path()).st_gid, getegid());
    EXPECT_EQ(brokered.mode, 0666u);
    EXPECT_EQ(ModeOf(MustHave(files->Doors()).directory->path()), 0700u);
  }
}

TEST_F(PluginFilesTest, UserGetsTheLentDirectoryAndPassesToTheBrokered) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  const std::shared_ptr<PluginFiles> files = MakeFor("", kUid);
  const std::string lent = LentBy(*files);
  EXPECT_EQ(StatOf(lent).st_uid, kUid);
  EXPECT_EQ(StatOf(lent).st_gid, kGid);
  EXPECT_EQ(ModeOf(lent), 0700u);
  const std::string brokered = MustHave(files->Brokered()).directory->path();
  EXPECT_EQ(StatOf(brokered).st_uid, 0u);
  EXPECT_EQ(StatOf(brokered).st_gid, kGid);
  EXPECT_EQ(ModeOf(brokered), 0710u);
  EXPECT_EQ(AsUser(kUid,
                   [&]() -> std::string {
                     Touch(lent + "/file");
                     if (access(brokered.c_str(), X_OK) != 0) return "closed";
                     if (access(brokered.c_str(), W_OK) == 0) return "open";
                     const std::string doors =
                         brokered.substr(0, brokered.size() - 1) + "d";
                     return access(doors.c_str(), X_OK) == 0 ? "doors" : "";
                   }),
            "");
}

TEST_F(PluginFilesTest, PluginThatIsNotInTheGroupReachesTheBrokeredToo) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  const std::shared_ptr<PluginFiles> files = MakeFor("0", kUid);
  const std::string lent = LentBy(*files);
  EXPECT_EQ(StatOf(lent).st_uid, kUid);
  EXPECT_EQ(StatOf(lent).st_gid, 0u);
  EXPECT_EQ(ModeOf(lent), 0770u);
  EXPECT_EQ(StatOf(MustHave(files->Brokered()).directory->path()).st_gid, kGid);
}

TEST_F(PluginFilesTest, GroupThatIsNotOurs) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!FailSystemCall(SYS_fchownat, EPERM)) return "seccomp";
              const absl::Status status = MakeFor("0", 0)->Lend().status();
              EXPECT_EQ(Details(status).reason, Reason::kOptions);
              EXPECT_THAT(Evidence(status), HasSubstr("Operation not"));
              EXPECT_THAT(Details(status).hint, HasSubstr("is a member of"));
              return NamesIn(directory()).empty() ? "" : "something was left";
            }),
            "");
}

TEST_F(PluginFilesTest, UserToWhomNothingCanBeGiven) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!DropCapabilities()) return "capabilities";
              const absl::Status status = MakeFor("", kUid)->Lend().status();
              EXPECT_EQ(Details(status).reason, Reason::kSpawn);
              EXPECT_THAT(Evidence(status), HasSubstr("changing the owner of"));
              EXPECT_THAT(Details(status).hint, HasSubstr("CAP_CHOWN"));
              return NamesIn(directory()).empty() ? "" : "something was left";
            }),
            "");
}

TEST_F(PluginFilesTest, WhereOnlyTheLentIsSeenTheBrokeredIsInIt) {
  FilesRequest request = Request();
  request.sees_only_lent = true;
  const std::shared_ptr<PluginFiles> files = PluginFiles::Create(request);
  const std::string brokered = MustHave(files->Brokered()).directory->path();
  EXPECT_THAT(brokered, StartsWith(files->lent_path() + "/b"));
  EXPECT_EQ(ModeOf(brokered), 0700u);
}

// As logind does at logout.
TEST_F(PluginFilesTest, WhatVanishedIsMadeAgainElsewhere) {
  const std::string runtime = directory() + "/runtime";
  const std::string other = directory() + "/other";
  ASSERT_EQ(mkdir(runtime.c_str(), 0700), 0);
  ASSERT_EQ(mkdir(other.c_str(), 0700), 0);
  FilesRequest request;
  request.place.caller.runtime_directory = runtime;
  request.place.caller.temporary_directory = other;
  {
    const std::shared_ptr<PluginFiles> files = PluginFiles::Create(request);
    LentBy(*files);
    EXPECT_THAT(MustHave(files->Brokered()).directory->path(),
                StartsWith(runtime));
    std::filesystem::remove_all(runtime);
    EXPECT_THAT(MustHave(files->Brokered()).directory->path(),
                StartsWith(other));
    EXPECT_THAT(MustHave(files->Doors()).directory->path(), StartsWith(other));
    // One of the places alone.
    std::filesystem::remove_all(MustHave(files->Doors()).directory->path());
    EXPECT_TRUE(Exists(MustHave(files->Doors()).directory->path()));
  }
  EXPECT_THAT(NamesIn(other), IsEmpty());
}

TEST_F(PluginFilesTest, AfterTheEndNothingIsMade) {
  const std::shared_ptr<PluginFiles> files = Make();
  LentBy(*files);
  EXPECT_EQ(files->RemoveSome(TimeLimit(absl::InfiniteDuration())),
            Removal::kDone);
  EXPECT_EQ(Details(files->Brokered().status()).reason, Reason::kShutDown);
  EXPECT_EQ(Details(files->Doors().status()).reason, Reason::kShutDown);
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(PluginFilesTest, WhatIsKeptCanBeAdopted) {
  std::string socket;
  {
    const std::shared_ptr<PluginFiles> files = Make();
    socket = LentBy(*files) + "/plugin";
    BindAt(socket, false);
    MustHave(files->Brokered());
    EXPECT_EQ(files->MarkOutliving(0), absl::OkStatus());
    EXPECT_EQ(files->MarkOutliving(getpid()), absl::OkStatus());
    files->Remember(UnixEndpoint(socket));
    // Somebody lives there.
    EXPECT_EQ(PluginFiles::Adopt(socket, Request())->lent_path(), "");
    files->Keep(getpid());
  }
  EXPECT_TRUE(Exists(socket));
  const std::shared_ptr<PluginFiles> files =
      PluginFiles::Adopt(socket, Request());
  EXPECT_EQ(files->lent_path() + "/plugin", socket);
  // The name "b" is taken.
  EXPECT_THAT(MustHave(files->Brokered()).directory->path(), HasSubstr("/b"));
  EXPECT_EQ(files->RemoveSome(TimeLimit(absl::InfiniteDuration())),
            Removal::kDone);
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(PluginFilesTest, AdoptedAndKeptAgain) {
  std::string socket;
  for (int i = 0; i < 3; ++i) {
    const std::shared_ptr<PluginFiles> files =
        i == 0 ? Make() : PluginFiles::Adopt(socket, Request());
    if (i == 0) {
      socket = LentBy(*files) + "/plugin";
      BindAt(socket, false);
    }
    files->Remember(UnixEndpoint(socket));
    files->Keep(i == 0 ? getpid() : -1);
    EXPECT_TRUE(Exists(socket));
  }
}

TEST_F(PluginFilesTest, SocketsElsewhereAreNotAdopted) {
  for (const std::string& socket :
       {directory() + "/plugin", std::string(), std::string("/l/"),
        std::string("relative/l/s"), directory() + "/goplugin-aaaaaa/l/s"}) {
    EXPECT_EQ(PluginFiles::Adopt(socket, Request())->lent_path(), "") << socket;
  }
}

TEST_F(PluginFilesTest, AdoptsWhatAnotherUserWasLent) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  std::string socket;
  {
    const std::shared_ptr<PluginFiles> files = MakeFor("", kUid);
    socket = LentBy(*files) + "/plugin";
    BindAt(socket, false);
    files->Remember(UnixEndpoint(socket));
    files->Keep(-1);
  }
  const std::shared_ptr<PluginFiles> files =
      PluginFiles::Adopt(socket, Request());
  const std::string brokered = MustHave(files->Brokered()).directory->path();
  EXPECT_EQ(StatOf(brokered).st_gid, kGid);
  EXPECT_EQ(ModeOf(brokered), 0710u);
}

TEST_F(PluginFilesTest, WithoutASocketInItNothingIsKept) {
  {
    const std::shared_ptr<PluginFiles> files = Make();
    LentBy(*files);
    EXPECT_EQ(files->MarkOutliving(getpid()), absl::OkStatus());
    files->Remember({Endpoint::Network::kTcp, "127.0.0.1:1"});
    files->Keep(getpid());
  }
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(PluginFilesTest, AnnouncedSocketElsewhereNeedsProof) {
  const std::string socket = directory() + "/elsewhere";
  const std::string older = directory() + "/older";
  BindAt(older, false);
  const std::shared_ptr<PluginFiles> files = Make();
  // The clock of files has to tick.
  do {
    unlink(socket.c_str());
    LentBy(*files);
    BindAt(socket, false);
  } while (StatOf(socket).st_ctim.tv_nsec ==
           StatOf(files->lent_path()).st_ctim.tv_nsec);
  files->Remember(UnixEndpoint(socket));
  files->RemoveSome(TimeLimit(absl::InfiniteDuration()));
  EXPECT_EQ(files->leftover(), "");
  EXPECT_FALSE(Exists(socket));

  const std::shared_ptr<PluginFiles> others = Make();
  LentBy(*others);
  others->Remember(UnixEndpoint(older));
  others->RemoveSome(TimeLimit(absl::InfiniteDuration()));
  EXPECT_THAT(others->leftover(), HasSubstr(older));
  EXPECT_TRUE(Exists(older));
}

TEST_F(PluginFilesTest, OutputIsWhereNoPluginCanReachIt) {
  const std::shared_ptr<PluginFiles> files = Make();
  LentBy(*files);
  const absl::StatusOr<OutputFiles> output =
      files->OpenOutput(directory() + "/stderr");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(NamesIn(files->lent_path()), IsEmpty());
}

}  // namespace
}  // namespace goplugin::internal
