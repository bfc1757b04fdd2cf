#include "examples/inspect/arguments.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/inspect/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inspect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using Words = std::vector<std::string>;

absl::Status Parse(Words words, Arguments* arguments) {
  words.insert(words.begin(), "inspect");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return ParseArguments(static_cast<int>(argv.size()), argv.data(), arguments);
}

// What must be there in any case, with `words` before the plugin.
Words With(Words words) {
  for (const char* word :
       {"--cookie", "K=V", "--versions", "1", "--", "./plugin"}) {
    words.emplace_back(word);
  }
  return words;
}

// Arguments that must be understood.
Arguments Understood(Words words) {
  Arguments arguments;
  const absl::Status status = Parse(std::move(words), &arguments);
  EXPECT_TRUE(status.ok()) << status;
  return arguments;
}

void ExpectWrong(Words words, const std::string& part) {
  Arguments arguments;
  const Error error = Describe(Parse(std::move(words), &arguments));
  EXPECT_EQ(error.reason(), "usage");
  EXPECT_THAT(error.what(), HasSubstr(part));
  EXPECT_THAT(error.hint(), HasSubstr("--help"));
}

TEST(ArgumentsTest, TheLeast) {
  const Arguments arguments = Understood(
      {"--cookie", "KEY=a=b", "--versions", "6,0,5", "--", "./plugin"});
  EXPECT_EQ(arguments.handshake.magic_cookie_key, "KEY");
  EXPECT_EQ(arguments.handshake.magic_cookie_value, "a=b");
  EXPECT_THAT(arguments.handshake.protocol_versions, ElementsAre(6, 0, 5));
  EXPECT_EQ(arguments.command.path, "./plugin");
  EXPECT_TRUE(arguments.command.search_path);
  EXPECT_EQ(arguments.tls, goplugin::TlsMode::kAutoMtls);
  EXPECT_EQ(arguments.format, Arguments::Format::kText);
  EXPECT_EQ(arguments.timeout, absl::Seconds(30));
}

TEST(ArgumentsTest, EverythingElse) {
  const Arguments arguments =
      Understood(With({"--tls=if-offered", "--env", "A=1", "--env=B=2=3",
                       "--call=/a.B/C", "--json", R"({"d": [1]})", "--proto",
                       "x.proto", "--timeout=1500ms", "--format", "json"}));
  EXPECT_EQ(arguments.tls, goplugin::TlsMode::kAutoMtlsIfOffered);
  EXPECT_THAT(arguments.command.env,
              ElementsAre(Pair("A", "1"), Pair("B", "2=3")));
  EXPECT_EQ(arguments.method, "a.B/C");
  EXPECT_EQ(arguments.json, R"({"d": [1]})");
  EXPECT_EQ(arguments.proto_file, "x.proto");
  EXPECT_EQ(arguments.timeout, absl::Milliseconds(1500));
  EXPECT_EQ(arguments.format, Arguments::Format::kJson);
}

TEST(ArgumentsTest, WhetherToMultiplex) {
  EXPECT_EQ(Understood(With({})).multiplex, goplugin::Multiplex::kNever);
  EXPECT_EQ(Understood(With({"--multiplex", "never"})).multiplex,
            goplugin::Multiplex::kNever);
  EXPECT_EQ(Understood(With({"--multiplex=if-offered"})).multiplex,
            goplugin::Multiplex::kIfOffered);
  EXPECT_EQ(Understood(With({"--multiplex", "require"})).multiplex,
            goplugin::Multiplex::kRequire);
}

TEST(ArgumentsTest, ThePluginsArgumentsAreItsOwn) {
  Words words = With({});
  words.insert(words.end(), {"--", "--cookie", "--help", ""});
  EXPECT_THAT(Understood(words).command.args,
              ElementsAre("--", "--cookie", "--help", ""));
}

TEST(ArgumentsTest, HexIsBytes) {
  EXPECT_EQ(Understood(With({"--call=a.B/C", "--hex", "00fF0a"})).bytes,
            std::string("\x00\xff\x0a", 3));
  EXPECT_EQ(Understood(With({"--call=a.B/C", "--hex", ""})).bytes, "");
}

TEST(ArgumentsTest, HelpComesFirst) {
  EXPECT_TRUE(Understood({"--help"}).help);
  EXPECT_TRUE(Understood({"--tls", "auto", "-h", "--nonsense"}).help);
}

TEST(ArgumentsTest, WhatIsMissing) {
  ExpectWrong({}, "--cookie KEY=VALUE is missing");
  ExpectWrong({"--cookie", "K=V", "--", "x"}, "--versions is missing");
  ExpectWrong({"--cookie", "K=V", "--versions", "1"}, "comes after --");
  ExpectWrong({"--cookie", "K=V", "--versions", "1", "--"}, "comes after --");
  ExpectWrong(With({"--tls", "auto", "--env"}), "--env is NAME=VALUE");
  ExpectWrong({"--cookie", "--", "x"}, "--cookie wants a value");
}

TEST(ArgumentsTest, WhatMakesNoSense) {
  ExpectWrong(With({"plugin"}), "\"plugin\" is no option");
  ExpectWrong(With({"--reattach", "x"}), "\"--reattach\" is no option");
  ExpectWrong(With({"--multiplex", "yes"}),
              "--multiplex is never, if-offered or require, not \"yes\"");
  ExpectWrong(With({"--cookie", "=V"}), "--cookie is KEY=VALUE");
  ExpectWrong(With({"--cookie", "K="}), "--cookie is KEY=VALUE");
  for (const char* versions : {"", "1,", "a", "-1", "4294967296"}) {
    ExpectWrong(With({"--versions", versions}), "--versions is a list");
  }
  ExpectWrong(With({"--tls=yes"}), "--tls is auto");
  ExpectWrong(With({"--env", "=x"}), "--env is NAME=VALUE");
  ExpectWrong(With({"--env", ""}), "--env is NAME=VALUE");
  for (const char* timeout : {"", "5", "0s", "-1s", "inf", "25h"}) {
    ExpectWrong(With({"--timeout", timeout}), "--timeout is a time");
  }
  for (const char* method : {"", "a", "a/", "/a", "a/b/c"}) {
    ExpectWrong(With({"--call", method}), "--call is package.Service/Method");
  }
  for (const char* hex : {"0", "0g", "0x0a", "0a 0b"}) {
    ExpectWrong(With({"--call=a/b", "--hex", hex}), "--hex is two");
  }
  for (const char* json : {"", "{", "{\"a\":}"}) {
    ExpectWrong(With({"--call=a/b", "--json", json}), "--json can't be read");
  }
  ExpectWrong(With({"--format=xml"}), "--format is text or json");
}

// Whether it fits the message is seen later.
TEST(ArgumentsTest, AnyJsonMayBeARequest) {
  std::string deep = "{}";
  for (int i = 0; i < 120; ++i) deep = absl::StrCat(R"({"a":)", deep, "}");
  for (const std::string& json :
       {std::string(R"("hello")"), std::string("[1]"), std::string("7"),
        std::string(R"({"a":1,"a":2})"), std::string("{a: 'b'}"), deep}) {
    EXPECT_EQ(Understood(With({"--call=a/b", "--json", json})).json, json);
  }
}

TEST(ArgumentsTest, WhatContradictsItself) {
  ExpectWrong(With({"--call=a/b", "--json={}", "--hex="}), "two ways");
  ExpectWrong(With({"--proto=a", "--descriptor-set=b"}), "do the same");
  ExpectWrong(With({"--json={}"}), "without --call");
  ExpectWrong(With({"--hex=00"}), "without --call");
}

// A program that asked for JSON must get its error as JSON.
TEST(ArgumentsTest, TheFormatIsUnderstoodAfterAnError) {
  Arguments arguments;
  EXPECT_FALSE(Parse({"--nonsense", "--format", "json"}, &arguments).ok());
  EXPECT_EQ(arguments.format, Arguments::Format::kJson);
}

}  // namespace
}  // namespace inspect
