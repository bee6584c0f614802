# SPDX-License-Identifier: Apache-2.0
"""What every conversation gets: servers, a watchdog, logs of what failed."""

import faulthandler
import itertools
import os
import signal

import pytest

from conversation.server import (Bridge, Daemon, Mosquitto, NatsMqtt,
                                 NatsServer)

# What a test may take that waits for nothing in vain; see deadline.PATIENCE.
LIMIT = int(os.environ.get("CONVERSATION_TEST_LIMIT", "90"))
LOG_TAIL = 4000

# Who serves MQTT: the daemon, or a stand-in that tries the tests out.
AGAINST = os.environ.get("CONVERSATION_AGAINST", "mqtt-natsd")
SERVERS = {"mqtt-natsd": Daemon, "mosquitto": Mosquitto,
           "nats-server": NatsMqtt}

# Processes whose logs are shown when a test fails, with where to begin.
watched = []


# The watchdog: a test that hangs fails, and one that does not even take the
# signal ends with the whole process, and all servers with it.

class Hung(BaseException):
    pass


def on_alarm(*_):
    raise Hung(f"not done after {LIMIT} s")


def guarded(item):
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(LIMIT)
    faulthandler.dump_traceback_later(LIMIT + 30, exit=True)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    watched.clear()
    yield from guarded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from guarded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield from guarded(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for process, start in watched:
        text = process.log_text(start)
        if len(text) > LOG_TAIL:
            text = "...\n" + text[-LOG_TAIL:]
        report.sections.append((f"log of {process.name}", text))


# Servers.

class Shared:
    """The daemon and the nats-server of one pytest worker."""

    def __init__(self):
        self.nats_server = None
        self.daemon = None

    def get(self):
        if self.nats_server is None and AGAINST == "mqtt-natsd":
            self.nats_server = NatsServer(jetstream=True)
        if self.daemon is not None and not self.daemon.alive():
            self.daemon.discard()
            self.daemon = None
        if self.daemon is None:
            url = self.nats_server.url() if self.nats_server else None
            self.daemon = SERVERS[AGAINST](url)
            if AGAINST == "nats-server":
                self.nats_server = self.daemon.server
            if self.nats_server:
                Bridge(self.daemon, self.nats_server, "shared").linked()
        return self.daemon, self.nats_server

    def stop(self):
        try:
            if self.daemon is not None:
                self.daemon.stop()
        finally:
            for process in (self.daemon, self.nats_server):
                if process is not None:
                    process.discard()


@pytest.fixture(scope="session")
def shared():
    pair = Shared()
    yield pair
    pair.stop()


@pytest.fixture
def mqtt_natsd():
    """For what a stand-in cannot be asked."""
    if AGAINST != "mqtt-natsd":
        pytest.skip("needs mqtt-natsd")


TAGS = itertools.count(1)


@pytest.fixture
def tag():
    """A name that no other test has; fit for topics and subjects."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")
    return f"{worker}t{next(TAGS)}"


@pytest.fixture
def bridge(shared, tag):
    """The shared daemon and nats-server, with clients of this test."""
    daemon, nats_server = shared.get()
    b = Bridge(daemon, nats_server, tag)
    start = daemon.log_size()
    watched.append((daemon, start))
    yield b
    b.close()
    daemon.check(start)


class Starter:
    """Servers of one test."""

    def __init__(self, tag):
        self.tag = tag
        self.started = []
        self.bridges = []

    def nats_server(self, config="", **options):
        return self.add(NatsServer(config, **options))

    def daemon(self, nats_server=None, ini=None, **options):
        """`nats_server` is one, or a URL, or none at all."""
        if AGAINST != "mqtt-natsd":
            pytest.skip("needs mqtt-natsd")
        url = getattr(nats_server, "url", lambda: nats_server or "")()
        return self.add(Daemon(url, ini, **options))

    def bridge(self, ini=None, nats=None, **options):
        """A linked daemon with a nats-server of its own."""
        if AGAINST != "mqtt-natsd":
            if ini or nats or options:
                pytest.skip("needs mqtt-natsd")
            daemon = self.add(SERVERS[AGAINST](None))
            return self.join(daemon, getattr(daemon, "server", None))
        nats_server = self.nats_server(**(nats or {}))
        b = self.join(self.daemon(nats_server, ini, **options), nats_server)
        b.linked()
        return b

    def join(self, daemon, nats_server):
        b = Bridge(daemon, nats_server, self.tag)
        self.bridges.append(b)
        return b

    def add(self, process):
        self.started.append(process)
        watched.append((process, 0))
        return process

    def stop(self):
        for b in self.bridges:
            b.close()
        # Daemons came after their nats-server and go before it.
        failure = None
        for process in reversed(self.started):
            try:
                process.stop()
            except AssertionError as error:
                failure = failure or error
        if failure:
            raise failure

    def discard(self):
        for process in self.started:
            process.discard()


@pytest.fixture
def start(tag):
    """Starts daemons and nats-servers for this test alone."""
    starter = Starter(tag)
    yield starter
    try:
        starter.stop()
    finally:
        starter.discard()
