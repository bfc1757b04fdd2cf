// A shared library that hosts a plugin, in a program which does so as well.

#include "module.h"

#include "caller.h"

namespace {

Caller& TheCaller() {
  static Caller caller("module");
  return caller;
}

bool Launch(const char* plugin) { return TheCaller().Launch(plugin); }
bool PutAndGet() { return TheCaller().PutAndGet(); }
bool Shutdown() { return TheCaller().Shutdown(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) const ModuleCalls*
Describe() {
  static const ModuleCalls calls = {HasItsOwnSdk, Launch, PutAndGet, Shutdown};
  return &calls;
}
