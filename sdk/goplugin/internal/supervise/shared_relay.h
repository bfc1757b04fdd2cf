#ifndef GOPLUGIN_INTERNAL_SUPERVISE_SHARED_RELAY_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_SHARED_RELAY_H_

#include <memory>

#include "goplugin/internal/channel/call_relay.h"

namespace goplugin::internal {

// The relay of all supervisors of this process: as many threads for one as for
// a thousand. There while somebody holds it, stubs included. Thread-safe.
std::shared_ptr<CallRelay> SharedRelay();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_SHARED_RELAY_H_
