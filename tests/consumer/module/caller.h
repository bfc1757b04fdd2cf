#ifndef TESTS_CONSUMER_MODULE_CALLER_H_
#define TESTS_CONSUMER_MODULE_CALLER_H_

#include <memory>
#include <string>
#include <utility>

#include "goplugin/client.h"

// A plugin that is called. Compiled into the host and into its module, each
// with the SDK that it has embedded. Hidden: built with default visibility, the
// module would find the host's Caller, and with it the host's SDK.
class __attribute__((visibility("hidden"))) Caller {
 public:
  // Each caller needs a name of its own: plugins in one directory share keys.
  explicit Caller(std::string name) : name_(std::move(name)) {}

  // Each says on stderr what went wrong, with the name.
  bool Launch(const std::string& plugin);
  bool PutAndGet();
  bool Shutdown();

 private:
  bool Say(const std::string& what) const;

  const std::string name_;
  std::unique_ptr<goplugin::Client> client_;
};

// Whether the SDK that this code calls is in the same file as the code itself.
__attribute__((visibility("hidden"))) bool HasItsOwnSdk();

#endif  // TESTS_CONSUMER_MODULE_CALLER_H_
