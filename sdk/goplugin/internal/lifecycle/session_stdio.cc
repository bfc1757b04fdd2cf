#include "goplugin/internal/lifecycle/session_stdio.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/health.h"
#include "goplugin/internal/rpc/stdio_stream.h"
#include "goplugin/internal/rpc/stream_end.h"

namespace goplugin::internal {
namespace {

// From one opening to the next. What lives shorter has failed, whoever ends it.
constexpr absl::Duration kBetween = absl::Seconds(1);
// A connection that ends mostly does so with its plugin, which is heard of
// within this time.
constexpr absl::Duration kNews = absl::Milliseconds(100);
constexpr absl::Duration kLongest = absl::Seconds(30);

StdioChunk::Stream StreamOf(const wire::StdioData& data) {
  return data.channel() == wire::StdioData::STDERR
             ? StdioChunk::Stream::kStderr
             : StdioChunk::Stream::kStdout;
}

absl::Duration Longer(absl::Duration patience) {
  return std::min(std::max(2 * patience, kBetween), kLongest);
}

}  // namespace

void SessionStdio::Open(CallQueue& queue,
                        std::shared_ptr<grpc::Channel> channel) {
  queue_ = &queue;
  channel_ = std::move(channel);
  Start();
}

void SessionStdio::Start() {
  if (ending_ || channel_ == nullptr) return;
  // Resume may come before the next try.
  again_.Cancel();
  if (std::exchange(untold_, false)) TellCut();
  const int opening = ++opening_;
  open_ = true;
  since_opening_ = Stopwatch();
  StdioCallbacks callbacks;
  callbacks.on_data = [output = setup_.output](StdioPiece piece) {
    output->OnStdio(StreamOf(piece.data), std::move(*piece.data.mutable_data()),
                    std::move(piece.held), piece.droppable);
  };
  callbacks.progress = setup_.progress;
  callbacks.on_note = [output = setup_.output](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  callbacks.on_end = [work = setup_.begin_work(), &loop = setup_.loop,
                      weak = weak_from_this(),
                      opening](const grpc::Status& status) mutable {
    loop.Post([weak = std::move(weak), opening, status] {
      if (const auto self = weak.lock()) self->OnEnd(opening, status);
    });
    work.reset();
  };
  stream_ = StartStdioStream(*queue_, channel_, std::move(callbacks));
}

void SessionStdio::OnEnd(int opening, const grpc::Status& status) {
  if (opening != opening_ || !open_ || ending_) return;
  open_ = false;
  stream_ = CallHandle();
  const absl::Duration lived = since_opening_.Elapsed();
  if (WasCut(status, lived)) {
    patience_ = lived < kBetween ? Longer(patience_) : kNews;
    untold_ = cuts_.Tell();
    cut_ = status;
  } else if (cuts_.count() > 0 &&
             status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    // It was there before: nobody answers just now.
    patience_ = Longer(patience_);
  } else {
    return;
  }
  again_.Start(patience_, [this] { StartAgain(); });
}

void SessionStdio::StartAgain() {
  if (setup_.wanted()) Start();
}

void SessionStdio::TellCut() const {
  setup_.output->Note(
      LogLevel::kWarn,
      absl::StrCat("the plugin's output stream was cut and is opened again; "
                   "what was on its way may be lost (cuts so far: ",
                   cuts_.count(), "; the last: ", DescribeGrpcStatus(cut_),
                   ")"));
}

bool SessionStdio::Suspend() {
  if (!open_ || ending_) return false;
  open_ = false;
  stream_.Cancel();
  stream_ = CallHandle();
  return true;
}

void SessionStdio::Resume() {
  if (!open_) Start();
}

void SessionStdio::EndIsNear() {
  ending_ = true;
  again_.Cancel();
  stream_.EndIsNear();
}

void SessionStdio::End() {
  EndIsNear();
  stream_.Cancel();
  stream_ = CallHandle();
  channel_.reset();
}

}  // namespace goplugin::internal
