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
  const absl::StatusOr<std::string> answer = schema.DecodeAnswer(
      "shop.Till/Sell", std::string("\x0a\x05\x0a\x03pen\x12\x02\x08\x01", 11));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer,
            R"({"good":{"name":"pen"},"time":"1970-01-01T00:00:01Z"})");
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

// "0.proto" to "<count - 1>.proto", each of which imports the next; the first
// one has the service p.S.
Description Chain(int count) {
  Description description;
  description.source = "a chain";
  description.services = {"p.S"};
  for (int i = 0; i < count; ++i) {
    google::protobuf::FileDescriptorProto* file = description.files.add_file();
    file->set_name(absl::StrCat(i, ".proto"));
    if (i + 1 < count) file->add_dependency(absl::StrCat(i + 1, ".proto"));
  }
  description.files.mutable_file(0)->set_package("p");
  description.files.mutable_file(0)->add_service()->set_name("S");
  return description;
}

// Protobuf goes from import to import on the stack.
TEST(SchemaTest, ALongChainOfImports) {
  const Schema schema(Chain(200000));
  EXPECT_TRUE(schema.Services()[0].undescribed());
  EXPECT_FALSE(Schema(Chain(500)).Services()[0].undescribed());
}

TEST(SchemaTest, ALongRingOfImports) {
  Description ring = Chain(200000);
  ring.files.mutable_file()->rbegin()->add_dependency("0.proto");
  Schema schema(std::move(ring));
  EXPECT_TRUE(schema.Services()[0].undescribed());
  ExpectError(schema.EncodeRequest("p.S/Do", "{}").status(), "no_such_method",
              "0.proto");
}

// As it does from package to package.
TEST(SchemaTest, APackageOfManyParts) {
  Description description = Chain(1);
  std::string package = "p";
  for (int i = 0; i < 200000; ++i) package += ".p";
  description.files.mutable_file(0)->set_package(package);
  description.services = {package + ".S"};
  EXPECT_TRUE(Schema(std::move(description)).Services()[0].undescribed());
}

// And from a message to those that it holds.
Description Ring(int count) {
  Description description = Chain(1);
  google::protobuf::FileDescriptorProto* file =
      description.files.mutable_file(0);
  for (int i = 0; i < count; ++i) {
    google::protobuf::DescriptorProto* message = file->add_message_type();
    message->set_name(absl::StrCat("M", i));
    google::protobuf::FieldDescriptorProto* field = message->add_field();
    field->set_name("next");
    field->set_number(1);
    field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
    field->set_type(google::protobuf::FieldDescriptorProto::TYPE_MESSAGE);
    field->set_type_name(absl::StrCat(".p.M", (i + 1) % count));
  }
  google::protobuf::MethodDescriptorProto* method =
      file->mutable_service(0)->add_method();
  method->set_name("Do");
  method->set_input_type(".p.M0");
  method->set_output_type(".p.M0");
  return description;
}

TEST(SchemaTest, MessagesThatHoldEachOther) {
  Schema many(Ring(100000));
  ExpectError(many.EncodeRequest("p.S/Do", "{}").status(), "bad_request",
              "p.M0");
  Schema few(Ring(4000));
  EXPECT_EQ(*few.EncodeRequest("p.S/Do", R"({"next":{}})"),
            std::string("\x0a\x00", 2));
}

// Protobuf's mapping has values for them.
TEST(SchemaTest, RequestsThatAreNoObjectInJson) {
  const std::string path = WriteFile("odd.proto", R"(syntax = "proto3";
      package odd;
      import "google/protobuf/struct.proto";
      import "google/protobuf/timestamp.proto";
      import "google/protobuf/wrappers.proto";
      service Odd {
        rpc Say(google.protobuf.StringValue) returns (google.protobuf.Struct);
        rpc At(google.protobuf.Timestamp) returns (google.protobuf.Struct);
        rpc Any(google.protobuf.Value) returns (google.protobuf.Struct);
        rpc All(google.protobuf.ListValue) returns (google.protobuf.Struct);
        rpc Map(google.protobuf.Struct) returns (google.protobuf.Struct);
      })");
  Schema schema(Read(ReadProtoFile(path)));
  const auto encode = [&](const char* method, const char* json) {
    const absl::StatusOr<std::string> request =
        schema.EncodeRequest(absl::StrCat("odd.Odd/", method), json);
    return request.ok() ? *request : request.status().ToString();
  };
  EXPECT_EQ(encode("Say", R"("hello")"), "\x0a\x05hello");
  EXPECT_EQ(encode("At", R"("1970-01-01T00:00:07Z")"), "\x08\x07");
  EXPECT_EQ(encode("Any", "true"), "\x20\x01");
  EXPECT_EQ(encode("Any", R"({"a": true})"),
            "\x2a\x09\x0a\x07\x0a\x01"
            "a"
            "\x12\x02\x20\x01");
  EXPECT_EQ(encode("All", "[true]"), "\x0a\x02\x20\x01");
  EXPECT_EQ(encode("Map", "{}"), "");
  ExpectError(schema.EncodeRequest("odd.Odd/Say", "7.5").status(),
              "bad_request", "google.protobuf.StringValue");
  ExpectError(schema.EncodeRequest("odd.Odd/Say", R"("a","b":"c")").status(),
              "bad_request", "google.protobuf.StringValue");
}

TEST(SchemaTest, RequestsThatProtobufRefuses) {
  const std::string path = WriteFile("deep.proto", R"(syntax = "proto3";
      message Node { Node child = 1; string name = 2; }
      service Deep { rpc Do(Node) returns (Node); })");
  Schema schema(Read(ReadProtoFile(path)));
  std::string json = "{}";
  for (int i = 0; i < 120; ++i) json = absl::StrCat(R"({"child":)", json, "}");
  ExpectError(schema.EncodeRequest("Deep/Do", json).status(), "bad_request",
              "too deep");
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
