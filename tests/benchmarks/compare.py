"""Measures and prints the table; see README.md. Started by run.sh."""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

import measure
import plugin_start

SECURITY = (("plain", []), ("AutoMTLS", ["-automtls"]))


class Table:
    """Rows: what, ours, the other's, ratio, target, met."""

    WIDTHS = (43, 25, 25, 18, 9, 4)

    def __init__(self):
        self._print(("min/median/max; ratio: median (quartiles)", "ours",
                     "other", "ratio", "target", "met"))
        self._print(tuple("-" * width for width in self.WIDTHS))

    def _print(self, cells):
        padded = (f"{cell:{width}}" for cell, width in zip(cells, self.WIDTHS))
        print(" ".join(padded).rstrip(), flush=True)

    def pairs(self, what, pairs, ours_over_other=False, target=None,
              more_is_better=False):
        """The ratio is other/ours (how much faster ours is), or ours/other.

        The target is the least of the one and the most of the other, unless
        more_is_better.
        """
        at_least = not ours_over_other or more_is_better
        ratios = measure.quartiles(pairs.ratios(ours_over_other))
        wanted, met = "", ""
        if target is not None:
            wanted = f"{'>=' if at_least else '<='} {target}"
            good = ratios[1] >= target if at_least else ratios[1] <= target
            met = "yes" if good else "no"
        self._print((what, show(pairs.ours, pairs.unit),
                     show(pairs.others, pairs.unit),
                     f"{ratios[1]:.2f} ({ratios[0]:.2f}..{ratios[2]:.2f})",
                     wanted, met))

    def growth(self, what, values, slope=None):
        """Values of growing crowds, and the slope of what grows with them."""
        self._print((what, " / ".join(values), "",
                     "" if slope is None else f"slope {slope:.2f}", "", ""))

    def single(self, what, text, target="", met=None):
        verdict = "" if met is None else ("yes" if met else "no")
        self._print((what, text, "", "", target, verdict))


def show(values, unit):
    if unit == "us" and min(values) >= 10000:
        values, unit = [value / 1000 for value in values], "ms"
    digits = 0 if min(values) >= 100 else 1
    return "/".join(f"{v:.{digits}f}" for v in measure.spread(values)) + (
        f" {unit}")


def launch_processor(setup, host, flags):
    """Microseconds of the host's own processor time, for one launch."""
    with_launches, without = (
        measure.processor_seconds(
            host([*flags, "-calls", "0", "-launches", str(count)]),
            setup.directory)
        for count in (setup.processor_launches, 0))
    # The clock ticks in 10 ms.
    return max(with_launches - without, 0.01) / setup.processor_launches * 1e6


def cold_start(table, setup):
    for name, flags in SECURITY:
        both = {part: measure.Pairs() for part in ("total", "host",
                                                   "first_host")}
        options = [*flags, "-launches", str(setup.launches + 1), "-calls", "0"]
        for _ in range(setup.rounds):
            ours, other = measure.cold_starts(
                (setup.cpp(options), setup.go(options)), setup.directory)
            for part, pairs in both.items():
                pairs.add(ours[part], other[part])
        processor = measure.Pairs()
        for _ in range(3):
            processor.add(launch_processor(setup, setup.cpp, flags),
                          launch_processor(setup, setup.go, flags))
        table.pairs(f"cold start, {name} (Go)", both["total"])
        table.pairs(f"  the host's own part, {name} (Go)", both["host"],
                    target=2.0 if flags else 1.0)
        table.pairs("  the same, first launch of a process",
                    both["first_host"])
        table.pairs("  host's processor time, a launch", processor)


def calls_row(table, setup, what, flags, field, sides=None, **verdict):
    """One field of the calls that two hosts make: ours, and the Go host."""
    ours, other = sides or (setup.cpp, setup.go)
    pairs = measure.Pairs("/s" if field == "per_second" else "us")
    for _ in range(setup.rounds):
        pairs.add(*(measure.run(side([*flags, "-launches", "0"]),
                                setup.directory)[0][field]
                    for side in (ours, other)))
    table.pairs(what, pairs, **verdict)


def unary_go(table, setup):
    for name, flags in SECURITY:
        flags = [*flags, "-calls", str(setup.calls)]
        calls_row(table, setup, f"unary, one caller, {name} (Go)", flags,
                  "p50_us")
        calls_row(table, setup, f"unary, 8 callers, {name} (Go)",
                  [*flags, "-parallel", "8"], "per_second",
                  ours_over_other=True)


def batch_pairs(setup, ours, other, call):
    """Pairs of batches, of (Batches, channel name) each: latency, processor."""
    key, count = call
    latency, processor, waits = (measure.Pairs(unit)
                                 for unit in ("us", "us", ""))
    for number in range(setup.batches + 1):
        # Who goes first alternates, too.
        sides = [None, None]
        for side in ((0, 1), (1, 0))[number % 2]:
            batches, channel = (ours, other)[side]
            sides[side] = batches.calls(channel, "get", key, 0, count)
        if number > 0:  # the first one warms up
            latency.add(sides[0]["p50_us"], sides[1]["p50_us"])
            processor.add(sides[0]["cpu_us"], sides[1]["cpu_us"])
            waits.add(sides[0]["waits"], sides[1]["waits"])
    return latency, processor, waits


def batch_rows(table, setup, what, sides, call, target=None):
    latency, processor, waits = batch_pairs(setup, *sides, call)
    table.pairs(what, latency, ours_over_other=True, target=target)
    table.pairs("  host's processor time, a call", processor,
                ours_over_other=True)
    if call[0] == "raw":
        table.pairs("  threads that waited, a call", waits,
                    ours_over_other=True)


def open_batches(setup):
    """A launched plugin with a small and a large value, and the two calls."""
    ours = measure.Batches(setup.program("cpp_host"), setup.plugin,
                           setup.directory)
    ours.calls("sdk", "put", "raw", 16, 1)
    ours.calls("sdk", "put", "large", 3 << 20, 1)
    return ours, (("16 bytes", ("raw", setup.batch_calls)),
                  ("3 MiB", ("large", setup.large_calls)))


def unary_raw(table, setup):
    """The same plugin process for all channels."""
    ours, calls = open_batches(setup)
    alone = measure.Batches(setup.program("cpp_host"),
                            ["-socket", ours.socket], setup.directory)
    for what, call in calls:
        batch_rows(table, setup, f"unary, {what} (raw, same process)",
                   ((ours, "sdk"), (ours, "raw")), call, target=1.02)
        batch_rows(table, setup, f"unary, {what} (raw, without the SDK)",
                   ((ours, "sdk"), (alone, "raw")), call, target=1.02)
    alone.close()
    ours.close()


def passing(table, setup):
    """A supervised channel's calls, and the same client's own channel."""
    ours, calls = open_batches(setup)
    for what, call in calls:
        for channel, name, target in (
                ("passed", "over a passing channel", 1.03),
                ("relayed", "through the relay", None)):
            batch_rows(table, setup, f"unary, {what}, {name}",
                       ((ours, channel), (ours, "sdk")), call, target=target)
    ours.close()


def replicas(table, setup):
    """A Python plugin that computes: one interpreter, and two."""
    pairs = measure.Pairs("/s")

    def per_second(count):
        options = ["-bench", "replicas", "-count", str(count), "-parallel",
                   "4", "-calls", str(setup.computing_calls), "-key",
                   "!burn:400000"]
        return measure.run(setup.cpp(options, setup.computing_plugin),
                           setup.directory)[0]["per_second"]

    for number in range(setup.rounds):
        counts = (2, 1) if number % 2 else (1, 2)
        rates = {count: per_second(count) for count in counts}
        pairs.add(rates[2], rates[1])
    table.pairs("CPU-bound calls (Python), 2 replicas and 1", pairs,
                ours_over_other=True, target=1.7, more_is_better=True)


def idle(table, setup):
    """Hosts of one plugin that have made a call and now have nothing to do."""
    ours, calls = open_batches(setup)
    alone = measure.Batches(setup.program("cpp_host"),
                            ["-socket", ours.socket], setup.directory)
    call = calls[0][1]
    ours.calls("sdk", "get", call[0], 16, call[1])
    alone.calls("raw", "get", call[0], 16, call[1])
    with_sdk, without = measure.idle_wakes((ours, alone), setup.idle_seconds)
    table.single("idle, wake-ups a second: the SDK's threads; all",
                 f"{with_sdk[0]:.1f}; {with_sdk[1]:.1f} "
                 f"(without the SDK {without[1]:.1f})", "< 2",
                 with_sdk[0] < 2)
    alone.close()
    ours.close()


def channel_arguments(table, setup):
    """Raw channels in processes of their own, to one plugin process."""
    ours, calls = open_batches(setup)

    def raw(arguments):
        words = [word for argument in arguments
                 for word in ("-argument", argument)]
        return measure.Batches(setup.program("cpp_host"),
                               [*words, "-socket", ours.socket],
                               setup.directory)

    plain = raw([])
    for arguments in ([], ["grpc.enable_retries=0"],
                      ["grpc.http2.bdp_probe=0"], ["grpc.minimal_stack=1"]):
        changed = raw(arguments)
        name = " ".join(arguments) or "no argument (the noise)"
        for what, call in calls:
            batch_rows(table, setup, f"{name}, {what}",
                       ((changed, "raw"), (plain, "raw")), call)
        changed.close()
    plain.close()
    ours.close()


def broker_rows(table, setup, prefix, flags, rows):
    """Rows of a field, a name and a target."""
    name = "AutoMTLS" if "-automtls" in flags else "plain"
    flags = [*flags, "-measure", str(setup.brokered)]
    ours = [setup.program("broker_host"), *flags]
    other = [setup.broker_peer, *flags, "-host", setup.broker_peer]
    pairs = {field: measure.Pairs() for field, _, _ in rows}
    for _ in range(setup.rounds):
        first, second = (measure.medians(command, setup.directory)
                         for command in ([*ours, setup.broker_peer], other))
        if "shared_us" in pairs:
            shared = measure.medians([*ours, "-shared", setup.broker_peer],
                                     setup.directory)
            first["shared_us"] = shared["dial_back_us"]
            second["shared_us"] = second["dial_back_us"]
        for field, both in pairs.items():
            both.add(first[field], second[field])
    for field, what, target in rows:
        table.pairs(f"{prefix}{what}, {name} (Go)", pairs[field],
                    target=target)


def broker(table, setup):
    for number, (_, flags) in enumerate(SECURITY):
        broker_rows(table, setup, "broker: ", flags, (
            ("dial_us", "dial and first reply", (1.1, 1.5)[number]),
            ("dial_back_us", "the plugin dials back", (1.0, 1.3)[number]),
            ("shared_us", "the same, one server for all", None)))


def multiplexed(table, setup):
    """Everything over one connection, on both sides."""
    small = ["-calls", str(setup.calls)]
    large = ["-calls", "4", "-warmup", "1", "-size", str(64 << 20)]
    for number, (name, security) in enumerate(SECURITY):
        flags = ["-mux", *security]
        target = None if number else 1.0
        calls_row(table, setup, f"mux: unary, {name} (Go)", [*flags, *small],
                  "p50_us", target=target)
        calls_row(table, setup, f"mux: 8 callers, {name} (Go)",
                  [*flags, *small, "-parallel", "8"], "per_second",
                  ours_over_other=True, more_is_better=True, target=target)
        for call in ("put", "get"):
            calls_row(table, setup, f"mux: 64 MiB, {call}, {name} (Go)",
                      [*flags, *large, "-call", call], "p50_us", target=target)
        broker_rows(table, setup, "mux: ", flags, (
            ("dial_us", "dial and first reply", 1.4 if number else 1.0),
            ("dial_back_us", "the plugin dials back", 1.4 if number else 1.0)))

    def bridged(options):
        return setup.cpp(["-mux", *options])

    for what, flags in (("unary", small), ("64 MiB, put",
                                           [*large, "-call", "put"])):
        calls_row(table, setup, f"mux, and without: {what}", flags, "p50_us",
                  sides=(bridged, setup.cpp), ours_over_other=True)
    beside(table, setup)


def beside(table, setup):
    """Small calls on one stream while another one is full."""
    for name, flags in (("mux", ["-mux"]), ("without", [])):
        pairs, rates = measure.Pairs(), []
        for _ in range(setup.rounds):
            line = measure.run(
                [setup.program("broker_host"), *flags, "-beside", "-measure",
                 str(setup.calls), setup.broker_peer], setup.directory)[0]
            pairs.add(measure.p99(line["beside_us"]),
                      measure.p99(line["alone_us"]))
            rates.append(line["bulk_per_second"] / 1e6)
        table.pairs(f"p99 beside a bulk stream, and alone: {name}", pairs,
                    ours_over_other=True, target=3)
        table.single("  the bulk stream", show(rates, "MB/s"))


def plugin_lives(setup, plugin, flags):
    """Medians of a plugin's lives under the Go host: from its start to its
    line, and Kill."""
    options = [*flags, "-launches", str(setup.launches), "-calls", "0"]
    lives = [line for line in measure.run(setup.go(options, plugin),
                                          setup.directory)
             if line["bench"] == "cold_start"]
    return (statistics.median(line["line_us"] - line["spawn_us"]
                              for line in lives),
            statistics.median(line["shutdown_us"] for line in lives))


def plugin_side(table, setup):
    """A plugin of ours, in each way to link it, and the Go one, both under the
    Go host."""
    for linked in ("static", "shared"):
        ours = [setup.program(f"plugin_cpp_{linked}")]
        for name, flags in SECURITY:
            line, end = measure.Pairs(), measure.Pairs()
            for _ in range(setup.rounds):
                sides = [plugin_lives(setup, plugin, flags)
                         for plugin in (ours, setup.plugin)]
                line.add(sides[0][0], sides[1][0])
                end.add(sides[0][1], sides[1][1])
            table.pairs(f"{linked} plugin: to its line, {name}", line,
                        target=1.2 if flags else 1.0)
            table.pairs("  Kill", end, target=0.8)
            # A health check: no plugin has anything to do for it.
            calls_row(table, setup, f"{linked} plugin: unary, {name}",
                      [*flags, "-call", "ping", "-calls", str(setup.calls)],
                      "p50_us", target=1.0,
                      sides=[lambda options, plugin=plugin: setup.go(
                          options, plugin) for plugin in (ours, setup.plugin)])
        resident = measure.Pairs("MiB")
        for _ in range(setup.rounds):
            resident.add(*(plugin_start.measure(plugin, setup.directory)[-1]
                           / 1024 for plugin in (ours, setup.plugin)))
        table.pairs(f"{linked} plugin: resident", resident, target=1.0)


def output_row(table, setup, what, flags, kind, count, target):
    rate, processor = measure.Pairs("M/s"), measure.Pairs("ns")
    dropped = 0
    options = [*flags, "-launches", "0", "-calls", "0", "-output", kind,
               "-count", str(count)]
    for _ in range(setup.rounds):
        sides = [measure.run(side(options, setup.flood_peer),
                             setup.directory)[0]
                 for side in (setup.cpp, setup.go)]
        rate.add(*(side["per_second"] / 1e6 for side in sides))
        processor.add(*(side["host_cpu_us"] * 1e3 / count for side in sides))
        dropped += sides[0]["dropped"]
    if dropped:
        what += f", {dropped / setup.rounds / count:.2%} dropped"
    table.pairs(f"{what} (Go)", rate, ours_over_other=True, target=target,
                more_is_better=True)
    table.pairs("  host's processor time for each", processor)


def output(table, setup):
    for name, flags in SECURITY:
        output_row(table, setup, f"stdio bytes, {name}", flags, "stdout",
                   setup.stdio_bytes, 1.2)
    for kind, what, count, target in (
            ("hclog", "hclog JSON lines", setup.hclog_lines, 10),
            ("text", "plain lines", setup.plain_lines, 7)):
        output_row(table, setup, what, [], kind, count, target)


def growth(table, setup):
    """N launches at the same time, and their end together."""
    crowds = [crowd(setup, count) for count in setup.crowds]

    def row(what, field, scale, unit):
        totals = [line[field] for line in crowds]
        values = [f"{total / count / scale:.2f}"
                  for total, count in zip(totals, setup.crowds)]
        values[-1] += unit
        # What one costs is mostly what the first one costs.
        table.growth(what, values,
                     measure.slope(setup.crowds[1:], totals[1:]))

    counts = "/".join(str(count) for count in setup.crowds)
    row(f"{counts} together, a plugin: wall", "wall_us", 1000, " ms")
    row("  host's processor time", "host_cpu_us", 1000, " ms")
    row("  shutdown, wall", "shutdown_us", 1000, " ms")
    row("  shutdown, host's processor time", "shutdown_cpu_us", 1000, " ms")
    row("  descriptors", "descriptors", 1, "")
    row("  host memory", "grown_kib", 1, " KiB")
    table.growth("  in all: threads (the SDK's)",
                 [f"{line['threads']:.0f} ({line['sdk_threads']:.0f})"
                  for line in crowds])
    table.growth("  in all: host memory, MiB",
                 [f"{line['rss_kib'] / 1024:.1f}" for line in crowds])


def crowd(setup, count):
    """The medians of what `count` plugins at the same time took."""
    options = ["-bench", "together", "-count", str(count)]
    lines = []
    for _ in range(setup.crowd_rounds):
        lines += measure.run(setup.cpp(options), setup.directory)
    for line in lines:
        line["grown_kib"] = line["rss_kib"] - line["rss_before_kib"]
    return {field: measure.spread([line[field] for line in lines])[1]
            for field, value in lines[0].items() if isinstance(value, int)}


def logs(table, setup):
    result = subprocess.run(
        [setup.program("log_benchmark"), "--benchmark_format=json",
         f"--benchmark_min_time={setup.log_seconds}"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in json.loads(result.stdout)["benchmarks"]:
        name = line["name"].split("/")[1]
        table.single(f"log lines, {name}",
                     f"{line['items_per_second'] / 1e6:.2f} million/s")


def overshoot(table, setup):
    command = [setup.program("cpp_host"), "-bench", "overshoot", "-count",
               str(setup.rounds * 2), "-deadline", "500",
               setup.program("misbehave"), "silent"]
    line = measure.run(command, setup.directory)[0]
    low, middle, high = (line[name] / 1000
                         for name in ("min_us", "p50_us", "max_us"))
    table.single("500 ms deadline, overshoot",
                 f"{low:.1f} / {middle:.1f} / {high:.1f} ms", "<= 200 ms",
                 high <= 200)


class Setup:
    """The programs, and how often to run them."""

    def __init__(self, flags, directory):
        self.directory = directory
        self.plugin = [os.path.abspath(flags.plugin)]
        self._programs = os.path.abspath(flags.programs)
        self._go_host = os.path.abspath(flags.go_host)
        self.broker_peer = os.path.abspath(flags.broker_peer)
        self.flood_peer = [os.path.abspath(flags.flood_peer)]
        self.computing_plugin = [
            os.path.abspath(flags.python), os.path.join(
                os.path.dirname(os.path.abspath(__file__)),
                "../conformance/python/few_workers.py"), "--workers=6"]
        self.computing_calls = 60 if flags.quick else 120
        self.brokered = 30 if flags.quick else 100
        self.rounds = 4 if flags.quick else 12
        self.launches = 4 if flags.quick else 8
        self.calls = 1000 if flags.quick else 4000
        self.processor_launches = 20 if flags.quick else 50
        self.batches = 20 if flags.quick else 80
        self.batch_calls = 150
        self.large_calls = 6
        self.idle_seconds = 10 if flags.quick else 30
        self.crowds = (1, 10, 100) if flags.quick else (1, 10, 100, 1000)
        self.crowd_rounds = 3
        self.stdio_bytes = (8 if flags.quick else 32) << 20
        # Some 0.5 s of the Go host's time.
        self.hclog_lines = 100000 if flags.quick else 300000
        self.plain_lines = 1000000 if flags.quick else 3000000
        self.log_seconds = 0.2 if flags.quick else 1

    def program(self, name):
        return os.path.join(self._programs, name)

    def cpp(self, options, plugin=None):
        return [self.program("cpp_host"), "-cwd", self.directory, *options,
                *(plugin or self.plugin)]

    def go(self, options, plugin=None):
        return [self._go_host, "-cwd", self.directory, *options,
                *(plugin or self.plugin)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--programs", required=True)
    parser.add_argument("--go-host", required=True)
    parser.add_argument("--broker-peer", required=True)
    parser.add_argument("--flood-peer", required=True)
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--python", required=True,
                        help="an interpreter with grpcio and the KV service")
    parser.add_argument("--only", default="",
                        help="the names of parts to run, comma-separated")
    flags = parser.parse_args()
    parts = (cold_start, unary_go, unary_raw, passing, replicas,
             channel_arguments, broker, multiplexed, plugin_side, output,
             growth, logs, idle, overshoot)
    wanted = flags.only.split(",") if flags.only else [
        part.__name__ for part in parts]
    with tempfile.TemporaryDirectory() as directory:
        setup = Setup(flags, directory)
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} processors, load {load:.1f}, plugin "
              f"{setup.plugin[0]}\n")
        table = Table()
        for part in parts:
            if part.__name__ in wanted:
                part(table, setup)


if __name__ == "__main__":
    main()
