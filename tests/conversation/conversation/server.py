# SPDX-License-Identifier: Apache-2.0
"""server - the processes that a conversation needs.

    Daemon       mqtt-natsd with an ini file of its own
    NatsServer   nats-server: JetStream, users, limits by its config text
    Mosquitto    stands in for the daemon, to try a conversation out
    NatsMqtt     the same with nats-server's own MQTT
    Bridge       a daemon and its nats-server, and the clients of one test

Each listens on 127.0.0.1 with a port of its own, has a directory of its own
and dies with the test process. `stop` is the orderly end: whatever a daemon
does other than exit with status 0, and every sanitizer report, is a failure.
"""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from . import mqtt, nats
from .deadline import Deadline, until
from .port import free_port

SANITIZER = re.compile(
    rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: ")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=66",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=66",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
}
# Whatever the unit tests are run with.
LEAK_OPTIONS = {
    "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        "leak.supp"),
}

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def private(path, flags):
    """Files hold secrets: nobody else may read them."""
    return os.open(path, flags, 0o600)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A server process: its log, its life."""

    name = "process"

    def __init__(self):
        self.directory = tempfile.mkdtemp(
            prefix=f"conversation-{self.name}-")
        self.log_path = self.path("log")
        self.popen = None
        self.port = None
        self.log_kept = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        """A file in the directory of this process; its path."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape",
                  opener=private) as f:
            f.write(text)
        return path

    def spawn(self, command, env=None, pass_fds=()):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**SANITIZER_OPTIONS, **os.environ, **LEAK_OPTIONS,
                     **(env or {})},
                cwd=self.directory, preexec_fn=die_with_parent,
                pass_fds=pass_fds)

    def spawn_until_accepting(self, command):
        """Start, wait for the port; false if somebody else has the port."""
        self.spawn(command)
        deadline = Deadline()
        while not accepts(self.port):
            if self.popen.poll() is not None:
                if "in use" in self.log_text():
                    return False
                raise AssertionError(
                    f"{self.name} ended with {self.popen.returncode}:\n"
                    + self.log_text())
            deadline.left(f"{self.name} to accept connections:\n"
                          + self.log_text())
            time.sleep(0.005)
        return True

    def log_text(self, start=0):
        if self.log_kept is not None:
            return self.log_kept[start:]
        with open(self.log_path, "rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def log_size(self):
        return os.path.getsize(self.log_path)

    def wait_log(self, pattern, start=0):
        """The first match of a regular expression in the log."""
        return until(lambda: re.search(pattern, self.log_text(start)),
                     f"{pattern!r} in the log of {self.name}")

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def pid(self):
        return self.popen.pid

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s*(\d+) kB", f.read())[1]) * 1024

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=None):
        """The exit status, when it has ended."""
        deadline = Deadline(seconds)
        try:
            return self.popen.wait(deadline.left())
        except subprocess.TimeoutExpired:
            return deadline.left(f"{self.name} to end") and None

    def kill(self):
        """No chance to do anything."""
        self.popen.kill()
        self.popen.wait()

    def discard(self):
        """Whatever it takes to be rid of it."""
        if self.alive():
            self.kill()
        if self.log_kept is None:
            self.log_kept = self.log_text()
            self.remove()

    def remove(self):
        if "CONVERSATION_KEEP" not in os.environ:
            shutil.rmtree(self.directory, ignore_errors=True)


def accepts(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class NatsServer(Process):
    name = "nats-server"

    def __init__(self, config="", jetstream=False, mqtt_port=None):
        """`config` is text in the language of nats-server's own file."""
        super().__init__()
        self.config = config
        self.jetstream = jetstream
        self.mqtt_port = mqtt_port
        while True:
            self.port = free_port()
            if self.start():
                break

    def write_config(self):
        text = f'host: "127.0.0.1"\nport: {self.port}\n'
        text += f'server_name: "n{self.port}"\n'
        if self.jetstream:
            text += f'jetstream {{ store_dir: "{self.path("js")}" }}\n'
        if self.mqtt_port:
            text += (f'mqtt {{ host: "127.0.0.1", '
                     f'port: {self.mqtt_port} }}\n')
        return self.write("nats.conf", text + self.config + "\n")

    def start(self):
        program = os.environ.get("NATS_SERVER", "nats-server")
        return self.spawn_until_accepting(
            [program, "-c", self.write_config()])

    def restart(self, config=None):
        """Start again on the same port after `stop` or `kill`."""
        if config is not None:
            self.config = config
        assert self.start(), "the port is gone"

    def reload(self, config):
        """The running server takes another config text."""
        self.config = config
        self.write_config()
        start = self.log_size()
        self.signal(signal.SIGHUP)
        self.wait_log("Reloaded server configuration", start)

    def stop(self):
        if self.alive():
            self.signal(signal.SIGINT)
            self.wait()

    def url(self, user=None, password=None):
        login = f"{user}:{password}@" if user else ""
        return f"nats://{login}127.0.0.1:{self.port}"

    def client(self, **options):
        return nats.Client(self.port, **options)


def ini_text(ini):
    """{"section": {"key": value}} as a file; "text" goes in as it is."""
    out = ""
    for section, keys in ini.items():
        out += f"[{section}]\n"
        if isinstance(keys, str):
            out += keys + "\n"
            continue
        for key, value in keys.items():
            out += f"{key} = {value}\n"
    return out


def daemon_command():
    """MQTT_NATSD, which may have a wrapper in front."""
    command = shlex.split(os.environ.get("MQTT_NATSD", ""))
    assert command, "MQTT_NATSD names no daemon"
    return command


def sanitized():
    """Is the daemon built with a sanitizer?"""
    with open(daemon_command()[-1], "rb") as program:
        return re.search(rb"__[at]san_init", program.read()) is not None


class Daemon(Process):
    name = "mqtt-natsd"

    def __init__(self, nats_url, ini=None, arguments=()):
        """`ini` adds sections and keys to listener, NATS and log."""
        super().__init__()
        self.nats_url = nats_url
        self.extra = ini or {}
        self.arguments = arguments
        self.served = {}
        while True:
            self.port = free_port()
            if self.start():
                break

    def ini(self):
        ini = {
            "server": {"workers": 2},
            "listener main": {"address": "127.0.0.1", "port": self.port},
            "nats": {"url": self.nats_url},
            # A machine with too much to do is no reason to refuse anybody.
            "limits": {"max_lag": "0"},
            "log": {"level": os.environ.get("CONVERSATION_LOG", "info")},
        }
        for section, keys in self.extra.items():
            if isinstance(keys, str):
                ini[section] = keys
            else:
                ini[section] = {**ini.get(section, {}), **keys}
        return ini

    def start(self):
        path = self.write("mqtt-nats.ini", ini_text(self.ini()))
        before = os.path.exists(self.log_path) and self.log_size()
        if not self.spawn_until_accepting(
                [*daemon_command(), "-c", path, *self.arguments]):
            return False
        # That was the first of its listeners.
        log = self.ini()["log"]
        if "file" not in log and log["level"] in ("notice", "info", "debug"):
            self.wait_log("serving with", before)
        return True

    def restart(self):
        """Start again on the same port after `stop` or `kill`."""
        assert self.start(), "the port is gone"

    def reload(self):
        """The running daemon takes what `extra` has become."""
        self.write("mqtt-nats.ini", ini_text(self.ini()))
        start = self.log_size()
        self.signal(signal.SIGHUP)
        self.wait_log("reload: done", start)

    def check(self, start=0):
        """It runs, and no sanitizer has complained."""
        self.check_log(start)
        assert self.alive(), (
            f"mqtt-natsd ended with {self.popen.returncode}")

    def check_log(self, start=0):
        with open(self.log_path, "rb") as log:
            log.seek(start)
            found = SANITIZER.search(log.read())
        assert not found, ("a sanitizer has complained:\n"
                           + self.log_text(start))

    def stop(self):
        """SIGTERM; it ends by itself with status 0."""
        if self.popen is None:
            return
        if self.alive():
            self.signal(signal.SIGTERM)
        status = self.wait()
        self.check_log()
        assert status == 0, f"mqtt-natsd ended with {status}"

    def kill(self):
        super().kill()
        self.popen = None

    def serves(self, version):
        """Is this protocol version served yet: "3.1", "3.1.1", "5"?"""
        if version not in self.served:
            level = {"3.1": mqtt.V31, "3.1.1": mqtt.V311,
                     "5": mqtt.V5}[version]
            with mqtt.Client(self.port, level) as client:
                client.send(mqtt.connect_packet("serves", level))
                try:
                    code = client.next().code
                except mqtt.Closed:
                    code = -1
                self.served[version] = code == 0
        return self.served[version]

    def serves_qos2(self):
        if "qos2" not in self.served:
            with mqtt.Client(self.port) as client:
                client.connect("serves-qos2")
                self.served["qos2"] = client.subscribe(
                    "serves/qos2", qos=2) == [2]
        return self.served["qos2"]


class Mosquitto(Daemon):
    """Serves what is plain MQTT, to try the conversation itself."""

    name = "mosquitto"

    def __init__(self, nats_url=None, ini=None):
        super().__init__(nats_url, ini)

    def start(self):
        path = self.write(
            "mosquitto.conf",
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"allow_zero_length_clientid true\n")
        program = os.environ.get("MOSQUITTO", "mosquitto")
        return self.spawn_until_accepting([program, "-v", "-c", path])


class NatsMqtt(Daemon):
    """nats-server's own MQTT, beside its NATS."""

    name = "nats-mqtt"

    def start(self):
        self.server = NatsServer(jetstream=True, mqtt_port=self.port)
        self.popen = self.server.popen
        self.log_path = self.server.log_path
        return True

    def stop(self):
        self.server.stop()

    def discard(self):
        self.server.discard()
        self.log_kept = ""
        self.remove()


class Bridge:
    """A daemon and its nats-server, and what one test opens there."""

    def __init__(self, daemon, nats_server, tag):
        self.daemon = daemon
        self.nats_server = nats_server
        self.tag = tag
        self.opened = []
        self.n_clients = 0
        self.log_start = daemon.log_size()

    def socket(self, version=mqtt.V311, **options):
        """A connection on which nothing has been said."""
        client = mqtt.Client(self.daemon.port, version, **options)
        self.opened.append(client)
        return client

    def mqtt(self, client_id=None, version=mqtt.V311, **options):
        """A connected client, by default with an identifier of its own."""
        if client_id is None:
            self.n_clients += 1
            client_id = f"{self.tag}-{self.n_clients}"
        client = self.socket(version)
        client.connack = client.connect(client_id, **options)
        return client

    def nats(self, **options):
        """A NATS client; the daemon's link is up when this returns."""
        if self.nats_server is None:
            pytest.skip("nothing to do with NATS")
        client = self.nats_server.client(**options)
        self.opened.append(client)
        return client

    def linked(self, **options):
        """Wait until the daemon answers on NATS."""
        if isinstance(self.daemon, (Mosquitto, NatsMqtt)):
            return
        with self.nats_server.client(**options) as client:
            nats.responds(client, "mqtt.retained.request", "linked.probe")

    def topic(self, rest):
        """A topic (or filter) of this test alone."""
        return f"{self.tag}/{rest}"

    def subject(self, rest):
        return f"{self.tag}.{rest}"

    def close(self):
        for client in self.opened:
            client.close()
        self.opened = []
