#ifndef TESTS_UNIT_MUX_MODEL_OWNER_H_
#define TESTS_UNIT_MUX_MODEL_OWNER_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/yamux_session.h"

namespace goplugin::internal {

// The same numbers for the same seed, everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  // In [0, end).
  std::uint32_t Below(std::uint32_t end) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111eb;
    return static_cast<std::uint32_t>((mixed >> 33U) % end);
  }
  bool OneIn(std::uint32_t count) { return Below(count) == 0; }

 private:
  std::uint64_t state_;
};

// What the two sides have really done with a stream.
struct ModelStream {
  // What one side sends.
  struct Direction {
    std::uint64_t planned = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool fin_sent = false;
    bool fin_seen = false;
  };
  std::array<Direction, 2> from;
  // Somebody has reset or refused it: what is under way may be lost.
  bool reset = false;
};

// What the schedule decides about, and the first thing that went wrong.
struct ModelWorld {
  explicit ModelWorld(std::uint64_t seed) : random(seed) {}

  void Check(bool condition, absl::string_view what) {
    if (!condition && failure.empty()) failure = std::string(what);
  }

  Random random;
  absl::Duration now = absl::ZeroDuration();
  std::map<YamuxSession::StreamId, ModelStream> streams;
  // At most so much is written on a stream, and at once.
  std::uint32_t most = 1;
  // Nothing is accepted in events.
  bool accepts_late = false;
  std::string failure;
};

// The owner of one of two sessions: acts when told to, sometimes in the events,
// and checks each event against the world.
class ModelOwner final : public YamuxSession::Events {
 public:
  using StreamId = YamuxSession::StreamId;

  // `side` is 0 for the client.
  ModelOwner(ModelWorld& world, int side);

  YamuxSession& session() { return session_; }
  bool gone_away() const { return gone_away_; }
  void set_other(ModelOwner& other) { other_ = &other; }

  // Each on a random stream, where there is one.
  void Open();
  void Write();
  void Consume();
  void Decide();
  void Close();
  void Reset();
  void GoAway();
  // Accepts what waits, consumes what came, writes what is planned as far as
  // the windows go, and closes.
  void FinishAll();
  void AcceptAll();

  // When nothing is under way: each window is what it has to be.
  void CheckWindows();
  // At the end of a schedule. Only a stream that was reset may have lost data.
  void CheckEnd();
  // After time has passed.
  void CheckHalfClosed();

  void OnOpened(StreamId id) override;
  void OnData(StreamId id, absl::string_view bytes) override;
  void OnWindow(StreamId id) override;
  void OnFinished(StreamId id) override;
  void OnReset(StreamId id) override;

 private:
  // What this side has seen and done.
  struct View {
    bool waits = false;  // for Accept
    bool blocked = false;
    std::uint32_t unconsumed = 0;
    // Consumed, and too little to be given back as window.
    std::uint32_t kept = 0;
    absl::Duration closed_at = absl::InfiniteDuration();
  };

  void Check(bool condition, absl::string_view what, StreamId id);
  // One that an event may be about, or null after a failure.
  View* Live(StreamId id, absl::string_view event);
  // 0 if there is none.
  StreamId Any();
  ModelStream::Direction& Out(StreamId id);
  ModelStream::Direction& In(StreamId id);
  void Add(StreamId id, bool waits);
  void WriteOn(StreamId id, std::uint64_t most);
  void ConsumeOf(StreamId id, std::uint32_t size);
  void CloseOf(StreamId id);
  void ResetOf(StreamId id);
  void MaybeEndOf(StreamId id);
  // Something that an event may do.
  void React(StreamId id);
  std::uint32_t Size();

  ModelWorld& world_;
  const int side_;
  YamuxSession session_;
  ModelOwner* other_ = nullptr;
  std::map<StreamId, View> live_;
  bool gone_away_ = false;
};

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_MODEL_OWNER_H_
