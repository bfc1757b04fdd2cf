#ifndef TESTS_PLUGINS_SERVER_FLAGS_H_
#define TESTS_PLUGINS_SERVER_FLAGS_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace server_plugin {

// The command line of server_plugin: --name or --name=value, names from a
// fixed table. Anything else ends the process with code 64.
class Flags {
 public:
  Flags(int argc, char** argv);

  bool Has(absl::string_view name) const;
  // The value, or `fallback` when the flag is absent or has no value.
  std::string Get(absl::string_view name, absl::string_view fallback) const;
  int Number(absl::string_view name, int fallback) const;
  // Numbers with KB or MB behind them, in bytes.
  std::size_t Bytes(absl::string_view name, std::size_t fallback) const;
  // "3s", "200ms"; zero when absent.
  absl::Duration Time(absl::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_FLAGS_H_
