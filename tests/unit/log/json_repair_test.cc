#include "goplugin/internal/log/json_repair.h"

#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(RepairJsonTest, RepairsWhatLoggersWrite) {
  const struct {
    std::string json, want;
  } kCases[] = {
      {"", ""},
      {R"({"a": true, "b":false,"c":null})",
       R"({"a": true, "b":false,"c":null})"},
      {R"({"a":123456789012345678901234567890})",
       R"({"a":"123456789012345678901234567890"})"},
      {R"([1.5e+99,-2,NaN,-Infinity])",
       R"(["1.5e+99","-2","NaN","-Infinity"])"},
      {R"("NaN \" 12")", R"("NaN \" 12")"},
      {R"("\ud83d\ude00 \u00e9")", R"("\ud83d\ude00 \u00e9")"},
      {R"("\ud83d \uDC80\udc80 \ud83d\ud83d\ude00")",
       R"("\ufffd \ufffd\ufffd \ufffd\ud83d\ude00")"},
      {"\"tab\there\"", "\"tab\\u0009here\""},
      // Cut off in every place.
      {R"("\)", R"("\)"},
      {R"("\u12)", R"("\u12)"},
      {R"("\ud83d)", R"("\ufffd)"},
      {R"("\ud83d\u)", R"("\ufffd\u)"},
      {"\"open", "\"open"},
      {"12", "\"12\""},
  };
  for (const auto& c : kCases) EXPECT_EQ(RepairJson(c.json), c.want) << c.json;
}

}  // namespace
}  // namespace goplugin::internal
