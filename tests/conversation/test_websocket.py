# SPDX-License-Identifier: Apache-2.0
"""MQTT in WebSocket: by hand, with MQTT.js in Node.js and in Chromium."""

import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from conversation import mqtt
from conversation.deadline import PATIENCE, Deadline
from conversation.mqtt import Closed
from conversation.pki import Authority
from conversation.port import free_port
from conversation.server import sanitized
from conversation.websocket import (ACCEPT, BINARY, CLOSE, CONT, FIN, PING,
                                    PONG, TEXT, WebSocket, frame, request)

pytestmark = pytest.mark.usefixtures("mqtt_natsd")

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("MQTT_JS", "")


class Site:
    """A bridge with a listener for WebSocket."""

    def __init__(self, start, keys=None, ini=None, nats=True):
        self.port = free_port()
        ini = {"listener ws": {"port": self.port, "transport": "ws",
                               **(keys or {})}, **(ini or {})}
        if nats:
            self.bridge = start.bridge(ini=ini)
        else:
            self.bridge = start.join(start.daemon(ini=ini), None)
        self.daemon = self.bridge.daemon

    def socket(self, **options):
        client = WebSocket(self.port, **options)
        self.bridge.opened.append(client)
        return client

    def client(self, client_id, **options):
        client = self.socket()
        client.connect(client_id, **options)
        return client


@pytest.fixture
def site(start):
    return Site(start, nats=False)


# The request.

def test_request_is_answered(site):
    head = site.socket().head
    assert head.startswith("HTTP/1.1 101 ")
    assert f"Sec-WebSocket-Accept: {ACCEPT}" in head
    assert "Sec-WebSocket-Protocol: mqtt" in head
    head = site.socket(upgrade=request("/mqtt?x=y", "z, mqttv3.1")).head
    assert "Sec-WebSocket-Protocol: mqttv3.1" in head


@pytest.mark.parametrize("upgrade,status", [
    (request("/"), 404), (request(protocol=None), 400),
    (request(protocol="graphql-ws"), 400),
    (b"GET /mqtt HTTP/1.1\r\nHost: a\r\n\r\n", 426),
    (b"POST /mqtt HTTP/1.1\r\n", 405), (b"\x10\x0c\0\4MQTT", 400),
    (request(more="Content-Length: 3\r\n"), 400),
    (request(more="X: " + 9000 * "x" + "\r\n"), 431)],
    ids=["path", "no-protocol", "protocol", "plain", "post", "mqtt", "body",
         "long"])
def test_request_is_refused(site, upgrade, status):
    client = site.socket(upgrade=upgrade)
    assert client.head.startswith(f"HTTP/1.1 {status} ")
    with pytest.raises(Closed):
        while True:
            client.fill_raw(Deadline(), "the end")
    assert client.raw.endswith(b"\n")


def test_request_in_parts(site):
    client = site.socket(upgrade=None)
    for byte in request():
        client.send_raw(bytes([byte]))
    assert client.read_head().startswith("HTTP/1.1 101 ")
    assert client.connect("parts").code == 0


def test_frames_right_behind_the_request(site):
    client = site.socket(upgrade=request()
                         + frame(mqtt.connect_packet("at-once")))
    assert client.next().code == 0


@pytest.mark.parametrize("sent", [b"", request()[:60], request()],
                         ids=["nothing", "half", "request"])
def test_who_says_no_connect_is_not_waited_for(start, sent):
    site = Site(start, ini={"limits": {"connect_timeout": "300ms"}},
                nats=False)
    client = site.socket(upgrade=None)
    client.send_raw(sent)
    with pytest.raises(Closed):
        while True:
            client.fill_raw(Deadline(), "the end")
    site.daemon.wait_log("no CONNECT in time")


def test_origins(start):
    site = Site(start, {"ws_origins": "https://a.example"}, nats=False)
    assert " 403 " in site.socket(
        upgrade=request(origin="https://b.example")).head
    assert " 101 " in site.socket(
        upgrade=request(origin="https://a.example")).head
    assert " 101 " in site.socket().head
    site.daemon.wait_log("disconnected: pages of that origin may not")


def test_behind_a_proxy(start):
    site = Site(start, {"proxy_protocol": "yes",
                        "proxy_networks": "127.0.0.1"},
                {"auth": {"allow_anonymous": "yes"}}, nats=False)
    client = site.socket(
        first=b"PROXY TCP4 192.0.2.7 192.0.2.1 50122 8083\r\n")
    assert client.connect("proxied").code == 0
    site.daemon.wait_log(r'"proxied" 192\.0\.2\.7:50122: connected')


# Frames.

def test_packets_may_be_cut_anyhow(site):
    client = site.client("cut")
    packets = (mqtt.subscribe_packet(1, [("a/#", 0)])
               + b"\x30\x05\0\x03a/b" + b"\xc0\0")
    for size in (1, 2, 5, 1000):
        parts = [packets[i:i + size] for i in range(0, len(packets), size)]
        bytes_ = b""
        for i, part in enumerate(parts):
            first = BINARY if i == 0 else CONT
            if i == len(parts) - 1:
                first |= FIN
            bytes_ += frame(part, first=first) + frame(b"?", PING)
        client.send_raw(bytes_)
        assert client.read().type == mqtt.SUBACK
        assert client.read().topic == "a/b"
        assert client.read().type == mqtt.PINGRESP
    assert (PONG, b"?") in client.controls


@pytest.mark.parametrize("bytes_,code", [
    (frame(b"x", TEXT), 1003), (frame(b"x", mask=False), 1002),
    (frame(b"x", CONT), 1002), (frame(b"x", first=0xc2), 1002),
    (frame(b"x", 3), 1002), (frame(126 * b"x", PING), 1002),
    (frame(b"x", first=PING), 1002), (frame(b"\x03", CLOSE), 1002),
    (frame(b"", CLOSE), 1000), (frame(b"\x03\xe9bye", CLOSE), 1001)],
    ids=["text", "no-mask", "goes-on", "rsv", "unknown", "long-ping",
         "ping-in-parts", "half-a-code", "no-code", "going-away"])
def test_close_codes(site, bytes_, code):
    watcher = site.client("watcher")
    watcher.subscribe("will")
    client = site.client("c", will=mqtt.Will("will", b"gone"))
    client.send_raw(bytes_)
    assert client.close_code() == code
    with pytest.raises(Closed):
        client.next_frame()
    assert watcher.message().payload == b"gone"


def test_the_end_of_an_orderly_client(site):
    client = site.client("orderly")
    client.send_raw(frame(b"\xe0\0") + frame(b"\x03\xe8", CLOSE))
    assert client.close_code() == 1000
    site.daemon.wait_log('"orderly".*disconnected: by client')


def test_the_server_says_goodbye(site):
    client = site.client("left")
    site.daemon.stop()
    assert client.close_code() == 1000


def test_large_messages_and_pings_between(site):
    sub = site.client("sub")
    sub.subscribe("big")
    pub = site.client("pub")
    payload = os.urandom(1000000)
    packet = mqtt.publish_packet("big", payload)
    pub.send(packet)
    for i in range(0, len(packet), 70000):
        last = i + 70000 >= len(packet)
        pub.send_raw(frame(packet[i:i + 70000],
                           first=(CONT if i else BINARY)
                           | (FIN if last else 0)))
        sub.send_raw(frame(b"between", PING))
    assert sub.message().payload == payload
    assert sub.message().payload == payload


def test_a_frame_that_promises_much_takes_nothing(site):
    before = site.daemon.rss()
    for _ in range(50):
        client = site.socket()
        client.send_raw(b"\x82\xff\x7f" + 7 * b"\xff" + b"mask" + b"x")
    others = site.client("other")
    others.send(b"\xc0\0")
    assert others.read().type == mqtt.PINGRESP
    assert site.daemon.rss() - before < 8 << 20


def test_a_client_that_pings_and_does_not_read(site):
    client = site.client("flood")
    other = site.client("other")
    client.sock.settimeout(1)
    ping = frame(120 * b"p", PING)
    try:
        for _ in range(200):
            client.sock.sendall(1000 * ping)
        for _ in range(30000):
            client.sock.sendall(ping)
    except socket.timeout:
        pass # nor does the daemon read any more
    other.send(b"\xc0\0")
    assert other.read().type == mqtt.PINGRESP
    if not sanitized():
        assert site.daemon.rss() < 64 << 20
    # Whatever it has missed, its answers are whole.
    while client.next_frame() != (PONG, 120 * b"p"):
        pass


def test_connections_move_between_workers(site):
    """The stream goes with its connection to the worker of the session."""
    for _ in range(6):
        client = site.client("mover", clean=False)
        client.send(b"\xc0\0")
        assert client.read().type == mqtt.PINGRESP


# MQTT.js.

needs_mqtt_js = pytest.mark.skipif(
    not os.path.isdir(os.path.join(MODULES, "mqtt")),
    reason="no MQTT.js: it wants nodejs, npm and a registry")


def tls_keys(directory):
    cert, key = Authority(directory).server()
    return {"tls": "yes", "cert_file": cert, "key_file": key}


def test_wss_by_hand(start, tmp_path):
    site = Site(start, tls_keys(tmp_path), nats=False)
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    context.set_alpn_protocols(["http/1.1"])
    client = site.socket(upgrade=None)
    client.sock = context.wrap_socket(client.sock,
                                      server_hostname="localhost")
    assert client.sock.selected_alpn_protocol() == "http/1.1"
    client.send_raw(request())
    assert client.read_head().startswith("HTTP/1.1 101 ")
    assert client.connect("wss").code == 0
    client.subscribe("big")
    payload = os.urandom(300000)
    client.send(mqtt.publish_packet("big", payload))
    assert client.message().payload == payload
    client.send_raw(frame(b"", CLOSE))
    assert client.close_code() == 1000


@needs_mqtt_js
@pytest.mark.parametrize("scheme,version,name", [
    ("ws", "4", "publish"), ("ws", "4", "session"), ("ws", "5", "many"),
    ("ws", "5", "will"), ("ws", "5", "alias"), ("ws", "5", "properties"),
    ("wss", "4", "publish"), ("wss", "5", "many"), ("wss", "5", "session")])
def test_mqtt_js(start, tmp_path, scheme, version, name):
    site = Site(start, tls_keys(tmp_path) if scheme == "wss" else None)
    done = subprocess.run(
        ["node", os.path.join(HERE, "js", "scenario.js"), name,
         str(site.port), version, site.bridge.topic("")],
        env={**os.environ, "NODE_PATH": MODULES,
             "NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem"),
             "MQTT_URL": f"{scheme}://127.0.0.1:{site.port}/mqtt"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


# A browser.

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


@needs_mqtt_js
@pytest.mark.skipif(not CHROMIUM, reason="no chromium: CHROMIUM names one")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_browser(start, tmp_path, scheme):
    page = free_port()
    keys = tls_keys(tmp_path) if scheme == "wss" else {}
    site = Site(start, {**keys, "ws_origins": f"http://127.0.0.1:{page}"},
                {"listener closed": {"port": free_port(), "transport": "ws",
                                     "ws_origins": "https://example.com"}})
    closed = site.daemon.extra["listener closed"]["port"]
    browser = subprocess.Popen(
        ["node", os.path.join(HERE, "js", "browser.js"), CHROMIUM, str(page),
         f"{scheme}://127.0.0.1:{site.port}/mqtt",
         f"ws://127.0.0.1:{closed}/mqtt"],
        env={**os.environ, "NODE_PATH": MODULES}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while "connected\n" not in said:
            line = browser.stdout.readline()
            assert line, said
            said += line
        site.daemon.kill()
        site.daemon.restart()
        said += browser.communicate(timeout=4 * PATIENCE)[0]
        assert browser.returncode == 0, said
    finally:
        if browser.poll() is None:
            browser.terminate()
            browser.wait()
    assert re.search("disconnected: pages of that origin may not",
                     site.daemon.log_text())
