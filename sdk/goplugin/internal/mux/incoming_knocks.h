#ifndef GOPLUGIN_INTERNAL_MUX_INCOMING_KNOCKS_H_
#define GOPLUGIN_INTERNAL_MUX_INCOMING_KNOCKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

// Who gets the streams that the other side opens: the ids whose knocks were
// acknowledged, in that order.
//
// A knock at an id that is not served yet waits a little, for the server may be
// on its way, and is refused before the other side stops waiting: an answer
// that came after that would promise a stream to nobody.
//
// Pure, and not thread-safe. Time is since any fixed moment.
class IncomingKnocks {
 public:
  using ServiceId = std::uint32_t;

  // The other side gives up after 5 s, counted from when it knocked.
  static constexpr absl::Duration kPatience = absl::Seconds(4);
  // Streams promised and not opened, and knocks that wait.
  static constexpr size_t kMaxPromised = 256;
  static constexpr size_t kMaxWaiting = 1024;

  enum class Verdict { kAck, kWait, kRefuse };

  // `id` is served from now on. True when a knock waited for it, which is to be
  // acknowledged now.
  bool Serve(ServiceId id);
  void Withdraw(ServiceId id);
  Verdict OnKnock(ServiceId id, absl::Duration now);
  // Those that have waited for too long, to be refused.
  std::vector<ServiceId> TakeExpired(absl::Duration now);
  // When the next one will have.
  absl::Duration NextDeadline() const;
  // A stream was opened: whose it is; none when no knock was acknowledged.
  absl::optional<ServiceId> TakePromised();

  bool serves(ServiceId id) const { return served_.count(id) > 0; }

 private:
  std::set<ServiceId> served_;
  std::map<ServiceId, absl::Duration> waiting_;  // and until when
  std::deque<ServiceId> promised_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_INCOMING_KNOCKS_H_
