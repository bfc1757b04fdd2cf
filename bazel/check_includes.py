#!/usr/bin/env python3
"""Checks that every C++ target depends on the libraries whose headers it includes.

    bazel/check_includes.py [--bazel "bazel --output_base=..."] [PATTERN...]

The system's headers are on the compiler's own path, so a forgotten dependency
goes unnoticed here and breaks the build from the Bazel Central Registry, where
a header is there only if a target brings it. (Our own headers need no check:
the sandbox has only those of the dependencies.) Likewise for a few names whose
header is included here by others.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT_PATTERNS = ["//sdk/...", "//examples/...", "//tests/..."]
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)

# A regular expression for the header's path -> the labels of which one must be a
# dependency; the first that matches counts. None: see labels_for().
LABELS = [
    (r"absl/algorithm/container\.h", ["@abseil-cpp//absl/algorithm:container"]),
    (r"absl/base/(attributes|const_init|macros|optimization|port|thread_annotations)\.h",
     ["@abseil-cpp//absl/base:core_headers"]),
    (r"absl/base/(call_once|casts)\.h", ["@abseil-cpp//absl/base:base"]),
    (r"absl/container/btree_(map|set)\.h", ["@abseil-cpp//absl/container:btree"]),
    (r"absl/flags/declare\.h", ["@abseil-cpp//absl/flags:flag"]),
    (r"absl/numeric/int128\.h", ["@abseil-cpp//absl/numeric:int128"]),
    (r"absl/strings/(cord|str_format)\.h", None),
    (r"absl/strings/.*\.h", ["@abseil-cpp//absl/strings:strings"]),
    (r"absl/synchronization/.*\.h", ["@abseil-cpp//absl/synchronization:synchronization"]),
    (r"absl/time/.*\.h", ["@abseil-cpp//absl/time:time"]),
    (r"asio(\.hpp|/.*)", ["@asio//:asio_no_openssl"]),
    (r"benchmark/.*", ["@google_benchmark//:benchmark", "@google_benchmark//:benchmark_main"]),
    (r"(gtest|gmock)/.*", ["@googletest//:gtest", "@googletest//:gtest_main"]),
    (r"google/protobuf/compiler/importer\.h",
     ["@protobuf//src/google/protobuf/compiler:importer"]),
    (r"google/protobuf/util/json_util\.h",
     ["@protobuf//:json_util"]),
    (r"google/protobuf/.*", ["@protobuf//:protobuf"]),
    (r"grpcpp/ext/proto_server_reflection_plugin\.h", ["@grpc//:grpc++_reflection"]),
    (r"(grpc|grpcpp)/.*", ["@grpc//:grpc++"]),
    (r"openssl/(ssl|tls1)\.h", ["//bazel/tls:ssl"]),
    (r"openssl/.*", ["//bazel/tls:crypto", "//bazel/tls:ssl"]),
    (r"simdjson\.h", ["@simdjson//:simdjson"]),
]


def labels_for(include):
    """The labels that bring a header, or [] if no library of ours has it."""
    for pattern, labels in LABELS:
        if re.fullmatch(pattern, include):
            if labels is not None:
                return labels
            break
    # Most of Abseil's headers are a target of their own.
    own_target = re.fullmatch(r"absl/([^/]+)/([^/]+)\.h", include)
    return ["@abseil-cpp//absl/{}:{}".format(*own_target.groups())] if own_target else []


# Old releases of Abseil have headers that bring these, and new ones have not.
HEADERS_OF_NAMES = {
    "absl/strings/str_cat.h": "StrCat|StrAppend",
    "absl/strings/str_join.h": "StrJoin",
    "absl/strings/str_split.h": "StrSplit",
}


def cc_rules(bazel, patterns):
    """Yields (label, files, deps) of each C++ target; files relative to the root."""
    output = subprocess.run(
        [*bazel, "query", "--output=xml", "--noshow_progress",
         "kind('cc_(library|binary|test) rule', {})".format(" + ".join(patterns))],
        cwd=ROOT, stdout=subprocess.PIPE, check=True,
    ).stdout
    for rule in xml.etree.ElementTree.fromstring(output).iter("rule"):
        lists = {l.get("name"): [v.get("value") for v in l] for l in rule.iter("list")}
        files = [
            label[2:].replace(":", "/").lstrip("/")
            for label in lists.get("srcs", []) + lists.get("hdrs", [])
            if label.startswith("//")
        ]
        yield rule.get("name"), files, set(lists.get("deps", []))


def missing_dependencies(files, deps):
    """Yields (file, include, labels) for each include that no dependency brings."""
    for name in files:
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            continue  # Generated, or the name of a rule.
        with open(path, encoding="utf-8") as file:
            includes = INCLUDE.findall(file.read())
        for include in includes:
            labels = labels_for(include)
            if labels and not deps.intersection(labels):
                yield name, include, labels


def missing_includes(files):
    """Yields (file, header, name) for each use of a name whose header is not included."""
    for name in files:
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for header, names in HEADERS_OF_NAMES.items():
            used = re.search(r"^(?!\s*//).*\babsl::({})\(".format(names), text, re.MULTILINE)
            if used and header not in INCLUDE.findall(text):
                yield name, header, "absl::" + used[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bazel", default="bazel")
    parser.add_argument("pattern", nargs="*", default=DEFAULT_PATTERNS)
    options = parser.parse_args()

    complaints = 0
    for rule, files, deps in cc_rules(shlex.split(options.bazel), options.pattern):
        for name, include, labels in missing_dependencies(files, deps):
            print("{}: {} includes <{}>: depend on {}".format(rule, name, include, " or ".join(labels)))
            complaints += 1
        for name, header, used in missing_includes(files):
            print("{}: {} uses {}: include <{}>".format(rule, name, used, header))
            complaints += 1
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
