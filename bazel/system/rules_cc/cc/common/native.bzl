"""Bazel's own C++ values (Bazel 4 to 7), to be exported by their usual names."""

NativeCcInfo = CcInfo
native_cc_common = cc_common
