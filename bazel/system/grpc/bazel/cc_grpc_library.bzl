"""Service stubs from a proto_library, with the system's grpc_cpp_plugin.

Only what this project's BUILD files use of gRPC's macro of the same name:
`grpc_only = True`, optionally `generate_mocks`.
"""

_SUFFIXES = [".grpc.pb.h", ".grpc.pb.cc"]
_MOCK_SUFFIX = "_mock.grpc.pb.h"

def _import_path(source, proto):
    """The path under which other .proto files import this one."""
    if "_virtual_imports/" in source.path:
        # gRPC's macro finds the messages' header there with some versions of
        # Bazel and protobuf only, so it is no way to write a portable BUILD.
        fail("cc_grpc_library: proto_library with strip_import_prefix or import_prefix: " + source.path)
    root = proto.proto_source_root
    return source.path[len(root) + 1:] if source.path.startswith(root + "/") else source.path

def _grpc_codegen_impl(ctx):
    proto = ctx.attr.proto[ProtoInfo]
    suffixes = _SUFFIXES + ([_MOCK_SUFFIX] if ctx.attr.generate_mocks else [])
    import_paths = [_import_path(source, proto) for source in proto.direct_sources]
    outputs = []
    for source in proto.direct_sources:
        for suffix in suffixes:
            stem = source.basename[:-len(".proto")]
            outputs.append(ctx.actions.declare_file(stem + suffix, sibling = source))

    arguments = ctx.actions.args()
    arguments.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    arguments.add("--grpc_out={}{}".format(
        "generate_mock_code=true:" if ctx.attr.generate_mocks else "",
        "/".join([ctx.bin_dir.path] + ([ctx.label.workspace_root] if ctx.label.workspace_root else [])),
    ))
    arguments.add_all(proto.transitive_proto_path, format_each = "--proto_path=%s")
    arguments.add_all(import_paths)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [arguments],
        inputs = proto.transitive_sources,
        tools = [ctx.executable._plugin],
        outputs = outputs,
        mnemonic = "GrpcCodegen",
        progress_message = "Generating gRPC stubs %s" % ctx.label,
    )
    return [DefaultInfo(files = depset(outputs))]

_grpc_codegen = rule(
    implementation = _grpc_codegen_impl,
    attrs = {
        "generate_mocks": attr.bool(),
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(
            default = "//src/compiler:grpc_cpp_plugin",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
        "_protoc": attr.label(
            default = "@protobuf//:protoc",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
    },
)

def cc_grpc_library(name, srcs, deps, grpc_only = False, generate_mocks = False, **kwargs):
    """A cc_library with the service stubs of one proto_library.

    Args:
      name: of the cc_library.
      srcs: exactly one proto_library.
      deps: the cc_proto_library of the same messages.
      grpc_only: must be True; the messages come from `deps`.
      generate_mocks: whether to generate `*_mock.grpc.pb.h` as well.
      **kwargs: passed on: visibility, testonly, tags.
    """
    if not grpc_only:
        fail("cc_grpc_library over the system's gRPC needs grpc_only = True")
    if len(srcs) != 1:
        fail("cc_grpc_library takes exactly one proto_library in srcs")

    codegen = "_" + name + "_codegen"
    _grpc_codegen(
        name = codegen,
        proto = srcs[0],
        generate_mocks = generate_mocks,
        **kwargs
    )
    native.cc_library(
        name = name,
        srcs = [":" + codegen],
        hdrs = [":" + codegen],
        deps = deps + [Label("//:grpc++_codegen_proto")],
        **kwargs
    )
