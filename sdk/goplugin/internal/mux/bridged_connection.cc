#include "goplugin/internal/mux/bridged_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "goplugin/internal/mux/connection_socket.h"

namespace goplugin::internal {

BridgedConnection::BridgedConnection(EventLoop& loop, UniqueFd connection,
                                     YamuxRole role, Callbacks callbacks)
    : loop_(loop),
      connection_(std::move(connection)),
      watch_(loop, connection_.get(),
             {[this] { OnConnectionReadable(); }, [this] { Flush(); }}),
      callbacks_(std::move(callbacks)),
      session_(role, *this),
      timer_(loop),
      buffer_(new char[kReceiveSize]) {
  watch_.WaitReadable();
  OnTime();
}

BridgedConnection::~BridgedConnection() {
  if (ended_) return;
  session_.GoAway(GoAwayCode::kNormal);
  // As far as it goes without waiting.
  SendNow(connection_.get(), session_.output());
}

absl::StatusOr<YamuxSession::StreamId> BridgedConnection::Open() {
  absl::StatusOr<StreamId> stream = session_.Open();
  if (!stream.ok()) return stream.status();
  opening_ = *stream;
  bridges_[*stream];
  Flush();
  return stream;
}

void BridgedConnection::Abandon(StreamId stream) {
  if (bridges_.erase(stream) == 0) return;
  session_.CloseWrite(stream);
  Flush();
}

void BridgedConnection::Join(StreamId stream, Visitor visitor) {
  Join(stream, visitor.TakeSocket());
}

void BridgedConnection::Join(StreamId stream, UniqueFd socket) {
  const auto found = bridges_.find(stream);
  if (found == bridges_.end()) return;
  Bridge& bridge = found->second;
  bridge.socket = std::move(socket);
  bridge.watch = std::make_unique<DescriptorWatch>(
      loop_, bridge.socket.get(),
      DescriptorWatch::Callbacks{[this, stream] { ReadSocket(stream); },
                                 [this, stream] { WriteSocket(stream); }});
  bridge.watch->WaitReadable();
  // What came ahead of it.
  WriteSocket(stream);
}

// ---- From the connection to the sockets -------------------------------------

void BridgedConnection::OnConnectionReadable() {
  if (ended_) return;
  const ssize_t count =
      ReceiveNow(connection_.get(), buffer_.get(), kReceiveSize);
  // Reset: it was closed before all that was sent there had been read.
  if (count == 0 || (count < 0 && errno == ECONNRESET)) {
    return End(ClosedAfterPing(clock_.Elapsed() - pinged_at_));
  }
  if (count < 0 && !IsNotNow(errno)) {
    return End(Broken("can't read from the connection", errno));
  }
  if (count > 0) {
    const std::uint64_t pings = session_.pings_received();
    const absl::Status status = session_.Receive(
        absl::string_view(buffer_.get(), static_cast<size_t>(count)));
    if (session_.pings_received() > pings) pinged_at_ = clock_.Elapsed();
    if (!status.ok()) return End(status);
  }
  watch_.WaitReadable();
  Flush();
}

void BridgedConnection::OnOpened(StreamId stream) {
  const Take take = callbacks_.on_stream();
  if (take == nullptr) return session_.Reset(stream);
  SocketPair pair = MakeSocketPair();
  if (!pair.ours.valid()) {
    session_.Reset(stream);
    return callbacks_.on_no_room();
  }
  take(std::move(pair.theirs));
  session_.Accept(stream);
  bridges_[stream];
  Join(stream, std::move(pair.ours));
}

void BridgedConnection::OnData(StreamId stream, absl::string_view bytes) {
  const auto found = bridges_.find(stream);
  // It was abandoned.
  if (found == bridges_.end()) return session_.Reset(stream);
  Bridge& bridge = found->second;
  if (bridge.watch == nullptr) return bridge.incoming.Append(bytes);
  if (bridge.incoming.empty()) {
    const ssize_t count = SendNow(bridge.socket.get(), bytes);
    if (count < 0 && !IsNotNow(errno)) return Break(stream);
    if (count > 0) {
      session_.Consumed(stream, static_cast<size_t>(count));
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }
  if (bytes.empty()) return;
  bridge.incoming.Append(bytes);
  bridge.watch->WaitWritable();
}

void BridgedConnection::WriteSocket(StreamId stream) {
  const auto found = bridges_.find(stream);
  if (found == bridges_.end()) return;
  if (Drain(stream, found->second)) FinishWriting(stream, found->second);
  if (!ended_) Flush();
}

bool BridgedConnection::Drain(StreamId stream, Bridge& bridge) {
  while (!bridge.incoming.empty()) {
    const ssize_t count = SendNow(bridge.socket.get(), bridge.incoming.bytes());
    if (count < 0) {
      if (IsNotNow(errno)) {
        bridge.watch->WaitWritable();
      } else {
        Break(stream);
      }
      return false;
    }
    bridge.incoming.RemovePrefix(static_cast<size_t>(count));
    session_.Consumed(stream, static_cast<size_t>(count));
  }
  return true;
}

void BridgedConnection::OnFinished(StreamId stream) {
  const auto found = bridges_.find(stream);
  if (found == bridges_.end()) return;
  found->second.finished = true;
  FinishWriting(stream, found->second);
}

void BridgedConnection::FinishWriting(StreamId stream, Bridge& bridge) {
  if (!bridge.finished || bridge.write_closed || !bridge.incoming.empty() ||
      bridge.watch == nullptr) {
    return;
  }
  bridge.write_closed = true;
  shutdown(bridge.socket.get(), SHUT_WR);
  RemoveIfDone(stream, bridge);
}

void BridgedConnection::OnReset(StreamId stream) { bridges_.erase(stream); }

void BridgedConnection::RemoveIfDone(StreamId stream, const Bridge& bridge) {
  if (bridge.read_closed && bridge.write_closed) bridges_.erase(stream);
}

void BridgedConnection::Break(StreamId stream) {
  session_.Reset(stream);
  bridges_.erase(stream);
}

// ---- From the sockets to the connection -------------------------------------

void BridgedConnection::ReadSocket(StreamId stream) {
  const auto found = bridges_.find(stream);
  if (found == bridges_.end() || found->second.read_closed) return;
  Bridge& bridge = found->second;
  if (session_.output().size() >= kCongestion) {
    return congested_.push_back(stream);
  }
  const absl::Span<char> room = session_.BeginData(stream, kPieceSize);
  if (room.empty()) return;  // until OnWindow
  const ssize_t count =
      ReceiveNow(bridge.socket.get(), room.data(), room.size());
  session_.EndData(count > 0 ? static_cast<size_t>(count) : 0);
  if (count > 0 || (count < 0 && IsNotNow(errno))) {
    bridge.watch->WaitReadable();
  } else if (count < 0) {
    Break(stream);
  } else {
    session_.CloseWrite(stream);
    bridge.read_closed = true;
    RemoveIfDone(stream, bridge);
  }
  Flush();
}

void BridgedConnection::OnWindow(StreamId stream) {
  const auto found = bridges_.find(stream);
  if (found == bridges_.end() || found->second.watch == nullptr) return;
  found->second.watch->WaitReadable();
}

void BridgedConnection::Flush() {
  TellIfTaken();
  while (!ended_ && !session_.output().empty()) {
    const ssize_t count = SendNow(connection_.get(), session_.output());
    if (count < 0) {
      if (IsNotNow(errno)) return watch_.WaitWritable();
      if (errno == EPIPE) {
        // It was closed. What came before that, and the end, is read yet.
        session_.RemoveOutput(session_.output().size());
        break;
      }
      return End(Broken("can't write to the connection", errno));
    }
    session_.RemoveOutput(static_cast<size_t>(count));
  }
  for (StreamId stream : std::exchange(congested_, {})) OnWindow(stream);
  TellIfIdle();
}

void BridgedConnection::TellIfTaken() {
  if (!opening_.has_value() || session_.IsUnaccepted(*opening_)) return;
  opening_.reset();
  if (callbacks_.on_taken) callbacks_.on_taken();
}

void BridgedConnection::CallWhenIdle(absl::AnyInvocable<void()> on_idle) {
  on_idle_ = std::move(on_idle);
  TellIfIdle();
}

void BridgedConnection::TellIfIdle() {
  if (on_idle_ == nullptr) return;
  const bool idle =
      session_.output().empty() &&
      std::all_of(bridges_.begin(), bridges_.end(),
                  [](const auto& bridge) { return bridge.second.read_closed; });
  if (!ended_ && !idle) return;
  auto on_idle = std::exchange(on_idle_, nullptr);
  on_idle();
}

// ---- The end ----------------------------------------------------------------

void BridgedConnection::OnTime() {
  if (ended_) return;
  session_.Advance(clock_.Elapsed());
  timer_.Start(session_.NextDeadline() - clock_.Elapsed(),
               [this] { OnTime(); });
  Flush();
}

void BridgedConnection::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  timer_.Cancel();
  // A last go-away, if it fits.
  SendNow(connection_.get(), session_.output());
  shutdown(connection_.get(), SHUT_RDWR);
  // What has arrived is still the sockets' to take.
  for (auto next = bridges_.begin(); next != bridges_.end();) {
    Bridge& bridge = next->second;
    bridge.read_closed = true;
    bridge.finished = true;
    const bool drained = bridge.incoming.empty() || bridge.watch == nullptr;
    next = drained ? bridges_.erase(next) : std::next(next);
  }
  TellIfIdle();
  callbacks_.on_end(status);
}

}  // namespace goplugin::internal
