"""The system libraries as a module extension, for bazel/system/*/MODULE.bazel."""

load(":system_libraries.bzl", "system_libraries")

def _system_impl(_module_ctx):
    system_libraries()

system = module_extension(implementation = _system_impl)
