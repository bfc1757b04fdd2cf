"""CcInfo where it is native (Bazel 4 to 7)."""

load(":native.bzl", "NativeCcInfo")

CcInfo = NativeCcInfo
