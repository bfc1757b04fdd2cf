// examples/metrics: /metrics is scraped while the plugin is killed.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/metrics/call_latency.h"
#include "examples/metrics/prometheus_telemetry.h"
#include "goplugin/supervisor.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// What GET /metrics answers, or "".
std::string Scrape(int port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
    if (send(connection, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char buffer[4096];
      for (ssize_t count; (count = recv(connection, buffer, sizeof(buffer),
                                        /*flags=*/0)) > 0;) {
        answer.append(buffer, static_cast<size_t>(count));
      }
    }
  }
  close(connection);
  return answer;
}

class MetricsExampleTest : public HarnessTest {
 protected:
  MetricsExampleTest() : exposer_("127.0.0.1:0") {
    exposer_.RegisterCollectable(registry_);
    options_.telemetry = std::make_shared<PrometheusTelemetry>(registry_);
    options_.usage_interval = absl::Milliseconds(100);
    options_.interceptors = CallLatency(*registry_);
  }

  // In /metrics, sooner or later.
  void ExpectText(const std::string& text) {
    std::string page;
    EXPECT_TRUE(Eventually([&] {
      page = Scrape(exposer_.GetListeningPorts().front());
      return absl::StrContains(page, text);
    })) << text
        << "\nin\n"
        << page;
  }
  void ExpectLine(const std::string& line) {
    ExpectText(absl::StrCat("\n", line, "\n"));
  }

  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  prometheus::Exposer exposer_;
  ClientOptions options_ = ShortLadder();
  const std::string program_ = ServerPlugin({}).path;
};

TEST_F(MetricsExampleTest, AKillAndWhatFollows) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(), options_);
  ASSERT_NE(supervisor, nullptr);
  const pid_t first = PidOf(*supervisor);
  const std::string replica =
      absl::StrCat("{plugin=\"", program_, "\",replica=\"0\"}");
  const std::string plugin = absl::StrCat("{plugin=\"", program_, "\"}");
  ExpectLine(absl::StrCat("goplugin_running", plugin, " 1"));
  ExpectLine(absl::StrCat("goplugin_replica_serving", replica, " 1"));
  ExpectLine(absl::StrCat("goplugin_supervisor_state{plugin=\"", program_,
                          "\",state=\"ready\"} 1"));

  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(ComesBack(*supervisor, first));
  ExpectLine(absl::StrCat("goplugin_restarts_total", replica, " 1"));
  ExpectLine(absl::StrCat("goplugin_failures_total{plugin=\"", program_,
                          "\",reason=\"crashed\",replica=\"0\"} 1"));
  ExpectLine(absl::StrCat("goplugin_exits_total{cause=\"crash\",plugin=\"",
                          program_, "\"} 1"));
  ExpectLine(absl::StrCat("goplugin_launches_total{plugin=\"", program_,
                          "\",result=\"ok\"} 2"));
  ExpectLine(absl::StrCat("goplugin_launch_seconds_count", plugin, " 2"));
  ExpectLine(absl::StrCat("goplugin_running", plugin, " 1"));
  ExpectLine(absl::StrCat("goplugin_replica_serving", replica, " 1"));
  ExpectText("\ngoplugin_resident_bytes" + replica);
  ExpectText("\ngoplugin_call_seconds_count{method=\"/proto.KV/Get\"} ");

  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  ExpectLine(absl::StrCat("goplugin_running", plugin, " 0"));
  ExpectLine(absl::StrCat("goplugin_replica_serving", replica, " 0"));
  ExpectLine(absl::StrCat("goplugin_exits_total{cause=\"shutdown\",plugin=\"",
                          program_, "\"} 1"));
  ExpectLine(absl::StrCat("goplugin_supervisor_state{plugin=\"", program_,
                          "\",state=\"stopped\"} 1"));
}

}  // namespace
}  // namespace goplugin::testing
