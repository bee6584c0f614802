# SPDX-License-Identifier: Apache-2.0
"""port - TCP ports of 127.0.0.1 that nobody else takes meanwhile.

They lie below the ports that the kernel hands to clients. Each process locks
a stripe of them for as long as it lives, so parallel tests and other suites
on the same machine never race for one; a port that some other program has is
found by binding it.
"""

import fcntl
import itertools
import os
import socket
import tempfile

FIRST, STRIPE, N_STRIPES = 11000, 500, 40

ports = None


def lock_stripe():
    """The ports of a stripe that is ours until this process ends."""
    where = os.path.join(tempfile.gettempdir(),
                         f"conversation-ports-{os.getuid()}")
    os.makedirs(where, mode=0o700, exist_ok=True)
    for i in range(N_STRIPES):
        fd = os.open(os.path.join(where, str(i)),
                     os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        first = FIRST + i * STRIPE
        return itertools.cycle(range(first, first + STRIPE))
    raise AssertionError("every stripe of ports is locked")


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    global ports
    if ports is None:
        ports = lock_stripe()
    return next(p for p in itertools.islice(ports, STRIPE) if is_free(p))
