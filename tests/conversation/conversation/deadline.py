# SPDX-License-Identifier: Apache-2.0
"""deadline - waiting for a condition, with an end.

Nobody sleeps and hopes: whoever waits names the condition and stops as soon
as it holds. PATIENCE is how long a condition may take that should hold at
once; it is generous, because nothing that passes ever waits for its end.
"""

import os
import time

PATIENCE = float(os.environ.get("CONVERSATION_PATIENCE", "15"))


class Deadline:
    """A moment in the future; `left()` raises once it has passed."""

    def __init__(self, seconds=None):
        self.seconds = PATIENCE if seconds is None else seconds
        self.end = time.monotonic() + self.seconds

    def passed(self):
        return time.monotonic() >= self.end

    def left(self, waiting_for="it"):
        left = self.end - time.monotonic()
        if left <= 0:
            raise AssertionError(
                f"waited {self.seconds:g} s in vain for {waiting_for}")
        return left


def until(condition, waiting_for, seconds=None):
    """Ask `condition()` until it is true; returns what it returned."""
    deadline = Deadline(seconds)
    pause = 0.002
    while True:
        result = condition()
        if result:
            return result
        time.sleep(min(pause, deadline.left(waiting_for)))
        pause = min(pause * 1.5, 0.05)
