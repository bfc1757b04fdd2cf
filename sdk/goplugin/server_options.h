#ifndef GOPLUGIN_SERVER_OPTIONS_H_
#define GOPLUGIN_SERVER_OPTIONS_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/endpoint.h"
#include "goplugin/reattach.h"

namespace goplugin {

// A plugin that serves in test mode, as ServeOptions::test_mode gets it. A
// value; may be kept.
struct TestServer {
  // For the host: Client::Reattach, or, as text (FormatReattachProviders), the
  // variable TF_REATTACH_PROVIDERS of Terraform and its like.
  ReattachConfig reattach_config = {};
  // Ends Serve, as SIGTERM does. Never blocks; may be called from any thread,
  // often, and after Serve has returned.
  std::function<void()> stop = nullptr;
};

// Everything Serve can be told. A plain value; the services and what the
// functions refer to belong to the caller.
//
// Checked as a whole by Serve, before anything is started.
//
// Example:
//   KvService kv;
//   goplugin::ServeOptions options;
//   options.magic_cookie_key = "BASIC_PLUGIN";
//   options.magic_cookie_value = "hello";
//   options.services = {{1, {&kv}}};
struct ServeOptions {
  // The environment variable, and its value, by which the plugin sees that a
  // host started it: the same as in the host. A courtesy to people who run the
  // plugin by hand, not a secret. Required.
  std::string magic_cookie_key = {};
  std::string magic_cookie_value = {};

  // The services of each application protocol version that the plugin speaks.
  // Only those of the version agreed upon are served: the highest the host has
  // as well. When there is none in common, or the host names no versions at
  // all, it is the lowest, and the host decides. At least one; 0 is a legal
  // version, and one service may stand in several.
  //
  // Not owned; must outlive Serve. Generated services, sync or callback, work
  // as they are. Those of the async API don't: they need a completion queue
  // and a thread, which Serve does not run for them.
  std::map<std::uint32_t, std::vector<grpc::Service*>> services = {};

  // Where to listen: the first of these that can be had. A unix socket can be
  // reached by this user only; a tcp port (127.0.0.1) by every user of the
  // machine, so add kTcp only where the host uses AutoMTLS or that is fine.
  std::vector<Endpoint::Network> networks = {Endpoint::Network::kUnix};
  // The tcp ports to choose from, both ends included, when the host names
  // none. 0 and 0: any free port.
  int min_port = 0;
  int max_port = 0;

  // The server's credentials, in place of AutoMTLS, when the host is set up
  // with certificates of its own. None: AutoMTLS when the host asks for it,
  // else no TLS.
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;

  // How long calls under way may go on after the host asked for the exit; then
  // they are cancelled. An idle host that keeps its connection takes as long. A
  // stock host kills the plugin 2 s after asking. Not negative, as all times
  // here; InfiniteDuration: until they have returned, or it is killed.
  absl::Duration shutdown_grace = absl::Milliseconds(750);

  // What the plugin prints to stdout is kept, up to this many bytes, until the
  // host reads it. Beyond that the oldest bytes are dropped, and a note in
  // their place says how many: a print never blocks.
  std::size_t stdout_buffer_bytes = std::size_t{1} << 20;
  // How long the exit waits until the host has read what was printed.
  // InfiniteDuration: until it has, or is gone.
  absl::Duration stdout_flush_timeout = absl::Milliseconds(500);

  // Called with the server's builder after Serve has set it up and before it
  // starts, on the thread that called Serve: the place for interceptors,
  // quotas and channel arguments. Called once. Must not throw. A port that is
  // added here is this program's own matter: the host is not told of it, and
  // whoever finds it is served at once, also before on_broker is called. A
  // quota of threads must leave those of the plugin's own streams: one for
  // stdio, one for the broker, and one for each watch of health, at most 16.
  std::function<void(grpc::ServerBuilder&)> configure_server = nullptr;

  // Called once, on the thread that called Serve, with the broker for further
  // connections to the host: keep a pointer for the services. It is valid until
  // Serve returns. No call is served, no line printed and test_mode not called
  // before it has returned; who connects earlier waits (but see
  // configure_server). So there is no host yet to dial. With `credentials` of
  // one's own, DialOptions::credentials are needed as well. Must not throw.
  std::function<void(Broker&)> on_broker = nullptr;
  // How long a brokered connection that the host has announced waits to be
  // dialled. At most 1024 wait; then the oldest go.
  absl::Duration broker_keep = absl::Seconds(30);

  // Whether the plugin lives on without its host, for others to reattach to.
  //
  // Else Serve ends, as by SIGTERM, within 5 s of a host that is gone: killed,
  // say, before it could ask. Gone is a host of which there is no sign for 2 s.
  // Signs are somebody who has the other end of stdout, the life of the process
  // that had it when the plugin began to serve, and so was to read its line,
  // and a connection (over tcp, anybody's); of stderr its other end as well, if
  // that process had it too. Shells and loggers in between are no hosts,
  // whatever they redirect. Files, terminals, /dev/null and datagrams tell
  // nothing: where stdout and stderr both are such, the plugin lives on anyhow.
  // Calls under way then get a second of shutdown_grace at most.
  //
  // The reader of the line is found by /proc/PID/fd, if stdout is a pipe. Where
  // that may not be read, as of a parent that runs as another user (runuser,
  // setpriv, sudo), the parent counts as the host, and the plugin lives as long
  // as that does: have such a program exec the plugin, or end with its own
  // host. In a pid namespace of its own the plugin can't see its parent, and
  // waits for a first connection before it misses anybody.
  //
  // Where the host multiplexes, the end of its connection ends the plugin
  // either way. In test mode a plugin outlives its hosts.
  bool outlives_host = false;

  // Set: the plugin was started by hand, under a debugger for one, and waits
  // for hosts to reattach to it. Called once it serves, on the thread that
  // called Serve, with what they need; must not throw. Serve goes on until
  // SIGINT, SIGTERM or stop(), whatever hosts come and go.
  //
  // Then the cookie is not looked for, no line is printed, stdout and stderr
  // stay what they are, and there is no AutoMTLS: use `credentials`, or be
  // content without TLS. The version is the highest in
  // PLUGIN_PROTOCOL_VERSIONS, or the lowest of all where that is not set.
  std::function<void(const TestServer&)> test_mode = nullptr;
};

}  // namespace goplugin

#endif  // GOPLUGIN_SERVER_OPTIONS_H_
