#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_START_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_START_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/broker/address_translation.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/handshake/environment.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/process/spawners.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// What every start makes first.
struct StartPreparation {
  // Never null. Nothing is lent where no unix socket will be needed.
  std::shared_ptr<PluginFiles> files;
  // The host's one-time certificate; nullopt where AutoMTLS is off.
  absl::optional<KeyPair> key_pair;
  // With the lent directory's path as this host sees it; "" for none.
  ProtocolVariables variables;
  // A warning for the log; "" for none.
  std::string note;
};

// What the files of a client with these options depend on, where the plugin is
// of the host's user and sees what the host sees.
FilesRequest FilesRequestOf(const ClientOptions& options, CallerPlaces caller);

// Blocks, but not for long, as long as the file system does not.
absl::StatusOr<StartPreparation> PrepareStart(const ClientOptions& options,
                                              FilesRequest files);

// A plugin that was started and has said nothing yet.
struct StartedPlugin {
  // What errors call it.
  std::string name;
  MakePluginProcess make_process;
  // Never null.
  std::shared_ptr<PluginFiles> files;
  absl::optional<KeyPair> key_pair;
  AddressTranslation translation;
  // A warning for the log; "" for none.
  std::string note = {};
  // What is known of a plugin that did not become ready. May block. Null:
  // nothing more than it says itself.
  std::function<std::string()> diagnose = nullptr;
};

// What a start is lent. A value, but for the threads, which outlive it.
struct StartContext {
  ClientOptions options;
  // Runs since the caller's call.
  Stopwatch stopwatch;
  // The client's lane for slow work, and the pool for lanes of its own.
  std::shared_ptr<Lane> steps;
  Pool& pool;
  Spawners& spawners;
  // Set from another thread to have the start end soon, in kCancelled.
  std::shared_ptr<const std::atomic<bool>> abandoned;
  // Set by the start once a thread was free for it.
  std::shared_ptr<std::atomic<bool>> begun;

  absl::Duration Remaining() const {
    return stopwatch.Remaining(options.start_timeout);
  }
};

// How a launch comes to a running plugin. A value.
struct PluginStart {
  // Called once, on any thread. After an error nothing is left.
  using Done = absl::AnyInvocable<void(absl::StatusOr<StartedPlugin>) &&>;

  // What errors call the plugin until it is started.
  std::string name;
  // nullopt: as the host.
  absl::optional<Command::User> user = absl::nullopt;
  // Who has to be behind the addresses that the plugin names, as far as that is
  // known before it runs.
  PeerRule peers = {};
  // Its stdin has nothing to read, and never will.
  bool stdin_is_empty = false;
  bool may_outlive = false;
  // Judges what the caller has given; looks nothing up.
  std::function<absl::Status(const ClientOptions&)> check;
  // Begins the start. Never blocks.
  std::function<void(StartContext, Done)> run;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_START_H_
