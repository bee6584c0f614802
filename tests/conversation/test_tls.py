# SPDX-License-Identifier: Apache-2.0
"""TLS on a listener: who gets in, as whom, and what a reload changes."""

import hashlib
import os
import random
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from conversation.deadline import PATIENCE
from conversation.mqtt import V5, Closed, connect_packet
from conversation.pki import Authority

pytestmark = pytest.mark.usefixtures("mqtt_natsd")

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Site:
    """An authority, a daemon whose listener has a certificate of it."""

    def __init__(self, start, directory):
        self.start = start
        self.ca = Authority(directory)
        self.cert, self.key = self.ca.server()

    def serve(self, sections=None, **keys):
        keys = {"tls": "yes", "cert_file": self.cert, "key_file": self.key,
                **keys}
        ini = {"listener main": keys, **(sections or {})}
        self.b = self.start.join(self.start.daemon("", ini), None)
        self.daemon = self.b.daemon
        return self.b

    def serve_clients(self, sections=None, **keys):
        return self.serve(sections, ca_file=self.ca.file, **keys)

    def wrap(self, client=None, session=None, context=None, version=None,
             **limits):
        """A connection with the handshake done."""
        context = context or self.ca.context(client, **limits)
        c = self.b.socket(**({"version": version} if version else {}))
        c.sock = context.wrap_socket(c.sock, server_hostname="localhost",
                                     session=session)
        return c

    def mqtt(self, client_id="", client=None, context=None, session=None,
             version=None, **login):
        c = self.wrap(client, session, context, version)
        c.connack = c.connect(client_id, **login)
        return c

    def refuses(self, client=None, context=None):
        """The handshake fails; with TLS 1.3 the client hears it later."""
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
            c = self.wrap(client, context=context)
            c.send(connect_packet("nobody"))
            c.next()

    def reload(self, word="done"):
        before = self.daemon.log_size()
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log(f"reload: .*{word}", before)


@pytest.fixture
def site(start, tmp_path):
    return Site(start, tmp_path)


def limits(version):
    return {"minimum_version": version, "maximum_version": version}


def echo(client, payload, topic="echo"):
    client.subscribe(topic)
    client.publish(topic, payload)
    assert client.message().payload == payload


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_of_all_sizes_pass(site, version):
    site.serve()
    c = site.mqtt(context=site.ca.context(**limits(version)))
    for size in (0, 1, 16383, 16384, 16385, 65536, 300000, 1000000):
        echo(c, os.urandom(size))


def test_many_packets_in_one_go(site):
    """More than one read takes: what TLS still holds is not forgotten."""
    site.serve()
    c = site.mqtt()
    c.subscribe("n")
    other = site.mqtt()
    packet = b"\x30\x05\x00\x01n" + b"ab"
    other.send(packet * 40000)
    for _ in range(40000):
        assert c.message().payload == b"ab"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_and_plain_mqtt_are_refused(site):
    site.serve()
    old = site.ca.context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    site.refuses(context=old)
    plain = site.b.socket()
    plain.send(connect_packet("plain"))
    plain.expect_close()
    site.mqtt().ping()


def test_alpn(site):
    site.serve()
    context = site.ca.context()
    context.set_alpn_protocols(["http/1.1", "mqtt"])
    assert site.wrap(context=context).sock.selected_alpn_protocol() == "mqtt"
    context.set_alpn_protocols(["http/1.1"])
    site.refuses(context=context)


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed(site, version):
    site.serve()
    context = site.ca.context(**limits(version))
    first = site.mqtt(context=context)
    assert not first.sock.session_reused
    again = site.mqtt(context=context, session=first.sock.session)
    assert again.sock.session_reused
    echo(again, b"again")


@pytest.mark.parametrize("version", VERSIONS)
def test_resumed_clients_are_who_they_were(site, version):
    site.serve_clients(require_client_cert="yes", identity_from="cn",
                       sections={"auth": {"client_id_prefix": "%u"}})
    context = site.ca.context(site.ca.issue("pump"), **limits(version))
    first = site.mqtt("pump-1", context=context)
    again = site.mqtt("pump-2", context=context, session=first.sock.session)
    assert again.sock.session_reused
    third = site.wrap(context=context, session=first.sock.session)
    third.send(connect_packet("valve-1"))
    assert third.next().code == 2


def test_who_has_no_good_certificate_stays_out(site, tmp_path):
    site.serve_clients(require_client_cert="yes")
    good = site.ca.issue("good")
    (tmp_path / "other").mkdir()
    (tmp_path / "same").mkdir()
    stranger = Authority(tmp_path / "other", "other").issue("stranger")
    twin = Authority(tmp_path / "same").issue("twin")
    late = site.ca.issue("late", days=-1)
    site.mqtt(client=good).ping()
    start = site.daemon.log_size()
    site.refuses()
    site.daemon.wait_log("did not return a certificate", start)
    site.refuses(client=late)
    site.daemon.wait_log("refused: certificate has expired", start)
    site.refuses(client=stranger)
    site.daemon.wait_log("refused: unable to get local issuer", start)
    site.refuses(client=twin)
    site.daemon.wait_log("refused: certificate signature failure", start)


def test_certificates_are_optional_unless_required(site, tmp_path):
    site.serve_clients()
    site.mqtt().ping()
    site.mqtt(client=site.ca.issue("good")).ping()
    (tmp_path / "other").mkdir()
    site.refuses(client=Authority(tmp_path / "other").issue("bad"))


def code(site, client_id="", version=None, client=None, **login):
    c = site.wrap(client, version=version)
    c.send(connect_packet(client_id, **({"version": version}
                                        if version else {}), **login))
    return c.next().code


@pytest.mark.parametrize("kind,name", [
    ("cn", "pump"), ("san", "urn:x:pump"), ("fingerprint", None)])
def test_a_certificate_names_its_user(site, tmp_path, kind, name):
    acl = tmp_path / "acl"
    pump = site.ca.issue("pump", san="DNS:pump.example,URI:urn:x:pump")
    if kind == "fingerprint":
        der = ssl.PEM_cert_to_DER_cert(open(pump[0]).read())
        name = hashlib.sha256(der).hexdigest()
    acl.write_text(f"user {name}\ntopic mine\n")
    site.serve_clients(identity_from=kind, sections={
        "auth": {"acl_file": str(acl), "allow_anonymous": "no"}})
    c = site.mqtt(client=pump)
    assert c.subscribe("mine") == [0]
    assert c.subscribe("other") == [0x80]
    assert code(site, client=pump, user=name) == 0
    # It cannot say that it is somebody else, nor can somebody without one.
    assert code(site, client=pump, user="other") == 4
    assert code(site, client=pump, user="other", version=V5) == 0x86
    assert code(site, user=name) == 5
    assert code(site, version=V5) == 0x87
    site.daemon.wait_log(f'as user "{name}"')


@pytest.mark.parametrize("version", [None, V5])
def test_a_certificate_names_its_client(site, version):
    site.serve_clients(identity_from="cn", identity_is_client_id="yes")
    pump, other = site.ca.issue("pump"), site.ca.issue("other")
    assert code(site, "pump", version, pump) == 0
    assert code(site, "", version, pump) == 0
    assert code(site, "other", version, pump) == (0x85 if version else 2)
    assert code(site, "pump", version, other) == (0x85 if version else 2)
    # Who has proven nothing has no name that could be taken.
    assert code(site, "any", version) == 0
    if version:
        c = site.mqtt("", pump, version=version)
        assert c.connack.prop("assigned_client_id") == "pump"


def test_a_name_is_needed_where_certificates_are(site):
    site.serve_clients(identity_from="san", require_client_cert="yes")
    assert code(site, client=site.ca.issue("a", san="DNS:a.example")) == 0
    nameless = site.ca.issue("b")
    assert code(site, client=nameless) == 5
    assert code(site, client=nameless, version=V5, user="a.example") == 0x87


def test_names_that_are_none(site):
    """A DNS name serves where there is no URI; a name with a zero, never."""
    site.serve_clients(identity_from="san", sections={
        "auth": {"allow_anonymous": "no"}})
    assert code(site, client=site.ca.issue("a", san="DNS:a.example")) == 0
    assert code(site, client=site.ca.issue("b", san="IP:10.0.0.1")) == 5
    assert code(site, client=site.ca.issue("c")) == 5


def test_revoked_after_a_reload(site):
    crl = site.ca.crl()
    site.serve_clients(require_client_cert="yes", crl_file=crl)
    good, bad = site.ca.issue("good"), site.ca.issue("bad")
    context = site.ca.context(bad)
    before = site.mqtt(client=good)
    resumable = site.mqtt(context=context)
    site.ca.crl("bad")
    site.reload()
    site.refuses(client=bad)
    # Nor does a ticket of old let it in.
    with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
        c = site.wrap(context=context, session=resumable.sock.session)
        c.send(connect_packet("bad"))
        c.next()
    site.daemon.wait_log("refused: certificate revoked")
    site.mqtt(client=good).ping()
    before.ping()


def peer_serial(c):
    return c.sock.getpeercert()["serialNumber"]


def test_another_certificate_after_a_reload(site):
    site.serve()
    old = site.mqtt()
    site.ca.server()
    site.reload("done")
    new = site.mqtt()
    assert peer_serial(old) != peer_serial(new)
    echo(old, b"x" * 100000)
    echo(new, b"y" * 100000, "other")


def test_a_reload_without_change_keeps_tickets(site):
    site.serve()
    context = site.ca.context()
    first = site.mqtt(context=context)
    site.reload()
    again = site.mqtt(context=context, session=first.sock.session)
    assert again.sock.session_reused


def test_a_bad_file_changes_nothing(site, tmp_path):
    site.serve_clients()
    c = site.mqtt()
    good = (tmp_path / "server.pem").read_text()
    for text in ("", "nonsense\n", good[:200]):
        (tmp_path / "server.pem").write_text(text)
        site.reload(r"mqtt-nats.ini:\d+: \[listener main\] cert_file = .*"
                    "server.pem: ")
        site.mqtt().ping()
    (tmp_path / "server.pem").write_text(good)
    site.ca.issue("other")
    os.replace(tmp_path / "other.key", tmp_path / "server.key")
    site.reload("key_file = .*: it is not the key of cert_file")
    os.unlink(site.ca.file)
    site.reload("key_file|ca_file")
    c.ping()


PSK = "00112233445566778899aabbccddeeff"


def mosquitto(program, site, *arguments):
    return subprocess.run(
        [program, "-h", "localhost", "-p", str(site.daemon.port), "-V",
         "mqttv311", *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE)


def publishes(site, *arguments):
    done = mosquitto("mosquitto_pub", site, "-t", "t", "-m", "x", "-q", "1",
                     *arguments)
    return done.returncode == 0


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_pre_shared_keys(site, tmp_path, version):
    psk, acl = tmp_path / "psk", tmp_path / "acl"
    psk.write_text(f"# keys\npump:{PSK}\n")
    psk.chmod(0o600)
    acl.write_text("user pump\ntopic t\n")
    site.serve(cert_file="", key_file="", psk_file=str(psk), sections={
        "auth": {"allow_anonymous": "no", "acl_file": str(acl)}})

    def known(name="pump", key=PSK):
        return publishes(site, "--tls-version", version, "--psk-identity",
                         name, "--psk", key)
    assert known()
    assert not known(key=PSK.replace("0", "1"))
    assert not known(name="valve")
    psk.write_text(f"valve:{PSK}\n")
    site.reload()
    assert known(name="valve")
    assert not known()
    psk.write_text(f"valve:{PSK}\nvalve:{PSK}\n")
    site.reload(r"psk_file = .*already \(line 2\)")
    assert known(name="valve")


def test_mosquitto_clients(site):
    site.serve_clients(require_client_cert="yes")
    cert, key = site.ca.issue("mosquitto")
    arguments = ["--cafile", site.ca.file, "--cert", cert, "--key", key]
    assert publishes(site, *arguments)
    assert publishes(site, "--tls-alpn", "mqtt", *arguments)
    assert not publishes(site, "--cafile", site.ca.file)


def test_mqtt_js(site, tmp_path):
    modules = os.environ.get("MQTT_JS", "")
    if not os.path.isdir(os.path.join(modules, "mqtt")):
        pytest.skip("no MQTT.js: it wants nodejs, npm and a registry")
    site.serve()
    script = tmp_path / "tls.js"
    script.write_text("""
        const c = require('mqtt').connect('mqtts://localhost:' +
            process.argv[2], { ca: require('fs').readFileSync(
            process.argv[3]), reconnectPeriod: 0 })
        c.on('error', e => { console.error(e); process.exit(1) })
        c.on('connect', () => c.subscribe('js', { qos: 1 }, () =>
            c.publish('js', 'hello', { qos: 1 })))
        c.on('message', (t, p) => process.exit(String(p) == 'hello' ? 0 : 2))
        """)
    done = subprocess.run(
        ["node", str(script), str(site.daemon.port), site.ca.file],
        env={**os.environ, "NODE_PATH": modules}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


# What nobody sends who means well.

def hello(site):
    """The first flight of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = site.ca.context().wrap_bio(incoming, outgoing,
                                     server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_half_open_handshakes_end_in_time(site):
    site.serve(sections={"limits": {"connect_timeout": "1s"}})
    flight = hello(site)
    lines = []
    for part in (b"", flight[:3], flight[:50], flight):
        c = site.b.socket()
        c.send(part)
        lines.append(c)
    shaken = site.wrap()
    bystander = site.mqtt()
    for c in lines:
        assert closed(c.sock)
    shaken.expect_close()
    bystander.ping()


def closed(sock):
    """The server closes; what it says before does not matter."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(65536):
            pass
        return True
    except ConnectionError:
        return True


def record(kind, body, length=None, version=0x0303):
    return struct.pack(">BHH", kind, version,
                       len(body) if length is None else length) + body


def test_records_that_are_none(site):
    site.serve()
    bystander = site.mqtt()
    flight = hello(site)
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\xff" * 20000,
                 record(22, b"\1" * 70, length=0xffff),
                 record(22, b"", length=0x4801),
                 record(22, b"\1\xff\xff\xff" + b"\0" * 16000),
                 record(23, b"x" * 100), record(21, b"\2\x28"),
                 record(20, b"\1") * 1000, record(24, b"\1\xff\xff"),
                 flight + flight, flight + b"\x16\x03\x03" + b"\xff" * 900,
                 flight[:5] + bytes(len(flight) - 5)):
        c = site.b.socket()
        try:
            c.send(data)
            c.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert closed(c.sock)
    bystander.ping()


def garble(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        what = rng.randrange(4)
        at = rng.randrange(len(data))
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[at:at + rng.randint(1, 40)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 40))
        else:
            data[at:at + 2] = b"\xff\xff"
        if not data:
            data = bytearray(b"\x16")
    return bytes(data)


def test_garbled_handshakes_and_records(site):
    """Random faults at random places: the daemon stands, others too."""
    seed = int(os.environ.get("CONVERSATION_SEED", "1"))
    rng = random.Random(seed)
    site.serve()
    bystander = site.mqtt()
    flight = hello(site)
    for i in range(int(os.environ.get("CONVERSATION_STEPS", "300"))):
        c = site.b.socket() if i % 3 else site.wrap()
        raw = c.sock if i % 3 else socket.socket(fileno=c.sock.detach())
        try:
            if i % 3:
                raw.sendall(garble(rng, flight))
            else:
                raw.sendall(garble(rng, record(23, rng.randbytes(60))))
            raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert closed(raw)
        raw.close()
        if i % 50 == 0:
            bystander.ping()
    bystander.ping()
    echo(bystander, b"still here")


def test_no_renegotiation(site):
    site.serve()
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{site.daemon.port}",
         "-tls1_2", "-CAfile", site.ca.file], input="R\nQ\n",
        capture_output=True, text=True, timeout=PATIENCE)
    assert "Verify return code: 0" in done.stdout
    assert "no renegotiation" in done.stderr


def test_a_client_that_does_not_read_holds_nobody_up(site):
    site.serve()
    slow = site.mqtt()
    slow.subscribe("flood", qos=0)
    other = site.mqtt()
    for _ in range(60):
        other.publish("flood", b"x" * 500000)
    other.ping()
    n = 0
    while n < 5 and slow.message().payload == b"x" * 500000:
        n += 1
    assert n == 5
