#include "examples/inspect/plugin_output.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace inspect {
namespace {

TEST(LogKeeperTest, KeepsWhatALineSays) {
  goplugin::LogEntry entry;
  entry.level = goplugin::LogLevel::kWarn;
  entry.module = "kv";
  entry.message = "full";
  entry.fields = {{"free", "3"}};
  entry.timestamp = absl::FromUnixMillis(1500);
  LogKeeper keeper;
  keeper.Log(entry);
  Report report;
  keeper.AddTo(&report);
  ASSERT_EQ(report.logs_size(), 1);
  EXPECT_EQ(report.logs(0).level(), "warn");
  EXPECT_EQ(report.logs(0).module(), "kv");
  EXPECT_EQ(report.logs(0).message(), "full");
  EXPECT_EQ(report.logs(0).fields().at("free"), "3");
  EXPECT_EQ(report.logs(0).time(), "1970-01-01T00:00:01.5Z");
  EXPECT_FALSE(report.logs(0).sdk());
  EXPECT_EQ(report.logs_left_out(), 0u);
}

TEST(LogKeeperTest, KeepsTheNewest) {
  LogKeeper keeper;
  for (int i = 0; i < 1002; ++i) {
    goplugin::LogEntry entry;
    entry.message = absl::StrCat(i);
    keeper.Log(entry);
  }
  Report report;
  keeper.AddTo(&report);
  ASSERT_EQ(report.logs_size(), 1000);
  EXPECT_EQ(report.logs(0).message(), "2");
  EXPECT_EQ(report.logs_left_out(), 2u);
}

TEST(StdioKeeperTest, KeepsStreamsApartAndTheNewest) {
  StdioKeeper keeper;
  goplugin::StdioChunk chunk;
  const std::string much(size_t{64} << 10, 'x');
  for (const absl::string_view text :
       {absl::string_view("old"), absl::string_view(much)}) {
    chunk.data = text;
    keeper.Write(chunk);
  }
  chunk.raw = true;
  chunk.data = "raw \xff";
  keeper.Write(chunk);
  Report report;
  keeper.AddTo(&report);
  ASSERT_EQ(report.output_size(), 2);
  EXPECT_EQ(report.output(0).stream(), "stdout");
  EXPECT_EQ(report.output(0).text(), much);
  EXPECT_TRUE(report.output(1).raw());
  EXPECT_EQ(report.output(1).text(), "raw \\xff");
}

}  // namespace
}  // namespace inspect
