#include "goplugin/internal/start/plugin_output.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

}  // namespace
}  // namespace goplugin::internal
