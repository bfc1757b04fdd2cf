#ifndef GOPLUGIN_TESTING_IN_PROCESS_PLUGINS_H_
#define GOPLUGIN_TESTING_IN_PROCESS_PLUGINS_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "goplugin/exit_status.h"
#include "goplugin/supervisor.h"
#include "goplugin/testing/in_process_plugin.h"

namespace goplugin::testing {

// What a supervisor starts again and again, inside the test's own process: an
// InProcessPlugin for each start. For tests of what a host does when its plugin
// dies, in a call or beside it.
//
// Example:
//   FakeKv kv;                              // a proto::KV::Service
//   std::atomic<bool> dies{true};
//   goplugin::testing::InProcessPlugins plugins(&kv);
//   kv.on_put = [&] {                       // it dies in the first call
//     if (!dies.exchange(false)) return;
//     plugins.End({goplugin::ExitStatus::Kind::kSignalled, SIGSEGV});
//   };
//   auto supervisor = goplugin::Supervisor::Start(plugins.Source(), options);
//   ASSERT_THAT(supervisor, goplugin::testing::IsOk());
//   MyHost host((*supervisor)->NewStub<proto::KV>());
//   EXPECT_FALSE(host.Store("hello", "world"));
//   EXPECT_TRUE(host.Store("hello", "world"));  // by the next one
//   EXPECT_EQ(plugins.starts(), 2);
//
// With short times in SupervisorOptions a test of the breaker or of backoff
// takes milliseconds. What needs a process (signals, a hang, a plugin that does
// not start, prepare's effects on its state) is for ScriptedPlugin, whose
// Command a supervisor takes as it is.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: the supervisor, and what its services need, may end before or after
// this; a start that comes after it fails. The destructor ends the plugins, and
// waits for their services' methods, as InProcessPlugin's does.
class InProcessPlugins {
 public:
  // Makes what the next one serves, called for each start on a thread of this
  // library's: a new process is blank, so a test that cares makes a new service
  // each time. An error is a failed start.
  using MakeOptions = std::function<absl::StatusOr<InProcessPluginOptions>()>;

  explicit InProcessPlugins(MakeOptions make_options);
  // All of them serve the one `service`, which must outlive this. A template,
  // as that of InProcessPlugin.
  template <typename Service>
  explicit InProcessPlugins(Service* service)
      : InProcessPlugins(
            [service] { return InProcessPluginOptions{{service}}; }) {}
  ~InProcessPlugins();
  InProcessPlugins(const InProcessPlugins&) = delete;
  InProcessPlugins& operator=(const InProcessPlugins&) = delete;

  // For Supervisor::Start and Replace.
  SupervisorSource Source() const;

  // Those that run end by themselves, as by InProcessPlugin::End: the
  // supervisor sees a crash. May be called in a service's method, whose own
  // call then fails with UNAVAILABLE or CANCELLED; it returns half a second
  // later there.
  void End(ExitStatus status);

  // How many were begun, those that failed included.
  int starts() const;

 private:
  struct State;

  const std::shared_ptr<State> state_;
};

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_IN_PROCESS_PLUGINS_H_
