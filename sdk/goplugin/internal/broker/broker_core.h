#ifndef GOPLUGIN_INTERNAL_BROKER_BROKER_CORE_H_
#define GOPLUGIN_INTERNAL_BROKER_BROKER_CORE_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/broker/address_translation.h"
#include "goplugin/internal/broker/broker_sockets.h"
#include "goplugin/internal/broker/channel_pool.h"
#include "goplugin/internal/broker/pending_table.h"
#include "goplugin/internal/loop/seldom.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/net/acceptors.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {

// How the main connection is secured, and so every brokered one.
struct BrokerSecurity {
  template <typename Credentials>
  using Make = std::function<absl::StatusOr<std::shared_ptr<Credentials>>()>;

  // Asked at every dial, from any thread: see tls/credentials.h. Null: there
  // are none to dial with, the caller must bring them.
  Make<grpc::ChannelCredentials> channel_credentials = nullptr;
  // The name to verify; empty without TLS.
  std::string server_name = {};
  // Asked at every accept, from any thread.
  Make<grpc::ServerCredentials> server_credentials = nullptr;
};

// What host and plugin side have different.
struct BrokerSetup {
  // Who is on the other side, for errors: "plugin" or "host".
  std::string peer;
  // The main connection's.
  Endpoint::Network network = Endpoint::Network::kUnix;
  SocketsPlan sockets;
  BrokerSecurity security;
  AddressTranslation translation = {};
  // Told of every dial when it is over, on the caller's thread.
  std::function<void(std::uint32_t id, const absl::Status& status,
                     absl::Duration took)>
      on_dialled = nullptr;
  // How long an announcement waits for its dial.
  absl::Duration keep = absl::Seconds(30);
  // A remark for the log. Called from any thread, must not block.
  std::function<void(std::string)> warn;
  // What it gives is held while somebody waits for the stream; null: it needs
  // no telling.
  std::function<std::shared_ptr<void>()> expect = nullptr;
  // What carries all connections; null: each has a socket of its own.
  std::shared_ptr<Multiplexer> multiplexer = nullptr;
  // What accepts at this side's sockets. May be null where the network is tcp
  // and nothing is multiplexed; else it must be ended after the broker.
  std::shared_ptr<Acceptors> acceptors = nullptr;
  // Whom this side dials: see net/reach.h.
  PeerRule peers = {};
  // Where a dial looks at what the other side has named, which may be stuck;
  // null: on the caller's thread.
  Acceptors::Run aside = nullptr;
};

// One broker's state: ids, announcements in both directions, and the stream
// that carries them, whoever runs it.
//
// Thread-safe. Shared by the Broker, its servers and the stream; whoever runs
// the stream calls End, and so lets everything go.
//
// When it multiplexes, ids are not announced but knocked at, and the
// multiplexer does the rest; only the knocks travel on this stream.
class BrokerCore : public std::enable_shared_from_this<BrokerCore> {
 public:
  // Sends a message, without waiting for anything: kResourceExhausted when too
  // many wait already for the other side to read them; any other error when the
  // stream has ended.
  using Send = std::function<absl::Status(const wire::ConnInfo&)>;

  explicit BrokerCore(BrokerSetup setup);
  BrokerCore(const BrokerCore&) = delete;
  BrokerCore& operator=(const BrokerCore&) = delete;

  // The stream's side. It is open, something came, it is closed; it may be
  // opened again.
  void Open(Send send);
  void Receive(const wire::ConnInfo& info);
  void Close(const grpc::Status& status);
  // The end of all: what waits, and whatever is asked later, gets `reason`.
  // The first call counts.
  void End(const absl::Status& reason);

  // The callers' side.
  std::uint32_t NextId();
  // Waits for the announcement of `id`. The endpoint is one of this side.
  absl::StatusOr<Endpoint> Await(std::uint32_t id, absl::Duration timeout);
  // A way to `id` on the multiplexed connection, which must be there.
  absl::StatusOr<std::shared_ptr<Door>> OpenDoor(std::uint32_t id);
  // Tells the other side of `id`, served at an endpoint of this side; waits for
  // a stream if there is none yet.
  absl::Status Announce(std::uint32_t id, const Endpoint& endpoint);
  // With a multiplexer: whoever knocks at `id` gets a stream whose other end is
  // given to `take`, where a thread may block for a moment.
  absl::Status ServeStreams(std::uint32_t id, Multiplexer::Take take);
  // `id` is not served any more.
  void Withdraw(std::uint32_t id);
  // `failure`, or what it followed from when the other side is gone.
  absl::Status ExplainFailure(const absl::Status& failure);

  // Whether the other side has said anything on it.
  bool heard() const { return heard_; }
  bool forked() const;
  // kWrongThread on the SDK's own threads, kForked in a forked child.
  absl::Status CheckMayBlock() const;
  // Why the broker has ended; OK while it has not.
  absl::Status end() const;

  const BrokerSetup& setup() const { return setup_; }
  bool multiplexed() const { return setup_.multiplexer != nullptr; }
  BrokerSockets& sockets() { return sockets_; }
  ChannelPool& channels() { return channels_; }

 private:
  enum class Link { kNotYet, kOpen, kClosed };
  using Announcement = PendingTable::Announcement;
  struct Waiter {
    absl::optional<Announcement> found;
  };

  bool Told(const Waiter& waiter) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return waiter.found.has_value() || !end_.ok() || link_ == Link::kClosed;
  }
  bool MaySend() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !end_.ok() || link_ != Link::kNotYet;
  }
  absl::StatusOr<Endpoint> AwaitAnnounced(std::uint32_t id,
                                          absl::Duration timeout);
  // After Close, the End that explains it is not far.
  absl::Status Broken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NobodyAnnounced(std::uint32_t id, absl::Duration waited) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Reserve(std::uint32_t id);
  absl::Status Deliver(std::uint32_t id, const Endpoint& endpoint);
  // Why `info` was not sent.
  absl::Status NotSent(const std::string& what) const;
  Multiplexer::Messages KnockMessages();
  absl::Status Knock(std::uint32_t id);
  void Answer(std::uint32_t id, const std::string& error);
  void OnKnock(const wire::ConnInfo& info);
  // What to warn of; empty for nothing.
  std::string Keep(std::uint32_t id, Announcement announcement)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const pid_t owner_;
  const BrokerSetup setup_;
  const Stopwatch clock_;
  BrokerSockets sockets_;
  ChannelPool channels_;
  std::atomic<std::uint32_t> last_id_{0};
  std::atomic<bool> heard_{false};
  // What the other side can cause as often as it likes.
  Seldom dropped_;     // announcements that nobody dialled
  Seldom refused_;     // refusals of knocks that were never sent
  Seldom unanswered_;  // knocks, for want of room

  mutable absl::Mutex mutex_;
  SteadyCondition changed_;
  Link link_ ABSL_GUARDED_BY(mutex_) = Link::kNotYet;
  Send send_ ABSL_GUARDED_BY(mutex_);
  grpc::Status link_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  PendingTable pending_ ABSL_GUARDED_BY(mutex_);
  // Dials that wait get their announcement directly: a flood can't push it out.
  std::multimap<std::uint32_t, Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);
  std::set<std::uint32_t> served_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_BROKER_CORE_H_
