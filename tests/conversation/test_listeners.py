# SPDX-License-Identifier: Apache-2.0
"""Where clients come from: proxies, networks, UNIX sockets, systemd."""

import os
import socket
import stat
import struct
import subprocess

import pytest

from conversation import mqtt
from conversation.deadline import PATIENCE
from conversation.port import free_port
from conversation.server import Daemon, daemon_command

pytestmark = pytest.mark.usefixtures("mqtt_natsd")

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 50122 1883\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"
      + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
      + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
      + struct.pack("!HH", 50122, 1883))
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def second(start, keys, **options):
    """A daemon with a second listener, and where that listens."""
    port = free_port()
    daemon = start.daemon(ini={
        "listener second": {"port": port, **keys},
        "auth": {"allow_anonymous": "yes"}}, **options)
    return daemon, port


def served(port, first=b"", client_id="d"):
    """Is a client that says this first let in?"""
    with mqtt.Client(port) as client:
        try:
            client.send(first + mqtt.connect_packet(client_id))
            return client.next().code == 0
        except (mqtt.Closed, ConnectionError):
            return False


PROXIED = {"proxy_protocol": "yes", "proxy_networks": "127.0.0.0/8, ::1"}


@pytest.mark.parametrize("header,address", [
    (V1, r"192\.0\.2\.7:50122"), (V2, r"\[2001:db8::7\]:50122"),
    (LOCAL, r"127\.0\.0\.1:\d+")])
def test_the_client_of_a_proxy_is_named(start, header, address):
    daemon, port = second(start, PROXIED)
    assert served(port, header, "pump")
    daemon.wait_log(f'"pump" {address}: ')


@pytest.mark.parametrize("first", [
    b"", b"PROXY TCP4 192.0.2.7\r\n", V1 + V1, V2[:14] + b"\xff\xff" + V2[16:],
    b"\r\n\r\n\0\r\nQUIT\r\r\r\r"])
def test_nobody_comes_without_a_header(start, first):
    daemon, port = second(start, PROXIED)
    assert not served(port, first)
    assert served(port, V1)
    daemon.check()


def test_a_header_is_no_packet_elsewhere(start):
    daemon, _ = second(start, PROXIED)
    assert not served(daemon.port, V1)


def test_others_are_not_believed(start):
    daemon, port = second(start, {**PROXIED, "proxy_networks": "10.0.0.0/8"})
    assert not served(port, V1)
    daemon.wait_log(r"listener second: 127\.0\.0\.1:\d+ is no trusted proxy")


def test_networks_are_about_the_client_not_the_proxy(start):
    _, port = second(start, {**PROXIED, "allow_networks": "192.0.2.0/24",
                             "deny_networks": "192.0.2.8"})
    assert served(port, V1)
    assert not served(port, V1.replace(b"192.0.2.7", b"192.0.2.8"))
    assert not served(port, V2)
    assert not served(port, b"PROXY UNKNOWN\r\n")
    assert not served(port, LOCAL)


def test_half_a_header_is_not_waited_for(start):
    daemon = start.daemon(ini={
        "listener main": PROXIED, "limits": {"connect_timeout": "300ms"},
        "auth": {"allow_anonymous": "yes"}})
    with socket.create_connection(("127.0.0.1", daemon.port)) as s:
        s.settimeout(15)
        s.sendall(V2[:20])
        assert s.recv(10) == b""
    daemon.wait_log("no CONNECT in time")


def test_a_proxied_loopback_is_not_open(start):
    port = free_port()
    daemon = start.daemon(ini={"listener second": {"port": port, **PROXIED}})
    assert served(daemon.port)
    assert not served(port, V1)


def test_networks_change_with_a_reload(start):
    daemon, port = second(start, {"deny_networks": "127.0.0.0/8"})
    assert not served(port)
    daemon.extra["listener second"]["deny_networks"] = "10.0.0.0/8"
    daemon.reload()
    assert served(port)


# UNIX sockets.

def connect_unix(path, client_id="local"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(path)
    s.sendall(mqtt.connect_packet(client_id))
    return s


def unix_daemon(start, **keys):
    directory = start.daemon().directory
    path = os.path.join(directory, "mqtt.sock")
    daemon = start.daemon(ini={"listener local": {"address": path, **keys}})
    return daemon, path


def test_unix_socket(start):
    daemon, path = unix_daemon(start, socket_mode="0600")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with connect_unix(path) as s:
        assert s.recv(4) == b"\x20\x02\0\0"
    daemon.wait_log(f'"local" unix uid {os.getuid()} pid {os.getpid()}: ')
    daemon.stop()
    assert not os.path.exists(path)


def test_unix_socket_of_one_that_was_killed(start):
    daemon, path = unix_daemon(start)
    daemon.kill()
    assert os.path.exists(path)
    daemon.restart()
    with connect_unix(path) as s:
        assert s.recv(4) == b"\x20\x02\0\0"


def test_a_proxy_on_a_unix_socket_is_believed(start):
    daemon, path = unix_daemon(start, proxy_protocol="yes")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(15)
        s.connect(path)
        s.sendall(V1 + mqtt.connect_packet("x"))
        s.recv(4)
    daemon.wait_log(r'192\.0\.2\.7:50122: ')


# systemd.

class Activated(Daemon):
    """Started as systemd does, with sockets from descriptor 3 on."""

    def __init__(self, names, **options):
        self.sockets = []
        self.names = names
        super().__init__("", **options)

    def spawn(self, command, env=None, pass_fds=()):
        self.sockets = [socket.create_server(("127.0.0.1", 0))
                        for _ in self.names]
        ours = [s.fileno() for s in self.sockets]
        # Above where they go, so that none is overwritten.
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate(ours)]
        script = "".join(f"exec {3 + i}<&{fd} {fd}<&-; "
                         for i, fd in enumerate(high))
        script += f'LISTEN_PID=$$ LISTEN_FDS={len(ours)} exec "$@"'
        env = {"LISTEN_FDNAMES": ":".join(self.names), **(env or {})}
        try:
            super().spawn(["bash", "-c", script, "bash", *command], env,
                          high)
        finally:
            for fd in high:
                os.close(fd)

    def port_of(self, name):
        return self.sockets[self.names.index(name)].getsockname()[1]


def test_sockets_of_systemd(start):
    names = ["first", "second", "stray"]
    daemon = start.add(Activated(names, ini={
        "listener second": {"address": "systemd"},
        "listener first": {"address": "systemd"},
        "auth": {"allow_anonymous": "yes"}}))
    assert served(daemon.port_of("second"))
    assert served(daemon.port_of("first"))
    daemon.wait_log('passed a socket "stray" that no listener takes')


def test_no_socket_of_that_name(start):
    path = start.daemon().write("activated.ini",
                                "[listener one]\naddress = systemd\n")
    done = subprocess.run([*daemon_command(), "-c", path],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert ("listener one: systemd has passed no socket of this name"
            in done.stderr)


def test_a_socket_of_systemd_is_not_open_by_itself(start):
    daemon = start.add(Activated(["one"], ini={
        "listener one": {"address": "systemd"}}))
    assert not served(daemon.port_of("one"))
