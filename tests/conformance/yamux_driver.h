#ifndef TESTS_CONFORMANCE_YAMUX_DRIVER_H_
#define TESTS_CONFORMANCE_YAMUX_DRIVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/mux/yamux_session.h"

namespace goplugin::testing {

// A bare YamuxSession on a socket, moved along by RunUntil only. Time stands
// still but for what the test tells the session.
class YamuxDriver final : public internal::YamuxSession::Events {
 public:
  using StreamId = internal::YamuxSession::StreamId;

  struct Stream {
    std::string received;
    // Where not, what comes is kept, and no window given for it.
    bool reads = true;
    size_t unconsumed = 0;
    // What waits for window, and then the end.
    std::string unsent;
    bool closes = false;
    // What comes goes back, and then the end.
    bool echoes = false;
    bool finished = false;
    bool reset = false;
  };

  // What becomes of streams that the other side opens.
  enum class Policy { kEcho, kReset, kWait };

  // Owns `socket`.
  YamuxDriver(int socket, internal::YamuxRole role);
  ~YamuxDriver();
  YamuxDriver(const YamuxDriver&) = delete;
  YamuxDriver& operator=(const YamuxDriver&) = delete;

  // Reads and writes until `done`, or the end of the connection, or of
  // patience. Whether it was `done`.
  bool RunUntil(const std::function<bool()>& done);

  // A stream with this as its first bytes, and its end if `closes`.
  StreamId Open(absl::string_view bytes, bool closes);
  // Opens a stream with a line; the answer without its newline, or "" for none.
  std::string Ask(absl::string_view line);
  // Adds to what the stream sends.
  void Send(StreamId id, absl::string_view bytes);
  void Close(StreamId id);
  // Reads what waited, and from now on.
  void Read(StreamId id);
  // Accepts and echoes the streams that wait.
  void EchoAll();

  // Waits until the other side has written these bytes, which stay unread.
  bool WaitForUnread(absl::string_view bytes);
  // Ends the connection, in good order or at once.
  void Finish();
  void Hangup();

  internal::YamuxSession& session() { return session_; }
  Stream& stream(StreamId id) { return streams_[id]; }
  bool finished(StreamId id) { return streams_[id].finished; }
  void set_policy(Policy policy) { policy_ = policy; }
  // Streams that the other side opened so far.
  size_t opened() const { return opened_; }
  // The other side has closed the connection.
  bool hung_up() const { return hung_up_; }
  // The session's error.
  const absl::Status& status() const { return status_; }

  void OnOpened(StreamId id) override;
  void OnData(StreamId id, absl::string_view bytes) override;
  void OnWindow(StreamId id) override { Flush(id); }
  void OnFinished(StreamId id) override;
  void OnReset(StreamId id) override { streams_[id].reset = true; }

 private:
  void Flush(StreamId id);
  void ReadSocket();
  void WriteSocket();

  int socket_;
  internal::YamuxSession session_;
  std::map<StreamId, Stream> streams_;
  Policy policy_ = Policy::kEcho;
  size_t opened_ = 0;
  bool hung_up_ = false;
  absl::Status status_;
};

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_YAMUX_DRIVER_H_
