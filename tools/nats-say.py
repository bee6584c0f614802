#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nats-say - say and hear something on NATS with nothing but Python.

    nats-say.py [-s HOST:PORT] ping
    nats-say.py [-s HOST:PORT] pub SUBJECT TEXT
    nats-say.py [-s HOST:PORT] sub SUBJECT [-n COUNT] [-t SECONDS]

`ping` succeeds when a NATS server answers and lets us in. `sub` prints a line
for each message, and answers those that want an answer with an empty one,
which is what acknowledges a message of MQTT QoS 1. It says on standard error
when the server has the subscription.

This is a demonstration for ./bootstrap run and for trying things out. Debian
has no command of NATS's own for that; where there is one, use it.
"""

import argparse
import json
import socket
import sys


class Nats:
    """A connection; `messages` are those that nobody has asked for yet."""

    def __init__(self, server, seconds):
        host, _, port = server.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), seconds)
        self.file = self.sock.makefile("rwb")
        self.messages = []
        if self.read() != "INFO":
            raise OSError("this is no NATS server")
        self.send("CONNECT " + json.dumps(
            {"verbose": False, "headers": True, "name": "nats-say",
             "lang": "python", "version": "0"}))
        self.flush()

    def send(self, line, payload=None):
        self.file.write(line.encode() + b"\r\n")
        if payload is not None:
            self.file.write(payload + b"\r\n")

    def flush(self):
        """The server has taken everything when this returns."""
        self.send("PING")
        self.file.flush()
        while self.read() != "PONG":
            pass

    def read(self):
        """Take in one operation of the server; its verb."""
        line = self.file.readline().decode()
        if not line:
            raise OSError("the server closed the connection")
        verb, _, rest = line.rstrip().partition(" ")
        if verb == "-ERR":
            raise OSError(rest)
        if verb == "PING":
            self.send("PONG")
            self.file.flush()
        elif verb in ("MSG", "HMSG"):
            self.messages.append(self.message(verb, rest.split()))
        return verb

    def message(self, verb, words):
        """SUBJECT SID [REPLY] [HEADER-BYTES] BYTES, and so many bytes."""
        n_sizes = 2 if verb == "HMSG" else 1
        sizes = [int(word) for word in words[-n_sizes:]]
        reply = words[2] if len(words) == 3 + n_sizes else None
        body = self.file.read(sizes[-1] + 2)[:-2]
        return words[0], reply, body[sizes[0]:] if n_sizes == 2 else body

    def next(self):
        """The next message: subject, reply subject or None, payload."""
        while not self.messages:
            self.read()
        return self.messages.pop(0)


def listen(nats, subject, count):
    nats.send(f"SUB {subject} 1")
    nats.flush()
    print(f"listening on {subject}", file=sys.stderr, flush=True)
    while count != 0:
        got, reply, payload = nats.next()
        print(f"{got}: {payload.decode(errors='replace')}", flush=True)
        if reply:
            nats.send(f"PUB {reply} 0", b"")
            nats.flush()
        count -= 1


def arguments():
    parser = argparse.ArgumentParser(description="Say or hear on NATS.")
    parser.add_argument("-s", "--server", default="127.0.0.1:4222")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("ping")
    pub = verbs.add_parser("pub")
    pub.add_argument("subject")
    pub.add_argument("text")
    sub = verbs.add_parser("sub")
    sub.add_argument("subject")
    sub.add_argument("-n", dest="count", type=int, default=-1,
                     help="end after so many messages")
    sub.add_argument("-t", dest="seconds", type=float,
                     help="give up when nothing comes for so long")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        nats = Nats(args.server, 5)
        if args.verb == "pub":
            nats.send(f"PUB {args.subject} {len(args.text.encode())}",
                      args.text.encode())
            nats.flush()
        elif args.verb == "sub":
            nats.sock.settimeout(args.seconds)
            listen(nats, args.subject, args.count)
    except OSError as error:
        sys.exit(f"nats-say: {args.server}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


main()
