// A plugin that tries, as the user it runs as, to have its host do something to
// files that are not its own: `hostile_heir TARGET SECONDS`, where TARGET is a
// directory with files of somebody else's. It says a handshake line, and then
// works in the directory that the host has lent it, without pause, until it is
// killed; a child of its own goes on after that, for SECONDS, while the host
// cleans up.
//
// Each move below is a function; a new one is added to kMoves.

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/plugins/lifetime.h"
#include "tests/plugins/output.h"

namespace {

struct Scene {
  std::string lent;
  std::string outer;
  // Files of somebody else's, by path.
  std::vector<std::string> targets;
};

std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  DIR* stream = opendir(path.c_str());
  while (const dirent* entry = stream != nullptr ? readdir(stream) : nullptr) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (stream != nullptr) closedir(stream);
  return names;
}

// Whatever is at `path` gives way to a link to somebody else's file.
void ReplaceByLink(const std::string& path, const std::string& target) {
  const std::string link = path + ".link";
  unlink(link.c_str());
  if (symlink(target.c_str(), link.c_str()) == 0) {
    rename(link.c_str(), path.c_str());
  }
}

void LinkEverything(const Scene& scene) {
  for (const std::string& target : scene.targets) {
    const std::string name = target.substr(target.rfind('/') + 1);
    ReplaceByLink(scene.lent + "/" + name, target);
    link(target.c_str(), (scene.lent + "/hard-" + name).c_str());
    rename(target.c_str(), (scene.lent + "/moved-" + name).c_str());
  }
}

// Directories that are in one moment, and a link in the next.
void SwapDirectories(const Scene& scene) {
  for (const char* name : {"/a", "/b", "/d", "/l", "/stdout"}) {
    const std::string path = scene.lent + name;
    mkdir(path.c_str(), 0700);
    mkdir((path + "/inner").c_str(), 0);
    const std::string aside = path + ".aside";
    rename(path.c_str(), aside.c_str());
    for (const std::string& target : scene.targets) {
      ReplaceByLink(path, target.substr(0, target.rfind('/')));
    }
    unlink(path.c_str());
    rename(aside.c_str(), path.c_str());
  }
}

// In the directory above, where it may do nothing.
void TryTheOuter(const Scene& scene) {
  const std::string away = scene.outer + "-away";
  rename(scene.outer.c_str(), away.c_str());
  rename(away.c_str(), scene.outer.c_str());
  rename(scene.lent.c_str(), (scene.outer + "/x").c_str());
  chmod(scene.outer.c_str(), 0777);
  for (const std::string& name : NamesIn(scene.outer)) {
    ReplaceByLink(scene.outer + "/" + name, scene.targets.front());
    unlink((scene.outer + "/" + name).c_str());
  }
  // The mark, and a place for sockets, by their names.
  for (const char* name : {"/m", "/b", "/d"}) {
    ReplaceByLink(scene.outer + name, scene.targets.front());
    mkdir((scene.outer + name).c_str(), 0777);
  }
}

void MakeObstacles(const Scene& scene) {
  mkfifo((scene.lent + "/fifo").c_str(), 0600);
  const std::string socket_path = scene.lent + "/socket";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    rename(socket_path.c_str(), (scene.lent + "/dead").c_str());
  }
  close(fd);
  std::string deep = scene.lent + "/deep";
  for (int i = 0; i < 40; ++i, deep += "/d") mkdir(deep.c_str(), 0700);
  const std::string closed = scene.lent + "/closed";
  mkdir(closed.c_str(), 0700);
  mkdir((closed + "/full").c_str(), 01777);
  chmod(closed.c_str(), 0);
}

// Modes and times of what it was lent.
void ChangeModes(const Scene& scene) {
  for (const mode_t mode : {0777u, 01777u, 02770u, 0u, 0700u}) {
    chmod(scene.lent.c_str(), mode);
  }
}

using Move = void (*)(const Scene&);
constexpr Move kMoves[] = {LinkEverything, SwapDirectories, TryTheOuter,
                           MakeObstacles, ChangeModes};

[[noreturn]] void Work(const Scene& scene) {
  while (true) {
    for (const Move move : kMoves) move(scene);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  LimitLifetime(120);
  Scene scene;
  scene.lent = output::SocketDirectory(true);
  scene.outer = scene.lent.substr(0, scene.lent.rfind('/'));
  for (const std::string& name : NamesIn(argv[1])) {
    scene.targets.push_back(std::string(argv[1]) + "/" + name);
  }
  if (scene.targets.empty()) return 70;
  if (fork() == 0) {
    for (int fd : {0, 1, 2}) close(fd);
    LimitLifetime(atoi(argv[2]));
    Work(scene);
  }
  // A socket that may be anything by the time the host looks.
  output::Say(output::kStdout, "1|1|unix|" + scene.lent + "/a|grpc|\n");
  Work(scene);
}
