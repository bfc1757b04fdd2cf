#include "examples/inspect/print.h"

#include <simdjson.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "examples/inspect/arguments.h"
#include "examples/inspect/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inspect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report SmallReport() {
  Report report;
  report.add_command("./plugin");
  report.set_line("1|0|unix|/s|grpc|0123456789abcdefg");
  report.set_version(0);
  report.set_tls(false);
  Call* call = report.mutable_call();
  call->set_method("a.B/C");
  call->set_code("OK");
  call->set_answer(R"({"key":"value"})");
  report.mutable_exit()->set_text("exit code 0");
  report.mutable_exit()->set_code(0);
  return report;
}

TEST(PrintTextTest, IsOneFactALine) {
  const std::string text = PrintText(SmallReport());
  EXPECT_THAT(text, HasSubstr("plugin       ./plugin\n"));
  EXPECT_THAT(text,
              HasSubstr("line         1|0|unix|/s|grpc|0123456789abcdef...\n"));
  EXPECT_THAT(text, HasSubstr("version      0\n"));
  EXPECT_THAT(text, HasSubstr("TLS          no: neither"));
  EXPECT_THAT(text, HasSubstr("answer       {\"key\":\"value\"}\n"));
  EXPECT_THAT(text, HasSubstr("exit         exit code 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("error")));
  EXPECT_THAT(text, Not(HasSubstr("certificate")));
}

TEST(PrintTextTest, NothingSteersTheTerminal) {
  Report report;
  LogEntry* entry = report.add_logs();
  entry->set_level("warn");
  entry->set_message(
      "red\x1b[31m\rgone \xc2\x9b"
      "2J \xc3\xa4");
  (*entry->mutable_fields())["key"] = "a\x1b";
  report.mutable_error()->set_what("two\nlines\x07");
  const std::string text = PrintText(report);
  EXPECT_THAT(text,
              HasSubstr("log          warn   red?[31m?gone ?2J \xc3\xa4"));
  EXPECT_THAT(text, HasSubstr("error        two\n             lines?\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(PrintJson(report), HasSubstr(R"(\u000dgone \u009b2J )"
                                           "\xc3\xa4"));
}

TEST(PrintJsonTest, IsTheReportByItsNames) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(PrintJson(SmallReport())).get(root),
            simdjson::SUCCESS);
  std::string_view line;
  ASSERT_EQ(root["line"].get(line), simdjson::SUCCESS);
  EXPECT_EQ(line, "1|0|unix|/s|grpc|0123456789abcdefg");
  int64_t version = -1;
  ASSERT_EQ(root["version"].get(version), simdjson::SUCCESS);
  EXPECT_EQ(version, 0);
  int64_t code = -1;
  ASSERT_EQ(root.at_pointer("/exit/code").get(code), simdjson::SUCCESS);
  EXPECT_EQ(code, 0);
  std::string_view value;
  ASSERT_EQ(root.at_pointer("/call/answer/key").get(value), simdjson::SUCCESS);
  EXPECT_EQ(value, "value");
  EXPECT_NE(root["certificate"].error(), simdjson::SUCCESS);
}

// Not another report in its place.
TEST(PrintTest, AReportThatIsTooLargeIsNone) {
  const Report report = SmallReport();
  const std::size_t size = report.ByteSizeLong();
  for (const auto format :
       {Arguments::Format::kJson, Arguments::Format::kText}) {
    EXPECT_EQ(Print(report, format, size - 1), "");
    EXPECT_NE(Print(report, format, size), "");
  }
}

TEST(TextTest, IsAlwaysUtf8) {
  EXPECT_EQ(Text("\xc3\xa4 \n"), "\xc3\xa4 \n");
  EXPECT_EQ(Text("\xff\n"), "\\xff\\n");
  EXPECT_EQ(Text(""), "");
}

}  // namespace
}  // namespace inspect
