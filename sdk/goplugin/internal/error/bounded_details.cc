#include "goplugin/internal/error/bounded_details.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

// Room for the remark in the middle.
constexpr size_t kSlack = 64;

bool ContinuesCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

void Bound(std::string& text) {
  if (text.size() > kMaxTextBytes) text = WithoutMiddle(text, kMaxTextBytes);
}

// How many of `facts` fit, the first ones.
size_t Fitting(const std::vector<std::string>& facts, size_t max_facts,
               size_t max_bytes) {
  size_t bytes = 0;
  for (size_t i = 0; i < facts.size(); ++i) {
    bytes += facts[i].size();
    if (i == max_facts || bytes > max_bytes) return i;
  }
  return facts.size();
}

void BoundFacts(std::vector<std::string>& facts) {
  for (std::string& fact : facts) Bound(fact);
  if (Fitting(facts, kMaxFacts, kMaxEvidenceBytes) == facts.size()) return;
  // The remark has its place within the bounds, so that it stays in a copy.
  const size_t kept = Fitting(facts, kMaxFacts - 1, kMaxEvidenceBytes - kSlack);
  const size_t left_out = facts.size() - kept;
  facts.resize(kept);
  facts.push_back(absl::StrCat("[", left_out, " further facts left out]"));
}

}  // namespace

std::string WithoutMiddle(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  const size_t half = (max_bytes - kSlack) / 2;
  // Between two characters, where there are any.
  size_t head = half;
  for (int i = 0; i < 3 && ContinuesCharacter(text[head]); ++i) --head;
  size_t tail = text.size() - half;
  for (int i = 0; i < 3 && ContinuesCharacter(text[tail]); ++i) ++tail;
  return absl::StrCat(text.substr(0, head), " [", tail - head,
                      " bytes left out] ", text.substr(tail));
}

ErrorDetails Bounded(ErrorDetails details) {
  for (std::string* text :
       {&details.what, &details.hint, &details.panic, &details.stderr_tail}) {
    Bound(*text);
  }
  BoundFacts(details.evidence);
  return details;
}

}  // namespace goplugin::internal
