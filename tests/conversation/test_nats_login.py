# SPDX-License-Identifier: Apache-2.0
"""How the daemon logs in to NATS, with words that try to break out."""

import base64
import os
import shutil
import subprocess

import pytest

from conversation.deadline import until

HOSTILE = {
    "quotes": ('q"x', 'p"y'),
    "backslash": ("a\\", "b\\\\\""),
    "JSON": ('","user":"root', '"}'),
    "not ASCII": ("ünser", "pässwörd-漢"),
    "spaces": ("a user", "a pass phrase"),
    "at and colon": ("us@er", "p:a@s/s"),
    "long": ("u" * 200, "p" * 500),
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def users(*logins):
    rows = ", ".join("{user: %s, password: %s}" % tuple(map(quoted, login))
                     for login in logins)
    return "authorization { users: [%s] }" % rows


def works(b, **login):
    login = login or {"user": "t", "pass": "t"}
    b.linked(**login)
    n, client = b.nats(**login), b.mqtt()
    service = n.subscribe("out")
    client.subscribe("in")
    client.publish("out", b"1")
    assert service.next().payload == b"1"
    n.publish("in", b"2")
    assert client.message().payload == b"2"


@pytest.mark.parametrize("name", HOSTILE)
def test_user_and_password(start, name):
    user, password = HOSTILE[name]
    nats_server = start.nats_server(users((user, password), ("t", "t")))
    daemon = start.daemon(nats_server, {"nats": {
        "user": user, "password": password}})
    works(start.join(daemon, nats_server))
    assert password not in daemon.log_text()


def test_user_and_password_in_the_url(start):
    nats_server = start.nats_server(users(("anna", "h1dden"), ("t", "t")))
    daemon = start.daemon(nats_server.url("anna", "h1dden"))
    works(start.join(daemon, nats_server))
    assert "h1dden" not in daemon.log_text()


@pytest.mark.parametrize("token", ["s3cr3t", 'to"ken\\', "t o k e n"])
def test_a_token(start, token):
    nats_server = start.nats_server(
        "authorization { token: %s }" % quoted(token))
    daemon = start.daemon(nats_server, {"nats": {"token": token}})
    works(start.join(daemon, nats_server), auth_token=token)
    assert token not in daemon.log_text()


def test_a_wrong_password_is_no_reason_to_stop(start):
    nats_server = start.nats_server(users(("anna", "right"), ("t", "t")))
    daemon = start.daemon(nats_server, {"nats": {
        "user": "anna", "password": "wrong-one"}})
    b = start.join(daemon, nats_server)
    client = b.mqtt()
    client.subscribe("a")
    client.publish("a", b"x")
    assert client.message().payload == b"x"
    daemon.wait_log("(?i)auth")
    assert "wrong-one" not in daemon.log_text()


# NKeys: base32 of a prefix, 32 bytes and a CRC

def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def nkey_encode(data):
    data += crc16(data).to_bytes(2, "little")
    return base64.b32encode(data).decode().rstrip("=")


@pytest.fixture
def nkey(tmp_path):
    """A user's seed file and public key, of OpenSSL's making."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl")
    der = subprocess.run([openssl, "genpkey", "-algorithm", "ed25519",
                          "-outform", "DER"], check=True,
                         capture_output=True).stdout
    public = subprocess.run(
        [openssl, "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
        input=der, check=True, capture_output=True).stdout[-32:]
    seed_prefix, user = 18 << 3, 20 << 3
    seed = bytes([seed_prefix | user >> 5, (user & 31) << 3]) + der[-32:]
    path = tmp_path / "user.nk"
    path.write_text(nkey_encode(seed) + "\n")
    path.chmod(0o600)
    return str(path), nkey_encode(bytes([user]) + public)


def test_an_nkey(start, nkey):
    path, public = nkey
    nats_server = start.nats_server(
        "authorization { users: [{nkey: %s}, {user: t, password: t}] }"
        % public)
    daemon = start.daemon(nats_server, {"nats": {"nkey_seed_file": path}})
    works(start.join(daemon, nats_server))


# TLS

def run(*command, cwd):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a server's and a client's certificate."""
    where = tmp_path_factory.mktemp("certificates")
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run(openssl, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=authority", "-days", "2", cwd=where)
    for name in ("server", "client"):
        (where / f"{name}.ext").write_text(
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        run(openssl, "req", *new, "-keyout", f"{name}.key", "-out",
            f"{name}.csr", "-subj", f"/CN={name}", cwd=where)
        run(openssl, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem",
            "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            f"{name}.ext", "-out", f"{name}.pem", cwd=where)
    return lambda name: os.path.join(where, name)


def tls_config(file, verify=False):
    return ('tls { cert_file: "%s", key_file: "%s", ca_file: "%s"%s }'
            % (file("server.pem"), file("server.key"), file("ca.pem"),
               ", verify: true" if verify else ""))


def tls_works(b):
    """Two daemons on one TLS server; the harness speaks no TLS."""
    first, second = b
    client, other = first.mqtt(), second.mqtt()
    client.subscribe("in")

    def arrived():
        other.publish("in", b"2")
        client.ping()
        return client.pending

    until(arrived, "a message through TLS")


def test_tls(start, certificates):
    nats_server = start.nats_server(tls_config(certificates))
    ini = {"nats": {"tls": "yes", "ca_file": certificates("ca.pem")}}
    tls_works([start.join(start.daemon(nats_server, ini), None)
               for _ in range(2)])


def test_tls_with_a_client_certificate(start, certificates):
    nats_server = start.nats_server(tls_config(certificates, True))
    ini = {"nats": {"tls": "yes", "ca_file": certificates("ca.pem"),
                    "cert_file": certificates("client.pem"),
                    "key_file": certificates("client.key")}}
    tls_works([start.join(start.daemon(nats_server, ini), None)
               for _ in range(2)])


def test_a_server_that_nobody_signed_is_not_trusted(start, certificates):
    nats_server = start.nats_server(tls_config(certificates))
    log = nats_server.log_size()
    daemon = start.daemon(nats_server, {"nats": {
        "tls": "yes", "ca_file": certificates("client.pem")}})
    b = start.join(daemon, None)
    nats_server.wait_log("(?i)tls handshake error", log)
    client = b.mqtt()
    client.subscribe("a")
    client.publish("a", b"local")
    assert client.message().payload == b"local"


# An operator, an account and a user, made for this test alone.
OPERATOR = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3MDAwMDAwMDA"
    "sImlzcyI6Ik9CWUMyNkZBUlhaV1dVTkRJNUJORUpIQ0dRUUNKN0I1U1VJS0lETTc3Wkc0T"
    "Vg0RDdPVFNSRlA0IiwibmFtZSI6Im9wZXJhdG9yIiwic3ViIjoiT0JZQzI2RkFSWFpXV1V"
    "OREk1Qk5FSkhDR1FRQ0o3QjVTVUlLSURNNzdaRzRNWDREN09UU1JGUDQiLCJuYXRzIjp7I"
    "nR5cGUiOiJvcGVyYXRvciIsInZlcnNpb24iOjJ9LCJqdGkiOiJUTlpNS081VElENTIySzV"
    "MM1BJTVM1VUI1SEFRUVFFQU9GUkVTSUVBVjRIQjdVS1pVUlpBIn0.lreByWU1v8EIwXcQk"
    "RqAx_UfmIzOHJpYx1gSn375eBZ9fPOUUo43CaoctPDaYogq_N_Gr_W78Nkvra7DdJBEBg"
)
ACCOUNT_KEY = "AA4IC4IB3I2A7IFSGSF57RTJVMBQMZS4CLOJOHM3PJV6NPXLKILCQNHQ"
ACCOUNT = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3MDAwMDAwMDA"
    "sImlzcyI6Ik9CWUMyNkZBUlhaV1dVTkRJNUJORUpIQ0dRUUNKN0I1U1VJS0lETTc3Wkc0T"
    "Vg0RDdPVFNSRlA0IiwibmFtZSI6ImFjY291bnQiLCJzdWIiOiJBQTRJQzRJQjNJMkE3SUZ"
    "TR1NGNTdSVEpWTUJRTVpTNENMT0pPSE0zUEpWNk5QWExLSUxDUU5IUSIsIm5hdHMiOnsid"
    "HlwZSI6ImFjY291bnQiLCJsaW1pdHMiOnsic3VicyI6LTEsImRhdGEiOi0xLCJwYXlsb2F"
    "kIjotMSwiaW1wb3J0cyI6LTEsImV4cG9ydHMiOi0xLCJ3aWxkY2FyZHMiOnRydWUsImNvb"
    "m4iOi0xLCJsZWFmIjotMX0sImRlZmF1bHRfcGVybWlzc2lvbnMiOnsicHViIjp7fSwic3V"
    "iIjp7fX0sInZlcnNpb24iOjJ9LCJqdGkiOiJRRzRVM1M3QUpYTk1TRUFPWlhVR1IySlRGN"
    "VlIWlpIU1VWVlNYTUw1R0NGSTRLM0VFSkxRIn0.i6S04Hc6BD1xq3PywsKAhaCR6LHSB_2"
    "0BkCZQkmPD5TPHXdnj9rxMxxmYlZeIdWlvtPk601WI4cG_pU4Eq5pBw"
)
USER = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3MDAwMDAwMDA"
    "sImlzcyI6IkFBNElDNElCM0kyQTdJRlNHU0Y1N1JUSlZNQlFNWlM0Q0xPSk9ITTNQSlY2T"
    "lBYTEtJTENRTkhRIiwibmFtZSI6InVzZXIiLCJzdWIiOiJVQk1YRlhYWE1GSURGUkZaQUg"
    "zQUNDUlRFSUREWFhFU1VMSFA2RlNKRjZNVkcyU0RMRFZCR1JPUiIsIm5hdHMiOnsidHlwZ"
    "SI6InVzZXIiLCJwdWIiOnt9LCJzdWIiOnt9LCJzdWJzIjotMSwiZGF0YSI6LTEsInBheWx"
    "vYWQiOi0xLCJ2ZXJzaW9uIjoyfSwianRpIjoiV0lGNUE3VU5SNVo2QUMzRlFBVENOQU8zT"
    "zZEM0c1WEg2RVhBQURTQ1RESU5FMkpMRkVRUSJ9.kKsOJ2MNL7y9wRKkFck4i0Z3x8U6im"
    "Uf0-Z1qu4MhtY2BO3udzEmTAOKbwsgs5IHlgx59ecscdr71JQ6Gt32Dg"
)
SEED = "SUAKZJ2A43L365QLWNJAMZPZHQ3WKLGAQMVGMMDSHNMTA5CFUSILP6WVGA"

OPERATOR_MODE = """
operator: %s
resolver: MEMORY
resolver_preload: { %s: %s }
""" % (OPERATOR, ACCOUNT_KEY, ACCOUNT)


def creds(seed):
    return ("-----BEGIN NATS USER JWT-----\n%s\n"
            "------END NATS USER JWT------\n\n"
            "-----BEGIN USER NKEY SEED-----\n%s\n"
            "------END USER NKEY SEED------\n" % (USER, seed))


def test_a_credentials_file(start, tmp_path):
    """Two nodes, which see each other only if NATS lets both in."""
    file = tmp_path / "user.creds"
    file.write_text(creds(SEED))
    nats_server = start.nats_server(OPERATOR_MODE)
    one, two = (start.join(start.daemon(nats_server, {
        "nats": {"creds_file": str(file)}}), nats_server) for _ in range(2))
    publisher, subscriber = one.mqtt(), two.mqtt()
    subscriber.subscribe("a")

    def arrives():
        publisher.publish("a", b"x")
        subscriber.ping()
        return subscriber.pending

    until(arrives, "a message from node to node")
    for b in (one, two):
        assert SEED not in b.daemon.log_text()


def test_a_credentials_file_of_somebody_else(start, tmp_path):
    """The seed does not belong to the JWT: NATS says no, and so does the log."""
    file = tmp_path / "user.creds"
    other = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
    file.write_text(creds(other))
    nats_server = start.nats_server(OPERATOR_MODE)
    daemon = start.daemon(nats_server, {"nats": {"creds_file": str(file)}})
    daemon.wait_log("cannot connect to NATS: Authorization Violation")
    assert other not in daemon.log_text()
