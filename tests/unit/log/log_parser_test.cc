#include "goplugin/internal/log/log_parser.h"

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/text/utf8.h"
#include "gtest/gtest.h"
#include "tests/unit/log/entry_text.h"

namespace goplugin::internal {
namespace {

std::string ParseToText(LogParser* parser, absl::string_view line) {
  return EntryText(parser->Parse(line, false));
}

struct Case {
  std::string line;
  std::string want;
};

void ExpectAll(std::initializer_list<Case> cases) {
  LogParser parser;
  for (const Case& c : cases) {
    EXPECT_EQ(ParseToText(&parser, c.line), c.want) << c.line;
  }
  EXPECT_EQ(parser.panic(), "");
}

TEST(LogParserTest, HclogJson) {
  ExpectAll({
      {R"({"@level":"info","@message":"hello"})", "info||hello|"},
      {R"({"@level":"WARN","@message":"m","@module":"kv.store",)"
       R"("@timestamp":"2024-01-02T15:04:05.000001Z","@caller":"kv.go:7",)"
       R"("n":1,"s":"x y","o":{"a":[1]}})",
       "warn|kv.store|m|@caller=kv.go:7 n=1 s=x y o={\"a\":[1]}"
       "|2024-01-02T15:04:05.000001"},
      {R"({"@timestamp":"2024-01-02T15:04:05.000000+01:00","@level":"trace",)"
       R"("@message":"m"})",
       "trace||m||2024-01-02T14:04:05"},
      {"  {\"@level\":\"error\",\"@message\":\"m \\n\"}  \r", "error||m|"},
  });
}

TEST(LogParserTest, WithHclogsKeysOnlyItsKeysCount) {
  ExpectAll({
      {R"({"@level":"info","@message":"m","level":"error","msg":"x",)"
       R"("module":"y","time":"2024-01-02T15:04:05Z"})",
       "info||m|level=error msg=x module=y time=2024-01-02T15:04:05Z"},
      {R"({"@message":"m","level":"error"})", "debug||m|level=error"},
  });
}

TEST(LogParserTest, OtherJsonLoggers) {
  ExpectAll({
      // zap
      {R"({"level":"warn","ts":1704207845.5,"logger":"kv","caller":"a.go:1",)"
       R"("msg":"m","k":"v"})",
       "warn|kv|m|caller=a.go:1 k=v|2024-01-02T15:04:05.5"},
      {R"({"level":"dpanic","ts":"2024-01-02T15:04:05.000+0100","msg":"m"})",
       "error||m||2024-01-02T14:04:05"},
      // slog
      {R"({"time":"2024-01-02T15:04:05.000000001Z","level":"INFO+2",)"
       R"("msg":"m","k":true})",
       "info||m|k=true|2024-01-02T15:04:05.000000001"},
      // logrus
      {R"({"level":"warning","msg":"m","time":"2024-01-02T15:04:05Z"})",
       "warn||m||2024-01-02T15:04:05"},
      // zerolog
      {R"({"level":"fatal","time":1704207845,"message":"m"})",
       "error||m||2024-01-02T15:04:05"},
      // structlog
      {R"({"event":"m","level":"critical","timestamp":"2024-01-02T15:04:05Z"})",
       "error||m||2024-01-02T15:04:05"},
      // pino, bunyan
      {R"({"level":40,"time":1704207845250,"msg":"m"})",
       "warn||m||2024-01-02T15:04:05.25"},
      // Stackdriver, the Elastic schema, Python's JSON formatter
      {R"({"severity":"NOTICE","message":"m"})", "info||m|"},
      {R"({"@timestamp":"2024-01-02T15:04:05Z","log.level":"error",)"
       R"("message":"m"})",
       "error||m||2024-01-02T15:04:05"},
      {R"({"levelname":"ERROR","message":"m","module":"x"})", "error|x|m|"},
      // Rust's tracing
      {R"({"timestamp":"2024-01-02T15:04:05Z","level":"ERROR",)"
       R"("fields":{"message":"m","k":1},"target":"t"})",
       "error||m|k=1 target=t|2024-01-02T15:04:05"},
  });
}

TEST(LogParserTest, OddJsonNeverFails) {
  ExpectAll({
      // A message that is no string (a Go host panics).
      {R"({"@level":"info","@message":42})", "info||42|"},
      {R"({"@level":"info","@message":{"a":[null]}})", "info||{\"a\":[null]}|"},
      {R"({"@level":"info","@message":null})", "info||null|"},
      {R"({"@level":"info"})", "info|||"},
      {R"({"@message":"m"})", "debug||m|"},
      // What makes no sense in its place stays a field.
      {R"({"@level":"loud","@message":"m"})", "debug||m|@level=loud"},
      {R"({"level":7,"msg":"m"})", "debug||m|level=7"},
      {R"({"@level":["info"],"@message":"m"})", "debug||m|@level=[\"info\"]"},
      {R"({"level":"info","msg":"m","time":"noon"})", "info||m|time=noon"},
      {R"({"level":"info","msg":"m","ts":-1})", "info||m|ts=-1"},
      {R"({"level":"info","msg":"a","message":"b","event":"c"})",
       "info||a|message=b event=c"},
      {R"({"msg":"m","n":NaN,"big":123456789012345678901234567890,)"
       R"("level":"error"})",
       "error||m|n=NaN big=123456789012345678901234567890"},
      {R"({"level":"error","event":"\udcff"})", "error||\xEF\xBF\xBD|"},
      // No log line at all.
      {"{}", "debug||{}|"},
      {R"({"a":1})", "debug||{\"a\":1}|"},
      {R"({"level":"nope"})", "debug||{\"level\":\"nope\"}|"},
      {"{", "debug||{|"},
      {"{not json}", "debug||{not json}|"},
      {R"({"@level":"info")", R"(debug||{"@level":"info"|)"},
      {R"({"@level":"info"} trailing)",
       R"(debug||{"@level":"info"} trailing|)"},
      {R"(["@level"])", R"(debug||["@level"]|)"},
  });
}

TEST(LogParserTest, TextLines) {
  ExpectAll({
      {"", "debug|||"},
      {"plain", "debug||plain|"},
      {"[WARN] text", "warn||text|"},
      {"level=error msg=x", "error||x|"},
      {"W0102 15:04:05.678901  123 f.cc:1] x",
       "warn||x|thread=123 caller=f.cc:1"},
      {std::string("nul\0nul", 7), std::string("debug||nul\0nul|", 15)},
  });
}

TEST(LogParserTest, ColoursAreRemoved) {
  ExpectAll({
      {"\x1b[2m2024-01-02T15:04:05Z\x1b[0m \x1b[32m INFO\x1b[0m text",
       "info||text||2024-01-02T15:04:05"},
      {"\x1b[31m[error    ]\x1b[0m \x1b[1mevent\x1b[0m \x1b[36mk\x1b[0m=v",
       "error||event|k=v"},
  });
}

TEST(LogParserTest, InvalidUtf8IsReplaced) {
  ExpectAll({
      {"[WARN] a\xff", "warn||a\xEF\xBF\xBD|"},
      {"{\"@level\":\"info\",\"@message\":\"\xC3\"}", "info||\xEF\xBF\xBD|"},
  });
}

TEST(LogParserTest, PiecesAreNotParsed) {
  LogParser parser;
  EXPECT_EQ(EntryText(parser.Parse("[WARN] text", true)),
            "debug||[WARN] text|");
  EXPECT_EQ(EntryText(parser.Parse(R"({"@level":"info"})", true)),
            R"(debug||{"@level":"info"}|)");
  EXPECT_EQ(EntryText(parser.Parse("panic: later in the line", true)),
            "debug||panic: later in the line|");
  EXPECT_EQ(EntryText(parser.Parse("[WARN] text", false)), "warn||text|");
  EXPECT_FALSE(parser.Parse("x", true).continues);
}

TEST(LogParserTest, APanicWithAHugeMessageIsSeen) {
  LogParser parser;
  EXPECT_EQ(parser.Parse("panic: " + std::string(60000, 'x'), true).level,
            LogLevel::kError);
  EXPECT_EQ(parser.Parse("the rest", true).level, LogLevel::kError);
  EXPECT_EQ(parser.Parse("goroutine 1", false).level, LogLevel::kError);
  EXPECT_EQ(parser.panic().substr(0, 10), "panic: xxx");
}

TEST(LogParserTest, UntaggedLinesAfterAPanicAreErrors) {
  LogParser parser;
  EXPECT_EQ(ParseToText(&parser, "goroutine 1 [running]:"),
            "debug||goroutine 1 [running]:|");
  EXPECT_EQ(ParseToText(&parser, "panic: boom"), "error||panic: boom|");
  EXPECT_EQ(ParseToText(&parser, "goroutine 1 [running]:"),
            "error||goroutine 1 [running]:|");
  EXPECT_EQ(ParseToText(&parser, "[INFO] other thread"), "info||other thread|");
  EXPECT_EQ(ParseToText(&parser, R"({"@level":"debug","@message":"m"})"),
            "debug||m|");
  EXPECT_EQ(ParseToText(&parser, "main.main()"), "error||main.main()|");
  EXPECT_EQ(parser.panic(), "panic: boom\ngoroutine 1 [running]:\nmain.main()");
}

TEST(LogParserTest, TracebacksAreErrors) {
  LogParser parser;
  EXPECT_EQ(ParseToText(&parser, "starting"), "debug||starting|");
  for (const char* line :
       {"Traceback (most recent call last):", "  File \"x.py\", line 1",
        "    raise ValueError(\"[INFO] x\")", "ValueError: [INFO] x"}) {
    EXPECT_EQ(ParseToText(&parser, line), absl::StrCat("error||", line, "|"));
  }
  EXPECT_EQ(ParseToText(&parser, "going on"), "debug||going on|");
  EXPECT_EQ(parser.panic(),
            "Traceback (most recent call last):\n  File \"x.py\", line 1\n"
            "    raise ValueError(\"[INFO] x\")\nValueError: [INFO] x");
}

TEST(LogParserTest, ATaggedLineWithinATracebackDoesNotEndIt) {
  LogParser parser;
  ParseToText(&parser, "Traceback (most recent call last):");
  EXPECT_EQ(ParseToText(&parser, "[INFO] other thread"), "info||other thread|");
  EXPECT_EQ(ParseToText(&parser, "  File x"), "error||  File x|");
  EXPECT_EQ(ParseToText(&parser, "E: 1"), "error||E: 1|");
  EXPECT_EQ(ParseToText(&parser, "E: 1"), "debug||E: 1|");
}

TEST(LogParserTest, PanicTextIsBoundedAndValid) {
  LogParser parser;
  parser.Parse("panic: start", false);
  for (int i = 0; i < 10000; ++i) parser.Parse("\xff line", false);
  parser.Parse("the end", false);
  const std::string text = parser.panic();
  EXPECT_LE(text.size(), 16u * 1024);
  EXPECT_TRUE(IsValidUtf8(text));
  EXPECT_EQ(text.substr(0, 12), "panic: start");
  EXPECT_EQ(text.substr(text.size() - 7), "the end");
}

}  // namespace
}  // namespace goplugin::internal
