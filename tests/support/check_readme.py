#!/usr/bin/env python3
"""Checks README.md against what it speaks of.

    tests/support/check_readme.py [--self-test]

- What it prints of a WORKSPACE, a .bazelrc and a BUILD file is what
  tests/consumer builds, and what it installs for that is what the scripts do.
- Its table of options has every option of the headers, and no other.
- Its table of errors has every reason, with its code.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Header, struct -> how the README's names of its members begin. The parts of
# ClientOptions that are structs themselves have rows for their own members.
STRUCTS = [
    ("client_options.h", "HandshakeConfig", "handshake."),
    ("client_options.h", "TlsOptions", "tls."),
    ("client_options.h", "ShutdownOptions", "shutdown."),
    ("client_options.h", "ClientOptions", ""),
    ("command.h", "Command", "Command::"),
]
PARTS = {"handshake", "tls", "shutdown"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def members(header, struct):
    """The names of a struct's members, all of which have a default."""
    body = re.search(r"^struct %s \{\n(.*?)^\};" % struct, header, re.M | re.S).group(1)
    # A long type stands on lines of its own.
    body = re.sub(r"\n      (?! )", " ", body)
    return re.findall(r"^  (?!//)[\w:][^()\n]*?(?:\([^()\n]*\)[^()\n]*?)?(\w+)\s*=[ \n]", body, re.M)


def options():
    names = set()
    for header, struct, lead in STRUCTS:
        for name in members(read("sdk/goplugin/" + header), struct):
            if struct != "ClientOptions" or name not in PARTS:
                names.add(lead + name)
    return names


def rows(readme, heading):
    """The cells of the first table below a heading, without its head."""
    text = readme.split("\n## %s\n" % heading, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.M).group(0)
    return [[cell.strip() for cell in line.strip("|").split(" | ")]
            for line in table.splitlines()[2:]]


def named_options(readme):
    """`a.b`, `.c` is a.b and a.c; `X::a`, `b` is X::a and X::b."""
    names = set()
    for row in rows(readme, "Options"):
        lead = ""
        for name in re.findall(r"`([^`]+)`", row[0]):
            if name.startswith("."):
                name = lead + name[1:]
            elif "." not in name and "::" not in name:
                name = (lead if lead.endswith("::") else "") + name
            lead = re.match(r"(.*(?:\.|::))?", name).group(0)
            names.add(name)
    return names


def differences(what, documented, real):
    return ["README.md's %s lack %s" % (what, name) for name in sorted(real - documented)] + [
        "README.md's %s have %s, which is none" % (what, name)
        for name in sorted(documented - real)
    ]


def check_options(readme):
    return differences("options", named_options(readme), options())


def reasons():
    table = read("sdk/goplugin/internal/error/reason_table.cc")
    return {(name, re.sub(r"(?<!^)(?=[A-Z])", "_", code).upper())
            for name, code in re.findall(r'\{"(\w+)",\s*Reason::\w+,\s*Code::k(\w+)\}', table)}


def check_reasons(readme):
    documented = {(name, row[1].split(",")[0])
                  for row in rows(readme, "Errors")
                  for name in re.findall(r"`([^`]+)`", row[0])}
    return differences("reasons", documented, reasons())


def snippets(readme):
    """The code blocks whose file is named before them, as in `WORKSPACE`:"""
    return dict(re.findall(r"`([\w.]+)`:\n\n```\w*\n(.*?)^```$", readme, re.M | re.S))


def check_snippets(readme):
    found = snippets(readme)
    problems = []
    for name in ["WORKSPACE", ".bazelrc", "BUILD.bazel"]:
        printed = found.get(name)
        if printed is None:
            problems.append("README.md prints no " + name)
            continue
        printed = printed.replace('"third_party/go-plugin-cpp"', '"../.."')
        real = read("tests/consumer/" + name)
        if not real.startswith(printed) or (name != ".bazelrc" and real != printed):
            problems.append("README.md's %s is not tests/consumer/%s" % (name, name))
    return problems


def packages():
    """What the scripts install to build the SDK, its examples, and tests of hosts."""
    listed = re.search(r'BUILD_PACKAGES="([^"]*)"', read("tests/support/install.sh")).group(1)
    return set(listed.split()) | {"bazel-bootstrap", "libgmock-dev", "libgtest-dev"}


def check_packages(readme):
    line = re.search(r"^    apt-get install ((?:.*\\\n)*.*)$", readme, re.M)
    documented = set(line.group(1).replace("\\\n", " ").split()) if line else set()
    return differences("packages", documented, packages())


def self_test():
    """Each kind of mistake is found."""
    readme = read("README.md")
    for old, new in [("`start_timeout`", "`begin_timeout`"), ("| `multiplex` |", "| |"),
                     ("| `crashed` | UNAVAILABLE", "| `crashed` | ABORTED"),
                     ("| `mux_unsupported`", "| `mux`"), ("grpc_only = True", "grpc_only = False"),
                     ("libasio-dev", "libboost-dev"), ("build --dynamic_mode=off", "build"), ("go_plugin_cpp_system_dependencies()", "x()")]:
        assert old in readme, old
        found = check(readme.replace(old, new))
        assert len(found) > len(check(readme)), "not found: " + new


def check(readme):
    return (check_options(readme) + check_reasons(readme) + check_snippets(readme) +
            check_packages(readme))


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    problems = check(read("README.md"))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
