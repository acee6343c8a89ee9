# SPDX-License-Identifier: MIT
"""`driveshaft status` and `driveshaft top` against a real daemon."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

import api
from behaviours import Gate, answer, contract, response, reverse
from clients import Client, FAILED, run
from driveshaft import binary, jobs_file, pool, run_binary
from fakes import SocketServer
from processes import free_port, wait_until


def start(rig, behave=reverse):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(rig.endpoint(behave).uri(), ["f"])}))


def test_status_exits_0_while_all_is_well(rig):
    server, daemon = start(rig)
    api.wait_for_status(daemon, lambda status: status["servers"][0]["state"] == "up", "it is connected")
    done = run_binary("status", f"127.0.0.1:{daemon.port}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("All is well: 1 pool, 0 of 4 slots busy")
    assert re.match(r"Regular +0/4 ", lines[3])
    assert lines[6].startswith(server.address)
    assert "\x1b" not in done.stdout


def test_status_exits_8_and_says_why_when_something_is_the_matter(rig):
    server, daemon = start(rig, answer(status="500 Oops"))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        for _ in range(10):
            client.run("f")
    api.wait_for_status(daemon, lambda status: "10 jobs failed" in status["summary"], "the failures count")
    done = run_binary("status", f"127.0.0.1:{daemon.port}")
    assert done.returncode == 8
    assert "10 of 10 jobs failed in the last minute; `driveshaft failures` has the reasons" in done.stdout


def test_jobs_that_the_endpoint_refuses_are_failures(rig):
    server, daemon = start(rig, answer(contract("no database", ret=1)))
    with Client(server) as client:
        for _ in range(10):
            assert client.run("f") == FAILED
        assert len(client.told()) == 10
    api.wait_for_status(daemon, lambda status: "10 jobs failed" in status["summary"], "the failures count")
    assert "10 of 10 jobs failed in the last minute, refused by the endpoint" in run_binary("status", f"127.0.0.1:{daemon.port}").stdout
    assert len(daemon.lines("^Finished job: .* return_code=1 ", level="WARN")) == 10
    failures = run_binary("failures", str(daemon.port)).stdout.splitlines()
    assert len(failures) == 11 and all('gearman_ret 1: "no database"' in line for line in failures[1:])
    assert run_binary("failures", f":{daemon.port}", "--pool", "Other").stdout == "No job of pool Other has failed since the daemon started.\n"


def test_failures_are_followed(rig):
    server, daemon = start(rig, answer(status="500 Oops"))
    daemon.expect_failed_jobs()
    run(server, "f")
    wait_until(lambda: "status 500" in run_binary("failures", str(daemon.port)).stdout, "the first is listed")
    with subprocess.Popen([binary(), "failures", "--follow", str(daemon.port)], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout.readline().startswith("AGO")
        assert "status 500" in following.stdout.readline()
        run(server, "f")
        assert "status 500" in following.stdout.readline()
        daemon.stop()
        assert following.wait(20) == 9


def test_running_jobs_are_listed(rig):
    gate = Gate()
    server, daemon = start(rig, gate)
    assert run_binary("jobs", str(daemon.port)).stdout == "No job runs.\n"
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: handle.decode() in run_binary("jobs", str(daemon.port), "--pool", "Regular").stdout, "the job is listed")
        listed = json.loads(run_binary("jobs", str(daemon.port), "--json").stdout)
        assert listed["running"] == 1
        gate.open()
        client.result(handle)


def test_status_in_json_is_the_apis(rig):
    _, daemon = start(rig)
    done = run_binary("status", "--json", f"127.0.0.1:{daemon.port}")
    status = json.loads(done.stdout)
    api.check("/status", 200, status)
    assert status["daemon"]["pid"] == daemon.pid


class Stranger(SocketServer):
    """No driveshaft."""

    def serve(self, sock, number):
        sock.recv(1000)
        sock.sendall(response(b"hello"))


def test_status_exits_9_when_nobody_can_be_asked(rig):
    address = f"127.0.0.1:{free_port()}"
    done = run_binary("status", address)
    assert (done.returncode, done.stdout) == (9, "")
    assert address in done.stderr and "--exporter_addr" in done.stderr
    stranger = rig.start(Stranger())
    assert run_binary("status", stranger.address).returncode == 9


@pytest.mark.parametrize("args, shown", [(["status", "--jsno"], "--jsno"), (["top", "a", "b"], '"b"'),
                                         (["status", "host:port"], "host:port")])
def test_a_wrong_command_line_exits_2(args, shown):
    done = run_binary(*args)
    assert done.returncode == 2
    assert shown in done.stderr


def test_help_names_the_commands():
    assert "driveshaft top" in run_binary("--help").stdout
    assert run_binary("top", "--help").returncode == 0


def test_top_needs_a_terminal():
    done = run_binary("top")
    assert done.returncode == 2 and "terminal" in done.stderr


class Terminal:
    """`driveshaft top` on a terminal of 24 lines; `screen` is all that it wrote."""

    def __init__(self, *args, columns=100):
        self.screen = b""
        try:
            self._master, slave = pty.openpty()
        except OSError as error:
            pytest.skip(f"this machine gives out no terminals: {error}")
        self.resize(columns)
        self.child = subprocess.Popen([binary(), "top", *args], stdin=slave, stdout=slave, stderr=slave,
                                      start_new_session=True)
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        threading.Thread(target=self._read, daemon=True).start()

    def resize(self, columns):
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def press(self, key):
        os.write(self._master, key)

    def shows(self, text):
        wait_until(lambda: text.encode() in self.screen, f"the terminal shows {text!r}")

    def last(self):
        """The last whole screen, in lines without colours."""
        screens = self.screen.split(b"\x1b[H")[1:]
        whole = [screen for screen in screens if screen.endswith(b"\x1b[J")]
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", whole[-1].decode()).split("\r\n") if whole else []

    def _read(self):
        while True:
            try:
                self.screen += os.read(self._master, 65536)
            except OSError:
                return


@pytest.fixture
def terminal():
    started = []

    def start(*args, **options):
        started.append(Terminal(*args, **options))
        return started[-1]
    yield start
    for one in started:
        if one.child.poll() is None:
            one.child.kill()
        one.child.wait()


def test_top_follows_the_daemon_and_leaves_the_terminal_as_it_was(rig, terminal):
    server, daemon = start(rig)
    top = terminal(f"127.0.0.1:{daemon.port}")
    top.shows("All is well")
    run(server, "f", "ab")
    wait_until(lambda: any(re.match(r"Regular +0/4 +0\.[1-9]", line) for line in top.last()), "the job is seen")
    top.resize(60)
    top.child.send_signal(signal.SIGWINCH)
    wait_until(lambda: top.last() and max(map(len, top.last())) <= 60, "it fits the narrower terminal")
    daemon.stop()
    top.shows("LOST: cannot connect")
    daemon.start()
    wait_until(lambda: top.last() and not any("LOST" in line for line in top.last()), "the daemon is there again")
    top.press(b"q")
    assert top.child.wait(10) == 0
    wait_until(lambda: b"\x1b[?1049l" in top.screen, "the screen is given back")
    assert termios.tcgetattr(top.slave)[3] & termios.ECHO


def test_top_ends_on_a_signal(rig, terminal):
    _, daemon = start(rig)
    top = terminal(f"127.0.0.1:{daemon.port}")
    top.shows("All is well")
    top.child.send_signal(signal.SIGINT)
    assert top.child.wait(10) == 0
    wait_until(lambda: b"\x1b[?1049l" in top.screen, "the screen is given back")
