#include "goplugin/internal/serve/check_options.h"

#include <grpcpp/impl/rpc_service_method.h>

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/serve/health_service.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

// As generated AsyncService classes are: a method without a handler.
class AsyncOnlyService : public grpc::Service {
 public:
  AsyncOnlyService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/test.Async/Call", grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodAsync(0);
  }
};

class CheckServeOptionsTest : public ::testing::Test {
 protected:
  CheckServeOptionsTest() {
    options_.magic_cookie_key = "KEY";
    options_.magic_cookie_value = "value";
    options_.services = {{1, {&service_}}};
  }

  // Expects that `change` makes the options bad for the reason it should.
  void ExpectBad(const std::function<void(ServeOptions&)>& change,
                 const std::string& what, const std::string& hint) {
    ServeOptions options = options_;
    change(options);
    absl::optional<ErrorDetails> details =
        GetErrorDetails(CheckServeOptions(options));
    ASSERT_TRUE(details.has_value()) << what;
    EXPECT_EQ(details->reason, Reason::kOptions);
    EXPECT_THAT(details->what, HasSubstr(what));
    EXPECT_THAT(details->hint, HasSubstr(hint));
  }

  HealthService service_;
  ServeOptions options_;
};

TEST_F(CheckServeOptionsTest, TakesTheDefaultsWithCookieAndServices) {
  EXPECT_TRUE(CheckServeOptions(options_).ok()) << CheckServeOptions(options_);
  options_.services = {{0, {&service_}}, {7, {&service_}}};
  EXPECT_TRUE(CheckServeOptions(options_).ok()) << CheckServeOptions(options_);
}

TEST_F(CheckServeOptionsTest, WantsACookie) {
  ExpectBad([](ServeOptions& o) { o.magic_cookie_key = ""; },
            "without a magic cookie", "magic_cookie_key");
  ExpectBad([](ServeOptions& o) { o.magic_cookie_value = ""; },
            "without a magic cookie", "magic_cookie_value");
  ExpectBad([](ServeOptions& o) { o.magic_cookie_key = "A=B"; }, "A=B",
            "KV_PLUGIN_COOKIE");
}

TEST_F(CheckServeOptionsTest, WantsServicesItCanServe) {
  AsyncOnlyService async;
  ExpectBad([](ServeOptions& o) { o.services.clear(); }, "without services",
            "protocol version");
  ExpectBad([](ServeOptions& o) { o.services[2] = {}; },
            "version 2 has no services", "every version");
  ExpectBad([](ServeOptions& o) { o.services[2] = {nullptr}; },
            "a service of version 2 is null", "until Serve returns");
  ExpectBad([&](ServeOptions& o) { o.services[3] = {&async}; },
            "a service of version 3 uses gRPC's async", "CallbackService");
}

TEST_F(CheckServeOptionsTest, WantsSomewhereToListen) {
  ExpectBad([](ServeOptions& o) { o.networks.clear(); }, "without networks",
            "kUnix");
  ExpectBad([](ServeOptions& o) { o.min_port = -1; }, "-1 to 0", "0 to 65535");
  ExpectBad([](ServeOptions& o) { o.min_port = 5; }, "5 to 0", "min_port");
  ExpectBad([](ServeOptions& o) { o.max_port = 65536; }, "0 to 65536",
            "0 to 65535");
}

TEST_F(CheckServeOptionsTest, WantsNoNegativeTimesAndABuffer) {
  ExpectBad([](ServeOptions& o) { o.stdout_buffer_bytes = 0; },
            "stdout_buffer_bytes", "1 MiB");
  ExpectBad([](ServeOptions& o) { o.shutdown_grace = absl::Seconds(-1); },
            "shutdown_grace", "0 or more");
  ExpectBad(
      [](ServeOptions& o) {
        o.stdout_flush_timeout = -absl::InfiniteDuration();
      },
      "stdout_flush_timeout", "0 or more");
  ExpectBad([](ServeOptions& o) { o.broker_keep = absl::Seconds(-1); },
            "broker_keep", "30 s");
}

TEST_F(CheckServeOptionsTest, TakesTimesWithoutEnd) {
  ServeOptions options = options_;
  options.shutdown_grace = absl::InfiniteDuration();
  options.stdout_flush_timeout = absl::InfiniteDuration();
  options.broker_keep = absl::InfiniteDuration();
  EXPECT_EQ(CheckServeOptions(options), absl::OkStatus());
}

}  // namespace
}  // namespace goplugin::internal
