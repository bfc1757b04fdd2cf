#ifndef EXAMPLES_NEGOTIATED_GREETER_H_
#define EXAMPLES_NEGOTIATED_GREETER_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

#include "goplugin/by_version.h"

namespace negotiated {

// What the host works with, whatever the plugin's version.
class Greeter {
 public:
  virtual ~Greeter() = default;
  // Appends a line for each greeting to `text`.
  virtual grpc::Status Greet(const std::vector<std::string>& names,
                             std::string* text) = 0;
};

// Every version of the service that this host speaks, and a Greeter for each.
const goplugin::ByVersion<std::unique_ptr<Greeter>>& Greeters();

}  // namespace negotiated

#endif  // EXAMPLES_NEGOTIATED_GREETER_H_
