"""The dependencies of go-plugin-cpp for a WORKSPACE build.

They come from the system (pkg-config) and need no network. Builds from the
Bazel Central Registry use MODULE.bazel instead.
"""

load(":system_libraries.bzl", "system_libraries")
load(":system_library.bzl", "system_shim")

# What Bazel's embedded tools load, whether or not a build is about it.
_BAZEL_MODULES = [
    "remote_coverage_tools",
    "rules_cc",
    "rules_java",
    "rules_proto",
]

_MODULES = [
    "abseil-cpp",
    "asio",
    "boringssl",
    "google_benchmark",
    "googletest",
    "grpc",
    "opentelemetry-cpp",
    "openssl",
    "prometheus-cpp",
    "protobuf",
    "simdjson",
]

def go_plugin_cpp_system_dependencies():
    """Declares every repository that go-plugin-cpp's BUILD files name.

    A repository that the calling WORKSPACE has declared before is left alone.
    Bazel's own proto rules also need, in the caller's .bazelrc:

        build --proto_compiler=@protobuf//:protoc
        build --proto_toolchain_for_cc=@protobuf//:cc_toolchain
    """
    system_libraries()
    for module in _BAZEL_MODULES + _MODULES:
        if not native.existing_rule(module):
            system_shim(name = module, module = module)
