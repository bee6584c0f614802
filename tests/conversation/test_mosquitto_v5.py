# SPDX-License-Identifier: Apache-2.0
"""mosquitto_pub and mosquitto_sub with every property of MQTT 5.0."""

import json
import shutil

import pytest

from test_mosquitto_clients import tool  # noqa: F401, a fixture

pytestmark = pytest.mark.skipif(
    not (shutil.which("mosquitto_pub") and shutil.which("mosquitto_sub")),
    reason="no mosquitto_pub and mosquitto_sub")


def subscribed(tool, *arguments):  # noqa: F811
    program = tool("mosquitto_sub", "-d", "-V", "5", *arguments)
    program.read_until("Subscribed")
    return program


def messages(program):
    """The JSON lines of -F %j."""
    return [json.loads(line) for line in program.output().splitlines()
            if line.startswith("{")]


def test_publish(bridge, tool):  # noqa: F811
    program = subscribed(tool, "-q", "2", "-t", bridge.topic("a"), "-C", "1",
                         "-F", "%j")
    tool.run(
        "mosquitto_pub", "-V", "5", "-q", "2", "-t", bridge.topic("a"),
        "-m", "text",
        "-D", "publish", "payload-format-indicator", "1",
        "-D", "publish", "message-expiry-interval", "100",
        "-D", "publish", "content-type", "text/plain",
        "-D", "publish", "response-topic", bridge.topic("answer"),
        "-D", "publish", "correlation-data", "id-7",
        "-D", "publish", "user-property", "b", "1",
        "-D", "publish", "user-property", "a", "2",
        "-D", "publish", "topic-alias", "3")
    (m,) = messages(program)
    assert m["topic"] == bridge.topic("a")
    assert (m["payload"], m["qos"], m["retain"]) == ("text", 2, 0)
    props = m["properties"]
    assert props["payload-format-indicator"] == 1
    assert 98 <= props["message-expiry-interval"] <= 100
    assert props["content-type"] == "text/plain"
    assert props["response-topic"] == bridge.topic("answer")
    assert props["correlation-data"] == "id-7"
    assert props["user-properties"] == {"b": "1", "a": "2"}


def test_connect(bridge, tool):  # noqa: F811
    """Every property of CONNECT, and the session that they ask for.

    But topic-alias-maximum: mosquitto_sub sends it and takes no alias.
    """
    name = f"{bridge.tag}-five"
    connect = [
        "-x", "60",  # which is session-expiry-interval
        "-D", "connect", "receive-maximum", "5",
        "-D", "connect", "maximum-packet-size", "4000",
        "-D", "connect", "request-problem-information", "1",
        "-D", "connect", "request-response-information", "1",
        "-D", "connect", "user-property", "who", "me"]
    session = ["-V", "5", "-c", "-i", name, "-q", "1", "-t",
               bridge.topic("#"), *connect]
    tool.run("mosquitto_sub", "-E", *session)
    large = "x" * 5000
    for payload in ("0", large, "1"):
        tool.run("mosquitto_pub", "-V", "5", "-q", "1", "-t",
                 bridge.topic("a"), "-m", payload)
    out = tool.run("mosquitto_sub", *session, "-C", "2", "-F", "%p")
    assert out == "0\n1\n"
    bridge.mqtt(name)


def test_subscribe(bridge, tool):  # noqa: F811
    program = subscribed(
        tool, "-q", "1", "-t", bridge.topic("#"), "-C", "2", "-F", "%j",
        "-D", "subscribe", "subscription-identifier", "4711",
        "-D", "subscribe", "user-property", "k", "v")
    tool.run("mosquitto_pub", "-V", "5", "-r", "-q", "1", "-t",
             bridge.topic("a"), "-m", "live")
    tool.run("mosquitto_pub", "-V", "5", "-q", "1", "-t",
             bridge.topic("b"), "-m", "end")
    found = messages(program)
    assert [m["payload"] for m in found] == ["live", "end"]
    for m in found:
        assert m["retain"] == 0
        assert m["properties"]["subscription-identifier"] == 4711


def test_unsubscribe(bridge, tool):  # noqa: F811
    """From a session, by name, while it subscribes to something else."""
    name = f"{bridge.tag}-un"
    session = ["-V", "5", "-c", "-i", name, "-q", "1", "-x", "60"]
    tool.run("mosquitto_sub", "-E", *session, "-t", bridge.topic("a"))
    tool.run("mosquitto_sub", "-E", *session, "-t", bridge.topic("b"),
             "-U", bridge.topic("a"),
             "-D", "unsubscribe", "user-property", "k", "v")
    for topic in ("a", "b"):
        tool.run("mosquitto_pub", "-V", "5", "-q", "1", "-t",
                 bridge.topic(topic), "-m", topic)
    out = tool.run("mosquitto_sub", *session, "-t", bridge.topic("b"), "-C",
                   "1", "-F", "%p")
    assert out == "b\n"
    bridge.mqtt(name)


def test_will(bridge, tool):  # noqa: F811
    heir = subscribed(tool, "-q", "1", "-t", bridge.topic("will"), "-C", "1",
                      "-F", "%j")
    dying = subscribed(
        tool, "-t", bridge.topic("x"), "--will-topic", bridge.topic("will"),
        "--will-payload", "gone", "--will-qos", "1",
        "-D", "connect", "session-expiry-interval", "60",
        "-D", "will", "will-delay-interval", "1",
        "-D", "will", "payload-format-indicator", "1",
        "-D", "will", "message-expiry-interval", "100",
        "-D", "will", "content-type", "text/plain",
        "-D", "will", "response-topic", bridge.topic("answer"),
        "-D", "will", "correlation-data", "id-8",
        "-D", "will", "user-property", "k", "v")
    dying.kill()
    (m,) = messages(heir)
    props = m["properties"]
    assert (m["payload"], m["qos"]) == ("gone", 1)
    assert props["payload-format-indicator"] == 1
    assert 98 <= props["message-expiry-interval"] <= 100
    assert props["content-type"] == "text/plain"
    assert props["response-topic"] == bridge.topic("answer")
    assert props["correlation-data"] == "id-8"
    assert props["user-properties"] == {"k": "v"}


def test_disconnect(bridge, tool):  # noqa: F811
    """The session ends with the connection, though CONNECT said 60 s."""
    name = f"{bridge.tag}-dis"
    session = ["-V", "5", "-i", name, "-q", "1", "-t", bridge.topic("a"),
               "-D", "connect", "session-expiry-interval", "60"]
    tool.run("mosquitto_sub", "-E", *session,
             "-D", "disconnect", "session-expiry-interval", "0",
             "-D", "disconnect", "user-property", "k", "v")
    client = bridge.mqtt(name, version=5, clean=False)
    assert client.connack.session_present is False


def test_rpc(bridge, tool):  # noqa: F811
    """mosquitto_rr: request and response with Response Topic."""
    if not shutil.which("mosquitto_rr"):
        pytest.skip("no mosquitto_rr")
    service = bridge.mqtt(version=5)
    service.subscribe(bridge.topic("ask"), qos=1)
    asking = tool("mosquitto_rr", "-V", "5", "-q", "1", "-t",
                  bridge.topic("ask"), "-e", bridge.topic("answer"),
                  "-m", "question", "-D", "publish", "correlation-data", "9",
                  "-F", "%p")
    m = service.message()
    assert m.payload == b"question"
    assert m.prop("correlation_data") == b"9"
    service.publish(m.prop("response_topic"), b"yes", qos=1)
    assert asking.output() == "yes\n"
