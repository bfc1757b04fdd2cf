#include "goplugin/internal/start/plugin_output.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/stderr_tail.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/log_sink.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

// What StdioSink promises.
constexpr std::size_t kLongest = std::size_t{256} * 1024;

class PiecesSink final : public StdioSink {
 public:
  void Write(const StdioChunk& chunk) override {
    longest_ = std::max(longest_, chunk.data.size());
    text_.append(chunk.data.data(), chunk.data.size());
  }

  std::size_t longest() const { return longest_; }
  const std::string& text() const { return text_; }

 private:
  std::size_t longest_ = 0;
  std::string text_;
};

TEST(PluginOutput, NoPieceIsLongerThanStdioSinkSays) {
  std::string text;
  while (text.size() < 3 * kLongest + 1) {
    absl::StrAppend(&text, "line ", text.size(), "\n");
  }
  const auto outputs = std::make_shared<PiecesSink>();
  const auto errors = std::make_shared<PiecesSink>();
  {
    EventLoop loop;
    Pool pool(loop, "goplugin-test", 1);
    OutputSinks sinks;
    sinks.stdio = outputs;
    sinks.stderr_raw = errors;
    PluginOutput output(sinks, loop, pool, Lane::Create(pool));
    output.OnStdout(text);
    output.OnStderr(text);
    output.FinishStderr();
  }
  EXPECT_LE(outputs->longest(), kLongest);
  EXPECT_EQ(outputs->text(), text);
  EXPECT_LE(errors->longest(), kLongest);
  EXPECT_EQ(errors->text(), text);
}

// Of what comes at once only the end is looked at.
TEST(PluginOutput, TheTailIsThatOfAllLines) {
  for (const std::size_t length : {0, 1, 40, 81, 82, 83, 1000, 20000, 70000}) {
    std::string text;
    StderrTail want;
    LineSplitter splitter;
    for (int i = 0; i < 500; ++i) {
      absl::StrAppend(&text, i, std::string(length, 'x'), "\n");
    }
    splitter.Feed(text, [&](absl::string_view line, bool /*continues*/) {
      want.Append(line);
    });
    EventLoop loop;
    Pool pool(loop, "goplugin-test", 1);
    PluginOutput output(OutputSinks(), loop, pool, Lane::Create(pool));
    output.OnStderr("before\n");
    output.OnStderr(text);
    ErrorDetails details;
    output.AddEvidence(details);
    EXPECT_EQ(details.stderr_tail, want.ToString()) << length;
  }
}

}  // namespace
}  // namespace goplugin::internal
