#include "goplugin/endpoint.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace goplugin {

const char* NetworkName(Endpoint::Network network) {
  return network == Endpoint::Network::kUnix ? "unix" : "tcp";
}

std::string Endpoint::ToString() const {
  const bool is_abstract = !address.empty() && address.front() == '\0';
  return absl::StrCat(NetworkName(network), ":",
                      is_abstract ? "@" + address.substr(1) : address);
}

}  // namespace goplugin
