# SPDX-License-Identifier: Apache-2.0
"""The command line and the configuration file: words and exit status."""

import re
import signal
import subprocess

import pytest

from conversation.deadline import PATIENCE, until
from conversation.mqtt import Client
from conversation.port import free_port
from conversation.server import accepts, daemon_command

pytestmark = pytest.mark.usefixtures("mqtt_natsd")


@pytest.fixture
def run(tmp_path):
    """Run the daemon to its end; what it did."""
    def run(*arguments, ini=None):
        if ini is not None:
            path = tmp_path / "test.ini"
            path.write_text(ini, encoding="utf-8")
            arguments = ("-c", str(path), *arguments)
        return subprocess.run(
            [*daemon_command(), *arguments], capture_output=True, text=True,
            timeout=PATIENCE, cwd=tmp_path, stdin=subprocess.DEVNULL,
            check=False)
    return run


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(run, flag):
    done = run(flag)
    assert done.returncode == 0
    assert re.fullmatch(r"mqtt-natsd \d+\.\d+\.\d+\S*\n", done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_option(run, flag):
    done = run(flag)
    assert done.returncode == 0 and done.stderr == ""
    for option in ("config", "test-config", "port", "monitor", "debug",
                   "quiet", "scram", "signal", "version", "help"):
        assert f"--{option}" in done.stdout


@pytest.mark.parametrize("arguments", [
    ["-x"], ["--nonsense"], ["-c"], ["-p"], ["word"], ["-t", "word"],
    ["--signal=jump"], ["--signal=stop=x"], ["--version=3"]],
    ids=" ".join)
def test_wrong_usage_is_status_2(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage: mqtt-natsd" in done.stderr and done.stdout == ""


def test_a_missing_file_is_status_2(run):
    done = run("-c", "/no/such/file.ini")
    assert done.returncode == 2
    assert "/no/such/file.ini" in done.stderr


# What is wrong, in which line, and what the message names.
BAD = {
    "unknown key": ("[nats]\nurll = x\n", 2, "urll.*url"),
    "unknown key far off": ("[log]\nzzzzzz = x\n", 2, "zzzzzz"),
    "unknown section": ("[natz]\nurl = x\n", 1, "natz.*nats"),
    "no section": ("url = x\n", 1, ""),
    "not a line": ("[nats]\nurl\n", 2, ""),
    "unclosed section": ("[nats\nurl=x\n", 1, ""),
    "not a number": ("[qos]\nack_attempts = many\n", 2, "ack_attempts"),
    "negative": ("[qos]\nack_attempts = -1\n", 2, "ack_attempts"),
    "too large": ("[listener a]\nport = 65536\n", 2, "port"),
    "not a size": ("[limits]\nmax_packet_size = 3 apples\n", 2,
                   "max_packet_size"),
    "not a time": ("[limits]\nconnect_timeout = soon\n", 2,
                   "connect_timeout"),
    "not a policy": ("[qos]\n\nack = maybe\n", 3, "ack.*reply"),
    "not a policy in a row": ("[ack]\nt/# = maybe\n", 2, "t/#"),
    "not a filter in a row": ("[ack]\nt#/x = local\n", 2, "t#/x"),
    "not a mode": ("[mapping]\nmode = other\n", 2, "mode.*nats"),
    "not a level": ("[log]\nlevel = loud\n", 2, "level"),
    "not a yes": ("[limits]\nqueue_qos0 = perhaps\n", 2, "queue_qos0"),
    "not an address": ("[listener a]\naddress = here\n", 2, "address"),
    "not a protocol": ("[listener a]\nprotocols = 9\n", 2, "protocols"),
    "not a subject": ("[nats]\nretained_request_subject = a b\n", 2,
                      "retained_request_subject"),
    "not a token": ("[server]\nnode_name = a.b\n", 2, "node_name"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_named_with_file_and_line(run, tmp_path, name):
    text, line, words = BAD[name]
    for arguments in ([], ["-t"]):
        done = run(*arguments, ini=text)
        assert done.returncode == 2
        assert done.stdout == ""
        file = re.escape(str(tmp_path / "test.ini"))
        assert re.search(rf"^{file}:{line}: .*{words}", done.stderr, re.M)


def test_every_mistake_is_named(run):
    done = run("-t", ini="[nats]\nurll=x\n[log]\nlevel=loud\n[qos]\nack=x\n")
    assert done.returncode == 2
    for line in (2, 4, 6):
        assert f"test.ini:{line}: " in done.stderr


GOOD = """
; a comment
# another one
[server]
workers = 3
[listener plain]
address = 127.0.0.1
port = 11883
[listener other]
address = ::1
port = 11884
[nats]
url = nats://one:4222, nats://two:4223
user = anna
password = very-secret-1
token =
[mapping]
mode = swap
[qos]
ack = server
ack_timeout = 750
max_inflight = 7
[ack]
sensors/# = local
a/+/b = stream
[limits]
max_packet_size = 64k
connect_timeout = 3s
session_expiry_max = 2h
queue_qos0 = yes
[log]
level = warning
"""


def test_t_prints_the_effective_configuration(run):
    done = run("-t", ini=GOOD)
    assert done.returncode == 0, done.stderr
    for text in ("[listener plain]", "[listener other]", "port = 11884",
                 "user = anna", "mode = swap", "ack = server",
                 "max_inflight = 7", "sensors/# = local",
                 "a/+/b = stream"):
        assert text in done.stdout
    assert "very-secret-1" not in done.stdout + done.stderr


def test_what_t_prints_is_a_configuration_again(run):
    first = run("-t", ini=GOOD)
    second = run("-t", ini=first.stdout)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout


def test_defaults_are_printed(run):
    done = run("-t", ini="")
    assert done.returncode == 0
    for text in ("address = 127.0.0.1", "port = 1883",
                 "url = nats://127.0.0.1:4222", "mode = nats",
                 "ack = reply", "ack_attempts = 3"):
        assert text in done.stdout


def test_t_opens_no_port(run):
    port = free_port()
    done = run("-t", ini=f"[listener a]\nport = {port}\n")
    assert done.returncode == 0 and not accepts(port)


def test_p_wins_over_the_file(run):
    done = run("-t", "-p", "2883", "-D", ini="[listener a]\nport = 1\n")
    assert done.returncode == 0
    assert "port = 2883" in done.stdout and "level = debug" in done.stdout


def test_a_bad_p_is_status_2(run):
    for port in ("x", "-1", "65536", ""):
        done = run("-t", "-p", port)
        assert done.returncode == 2 and "-p" in done.stderr, port


def test_a_port_in_use_is_status_1(start, run):
    daemon = start.daemon("")
    done = run(ini=f"[listener a]\nport = {daemon.port}\n[nats]\nurl =\n")
    assert done.returncode == 1
    assert str(daemon.port) in done.stderr
    assert accepts(daemon.port)


def test_several_listeners(start):
    other = free_port()
    daemon = start.daemon("", {
        "listener second": {"address": "127.0.0.1", "port": other}})
    b = start.join(daemon, None)
    client = b.mqtt()
    client.subscribe("a")
    with Client(other) as elsewhere:
        elsewhere.connect("elsewhere")
        elsewhere.publish("a", b"x")
        assert client.message().payload == b"x"


def test_signal_stop_by_pid_file(start, run):
    daemon = start.daemon("", {"server": {"pid_file": "d.pid"}})
    path = daemon.path("d.pid")
    until(lambda: open(path, encoding="ascii").read(), "the pid file")
    ini = f"[server]\npid_file = {path}\n"
    assert run("--signal=reopen", ini=ini).returncode == 0
    assert accepts(daemon.port)
    assert run("--signal=stop", ini=ini).returncode == 0
    assert daemon.wait() == 0
    again = run("--signal=stop", ini=ini)
    assert again.returncode == 1 and again.stderr


def test_signal_stop_by_process_id(start, run):
    daemon = start.daemon("")
    assert run(f"--signal=stop={daemon.pid()}").returncode == 0
    assert daemon.wait() == 0


def test_one_daemon_per_pid_file(start, run):
    daemon = start.daemon("", {"server": {"pid_file": "d.pid"}})
    path = daemon.path("d.pid")
    done = run(ini=f"[server]\npid_file = {path}\n[listener a]\n"
                   f"port = {free_port()}\n[nats]\nurl =\n")
    assert done.returncode == 1
    assert str(daemon.pid()) in done.stderr


def test_anonymous_clients_may_be_unwanted(start):
    daemon = start.daemon("", {"auth": {"allow_anonymous": "no"}})
    b = start.join(daemon, None)
    client = b.socket()
    client.send(b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1x")
    assert client.next().code in (4, 5)
    client.expect_close()


# The log

def test_the_log_goes_to_a_file_and_is_reopened(start, tmp_path):
    log = tmp_path / "daemon.log"
    daemon = start.daemon("", {"log": {"file": str(log)}})
    b = start.join(daemon, None)
    b.mqtt("first-one")
    until(lambda: "first-one" in log.read_text(), "the first line")
    log.rename(tmp_path / "old.log")
    daemon.signal(signal.SIGUSR1)
    until(log.exists, "a new file")
    b.mqtt("second-one")
    until(lambda: "second-one" in log.read_text(), "the second line")
    assert "second-one" not in (tmp_path / "old.log").read_text()


def test_client_lines_name_client_and_address(start):
    daemon = start.daemon("")
    b = start.join(daemon, None)
    client = b.mqtt("pump-7")
    where = "%s:%d" % client.sock.getsockname()
    client.disconnect()
    daemon.wait_log(rf'"pump-7" {re.escape(where)}: .')


def test_no_client_can_forge_a_line(start):
    daemon = start.daemon("")
    b = start.join(daemon, None)
    client = b.socket()
    evil = "x\n2026-01-01 00:00:00.000 error worker-1: forged\x1b[31m"
    try:
        client.connect(evil)
        client.disconnect()
    except AssertionError:
        pass
    b.mqtt("after-it").disconnect()
    daemon.wait_log("after-it")
    text = daemon.log_text()
    assert "\x1b" not in text
    assert not re.search("^2026-01-01", text, re.M)


def test_passwords_are_not_logged(start):
    daemon = start.daemon("", {"log": {"level": "debug"}})
    b = start.join(daemon, None)
    b.mqtt("c", user="anna", password="hush-hush-1").disconnect()
    daemon.stop()
    assert "hush-hush-1" not in daemon.log_text()


@pytest.mark.parametrize("level,lines", [("error", 0), ("warning", 0)])
def test_a_quiet_log_is_quiet(start, level, lines):
    daemon = start.daemon("", {"log": {"level": level}})
    b = start.join(daemon, None)
    b.mqtt().publish("a", b"x", qos=1)
    daemon.stop()
    assert len(daemon.log_text().splitlines()) == lines
