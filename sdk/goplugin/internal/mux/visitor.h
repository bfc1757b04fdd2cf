#ifndef GOPLUGIN_INTERNAL_MUX_VISITOR_H_
#define GOPLUGIN_INTERNAL_MUX_VISITOR_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Who is to have a stream of this side's: the other end of a socket, or a call
// that takes the stream itself. One that gets none is turned away, at its end
// at the latest. Not thread-safe.
class Visitor {
 public:
  // Expected, but not there.
  Visitor() = default;
  explicit Visitor(UniqueFd socket) : socket_(std::move(socket)) {}
  explicit Visitor(StreamCallback entered) : entered_(std::move(entered)) {}
  ~Visitor() { TurnAway(absl::UnavailableError("turned away")); }
  Visitor(Visitor&& other) noexcept
      : socket_(std::move(other.socket_)),
        entered_(std::exchange(other.entered_, nullptr)) {}
  Visitor& operator=(Visitor&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(entered_, other.entered_);
    return *this;
  }

  bool is_there() const { return socket_.valid() || entered_ != nullptr; }
  UniqueFd TakeSocket() { return std::move(socket_); }
  void Enter(std::unique_ptr<ByteStream> stream) {
    if (auto entered = std::exchange(entered_, nullptr)) {
      entered(std::move(stream));
    }
  }
  void TurnAway(const absl::Status& why) {
    socket_.reset();
    if (auto entered = std::exchange(entered_, nullptr)) entered(why);
  }

 private:
  UniqueFd socket_;
  StreamCallback entered_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_VISITOR_H_
