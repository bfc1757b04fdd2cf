#include "goplugin/endpoint.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace goplugin {

const char* NetworkName(Endpoint::Network network) {
  return network == Endpoint::Network::kUnix ? "unix" : "tcp";
}

std::string Endpoint::ToString() const {
  return absl::StrCat(NetworkName(network), ":", address);
}

}  // namespace goplugin
