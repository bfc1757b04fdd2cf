#include "examples/inspect/message_json.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/text_format.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/inspect/json_values.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inspect {
namespace {

using google::protobuf::Message;
using ::testing::HasSubstr;

// {"call":{"answer": ...}}
constexpr int kLevelsOfTheReport = 2;

// In bytes.
std::size_t PeakMemory() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) << 10;
}

// Of each kind that there is.
constexpr char kOdd[] = R"(syntax = "proto2"; package odd;
  import "google/protobuf/any.proto";
  import "google/protobuf/duration.proto";
  import "google/protobuf/field_mask.proto";
  import "google/protobuf/struct.proto";
  import "google/protobuf/timestamp.proto";
  import "google/protobuf/wrappers.proto";
  enum Color { RED = 0; BLUE = 5; }
  message Node { optional Node child = 1; repeated Node children = 2; }
  message All {
    optional bytes bytes = 1;
    optional string text = 2;
    optional int64 big = 3;
    optional uint64 huge = 4;
    optional sint64 zigzag = 5;
    optional double real = 6;
    optional float single = 7;
    repeated Color colors = 8;
    map<string, Node> nodes = 9;
    map<int32, bool> flags = 10;
    oneof choice {
      string this_one = 11; int32 that_one = 12; Node third_one = 21;
    }
    optional group Shelf = 13 { optional int32 size = 1; }
    repeated int32 packed = 14 [packed = true];
    optional google.protobuf.Any any = 15;
    optional google.protobuf.Value value = 16;
    optional google.protobuf.Timestamp time = 17;
    optional google.protobuf.Int64Value wrapped = 18;
    optional Node node = 19;
    optional int32 small = 20;
    optional google.protobuf.FieldMask mask = 22;
    optional google.protobuf.Duration duration = 23;
    extensions 100 to 200;
  }
  extend All { optional string note = 100; })";

class MessageJsonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    google::protobuf::io::ArrayInputStream stream(kOdd, sizeof(kOdd) - 1);
    google::protobuf::io::Tokenizer tokenizer(&stream, nullptr);
    google::protobuf::FileDescriptorProto file;
    google::protobuf::compiler::Parser parser;
    ASSERT_TRUE(parser.Parse(&tokenizer, &file));
    file.set_name("odd.proto");
    // Protobuf's own files are linked in.
    ASSERT_NE(google::protobuf::Value().GetDescriptor(), nullptr);
    ASSERT_NE(google::protobuf::FieldMask().GetDescriptor(), nullptr);
    ASSERT_NE(pool_.BuildFile(file), nullptr);
    all_ = pool_.FindMessageTypeByName("odd.All");
    node_ = pool_.FindMessageTypeByName("odd.Node");
  }

  // The JSON of a message in protobuf's text format.
  std::string FromText(const std::string& text) {
    const std::unique_ptr<Message> message(messages_.GetPrototype(all_)->New());
    EXPECT_TRUE(
        google::protobuf::TextFormat::ParseFromString(text, message.get()))
        << text;
    return FromBytes(message->SerializeAsString());
  }
  std::string FromBytes(const std::string& bytes) {
    const absl::StatusOr<std::string> json =
        MessageAsJson(bytes, *all_, messages_);
    if (!json.ok()) return "no message";
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(*json).error(), simdjson::SUCCESS) << *json;
    EXPECT_EQ(parser.parse(Indented(*json)).error(), simdjson::SUCCESS);
    return *json;
  }
  // A node of so many levels.
  static std::string Nested(int levels) {
    std::string bytes;
    for (int i = 0; i < levels; ++i) bytes = Field(1, bytes);
    return bytes;
  }
  static std::string Varint(std::size_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) {
      bytes += static_cast<char>(value | 0x80);
    }
    return bytes + static_cast<char>(value);
  }
  static std::string Field(std::size_t number, const std::string& bytes) {
    return Varint(number << 3 | 2) + Varint(bytes.size()) + bytes;
  }

  static int Depth(const std::string& json) {
    int depth = 0;
    int most = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const char c = json[i];
      if (in_string && c == '\\') ++i;
      if (c == '"') in_string = !in_string;
      if (in_string) continue;
      if (c == '{' || c == '[') most = std::max(most, ++depth);
      if (c == '}' || c == ']') --depth;
    }
    return most;
  }

  google::protobuf::DescriptorPool pool_{
      google::protobuf::DescriptorPool::generated_pool()};
  google::protobuf::DynamicMessageFactory messages_;
  const google::protobuf::Descriptor* all_ = nullptr;
  const google::protobuf::Descriptor* node_ = nullptr;
};

TEST_F(MessageJsonTest, Scalars) {
  EXPECT_EQ(FromText(R"(bytes: "\000\377" text: "a\"\n" big: -1
                        huge: 18446744073709551615 zigzag: -3 small: -7)"),
            R"({"bytes":"AP8=","text":"a\"\u000a","big":"-1",)"
            R"("huge":"18446744073709551615","zigzag":"-3","small":-7})");
  EXPECT_EQ(FromText("real: nan single: -inf"),
            R"({"real":"NaN","single":"-Infinity"})");
  EXPECT_EQ(FromText("real: 0.1 single: 0.1"), R"({"real":0.1,"single":0.1})");
  EXPECT_EQ(FromText("packed: [1, 2, -3]"), R"({"packed":[1,2,-3]})");
  EXPECT_EQ(FromText(""), "{}");
}

TEST_F(MessageJsonTest, UnknownEnumsAreNumbers) {
  EXPECT_EQ(FromBytes(std::string("\x40\x05\x40\x07\x40\x00", 6)),
            R"({"colors":["BLUE",7,"RED"]})");
}

TEST_F(MessageJsonTest, MapsOneofsGroupsAndExtensions) {
  EXPECT_EQ(FromText(R"(nodes { key: "a" value { child {} } }
                        nodes { key: "b" } flags { key: -1 value: true }
                        flags { key: 2 })"),
            R"({"nodes":{"a":{"child":{}},"b":{}},)"
            R"("flags":{"-1":true,"2":false}})");
  // The last one counts.
  EXPECT_EQ(FromBytes("\x60\x03\x5a\x01y"), R"({"thisOne":"y"})");
  EXPECT_EQ(FromText("that_one: 3"), R"({"thatOne":3})");
  EXPECT_EQ(FromText("Shelf { size: 4 }"), R"({"shelf":{"size":4}})");
  EXPECT_EQ(FromText(R"([odd.note]: "n")"), R"({"[odd.note]":"n"})");
}

TEST_F(MessageJsonTest, TypesWithAJsonOfTheirOwn) {
  EXPECT_EQ(FromText("time { seconds: 1 } wrapped { value: 5 }"),
            R"({"time":"1970-01-01T00:00:01Z","wrapped":"5"})");
  EXPECT_EQ(FromText("wrapped {}"), R"({"wrapped":"0"})");
  // What protobuf can't write is a message like any other.
  EXPECT_EQ(FromText("time { seconds: 9223372036854775807 }"),
            R"({"time":{"seconds":"9223372036854775807"}})");
  EXPECT_EQ(FromText(R"(value { struct_value {
                fields { key: "l" value { list_value {
                    values { null_value: NULL_VALUE }
                    values { number_value: nan } values { bool_value: true }
                    values { string_value: "s" } values {} } } }
                fields { key: "e" value { list_value {} } } } })"),
            R"({"value":{"e":[],"l":[null,"NaN",true,"s",null]}})");
}

// What their JSON has no place for: then they are messages like any other.
TEST_F(MessageJsonTest, TypesWithAJsonOfTheirOwnLoseNothing) {
  const std::string more = "\x38\x2a";  // Field 7 is 42.
  EXPECT_EQ(FromBytes(Field(17, "\x08\x05" + more)),
            R"({"time":{"seconds":"5","@7":{"varint":"42"}}})");
  EXPECT_EQ(FromBytes(Field(23, "\x08\x05" + more)),
            R"({"duration":{"seconds":"5","@7":{"varint":"42"}}})");
  EXPECT_EQ(FromBytes(Field(22, Field(1, "a") + more)),
            R"({"mask":{"paths":["a"],"@7":{"varint":"42"}}})");
  EXPECT_EQ(FromBytes(Field(18, "\x08\x05" + more)),
            R"({"wrapped":{"value":"5","@7":{"varint":"42"}}})");
  const std::string value = Field(2, "\x20\x01");
  EXPECT_EQ(
      FromBytes(Field(16, Field(5, Field(1, Field(1, "a") + value) + more))),
      R"({"value":{"fields":{"a":true},"@7":{"varint":"42"}}})");
  EXPECT_EQ(FromBytes(Field(16, Field(6, Field(1, "\x20\x01") + more))),
            R"({"value":{"values":[true],"@7":{"varint":"42"}}})");
  EXPECT_EQ(FromBytes(Field(16, "\x20\x01" + more)),
            R"({"value":{"boolValue":true,"@7":{"varint":"42"}}})");
  // Of another type on the wire, which protobuf counts as unknown.
  EXPECT_EQ(FromBytes(Field(17, Field(1, "x"))),
            R"({"time":{"@1":{"bytes":"eA=="}}})");
}

TEST_F(MessageJsonTest, OfAOneofWhatTheLastOneClearedIsGone) {
  const std::string third = Field(21, Field(1, ""));
  const std::string first = Field(11, "y");
  EXPECT_EQ(FromBytes(third + first + Field(21, "")), R"({"thirdOne":{}})");
  EXPECT_EQ(FromBytes(first + third + Field(21, Field(2, ""))),
            R"({"thirdOne":{"child":{},"children":[{}]}})");
  // What does not fit clears nothing.
  EXPECT_EQ(FromBytes(first + Field(12, "z")),
            R"({"thisOne":"y","@12":{"bytes":"eg=="}})");
  // A oneof as well.
  EXPECT_EQ(FromBytes(Field(16, Field(3, "a") + "\x20\x01")),
            R"({"value":true})");
}

TEST_F(MessageJsonTest, OfAMapNothingIsLost) {
  // Field 3 of an entry is not its value.
  EXPECT_EQ(FromBytes(Field(10, std::string("\x08\x01\x10\x01\x18\x00", 6))),
            R"({"@10":{"bytes":"CAEQARgA"}})");
  // Two keys that read the same.
  EXPECT_EQ(
      FromBytes(Field(9, Field(1, "a\xff")) + Field(9, Field(1, "a\\xff"))),
      R"({"@9":[{"bytes":"CgJh/w=="},{"bytes":"CgVhXHhmZg=="}]})");
  // The same key twice: the last one counts, as with protobuf.
  EXPECT_EQ(FromBytes(Field(10, "\x08\x01\x10\x01") + Field(10, "\x08\x01")),
            R"({"flags":{"1":false}})");
}

TEST_F(MessageJsonTest, AnyOfAKnownTypeIsShownAndOfAnUnknownOneKept) {
  EXPECT_EQ(FromText(R"(any { type_url: "type.googleapis.com/odd.Node"
                              value: "\n\000" })"),
            R"({"any":{"@type":"type.googleapis.com/odd.Node","child":{}}})");
  EXPECT_EQ(FromText(R"(any { type_url: "t/google.protobuf.Int64Value"
                              value: "\010\007" })"),
            R"({"any":{"@type":"t/google.protobuf.Int64Value","value":"7"}})");
  EXPECT_EQ(FromText(R"(any { type_url: "x.com/no.Such" value: "hi" })"),
            R"({"any":{"@type":"x.com/no.Such","value":"aGk="}})");
  EXPECT_EQ(FromText(R"(any { type_url: "t/odd.Node" value: "\377" })"),
            R"({"any":{"@type":"t/odd.Node","value":"/w=="}})");
  EXPECT_EQ(FromText("any {}"), R"({"any":{}})");
}

TEST_F(MessageJsonTest, WhatIsNotDescribedIsThereAsItIs) {
  EXPECT_EQ(
      FromBytes(Varint(50 << 3) + "\x07" + Field(51, "hi") +
                Varint(52 << 3 | 5) + std::string("\x01\0\0\0", 4) +
                Varint(53 << 3 | 1) + std::string("\x02\0\0\0\0\0\0\0", 8) +
                Varint(54 << 3 | 3) + Field(1, "g") + Varint(54 << 3 | 4) +
                Field(51, "ho")),
      R"({"@50":{"varint":"7"},"@51":[{"bytes":"aGk="},{"bytes":"aG8="}],)"
      R"("@52":{"fixed32":1},"@53":{"fixed64":"2"},)"
      R"("@54":{"group":"CgFn"}})");
  // Text that is none.
  EXPECT_EQ(FromBytes(Field(2, "\xff")), R"({"text":"\\xff"})");
}

TEST_F(MessageJsonTest, ADamagedPartLeavesTheRest) {
  EXPECT_EQ(
      FromBytes(Field(2, "before") + Field(19, "\x0a\x7f") + Field(20, "x")),
      R"({"text":"before",)"
      R"("node":{"@type":"odd.Node","@bytes":"Cn8="},)"
      R"("@20":{"bytes":"eA=="}})");
  EXPECT_EQ(FromBytes("\x0a\x7f"), "no message");
  EXPECT_EQ(FromBytes(Varint(54 << 3 | 3)), "no message");
  EXPECT_EQ(FromBytes(Varint(54 << 3 | 4)), "no message");
}

// Protobuf itself reads 100 levels and writes fewer.
TEST_F(MessageJsonTest, DeepMessages) {
  EXPECT_EQ(FromBytes(Field(19, Nested(2))),
            R"({"node":{"child":{"child":{}}}})");
  const std::string deep = FromBytes(Field(19, Nested(200)));
  EXPECT_FALSE(absl::StrContains(deep, "@bytes"));
  std::string children;
  for (int i = 0; i < 100; ++i) children = Field(2, children);
  EXPECT_FALSE(absl::StrContains(FromBytes(Field(19, children)), "@bytes"));
  // Beyond that there is the rest.
  EXPECT_THAT(FromBytes(Field(19, Nested(5000))),
              HasSubstr(R"({"@type":"odd.Node","@bytes":")"));
}

// Whatever is in it, and the levels around the answer included.
TEST_F(MessageJsonTest, HasNoMoreThan250Levels) {
  int most = 0;
  for (int levels = 240; levels < 256; ++levels) {
    for (const std::string& end :
         {std::string(), Field(2, "\xff") + Field(2, "\xff"),
          Field(7, "x") + Field(7, "y")}) {
      std::string bytes = end;
      for (int i = 0; i < levels; ++i) bytes = Field(1, bytes);
      most = std::max(most, Depth(FromBytes(Field(19, bytes))));
    }
  }
  EXPECT_EQ(most + kLevelsOfTheReport, 250);
}

// Of each level the last entry is damaged.
TEST_F(MessageJsonTest, IsLinearInTheLevels) {
  std::string inner;
  for (int i = 0; i < 80; ++i) {
    const std::string entry = Field(1, "a") + Field(2, Field(5, inner));
    inner = Field(1, entry) + Field(1, "\x08\x01");
  }
  EXPECT_THAT(FromBytes(Field(16, Field(5, inner))),
              HasSubstr(R"({"value":{"@1":[{"bytes":")"));
}

// A byte may stand for a long name, or be within many levels.
TEST_F(MessageJsonTest, HasABound) {
  JsonOptions options;
  options.most = 1000;
  EXPECT_TRUE(
      MessageAsJson(Field(14, std::string(480, 1)), *all_, messages_, options)
          .ok());
  for (const std::string& bytes :
       {Field(14, std::string(501, 1)), Field(8, std::string(501, 1)),
        Field(2, std::string(1000, 'a')), Field(51, std::string(1000, 'a')),
        Field(19, Nested(200))}) {
    EXPECT_TRUE(absl::IsResourceExhausted(
        MessageAsJson(bytes, *all_, messages_, options).status()));
  }
}

// Pieces of one message: nothing is copied at each level.
TEST_F(MessageJsonTest, ALargeMessageDeepDownInPieces) {
  constexpr std::size_t kSize = std::size_t{16} << 20;
  const std::string inner = Field(7, std::string(kSize, 'x'));
  std::string before;
  std::string after;
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = before.size() + inner.size() + after.size();
    before = Varint(1 << 3 | 2) + Varint(size) + before;
    after += Field(1, "");
  }
  const auto json = MessageAsJson(Field(19, absl::StrCat(before, inner, after)),
                                  *all_, messages_);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_GT(json->size(), kSize);
  EXPECT_LT(PeakMemory(), 20 * kSize);
}

TEST(IndentedTest, IsNotMuchLonger) {
  std::string deep = absl::StrCat("[", std::string(100000, '0'), "]");
  for (std::size_t i = 1; i < deep.size() - 1; i += 2) deep[i] = '1';
  for (std::size_t i = 2; i < deep.size() - 2; i += 2) deep[i] = ',';
  for (int i = 0; i < 200; ++i) deep = absl::StrCat("[", deep, "]");
  EXPECT_EQ(Indented(deep), deep);
}

TEST(IndentedTest, HasOneMemberALine) {
  EXPECT_EQ(Indented(R"({"a":{"b":[1,{}]},"c":"x{,:\"}","d":[]})"),
            "{\n \"a\": {\n  \"b\": [\n   1,\n   {}\n  ]\n },\n"
            " \"c\": \"x{,:\\\"}\",\n \"d\": []\n}");
  EXPECT_EQ(Indented("{}"), "{}");
}

}  // namespace
}  // namespace inspect
