# SPDX-License-Identifier: Apache-2.0
"""port - TCP ports of 127.0.0.1 that nobody else takes meanwhile.

They lie below the ports that the kernel hands to clients. Each process holds
a stripe of them for as long as it lives, so parallel tests and other suites
on the same machine never race for one; a port that some other program has is
found by binding it. What holds a stripe is a socket with an abstract name:
there is one of that name in a network namespace, and no file to be left.
"""

import itertools
import socket

FIRST, STRIPE, N_STRIPES = 11000, 500, 40

ports = None
holder = None


def take_stripe():
    """The ports of a stripe that is ours until this process ends."""
    global holder
    holder = socket.socket(socket.AF_UNIX)
    for i in range(N_STRIPES):
        try:
            holder.bind(f"\0mqtt-natsd-conversation-{i}")
        except OSError:
            continue
        first = FIRST + i * STRIPE
        return itertools.cycle(range(first, first + STRIPE))
    raise AssertionError("every stripe of ports is taken")


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
        ports = take_stripe()
    return next(p for p in itertools.islice(ports, STRIPE) if is_free(p))
