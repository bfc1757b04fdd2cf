#!/usr/bin/env python3
"""Compares what two plugins cost before anybody calls them.

    plugin_start.py [--rounds N] -- PLUGIN [ARGS...] -- PLUGIN [ARGS...]

Starts the two in turns, as a host does, N times each (100). Prints the medians
of the time from the start to the handshake line, of the processor time until
half a second later, and of what is then resident, the plugin's own and all;
and the ratio of each, second to first, with the quartiles over the rounds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

SETTLE = 0.5


def processor_ms(pid):
    """Of all its threads, those that have ended left out."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def resident_kib(pid):
    sizes = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "RssAnon"):
                sizes[name] = int(value.split()[0])
    return sizes["RssAnon"], sizes["VmRSS"]


def measure(command, directory):
    environment = dict(os.environ, BASIC_PLUGIN="hello",
                       PLUGIN_PROTOCOL_VERSIONS="1",
                       PLUGIN_UNIX_SOCKET_DIR=directory)
    begin = time.monotonic()
    with subprocess.Popen(command, cwd=directory, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as plugin:
        line = plugin.stdout.readline()
        taken = (time.monotonic() - begin) * 1e3
        if not line.startswith(b"1|"):
            sys.exit(f"{command[0]} printed no handshake line: {line!r}")
        time.sleep(SETTLE)
        figures = (taken, processor_ms(plugin.pid), *resident_kib(plugin.pid))
        plugin.terminate()
    return figures


def report(name, unit, first, second):
    ratios = [b / a for a, b in zip(first, second)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name:28} {statistics.median(first):9.2f} "
          f"{statistics.median(second):9.2f} {unit:4} "
          f"{middle:.3f} ({low:.3f}, {high:.3f})")


def main():
    words = sys.argv[1:]
    rounds = 100
    if words[:1] == ["--rounds"]:
        rounds = int(words[1])
        words = words[2:]
    if words.count("--") != 2 or words[0] != "--":
        sys.exit(__doc__)
    middle = words.index("--", 1)
    commands = words[1:middle], words[middle + 1:]
    for command in commands:
        command[0] = os.path.abspath(command[0])
    figures = [], []
    with tempfile.TemporaryDirectory() as directory:
        for i in range(rounds):
            # Whoever is first meets the other's caches: in turns.
            for which in (0, 1) if i % 2 == 0 else (1, 0):
                figures[which].append(measure(commands[which], directory))
    rows = [("time to the line", "ms"), ("processor time", "ms"),
            ("resident, its own", "KiB"), ("resident, all", "KiB")]
    for i, (name, unit) in enumerate(rows):
        report(name, unit, *([one[i] for one in them] for them in figures))


if __name__ == "__main__":
    main()
