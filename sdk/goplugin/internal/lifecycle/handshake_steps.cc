#include "goplugin/internal/lifecycle/handshake_steps.h"

#include <memory>
#include <string>
#include <utility>

#include "goplugin/internal/lifecycle/steps.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxUnparsed = size_t{256} * 1024;
// What takes the loop no longer than to hand it to another thread. With the
// line that it goes on with, which is looked at as a whole.
constexpr size_t kShort = size_t{4} * 1024;

HandshakePolicy PolicyOf(const ClientOptions& options) {
  HandshakePolicy policy;
  policy.protocol_versions = options.handshake.protocol_versions;
  policy.networks = options.networks;
  policy.multiplex_requested = options.multiplex != Multiplex::kNever;
  return policy;
}

ParsedOutput ParseStep(HandshakeReader& reader, const std::string& bytes,
                       absl::optional<HandshakeReader::End> end) {
  ParsedOutput parsed;
  const bool was_done = reader.state() == HandshakeReader::State::kDone;
  parsed.state = reader.Feed(bytes);
  if (end.has_value()) parsed.state = reader.Finish(*end);
  parsed.noise = reader.TakeNoise();
  if (parsed.state != HandshakeReader::State::kDone) return parsed;
  parsed.noise += reader.TakeRest();
  if (was_done) return parsed;
  parsed.result = reader.result();
  parsed.unused_socket = reader.unused_socket();
  return parsed;
}

}  // namespace

HandshakeSteps::HandshakeSteps(
    EventLoop& loop, std::shared_ptr<Lane> lane,
    std::function<std::shared_ptr<void>()> begin_work,
    const ClientOptions& options,
    absl::AnyInvocable<void(ParsedOutput)> on_parsed)
    : loop_(loop),
      lane_(std::move(lane)),
      begin_work_(std::move(begin_work)),
      reader_(std::make_shared<HandshakeReader>(PolicyOf(options))),
      waiting_(std::make_shared<Waiting>(Waiting{std::move(on_parsed), this})) {
}

void HandshakeSteps::Feed(absl::string_view bytes) {
  unparsed_.append(bytes.data(), bytes.size());
  if (!parsing_) Parse(absl::nullopt);
}

void HandshakeSteps::Finish(HandshakeReader::End end) {
  // The first to come says most; silence is none if something has come since.
  if (!end_.has_value() || *end_ == HandshakeReader::End::kSilence) end_ = end;
  if (!parsing_) Parse(std::exchange(end_, absl::nullopt));
}

bool HandshakeSteps::HasRoom(absl::AnyInvocable<void()> resume) {
  if (unparsed_.size() < kMaxUnparsed) return true;
  resume_ = std::move(resume);
  return false;
}

void HandshakeSteps::ResumeIfRoom() {
  if (resume_ == nullptr || unparsed_.size() >= kMaxUnparsed) return;
  std::exchange(resume_, nullptr)();
}

std::string HandshakeSteps::TakeUnparsed() {
  std::string unparsed = std::exchange(unparsed_, std::string());
  ResumeIfRoom();
  return unparsed;
}

void HandshakeSteps::Parse(absl::optional<HandshakeReader::End> end) {
  parsing_ = true;
  // It is no silence if something has come since.
  if (end == HandshakeReader::End::kSilence && !unparsed_.empty()) end.reset();
  std::string bytes = std::exchange(unparsed_, std::string());
  std::weak_ptr<Waiting> waiting = waiting_;
  if (reader_->unfinished() + bytes.size() <= kShort) {
    return loop_.Post([waiting = std::move(waiting), work = begin_work_(),
                       parsed = ParseStep(*reader_, bytes, end)]() mutable {
      const std::shared_ptr<Waiting> alive = waiting.lock();
      if (alive != nullptr) alive->steps->OnStep(std::move(parsed));
    });
  }
  TakeStep(
      lane_, loop_, std::move(waiting),
      [reader = reader_, bytes = std::move(bytes), end] {
        return ParseStep(*reader, bytes, end);
      },
      [work = begin_work_()](Waiting& waiting, ParsedOutput parsed) {
        waiting.steps->OnStep(std::move(parsed));
      });
}

void HandshakeSteps::OnStep(ParsedOutput parsed) {
  parsing_ = false;
  const bool done = parsed.state == HandshakeReader::State::kDone;
  if (!done && (!unparsed_.empty() || end_.has_value())) {
    Parse(std::exchange(end_, absl::nullopt));
  }
  ResumeIfRoom();
  waiting_->on_parsed(std::move(parsed));
}

}  // namespace goplugin::internal
