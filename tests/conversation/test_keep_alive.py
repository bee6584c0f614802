# SPDX-License-Identifier: Apache-2.0
"""Keep Alive: v3.1.1 [MQTT-3.1.2-24]."""

import select
import time

import pytest


def test_a_silent_client_is_closed_after_one_and_a_half(bridge):
    early = time.monotonic()
    silent = bridge.mqtt(keep_alive=1)
    assert silent.expect_close() == []
    assert time.monotonic() - early >= 1.45


def test_a_client_that_says_something_stays(bridge):
    """Any Control Packet will do."""
    silent = bridge.mqtt(keep_alive=2)
    pings, publishes = bridge.mqtt(keep_alive=1), bridge.mqtt(keep_alive=1)
    while not select.select([silent.sock], [], [], 0.4)[0]:
        pings.ping()
        publishes.publish(bridge.topic("a"))
    silent.expect_close()
    pings.ping()
    publishes.ping()


def test_receiving_does_not_keep_alive(bridge):
    # What counts is what the client sends.
    silent, publisher = bridge.mqtt(keep_alive=1), bridge.mqtt()
    silent.subscribe(bridge.topic("a"))
    while True:
        publisher.publish(bridge.topic("a"), b"x")
        if not silent.sock.recv(65536):
            break


def test_half_a_packet_does_not_keep_alive_for_ever(bridge):
    client = bridge.mqtt(keep_alive=1)
    client.send(b"\x30\xff\x7f\x00\x01a")
    client.expect_close()


def test_zero_turns_it_off(bridge):
    silent, other = bridge.mqtt(keep_alive=0), bridge.mqtt(keep_alive=1)
    other.expect_close()
    silent.ping()


def test_the_log_names_the_reason(bridge):
    if bridge.daemon.name != "mqtt-natsd":
        pytest.skip("needs mqtt-natsd")
    client_id = f"{bridge.tag}-silent"
    client = bridge.mqtt(client_id, keep_alive=1)
    start = bridge.daemon.log_size()
    client.expect_close()
    bridge.daemon.wait_log(f'"{client_id}".*keep alive timeout', start)
