#ifndef TESTS_FUZZ_CONVERSATION_PEER_H_
#define TESTS_FUZZ_CONVERSATION_PEER_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace goplugin::testing {

class PeerStream;

// The server of a plugin that says whatever it is told to. One for the whole
// process, on a port of 127.0.0.1: each conversation begins with Reset.
// Thread-safe.
class ConversationPeer final : public grpc::CallbackGenericService {
 public:
  enum class Stream { kStdio, kBroker };
  // What the next health check gets. One that is not foreseen is answered with
  // SERVING, and Shutdown as the last one.
  struct Answer {
    enum class Kind { kMessage, kError, kSilence };
    Kind kind = Kind::kMessage;
    std::string message;
    int code = 0;
  };

  static ConversationPeer& Get();

  int port() const { return port_; }
  void Reset();
  // Bytes in place of a message of that stream, now or when it is opened.
  void Send(Stream stream, absl::string_view message);
  // Ends it, with a status.
  void End(Stream stream, int code);
  void AddHealth(Answer answer);
  void SetShutdown(Answer answer);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  friend class PeerStream;
  // One way of the plugin's to talk.
  struct Line {
    PeerStream* open = nullptr;
    std::deque<std::string> waiting;
  };

  ConversationPeer();
  Line& LineOf(Stream stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stream == Stream::kStdio ? stdio_ : broker_;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  absl::Mutex mutex_;
  Line stdio_ ABSL_GUARDED_BY(mutex_);
  Line broker_ ABSL_GUARDED_BY(mutex_);
  std::deque<Answer> health_ ABSL_GUARDED_BY(mutex_);
  Answer shutdown_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::testing

#endif  // TESTS_FUZZ_CONVERSATION_PEER_H_
