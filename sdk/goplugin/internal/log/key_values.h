#ifndef GOPLUGIN_INTERNAL_LOG_KEY_VALUES_H_
#define GOPLUGIN_INTERNAL_LOG_KEY_VALUES_H_

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/fields.h"

namespace goplugin::internal {

// Appends the key=value pairs that `text` ends with to `*fields`, and returns
// the length of the text before them: 0 when it is pairs throughout, its own
// length when it ends with none.
//
// Values are bare words, "quoted" or 'quoted' strings, which are unescaped, or
// text in matching brackets, which is kept as it is. Linear in `text`, whatever
// it holds: with more than kMaxFields pairs none is taken, nor when brackets
// within brackets that end no pair would be searched for more than eight times.
size_t TakeTrailingPairs(absl::string_view text, std::vector<Field>* fields);

// True when `text` starts with `key=`, whatever the key.
bool StartsWithKey(absl::string_view text);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_KEY_VALUES_H_
