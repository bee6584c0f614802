# SPDX-License-Identifier: Apache-2.0
"""Who the daemon is, and what can be found in its memory."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from conversation.deadline import until
from conversation.mqtt import V5, V311, connect_packet
from conversation.server import daemon_command, sanitized

NOBODY = pwd.getpwnam("nobody")

# Made by mosquitto_passwd of PASSWORD.
PASSWORD = b"correct-horse-battery-staple"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def open_path():
    """A directory that everybody may enter."""
    path = tempfile.mkdtemp(prefix="conversation-privileges-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def status(daemon):
    with open(f"/proc/{daemon.pid()}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):\t(.*)$", f.read(), re.MULTILINE))


@needs_root
def test_root_becomes_the_user(start, open_path):
    store = os.path.join(open_path, "store")
    daemon = start.daemon("", {"server": {"user": "nobody"},
                               "store": {"path": store}})
    b = start.join(daemon, None)
    s = status(daemon)
    assert s["Uid"].split() == 4 * [str(NOBODY.pw_uid)]
    assert s["Gid"].split() == 4 * [str(NOBODY.pw_gid)]
    assert "0" not in s["Groups"].split()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(s[name], 16) == 0, name
    assert s["NoNewPrivs"] == "1"
    daemon.wait_log(r"now user nobody \(%d\)" % NOBODY.pw_uid)
    # It can write what it has to write.
    client = b.mqtt(client_id="lasts", clean=False)
    client.subscribe(b.topic("a"), qos=1)
    client.close()
    b.mqtt().publish(b.topic("a"), b"1", qos=1)
    daemon.kill()
    daemon.restart()
    client = b.mqtt(client_id="lasts", clean=False)
    assert client.message().payload == b"1"
    for name in ("", "store.mdb", "lock"):
        assert os.stat(os.path.join(store, name)).st_uid == NOBODY.pw_uid


@needs_root
def test_the_log_is_the_users_too(start, open_path):
    log = os.path.join(open_path, "log")
    daemon = start.daemon("", {"server": {"user": "nobody",
                                          "group": "daemon"},
                               "log": {"file": log}})
    until(lambda: "serving with" in open(log, encoding="utf-8").read(),
          "a start")
    group = status(daemon)["Gid"].split()[0]
    assert os.stat(log).st_uid == NOBODY.pw_uid
    assert os.stat(log).st_gid == int(group)


@needs_root
def test_a_reload_of_what_only_root_may_read_changes_nothing(start, open_path):
    """The files were root's to read at start."""
    path = os.path.join(open_path, "passwords")
    with open(path, "w", encoding="ascii") as f:
        f.write("# nobody\n")
    os.chmod(path, 0o600)
    daemon = start.daemon("", {"server": {"user": "nobody"},
                               "auth": {"password_file": path}})
    os.chmod(daemon.path(""), 0o755)
    os.chmod(daemon.path("mqtt-nats.ini"), 0o644)
    at = daemon.log_size()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r"error .*passwords: Permission denied", at)
    b = start.join(daemon, None)
    assert b.mqtt().ping() is None


@needs_root
def test_a_store_of_root_is_not_taken_over(start, open_path):
    store = os.path.join(open_path, "store")
    os.mkdir(store, 0o700)
    ini = os.path.join(open_path, "ini")
    with open(ini, "w", encoding="ascii") as f:
        f.write(f"[server]\nuser = nobody\n[listener a]\nport = 0\n"
                f"[nats]\nurl =\n[store]\npath = {store}\n")
    done = subprocess.run([*daemon_command(), "-c", ini], timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"cannot lock the store {store}: Permission denied" in done.stderr


@pytest.mark.parametrize("text, why", [
    ("user = no-such-user", 'there is no user "no-such-user"'),
    ("user = nobody\ngroup = no-such", 'there is no group "no-such"'),
    ("group = daemon", "[server] group needs user")])
def test_who_is_not_there(tmp_path, text, why):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[server]\n{text}\n")
    done = subprocess.run([*daemon_command(), "-t", "-c", str(ini)],
                          capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 2
    assert re.search(rf"{re.escape(str(ini))}:[23]: .*{re.escape(why)}",
                     done.stderr), done.stderr


def memory_has(pid, what):
    """In how many of its mappings the process has these bytes."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            first, end = (int(x, 16) for x in span.split("-"))
            if not access.startswith("rw"):
                continue
            try:
                mem.seek(first)
                if what in mem.read(end - first):
                    found.append(line.strip())
            except (OSError, ValueError, OverflowError):
                continue  # the kernel's own
    return found


@needs_root
@pytest.mark.skipif(sanitized(), reason="a sanitizer keeps what was freed")
@pytest.mark.parametrize("version", [V311, V5])
@pytest.mark.parametrize("at", [0, -3], ids=["whole", "in two"])
def test_no_password_stays_in_memory(start, tmp_path, version, at):
    path = tmp_path / "passwords"
    path.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(path), "al", PASSWORD],
                   check=True, timeout=60)
    daemon = start.daemon("", {"auth": {"password_file": path}})
    b = start.join(daemon, None)
    b.mqtt().publish(b.topic("a"), b"find-me-if-you-can", qos=1, retain=True)
    for password in (PASSWORD, PASSWORD + b"!"):
        client = b.socket(version)
        connect = connect_packet("c", version, user="al", password=password)
        # At once, or in two reads, so that it waits for its end.
        client.send(connect[:at])
        client.send(connect[at:])
        client.next()
        client.close()
    assert memory_has(daemon.pid(), b"find-me-if-you-can")
    assert not memory_has(daemon.pid(), PASSWORD)


@needs_root
@pytest.mark.skipif(sanitized(), reason="a leak checker reads its process")
@pytest.mark.parametrize("dumps", ["no", "yes"])
def test_core_files_have_no_memory(start, dumps):
    """The kernel gives such a process's files to root."""
    daemon = start.daemon("", {"server": {"user": "nobody",
                                          "core_dumps": dumps}})
    start.join(daemon, None).mqtt()
    owner = os.stat(f"/proc/{daemon.pid()}/mem").st_uid
    assert (owner == 0) == (dumps == "no")
