#include "tests/conformance/yamux_driver.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {

YamuxDriver::YamuxDriver(int socket, internal::YamuxRole role)
    : socket_(socket), session_(role, *this) {
  session_.Advance(absl::ZeroDuration());
}

YamuxDriver::~YamuxDriver() { Hangup(); }

void YamuxDriver::Hangup() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void YamuxDriver::Finish() {
  // A close with unread data would look like an error to the other side.
  shutdown(socket_, SHUT_WR);
  std::array<char, 50000> buffer;
  while (recv(socket_, buffer.data(), buffer.size(), 0) > 0) continue;
  Hangup();
}

bool YamuxDriver::RunUntil(const std::function<bool()>& done) {
  const absl::Time give_up = absl::Now() + kPatience;
  while (!done()) {
    if (hung_up_ || !status_.ok() || absl::Now() > give_up) return false;
    pollfd waiting = {socket_, POLLIN, 0};
    if (!session_.output().empty()) waiting.events |= POLLOUT;
    if (poll(&waiting, 1, 1000) < 0) return false;
    if ((waiting.revents & POLLOUT) != 0) WriteSocket();
    if ((waiting.revents & (POLLIN | POLLHUP)) != 0) ReadSocket();
  }
  return true;
}

void YamuxDriver::ReadSocket() {
  std::array<char, 50000> buffer;
  const ssize_t size = recv(socket_, buffer.data(), buffer.size(), 0);
  hung_up_ = size <= 0;
  if (hung_up_) return;
  status_ = session_.Receive({buffer.data(), static_cast<size_t>(size)});
}

void YamuxDriver::WriteSocket() {
  const absl::string_view output = session_.output();
  const ssize_t size =
      send(socket_, output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size < 0) {
    hung_up_ = errno != EAGAIN;
    return;
  }
  session_.RemoveOutput(static_cast<size_t>(size));
}

bool YamuxDriver::WaitForUnread(absl::string_view bytes) {
  if (!RunUntil([this] { return session_.output().empty(); })) return false;
  const absl::Time give_up = absl::Now() + kPatience;
  std::string unread(50000, '\0');
  while (absl::Now() < give_up) {
    const ssize_t size = recv(socket_, &unread[0], unread.size(), MSG_PEEK);
    if (size <= 0) return false;
    if (absl::StrContains(unread.substr(0, size), bytes)) return true;
  }
  return false;
}

YamuxDriver::StreamId YamuxDriver::Open(absl::string_view bytes, bool closes) {
  const absl::StatusOr<StreamId> id = session_.Open();
  if (!id.ok()) {
    ADD_FAILURE() << id.status();
    return 0;
  }
  streams_[*id].closes = closes;
  Send(*id, bytes);
  return *id;
}

std::string YamuxDriver::Ask(absl::string_view line) {
  const StreamId id = Open(absl::StrCat(line, "\n"), true);
  const bool answered = RunUntil([&] { return finished(id); });
  EXPECT_TRUE(answered) << line << ": no answer; " << status_;
  const std::string& answer = streams_[id].received;
  return answer.substr(0, answer.find('\n'));
}

void YamuxDriver::Send(StreamId id, absl::string_view bytes) {
  absl::StrAppend(&streams_[id].unsent, bytes);
  Flush(id);
}

void YamuxDriver::Close(StreamId id) {
  streams_[id].closes = true;
  Flush(id);
}

void YamuxDriver::Flush(StreamId id) {
  Stream& stream = streams_[id];
  stream.unsent.erase(0, session_.Send(id, stream.unsent));
  if (stream.unsent.empty() && stream.closes) session_.CloseWrite(id);
}

void YamuxDriver::Read(StreamId id) {
  streams_[id].reads = true;
  session_.Consumed(id, std::exchange(streams_[id].unconsumed, 0));
}

void YamuxDriver::EchoAll() {
  for (auto& entry : streams_) {
    entry.second.echoes = true;
    session_.Accept(entry.first);
    Send(entry.first, entry.second.received);
    if (entry.second.finished) Close(entry.first);
  }
}

void YamuxDriver::OnOpened(StreamId id) {
  ++opened_;
  if (policy_ == Policy::kReset) return session_.Reset(id);
  streams_[id].echoes = policy_ == Policy::kEcho;
  if (policy_ == Policy::kEcho) session_.Accept(id);
}

void YamuxDriver::OnData(StreamId id, absl::string_view bytes) {
  Stream& stream = streams_[id];
  absl::StrAppend(&stream.received, bytes);
  if (stream.reads) {
    session_.Consumed(id, bytes.size());
  } else {
    stream.unconsumed += bytes.size();
  }
  if (stream.echoes) Send(id, bytes);
}

void YamuxDriver::OnFinished(StreamId id) {
  streams_[id].finished = true;
  if (streams_[id].echoes) Close(id);
}

}  // namespace goplugin::testing
