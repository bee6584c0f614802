# SPDX-License-Identifier: Apache-2.0
"""A NATS server whose every step the test decides: it answers fences and
PINGs by itself, keeps the subscriptions that it is told of, and sends what the
test has it send. For what a real one does once in a hundred thousand times."""

import json
import socket
import threading

from conversation.deadline import Deadline


class SlowNats:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        self.changed = threading.Condition()
        self.sids = {}  # by subject; ended ones stay
        self.ended = set()
        self.published = []  # (subject, reply or None)
        self.lets_in = threading.Event()  # the connection for groups
        self.lets_in.set()
        self.n_groups = 0  # such connections
        self.conn = self.groups = None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(conn,),
                             daemon=True).start()

    def serve_one(self, conn):
        info = {"server_id": "S", "version": "2.10.0", "proto": 1,
                "headers": True, "max_payload": 1 << 20}
        conn.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
        try:
            with conn.makefile("rb") as lines:
                for line in lines:
                    self.handle(conn, lines, line.decode().split())
        except OSError:
            pass  # the daemon has gone, or the test lost it

    def handle(self, conn, lines, words):
        verb = words[0].upper() if words else ""
        if verb == "CONNECT":
            self.on_connect(conn, json.loads(" ".join(words[1:])))
        elif verb == "PING":
            conn.sendall(b"PONG\r\n")
        elif verb in ("PUB", "HPUB"):
            lines.read(int(words[-1]) + 2)
            has_reply = len(words) == (4 if verb == "PUB" else 5)
            with self.changed:
                self.published.append((words[1],
                                       words[2] if has_reply else None))
                self.changed.notify_all()
            if has_reply and words[1] not in self.sids:
                self.answer_fence(conn, words[2])
        elif verb == "SUB":
            with self.changed:
                self.sids.setdefault(words[1], []).append(words[-1])
                self.changed.notify_all()
        elif verb == "UNSUB":
            with self.changed:
                self.ended.add(words[1])
                self.changed.notify_all()

    def on_connect(self, conn, options):
        if not options["echo"]:
            self.conn = conn
            return
        with self.changed:
            self.groups = conn
            self.n_groups += 1
            self.changed.notify_all()
        self.lets_in.wait()

    def lose_groups(self):
        """Their connection goes, and the next one waits for `lets_in`."""
        self.lets_in.clear()
        self.sids = {s: sids for s, sids in self.sids.items()
                     if s.endswith(">")}
        n = self.n_groups
        self.groups.shutdown(socket.SHUT_RDWR)
        self.wait(lambda: self.n_groups > n, "another try")

    def answer_fence(self, conn, reply):
        """503: nobody listens there."""
        sid = next((sids[-1] for s, sids in self.sids.items()
                    if s.endswith(">") and reply.startswith(s[:-1])
                    and s != ">"), None)
        if sid is None:
            return
        head = b"NATS/1.0 503\r\n\r\n"
        conn.sendall(f"HMSG {reply} {sid} {len(head)} {len(head)}\r\n".encode()
                     + head + b"\r\n")

    def message(self, sid, subject, payload):
        self.conn.sendall(f"MSG {subject} {sid} {len(payload)}\r\n".encode()
                          + payload + b"\r\n")

    def message_to_group(self, subject, reply, payload):
        self.groups.sendall(f"MSG {subject} {self.sid(subject)} {reply} "
                            f"{len(payload)}\r\n".encode()
                            + payload + b"\r\n")

    def wait(self, predicate, what):
        deadline = Deadline()
        with self.changed:
            while not predicate():
                self.changed.wait(deadline.left(what))

    def sid(self, subject):
        self.wait(lambda: subject in self.sids, f"SUB {subject}")
        return self.sids[subject][-1]

    def wait_ended(self, sid):
        self.wait(lambda: sid in self.ended, f"UNSUB {sid}")

    def stop(self):
        self.listener.close()
        if self.conn is not None:
            self.conn.close()
