#ifndef GOPLUGIN_INTERNAL_MUX_OUTGOING_KNOCKS_H_
#define GOPLUGIN_INTERNAL_MUX_OUTGOING_KNOCKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "absl/types/optional.h"

namespace goplugin::internal {

// The order in which this side opens streams. The other side gives the next
// stream that it sees to the id whose knock it has acknowledged last. So there
// is one opening at a time, from the knock over its answer to the stream, and
// streams for the main server, which need no knock, wait in the same line.
//
//   while (auto step = knocks.Next()) ...   // knock for it, or open it
//   switch (knocks.OnAck(id)) ...
//
// Pure, and not thread-safe.
class OutgoingKnocks {
 public:
  using Request = std::uint64_t;
  using ServiceId = std::uint32_t;

  struct Step {
    Request request = 0;
    // To knock at; none: open the stream.
    absl::optional<ServiceId> knock;
  };
  enum class Verdict {
    kOpen,        // the stream of finished()
    kThrowAway,   // a stream for nobody, which ends at once: the other side has
                  // promised its next stream to somebody who has given up, or
                  // may give it to one of two
    kUnexpected,  // nobody knocked: the peer is confused
  };

  // A stream is wanted, for `id` or for the main server.
  void Add(Request request, absl::optional<ServiceId> id);
  // What to do now; nothing while a knock is unanswered.
  absl::optional<Step> Next();
  // The answer to a knock.
  Verdict OnAck(ServiceId id);
  // Who was refused; none when nobody waits for that.
  absl::optional<Request> OnRefusal(ServiceId id);
  // The request is of no interest any more, or its knock is not answered. An
  // answer to it may still come.
  void Abandon(Request request);

  // Whose knock waits for its answer.
  const absl::optional<Step>& knocked() const { return knocked_; }
  // After kOpen.
  Request finished() const { return finished_; }

 private:
  struct Wanted {
    Request request;
    absl::optional<ServiceId> id;
  };
  // Ids remembered as given up: a bound for a peer that never answers.
  static constexpr size_t kMaxGivenUp = 4096;

  void GiveUp(ServiceId id);
  bool TakeGivenUp(ServiceId id);

  std::deque<Wanted> line_;
  absl::optional<Step> knocked_;
  // A late ack came while knocked_ was out. A Go host has two goroutines then
  // that take the next stream: both get one for nobody, and the knock is
  // repeated.
  bool crossed_ = false;
  Request finished_ = 0;
  // How many answers may still come, by id.
  std::map<ServiceId, size_t> given_up_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_OUTGOING_KNOCKS_H_
