// A shared library that has the SDK in it is not unloaded: threads of gRPC's
// outlive every client, and may be in its code.

#include <dlfcn.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

TEST(StaysLoadedTest, AfterDlclose) {
  const std::string path = RunfilePath("tests/unit/loop/libstays_loaded.so");
  void* const library = dlopen(path.c_str(), RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_NE(dlsym(library, "Embeds"), nullptr);
  EXPECT_EQ(dlclose(library), 0);
  EXPECT_EQ(dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD), library);
}

}  // namespace
}  // namespace goplugin::testing
