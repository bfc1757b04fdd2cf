#include "examples/inspect/print.h"

#include <simdjson.h>

#include <string>
#include <string_view>

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
  (*call->mutable_answer()->mutable_struct_value()->mutable_fields())["key"]
      .set_string_value("value");
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
  entry->set_message("red\x1b[31m\rgone");
  (*entry->mutable_fields())["key"] = "a\x1b";
  report.mutable_error()->set_what("two\nlines\x07");
  const std::string text = PrintText(report);
  EXPECT_THAT(text, HasSubstr("log          warn   red?[31m?gone"));
  EXPECT_THAT(text, HasSubstr("error        two\n             lines?\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
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

TEST(TextTest, IsAlwaysUtf8) {
  EXPECT_EQ(Text("\xc3\xa4 \n"), "\xc3\xa4 \n");
  EXPECT_EQ(Text("\xff\n"), "\\xff\\n");
  EXPECT_EQ(Text(""), "");
}

}  // namespace
}  // namespace inspect
