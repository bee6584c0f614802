# SPDX-License-Identifier: Apache-2.0
"""MQTT.js, the client of browsers and of Node.js; js/scenario.js acts."""

import os
import subprocess

import pytest

from conversation.deadline import PATIENCE

MODULES = os.environ.get("MQTT_JS", "")
HERE = os.path.dirname(os.path.abspath(__file__))

pytestmark = pytest.mark.skipif(
    not os.path.isdir(os.path.join(MODULES, "mqtt")),
    reason="no MQTT.js: it wants nodejs, npm and a registry")

SCENARIOS = ["publish", "many", "retained", "will", "session", "shared",
             "expiry", "properties", "alias", "refused"]
ONLY_V5 = {"expiry", "properties", "alias"}


def play(name, port, version, prefix):
    done = subprocess.run(
        ["node", os.path.join(HERE, "js", "scenario.js"), name, str(port),
         version, prefix], env={**os.environ, "NODE_PATH": MODULES},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version,name", [
    (version, name) for version in ("4", "5") for name in SCENARIOS
    if version == "5" or name not in ONLY_V5])
def test_scenario(bridge, version, name):
    play(name, bridge.daemon.port, version, bridge.topic(""))
