"""Stands in for rules_proto: Bazel's embedded tools load these names."""

# A builtin can't be re-exported under its own name without an intermediate.
_ProtoInfo = ProtoInfo

ProtoInfo = _ProtoInfo
proto_lang_toolchain = native.proto_lang_toolchain
proto_library = native.proto_library
