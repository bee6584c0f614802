# SPDX-License-Identifier: Apache-2.0
"""Eclipse Paho's C client at QoS 2; paho_qos2.c acts."""

import os
import subprocess

import pytest

from conversation.deadline import PATIENCE

PROGRAM = os.environ.get("PAHO_QOS2", "")

pytestmark = pytest.mark.skipif(
    not os.access(PROGRAM, os.X_OK),
    reason="no paho_qos2: it wants libpaho-mqtt-dev")


@pytest.mark.parametrize("version", ["4", "5"])
def test_qos_2(bridge, version):
    done = subprocess.run(
        [PROGRAM, str(bridge.daemon.port), version, bridge.topic("paho")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
