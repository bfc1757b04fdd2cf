#include "tests/unit/mux/model_owner.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace goplugin::internal {
namespace {

// What is sent: a piece of this, which begins elsewhere on each stream. Random,
// so that no piece is like another.
constexpr std::uint64_t kPeriod = 65521;
constexpr std::uint64_t kLongest = std::uint64_t{512} * 1024;

const std::string& Pattern() {
  static const auto* const kPattern = [] {
    auto* pattern = new std::string(kPeriod + kLongest, '\0');
    Random random(0);
    for (size_t i = 0; i < pattern->size(); ++i) {
      (*pattern)[i] = i < kPeriod ? static_cast<char>(random.Below(256))
                                  : (*pattern)[i - kPeriod];
    }
    return pattern;
  }();
  return *kPattern;
}

// `size` bytes of what `side` sends on stream `id`, from `begin`.
absl::string_view Bytes(YamuxSession::StreamId id, int side,
                        std::uint64_t begin, std::uint64_t size) {
  const std::uint64_t start = id * 4099 + static_cast<unsigned>(side) * 30011;
  return absl::string_view(Pattern()).substr((start + begin) % kPeriod, size);
}

}  // namespace

ModelOwner::ModelOwner(ModelWorld& world, int side)
    : world_(world),
      side_(side),
      session_(side == 0 ? YamuxRole::kClient : YamuxRole::kServer, *this) {
  session_.Advance(world.now);
}

void ModelOwner::Check(bool condition, absl::string_view what, StreamId id) {
  if (condition) return;
  world_.Check(false, absl::StrCat(side_ == 0 ? "client" : "server",
                                   ", stream ", id, ": ", what));
}

ModelOwner::View* ModelOwner::Live(StreamId id, absl::string_view event) {
  const auto view = live_.find(id);
  Check(view != live_.end(), absl::StrCat(event, " of no stream"), id);
  return view == live_.end() ? nullptr : &view->second;
}

YamuxSession::StreamId ModelOwner::Any() {
  if (live_.empty()) return 0;
  const auto count = static_cast<std::uint32_t>(live_.size());
  return std::next(live_.begin(), world_.random.Below(count))->first;
}

ModelStream::Direction& ModelOwner::Out(StreamId id) {
  return world_.streams[id].from.at(side_);
}

ModelStream::Direction& ModelOwner::In(StreamId id) {
  return world_.streams[id].from.at(1 - side_);
}

std::uint32_t ModelOwner::Size() {
  return world_.random.Below(world_.most) + 1;
}

void ModelOwner::Add(StreamId id, bool waits) {
  live_[id].waits = waits;
  Out(id).planned = world_.random.OneIn(4) ? 0 : Size();
}

// ---- What the owner does ----------------------------------------------------

void ModelOwner::Open() {
  const absl::StatusOr<StreamId> id = session_.Open();
  if (id.ok()) {
    Check(!gone_away_, "opened after a go-away", *id);
    Check(world_.streams.count(*id) == 0, "opened twice", *id);
    Add(*id, false);
  } else if (id.status().code() == absl::StatusCode::kResourceExhausted) {
    Check(live_.size() >= YamuxSession::kBacklog, "no backlog left", 0);
  } else {
    Check(gone_away_ || other_->gone_away_, "does not open", 0);
  }
}

void ModelOwner::Write() {
  if (const StreamId id = Any()) WriteOn(id, Size());
}

void ModelOwner::WriteOn(StreamId id, std::uint64_t most) {
  View& view = live_[id];
  ModelStream::Direction& out = Out(id);
  const std::uint64_t size = std::min(most, out.planned - out.sent);
  // Who has no window waits for the event.
  if (view.blocked || out.fin_sent || size == 0) return;
  const absl::string_view bytes = Bytes(id, side_, out.sent, size);
  const std::uint32_t window = session_.SendWindow(id);
  size_t sent = 0;
  if (world_.random.OneIn(2)) {
    sent = session_.Send(id, bytes);
  } else {
    const absl::Span<char> room = session_.BeginData(id, bytes.size());
    sent = room.size();
    std::copy_n(bytes.data(), sent, room.data());
    session_.EndData(sent);
  }
  Check(sent == std::min<std::uint64_t>(size, window), "sent another size", id);
  out.sent += sent;
  view.blocked = session_.SendWindow(id) == 0;
}

void ModelOwner::Consume() {
  const StreamId id = Any();
  if (id == 0 || live_[id].unconsumed == 0) return;
  ConsumeOf(id, world_.random.OneIn(2)
                    ? live_[id].unconsumed
                    : world_.random.Below(live_[id].unconsumed) + 1);
}

void ModelOwner::ConsumeOf(StreamId id, std::uint32_t size) {
  View& view = live_[id];
  view.unconsumed -= size;
  view.kept += size;
  if (view.kept >= YamuxSession::kWindow / 2) view.kept = 0;
  session_.Consumed(id, size);
}

void ModelOwner::Decide() {
  const StreamId id = Any();
  if (id == 0 || !live_[id].waits) return;
  if (world_.random.OneIn(8)) return ResetOf(id);
  live_[id].waits = false;
  session_.Accept(id);
}

void ModelOwner::Close() {
  const StreamId id = Any();
  if (id == 0) return;
  // Sometimes before all is written that was planned.
  if (world_.random.OneIn(2)) Out(id).planned = Out(id).sent;
  if (Out(id).planned == Out(id).sent) CloseOf(id);
}

void ModelOwner::CloseOf(StreamId id) {
  View& view = live_[id];
  if (Out(id).fin_sent) return;
  view.waits = false;
  view.closed_at = world_.now;
  Out(id).fin_sent = true;
  session_.CloseWrite(id);
  MaybeEndOf(id);
}

void ModelOwner::MaybeEndOf(StreamId id) {
  if (Out(id).fin_sent && In(id).fin_seen) live_.erase(id);
}

void ModelOwner::Reset() {
  if (const StreamId id = Any()) ResetOf(id);
}

void ModelOwner::ResetOf(StreamId id) {
  world_.streams[id].reset = true;
  live_.erase(id);
  session_.Reset(id);
}

void ModelOwner::GoAway() {
  gone_away_ = true;
  session_.GoAway(GoAwayCode::kNormal);
}

void ModelOwner::AcceptAll() {
  for (auto& view : live_) {
    if (view.second.waits) session_.Accept(view.first);
    view.second.waits = false;
  }
}

void ModelOwner::FinishAll() {
  AcceptAll();
  std::vector<StreamId> ids;
  for (const auto& view : live_) ids.push_back(view.first);
  for (const StreamId id : ids) {
    if (live_[id].unconsumed > 0) ConsumeOf(id, live_[id].unconsumed);
    WriteOn(id, Out(id).planned);
    if (Out(id).sent == Out(id).planned) CloseOf(id);
  }
}

// ---- What it sees -----------------------------------------------------------

void ModelOwner::React(StreamId id) {
  switch (world_.random.Below(24)) {
    case 0:
      return ResetOf(id);
    case 1:
      return WriteOn(id, Size());
    case 2:
      Out(id).planned = Out(id).sent;
      return CloseOf(id);
    case 3:
      return Open();
    case 4:
    case 5:
      if (live_[id].unconsumed > 0) ConsumeOf(id, live_[id].unconsumed);
      return;
    case 6:
      if (!world_.accepts_late) AcceptAll();
      return;
    default:
      return;
  }
}

void ModelOwner::OnOpened(StreamId id) {
  Check(!gone_away_, "OnOpened after the end", id);
  Check(live_.count(id) == 0, "OnOpened twice", id);
  Check(world_.streams.count(id) == 1, "OnOpened of nothing", id);
  Check(id % 2 == static_cast<unsigned>(side_), "OnOpened of our own", id);
  Add(id, true);
  React(id);
}

void ModelOwner::OnData(StreamId id, absl::string_view bytes) {
  View* view = Live(id, "OnData");
  if (view == nullptr) return;
  ModelStream::Direction& in = In(id);
  Check(!bytes.empty(), "OnData without any", id);
  Check(!in.fin_seen, "OnData after OnFinished", id);
  Check(in.received + bytes.size() <= in.sent, "more than was sent", id);
  Check(Bytes(id, 1 - side_, in.received, bytes.size()) == bytes,
        "lost, reordered or doubled bytes", id);
  in.received += bytes.size();
  view->unconsumed += static_cast<std::uint32_t>(bytes.size());
  Check(view->unconsumed <= YamuxSession::kWindow, "past the window", id);
  React(id);
}

void ModelOwner::OnWindow(StreamId id) {
  View* view = Live(id, "OnWindow");
  if (view == nullptr) return;
  Check(view->blocked, "OnWindow for one that had some", id);
  Check(!Out(id).fin_sent, "OnWindow after CloseWrite", id);
  Check(session_.SendWindow(id) > 0, "OnWindow without any", id);
  view->blocked = false;
  React(id);
}

void ModelOwner::OnFinished(StreamId id) {
  if (Live(id, "OnFinished") == nullptr) return;
  ModelStream::Direction& in = In(id);
  Check(in.fin_sent, "OnFinished before CloseWrite", id);
  Check(!in.fin_seen, "OnFinished twice", id);
  Check(in.received == in.sent, "OnFinished before all data", id);
  in.fin_seen = true;
  MaybeEndOf(id);
  if (live_.count(id) == 1) React(id);
}

void ModelOwner::OnReset(StreamId id) {
  const View* view = Live(id, "OnReset");
  if (view == nullptr) return;
  ModelStream& stream = world_.streams[id];
  const bool refused = other_->gone_away_ && other_->live_.count(id) == 0;
  const bool late =
      world_.now >= view->closed_at + YamuxSession::kHalfClosedTimeout;
  Check(stream.reset || refused || late, "OnReset without a reason", id);
  stream.reset = true;
  live_.erase(id);
  if (world_.random.OneIn(8)) Open();
}

void ModelOwner::CheckHalfClosed() {
  for (const auto& view : live_) {
    Check(world_.now < view.second.closed_at + YamuxSession::kHalfClosedTimeout,
          "half-closed for too long", view.first);
  }
}

void ModelOwner::CheckWindows() {
  for (const auto& entry : live_) {
    const StreamId id = entry.first;
    const auto reader = other_->live_.find(id);
    if (reader == other_->live_.end() || Out(id).fin_sent) continue;
    const std::uint32_t used = reader->second.unconsumed + reader->second.kept;
    Check(session_.SendWindow(id) == YamuxSession::kWindow - used,
          "another window", id);
  }
}

void ModelOwner::CheckEnd() {
  for (const auto& view : live_) Check(false, "stuck", view.first);
  Check(session_.stream_count() == 0, "streams left in the session", 0);
  Check(session_.output().empty(), "output left", 0);
  for (const auto& entry : world_.streams) {
    if (entry.second.reset) continue;
    const ModelStream::Direction& in = In(entry.first);
    Check(in.fin_sent && in.fin_seen, "an end was not seen", entry.first);
    Check(in.received == in.planned, "not all has arrived", entry.first);
  }
}

}  // namespace goplugin::internal
