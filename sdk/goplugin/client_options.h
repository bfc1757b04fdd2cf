#ifndef GOPLUGIN_CLIENT_OPTIONS_H_
#define GOPLUGIN_CLIENT_OPTIONS_H_

#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/log_sink.h"

namespace goplugin {

class Telemetry;

// What host and plugin have to agree on before they talk. Both sides hold the
// same values.
struct HandshakeConfig {
  // An environment variable and its value by which the plugin sees that a host
  // started it. A courtesy to people who run the plugin by hand, not a secret.
  // Required.
  std::string magic_cookie_key = {};
  std::string magic_cookie_value = {};
  // The application protocol versions this host can use, in any order. The
  // highest that the plugin has as well is taken. Required; 0 is a legal
  // version.
  std::vector<std::uint32_t> protocol_versions = {};
};

// How the connection is secured.
enum class TlsMode {
  // Both sides make a one-time certificate and trust only the other's. A plugin
  // that brings none is an error, whose hint names kAutoMtlsIfOffered.
  kAutoMtls,
  // As kAutoMtls when the plugin brings a certificate, without TLS when it
  // brings none.
  kAutoMtlsIfOffered,
  // No TLS. A plugin that announces a certificate is an error.
  kInsecure,
  // The caller's own certificates, below.
  kManual,
};

struct TlsOptions {
  TlsMode mode = TlsMode::kAutoMtls;

  // With AutoMTLS, how many bits an RSA key of the plugin's must have, 1024 at
  // least. Keys below 2048 bits, which some old Python libraries make, can be
  // broken by whoever spends enough; on a unix socket of one's own that is a
  // small risk. For kManual the TLS library's own rules hold (OpenSSL:
  // openssl.cnf, CipherString = DEFAULT@SECLEVEL=1).
  int min_rsa_bits = 2048;

  // The rest is for kManual only; all PEM. The roots the plugin's certificate
  // must lead to. Required: an empty value would mean the system's roots, which
  // a plugin's certificate never comes from.
  std::string root_certificates = {};
  // The host's own certificate and key: both or neither.
  std::string certificate_chain = {};
  std::string private_key = {};
  // The name the plugin's certificate must have. Empty: "localhost".
  std::string server_name = {};
};

// Whether all connections to a plugin go over one (yamux, what go-plugin calls
// GRPCBrokerMultiplex): one socket to let through a firewall or into a
// container, whatever is brokered. The plugin must be able to: go-plugin 1.6 or
// later, or this library. The broker's methods are the same either way, with
// these differences: at most one dial at a time, in each direction, waits for
// its id to be accepted; a Go plugin must accept an id before it is dialled;
// and nobody can reattach to the plugin, whose one connection is taken.
enum class Multiplex {
  kNever,      // each connection has a socket of its own
  kIfOffered,  // multiplexed when the plugin can
  kRequire,    // a plugin that can't is an error (kMuxUnsupported)
};

// The deadlines of the shutdown ladder. A step that does not end the plugin in
// its time is followed by the next; the last one always does. Zero skips the
// step's wait, of rpc_timeout the call itself, and InfiniteDuration waits
// without end.
struct ShutdownOptions {
  // For the answer to the plugin's own Shutdown call.
  absl::Duration rpc_timeout = absl::Seconds(2);
  // For the exit, after the Shutdown call was answered and the channel dropped.
  absl::Duration exit_timeout = absl::Seconds(2);
  // For the exit after SIGTERM.
  absl::Duration terminate_timeout = absl::Seconds(2);
  // For the exit after SIGKILL, before the wait is given up as hopeless (a
  // process in an uninterruptible system call). At least 0.1 s is waited.
  absl::Duration kill_timeout = absl::Seconds(2);
  // Client::Attach only: ask the plugin to exit, by its Shutdown call. False:
  // it is somebody else's, and only the channel is dropped.
  bool ask_attached = false;

  // The sum of these times: what the steps of a shutdown may take.
  absl::Duration Total() const {
    return rpc_timeout + exit_timeout + terminate_timeout + kill_timeout;
  }
};

// The steps of a launch, in order.
enum class LaunchPhase {
  kStarted,    // the process runs
  kLine,       // its handshake line was read and accepted
  kConnected,  // the plugin's server answered
  kReady,      // the client is handed over
};

// "started", "line", "connected", "ready".
const char* LaunchPhaseName(LaunchPhase phase);

// When the steps of a launch were reached, counted from the call of Launch.
struct LaunchTimings {
  absl::Duration spawn = absl::ZeroDuration();  // the process runs
  absl::Duration line =
      absl::ZeroDuration();  // its handshake line was accepted
  absl::Duration connect = absl::ZeroDuration();  // its server answered
  absl::Duration ready = absl::ZeroDuration();    // the client was handed over
};

// Everything Client::Launch can be told besides the command. A plain value;
// copies share the sinks.
//
// Checked as a whole by Launch, before anything is started; an error has
// Reason::kOptions. No time may be negative; all may be InfiniteDuration.
//
// Example:
//   goplugin::ClientOptions options;
//   options.handshake.magic_cookie_key = "BASIC_PLUGIN";
//   options.handshake.magic_cookie_value = "hello";
//   options.handshake.protocol_versions = {1, 2};
//   options.log_sink = goplugin::MakeStderrLogSink("kv-plugin: ");
struct ClientOptions {
  HandshakeConfig handshake = {};
  TlsOptions tls = {};

  // From the call of Launch to readiness. A launch that is not ready by then
  // has failed, and returns when what it started is gone: see Client::Launch.
  // At least 1 ms; InfiniteDuration: no deadline.
  absl::Duration start_timeout = absl::Seconds(60);
  // Without a handshake line for this long, the log sink gets an entry that
  // says what is being waited for. InfiniteDuration: never.
  absl::Duration slow_start_notice = absl::Seconds(5);
  ShutdownOptions shutdown = {};

  // The plugin's stderr, line by line. None: read and thrown away (the tail is
  // kept for errors).
  std::shared_ptr<LogSink> log_sink = nullptr;
  // The plugin's stderr, byte for byte, besides log_sink.
  std::shared_ptr<StdioSink> stderr_sink = nullptr;
  // What the plugin prints after the handshake: over GRPCStdio, and raw from
  // descriptor 1.
  std::shared_ptr<StdioSink> stdio_sink = nullptr;
  // Called on a callback thread at each step of the launch with the time since
  // Launch was called.
  std::function<void(LaunchPhase, absl::Duration)> on_phase = nullptr;

  // Told what happens to the plugin, as events to count and measure: see
  // telemetry.h.
  std::shared_ptr<Telemetry> telemetry = nullptr;
  // How often telemetry is told what the plugin's process uses, where /proc
  // tells. At least 100 ms. InfiniteDuration: never.
  absl::Duration usage_interval = absl::InfiniteDuration();

  // The networks the plugin may choose. Others are refused when its line names
  // them.
  std::vector<Endpoint::Network> networks = {Endpoint::Network::kUnix,
                                             Endpoint::Network::kTcp};
  // The ports a tcp plugin is asked to choose from, both ends included.
  int min_port = 10000;
  int max_port = 25000;
  // Whether a plugin's line and its broker may name tcp addresses of other
  // machines. Otherwise only loopback addresses are used: an address elsewhere
  // is kTransport. What a Runner translates, and what Attach and Reattach are
  // given, is the caller's own word and not looked at.
  bool allow_remote_tcp = false;
  // Where the private directory for the plugin's sockets is made, alone if it
  // is given; a relative one starts at the caller's current directory. Empty:
  // the first of XDG_RUNTIME_DIR, TMPDIR, /tmp and PLUGIN_UNIX_SOCKET_DIR, as
  // the caller's environment has them, that can be written to, is short enough
  // (61 bytes), lets the plugin's user in and takes sockets. A plugin that can
  // use tcp does without when there is none. What hosts that were killed have
  // left there is removed by the next launch.
  std::string socket_directory = {};
  // A group, by name or number, that may use the plugin's sockets. Empty: only
  // this user.
  std::string socket_group = {};

  // Whether all connections to the plugin go over one. Launch only: Reattach
  // and Attach can't, and fail with kMuxUnsupported when it is kRequire.
  Multiplex multiplex = Multiplex::kNever;

  // How long a brokered connection that the plugin has announced waits to be
  // dialled. At most 1024 wait; then the oldest go. InfiniteDuration: only
  // then.
  absl::Duration broker_keep = absl::Seconds(30);

  // Merged over the SDK's own channel arguments: the caller's win.
  grpc::ChannelArguments channel_arguments = {};
  // Makes the interceptors for the channel, outermost first. Called once per
  // launch.
  std::function<std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>()>
      interceptors = nullptr;
};

}  // namespace goplugin

#endif  // GOPLUGIN_CLIENT_OPTIONS_H_
