#!/usr/bin/env python3
"""Writes compile_commands.json for clang-tidy and clangd, from what Bazel would run.

    bazel/compile_commands.py [--output FILE] [--bazel "bazel --output_base=..."] [PATTERN...]

Build the patterns first: generated headers must exist. The default patterns are
everything under sdk, examples and tests that is written in C++.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT_PATTERNS = ["//sdk/...", "//examples/...", "//tests/..."]

# Understood by GCC, the usual compiler, but not by Clang's tools.
GCC_ONLY = {
    "-fno-canonical-system-headers",
    "-Wno-free-nonheap-object",
    "-Wunused-but-set-parameter",
}


def run(bazel, *arguments):
    return subprocess.run(
        [*bazel, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout.decode()


def compile_actions(bazel, patterns):
    """The command line of each compilation, as lists of words."""
    query = 'mnemonic("CppCompile", {})'.format(" + ".join(patterns))
    answer = run(bazel, "aquery", "--output=jsonproto", "--noshow_progress", query)
    for action in json.loads(answer).get("actions", []):
        yield action["arguments"]


def source_of(arguments):
    return arguments[arguments.index("-c") + 1] if "-c" in arguments else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bazel", default="bazel")
    parser.add_argument("--output", default=os.path.join(ROOT, "compile_commands.json"))
    parser.add_argument("pattern", nargs="*", default=DEFAULT_PATTERNS)
    options = parser.parse_args()

    bazel = shlex.split(options.bazel)
    # Bazel's links in the tree belong to whoever built last: use this server's
    # own directory, in which external/ and bazel-out/ are found as well.
    execution_root = run(bazel, "info", "execution_root").strip()
    commands = {}
    for arguments in compile_actions(bazel, options.pattern):
        source = source_of(arguments)
        # Only what is written by hand.
        if source is None or not os.path.exists(os.path.join(ROOT, source)):
            continue
        path = os.path.join(ROOT, source)
        commands[path] = {
            "directory": execution_root,
            "file": path,
            "arguments": [
                path if word == source else word
                for word in arguments
                if word not in GCC_ONLY
            ],
        }

    with open(options.output, "w") as output:
        json.dump(sorted(commands.values(), key=lambda c: c["file"]), output, indent=1)
    print("{}: {} files".format(options.output, len(commands)), file=sys.stderr)


if __name__ == "__main__":
    main()
