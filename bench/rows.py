# SPDX-License-Identifier: Apache-2.0
"""What is measured: one row for each kind of work, in the order of the report.

A row names its mode and options of bench/load, the systems that can do the
work and what they need for it. `unit` says which figure of the run counts.
To add a row is to add a line here.
"""

from dataclasses import dataclass, field

MQTT = ("ours-alone", "ours", "mosquitto", "nats")
BRIDGE = ("ours", "nats")


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    section: str
    systems: tuple
    options: dict
    mode: str = "flow"
    source: str = "mqtt"  # where publishers connect
    target: str = "mqtt"  # where subscribers connect
    needs: dict = field(default_factory=dict)
    goal: str = ""
    only_full: bool = False  # not in a quick run


def flow(name, title, systems, goal="", source="mqtt", target="mqtt",
         needs=None, only_full=False, **options):
    return Row(name, title, "cpu", systems, options, "flow", source, target,
               needs or {}, goal, only_full)


def latency(name, title, systems, goal="", target="mqtt", only_full=False,
            **options):
    return Row(name, title, "latency", systems, options, "flow", "mqtt",
               target, {}, goal, only_full)


def memory(name, title, mode, systems=MQTT, goal="", only_full=False,
           **options):
    return Row(name, title, "memory", systems, options, mode, goal=goal,
               only_full=only_full)


ROWS = (
    flow("q0-1-1", "MQTT to MQTT, QoS 0, 1 to 1", ("floor",) + MQTT,
         "0.40 off, 0.60 on", window=1000),
    flow("q0-10-10", "MQTT to MQTT, QoS 0, 10 to 10", MQTT,
         "0.55 off, 0.75 on", pubs=10, subs=10),
    flow("q0-1-500", "MQTT to MQTT, QoS 0, 1 to 500", MQTT, "0.30",
         subs=500, topics=1),
    flow("q0-nobody", "QoS 0, nobody listening", MQTT, "0.25 off, 0.45 on",
         subs=0, window=1000),
    flow("q1-10-10", "MQTT to MQTT, QoS 1, 10 to 10", MQTT, "1.0",
         pubs=10, subs=10, qos=1),
    flow("q2-10-10", "MQTT to MQTT, QoS 2, 10 to 10",
         ("ours-alone", "ours", "mosquitto"), "1.6", only_full=True,
         pubs=10, subs=10, qos=2),
    flow("m2n-1-1", "MQTT to NATS, QoS 0, 1 to 1", BRIDGE,
         "ours 0.45, sum 0.95", target="nats", window=1000),
    flow("m2n-10-1", "MQTT to NATS, QoS 0, 10 to 1", BRIDGE,
         "ours 0.45, sum 0.95", target="nats", pubs=10, subs=1, filter="all"),
    flow("n2m-1-1", "NATS to MQTT, QoS 0, 1 to 1", BRIDGE,
         "ours 0.45, sum 1.0", source="nats", window=1000),
    flow("n2m-1-100", "NATS to MQTT, QoS 0, 1 to 100", BRIDGE,
         "ours 0.45, sum 1.0", source="nats", subs=100, topics=1),
    flow("m2n-q1", "MQTT to NATS, QoS 1, answered by a NATS subscriber",
         BRIDGE, "ours 3, sum 8", target="nats", needs={"ack": "reply"},
         qos=1, answer=1),
    flow("n2m-q1", "NATS to MQTT, QoS 1, answered after the PUBACK",
         ("ours",), "", source="nats", needs={"ack": "reply"}, qos=1),
    flow("m2s-q1", "MQTT QoS 1 into a JetStream stream", BRIDGE, "sum 10",
         needs={"ack": "reply", "stream": True}, pubs=10, subs=0, qos=1),
    latency("lat-m2m", "MQTT to MQTT, 5,000 messages/s, 1 to 1",
            ("floor",) + MQTT, "p50 42, p99 110", rate=5000),
    latency("lat-m2n", "MQTT to NATS, 5,000 messages/s, 1 to 1", BRIDGE,
            "p50 72, p99 250", target="nats", rate=5000),
    latency("lat-fleet", "1,000 publishers, 10,000 messages/s, to 1 on NATS",
            BRIDGE, "sum 50 us; p50 120, p99 500", target="nats", pubs=1000,
            subs=1, rate=10000, filter="all"),
    memory("idle-0", "connection", "idle", conns=10000),
    memory("idle-1", "connection with one subscription", "idle",
           goal="768 bytes", conns=10000, filters=1),
    memory("filters", "subscription, exact, 100 connections", "filters",
           goal="250 bytes, 2.5 us", only_full=True, conns=100, filters=1000),
    memory("retained", "retained message of 64 bytes", "retained",
           ("ours-alone", "ours", "mosquitto"), "350 bytes", only_full=True,
           messages=100000),
)
