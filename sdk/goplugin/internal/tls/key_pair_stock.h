#ifndef GOPLUGIN_INTERNAL_TLS_KEY_PAIR_STOCK_H_
#define GOPLUGIN_INTERNAL_TLS_KEY_PAIR_STOCK_H_

#include "absl/status/statusor.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// One-time certificates, each given out once. Making one takes long enough (0.7
// ms) to be done ahead of time: while one plugin starts, for the next.
// Thread-safe.
class KeyPairStock {
 public:
  // The one in stock, else a new one. Errors: of GenerateOneTimeCertificate.
  static absl::StatusOr<KeyPair> Take();
  // Makes the next one. Does nothing in a process that never took one, and is
  // done at once when there is one already.
  static void Refill();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_KEY_PAIR_STOCK_H_
