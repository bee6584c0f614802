# SPDX-License-Identifier: Apache-2.0
"""nats - a raw NATS client: protocol, headers, requests, JetStream by JSON.

Like mqtt.Client it does nothing by itself; messages are read when somebody
waits for one, and stay with their subscription until then.
"""

import itertools
import json
import re
import socket

from .deadline import Deadline, until

INBOX = itertools.count(1)


class Refused(AssertionError):
    """-ERR of the server."""


class Message:
    def __init__(self, subject, reply, head, payload):
        self.subject = subject
        self.reply = reply
        self.payload = payload
        self.status = None
        self.headers = []
        if head:
            lines = head.decode().rstrip("\r\n").split("\r\n")
            assert lines[0].startswith("NATS/1.0"), lines
            self.status = lines[0][8:].strip() or None
            for line in lines[1:]:
                name, _, value = line.partition(":")
                self.headers.append((name, value.strip()))

    def header(self, name):
        """The value of a header, None without it; case matters."""
        return next((v for n, v in self.headers if n == name), None)

    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return (f"<MSG {self.subject!r} reply={self.reply!r} "
                f"{self.status or ''}{self.headers} {self.payload[:60]!r}>")


class Subscription:
    def __init__(self, client, sid, subject, but):
        self.client = client
        self.sid = sid
        self.subject = subject
        self.but = but
        self.messages = []

    def next(self, seconds=None):
        """The next message."""
        deadline = Deadline(seconds)
        while not self.messages:
            self.client.read(deadline, f"a message on {self.subject!r}")
        return self.messages.pop(0)

    def until(self, subject):
        """The messages before the one on `subject`."""
        found = []
        while True:
            m = self.next()
            if m.subject == subject:
                return found
            found.append(m)

    def take(self):
        """What has arrived, after a round trip to the server."""
        self.client.flush()
        found, self.messages = self.messages, []
        return found

    def unsubscribe(self):
        self.client.send(f"UNSUB {self.sid}\r\n")


class Client:
    def __init__(self, port, host="127.0.0.1", **options):
        """`options` go into CONNECT: user, pass, auth_token, echo."""
        self.in_buffer = b""
        self.subscriptions = {}
        self.sids = itertools.count(1)
        self.pongs = 0
        self.inbox = None
        self.sock = socket.create_connection((host, port),
                                             Deadline().left())
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = None
        deadline = Deadline()
        while self.server is None:
            self.read(deadline, "INFO")
        options = {"verbose": False, "pedantic": False, "headers": True,
                   "no_responders": True, "lang": "python",
                   "version": "0", "protocol": 1, **options}
        self.send(f"CONNECT {json.dumps(options)}\r\n")
        self.flush()

    # Protocol.

    def send(self, *parts):
        self.sock.settimeout(Deadline().left())
        self.sock.sendall(b"".join(
            p.encode() if isinstance(p, str) else p for p in parts))

    def fill(self, deadline, waiting_for):
        self.sock.settimeout(deadline.left(waiting_for))
        try:
            more = self.sock.recv(65536)
        except socket.timeout:
            deadline.end = 0
            deadline.left(waiting_for)
        assert more, f"closed by nats-server instead of {waiting_for}"
        self.in_buffer += more

    def bytes(self, n, deadline, waiting_for):
        while len(self.in_buffer) < n:
            self.fill(deadline, waiting_for)
        found, self.in_buffer = self.in_buffer[:n], self.in_buffer[n:]
        return found

    def read(self, deadline, waiting_for="an operation"):
        """Take in one operation of the server."""
        while b"\r\n" not in self.in_buffer:
            self.fill(deadline, waiting_for)
        line, self.in_buffer = self.in_buffer.split(b"\r\n", 1)
        verb, _, rest = line.decode().partition(" ")
        if verb in ("MSG", "HMSG"):
            self.read_message(verb, rest.split(" "), deadline, waiting_for)
        elif verb == "PING":
            self.send("PONG\r\n")
        elif verb == "PONG":
            self.pongs += 1
        elif verb == "INFO":
            self.server = json.loads(rest)
        elif verb == "-ERR":
            raise Refused(rest)
        else:
            assert verb == "+OK", line

    def read_message(self, verb, words, deadline, waiting_for):
        subject, sid = words[0], int(words[1])
        n_sizes = 2 if verb == "HMSG" else 1
        reply = words[2] if len(words) == 3 + n_sizes else None
        sizes = [int(w) for w in words[-n_sizes:]]
        data = self.bytes(sizes[-1] + 2, deadline, waiting_for)[:-2]
        n_head = sizes[0] if verb == "HMSG" else 0
        s = self.subscriptions.get(sid)
        if s and not (s.but and subject.startswith(s.but)):
            s.messages.append(
                Message(subject, reply, data[:n_head], data[n_head:]))

    def flush(self):
        """PING and PONG: the server has taken all that was sent."""
        seen = self.pongs
        self.send("PING\r\n")
        deadline = Deadline()
        while self.pongs == seen:
            self.read(deadline, "PONG")

    # Conversations.

    def subscribe(self, subject, queue="", but=None):
        """A subscription that the server knows when this returns.

        Messages whose subject begins with `but` are left out: "_" is for
        inboxes and what daemons say to themselves.
        """
        s = Subscription(self, next(self.sids), subject, but)
        self.subscriptions[s.sid] = s
        self.send(f"SUB {subject} {queue} {s.sid}\r\n")
        self.flush()
        return s

    def publish(self, subject, payload=b"", reply="", headers=None):
        """`headers` are a dict or a list of pairs."""
        payload = payload.encode() if isinstance(payload, str) else payload
        if headers is None:
            self.send(f"PUB {subject} {reply} {len(payload)}\r\n",
                      payload, b"\r\n")
            return
        pairs = headers.items() if isinstance(headers, dict) else headers
        head = "NATS/1.0\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in pairs) + "\r\n"
        head = head.encode()
        self.send(f"HPUB {subject} {reply} {len(head)} "
                  f"{len(head) + len(payload)}\r\n", head, payload, b"\r\n")

    def send_request(self, subject, payload=b"", headers=None):
        """Publish with a reply subject; a subscription to the replies."""
        inbox = self.subscribe(f"_INBOX.conversation{id(self)}.{next(INBOX)}")
        self.publish(subject, payload, inbox.subject, headers)
        return inbox

    def request(self, subject, payload=b"", headers=None, seconds=None):
        """The first reply; with status 503 when nobody is there."""
        inbox = self.send_request(subject, payload, headers)
        reply = inbox.next(seconds)
        inbox.unsubscribe()
        return reply

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # JetStream, by its JSON requests.

    def jetstream(self, api, **body):
        """The answer of $JS.API.`api`, which must not be an error."""
        payload = json.dumps(body) if body else b""
        answer = self.request(f"$JS.API.{api}", payload).json()
        assert "error" not in answer, answer
        return answer

    def add_stream(self, name, *subjects, **config):
        config = {"name": name, "subjects": subjects, "storage": "memory",
                  "retention": "limits", "num_replicas": 1, **config}
        return self.jetstream(f"STREAM.CREATE.{name}", **config)

    def stream(self, name):
        """The state of a stream: messages, first_seq, last_seq …"""
        return self.jetstream(f"STREAM.INFO.{name}")["state"]

    def stream_payloads(self, name):
        """Every payload that the stream has, in its order."""
        state = self.stream(name)
        if not state["messages"]:
            return []
        deliver = self.subscribe(f"_INBOX.replay{next(INBOX)}")
        self.jetstream(
            f"CONSUMER.CREATE.{name}", stream_name=name,
            config={"deliver_subject": deliver.subject,
                    "deliver_policy": "all", "ack_policy": "none"})
        found = [deliver.next().payload for _ in range(state["messages"])]
        deliver.unsubscribe()
        return found

    def add_consumer(self, stream, durable, deliver_subject, **config):
        """A durable push consumer with explicit acknowledgement."""
        config = {"durable_name": durable,
                  "deliver_subject": deliver_subject,
                  "ack_policy": "explicit", "deliver_policy": "all",
                  **config}
        return self.jetstream(
            f"CONSUMER.DURABLE.CREATE.{stream}.{durable}",
            stream_name=stream, config=config)

    def consumer(self, stream, durable):
        """The state of a consumer: num_ack_pending, ack_floor …"""
        return self.jetstream(f"CONSUMER.INFO.{stream}.{durable}")

    def delete_stream(self, name):
        self.jetstream(f"STREAM.DELETE.{name}")


def responds(client, subject, payload=b""):
    """Ask until somebody answers on `subject`; the answer."""
    def ask():
        reply = client.request(subject, payload)
        return None if reply.status == "503" else reply

    return until(ask, f"somebody to answer on {subject!r}")


def token(text):
    """A name that may stand in a subject, made of any text."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)
