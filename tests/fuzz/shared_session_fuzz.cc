// What the other side of a multiplexed connection sends where gRPC takes its
// streams as they are, and what their owners do meanwhile. The io thread's part
// is done here, so that nothing happens by chance.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/mux/frame.h"
#include "goplugin/internal/mux/shared_session.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"
#include "tests/fuzz/input.h"
#include "tests/unit/mux/frames.h"

namespace goplugin::internal {
namespace {

using StreamId = SharedSession::StreamId;

// The n-th byte that goes over a stream.
char ByteAt(size_t n) { return static_cast<char>(n * 7 + n / 251); }

class Handler final : public IoHandler {
 public:
  void OnEvents(std::uint32_t events) override { told_ |= events; }
  bool Told(std::uint32_t events) const { return (told_ & events) != 0; }

 private:
  std::uint32_t told_ = 0;
};

// A stream as its owner has it.
struct Owned {
  std::unique_ptr<ByteStream> stream;
  std::shared_ptr<Handler> handler = std::make_shared<Handler>();
  size_t received = 0;
};

class Conversation {
 public:
  Conversation(YamuxRole role, Input& input) : input_(input) {
    int ends[2];
    Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    peer_.reset(ends[1]);
    SharedSession::Callbacks callbacks;
    callbacks.on_opened = [this](StreamId id) { opened_.push_back(id); };
    callbacks.on_end = [this](const absl::Status&) {
      Require(!std::exchange(ended_, true));
    };
    std::unique_ptr<IoPlace> place = IoPlace::Take();
    Require(place != nullptr);
    // Not started: no io thread watches it.
    session_ = std::make_shared<SharedSession>(
        UniqueFd(ends[0]), std::move(place), role, std::move(callbacks));
  }

  void Step() {
    const std::uint8_t head = input_.Byte();
    if (head < 0x40) {
      wild_ = true;
      Say(input_.Bytes(head));
    } else if (head < 0xa0) {
      SayFrame(head);
    } else {
      Act(head);
    }
  }

  void Finish() {
    TakeOutput();
    session_->Close();
    owned_.clear();
    TakeOutput();
    // The last one may have been cut by the socket's end.
    if (output_.size() >= kFrameHeaderSize) {
      Require(DecodeFrameHeader(output_.data()).version == kYamuxVersion);
    }
  }

 private:
  void Say(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count =
          send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      const bool full = count < 0 && errno == EAGAIN;
      if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
      session_->OnEvents(EPOLLIN);
      // It is over.
      if (count <= 0 && (!full || ended_)) return;
    }
    session_->OnEvents(EPOLLIN);
  }

  void SayFrame(std::uint8_t head) {
    const auto type = static_cast<FrameType>(head % 4);
    const unsigned flags = input_.Byte() % 16;
    const StreamId id = input_.Byte() % 16;
    const std::uint32_t length = std::uint32_t{input_.Byte()}
                                 << (head / 4 % 8 * 2);
    std::string bytes = FrameBytes(type, flags, id, length);
    const bool data = type == FrameType::kData;
    const bool opens = data || type == FrameType::kWindowUpdate;
    if (opens && (flags & kSyn) != 0) said_[id] = 0;
    if (data) {
      for (std::uint32_t i = 0; i < length; ++i) bytes += ByteAt(said_[id]++);
    }
    Say(bytes);
  }

  void Act(std::uint8_t head) {
    const StreamId id = input_.Byte() % 16;
    switch (head % 8) {
      case 0:
        return TakeOpened(/*refuse=*/id == 0);
      case 1:
        return Open();
      case 2:
        return Receive(id, input_.Byte() * size_t{300});
      case 3:
        return Send(id, input_.Byte() * size_t{3000});
      case 4:
        owned_.erase(id);
        return;
      case 5:
        if (const auto owned = owned_.find(id); owned != owned_.end()) {
          owned->second.stream->TellAgain();
        }
        return;
      case 6:
        TakeOutput();
        return session_->OnEvents(EPOLLOUT);
      default:
        session_->Advance();
        return session_->OnEvents(0);
    }
  }

  void TakeOpened(bool refuse) {
    for (const StreamId id : std::exchange(opened_, {})) {
      if (refuse) {
        session_->Refuse(id);
      } else {
        Own(id);
      }
    }
  }

  void Open() {
    const absl::StatusOr<StreamId> id = session_->Open();
    if (!id.ok()) return;
    if (*id < said_.size()) said_[*id] = 0;
    Own(*id);
  }

  void Own(StreamId id) {
    Owned owned;
    owned.stream = session_->Take(id);
    if (owned.stream == nullptr) return;
    Require(owned.stream->Watch(owned.handler));
    Require(owned_.emplace(id, std::move(owned)).second);
  }

  void Receive(StreamId id, size_t size) {
    const auto found = owned_.find(id);
    if (found == owned_.end() || size == 0) return;
    Owned& owned = found->second;
    std::string bytes(size, '\0');
    const iovec parts[2] = {{bytes.data(), size / 2},
                            {bytes.data() + size / 2, size - size / 2}};
    const ssize_t count = owned.stream->Receive(parts, 2);
    if (count < 0) return Require(errno == EAGAIN);
    session_->OnEvents(0);
    if (count > 0) Require(owned.handler->Told(EPOLLIN));
    if (count == 0) Require(owned.handler->Told(EPOLLRDHUP));
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      Require(wild_ || bytes[i] == ByteAt(owned.received));
      ++owned.received;
    }
  }

  void Send(StreamId id, size_t size) {
    const auto found = owned_.find(id);
    if (found == owned_.end()) return;
    std::string bytes(size, 'y');
    const iovec part = {bytes.data(), size};
    const ssize_t count = found->second.stream->Send(&part, 1);
    if (count < 0) return Require(errno == EAGAIN || errno == EPIPE);
    Require(static_cast<size_t>(count) <= size);
    Require(size == 0 || count > 0);
  }

  // As far as it has come: whole frames, and well made.
  void TakeOutput() {
    char piece[4096];
    ssize_t count = 0;
    while ((count = recv(peer_.get(), piece, sizeof piece, 0)) > 0) {
      output_.append(piece, static_cast<size_t>(count));
    }
    while (output_.size() >= kFrameHeaderSize) {
      const FrameHeader header = DecodeFrameHeader(output_.data());
      Require(header.version == kYamuxVersion && header.type <= 3);
      size_t size = kFrameHeaderSize;
      if (static_cast<FrameType>(header.type) == FrameType::kData) {
        Require(header.length > 0 && header.length <= YamuxSession::kWindow);
        size += header.length;
      }
      if (output_.size() < size) return;
      output_.erase(0, size);
    }
  }

  Input& input_;
  UniqueFd peer_;
  std::shared_ptr<SharedSession> session_;
  std::vector<StreamId> opened_;
  std::map<StreamId, Owned> owned_;
  // How much the other side has said on each.
  std::array<size_t, 16> said_ = {};
  std::string output_;
  // The other side has said what has no pattern.
  bool wild_ = false;
  bool ended_ = false;
};

}  // namespace
}  // namespace goplugin::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using goplugin::internal::YamuxRole;
  goplugin::internal::Input input(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  const YamuxRole role =
      input.Byte() % 2 == 0 ? YamuxRole::kClient : YamuxRole::kServer;
  goplugin::internal::Conversation conversation(role, input);
  while (!input.empty()) conversation.Step();
  conversation.Finish();
  return 0;
}
