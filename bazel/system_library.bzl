"""Repository rules for building against the libraries of the system.

Two kinds of repository make up a system library:

* `system_shim` carries the name that the Bazel Central Registry uses (@grpc)
  and the labels that BUILD files use (@grpc//:grpc++). Its files are those of
  bazel/system/<module>, the same for every machine.
* `system_library` holds what differs from machine to machine: the options that
  pkg-config reports, the code generators, the .proto files.

They are separate because under bzlmod the first is a module and replaces the
registry's (--override_module), while only a repository rule can ask the machine.
"""

def _flag_groups(flags):
    """Splits linker flags into units that may be dropped as a whole."""
    groups = []
    open_group = None
    for flag in flags:
        if "--push-state" in flag:
            open_group = [flag]
        elif open_group == None:
            groups.append([flag])
        else:
            open_group.append(flag)
            if "--pop-state" in flag:
                groups.append(open_group)
                open_group = None
    return groups

def _without_repetitions(flags):
    """Keeps the last of equal flags: what a library needs comes after it."""
    seen = {}
    kept = []
    for group in reversed(_flag_groups(flags)):
        key = " ".join(group)
        if key not in seen:
            seen[key] = True
            kept.append(group)
    return [flag for group in reversed(kept) for flag in group]

# The C library's own, which stays shared.
_OF_LIBC = ["-lc", "-ldl", "-lm", "-lpthread", "-lrt"]

def _links_statically(repository_ctx):
    return repository_ctx.os.environ.get("GOPLUGIN_LINK") == "static"

def _link_flags(repository_ctx, name):
    """What pkg-config says. A static library brings nothing that it needs itself."""
    if _links_statically(repository_ctx):
        flags = _pkg_config(repository_ctx, ["--libs", "--static", name])
        if flags != None:
            return flags
    return _pkg_config(repository_ctx, ["--libs", name])

def _linked(repository_ctx, flags, known):
    """The flags; for --config=static with static libraries, where there are any.

    `known` keeps what the compiler has said.
    """
    if not _links_statically(repository_ctx):
        return flags
    compiler = repository_ctx.os.environ.get("CC", "cc")
    for flag in flags:
        if flag.startswith("-l") and flag not in _OF_LIBC and flag not in known:
            archive = "lib{}.a".format(flag[2:])
            result = repository_ctx.execute([compiler, "-print-file-name=" + archive])

            # Where it finds none it repeats the name.
            known[flag] = "-l:" + archive if result.stdout.startswith("/") else flag
    return [known.get(flag, flag) for flag in flags]

def _pkg_config(repository_ctx, arguments):
    """What pkg-config prints, or None if it doesn't know the package."""
    result = repository_ctx.execute(["pkg-config"] + arguments)
    return result.stdout.strip() if result.return_code == 0 else None

def _missing(name, hint):
    """A library that fails when it is built, not when it is only in the graph."""
    return """
genrule(
    name = "{name}_missing",
    outs = ["{name}_missing.h"],
    cmd = "echo 'pkg-config does not know {name}: {hint}' >&2; exit 1",
)

cc_library(
    name = "{name}",
    hdrs = ["{name}_missing.h"],
)
""".format(name = name, hint = hint)

def _library(repository_ctx, name, hint, archives):
    compile_flags = _pkg_config(repository_ctx, ["--cflags", name])
    link_flags = _link_flags(repository_ctx, name)
    if compile_flags == None or link_flags == None:
        return _missing(name, hint)

    defines = []
    includes = []
    for flag in compile_flags.split(" "):
        if flag.startswith("-D"):
            defines.append(flag[2:])
        elif flag.startswith("-I"):
            # Only for a prefix that the compiler doesn't search by itself.
            # Bazel rejects absolute include paths, hence the link.
            include = "include/{}/{}".format(name, len(includes))
            repository_ctx.symlink(flag[2:], include)
            includes.append(include)

    return """
cc_library(
    name = "{name}",
    hdrs = glob([include + "/**" for include in {includes}], allow_empty = True),
    defines = {defines},
    includes = {includes},
    linkopts = {linkopts},
)
""".format(
        name = name,
        defines = defines,
        includes = includes,
        linkopts = _linked(
            repository_ctx,
            _without_repetitions([f for f in link_flags.split(" ") if f]),
            archives,
        ),
    )

def _library_without_pkg_config(repository_ctx, name, needs, archives):
    return """
cc_library(
    name = "{}",
    linkopts = {},
    deps = [":{}"],
)
""".format(name, _linked(repository_ctx, ["-l" + name], archives), needs)

def _tool(repository_ctx, name, hint):
    path = repository_ctx.which(name)
    if path:
        repository_ctx.symlink(path, "tools/" + name)
    else:
        repository_ctx.file(
            "tools/" + name,
            "#!/bin/sh\necho '{} is not on PATH: {}' >&2\nexit 1\n".format(name, hint),
        )

def _well_known_proto(repository_ctx, name, imports, include_dir):
    path = "google/protobuf/{}.proto".format(name)
    repository_ctx.symlink("{}/{}".format(include_dir, path), path)
    return """
proto_library(
    name = "{name}_proto",
    srcs = ["{path}"],
    deps = {deps},
)
""".format(name = name, path = path, deps = [":" + i + "_proto" for i in imports])

def _system_library_impl(repository_ctx):
    hint = "apt-get install " + " ".join(repository_ctx.attr.debian_packages)
    if not repository_ctx.which("pkg-config"):
        fail("pkg-config is not on PATH: apt-get install pkg-config")

    build = ["package(default_visibility = [\"//visibility:public\"])\n"]
    archives = {}
    for name in repository_ctx.attr.pkg_config:
        build.append(_library(repository_ctx, name, hint, archives))
    for name, needs in repository_ctx.attr.without_pkg_config.items():
        build.append(_library_without_pkg_config(repository_ctx, name, needs, archives))

    for name in repository_ctx.attr.tools:
        _tool(repository_ctx, name, hint)
    if repository_ctx.attr.tools:
        build.append("\nexports_files(glob([\"tools/*\"]))\n")

    for name, imports in repository_ctx.attr.well_known_protos.items():
        include_dir = _pkg_config(repository_ctx, ["--variable=includedir", "protobuf"])
        build.append(_well_known_proto(repository_ctx, name, imports, include_dir or "/usr/include"))

    repository_ctx.file("BUILD.bazel", "".join(build))

system_library = repository_rule(
    implementation = _system_library_impl,
    doc = "What this machine has of one library.",
    attrs = {
        "debian_packages": attr.string_list(
            mandatory = True,
            doc = "Named in the message when something is missing.",
        ),
        "pkg_config": attr.string_list(
            doc = "pkg-config's names; each becomes a cc_library of that name.",
        ),
        "without_pkg_config": attr.string_dict(
            doc = "Libraries that pkg-config does not know, and of those above the one each needs.",
        ),
        "tools": attr.string_list(doc = "Programs on PATH, linked as tools/<name>."),
        "well_known_protos": attr.string_list_dict(
            doc = "google/protobuf/<key>.proto and what it imports; each becomes <key>_proto.",
        ),
    },
    # Asked again at every start of the Bazel server, so that an upgraded
    # library is noticed.
    configure = True,
    environ = ["CC", "GOPLUGIN_LINK", "PATH", "PKG_CONFIG_PATH"],
    local = True,
)

def _system_shim_impl(repository_ctx):
    # By way of a file beside the tree: the tree itself is in .bazelignore.
    shims = repository_ctx.path(Label("//bazel:system_library.bzl")).dirname.get_child("system")
    for child in shims.get_child(repository_ctx.attr.module).readdir():
        repository_ctx.symlink(child, child.basename)
    if not repository_ctx.path("WORKSPACE").exists:
        repository_ctx.file("WORKSPACE", "")

system_shim = repository_rule(
    implementation = _system_shim_impl,
    doc = "The labels of one module of the Bazel Central Registry, over the system's library.",
    attrs = {
        "module": attr.string(mandatory = True, doc = "The folder under bazel/system."),
    },
    local = True,
)
