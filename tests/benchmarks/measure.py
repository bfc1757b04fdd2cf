"""Runs the benchmark programs and collects what they print."""

import json
import math
import os
import statistics
import subprocess
import time


def run(command, directory):
    """The JSON lines that a program prints; its errors end this one."""
    result = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE,
                            check=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def processor_seconds(command, directory):
    """What a program used of the processor, without its children."""
    with subprocess.Popen(command, cwd=directory,
                          stdout=subprocess.DEVNULL) as process:
        # It stays in /proc until it is waited for. The name in parentheses may
        # hold spaces.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Batches:
    """A cpp_host that makes calls when told to."""

    def __init__(self, program, arguments, directory):
        command = [program, "-bench", "batches", *arguments]
        self._process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.socket = self._read()["socket"]

    def _read(self):
        return json.loads(self._process.stdout.readline())

    def calls(self, channel, call, key, size, count):
        """The summary of `count` calls."""
        line = f"{channel} {call} {key} {size} {count}\n"
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._read()

    def wakes(self):
        """How often its threads have given up a processor so far: the SDK's
        own, and all."""
        own = total = 0
        tasks = f"/proc/{self._process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/status", encoding="ascii") as file:
                status = file.read()
            count = sum(int(line.split(":")[1]) for line in status.splitlines()
                        if "voluntary_ctxt_switches" in line)
            total += count
            own += count if "goplugin-" in status else 0
        return own, total

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def idle_wakes(hosts, seconds):
    """How often a second each of these Batches wakes with nothing to do: the
    SDK's threads, and all."""
    time.sleep(3)  # what the last call has left to do
    before = [host.wakes() for host in hosts]
    time.sleep(seconds)
    return [[(after - count) / seconds
             for after, count in zip(host.wakes(), counts)]
            for host, counts in zip(hosts, before)]


class Pairs:
    """Values of two sides, measured in turns, one of each in a round."""

    def __init__(self, unit="us"):
        self.unit = unit
        self.ours = []
        self.others = []

    def add(self, ours, other):
        self.ours.append(ours)
        self.others.append(other)

    def ratios(self, ours_over_other):
        """Round by round: what disturbs a round disturbs both sides."""
        if ours_over_other:
            return [a / b for a, b in zip(self.ours, self.others)]
        return [b / a for a, b in zip(self.ours, self.others)]


def spread(values):
    """(min, median, max)."""
    return min(values), statistics.median(values), max(values)


def medians(command, directory):
    """The median of every list in the one line that a program prints."""
    line = run(command, directory)[0]
    return {name: statistics.median(values) for name, values in line.items()
            if isinstance(values, list)}


def p99(values):
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def slope(sizes, totals):
    """Of a line through the logarithms of both: 1 for what grows as the sizes
    do, 2 for what grows with their square."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes],
        [math.log(max(total, 1e-9)) for total in totals]).slope


def quartiles(values):
    """(lower quartile, median, upper quartile)."""
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def cold_starts(commands, directory):
    """Cold starts of two programs with the same plugin, in us.

    Returns one dictionary for each. total: Launch to the first reply, the median
    without the program's very first launch. host: the same less the plugin's own
    start. first_host: that of the first launch.
    """
    starts = [[line for line in run(command, directory)
               if line["bench"] == "cold_start"] for command in commands]
    # From the start of the process to its line. The plugin is the same, and so is
    # this time: a host that hears of its process late must neither gain nor lose
    # by it.
    plugin = min(statistics.median(line["line_us"] - line["spawn_us"]
                                   for line in lines[1:]) for lines in starts)

    def totals(lines):
        total = statistics.median(line["reply_us"] for line in lines[1:])
        return {"total": total, "host": total - plugin,
                "first_host": lines[0]["reply_us"] - plugin}

    return [totals(lines) for lines in starts]
