#!/usr/bin/env python3
"""What a room of the SDK may not do, by what it calls and includes.

  check_calls.py [--root DIRECTORY]
  check_calls.py --self-test     that planted calls and includes are found

1. Files, directories and sockets are made, changed and removed by
   sdk/goplugin/internal/files/ alone: a path that somebody else can redirect
   must not be used elsewhere.
2. What runs on the loop's thread includes nothing, through however many of our
   headers, that reads files, asks a name service, or makes keys.
3. Nothing waits for a time by Abseil's own waits, which go by the wall clock in
   2022: versions/steady_condition.h is there instead.

Ends with code 1 and a line for each place. What may be is in ALLOWED, with the
reason; a line there that is not needed any more is an error, too.
"""

import os
import re
import sys
import tempfile

FILES_ROOM = "sdk/goplugin/internal/files/"

# By path, or by a name in a directory.
CALLS = """
bind chmod chown creat fchmodat fchownat lchown link linkat mkdir mkdirat
mkdtemp mkfifo mkfifoat mknod mknodat mkostemp mkstemp rename
renameat renameat2 rmdir symlink symlinkat truncate unlink unlinkat utimensat
""".split()
CALL = re.compile(r"(?<![\w.>:])(?:::)?(%s)\s*\(" % "|".join(CALLS))
OPEN = re.compile(r"(?<![\w.>:])(?:::)?open(?:64|at|at2)?\s*\(")
WRITES = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b")
FOPEN = re.compile(r"(?<![\w.>:])(?:::|std::)?fopen\s*\([^;]*?"
                   r"\"[^\"]*[wa+][^\"]*\"\s*\)")
# Of one argument: the other one is an algorithm.
REMOVE = re.compile(r"(?<![\w.>])(?:::|std::)remove\s*\("
                    r"[^,()]*(?:\([^()]*\))?[^,()]*\)\s*(?:;|[!=<]|&&|\|\|)")
WORDS = re.compile(r"\bstd::(filesystem|ofstream|fstream|rename)\b")

WAITS = re.compile(r"\b(AwaitWith(?:Timeout|Deadline)"
                   r"|WaitWith(?:Timeout|Deadline)"
                   r"|WaitForNotificationWith(?:Timeout|Deadline))\s*\(")

# The rooms, and single files, whose code runs on the loop's thread.
ON_THE_LOOP = [
    "sdk/goplugin/internal/loop/",
    "sdk/goplugin/internal/mux/bridged_connection.",
    "sdk/goplugin/internal/mux/byte_queue.",
    "sdk/goplugin/internal/mux/connection_socket.",
    "sdk/goplugin/internal/mux/frame.",
    "sdk/goplugin/internal/mux/incoming_knocks.",
    "sdk/goplugin/internal/mux/mux_connection.",
    "sdk/goplugin/internal/mux/outgoing_knocks.",
    "sdk/goplugin/internal/mux/shared_session.",
    "sdk/goplugin/internal/mux/stream_connection.",
    "sdk/goplugin/internal/mux/visitor.",
    "sdk/goplugin/internal/mux/yamux_session.",
    "sdk/goplugin/internal/handshake/line_reader.",
    "sdk/goplugin/internal/log/line_splitter.",
    "sdk/goplugin/internal/log/stderr_tail.",
]
FORBIDDEN_ON_THE_LOOP = re.compile(
    r"<(sys/stat\.h|sys/statfs\.h|sys/statvfs\.h|sys/vfs\.h|sys/mount\.h"
    r"|dirent\.h|ftw\.h|glob\.h|fstream|filesystem|netdb\.h|grp\.h|pwd\.h"
    r"|nss\.h|openssl/.*|asio/ip/.*resolver.*|grpcpp/.*|simdjson\.h)>"
    r"|\"(openssl/.*|simdjson\.h|goplugin/internal/files/.*|goplugin/internal/tls/.*)\"")

# (file, call or header): why it may. Empty but for what the design says.
ALLOWED = {
    ("sdk/goplugin/internal/serve/port_range.cc", "bind"):
        "a tcp port has no path",
    ("sdk/goplugin/internal/process/prepared_spawn.cc", "open for writing"):
        "/dev/null",
    ("sdk/goplugin/internal/process/child_descriptors.cc", "open for writing"):
        "/dev/null",
    ("sdk/goplugin/discover.cc", "std::filesystem"):
        "reads what the user's own pattern names",
}

# Files that are not mended yet. To be emptied; one that has nothing to mend any
# more is an error.
UNMENDED = [
]

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.S)
INCLUDE = re.compile(r"^\s*#\s*include\s+([<\"][^>\"]+[>\"])", re.M)


def without_comments(text):
    """The same length and lines, comments blanked and strings kept short."""

    def blank(match):
        found = match.group(0)
        if found.startswith('"'):
            return found
        return re.sub(r"[^\n]", " ", found)

    return COMMENT.sub(blank, text)


def without_strings(text):
    return re.sub(r"\"(?:\\.|[^\"\\\n])*\"",
                  lambda match: '"' + " " * (len(match.group(0)) - 2) + '"',
                  text)


def arguments(text, opening):
    """What stands between the parenthesis at `opening` and its partner."""
    depth = 0
    for at in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[opening:at]
    return text[opening:]


def is_declaration(text, start):
    """Whether a name with a type before it is declared, not called."""
    before = text[:start].rstrip()
    word = re.search(r"([\w>*&]+)$", before)
    return bool(word) and word.group(1) not in ("return", "else", "do") and \
        not before.endswith((";", "{", "}", "(", ",", "=", "!", "&&", "||"))


def calls_of(text):
    """(position, name) of each call that only the files' room may make."""
    bare = without_strings(text)
    for match in CALL.finditer(bare):
        if not is_declaration(bare, match.start()):
            yield match.start(), match.group(1)
    for match in OPEN.finditer(bare):
        if WRITES.search(arguments(bare, match.end() - 1)):
            yield match.start(), "open for writing"
    for match in FOPEN.finditer(text):
        yield match.start(), "fopen for writing"
    for match in REMOVE.finditer(bare):
        yield match.start(), "remove"
    for match in WORDS.finditer(bare):
        yield match.start(), match.group(0)


def sources(root):
    for directory, _, names in os.walk(os.path.join(root, "sdk")):
        for name in sorted(names):
            if name.endswith((".cc", ".h")):
                path = os.path.join(directory, name)
                yield os.path.relpath(path, root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return without_comments(file.read())


def check_calls(root):
    for path in sources(root):
        if path.startswith(FILES_ROOM):
            continue
        text = read(root, path)
        for at, name in calls_of(text):
            line = text.count("\n", 0, at) + 1
            yield path, line, name, "only internal/files/ may do that"


def check_waits(root):
    for path in sources(root):
        text = without_strings(read(root, path))
        for match in WAITS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield (path, line, match.group(1),
                   "goes by the wall clock: use versions/steady_condition.h")


def check_includes(root):
    """Follows our own headers from each file that runs on the loop."""
    for start in sources(root):
        if not start.startswith(tuple(ON_THE_LOOP)):
            continue
        seen = {start}
        todo = [(start, [start])]
        while todo:
            path, way = todo.pop()
            for match in INCLUDE.finditer(read(root, path)):
                header = match.group(1)
                if FORBIDDEN_ON_THE_LOOP.fullmatch(header):
                    yield (start, 1, header.strip('<>"'),
                           "not on the loop, by " + " > ".join(way))
                own = os.path.join("sdk", header.strip('<>"'))
                if own in seen or not os.path.exists(os.path.join(root, own)):
                    continue
                seen.add(own)
                todo.append((own, way + [own]))


def everything(root):
    return (list(check_calls(root)) + list(check_includes(root)) +
            list(check_waits(root)))


def check(root, allowed):
    found = everything(root)
    used = set()  # of both lists
    bad = 0
    for path, line, name, why in found:
        if path in UNMENDED:
            used.add(path)
            continue
        if (path, name) in allowed:
            used.add((path, name))
            continue
        bad += 1
        print("%s:%d: %s: %s" % (path, line, name, why))
    for path, name in sorted(set(allowed) - used):
        bad += 1
        print("%s: %s: allowed, and not there any more" % (path, name))
    for path in sorted(set(UNMENDED) - used):
        bad += 1
        print("%s: mended: take it off the list" % path)
    return bad


PLANTED = {
    "sdk/goplugin/a.cc": [
        ("void F() { unlink(path.c_str()); }", "unlink"),
        ("void F() { if (::rename(a, b) != 0) return; }", "rename"),
        ("int F() { return bind(fd, address, size); }", "bind"),
        ("int F() { return open(p, O_WRONLY |\n O_CREAT, 0600); }",
         "open for writing"),
        ("int F() { return openat(fd, p, O_RDWR); }", "open for writing"),
        ("void F() { std::remove(p.c_str()); }", "remove"),
        ("std::ofstream file(path);", "std::ofstream"),
        ("FILE* f = fopen(path, \"we\");", "fopen for writing"),
        ("int F() { return fchmodat(AT_FDCWD, p, 0600, 0); }", "fchmodat"),
        ("bool F() { return mutex_.AwaitWithTimeout(c, t); }",
         "AwaitWithTimeout"),
        ("bool F() { return cond.WaitWithDeadline(&m, t); }",
         "WaitWithDeadline"),
    ],
    "sdk/goplugin/internal/loop/a.cc": [
        ("#include <sys/stat.h>", "sys/stat.h"),
        ("#include \"goplugin/deep.h\"", "netdb.h"),
        ("#include <openssl/evp.h>", "openssl/evp.h"),
    ],
}
HARMLESS = """
// unlink(path) in a comment, and mkdir()
void F() {
  Say("rename(a, b)");
  session.bind(a);
  values.erase(std::remove(a.begin(), a.end(), 1), a.end());
  open(path, O_RDONLY | O_CLOEXEC);
  fchmod(fd, 0600);
  std::bind(a, b);
}
"""


def self_test():
    failures = 0
    for path, cases in PLANTED.items():
        for text, name in cases + [(HARMLESS, None)]:
            with tempfile.TemporaryDirectory() as root:
                for file, content in ((path, text), ("sdk/goplugin/deep.h",
                                                     "#include <netdb.h>\n")):
                    target = os.path.join(root, file)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    with open(target, "w", encoding="utf-8") as out:
                        out.write(text if content is text else content)
                found = [entry[2] for entry in everything(root)]
            if found != ([name] if name else []):
                print("self-test: %r: found %s" % (text, found))
                failures += 1
    return failures


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = sys.argv[2] if sys.argv[1:2] == ["--root"] else "."
    sys.exit(1 if check(root, ALLOWED) else 0)


main()
