#include "goplugin/internal/mux/shared_session.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/mux/connection_socket.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// Then others on the io thread come first.
constexpr int kMostReadsAtOnce = 16;

constexpr std::uint32_t kReadable = EPOLLIN;
constexpr std::uint32_t kWritable = EPOLLOUT;
constexpr std::uint32_t kNoMore =
    static_cast<std::uint32_t>(EPOLLIN) | EPOLLRDHUP;
constexpr std::uint32_t kOver = kNoMore | EPOLLHUP;

}  // namespace

// What a stream's owner has of it.
class SharedSession::StreamEnd final : public ByteStream {
 public:
  StreamEnd(std::shared_ptr<SharedSession> session, StreamId id)
      : session_(std::move(session)), id_(id) {}
  ~StreamEnd() override { Close(); }

  ssize_t Receive(const iovec* parts, size_t count) override {
    return session_->Receive(id_, parts, count);
  }
  ssize_t Send(const iovec* parts, size_t count) override {
    return session_->Send(id_, parts, count);
  }
  bool Watch(std::weak_ptr<IoHandler> handler) override {
    session_->Watch(id_, std::move(handler));
    return true;
  }
  // Who got EAGAIN is told.
  void TellWritable(bool /*writable*/) override {}
  void TellAgain() override { session_->TellAgain(id_); }
  // What comes after it is answered with a reset. Its number may be another's
  // then.
  void Close() override {
    if (!closed_.exchange(true)) session_->Abandon(id_);
  }

 private:
  const std::shared_ptr<SharedSession> session_;
  const StreamId id_;
  std::atomic<bool> closed_{false};
};

SharedSession::SharedSession(UniqueFd connection,
                             std::unique_ptr<IoPlace> place, YamuxRole role,
                             Callbacks callbacks)
    : connection_(std::move(connection)),
      place_(std::move(place)),
      buffer_(new char[kReceiveSize]),
      callbacks_(std::move(callbacks)),
      session_(role, *this) {}

void SharedSession::Start() {
  if (place_->Watch(connection_.get(), /*writable=*/false, weak_from_this())) {
    return;
  }
  MutexLock lock(mutex_);
  End(Broken("can't watch the connection", ENOSPC));
}

// ---- What the owner does ----------------------------------------------------

absl::StatusOr<YamuxSession::StreamId> SharedSession::Open() {
  MutexLock lock(mutex_);
  if (ended_) return absl::UnavailableError("the connection is over");
  absl::StatusOr<StreamId> id = session_.Open();
  if (!id.ok()) return id.status();
  opening_ = *id;
  streams_.emplace(*id, /*theirs=*/false);
  Flush();
  return id;
}

std::unique_ptr<ByteStream> SharedSession::Take(StreamId id) {
  MutexLock lock(mutex_);
  if (streams_.count(id) == 0) return nullptr;
  session_.Accept(id);
  Flush();
  return std::make_unique<StreamEnd>(shared_from_this(), id);
}

void SharedSession::Refuse(StreamId id) {
  MutexLock lock(mutex_);
  session_.Reset(id);
  Forget(id);
  Flush();
}

void SharedSession::Abandon(StreamId id) {
  MutexLock lock(mutex_);
  if (streams_.count(id) == 0) return;
  session_.CloseWrite(id);
  Forget(id);
  Flush();
}

bool SharedSession::opening() const {
  MutexLock lock(mutex_);
  return opening_.has_value();
}

void SharedSession::StopOpening() {
  MutexLock lock(mutex_);
  opening_.reset();
}

absl::Duration SharedSession::Advance() {
  MutexLock lock(mutex_);
  if (ended_) return absl::InfiniteDuration();
  session_.Advance(clock_.Elapsed());
  Flush();
  return session_.NextDeadline() - clock_.Elapsed();
}

void SharedSession::TellWhenIdle() {
  MutexLock lock(mutex_);
  tells_when_idle_ = true;
  TellIfIdle();
}

void SharedSession::Close() {
  MutexLock lock(mutex_);
  callbacks_ = Callbacks();
  if (ended_) return;
  session_.GoAway(GoAwayCode::kNormal);
  EndStreams();
}

// ---- What the streams do ----------------------------------------------------

ssize_t SharedSession::Receive(StreamId id, const iovec* parts, size_t count) {
  MutexLock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return 0;
  ByteQueue& incoming = found->second.incoming;
  size_t size = 0;
  for (size_t i = 0; i < count && !incoming.empty(); ++i) {
    const absl::string_view piece =
        incoming.bytes().substr(0, parts[i].iov_len);
    std::memcpy(parts[i].iov_base, piece.data(), piece.size());
    size += piece.size();
    incoming.RemovePrefix(piece.size());
  }
  if (size == 0) {
    if (found->second.finished) return 0;
    errno = EAGAIN;
    return -1;
  }
  session_.Consumed(id, size);
  Flush();
  return static_cast<ssize_t>(size);
}

ssize_t SharedSession::Send(StreamId id, const iovec* parts, size_t count) {
  MutexLock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.gone) {
    errno = EPIPE;
    return -1;
  }
  size_t sent = 0;
  bool blocked = false;
  for (size_t i = 0; i < count && !blocked; ++i) {
    const absl::string_view part(static_cast<const char*>(parts[i].iov_base),
                                 parts[i].iov_len);
    const size_t put = Put(id, part);
    sent += put;
    blocked = put < part.size();
  }
  Flush();
  if (sent == 0 && blocked) {
    errno = EAGAIN;
    return -1;
  }
  return static_cast<ssize_t>(sent);
}

size_t SharedSession::Put(StreamId id, absl::string_view bytes) {
  size_t put = 0;
  while (put < bytes.size()) {
    if (session_.output().size() >= kCongestion) Flush();
    if (session_.output().size() >= kCongestion) {
      congested_.push_back(id);
      break;
    }
    const size_t size = session_.Send(id, bytes.substr(put, kPieceSize));
    if (size == 0) break;  // until OnWindow
    put += size;
  }
  return put;
}

void SharedSession::Watch(StreamId id, std::weak_ptr<IoHandler> handler) {
  MutexLock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.handler = std::move(handler);
  // What came ahead of it.
  Tell(id, stream, std::exchange(stream.events, 0));
}

void SharedSession::TellAgain(StreamId id) {
  MutexLock lock(mutex_);
  const auto found = streams_.find(id);
  if (found != streams_.end()) Tell(id, found->second, kReadable);
}

// ---- What comes -------------------------------------------------------------

void SharedSession::OnEvents(std::uint32_t events) {
  const bool over = (events & kOver & ~kReadable) != 0;
  if ((events & (kWritable | EPOLLHUP | EPOLLERR)) != 0) {
    MutexLock lock(mutex_);
    tells_soon_ = true;
    Flush();
  }
  if (over || (events & (kReadable | EPOLLERR)) != 0) Read(over);
  TellHandlers();
}

void SharedSession::Read(bool over) {
  for (int i = 0; i < kMostReadsAtOnce; ++i) {
    if (!ReadOnce(over)) return;
    TellHandlers();
  }
  place_->TellAgain();
}

bool SharedSession::ReadOnce(bool over) {
  const ssize_t count =
      ReceiveNow(connection_.get(), buffer_.get(), kReceiveSize);
  const int error = errno;
  MutexLock lock(mutex_);
  tells_soon_ = true;
  if (ended_) return false;
  if (count < 0 && IsNotNow(error)) return false;
  // Reset: it was closed before all that was sent there had been read.
  if (count == 0 || (count < 0 && error == ECONNRESET)) {
    End(ClosedAfterPing(clock_.Elapsed() - pinged_at_));
    return false;
  }
  if (count < 0) {
    End(Broken("can't read from the connection", error));
    return false;
  }
  const std::uint64_t pings = session_.pings_received();
  const absl::Status status = session_.Receive(
      absl::string_view(buffer_.get(), static_cast<size_t>(count)));
  if (session_.pings_received() > pings) pinged_at_ = clock_.Elapsed();
  if (!status.ok()) {
    End(status);
    return false;
  }
  Flush();
  // Less than was asked for is all there was.
  return over || static_cast<size_t>(count) == kReceiveSize;
}

void SharedSession::OnOpened(StreamId id) {
  // One that was reset counts, and keeps its number, until its owner has let it
  // go.
  const bool has_room = theirs_ < YamuxSession::kMaxTheirs;
  if (!has_room || !streams_.emplace(id, /*theirs=*/true).second) {
    return session_.Reset(id);
  }
  ++theirs_;
  if (callbacks_.on_opened) callbacks_.on_opened(id);
}

void SharedSession::OnData(StreamId id, absl::string_view bytes) {
  const auto found = streams_.find(id);
  // It was abandoned.
  if (found == streams_.end()) return session_.Reset(id);
  found->second.incoming.Append(bytes);
  Tell(id, found->second, kReadable);
}

void SharedSession::OnWindow(StreamId id) {
  const auto found = streams_.find(id);
  if (found != streams_.end()) Tell(id, found->second, kWritable);
}

void SharedSession::OnFinished(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.finished = true;
  Tell(id, found->second, kNoMore);
}

void SharedSession::OnReset(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  // What has arrived is still the owner's.
  found->second.finished = true;
  found->second.gone = true;
  Tell(id, found->second, kOver);
}

void SharedSession::Tell(StreamId id, Stream& stream, std::uint32_t events) {
  if (events == 0) return;
  if (std::exchange(stream.events, stream.events | events) != 0) return;
  to_tell_.push_back(id);
  if (!tells_soon_) place_->CallSoon();
}

void SharedSession::TellHandlers() {
  std::vector<std::pair<std::shared_ptr<IoHandler>, std::uint32_t>> told;
  {
    MutexLock lock(mutex_);
    tells_soon_ = false;
    for (const StreamId id : std::exchange(to_tell_, {})) {
      const auto found = streams_.find(id);
      if (found == streams_.end()) continue;
      auto handler = found->second.handler.lock();
      // One that is not watched yet is told then.
      if (handler == nullptr) continue;
      told.emplace_back(std::move(handler),
                        std::exchange(found->second.events, 0));
    }
  }
  for (auto& [handler, events] : told) {
    handler->OnEvents(events);
    // What it may end with it, too.
    handler.reset();
  }
}

// ---- What goes out ----------------------------------------------------------

void SharedSession::Flush() {
  TellIfTaken();
  while (!ended_ && !session_.output().empty()) {
    const ssize_t count = SendNow(connection_.get(), session_.output());
    if (count < 0) {
      if (IsNotNow(errno)) {
        waits_for_room_ = true;
        return place_->TellWritable(true);
      }
      if (errno == EPIPE) {
        // It was closed. What came before that, and the end, is read yet.
        session_.RemoveOutput(session_.output().size());
        break;
      }
      return End(Broken("can't write to the connection", errno));
    }
    session_.RemoveOutput(static_cast<size_t>(count));
  }
  if (std::exchange(waits_for_room_, false)) place_->TellWritable(false);
  for (const StreamId id : std::exchange(congested_, {})) OnWindow(id);
  TellIfIdle();
}

void SharedSession::Forget(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  if (found->second.theirs) --theirs_;
  streams_.erase(found);
}

void SharedSession::TellIfTaken() {
  if (!opening_.has_value() || session_.IsUnaccepted(*opening_)) return;
  opening_.reset();
  if (callbacks_.on_taken) callbacks_.on_taken();
}

void SharedSession::TellIfIdle() {
  if (!tells_when_idle_) return;
  const bool idle =
      session_.output().empty() &&
      std::all_of(streams_.begin(), streams_.end(),
                  [](const auto& stream) { return stream.second.gone; });
  if (!ended_ && !idle) return;
  tells_when_idle_ = false;
  if (callbacks_.on_idle) callbacks_.on_idle();
}

// ---- The end ----------------------------------------------------------------

void SharedSession::End(const absl::Status& status) {
  if (ended_) return;
  EndStreams();
  TellIfIdle();
  if (callbacks_.on_end) callbacks_.on_end(status);
}

void SharedSession::EndStreams() {
  ended_ = true;
  // A last go-away, if it fits.
  SendNow(connection_.get(), session_.output());
  shutdown(connection_.get(), SHUT_RDWR);
  // What has arrived is still the owners' to take.
  for (auto& [id, stream] : streams_) {
    stream.finished = true;
    stream.gone = true;
    Tell(id, stream, kOver);
  }
}

}  // namespace goplugin::internal
