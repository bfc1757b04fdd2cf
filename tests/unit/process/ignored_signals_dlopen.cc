// A host that loads what embeds the library.

#include <dlfcn.h>

#include <cstdio>

int main(int argc, char** argv) {
  void* library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : nullptr;
  void* run =
      library == nullptr ? nullptr : dlsym(library, "RunIgnoredSignalsHost");
  if (run == nullptr) {
    std::printf("%s\n", dlerror());
    return 1;
  }
  return reinterpret_cast<int (*)()>(run)();
}
