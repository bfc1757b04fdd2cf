#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ATTEMPT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ATTEMPT_H_

namespace goplugin::internal {

// A connection on its way to gRPC. Held by whoever may cancel it, until it is
// over. Thread-safe.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // True when gRPC's callback is destroyed, and was not called.
  virtual bool Cancel() = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ATTEMPT_H_
