// Serve and InProcessPlugin where the system gives no thread.

#include <string>

#include "absl/status/status.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/server.h"
#include "goplugin/testing/in_process_plugin.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using ::testing::HasSubstr;

class ServeThreadsTest : public HarnessTest {
 protected:
  // In test mode, until it serves.
  int ServeOnce() {
    ServeOptions options;
    options.magic_cookie_key = "NOT_SET";
    options.magic_cookie_value = "anything";
    options.services = {{1, {&service_}}};
    options.test_mode = [](const TestServer& server) { server.stop(); };
    return Serve(options);
  }

  proto::KV::Service service_;
};

TEST_F(ServeThreadsTest, AnyThreadThatCantBeHadIsAnErrorOfServe) {
  ASSERT_EQ(ServeOnce(), 0);
  for (int which = 1;; ++which) {
    SCOPED_TRACE(which);
    ::testing::internal::CaptureStderr();
    Arm("pthread_create", which);
    const int result = ServeOnce();
    const int calls = Disarm();
    const std::string text = ::testing::internal::GetCapturedStderr();
    if (calls < which) {
      EXPECT_EQ(result, 0) << text;
      EXPECT_GT(which, 3);
      break;
    }
    EXPECT_EQ(result, 1);
    EXPECT_THAT(text, HasSubstr("[ERROR] the plugin can't start"));
    EXPECT_THAT(text, HasSubstr("pids.max"));
  }
  EXPECT_EQ(ServeOnce(), 0);
}

TEST_F(ServeThreadsTest, AnyThreadThatCantBeHadIsAnErrorOfAnInProcessPlugin) {
  int failed = 0;
  for (int which = 1;; ++which) {
    SCOPED_TRACE(which);
    InProcessPlugin plugin({{&service_}});
    Arm("pthread_create", which);
    auto client = plugin.Launch(KvOptions());
    const int calls = Disarm();
    if (calls < which) {
      EXPECT_THAT(client, IsOk());
      break;
    }
    // Some would only help.
    if (client.ok()) continue;
    ++failed;
    EXPECT_THAT(client, StatusIs(Reason::kResources));
  }
  EXPECT_GT(failed, 3);
}

}  // namespace
}  // namespace goplugin::testing
