#ifndef GOPLUGIN_INTERNAL_ERROR_MESSAGE_LAYOUT_H_
#define GOPLUGIN_INTERNAL_ERROR_MESSAGE_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// What stands in a message in front of each part that is there: MakeError
// writes it, GetErrorDetails takes it apart.
inline constexpr absl::string_view kHintLead = "; hint: ";
inline constexpr absl::string_view kFactLead = "; ";
inline constexpr absl::string_view kTailLead = "; last stderr:\n";

// By which a message is known again, in this process.
inline std::uint32_t MessageChecksum(absl::string_view message) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>()(
      std::string_view(message.data(), message.size())));
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ERROR_MESSAGE_LAYOUT_H_
