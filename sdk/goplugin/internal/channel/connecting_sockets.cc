#include "goplugin/internal/channel/connecting_sockets.h"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"

// In gRPC before 1.70, and in no header of its public ones, though
// ChannelArguments takes such a thing: what is told of each socket before it
// connects. Weak, for a gRPC that has it no more.
// NOLINTBEGIN(readability-identifier-naming)
struct grpc_socket_mutator_vtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  bool (*mutate_fd_2)(const void* info, grpc_socket_mutator* mutator);
};
__attribute__((weak)) void grpc_socket_mutator_init(
    grpc_socket_mutator* mutator, const grpc_socket_mutator_vtable* vtable);
// NOLINTEND(readability-identifier-naming)

namespace goplugin::internal {
namespace {

// Returns whether it may connect.
using ToldOfSocket = absl::AnyInvocable<bool(int fd)>;

// What gRPC takes for a socket mutator begins with its own part.
struct Mutator {
  alignas(std::max_align_t) unsigned char grpcs[128] = {};
  ToldOfSocket told;
};

grpc_socket_mutator* MakeMutator(ToldOfSocket told) {
  static const grpc_socket_mutator_vtable vtable = {
      [](int fd, grpc_socket_mutator* mutator) {
        return reinterpret_cast<Mutator*>(mutator)->told(fd);
      },
      [](grpc_socket_mutator* a, grpc_socket_mutator* b) {
        const std::less<grpc_socket_mutator*> less;
        return less(a, b) ? -1 : less(b, a) ? 1 : 0;
      },
      [](grpc_socket_mutator* mutator) {
        delete reinterpret_cast<Mutator*>(mutator);
      },
      nullptr};
  auto* const made = new Mutator;
  made->told = std::move(told);
  auto* const mutator = reinterpret_cast<grpc_socket_mutator*>(made);
  grpc_socket_mutator_init(mutator, &vtable);
  return mutator;
}

bool HasMutator(const grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  return std::any_of(
      given.args, given.args + given.num_args, [](const grpc_arg& argument) {
        return argument.key == absl::string_view(GRPC_ARG_SOCKET_MUTATOR);
      });
}

// Asks no file: one whose server is gone (NFS) answers when it likes.
bool IsSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

}  // namespace

std::shared_ptr<ConnectingSockets> ConnectingSockets::Watch(
    grpc::ChannelArguments& arguments) {
  if (grpc_socket_mutator_init == nullptr || HasMutator(arguments)) {
    return nullptr;
  }
  auto sockets = std::make_shared<ConnectingSockets>();
  arguments.SetSocketMutator(
      MakeMutator([sockets](int fd) { return sockets->Add(fd); }));
  return sockets;
}

bool ConnectingSockets::ShutDown() {
  MutexLock lock(mutex_);
  over_ = true;
  std::vector<Socket> open;
  for (const Socket& socket : sockets_) {
    if (EndSocket(socket)) open.push_back(socket);
  }
  sockets_ = std::move(open);
  return !sockets_.empty();
}

bool ConnectingSockets::IsStill(const Socket& socket, int fd) {
  struct stat file = {};
  return IsSocket(fd) && fstat(fd, &file) == 0 &&
         file.st_dev == socket.device && file.st_ino == socket.inode;
}

bool ConnectingSockets::EndSocket(const Socket& socket) {
  // Another's file is not touched: to close any descriptor of it would give up
  // the process's locks on it.
  if (!IsStill(socket, socket.fd)) return false;
  // Of its own: that number may become another's between two calls.
  const UniqueFd own(fcntl(socket.fd, F_DUPFD_CLOEXEC, 3));
  if (!own.valid()) return errno != EBADF;
  if (!IsStill(socket, own.get())) return false;
  shutdown(own.get(), SHUT_RDWR);
  // gRPC would still read what is there already.
  char bytes[4096];
  while (recv(own.get(), bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
  }
  return true;
}

bool ConnectingSockets::Add(int fd) {
  MutexLock lock(mutex_);
  if (over_) return false;
  struct stat file = {};
  if (fstat(fd, &file) != 0) return true;
  sockets_.erase(std::remove_if(sockets_.begin(), sockets_.end(),
                                [](const Socket& socket) {
                                  return !IsStill(socket, socket.fd);
                                }),
                 sockets_.end());
  sockets_.push_back({fd, file.st_dev, file.st_ino});
  return true;
}

}  // namespace goplugin::internal
