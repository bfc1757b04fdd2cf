#ifndef GOPLUGIN_LANGUAGE_H_
#define GOPLUGIN_LANGUAGE_H_

// What every public header needs. Included by them; nobody else has to.
#if __cplusplus < 201703L
#error \
    "go-plugin-cpp needs C++17. Build with -std=c++17; with Bazel, put \
build --cxxopt=-std=c++17 --host_cxxopt=-std=c++17 into .bazelrc"
#endif

#endif  // GOPLUGIN_LANGUAGE_H_
