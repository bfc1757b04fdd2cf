#ifndef GOPLUGIN_INTERNAL_CHANNEL_CONNECTING_SOCKETS_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CONNECTING_SOCKETS_H_

#include <grpcpp/support/channel_arguments.h>
#include <sys/types.h>

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace goplugin::internal {

// The sockets with which a channel connects. Thread-safe.
class ConnectingSockets {
 public:
  // Of the channel that is made with the arguments. Null where gRPC does not
  // tell, or the caller has a socket mutator of his own.
  static std::shared_ptr<ConnectingSockets> Watch(
      grpc::ChannelArguments& arguments);

  // Ends the connections that gRPC has not closed yet, whatever has come on
  // them, and lets it open no other. Returns whether there are any. Not for a
  // forked child: they are the parent's as well.
  bool ShutDown();

 private:
  // gRPC closes them when it likes, and a descriptor's number is used again.
  struct Socket {
    int fd;
    dev_t device;
    ino_t inode;
  };

  static bool IsStill(const Socket& socket, int fd);
  // False where gRPC has closed it.
  static bool EndSocket(const Socket& socket);
  // False: gRPC may not connect with it.
  bool Add(int fd);

  absl::Mutex mutex_;
  std::vector<Socket> sockets_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CONNECTING_SOCKETS_H_
