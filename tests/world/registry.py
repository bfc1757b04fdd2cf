#!/usr/bin/env python3
"""Resolves MODULE.bazel against a copy of the Central Registry, with no network.

    tests/world/registry.py COPY [MODULE=VERSION...]

COPY is a checkout of github.com/bazelbuild/bazel-central-registry. Prints what
Bazel (BAZEL, else `bazel`, 7 or newer) takes for each module that we name, and
fails when a version is missing, is not the one taken, or fits no other. A
MODULE=VERSION stands in for the version in MODULE.bazel: `grpc=1.83.0`.

Bazel's own `mod graph` runs the modules' extensions, whose sources only the
network has. They have no say in versions: this works on the modules' names,
versions and dependencies alone. Nothing is built.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What Bazel itself loads from a module, whatever is asked of it.
STAND_INS = os.path.join(ROOT, "bazel", "system")


def says_versions(statement):
    """module(), bazel_dep(), and the constants that they use."""
    if isinstance(statement, ast.Assign):
        return isinstance(statement.value, ast.Constant)
    call = getattr(statement, "value", None)
    return (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            and call.func.id in ("module", "bazel_dep"))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def copy_registry(source, target):
    write(os.path.join(target, "bazel_registry.json"), "{}")
    for folder, _, files in os.walk(os.path.join(source, "modules")):
        to = os.path.join(target, os.path.relpath(folder, source))
        if "metadata.json" in files:
            write(os.path.join(to, "metadata.json"),
                  read(os.path.join(folder, "metadata.json")))
        if "source.json" not in files:
            continue
        tree = ast.parse(read(os.path.join(folder, "MODULE.bazel")))
        write(os.path.join(to, "MODULE.bazel"), "".join(
            ast.unparse(s) + "\n" for s in tree.body if says_versions(s)))
        name = os.path.basename(os.path.dirname(folder))
        write(os.path.join(to, "source.json"), json.dumps(
            {"type": "local_path", "path": os.path.join(STAND_INS, name)}))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    module = read(os.path.join(ROOT, "MODULE.bazel"))
    for change in sys.argv[2:]:
        name, version = change.split("=")
        module, count = re.subn(
            r'(name = "%s", version = )"[^"]*"' % re.escape(name),
            r'\1"%s"' % version, module)
        if count != 1:
            sys.exit("MODULE.bazel names no module " + name)
    with tempfile.TemporaryDirectory() as place:
        copy_registry(sys.argv[1], os.path.join(place, "registry"))
        workspace = os.path.join(place, "workspace")
        write(os.path.join(workspace, "MODULE.bazel"), module)
        write(os.path.join(workspace, "WORKSPACE.bzlmod"), "")
        bazel = [os.environ.get("BAZEL", "bazel"), "--ignore_all_rc_files",
                 "--output_base=" + os.path.join(place, "output"), "--batch"]
        status = subprocess.run(
            bazel + ["mod", "graph", "--depth=1", "--lockfile_mode=off",
                     "--check_direct_dependencies=error",
                     "--registry=file://" + os.path.join(place, "registry")],
            cwd=workspace, check=False).returncode
    sys.exit(status)


if __name__ == "__main__":
    main()
