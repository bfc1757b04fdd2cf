#ifndef GOPLUGIN_SERVER_H_
#define GOPLUGIN_SERVER_H_

#include "goplugin/server_options.h"

namespace goplugin {

// Makes this process a plugin: says to the host where it serves, serves until
// the host asks for the end, and returns the exit code of the process.
//
// Any go-plugin host can be on the other side: this SDK's Client, HashiCorp's
// in Go, pyvider's in Python.
//
// Example:
//   int main() {
//     KvService kv;
//     goplugin::ServeOptions options;
//     options.magic_cookie_key = "BASIC_PLUGIN";
//     options.magic_cookie_value = "hello";
//     options.services = {{1, {&kv}}};
//     return goplugin::Serve(options);
//   }
//
// While it runs the process belongs to it:
// - Descriptor 1 leads to the host over gRPC (GRPCStdio); the handshake line
//   alone goes to the real one. C's stdout becomes line buffered, and std::cout
//   goes through it, also after sync_with_stdio(false). Descriptor 2 stays as
//   it is, the host's log pipe: lines in hclog's JSON or with a "[WARN]" prefix
//   keep their level there.
// - SIGINT is ignored, for Ctrl-C in the host's terminal is the host's matter.
//   SIGTERM ends Serve as the host's own Shutdown call does. So does the end of
//   the host itself (ServeOptions::outlives_host). Where the host asks for
//   multiplexing, the end of its one connection does so at once.
// - SIGPIPE, where it has its default, does nothing: what is printed and logged
//   after the host's end fails with EPIPE, and a plugin that outlives its host
//   lives on. It is not ignored, which programs that the plugin starts would
//   inherit.
// - Health, the controller and stdio are served beside the caller's services.
//   Health answers SERVING for "" and "plugin".
// When it returns, descriptor 1 and these signals are as before, the socket
// file is gone, brokered servers take nobody at their unix sockets any more,
// and no method of these services runs; gRPC's server is gone, with its threads
// and what configure_server has given it. Some sleeping threads are left to the
// exit of the process, or to the end of the next call: to end them would take
// longer than all else. Not in test mode. A service method that still runs when
// shutdown_grace and half a second more have passed can't be waited for: Serve
// then ends the process itself, without destructors.
//
// Started by hand for debugging it works differently: see
// ServeOptions::test_mode.
//
// The result is 0 after a Shutdown call, SIGTERM or the end of the host, 1 when
// the plugin could not start. Then the reason is on stderr: options that can't
// work, no host (the cookie is missing), an environment that makes no sense,
// nowhere to listen, no descriptors or threads left to begin with.
//
// Thread safety: once at a time, and best from main before other threads exist;
// a second call beside a running one returns 1.
// Errors: nothing throws.
int Serve(const ServeOptions& options);

}  // namespace goplugin

#endif  // GOPLUGIN_SERVER_H_
