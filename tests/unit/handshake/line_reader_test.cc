#include "goplugin/internal/handshake/line_reader.h"

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/handshake/error_matchers.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using State = HandshakeReader::State;
using End = HandshakeReader::End;

constexpr char kGood[] = "1|1|unix|/tmp/s|grpc";

HandshakePolicy Policy() {
  return {{1}, {Endpoint::Network::kUnix, Endpoint::Network::kTcp}};
}

TEST(HandshakeReaderTest, FindsTheLine) {
  HandshakeReader reader(Policy());
  EXPECT_EQ(reader.Feed(absl::StrCat(kGood, "\nafter")), State::kDone);
  ASSERT_TRUE(reader.has_response()) << reader.result().status();
  EXPECT_EQ(reader.result()->endpoint.address, "/tmp/s");
  EXPECT_EQ(reader.TakeRest(), "after");
  EXPECT_EQ(reader.TakeNoise(), "");
  EXPECT_EQ(reader.noise(), "");
}

TEST(HandshakeReaderTest, HasNoResponseBeforeTheNewline) {
  HandshakeReader reader(Policy());
  EXPECT_EQ(reader.Feed(kGood), State::kSearching);
  EXPECT_FALSE(reader.has_response());
  EXPECT_EQ(reader.Feed("\n"), State::kDone);
  EXPECT_TRUE(reader.has_response());
}

TEST(HandshakeReaderTest, EveryWayToCutTheBytesInTwo) {
  const std::string bytes =
      absl::StrCat("noise\r\n\xff\n", kGood, "\r\n\nrest\n");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    HandshakeReader reader(Policy());
    reader.Feed(bytes.substr(0, cut));
    EXPECT_EQ(reader.Feed(bytes.substr(cut)), State::kDone);
    ASSERT_TRUE(reader.has_response()) << cut;
    EXPECT_EQ(reader.result()->raw_line, kGood);
    EXPECT_EQ(reader.TakeRest(), "\nrest\n");
    EXPECT_EQ(reader.TakeNoise(), "noise\r\n\xff\n");
  }
}

TEST(HandshakeReaderTest, OneByteAtATime) {
  HandshakeReader reader(Policy());
  for (const char c : absl::StrCat("a|b\n", kGood, "\nx")) {
    reader.Feed(absl::string_view(&c, 1));
  }
  ASSERT_TRUE(reader.has_response());
  EXPECT_EQ(reader.TakeRest(), "x");
}

TEST(HandshakeReaderTest, LooksPastNoise) {
  for (const std::string& noise :
       {std::string("hello\n"), std::string("\n\n\r\n"),
        std::string("a|b|c|d|e|f\n"), std::string("|||||\n"),
        std::string("1\n"), std::string("x|1|unix|/s|grpc\n"),
        std::string("v1|x|unix|/s|grpc\n"), std::string("\0\0\xfe\n", 4),
        std::string("\xff\xfe 1|1|pipe|/noise|grpc\n")}) {
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed(noise), State::kSearching) << noise;
    EXPECT_EQ(reader.Feed(absl::StrCat("  ", kGood, " \r\n")), State::kDone);
    ASSERT_TRUE(reader.has_response()) << noise;
    EXPECT_EQ(reader.result()->raw_line, kGood);
    EXPECT_EQ(reader.noise(), noise);
  }
}

// Text in front, the noise that is made of it, and what the line must be.
TEST(HandshakeReaderTest, FindsTheLineBehindWhatStandsBeforeIt) {
  const struct {
    std::string before, after, noise;
  } kCases[] = {
      {"\xef\xbb\xbf", "", ""},
      {"\xef\xbb\xbf\xef\xbb\xbf ", "", ""},
      {"\x1b[32m", "\x1b[0m", ""},
      {"\x1b[0m\xef\xbb\xbf\x1b[1;32m ", "\x1b[0m\x1b[K", ""},
      {"\x1b]0;kv plugin\a", "", ""},
      {"\x1b(B\x1b[m", "\x1b(B", ""},
      {"loading... ", "", "loading..."},
      {"loading...", "\r", "loading..."},
      {"\x1b[33mloading\x1b[0m: ", "", "loading:"},
      {"progress 10%\rprogress 99%\r", "", "progress 10%\rprogress 99%"},
      {"Ready", "", "Ready"},
      {"v", "", "v"},
      {"2024|01|02|starting ", "", "2024|01|02|starting"},
      {"1|9|unix|/old|grpc ", "", "1|9|unix|/old|grpc"},
      {"\xff\xfe ", "", "\xff\xfe"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.before);
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed(
                  absl::StrCat("noise\n", c.before, kGood, c.after, "\nrest")),
              State::kDone);
    ASSERT_TRUE(reader.has_response()) << reader.result().status();
    EXPECT_EQ(reader.result()->raw_line, kGood);
    EXPECT_EQ(reader.result()->endpoint.address, "/tmp/s");
    EXPECT_EQ(reader.TakeNoise(), absl::StrCat("noise\n", c.noise));
    EXPECT_EQ(reader.TakeRest(), "rest");
  }
}

// Not taken, and told after a second of silence: with what stands before it.
TEST(HandshakeReaderTest, TellsWhatStandsBeforeALineThatIsUnclear) {
  const struct {
    std::string line;
    const char *reason, *evidence, *hint;
  } kCases[] = {
      {"took 1|1|unix|/a|grpc or 1|1|unix|/b|grpc", "handshake_malformed",
       "before it: \"took\"", "end with a newline"},
      {"pid 121|1|unix|/a|grpc", "core_version", "before it: \"pid\"",
       "end with a newline"},
      {"loading 1|9|unix|/a|grpc", "app_version", "before it: \"loading\"",
       "end with a newline"},
      {"loading 1|1|unix|/a|netrpc", "protocol", "before it: \"loading\"",
       "end with a newline"},
      {"loading 1|1|tcp|nowhere|grpc", "transport", "before it: \"loading\"",
       "end with a newline"},
      {std::string("\xff\xfe"
                   "1\0|\0"
                   "1\0|\0u\0n\0i\0x\0|\0",
                   20),
       "handshake_malformed", "handshake line:", "OutputEncoding"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.line);
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed(absl::StrCat(c.line, "\n")), State::kCandidate);
    EXPECT_EQ(reader.Finish(End::kSilence), State::kDone);
    const absl::Status& status = reader.result().status();
    EXPECT_EQ(ReasonOf(status), c.reason);
    EXPECT_THAT(EvidenceOf(status), HasSubstr(c.evidence));
    EXPECT_THAT(HintOf(status), HasSubstr(c.hint));
  }
}

TEST(HandshakeReaderTest, AtTheDeadlineAMissingNewlineIsNamedBehindText) {
  HandshakeReader reader(Policy());
  reader.Feed(absl::StrCat("loading... ", kGood));
  reader.Finish(End::kDeadline);
  EXPECT_THAT(HintOf(reader.result().status()), HasSubstr("without a newline"));
}

TEST(HandshakeReaderTest, LooksPastOddCandidates) {
  for (const char* odd :
       {"2024|01|02|starting", "1|2", "1|", "1|2|3", "1|x|unix|/a|grpc",
        "2|9|unix|/a|grpc", "2|1|unix|/a|netrpc", "1|1|unix|", "1|9|unix",
        "1|1|sctp|/a|grpc", "1|1|tcp|nowhere|grpc", "12|INFO|x|y|grpc",
        "1|1|unix|/a|json", "1|9|unix|/a|json"}) {
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed(absl::StrCat(odd, "\n")), State::kCandidate) << odd;
    EXPECT_EQ(reader.Feed("more noise\n"), State::kCandidate);
    EXPECT_EQ(reader.Feed(absl::StrCat(kGood, "\n")), State::kDone);
    ASSERT_TRUE(reader.has_response()) << odd;
    EXPECT_EQ(reader.result()->raw_line, kGood);
    EXPECT_EQ(reader.TakeNoise(), absl::StrCat(odd, "\nmore noise\n"));
  }
}

TEST(HandshakeReaderTest, TheFirstOddCandidateIsReportedAtTheEnd) {
  for (const End end :
       {End::kEndOfFile, End::kExited, End::kDeadline, End::kSilence}) {
    HandshakeReader reader(Policy());
    reader.Feed("noise\n1|9|unix|/a|json\n1|x|unix|/b|grpc\n");
    EXPECT_EQ(reader.Finish(end), State::kDone);
    const absl::Status& status = reader.result().status();
    EXPECT_EQ(ReasonOf(status), "app_version");
    EXPECT_THAT(EvidenceOf(status),
                HasSubstr("handshake line: \"1|9|unix|/a|json\""));
    EXPECT_THAT(EvidenceOf(status), HasSubstr("noise\\n1|9|"));
    EXPECT_THAT(HintOf(status), HasSubstr("{1}, the plugin {9}"));
  }
}

TEST(HandshakeReaderTest, ALineThatIsAllOfStdoutIsQuotedOnce) {
  HandshakeReader reader(Policy());
  reader.Feed("1|9|unix|/a|json\n");
  reader.Finish(End::kSilence);
  const absl::Status& status = reader.result().status();
  EXPECT_THAT(EvidenceOf(status),
              HasSubstr("handshake line: \"1|9|unix|/a|json\""));
  EXPECT_THAT(EvidenceOf(status), Not(HasSubstr("all of stdout")));
}

// What a line that makes sense has decided waits for nothing.
TEST(HandshakeReaderTest, ARefusedLineEndsTheSearchAtOnce) {
  const std::string no_base64(60, '!');
  const struct {
    std::string line;
    const char *reason, *hint, *socket;
  } kCases[] = {
      {"1|9|unix|/a|grpc", "app_version", "the plugin {9}", "/a"},
      {"1|0|tcp|127.0.0.1:80|grpc", "app_version", "the plugin {0}", ""},
      {"1|9|unix|/a", "app_version", "the plugin {9}", "/a"},
      {"1|1|unix|/a", "protocol", "DefaultGRPCServer", "/a"},
      {"1|1|tcp|127.0.0.1:80|netrpc", "protocol", "DefaultGRPCServer", ""},
      {"1|1|unix|/a|grpc|" + no_base64, "server_certificate", "DER", "/a"},
      {"2|1|unix|/a|grpc", "core_version", "core protocol version 1", "/a"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.line);
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed("noise\n1|2\n" + c.line + "\r\nx"), State::kDone);
    EXPECT_FALSE(reader.has_response());
    EXPECT_EQ(ReasonOf(reader.result().status()), c.reason);
    EXPECT_THAT(HintOf(reader.result().status()), HasSubstr(c.hint));
    EXPECT_THAT(EvidenceOf(reader.result().status()), HasSubstr("noise\\n"));
    EXPECT_EQ(reader.unused_socket(), c.socket);
    EXPECT_EQ(reader.TakeRest(), "x");
  }
}

TEST(HandshakeReaderTest, ANetworkThatIsNotAllowedEndsTheSearchAtOnce) {
  HandshakeReader reader({{1}, {Endpoint::Network::kUnix}});
  EXPECT_EQ(reader.Feed("1|1|tcp|127.0.0.1:80|grpc\n"), State::kDone);
  EXPECT_EQ(ReasonOf(reader.result().status()), "transport");
  EXPECT_THAT(HintOf(reader.result().status()),
              HasSubstr("ClientOptions::networks"));
}

std::string Repeated(absl::string_view line, size_t bytes) {
  std::string text;
  while (text.size() < bytes) absl::StrAppend(&text, line, "\n");
  return text;
}

// Of this thread, whatever else the machine does.
double CpuSecondsToRead(const std::string& text) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    HandshakeReader reader(Policy());
    const std::clock_t start = std::clock();
    reader.Feed(text);
    const std::clock_t end = std::clock();
    least = std::min(least, static_cast<double>(end - start) / CLOCKS_PER_SEC);
  }
  return least;
}

// An error for each of them took a hundred times as long as noise does.
TEST(HandshakeReaderTest, CandidatesWithoutEndCostLittleMoreThanNoise) {
  constexpr size_t kBytes = size_t{64} * 1024;
  for (const char* line :
       {"1|", "1|1|tcp|x|grpc", "2|9|unix|/a|grpc", "1|1|unix|/a|json", "1|||",
        "1|1|unix||grpc|", "a 1|1|unix|1|1|unix|", "a 1|9|unix|/a|grpc"}) {
    std::string noise(line);
    noise[0] = 'x';
    EXPECT_LT(CpuSecondsToRead(Repeated(line, kBytes)),
              15 * CpuSecondsToRead(Repeated(noise, kBytes)) + 0.005)
        << line;
  }
}

TEST(HandshakeReaderTest, AnotherCoreVersionEndsTheSearchAtOnce) {
  for (const char* core : {"2", "0", "99999999999"}) {
    HandshakeReader reader(Policy());
    EXPECT_EQ(reader.Feed(absl::StrCat("noise\n", core, "|1|unix|/a|grpc\nx")),
              State::kDone);
    EXPECT_FALSE(reader.has_response());
    const absl::Status& status = reader.result().status();
    EXPECT_EQ(ReasonOf(status), "core_version");
    EXPECT_THAT(WhatOf(status), HasSubstr(absl::StrCat("\"", core, "\"")));
    EXPECT_THAT(EvidenceOf(status), HasSubstr("noise\\n"));
    EXPECT_EQ(reader.TakeRest(), "x");
  }
}

// Whoever gives up must know what to sweep.
TEST(HandshakeReaderTest, TellsTheSocketOfALineForAnotherHost) {
  const struct {
    const char *line, *socket;
  } kCases[] = {
      {"1|9|unix|/s|grpc", "/s"},
      {"1|1|unix|/s|netrpc", "/s"},
      {"1|1|unix|/s", "/s"},
      {"1|1|unix|/s|grpc|this is no base64, and longer than fifty characters "
       "are",
       "/s"},
      {"2|1|unix|/s|grpc", "/s"},
      {"1|9|tcp|127.0.0.1:1|grpc", ""},
      {"1|1|unix|/s|json", "/s"},
      {"1|9|unix|relative|grpc", ""},
      {"1|9|unix", ""},
      // Not a plugin's own line, as far as one can tell.
      {"1|x|unix|/s|grpc", ""},
      {"7|9|unix|/s|grpc", ""},
      {"1|1|unix|/s|grpc", ""},
  };
  for (const auto& c : kCases) {
    HandshakeReader reader(Policy());
    reader.Feed(absl::StrCat(c.line, "\n"));
    reader.Finish(End::kSilence);
    EXPECT_EQ(reader.unused_socket(), c.socket) << c.line;
  }
}

TEST(HandshakeReaderTest, TheFirstOfTwoGoodLinesCounts) {
  HandshakeReader reader(Policy());
  reader.Feed("1|1|unix|/one|grpc\n1|1|unix|/two|grpc\n");
  ASSERT_TRUE(reader.has_response());
  EXPECT_EQ(reader.result()->endpoint.address, "/one");
  EXPECT_EQ(reader.TakeRest(), "1|1|unix|/two|grpc\n");
}

TEST(HandshakeReaderTest, BytesAfterTheEndAreKept) {
  HandshakeReader reader(Policy());
  reader.Feed(absl::StrCat(kGood, "\n"));
  EXPECT_EQ(reader.Feed("one"), State::kDone);
  EXPECT_EQ(reader.Feed("two"), State::kDone);
  EXPECT_EQ(reader.TakeRest(), "onetwo");
  EXPECT_EQ(reader.TakeRest(), "");
  EXPECT_EQ(reader.Finish(End::kExited), State::kDone);
  EXPECT_TRUE(reader.has_response());
}

TEST(HandshakeReaderTest, ALastLineWithoutNewlineCountsAtTheEnd) {
  for (const End end : {End::kEndOfFile, End::kExited}) {
    HandshakeReader reader(Policy());
    reader.Feed("noise\n");
    reader.Feed(kGood);
    EXPECT_EQ(reader.Finish(end), State::kDone);
    ASSERT_TRUE(reader.has_response());
    EXPECT_EQ(reader.result()->raw_line, kGood);
    EXPECT_EQ(reader.TakeRest(), "");
    EXPECT_EQ(reader.TakeNoise(), "noise\n");
  }
}

TEST(HandshakeReaderTest, ALastBadLineWithoutNewlineIsReported) {
  HandshakeReader reader(Policy());
  reader.Feed("1|9|unix|/a|grpc");
  EXPECT_EQ(reader.Finish(End::kExited), State::kDone);
  EXPECT_EQ(ReasonOf(reader.result().status()), "app_version");
}

TEST(HandshakeReaderTest, AtTheDeadlineAMissingNewlineIsNamed) {
  HandshakeReader reader(Policy());
  reader.Feed(kGood);
  EXPECT_EQ(reader.Finish(End::kDeadline), State::kDone);
  const absl::Status& status = reader.result().status();
  EXPECT_EQ(ReasonOf(status), "handshake_timeout");
  EXPECT_THAT(HintOf(status), HasSubstr("without a newline"));
  EXPECT_THAT(EvidenceOf(status), HasSubstr(kGood));
}

TEST(HandshakeReaderTest, TheDeadlineWithoutALine) {
  HandshakeReader silent(Policy());
  EXPECT_EQ(silent.Finish(End::kDeadline), State::kDone);
  EXPECT_EQ(ReasonOf(silent.result().status()), "handshake_timeout");
  EXPECT_THAT(EvidenceOf(silent.result().status()), HasSubstr("nothing"));
  EXPECT_THAT(HintOf(silent.result().status()), HasSubstr("flushes"));
  EXPECT_THAT(HintOf(silent.result().status()), Not(HasSubstr("without a")));

  HandshakeReader chatty(Policy());
  chatty.Feed("usage: x\nhalf a line");
  chatty.Finish(End::kDeadline);
  EXPECT_EQ(ReasonOf(chatty.result().status()), "handshake_timeout");
  EXPECT_THAT(EvidenceOf(chatty.result().status()),
              HasSubstr("usage: x\\nhalf a line"));
  EXPECT_EQ(chatty.TakeNoise(), "usage: x\nhalf a line");
}

TEST(HandshakeReaderTest, TheEndWithoutALine) {
  const struct {
    End end;
    const char* what;
  } kCases[] = {{End::kExited, "exited"}, {End::kEndOfFile, "closed"}};
  for (const auto& c : kCases) {
    HandshakeReader reader(Policy());
    reader.Feed("This is a plugin\n");
    EXPECT_EQ(reader.Finish(c.end), State::kDone);
    const absl::Status& status = reader.result().status();
    EXPECT_EQ(ReasonOf(status), "exited_early");
    EXPECT_THAT(WhatOf(status), HasSubstr(c.what));
    EXPECT_THAT(HintOf(status), HasSubstr("magic cookie"));
    EXPECT_THAT(EvidenceOf(status), HasSubstr("This is a plugin"));
  }
}

TEST(HandshakeReaderTest, SilenceWithoutACandidateEndsNothing) {
  HandshakeReader reader(Policy());
  reader.Feed("noise\n1|1|unix|/tmp/s");
  EXPECT_EQ(reader.Finish(End::kSilence), State::kSearching);
  EXPECT_EQ(reader.Feed("|grpc\n"), State::kDone);
  EXPECT_TRUE(reader.has_response());
}

TEST(HandshakeReaderTest, TheLongestLine) {
  const std::string blanks(HandshakeReader::kMaxLineBytes - sizeof(kGood) + 1,
                           ' ');
  HandshakeReader fits(Policy());
  EXPECT_EQ(fits.Feed(absl::StrCat(blanks, kGood, "\n")), State::kDone);
  EXPECT_TRUE(fits.has_response());

  HandshakeReader over(Policy());
  EXPECT_EQ(over.Feed(absl::StrCat(blanks, " ", kGood, "\n")),
            State::kCandidate);
  EXPECT_EQ(over.Feed(absl::StrCat(kGood, "\n")), State::kDone);
  EXPECT_TRUE(over.has_response());
}

TEST(HandshakeReaderTest, AnOverlongCandidateIsReported) {
  HandshakeReader reader(Policy());
  const std::string line =
      absl::StrCat("1|1|unix|/s|grpc|", std::string(100000, 'A'));
  EXPECT_EQ(reader.Feed(line), State::kCandidate);
  EXPECT_EQ(reader.Feed("\n"), State::kCandidate);
  EXPECT_EQ(reader.Finish(End::kSilence), State::kDone);
  const absl::Status& status = reader.result().status();
  EXPECT_EQ(ReasonOf(status), "handshake_malformed");
  EXPECT_THAT(WhatOf(status), HasSubstr("longer than 65536"));
  EXPECT_THAT(EvidenceOf(status), HasSubstr("1|1|unix|/s|grpc|AAA"));
  EXPECT_THAT(HintOf(status), HasSubstr("newline"));
}

// A program that is no plugin, or one that shows its progress.
TEST(HandshakeReaderTest, ALongLineThatDoesNotEndIsToldAfterASilence) {
  HandshakeReader reader(Policy());
  EXPECT_EQ(reader.Feed(std::string(HandshakeReader::kMaxLineBytes, 'x')),
            State::kSearching);
  EXPECT_EQ(reader.Feed("x"), State::kCandidate);
  EXPECT_EQ(reader.Finish(End::kSilence), State::kDone);
  const absl::Status& status = reader.result().status();
  EXPECT_EQ(ReasonOf(status), "handshake_malformed");
  EXPECT_THAT(WhatOf(status), HasSubstr("65536 bytes without a newline"));
  EXPECT_THAT(EvidenceOf(status), HasSubstr("xxx"));
  EXPECT_THAT(HintOf(status), HasSubstr("go-plugin plugin"));
}

TEST(HandshakeReaderTest, ALongLineThatEndsIsNoise) {
  HandshakeReader reader(Policy());
  const std::string text(100000, 'x');
  EXPECT_EQ(reader.Feed(text), State::kCandidate);
  EXPECT_EQ(reader.Feed("\n"), State::kSearching);
  EXPECT_EQ(reader.Finish(End::kSilence), State::kSearching);
  EXPECT_EQ(reader.Feed(absl::StrCat(kGood, "\n")), State::kDone);
  EXPECT_TRUE(reader.has_response());

  // Of another line that is told, it changes nothing.
  HandshakeReader odd(Policy());
  EXPECT_EQ(odd.Feed(absl::StrCat("1|x\n", text, "\n")), State::kCandidate);
  EXPECT_EQ(odd.Finish(End::kSilence), State::kDone);
  EXPECT_THAT(EvidenceOf(odd.result().status()), HasSubstr("1|x"));

  HandshakeReader exits(Policy());
  EXPECT_EQ(exits.Feed(text), State::kCandidate);
  EXPECT_EQ(exits.Finish(End::kExited), State::kDone);
  EXPECT_EQ(ReasonOf(exits.result().status()), "exited_early");
}

TEST(HandshakeReaderTest, ALineWithoutEndIsNotReadForEver) {
  HandshakeReader reader(Policy());
  const std::string chunk(size_t{1} << 20, '\0');
  size_t fed = 0;
  while (fed < 10 * HandshakeReader::kMaxUnendedBytes &&
         reader.Feed(chunk) != State::kDone) {
    fed += chunk.size();
  }
  EXPECT_LE(fed, HandshakeReader::kMaxUnendedBytes);
  EXPECT_EQ(ReasonOf(reader.result().status()), "handshake_malformed");
  // What comes with it is the plugin's output, and what comes then.
  reader.Feed("later\n");
  EXPECT_EQ(reader.TakeRest(), "later\n");
}

TEST(HandshakeReaderTest, TenMegabytesOfNoiseCostLittleMemory) {
  constexpr size_t kTotal = 10 * 1024 * 1024;
  for (const bool newlines : {false, true}) {
    std::string chunk(8192, 'n');
    if (newlines) chunk.back() = '\n';
    HandshakeReader reader(Policy());
    for (size_t fed = 0; fed < kTotal; fed += chunk.size()) {
      ASSERT_NE(reader.Feed(chunk), State::kDone);
    }
    EXPECT_EQ(reader.Feed(absl::StrCat("END\n", kGood, "\n")), State::kDone);
    ASSERT_TRUE(reader.has_response());
    EXPECT_LT(reader.noise().size(), 4300u);
    EXPECT_THAT(reader.noise(), HasSubstr("bytes left out"));
    EXPECT_TRUE(absl::EndsWith(reader.noise(), "END\n"));
    EXPECT_LT(reader.TakeNoise().size(), 256u * 1024);
  }
}

TEST(HandshakeReaderTest, NoiseTakenAfterEveryFeedIsComplete) {
  HandshakeReader reader(Policy());
  std::string all, taken;
  for (int i = 0; i < 100; ++i) {
    const std::string chunk(
        7001, i % 3 == 0 ? '\n' : static_cast<char>('a' + i % 26));
    all += chunk;
    reader.Feed(chunk);
    taken += reader.TakeNoise();
  }
  reader.Finish(End::kDeadline);
  taken += reader.TakeNoise();
  EXPECT_TRUE(taken == all);
}

TEST(HandshakeReaderTest, ErrorsAboutMuchNoiseStayShort) {
  HandshakeReader reader(Policy());
  reader.Feed(std::string(1 << 20, '\xff'));
  reader.Finish(End::kExited);
  EXPECT_EQ(ReasonOf(reader.result().status()), "exited_early");
  EXPECT_LT(reader.result().status().message().size(), 20000u);
}

}  // namespace
}  // namespace goplugin::internal
