// A host that loads a module which is one, too: each has a copy of the SDK.
//
//   host PLUGIN MODULE local|global shutdown|leave

#include <dlfcn.h>

#include <iostream>
#include <string>
#include <thread>

#include "caller.h"
#include "module.h"

namespace {

constexpr int kRounds = 20;

bool Fail(const std::string& what) {
  std::cerr << "host: " << what << "\n";
  return false;
}

const ModuleCalls* Load(const std::string& path, int flags) {
  void* module = dlopen(path.c_str(), RTLD_NOW | flags);
  if (module == nullptr) {
    Fail(dlerror());
    return nullptr;
  }
  const auto describe =
      reinterpret_cast<DescribeModule>(dlsym(module, "Describe"));
  // It stays, as its linker was told: gRPC's threads may be in its code.
  dlclose(module);
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD) != module) {
    Fail("the module is gone after dlclose");
    return nullptr;
  }
  return describe();
}

// Both at the same time.
bool CallBoth(Caller& own, const ModuleCalls& module) {
  bool module_answers = true;
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) module_answers &= module.put_and_get();
  });
  bool own_answers = true;
  for (int i = 0; i < kRounds; ++i) own_answers &= own.PutAndGet();
  other.join();
  return own_answers && module_answers;
}

bool Run(Caller& own, const std::string& plugin, const ModuleCalls& module) {
  return (HasItsOwnSdk() || Fail("calls another SDK than its own")) &&
         (module.has_its_own_sdk() ||
          Fail("the module calls the host's SDK")) &&
         own.Launch(plugin) && module.launch(plugin.c_str()) &&
         CallBoth(own, module);
}

// One after the other; the one that is left works on, and can start anew.
bool ShutdownBoth(Caller& own, const std::string& plugin,
                  const ModuleCalls& module) {
  return module.shutdown() && own.PutAndGet() &&
         module.launch(plugin.c_str()) && own.Shutdown() &&
         module.put_and_get() && module.shutdown();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::string plugin = argv[1];
  const bool global = argv[3] == std::string("global");
  const bool leave = argv[4] == std::string("leave");

  const ModuleCalls* module = Load(argv[2], global ? RTLD_GLOBAL : RTLD_LOCAL);
  if (module == nullptr) return 1;
  // Static, for the case that clients are left to the exit.
  static Caller own("host");
  if (!Run(own, plugin, *module)) return 1;
  return leave || ShutdownBoth(own, plugin, *module) ? 0 : 1;
}
