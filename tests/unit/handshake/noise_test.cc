#include "goplugin/internal/handshake/noise.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(NoiseTest, KeepsAllOfALittle) {
  Noise noise;
  EXPECT_EQ(noise.Summary(), "");
  const std::string text(Noise::kHeadBytes + Noise::kTailBytes, 'x');
  for (const char c : text) noise.Add(absl::string_view(&c, 1));
  EXPECT_EQ(noise.Summary(), text);
  EXPECT_EQ(noise.size(), text.size());
}

TEST(NoiseTest, KeepsTheEndsOfMuchHoweverItComes) {
  const std::string head(Noise::kHeadBytes, 'h');
  const std::string tail(Noise::kTailBytes, 't');
  const std::string all = absl::StrCat(head, std::string(12345, 'm'), tail);
  for (const size_t step : {size_t{1}, size_t{100}, size_t{3000}, all.size()}) {
    Noise noise;
    for (size_t at = 0; at < all.size(); at += step) {
      noise.Add(absl::string_view(all).substr(at, step));
    }
    EXPECT_EQ(noise.Summary(),
              absl::StrCat(head, " [12345 bytes left out] ", tail));
    EXPECT_EQ(noise.size(), all.size());
  }
}

}  // namespace
}  // namespace goplugin::internal
