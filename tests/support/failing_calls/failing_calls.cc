#include "tests/support/failing_calls/failing_calls.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

// The SDK's child shares this memory until it executes its program, on a stack
// of its own: what it calls is counted as well, and must not lock or allocate.
namespace {

struct Function {
  const char* name;
  int error_number;
};

// In the order of FUNCTIONS. The error is one that a host may meet.
enum Index {
  kSocket,
  kConnect,
  kBind,
  kListen,
  kAccept4,
  kGetsockopt,
  kSetsockopt,
  kSend,
  kRecv,
  kOpen,
  kOpenat,
  kRead,
  kWrite,
  kClose,
  kFcntl,
  kPipe2,
  kPoll,
  kEpollCtl,
  kTimerfdSettime,
  kStat,
  kLstat,
  kFstat,
  kStatx,
  kChmod,
  kMkdtemp,
  kUnlink,
  kUnlinkat,
  kRmdir,
  kReadlink,
  kWaitid,
  kClone,
  kSyscall,
  kPthreadCreate,
  kFunctions,
};

constexpr Function kTable[kFunctions] = {
    {"socket", EMFILE},
    {"connect", EACCES},
    {"bind", EACCES},
    {"listen", EOPNOTSUPP},
    {"accept4", EMFILE},
    {"getsockopt", ENOBUFS},
    {"setsockopt", ENOBUFS},
    {"send", ECONNRESET},
    {"recv", ECONNRESET},
    {"open", EMFILE},
    {"openat", EMFILE},
    {"read", EIO},
    {"write", EIO},
    {"close", EIO},
    {"fcntl", EMFILE},
    {"pipe2", EMFILE},
    {"poll", ENOMEM},
    {"epoll_ctl", ENOSPC},
    {"timerfd_settime", EPERM},
    {"stat", EIO},
    {"lstat", EIO},
    {"fstat", EIO},
    {"statx", EIO},
    {"chmod", EPERM},
    {"mkdtemp", EACCES},
    {"unlink", EACCES},
    {"unlinkat", EACCES},
    {"rmdir", EACCES},
    {"readlink", EACCES},
    {"waitid", ECHILD},
    {"clone", EAGAIN},
    {"syscall", EPERM},
    {"pthread_create", EAGAIN},
};

std::atomic<int> armed_function{-1};
std::atomic<int> armed_call{0};
std::atomic<int> calls{0};

// Whether this call is the one, with errno set.
bool Fails(Index index) {
  if (armed_function.load() != index) return false;
  if (calls.fetch_add(1) + 1 != armed_call.load()) return false;
  errno = kTable[index].error_number;
  return true;
}

}  // namespace

// Functions with "..." are taken for ones with as many integers as there can
// be: in all of Linux's calling conventions these travel alike.
#define GOPLUGIN_WRAP(index, failure, result, name, parameters, arguments) \
  extern "C" result __real_##name parameters;                              \
  extern "C" result __wrap_##name parameters {                             \
    if (Fails(index)) return failure;                                      \
    return __real_##name arguments;                                        \
  }

GOPLUGIN_WRAP(kSocket, -1, int, socket, (int a, int b, int c), (a, b, c))
GOPLUGIN_WRAP(kConnect, -1, int, connect,
              (int a, const sockaddr* b, socklen_t c), (a, b, c))
GOPLUGIN_WRAP(kBind, -1, int, bind, (int a, const sockaddr* b, socklen_t c),
              (a, b, c))
GOPLUGIN_WRAP(kListen, -1, int, listen, (int a, int b), (a, b))
GOPLUGIN_WRAP(kAccept4, -1, int, accept4,
              (int a, sockaddr* b, socklen_t* c, int d), (a, b, c, d))
GOPLUGIN_WRAP(kGetsockopt, -1, int, getsockopt,
              (int a, int b, int c, void* d, socklen_t* e), (a, b, c, d, e))
GOPLUGIN_WRAP(kSetsockopt, -1, int, setsockopt,
              (int a, int b, int c, const void* d, socklen_t e),
              (a, b, c, d, e))
GOPLUGIN_WRAP(kSend, -1, ssize_t, send, (int a, const void* b, size_t c, int d),
              (a, b, c, d))
GOPLUGIN_WRAP(kRecv, -1, ssize_t, recv, (int a, void* b, size_t c, int d),
              (a, b, c, d))
GOPLUGIN_WRAP(kOpen, -1, int, open, (const char* a, int b, long c), (a, b, c))
GOPLUGIN_WRAP(kOpenat, -1, int, openat, (int a, const char* b, int c, long d),
              (a, b, c, d))
GOPLUGIN_WRAP(kRead, -1, ssize_t, read, (int a, void* b, size_t c), (a, b, c))
GOPLUGIN_WRAP(kWrite, -1, ssize_t, write, (int a, const void* b, size_t c),
              (a, b, c))
GOPLUGIN_WRAP(kFcntl, -1, int, fcntl, (int a, int b, long c), (a, b, c))
GOPLUGIN_WRAP(kPipe2, -1, int, pipe2, (int* a, int b), (a, b))
GOPLUGIN_WRAP(kPoll, -1, int, poll, (pollfd * a, nfds_t b, int c), (a, b, c))
GOPLUGIN_WRAP(kTimerfdSettime, -1, int, timerfd_settime,
              (int a, int b, const itimerspec* c, itimerspec* d), (a, b, c, d))
GOPLUGIN_WRAP(kStat, -1, int, stat, (const char* a, struct stat* b), (a, b))
GOPLUGIN_WRAP(kLstat, -1, int, lstat, (const char* a, struct stat* b), (a, b))
GOPLUGIN_WRAP(kFstat, -1, int, fstat, (int a, struct stat* b), (a, b))
GOPLUGIN_WRAP(kStatx, -1, int, statx,
              (int a, const char* b, int c, unsigned d, struct statx* e),
              (a, b, c, d, e))
GOPLUGIN_WRAP(kChmod, -1, int, chmod, (const char* a, mode_t b), (a, b))
GOPLUGIN_WRAP(kMkdtemp, nullptr, char*, mkdtemp, (char* a), (a))
GOPLUGIN_WRAP(kUnlink, -1, int, unlink, (const char* a), (a))
GOPLUGIN_WRAP(kUnlinkat, -1, int, unlinkat, (int a, const char* b, int c),
              (a, b, c))
GOPLUGIN_WRAP(kRmdir, -1, int, rmdir, (const char* a), (a))
GOPLUGIN_WRAP(kReadlink, -1, ssize_t, readlink,
              (const char* a, char* b, size_t c), (a, b, c))
GOPLUGIN_WRAP(kClone, -1, int, clone,
              (int (*a)(void*), void* b, int c, void* d, void* e, void* f,
               void* g),
              (a, b, c, d, e, f, g))
GOPLUGIN_WRAP(kSyscall, -1, long, syscall,
              (long a, long b, long c, long d, long e, long f, long g),
              (a, b, c, d, e, f, g))

// Its error is its result.
GOPLUGIN_WRAP(kPthreadCreate, kTable[kPthreadCreate].error_number, int,
              pthread_create,
              (pthread_t * a, const pthread_attr_t* b, void* (*c)(void*),
               void* d),
              (a, b, c, d))

// What is watched already can always be watched otherwise.
extern "C" int __real_epoll_ctl(int epoll, int operation, int fd,
                                epoll_event* event);
extern "C" int __wrap_epoll_ctl(int epoll, int operation, int fd,
                                epoll_event* event) {
  if (operation == EPOLL_CTL_ADD && Fails(kEpollCtl)) return -1;
  return __real_epoll_ctl(epoll, operation, fd, event);
}

// As Linux does, it closes the descriptor and fails all the same.
extern "C" int __real_close(int fd);
extern "C" int __wrap_close(int fd) {
  const bool fails = Fails(kClose);
  const int result = __real_close(fd);
  if (!fails) return result;
  errno = kTable[kClose].error_number;
  return -1;
}

// As in a host that waits for all children itself: the child is gone, and this
// call comes too late. One that finds no child does not count.
extern "C" int __real_waitid(idtype_t type, id_t id, siginfo_t* info,
                             int options);
extern "C" int __wrap_waitid(idtype_t type, id_t id, siginfo_t* info,
                             int options) {
  const int result = __real_waitid(type, id, info, options);
  if (result != 0 || info->si_pid == 0 || !Fails(kWaitid)) return result;
  siginfo_t gone = {};
  __real_waitid(type, id, &gone, WEXITED | WNOHANG);
  errno = kTable[kWaitid].error_number;
  return -1;
}

namespace goplugin::testing {

const std::vector<std::string>& FailingCalls() {
  static const auto* names = [] {
    auto* all = new std::vector<std::string>;
    for (const Function& function : kTable) all->emplace_back(function.name);
    return all;
  }();
  return *names;
}

void Arm(const std::string& function, int which) {
  for (int i = 0; i < kFunctions; ++i) {
    if (function != kTable[i].name) continue;
    calls = 0;
    armed_call = which;
    armed_function = i;
    return;
  }
  std::abort();
}

int Disarm() {
  armed_function = -1;
  return calls.exchange(0);
}

}  // namespace goplugin::testing
