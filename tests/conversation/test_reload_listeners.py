# SPDX-License-Identifier: Apache-2.0
"""A reload opens, changes and closes listeners; clients stay."""

import os
import signal
import socket
import stat
import threading

import pytest

from conversation.deadline import until
from conversation.mqtt import Client, Closed
from conversation.pki import Authority
from conversation.port import free_port
from conversation.server import accepts, ini_text


class Site:
    def __init__(self, start, ini=None):
        self.daemon = start.daemon("", {"listener main": {}, **(ini or {})})
        self.b = start.join(self.daemon, None)

    def has(self, name, **keys):
        """From the next reload on; without keys: there is none."""
        section = f"listener {name}"
        if keys:
            self.daemon.extra[section] = keys
        else:
            del self.daemon.extra[section]

    def connect(self, port, host="127.0.0.1"):
        client = Client(port, host=host)
        self.b.opened.append(client)
        client.connect()
        return client

    def refused(self):
        """A reload that changes nothing."""
        at = self.daemon.log_size()
        with open(self.daemon.path("mqtt-nats.ini"), "w") as f:
            f.write(ini_text(self.daemon.ini()))
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log("everything stays as it was", at)


@pytest.fixture
def site(start):
    # Its descriptors are counted.
    return Site(start, {"server": {"core_dumps": "yes"}})


def test_a_new_one_opens_and_a_gone_one_closes(site):
    port = free_port()
    first = site.b.mqtt()
    site.has("more", port=port)
    site.daemon.reload()
    second = site.connect(port)
    first.ping()
    site.has("more")
    site.daemon.reload()
    until(lambda: not accepts(port), "its end")
    # Whoever is there stays, and gets what others say.
    second.subscribe("a")
    first.publish("a", b"1")
    assert second.message().payload == b"1"
    # And again.
    site.has("more", port=port)
    site.daemon.reload()
    site.connect(port).ping()


def test_another_port(site):
    old, new = free_port(), free_port()
    site.has("more", port=old)
    site.daemon.reload()
    client = site.connect(old)
    site.has("more", port=new)
    site.daemon.reload()
    site.connect(new).ping()
    until(lambda: not accepts(old), "its end")
    client.ping()


def test_ports_change_hands(site):
    """What one gives up another one may have, with who waits there."""
    a, b = free_port(), free_port()
    site.has("a", port=a)
    site.has("b", port=b)
    site.daemon.reload()
    one, other = site.connect(a), site.connect(b)
    site.has("a", port=b)
    site.has("b", port=a, max_qos=0)
    site.daemon.reload()
    assert site.connect(a).subscribe("x", qos=1) == [0]
    assert site.connect(b).subscribe("x", qos=1) == [1]
    one.ping()
    other.ping()


def test_what_cannot_be_opened_changes_nothing(site):
    port, good = free_port(), free_port()
    with socket.create_server(("127.0.0.1", port)):
        site.has("good", port=good, max_qos=0)
        site.has("more", port=port)
        site.daemon.extra["limits"] = {"max_subscriptions": 1}
        site.refused()
        assert not accepts(good)
        assert site.b.mqtt().subscribe("a", "b", qos=1) == [1, 1]
    site.daemon.reload()
    assert site.connect(good).subscribe("a", qos=1) == [0]
    assert site.b.mqtt().subscribe("a", "b") == [0, 0x80]


def test_tls_from_now_on(site, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.server()
    port = free_port()
    site.has("more", port=port)
    site.daemon.reload()
    plain = site.connect(port)
    site.has("more", port=port, tls="yes", cert_file=cert, key_file=key)
    site.daemon.reload()
    client = Client(port)
    client.sock = authority.context().wrap_socket(
        client.sock, server_hostname="localhost")
    client.connect()
    client.ping()
    plain.ping()
    with pytest.raises((Closed, ConnectionError)):
        site.connect(port)
    site.has("more", port=port)
    site.daemon.reload()
    site.connect(port).ping()
    client.ping()
    client.close()


def test_other_certificates_of_one_that_came_later(site, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.server()
    port = free_port()
    site.has("more", port=port, tls="yes", cert_file=cert, key_file=key)
    site.daemon.reload()

    def serial():
        with socket.create_connection(("127.0.0.1", port)) as s:
            with authority.context().wrap_socket(
                    s, server_hostname="localhost") as tls:
                return tls.getpeercert()["serialNumber"]

    first = serial()
    authority.server()
    site.daemon.reload()
    assert serial() != first


def test_web_sockets_from_now_on(site):
    port = free_port()
    site.has("more", port=port)
    site.daemon.reload()
    site.has("more", port=port, transport="ws", ws_path="/other")
    site.daemon.reload()
    for path, answer in (("/mqtt", b"404"), ("/other", b"101")):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket"
                      "\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                      "\r\nSec-WebSocket-Protocol: mqtt\r\n"
                      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                      .encode())
            assert answer in s.recv(100)


def test_unix_sockets(site, tmp_path):
    path = str(tmp_path / "socket")
    site.has("local", address=path, socket_mode="0600")
    site.daemon.reload()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    site.has("local", address=path, socket_mode="0666")
    site.daemon.reload()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
    site.has("local")
    site.daemon.reload()
    until(lambda: not os.path.exists(path), "the end of the socket")


def test_limits_of_one_that_came_later(site):
    port = free_port()
    site.has("more", port=port)
    site.daemon.reload()
    site.has("more", port=port, max_qos=0, max_connections=1)
    site.daemon.reload()
    assert site.connect(port).subscribe("a", qos=1) == [0]
    with pytest.raises((Closed, ConnectionError)):
        site.connect(port)


def test_while_many_come(site):
    """Nobody who comes is lost while the way to serve them changes."""
    port = free_port()
    site.has("more", port=port)
    site.daemon.reload()
    ends, failed = threading.Event(), []

    def come():
        while not ends.is_set():
            try:
                with Client(port) as client:
                    client.connect()
                    client.ping()
            except BaseException as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=come) for _ in range(4)]
    for t in threads:
        t.start()
    for backlog in range(100, 120):
        site.has("more", port=port, backlog=backlog)
        site.daemon.reload()
    ends.set()
    for t in threads:
        t.join()
    assert failed == []


def test_a_store_of_many_reloads(site):
    """What was opened once stays in memory, but no descriptor does."""
    def count():
        return len(os.listdir(f"/proc/{site.daemon.pid()}/fd"))

    before = count()
    for _ in range(20):
        site.has("more", port=free_port())
        site.daemon.reload()
    until(lambda: count() <= before + 1, "the others to be closed")
