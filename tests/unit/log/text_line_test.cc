#include "goplugin/internal/log/text_line.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/unit/log/entry_text.h"

namespace goplugin::internal {
namespace {

struct Case {
  const char* line;
  const char* want;  // as EntryText has it
};

void ExpectTagged(const Case& c) {
  LogEntry entry;
  EXPECT_TRUE(ParseTextLine(c.line, &entry)) << c.line;
  EXPECT_EQ(EntryText(entry), c.want) << c.line;
}

// Zone-less times are local; here only the rest of the entry matters.
void ExpectTaggedAtLocalTime(const Case& c) {
  LogEntry entry;
  EXPECT_TRUE(ParseTextLine(c.line, &entry)) << c.line;
  EXPECT_TRUE(entry.timestamp.has_value()) << c.line;
  entry.timestamp = absl::nullopt;
  EXPECT_EQ(EntryText(entry), c.want) << c.line;
}

TEST(ParseTextLineTest, BracketPrefixes) {
  for (const Case& c : {
           Case{"[TRACE] text", "trace||text|"},
           Case{"[DEBUG] text", "debug||text|"},
           Case{"[INFO] text", "info||text|"},
           Case{"[WARN] text", "warn||text|"},
           Case{"[ERROR] text", "error||text|"},
           Case{"[ERR]text  \r", "error||text|"},
           Case{"[Warning]   text", "warn||text|"},
           Case{"[INFO]", "info|||"},
           Case{"[WARN] module: text k=v", "warn||module: text k=v|"},
           Case{"[info] text k=v", "info||text k=v|"},
       }) {
    ExpectTagged(c);
  }
}

TEST(ParseTextLineTest, BracketPrefixesAfterGoLogsTimestamp) {
  for (const Case& c : {
           Case{"2024/01/02 15:04:05 [WARN] text", "warn||text|"},
           Case{"2024/01/02 15:04:05.000123 [ERROR] x: y", "error||x: y|"},
           Case{"2024/01/02 15:04:05 main.go:12: [INFO] text",
                "info||text|caller=main.go:12"},
           Case{"2024-01-02 15:04:05,123 [DEBUG] text", "debug||text|"},
       }) {
    ExpectTaggedAtLocalTime(c);
  }
}

TEST(ParseTextLineTest, HclogText) {
  for (const Case& c : {
           Case{"2024-01-02T15:04:05.000Z [INFO]  text",
                "info||text||2024-01-02T15:04:05"},
           Case{"2024-01-02T15:04:05.123Z [WARN]  kv.server: put failed: "
                "key=a err=\"no space\" list=[a, b]",
                "warn|kv.server|put failed|key=a err=no space list=[a, b]|"
                "2024-01-02T15:04:05.123"},
           Case{"2024-01-02T15:04:05.000+0100 [ERROR] listening: port=80",
                "error||listening|port=80|2024-01-02T14:04:05"},
           Case{"2024-01-02T15:04:05Z [DEBUG] kv: a=b without a colon k=v",
                "debug||kv: a=b without a colon k=v||2024-01-02T15:04:05"},
           Case{"2024-01-02T15:04:05Z [TRACE] main.go:7: kv: text: k=v",
                "trace|kv|text|@caller=main.go:7 k=v|2024-01-02T15:04:05"},
           Case{"2024-01-02T15:04:05Z [INFO]  two words: text",
                "info||two words: text||2024-01-02T15:04:05"},
       }) {
    ExpectTagged(c);
  }
}

TEST(ParseTextLineTest, StructlogConsole) {
  ExpectTagged(
      {"2024-01-02T15:04:05.000001Z [warning  ] disk is full      "
       "             [store.disk] free=0 path='/a b'",
       "warn|store.disk|disk is full|free=0 path=/a b|"
       "2024-01-02T15:04:05.000001"});
  ExpectTagged({"[error    ] no pairs", "error||no pairs|"});
  ExpectTagged({"[info     ] a=1 b=2", "info|||a=1 b=2"});
  ExpectTagged(
      {"[critical ] event [not a logger]", "error||event [not a logger]|"});
  ExpectTaggedAtLocalTime(
      {"2024-01-02 15:04:05 [debug    ] event k=v", "debug||event|k=v"});
  ExpectTaggedAtLocalTime(
      {"2024-01-02 15:04.05 [info     ] event k=v", "info||event|k=v"});
}

TEST(ParseTextLineTest, PythonLogging) {
  ExpectTagged({"WARNING:root:text", "warn|root|text|"});
  ExpectTagged({"ERROR:my.module:a: b", "error|my.module|a: b|"});
  ExpectTagged({"INFO:     Started server", "info||Started server|"});
  ExpectTagged({"ERROR: http://x", "error||http://x|"});
  ExpectTagged({"ERROR:http://x", "error||http://x|"});
  ExpectTagged({"CRITICAL: text", "error||text|"});
  ExpectTaggedAtLocalTime(
      {"2024-01-02 15:04:05,123 - my.module - WARNING - a - b",
       "warn|my.module|a - b|"});
  ExpectTaggedAtLocalTime({"2024-01-02 15:04:05,123 ERROR a", "error||a|"});
  ExpectTaggedAtLocalTime({"2024-01-02 15:04:05,123 INFO: a", "info||a|"});
}

TEST(ParseTextLineTest, Rust) {
  ExpectTagged({"2024-01-02T15:04:05.000001Z  INFO kv::server: text k=v",
                "info||kv::server: text k=v||2024-01-02T15:04:05.000001"});
  ExpectTagged({"[2024-01-02T15:04:05Z WARN  kv::server] text",
                "warn|kv::server|text||2024-01-02T15:04:05"});
  ExpectTagged({"[2024-01-02T15:04:05Z ERROR] text",
                "error||text||2024-01-02T15:04:05"});
}

TEST(ParseTextLineTest, Glog) {
  ExpectTagged({"W0102 15:04:05.678901  123 file.cc:12] text",
                "warn||text|thread=123 caller=file.cc:12"});
  ExpectTagged({"I0102 15:04:05.678901 123 a/b.cc:1]",
                "info|||thread=123 caller=a/b.cc:1"});
  ExpectTagged(
      {"F0102 15:04:05.678901 1 f.cc:1] x", "error||x|thread=1 caller=f.cc:1"});
  ExpectTagged({"E0102 15:04:05.678901234    7 f.cc:1]    padded",
                "error||padded|thread=7 caller=f.cc:1"});
  ExpectTagged({"D0102 15:04:05.678901234    7 f.cc:1] x",
                "debug||x|thread=7 caller=f.cc:1"});
  ExpectTaggedAtLocalTime({"E20240102 15:04:05.678901 7 f.cc:1] x",
                           "error||x|thread=7 caller=f.cc:1"});
}

TEST(ParseTextLineTest, Logfmt) {
  ExpectTagged({"level=info msg=\"two words\" k=v", "info||two words|k=v"});
  ExpectTagged({"time=\"2024-01-02T15:04:05Z\" level=warning msg=x",
                "warn||x||2024-01-02T15:04:05"});
  ExpectTagged({"time=2024-01-02T15:04:05.5Z level=ERROR+2 msg=x a=b",
                "error||x|a=b|2024-01-02T15:04:05.5"});
  ExpectTagged({"ts=1704207845 lvl=dbg msg=x logger=l",
                "debug|l|x||2024-01-02T15:04:05"});
}

TEST(ParseTextLineTest, OtherLinesHaveNoLevel) {
  for (const Case& c : {
           Case{"", "debug|||"},
           Case{"   ", "debug|||"},
           Case{"plain text  ", "debug||plain text|"},
           Case{"  indented", "debug||  indented|"},
           Case{"[unknown] text", "debug||[unknown] text|"},
           Case{"[INFO text", "debug||[INFO text|"},
           Case{"[INFO", "debug||[INFO|"},
           Case{"[]", "debug||[]|"},
           Case{"[", "debug||[|"},
           Case{"[2024-01-02T15:04:05Z text",
                "debug||"
                "[2024-01-02T15:04:05Z text|"},
           Case{"see [WARN] later", "debug||see [WARN] later|"},
           Case{"Warning: mixed case", "debug||Warning: mixed case|"},
           Case{"INFO without a colon", "debug||INFO without a colon|"},
           Case{"FOO: bar", "debug||FOO: bar|"},
           Case{"a=1 b=2", "debug||a=1 b=2|"},
           Case{"msg=x a=b", "debug||msg=x a=b|"},
           Case{"level=info text", "debug||level=info text|"},
           Case{"level=odd msg=x", "debug||level=odd msg=x|"},
           Case{"W0102 is no glog line at all.",
                "debug||"
                "W0102 is no glog line at all.|"},
           Case{"W01 15:04:05.678901  123 file.cc:12] text",
                "debug||W01 15:04:05.678901  123 file.cc:12] text|"},
           Case{"W0102 15h04m05.678901  123 file.cc:12] text",
                "debug||W0102 15h04m05.678901  123 file.cc:12] text|"},
           Case{"X0102 15:04:05.678901  123 file.cc:12] text",
                "debug||X0102 15:04:05.678901  123 file.cc:12] text|"},
           Case{"2024-01-02T15:04:05Z text",
                "debug||text||2024-01-02T15:04:05"},
           Case{"2024-01-02T15:04:05Z", "debug||||2024-01-02T15:04:05"},
       }) {
    LogEntry entry;
    EXPECT_FALSE(ParseTextLine(c.line, &entry)) << c.line;
    EXPECT_EQ(EntryText(entry), c.want) << c.line;
  }
}

}  // namespace
}  // namespace goplugin::internal
