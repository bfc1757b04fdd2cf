"""proto_library where it is native (Bazel 4 to 7)."""

proto_library = native.proto_library
