"""What users without Bazel need, taken from the graph that Bazel's users see."""

load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

_Parts = provider(
    doc = "What a C++ target and its dependencies bring to an installation.",
    fields = {
        "headers": "depset of this repository's public headers.",
        "packages": "depset of pkg-config's names of the system's libraries.",
    },
)

def _parts_impl(target, ctx):
    headers = []
    packages = []
    if "goplugin_system_" in target.label.workspace_root:
        # bazel/system_library.bzl names its targets as pkg-config does.
        packages = [target.label.name]
    elif target.label.package.startswith("sdk/"):
        headers = [
            header
            for header in getattr(ctx.rule.files, "hdrs", [])
            if "/internal/" not in header.short_path
        ]
    below = [dep[_Parts] for dep in getattr(ctx.rule.attr, "deps", []) if _Parts in dep]
    return [_Parts(
        headers = depset(headers, transitive = [parts.headers for parts in below]),
        packages = depset(packages, transitive = [parts.packages for parts in below]),
    )]

_parts = aspect(
    implementation = _parts_impl,
    attr_aspects = ["deps"],
)

def _objects(target, root):
    """The objects of this repository's own libraries, generated code included."""
    return [
        object
        for linker_input in target[CcInfo].linking_context.linker_inputs.to_list()
        if linker_input.owner.workspace_root == root
        for library in linker_input.libraries
        for object in library.pic_objects
    ]

def _archive(ctx, name, objects):
    toolchain = ctx.attr._cc_toolchain[cc_common.CcToolchainInfo]
    archive = ctx.actions.declare_file("{}.parts/lib{}.a".format(ctx.label.name, name))
    arguments = ctx.actions.args()

    # "q": several objects have the same name, and none replaces another.
    arguments.add_all(["qcsD", archive])
    arguments.add_all(objects)
    arguments.use_param_file("@%s")
    ctx.actions.run(
        executable = toolchain.ar_executable,
        arguments = [arguments],
        inputs = depset(objects, transitive = [toolchain.all_files]),
        outputs = [archive],
        mnemonic = "InstallArchive",
        progress_message = "Archiving " + archive.short_path,
    )
    return archive

def _take_new(items, taken):
    """Those of `items` that are not in the dict `taken`, where they are put."""
    new = []
    for item in items:
        if item not in taken:
            taken[item] = True
            new.append(item)
    return new

def _installation_impl(ctx):
    # Each object and package goes to the first archive that has it: the others
    # require that one.
    taken = {}
    objects = {name: [] for name in ctx.attr.archives.values()}
    packages = {name: [] for name in ctx.attr.archives.values()}
    headers = {}
    for target, name in ctx.attr.archives.items():
        objects[name] += _take_new(_objects(target, ctx.label.workspace_root), taken)
        packages[name] += _take_new(target[_Parts].packages.to_list(), taken)
        _take_new(target[_Parts].headers.to_list(), headers)

    # The file -> where it goes.
    places = {header: "include/" + header.short_path.split("sdk/", 1)[1] for header in headers}
    for name in objects:
        archive = _archive(ctx, name, objects[name])
        places[archive] = "lib/" + archive.basename
    for program in ctx.files.programs:
        places[program] = "libexec/goplugin/" + program.basename
    for file in ctx.files.pkgconfig:
        places[file] = "lib/pkgconfig/" + file.basename
    for file in ctx.files.cmake:
        places[file] = "lib/cmake/goplugin/" + file.basename

    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.expand_template(
        template = ctx.file._script,
        output = script,
        is_executable = True,
        substitutions = {
            "@FILES@": "\n".join([f.short_path + " " + places[f] for f in places]),
            "@MODULE@": ctx.file.module.short_path,
            "@PACKAGES@": "\n".join([
                "s/@{}_packages@/{}/".format(name, " ".join(sorted(packages[name])))
                for name in packages
            ]),
        },
    )
    return [DefaultInfo(
        executable = script,
        runfiles = ctx.runfiles(files = places.keys() + [ctx.file.module]),
    )]

def _release_impl(settings, _attr):
    return {
        "//command_line_option:compilation_mode": "opt",
        # For a user's own shared library, which exports nothing of this: two
        # in one process must not see each other. .bazelrc has it for tests.
        "//command_line_option:copt": settings["//command_line_option:copt"] + ["-fvisibility=hidden"],
        "//command_line_option:force_pic": True,
    }

_release = transition(
    implementation = _release_impl,
    inputs = ["//command_line_option:copt"],
    outputs = [
        "//command_line_option:compilation_mode",
        "//command_line_option:copt",
        "//command_line_option:force_pic",
    ],
)

_ATTRS = {
    "archives": attr.label_keyed_string_dict(
        mandatory = True,
        aspects = [_parts],
        providers = [CcInfo],
        doc = "What users depend on -> the static library that it goes to, without lib and .a.",
    ),
    "cmake": attr.label_list(allow_files = True),
    "module": attr.label(
        mandatory = True,
        allow_single_file = True,
        doc = "MODULE.bazel, which has the version.",
    ),
    "pkgconfig": attr.label_list(allow_files = True),
    "programs": attr.label_list(),
    "_cc_toolchain": attr.label(
        default = "@bazel_tools//tools/cpp:current_cc_toolchain",
    ),
    "_script": attr.label(
        default = "//bazel/install:install.sh",
        allow_single_file = True,
    ),
}

_installation = rule(
    implementation = _installation_impl,
    doc = "A program that installs C++ libraries under a prefix: see install.sh.",
    attrs = dict(
        _ATTRS,
        _allowlist_function_transition = attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    ),
    cfg = _release,
    executable = True,
)

_installation_as_built = rule(
    implementation = _installation_impl,
    doc = "The same, not optimised.",
    attrs = _ATTRS,
    executable = True,
)

def installations(name, **attributes):
    """An installation, and NAME_as_built for tests, which compiles nothing anew."""

    # All of the libraries once more: not for //...
    _installation(name = name, tags = ["manual"], **attributes)
    _installation_as_built(
        name = name + "_as_built",
        visibility = ["//visibility:private"],
        **attributes
    )
