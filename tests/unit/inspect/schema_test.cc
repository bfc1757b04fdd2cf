#include "examples/inspect/schema.h"

#include <google/protobuf/descriptor.pb.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "examples/inspect/error.h"
#include "examples/inspect/proto_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/harness/plugins.h"

namespace inspect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// A file that imports one beside it and one of protobuf's.
std::string WriteShop() {
  WriteFile("goods.proto", R"(syntax = "proto3"; package shop;
      message Good { string name = 1; bytes code = 2; int64 price = 3; })");
  return WriteFile("shop.proto", R"(syntax = "proto3"; package shop;
      import "goods.proto";
      import "google/protobuf/timestamp.proto";
      message Sale { Good good = 1; google.protobuf.Timestamp time = 2; }
      service Till {
        rpc Sell(Good) returns (Sale);
        rpc Watch(Good) returns (stream Sale);
        rpc Fill(stream Good) returns (Sale);
      })");
}

Description Read(absl::StatusOr<Description> description) {
  EXPECT_TRUE(description.ok()) << description.status();
  return description.ok() ? *std::move(description) : Description();
}

void ExpectError(const absl::Status& status, const std::string& reason,
                 const std::string& evidence) {
  const Error error = Describe(status);
  std::string text = error.what();
  for (const std::string& fact : error.evidence()) text += "; " + fact;
  EXPECT_EQ(error.reason(), reason) << text;
  EXPECT_THAT(text, HasSubstr(evidence));
  EXPECT_FALSE(error.hint().empty());
}

TEST(SchemaTest, ListsTheServicesOfAProtoFile) {
  const Schema schema(Read(ReadProtoFile(WriteShop())));
  ASSERT_EQ(schema.Services().size(), 1u);
  const Service till = schema.Services()[0];
  EXPECT_EQ(till.name(), "shop.Till");
  ASSERT_EQ(till.methods_size(), 3);
  EXPECT_EQ(till.methods(0).request(), "shop.Good");
  EXPECT_EQ(till.methods(0).response(), "shop.Sale");
  EXPECT_FALSE(till.methods(0).server_streaming());
  EXPECT_TRUE(till.methods(1).server_streaming());
  EXPECT_TRUE(till.methods(2).client_streaming());
}

TEST(SchemaTest, TranslatesMessages) {
  Schema schema(Read(ReadProtoFile(WriteShop())));
  const absl::StatusOr<std::string> request = schema.EncodeRequest(
      "shop.Till/Sell", R"({"name": "pen", "code": "AAE=", "price": "7"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(*request, std::string("\x0a\x03pen\x12\x02\x00\x01\x18\x07", 11));
  const absl::StatusOr<google::protobuf::Value> answer = schema.DecodeAnswer(
      "shop.Till/Sell", std::string("\x0a\x05\x0a\x03pen\x12\x02\x08\x01", 11));
  ASSERT_TRUE(answer.ok()) << answer.status();
  const auto& fields = answer->struct_value().fields();
  EXPECT_EQ(fields.at("good").struct_value().fields().at("name").string_value(),
            "pen");
  EXPECT_EQ(fields.at("time").string_value(), "1970-01-01T00:00:01Z");
}

TEST(SchemaTest, AnEmptyObjectIsAnEmptyRequest) {
  Schema schema(Read(ReadProtoFile(WriteShop())));
  EXPECT_EQ(*schema.EncodeRequest("shop.Till/Sell", "{}"), "");
}

TEST(SchemaTest, WhatCantBeCalled) {
  Schema schema(Read(ReadProtoFile(WriteShop())));
  const auto encode = [&](const char* method, const char* json) {
    return schema.EncodeRequest(method, json).status();
  };
  ExpectError(encode("shop.Till/Watch", "{}"), "streaming", "shop.Till/Watch");
  ExpectError(encode("shop.Till/Fill", "{}"), "streaming", "streaming method");
  ExpectError(encode("shop.Till/Buy", "{}"), "no_such_method",
              "it has shop.Till/Sell, shop.Till/Watch");
  ExpectError(encode("shop.Good/Sell", "{}"), "no_such_method", "shop.proto");
  ExpectError(encode("shop.Till/Sell", R"({"nome": "x"})"), "bad_request",
              "nome");
  ExpectError(encode("shop.Till/Sell", R"({"price": "x"})"), "bad_request",
              "shop.Good");
}

TEST(SchemaTest, AnAnswerOfAnotherMessageIsAnError) {
  Schema schema(Read(ReadProtoFile(WriteShop())));
  ExpectError(schema.DecodeAnswer("shop.Till/Sell", "\x0a\x7f").status(),
              "bad_answer", "2 bytes");
}

TEST(SchemaTest, AServiceThatNobodyDescribesIsListed) {
  Description description;
  description.source = "reflection v1";
  description.services = {"some.Service"};
  // Twice the same, and one that does not hold together.
  for (int i = 0; i < 2; ++i) {
    description.files.add_file()->set_name("a.proto");
  }
  google::protobuf::FileDescriptorProto* broken = description.files.add_file();
  broken->set_name("b.proto");
  broken->add_dependency("missing.proto");
  broken->set_package("some");
  broken->add_service()->set_name("Service");
  Schema schema(std::move(description));
  ASSERT_EQ(schema.Services().size(), 1u);
  EXPECT_TRUE(schema.Services()[0].undescribed());
  ExpectError(schema.EncodeRequest("some.Service/Do", "{}").status(),
              "no_such_method", "missing.proto");
}

TEST(ProtoFilesTest, ADescriptorSet) {
  const Schema schema(Read(ReadDescriptorSet(goplugin::testing::RunfilePath(
      "examples/proto/kv_proto-descriptor-set.proto.bin"))));
  ASSERT_EQ(schema.Services().size(), 1u);
  EXPECT_EQ(schema.Services()[0].name(), "proto.KV");
}

TEST(ProtoFilesTest, FilesThatCantBeUsed) {
  const std::string temp = ::testing::TempDir();
  ExpectError(ReadProtoFile(temp + "/none.proto").status(), "usage",
              "File not found");
  ExpectError(ReadProtoFile(WriteFile("bad.proto", "syntax = 3;")).status(),
              "usage", "bad.proto:1:10: ");
  ExpectError(ReadProtoFile(WriteFile("alone.proto",
                                      "syntax = \"proto3\";\n"
                                      "import \"missing.proto\";"))
                  .status(),
              "usage", "missing.proto");
  ExpectError(ReadProtoFile(temp).status(), "usage", "can't be used");
  ExpectError(ReadDescriptorSet(temp + "/none.bin").status(), "usage",
              "can't be opened");
  ExpectError(ReadDescriptorSet(WriteFile("bad.bin", "\xff\xff")).status(),
              "usage", "holds no descriptor set");
  ExpectError(ReadDescriptorSet(WriteFile("empty.bin", "")).status(), "usage",
              "holds no descriptor set");
}

}  // namespace
}  // namespace inspect
