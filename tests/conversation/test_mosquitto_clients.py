# SPDX-License-Identifier: Apache-2.0
"""mosquitto_pub and mosquitto_sub, which everybody has at hand."""

import shutil
import subprocess

import pytest

from conversation.deadline import PATIENCE

pytestmark = pytest.mark.skipif(
    not (shutil.which("mosquitto_pub") and shutil.which("mosquitto_sub")),
    reason="no mosquitto_pub and mosquitto_sub")


class Program:
    """mosquitto_sub while it runs; stdbuf, for lines as they come."""

    def __init__(self, *command):
        self.popen = subprocess.Popen(
            ["stdbuf", "-oL", *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def output(self):
        """What it printed, when it has ended by itself."""
        out, _ = self.popen.communicate(timeout=PATIENCE)
        assert self.popen.returncode == 0, out
        return out

    def read_until(self, text):
        """Lines up to the one that has `text` in it."""
        found = []
        while not found or text not in found[-1]:
            line = self.popen.stdout.readline()
            assert line, found
            found.append(line)
        return found

    def kill(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


@pytest.fixture
def tool(bridge):
    """Start a tool against the shared daemon."""
    started = []

    def command(name, *arguments):
        return [name, "-h", "127.0.0.1", "-p", str(bridge.daemon.port),
                *arguments]

    def start(name, *arguments):
        started.append(Program(*command(name, *arguments)))
        return started[-1]

    def run(name, *arguments, **options):
        return subprocess.run(command(name, *arguments), check=True,
                              capture_output=True, text=True,
                              timeout=PATIENCE, **options).stdout

    start.run = run
    yield start
    for program in started:
        program.kill()


def subscribed(tool, *arguments):
    """mosquitto_sub whose SUBACK has come: -d tells."""
    program = tool("mosquitto_sub", "-d", "-V", "mqttv311", *arguments)
    program.read_until("Subscribed")
    return program


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311"])
@pytest.mark.parametrize("qos", ["0", "1"])
def test_from_pub_to_sub(bridge, tool, version, qos):
    if version == "mqttv31" and not bridge.daemon.serves("3.1"):
        pytest.skip("3.1 is not served")
    program = tool("mosquitto_sub", "-d", "-V", version, "-q", qos, "-t",
                   bridge.topic("#"), "-C", "3", "-F", "%t %q %r %p")
    program.read_until("Subscribed")
    for i in range(3):
        tool.run("mosquitto_pub", "-V", version, "-q", qos, "-t",
                 bridge.topic(f"a/{i}"), "-m", f"message {i}")
    lines = [line for line in program.output().splitlines()
             if line.startswith(bridge.topic(""))]
    assert lines == [f"{bridge.topic(f'a/{i}')} {qos} 0 message {i}"
                     for i in range(3)]


def test_from_pub_to_nats(bridge, tool):
    service = bridge.nats().subscribe(bridge.subject(">"))
    tool.run("mosquitto_pub", "-V", "mqttv311", "-t", bridge.topic("a/b"),
             "-m", "hello")
    m = service.next()
    assert (m.subject, m.payload) == (bridge.subject("a.b"), b"hello")


def test_many_lines_from_pub_to_nats(bridge, tool):
    n = bridge.nats()
    service = n.subscribe(bridge.subject(">"))
    tool.run("mosquitto_pub", "-V", "mqttv311", "-l", "-t",
             bridge.topic("a"), input="".join(f"{i}\n" for i in range(500)))
    assert [int(service.next().payload) for _ in range(500)] == list(
        range(500))


def test_from_nats_to_sub(bridge, tool):
    n = bridge.nats()
    program = subscribed(tool, "-q", "1", "-t", bridge.topic("+/b"), "-C",
                         "2", "-F", "%t %q %p")
    n.publish(bridge.subject("a.b"), b"plain")
    reply = n.request(bridge.subject("c.b"), b"please")
    assert reply.payload == b"" and reply.status is None
    lines = [line for line in program.output().splitlines()
             if line.startswith(bridge.topic(""))]
    assert lines == [f"{bridge.topic('a/b')} 0 plain",
                     f"{bridge.topic('c/b')} 1 please"]


def test_retained(bridge, tool):
    tool.run("mosquitto_pub", "-V", "mqttv311", "-r", "-q", "1", "-t",
             bridge.topic("a"), "-m", "kept")
    out = tool.run("mosquitto_sub", "-V", "mqttv311", "-q", "1", "-t",
                   bridge.topic("#"), "-C", "1", "-F", "%t %q %r %p")
    assert out == f"{bridge.topic('a')} 1 1 kept\n"
    tool.run("mosquitto_pub", "-V", "mqttv311", "-r", "-n", "-t",
             bridge.topic("a"))
    tool.run("mosquitto_pub", "-V", "mqttv311", "-r", "-q", "1", "-t",
             bridge.topic("b"), "-m", "other")
    out = tool.run("mosquitto_sub", "-V", "mqttv311", "-t",
                   bridge.topic("#"), "-C", "1", "-F", "%t %r %p")
    assert out == f"{bridge.topic('b')} 1 other\n"


def test_retained_as_nats_asks_for_it(bridge, tool):
    tool.run("mosquitto_pub", "-V", "mqttv311", "-r", "-q", "1", "-t",
             bridge.topic("a/b"), "-m", "kept")
    n = bridge.nats()
    bridge.linked()
    reply = n.request("mqtt.retained.request", bridge.subject("a.*"))
    assert reply.payload.decode() == (
        '[{"subject":"%s","payload":"kept"}]' % bridge.subject("a.b"))


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", ["0", "1"])
def test_a_will(bridge, tool, qos, retain):
    heir = subscribed(tool, "-q", "1", "-t", bridge.topic("will"), "-C", "1",
                      "-F", "%t %q %r %p")
    dying = subscribed(
        tool, "-t", bridge.topic("x"), "--will-topic", bridge.topic("will"),
        "--will-payload", "gone", "--will-qos", qos,
        *(["--will-retain"] if retain else []))
    dying.kill()
    lines = heir.output().splitlines()
    assert f"{bridge.topic('will')} {qos} 0 gone" in lines
    if retain:
        out = tool.run("mosquitto_sub", "-V", "mqttv311", "-q", "1", "-t",
                       bridge.topic("will"), "-C", "1", "-F", "%q %r %p")
        assert out == f"{qos} 1 gone\n"


def test_a_persistent_session(bridge, tool):
    session = ["-V", "mqttv311", "-c", "-i", f"{bridge.tag}-m", "-q", "1",
               "-t", bridge.topic("#")]
    tool.run("mosquitto_sub", "-E", *session)
    for i in range(20):
        tool.run("mosquitto_pub", "-V", "mqttv311", "-q", "1", "-t",
                 bridge.topic("a"), "-m", str(i))
    out = tool.run("mosquitto_sub", *session, "-C", "20", "-F", "%q %p")
    assert out == "".join(f"1 {i}\n" for i in range(20))
    bridge.mqtt(f"{bridge.tag}-m")


def test_a_session_that_was_killed_gets_the_rest(bridge, tool):
    session = ["-c", "-i", f"{bridge.tag}-k", "-q", "1", "-t",
               bridge.topic("#")]
    program = subscribed(tool, *session)
    publisher = bridge.mqtt()
    publisher.publish(bridge.topic("a"), b"first", qos=1)
    program.read_until("first")
    program.kill()
    for i in range(10):
        publisher.publish(bridge.topic("a"), f"later {i}", qos=1)
    out = tool.run("mosquitto_sub", "-V", "mqttv311", *session, "-W", "10",
                   "-C", "10")
    lines = [line for line in out.splitlines() if line != "first"]
    # "first" may come again if the PUBACK was on its way.
    assert lines == [f"later {i}" for i in range(10)][:len(lines)]
    assert len(lines) >= 9
    bridge.mqtt(f"{bridge.tag}-k")


def test_request_and_reply_through_nats(bridge, tool):
    """A shell script as a service: what comes in goes to the reply topic."""
    n = bridge.nats()
    program = subscribed(tool, "-t", bridge.topic("ask"), "-C", "1")
    answers = n.subscribe(bridge.subject("answer"))
    n.publish(bridge.subject("ask"), b"question")
    assert "question" in program.output().splitlines()
    tool.run("mosquitto_pub", "-V", "mqttv311", "-t",
             bridge.topic("answer"), "-m", "answer")
    assert answers.next().payload == b"answer"


def test_a_large_file(bridge, tool, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 3000)
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a"), qos=1)
    tool.run("mosquitto_pub", "-V", "mqttv311", "-q", "1", "-t",
             bridge.topic("a"), "-f", str(path))
    assert client.message().payload == path.read_bytes()


def test_a_subscriber_to_everything(start):
    b = start.bridge()
    program = Program("mosquitto_sub", "-h", "127.0.0.1", "-p",
                      str(b.daemon.port), "-d", "-t", "#", "-C", "2", "-v")
    try:
        program.read_until("Subscribed")
        n = b.nats()
        b.mqtt().publish("from/a/device", b"1")
        n.publish("from.nats", b"2")
        out = program.output()
        assert "from/a/device 1" in out and "from/nats 2" in out
    finally:
        program.kill()
