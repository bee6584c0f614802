# SPDX-License-Identifier: Apache-2.0
"""From the runs to the tables: medians, losses, and RESULTS.md."""

import os
import platform
import re
import subprocess
import time

import servers

TROUBLES = ("lost", "duplicate", "late", "unacked", "bad_acks", "stray",
            "stalls")


def number(value):
    """Three digits that count, no more: 0.412, 12.8, 1,230."""
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.9995 else f"{value:.3f}"


def middle(values):
    """The median of a sorted list; of two in the middle the lower one."""
    return values[(len(values) - 1) // 2]


def one_line(result):
    """A run on the screen."""
    head = f"{result['row']:<10} {result['system']:<11}"
    if "failed" in result:
        return f"{head} FAILED"
    if "skipped" in result:
        return f"{head} skipped: {result['skipped']}"
    parts = [head]
    parts += [f"{n} {number(v)} us" for n, v in result["cpu_us"].items()]
    parts += [f"{n} {number(v)} B" for n, v in result.get("bytes", {}).items()]
    if "latency_us" in result:
        parts.append("p50 {p50} p99 {p99} us".format(**result["latency_us"]))
    parts.append(f"{result['rate']:,.0f}/s")
    if result["others"] > 0.1:
        parts.append(f"others {100 * result['others']:.0f}%")
    parts += [f"{t} {result[t]}" for t in TROUBLES if result.get(t)]
    return "  ".join(parts)


class Cell:
    """One row on one system: its runs, and the median among them."""

    def __init__(self, row, runs):
        self.row = row
        self.runs = sorted((r for r in runs if "cpu_us" in r),
                           key=self.weight)
        self.skipped = next((r["skipped"] for r in runs if "skipped" in r),
                            None)
        self.failed = any("failed" in r for r in runs)
        self.median = middle(self.runs) if self.runs else None

    def weight(self, run):
        """What makes one run better than another: less of this."""
        if self.row.section == "latency":
            return run["latency_us"]["p99"]
        return sum(run["cpu_us"].values())

    def spread(self):
        return (f"{number(self.weight(self.runs[0]))}–"
                f"{number(self.weight(self.runs[-1]))}")

    def troubles(self):
        """Losses and the like, of all runs together."""
        sums = {t: sum(r.get(t, 0) for r in self.runs) for t in TROUBLES}
        return {t: n for t, n in sums.items() if n}


def parts_text(parts, unit=number):
    """0.52 + 0.48 = 1.00 for two processes, 0.52 for one."""
    text = " + ".join(unit(v) for v in parts.values())
    if len(parts) > 1:
        text += f" = **{unit(sum(parts.values()))}**"
    return text


class Facts:
    """What a reader must know about where and how this was measured."""

    def __init__(self, args, seconds):
        self.args = args
        self.minutes = seconds / 60

    @staticmethod
    def first_line(command, pattern):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  timeout=10, check=False)
        except OSError:
            return None
        found = re.search(pattern, done.stdout)
        return found.group(1) if found else None

    @staticmethod
    def from_file(path, pattern, otherwise):
        try:
            with open(path, encoding="utf-8") as f:
                found = re.search(pattern, f.read())
        except OSError:
            found = None
        return found.group(1) if found else otherwise

    def machine(self):
        cpu = self.from_file("/proc/cpuinfo", r"model name\s*: (.*)",
                             platform.machine())
        memory = int(self.from_file("/proc/meminfo", r"MemTotal:\s*(\d+)",
                                    "0")) / (1 << 20)
        system = self.from_file("/etc/os-release", r'PRETTY_NAME="(.*)"',
                                platform.system())
        kernel = re.match(r"[\d.]*\d", platform.release()).group(0)
        return (f"{os.cpu_count()} processors ({cpu}), {memory:.0f} GiB, "
                f"{system}, Linux {kernel}; everything on one machine, over "
                "loopback")

    def versions(self):
        here = os.path.dirname(os.path.abspath(__file__))
        source = self.first_line(
            ["git", "-C", os.path.dirname(here), "log", "-1", "--format=%h",
             "--", "src"], r"^([0-9a-f]+)$")
        ours = self.first_line([servers.Ours.program, "-V"],
                               r"mqtt-natsd (\S+)")
        nats = self.first_line([servers.find_program("nats-server") or "false",
                                "--version"], r"nats-server: v(\S+)")
        mosquitto = self.first_line([servers.find_program("mosquitto")
                                     or "false", "-h"], r"version (\S+)")
        return (f"mqtt-natsd {ours} (source {source}), nats-server {nats}, "
                f"mosquitto {mosquitto}")


METHOD = """\
`bench/load` is one process with one thread that speaks raw MQTT and raw NATS;
payloads have 64 bytes and carry their lane (publisher and topic), their
number in it and the time of sending. So losses, duplicates and wrong order
are counted exactly, for every subscriber.

- **CPU** is user and system time of the whole server process, from the
  process's own clock, between the beginning and the end of the measured
  interval ({seconds} s after {warmup} s of warm-up), divided by the messages
  delivered in it (acknowledged, or else sent, where nobody subscribes). What
  the load generator itself uses is not in it.
- **Closed loop**: a publisher has at most so many messages on the way (1,000
  for 1 to 1 at QoS 0, 100 elsewhere) as published and not yet received by one
  subscriber, or not yet acknowledged, whichever is more. Without subscribers
  and at QoS 0 the publisher asks with PINGREQ how far the server has come.
- **Open loop**, for latency only: messages leave on time whatever happens.
  Latency is from the sending of one to its having been read.
- **Bytes** are the growth of the resident set (`smaps_rollup`), divided by
  the number of connections, subscriptions or messages; the first tenth (at
  most 500 connections) warms up and does not count.
- Servers are started anew for every run. Systems take turns within a row, and
  the rows are gone through {repeat} times; a figure is from the run with the
  median cost. Throughput is for orientation: generator and servers share the
  processors.

Configuration of the servers:

- mqtt-natsd: defaults, with `[qos] ack=local` except where an answer or a
  stream is awaited (`ack=reply`); queues long enough that a burst is not
  refused (`max_inflight=1000`, `max_queued_messages=1000000`).
- mosquitto: no persistence, unlimited queues and in-flight messages,
  `set_tcp_nodelay`, no log: as fast as it can be told to be.
- nats-server's own MQTT: defaults, with JetStream, which it needs, in files
  of a temporary directory; QoS 1 messages are stored there. Beside mqtt-natsd
  it has no JetStream, except in the row with the stream.
"""


class Table:
    """Rows, systems, and the cell where they meet."""

    def __init__(self, rows, labels, results):
        self.rows = rows
        self.labels = labels
        self.cells = {}
        for row in rows:
            for system in labels:
                runs = [r for r in results
                        if r["row"] == row.name and r["system"] == system]
                if runs:
                    self.cells[row.name, system] = Cell(row, runs)

    def section(self, name):
        return [r for r in self.rows if r.section == name]

    def cells_of(self, row):
        """(label, cell) of the systems that did the work."""
        found = ((self.labels[s], self.cells.get((row.name, s)))
                 for s in self.labels)
        return [(label, c) for label, c in found if c and c.median]

    def goals(self):
        """For the screen of who works on the daemon."""
        lines = []
        for row in self.rows:
            for label, cell in self.cells_of(row):
                if row.goal and label.startswith("mqtt-natsd"):
                    lines.append(f"{row.name:<10} {label:<22} "
                                 f"{parts_text(cell.median['cpu_us'])} us; "
                                 f"goal {row.goal}")
        return "\n".join(lines)

    def grid(self, rows, text):
        """A table with a column for each system."""
        systems = [s for s in self.labels if s != "floor" and
                   any((r.name, s) in self.cells for r in rows)]
        heads = [self.labels[s] + (" + nats-server" if s == "ours" else "")
                 for s in systems]
        lines = ["| work | " + " | ".join(heads) + " |",
                 "|---|" + "--:|" * len(systems)]
        for row in rows:
            cells = [self.cells.get((row.name, s)) for s in systems]
            texts = [self.cell_text(c, text) for c in cells]
            lines.append(f"| {row.title} | " + " | ".join(texts) + " |")
        return "\n".join(lines) + "\n"

    @staticmethod
    def cell_text(cell, text):
        if cell is None:
            return "–"
        if cell.median is None:
            return "skipped" if cell.skipped else "failed"
        return text(cell)

    def latency_table(self):
        lines = ["| work | system | p50 | p90 | p99 | p99.9 | CPU |",
                 "|---|---|--:|--:|--:|--:|--:|"]
        for row in self.section("latency"):
            for label, cell in self.cells_of(row):
                lat = cell.median["latency_us"]
                lines.append(
                    f"| {row.title} | {label} | {number(lat['p50'])} | "
                    f"{number(lat['p90'])} | {number(lat['p99'])} | "
                    f"{number(lat['p999'])} | "
                    f"{parts_text(cell.median['cpu_us'])} |")
        return "\n".join(lines) + "\n"

    def memory_table(self):
        lines = ["| one | system | bytes | CPU, µs | per second |",
                 "|---|---|--:|--:|--:|"]
        for row in self.section("memory"):
            for label, cell in self.cells_of(row):
                m = cell.median
                lines.append(
                    f"| {row.title} | {label} | {parts_text(m['bytes'])} | "
                    f"{parts_text(m['cpu_us'])} | {m['rate']:,.0f} |")
        return "\n".join(lines) + "\n"

    def fetch_table(self):
        """Empty when no retained messages were measured."""
        lines = []
        for row in self.rows:
            for label, cell in self.cells_of(row):
                ms = cell.median.get("fetch_ms")
                if ms:
                    lines.append(f"| {label} | {ms['prefix']:.2f} | "
                                 f"{ms['plus']:.2f} | {ms['all']:.0f} |")
        if not lines:
            return ""
        return "\n".join([
            "Milliseconds from SUBSCRIBE to the last of ten messages found "
            "by a literal prefix, of ten found by leading `+`, of all:", "",
            "| system | prefix | `+` | all |", "|---|--:|--:|--:|",
            *lines]) + "\n"

    def troubles_text(self):
        lines = []
        for row in self.rows:
            for system, label in self.labels.items():
                cell = self.cells.get((row.name, system))
                if cell is None:
                    continue
                if cell.skipped:
                    lines.append(f"- {row.title}, {label}: {cell.skipped}")
                if cell.failed:
                    lines.append(f"- {row.title}, {label}: a run failed")
                trouble = ", ".join(f"{n:,} {t.replace('_', ' ')}"
                                    for t, n in cell.troubles().items())
                if trouble:
                    lines.append(f"- {row.title}, {label}: {trouble}")
        if not lines:
            return ("No message was lost, duplicated or out of order, and "
                    "every acknowledgement came, in any run.\n")
        return ("In all other runs every message arrived once and in order, "
                "and every acknowledgement came.\n\n"
                + "\n".join(lines) + "\n")

    def calm_text(self):
        """How busy the machine was with other things."""
        parts = sorted(r["others"] for c in self.cells.values()
                       for r in c.runs)
        if not parts:
            return ""
        return (f"Other work on the machine took {100 * middle(parts):.0f} % "
                "of the processors beside the median run, "
                f"{100 * parts[-1]:.0f} % beside the worst. ")

    def markdown(self, facts):
        cpu = self.section("cpu")
        args = facts.args
        return "\n".join([
            "# What a message costs\n",
            f"{time.strftime('%d %B %Y', time.gmtime())}. "
            f"{facts.machine()}. {facts.versions()}. "
            f"Made by `make bench` in {facts.minutes:.0f} minutes. "
            f"{self.calm_text()}"
            "Less is better unless a heading says otherwise.\n",
            "![chart](results.svg)\n",
            "## CPU per delivered message, µs\n",
            self.grid(cpu, lambda c: parts_text(c.median["cpu_us"])),
            self.floor_text(),
            "## Latency, µs, and CPU per message, µs\n",
            self.latency_table(),
            "## Memory and connections\n",
            self.memory_table(),
            self.fetch_table(),
            "## Losses\n",
            self.troubles_text(),
            "## Messages delivered per second, thousands "
            "(more is better; for orientation)\n",
            self.grid(cpu, lambda c: f"{c.median['rate'] / 1000:,.0f}"),
            f"## Spread: the lowest and the highest of {args.repeat} runs\n",
            "µs of CPU of all server processes per message; latency: p99.\n",
            self.grid(self.rows, lambda c: c.spread()),
            "## How it was measured\n",
            METHOD.format(seconds=f"{args.seconds:g}", warmup=f"{args.warmup:g}",
                          repeat=args.repeat)])

    def floor_text(self):
        cell = self.cells.get(("q0-1-1", "floor"))
        if cell is None or cell.median is None:
            return ""
        cost = number(sum(cell.median["cpu_us"].values()))
        return (f"The floor, a process that only copies the bytes of one "
                f"socket to another: {cost} (1 to 1).\n")
