"""cc_proto_library where it is native (Bazel 4 to 7)."""

cc_proto_library = native.cc_proto_library
