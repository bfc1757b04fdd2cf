// What can be done to names.

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/plugins/hostile_parts.h"

namespace hostile {
namespace {

// Names that a host might make, or look for.
constexpr const char* kNames[] = {"broker",   "stdout", "stderr",
                                  "lock",     "doors",  "mark",
                                  "brokered", "a",      "1"};

std::vector<std::string> EntriesOf(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(entries);
  return names;
}

const std::string& Pick(const std::vector<std::string>& victims) {
  return victims[static_cast<size_t>(rand()) % victims.size()];
}

// Whether it worked shows in what the host does.
void Try(int /*result*/) {}

void Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) rmdir(path.c_str());
}

void Listen(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  listen(fd, 1);
  close(fd);
}

// Something else, for a moment, under the name of what is there.
void Swap(const std::string& path, const std::string& victim) {
  const std::string aside = path + ".aside";
  if (rename(path.c_str(), aside.c_str()) != 0) return;
  switch (rand() % 5) {
    case 0:
      Try(symlink(victim.c_str(), path.c_str()));
      break;
    case 1:
      Try(link(victim.c_str(), path.c_str()));
      break;
    case 2:
      mkfifo(path.c_str(), 0666);
      break;
    case 3:
      Listen(path);
      break;
    default:
      mkdir(path.c_str(), 01777);
      break;
  }
  usleep(static_cast<useconds_t>(rand() % 300));
  Remove(path);
  rename(aside.c_str(), path.c_str());
}

// Each socket that appears becomes a link, before the host has done with it.
void TurnSocketsIntoLinks(const std::string& directory,
                          const std::string& victim) {
  for (const std::string& name : EntriesOf(directory)) {
    const std::string path = directory + "/" + name;
    struct stat facts = {};
    if (lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) continue;
    unlink(path.c_str());
    Try(symlink(victim.c_str(), path.c_str()));
  }
}

// A directory of ours in the place of one of the host's, for a while.
void HoldDirectory(const std::string& path, const std::string& victim) {
  struct stat facts = {};
  if (lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) ||
      facts.st_uid == getuid() ||
      rename(path.c_str(), (path + ".held").c_str()) != 0) {
    return;
  }
  mkdir(path.c_str(), 0777);
  chmod(path.c_str(), 0777);
  for (int i = 0; i < 20000; ++i) TurnSocketsIntoLinks(path, victim);
}

// A directory of ours in the place of one, with a link for each name in it.
void SwapDirectory(const std::string& path, const std::string& victim) {
  const std::vector<std::string> inside = EntriesOf(path);
  const std::string aside = path + ".aside";
  if (rename(path.c_str(), aside.c_str()) != 0) return;
  mkdir(path.c_str(), 0777);
  for (const std::string& name : inside) {
    Try(symlink(victim.c_str(), (path + "/" + name).c_str()));
  }
  usleep(static_cast<useconds_t>(rand() % 300));
  for (const std::string& name : EntriesOf(path)) Remove(path + "/" + name);
  rmdir(path.c_str());
  rename(aside.c_str(), path.c_str());
}

bool IsDirectory(const std::string& path) {
  struct stat facts = {};
  return lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

void PlantNames(const std::string& directory, const std::string& victim) {
  const std::string name =
      directory + "/" + kNames[static_cast<size_t>(rand()) % 9];
  if (symlink(victim.c_str(), name.c_str()) != 0) return;
  usleep(100);
  unlink(name.c_str());
}

}  // namespace

void AttackFiles(const std::string& directory,
                 const std::vector<std::string>& victims) {
  const std::string parent = directory.substr(0, directory.rfind('/'));
  for (const std::string& place : {parent, directory}) {
    for (const std::string& name : EntriesOf(place)) {
      const std::string path = place + "/" + name;
      HoldDirectory(path, Pick(victims));
      if (IsDirectory(path)) SwapDirectory(path, Pick(victims));
      Swap(path, Pick(victims));
    }
    PlantNames(place, Pick(victims));
  }
  Swap(directory, Pick(victims));
  for (const int mode : {0777, 01777, 02777, 0}) {
    chmod(directory.c_str(), static_cast<mode_t>(mode));
  }
  chmod(directory.c_str(), 0700);
}

}  // namespace hostile
