#ifndef GOPLUGIN_INTERNAL_BROKER_ADDRESS_TRANSLATION_H_
#define GOPLUGIN_INTERNAL_BROKER_ADDRESS_TRANSLATION_H_

#include <functional>

#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// Between two sides that see other files, or other hosts, under an address.
// Null: both see the same. Called from any thread, may block.
struct AddressTranslation {
  using Translate = std::function<absl::StatusOr<Endpoint>(const Endpoint&)>;

  // Where this side reaches what the other one has announced.
  Translate to_here = nullptr;
  // What to tell the other side of an endpoint of this one.
  Translate to_there = nullptr;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_ADDRESS_TRANSLATION_H_
