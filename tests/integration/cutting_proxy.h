#ifndef TESTS_INTEGRATION_CUTTING_PROXY_H_
#define TESTS_INTEGRATION_CUTTING_PROXY_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace goplugin::testing {

// Stands between a host and a plugin on unix sockets, and cuts what goes
// through it: all at once when it is told, or each connection after its time.
class CuttingProxy {
 public:
  // Listens at `path`; connects to `target` for each connection.
  CuttingProxy(const std::string& path, std::string target,
               absl::Duration time = absl::InfiniteDuration())
      : path_(path), target_(std::move(target)), time_(time) {
    const sockaddr_un address = Address(path);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address),
                   sizeof address),
              0);
    EXPECT_EQ(listen(listener_, 16), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~CuttingProxy() {
    over_ = true;
    thread_.join();
    close(listener_);
    unlink(path_.c_str());
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  // Returns when all connections of this moment are closed.
  void Cut() {
    cut_ = true;
    while (cut_) absl::SleepFor(absl::Milliseconds(1));
  }
  int connections() const { return connections_; }

 private:
  struct Pair {
    int host;
    int plugin;
    absl::Time until;
  };

  static sockaddr_un Address(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
  }
  static int Socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

  void Run() {
    while (!over_) {
      std::vector<pollfd> watched = {{listener_, POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        watched.push_back({pair.host, POLLIN, 0});
        watched.push_back({pair.plugin, POLLIN, 0});
      }
      poll(watched.data(), watched.size(), /*timeout=*/5);
      std::vector<Pair> left;
      for (size_t i = 0; i < pairs_.size(); ++i) {
        const Pair& pair = pairs_[i];
        const bool alive = !cut_ && absl::Now() < pair.until &&
                           Move(watched[2 * i + 1], pair.plugin) &&
                           Move(watched[2 * i + 2], pair.host);
        if (alive) {
          left.push_back(pair);
        } else {
          Close(pair);
        }
      }
      pairs_ = left;
      cut_ = false;
      if (watched[0].revents != 0) Accept();
    }
    for (const Pair& pair : pairs_) Close(pair);
  }

  void Accept() {
    const int host = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int plugin = Socket();
    const sockaddr_un address = Address(target_);
    ++connections_;
    pairs_.push_back({host, plugin, absl::Now() + time_});
    if (connect(plugin, reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
      Close(pairs_.back());
      pairs_.pop_back();
    }
  }

  // False at the end.
  static bool Move(const pollfd& from, int to) {
    if (from.revents == 0) return true;
    std::array<char, 65536> bytes;
    const ssize_t count = read(from.fd, bytes.data(), bytes.size());
    if (count <= 0) return false;
    for (ssize_t sent = 0; sent < count;) {
      const ssize_t more =
          send(to, bytes.data() + sent, static_cast<size_t>(count - sent),
               MSG_NOSIGNAL);
      if (more <= 0) return false;
      sent += more;
    }
    return true;
  }
  static void Close(const Pair& pair) {
    close(pair.host);
    close(pair.plugin);
  }

  const std::string path_;
  const std::string target_;
  const absl::Duration time_;
  const int listener_ = Socket();
  std::vector<Pair> pairs_;
  std::atomic<bool> over_{false};
  std::atomic<bool> cut_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_CUTTING_PROXY_H_
