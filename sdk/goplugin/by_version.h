#ifndef GOPLUGIN_BY_VERSION_H_
#define GOPLUGIN_BY_VERSION_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"

namespace goplugin {

namespace internal {
// kAppVersion, with both sides in evidence and hint.
absl::Status NoHandlerForVersion(std::uint32_t negotiated,
                                 const std::vector<std::uint32_t>& handled);
}  // namespace internal

// What a host does in each application protocol version that it speaks, so that
// the versions are said once and asked about never. `Result` is usually what
// the rest of the host works with, whatever the version: a pointer to an
// interface of its own, made from the stub of that version.
//
// Example:
//   const goplugin::ByVersion<std::unique_ptr<Greeter>> greeters = {
//       {1, [](goplugin::Client& plugin) {
//          return MakeGreeterV1(plugin.NewStub<greeter::v1::Greeter>());
//        }},
//       {2, [](goplugin::Client& plugin) {
//          return MakeGreeterV2(plugin.NewStub<greeter::v2::Greeter>());
//        }},
//   };
//   options.handshake.protocol_versions = greeters.versions();
//   ... Launch ...
//   absl::StatusOr<std::unique_ptr<Greeter>> greeter = greeters.For(**client);
//
// Thread safety: const methods from any thread, as far as the handlers allow.
// Lifetime: a plain value; it keeps neither client nor result.
template <typename Result>
class ByVersion {
 public:
  // Makes the result for a client of one version. Called in For, on its thread;
  // must not be empty, and must not throw.
  using Handler = std::function<Result(Client&)>;

  // The first of two handlers for the same version counts.
  ByVersion(std::initializer_list<std::pair<const std::uint32_t, Handler>> all)
      : handlers_(all) {}

  // All versions, ascending: for HandshakeConfig::protocol_versions.
  std::vector<std::uint32_t> versions() const {
    std::vector<std::uint32_t> versions;
    for (const auto& handler : handlers_) versions.push_back(handler.first);
    return versions;
  }

  // What the handler of the client's negotiated version returns. Errors:
  // kAppVersion when the client was launched with versions that are not here.
  absl::StatusOr<Result> For(Client& client) const {
    const auto handler = handlers_.find(client.protocol_version());
    if (handler == handlers_.end()) {
      return internal::NoHandlerForVersion(client.protocol_version(),
                                           versions());
    }
    return handler->second(client);
  }

 private:
  std::map<std::uint32_t, Handler> handlers_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_BY_VERSION_H_
