"""Stands in for rules_cc where Bazel's own C++ rules are native (Bazel 4 to 7).

Debian's copy of rules_cc does not load on Debian's Bazel, and both this
project and Bazel's embedded tools load the rules from here.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
objc_library = native.objc_library
