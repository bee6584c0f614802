# SPDX-License-Identifier: Apache-2.0
"""The HTTP monitor and the watchdog: what those who watch are told."""

import http.client
import json
import os
import signal
import socket

import pytest

from conversation.deadline import until
from conversation.port import free_port


class Monitor:
    def __init__(self, port):
        self.port = port

    def ask(self, path, method="GET"):
        """Status, and what was said."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            c.request(method, path)
            r = c.getresponse()
            text = r.read()
            is_ours = r.getheader("Content-Type") == "application/json"
            return r.status, json.loads(text) if text and is_ours else None
        finally:
            c.close()

    def is_ready(self):
        return self.ask("/healthz")[0] == 200


@pytest.fixture
def watched(mqtt_natsd):
    """The section, and who asks."""
    port = free_port()
    return {"port": port}, Monitor(port)


def test_ready_means_that_nats_is_there(start, watched):
    section, monitor = watched
    b = start.bridge({"monitor": section})
    until(monitor.is_ready, "that it is ready")
    b.nats_server.kill()
    until(lambda: not monitor.is_ready(), "that NATS is missed")
    status, said = monitor.ask("/healthz")
    assert (status, said["error"]) == (503, "NATS is away")
    assert monitor.ask("/healthz?live=1") == (200, {"status": "ok"})
    b.nats_server.restart()
    until(monitor.is_ready, "that it is ready again")


def test_counters_have_names(start, watched):
    section, monitor = watched
    b = start.join(start.daemon("", {
        "monitor": section, "limits": {"max_topic_levels": 2}}), None)
    until(monitor.is_ready, "that it is ready")
    client = b.mqtt("c")
    client.publish("a/b", b"12345", qos=1)
    client.publish("a/b/c", b"secret", qos=1)
    status, said = monitor.ask("/varz")
    assert status == 200
    assert said["clients"]["connected"] == 1
    assert said["messages"]["publishes_in"] == 2
    assert said["limits"]["max_topic_levels"] == 1
    assert said["limits"]["message_rate"] == 0
    assert "nats" not in said
    assert "secret" not in json.dumps(said)


def test_it_takes_nothing_but_small_questions(start, watched):
    section, monitor = watched
    start.daemon("", {"monitor": section})
    until(monitor.is_ready, "that it is ready")
    assert monitor.ask("/other")[0] == 404
    assert monitor.ask("/healthz", "HEAD")[0] == 200
    assert monitor.ask("/healthz", "POST")[0] in (405, 501)
    assert monitor.ask("/" + "x" * 8000)[0] in (400, 404, 413)
    assert monitor.is_ready()


def test_who_holds_all_connections_keeps_others_waiting_only(start, watched):
    section, monitor = watched
    b = start.join(start.daemon("", {"monitor": section, "server": {
        "core_dumps": "yes"}}), None)  # whose descriptors can be counted
    until(monitor.is_ready, "that it is ready")
    before = len(os.listdir(f"/proc/{b.daemon.pid()}/fd"))
    held = [socket.create_connection(("127.0.0.1", monitor.port))
            for _ in range(60)]
    b.mqtt("c").ping()
    assert len(os.listdir(f"/proc/{b.daemon.pid()}/fd")) <= before + 20
    for s in held:
        s.close()
    until(monitor.is_ready, "that it answers")


def test_systemd_hears_that_it_is_ready_and_alive(start, tmp_path,
                                                  monkeypatch):
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(15)

        def hears(word):
            while not s.recv(4096).startswith(word):
                pass

        daemon = start.daemon("")
        hears(b"READY=1")
        hears(b"WATCHDOG=1")
        hears(b"WATCHDOG=1")
        daemon.signal(signal.SIGHUP)
        hears(b"RELOADING=1")
        hears(b"READY=1")
        daemon.signal(signal.SIGTERM)
        hears(b"STOPPING=1")
