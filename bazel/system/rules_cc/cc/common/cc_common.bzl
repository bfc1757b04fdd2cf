"""cc_common where it is native (Bazel 4 to 7)."""

load(":native.bzl", "native_cc_common")

cc_common = native_cc_common
