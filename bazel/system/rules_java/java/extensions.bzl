"""Bazel's own module file uses this extension. Nothing here is Java."""

_REPOSITORIES = [
    "local_jdk",
    "remote_java_tools",
    "remote_java_tools_darwin_arm64",
    "remote_java_tools_darwin_x86_64",
    "remote_java_tools_linux",
    "remote_java_tools_windows",
]

def _empty_repository_impl(repository_ctx):
    repository_ctx.file("BUILD.bazel", "")

_empty_repository = repository_rule(implementation = _empty_repository_impl)

def _toolchains_impl(_module_ctx):
    for name in _REPOSITORIES:
        _empty_repository(name = name)

toolchains = module_extension(implementation = _toolchains_impl)
