# SPDX-License-Identifier: MIT
"""`driveshaft status` and `driveshaft top` against a real daemon."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import threading

import pytest

import api
import many_pools
from behaviours import Gate, answer, contract, response, reverse
from clients import Client, FAILED, run
from driveshaft import binary, jobs_file, pool, run_binary
from fakes import SocketServer
from processes import free_port, wait_until
from tmux import Tmux


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
    assert re.search(f"10 of 10 jobs failed in the last minute; the last of them, .* ago: .*; `driveshaft failures :{daemon.port}` lists them", done.stdout)


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
    misspelt = run_binary("failures", f":{daemon.port}", "--pool", "Reglar")
    assert (misspelt.returncode, misspelt.stdout) == (2, "") and misspelt.stderr == 'driveshaft: the daemon has no pool Reglar; did you mean "Regular"?\n'


@contextlib.contextmanager
def following(command, daemon):
    """A command that runs until it is stopped. It is killed at the end of the block, or after a minute."""
    with subprocess.Popen([binary(), command, "--follow", str(daemon.port)], stdout=subprocess.PIPE, text=True) as process:
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            process.kill()


def test_failures_are_followed(rig):
    server, daemon = start(rig, answer(status="500 Oops"))
    daemon.expect_failed_jobs()
    run(server, "f")
    wait_until(lambda: "status 500" in run_binary("failures", str(daemon.port)).stdout, "the first is listed")
    with following("failures", daemon) as followed:
        assert followed.stdout.readline().startswith("TIME")
        assert re.match(r"\d\d:\d\d:\d\d +Regular .* status 500", followed.stdout.readline())
        run(server, "f")
        assert "status 500" in followed.stdout.readline()
        daemon.stop()
        assert followed.wait(20) == 9


def test_running_jobs_are_followed_under_headings_that_are_there_at_once(rig):
    gate = Gate()
    server, daemon = start(rig, gate)
    with Client(server) as client, following("jobs", daemon) as followed:
        assert followed.stdout.readline().startswith("POOL")
        handle = client.submit("f")
        assert handle.decode() in followed.stdout.readline()
        gate.open()
        client.result(handle)
        daemon.stop()
        assert followed.wait(20) == 9


def test_running_jobs_are_listed(rig):
    gate = Gate()
    server, daemon = start(rig, gate)
    assert run_binary("jobs", str(daemon.port)).stdout == "No job runs.\n"
    assert run_binary("failures", str(daemon.port), "--pool", "Regular").stdout == "No job of pool Regular has failed since the daemon started.\n"
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
    """A server that is no driveshaft."""

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


class KnownByAnotherName(SocketServer):
    """Answers as a daemon does that does not know the name in the Host header."""

    def serve(self, sock, number):
        sock.recv(1000)
        sock.sendall(response(b'{"error":"the host x is not known here; \xc2\xbb"}', status="421 Misdirected Request"))


def test_what_a_daemon_says_of_a_request_at_fault_is_shown(rig):
    server = rig.start(KnownByAnotherName())
    done = run_binary("status", server.address)
    assert done.returncode == 9
    assert f"http://{server.address} answers HTTP status 421: the host x is not known here; »" in done.stderr


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
    """`driveshaft top` on a terminal of 24 lines. `screen` is everything that it has written."""

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
        """The lines of the last complete screen, without colours."""
        screens = self.screen.split(b"\x1b[H")[1:]
        whole = [screen for screen in screens if screen.endswith(b"\x1b[?25l")]
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


@pytest.fixture
def fifty_pools(rig):
    """`driveshaft top` on a terminal of 80 columns and 24 lines, of a daemon with 50 pools, twelve of them in trouble."""
    if not shutil.which("tmux"):
        pytest.skip("no tmux: ./dev test integration installs it")
    server, daemon = many_pools.start(rig)
    top = Tmux(binary(), "top", daemon.port)
    yield server, daemon, top
    top.close()


def has_pool(lines, name):
    return any(re.match(rf"{name} ", line) for line in lines)


def test_top_keeps_the_states_at_every_width(fifty_pools):
    server, _, top = fifty_pools
    heads = {60: "POOL BUSY FAILED/S WAITING ENDPOINT",
             80: "POOL BUSY JOBS/S FAILED/S P95 P99 WAITING ENDPOINT",
             120: "POOL BUSY JOBS/S FAILED/S P50 P95 P99 WAITING ENDPOINT URI",
             200: "POOL BUSY JOBS/S FAILED/S P50 P95 P99 WAITING JOBS/S, LAST 30 S ENDPOINT URI"}

    def down(lines):
        """The pools whose state stands in its column of the table."""
        at = next((line.index("ENDPOINT") for line in lines if " ".join(line.split()) == heads[columns]), None)
        return at and [line for line in lines if re.match("Pool-[0-9]+ ", line) and line[at:].startswith("down")] or []

    def whole(lines):
        """Whether the screen is complete: the terminal may show the first lines before it has read the others."""
        return (len(lines) == 24 and max(map(len, lines)) <= columns
                and len(down(lines)) >= 8 and f"{50 - len(down(lines))} more" in lines  # of the pools
                and any(re.search(" up for [0-9]", line) for line in lines if line.startswith(server.address))
                and "8 more" in lines  # of the problems
                and any("q quit" in line for line in lines[-2:]))

    for columns in (80, 60, 120, 200):
        top.resize(columns)
        top.shows(whole, f"a picture of {columns} columns with every state")


def test_top_scrolls(fifty_pools):
    _, _, top = fifty_pools
    top.has("41 more")
    top.press("Down")
    top.shows(lambda lines: "1 more above, 40 more below" in lines and not has_pool(lines, "Pool-39"), "a row further")
    top.press("NPage")
    top.has("10 more above, 31 more below")
    top.press("End")
    top.shows(lambda lines: "41 more above" in lines and has_pool(lines, "Pool-38"), "the end of the list")
    top.press("PPage")
    top.has("32 more above, 9 more below")
    top.press("Up")
    top.has("31 more above, 10 more below")
    top.press("Home")
    top.shows(lambda lines: "41 more" in lines and has_pool(lines, "Pool-39"), "the beginning of the list")


def test_top_filters_and_sorts(fifty_pools):
    _, _, top = fifty_pools
    top.has("41 more")
    top.press("/")
    top.type("pool-1")
    top.has("/pool-1▏ Enter: keep")
    top.press("Enter")
    lines = top.has("10 of 50 pools have \"pool-1\"")
    assert has_pool(lines, "Pool-10") and not has_pool(lines, "Pool-39")
    top.press("Escape")
    top.shows(lambda lines: "41 more" in lines and has_pool(lines, "Pool-39"), "all pools")
    top.press("n")
    top.shows(lambda lines: any(line.startswith("POOL▲") for line in lines) and has_pool(lines, "Pool-01"), "by name")
    top.press("b")
    top.shows(lambda lines: any("BUSY▼" in line for line in lines) and has_pool(lines, "Pool-39"), "the busiest first")
    top.press("End")
    top.has("41 more above")
    top.press("t")
    top.shows(lambda lines: "41 more" in lines and has_pool(lines, "Pool-39"), "those in trouble first")


def test_top_shows_every_problem_on_request_and_ends(fifty_pools):
    _, _, top = fifty_pools
    top.has("Tab servers")
    top.press("Tab")
    top.has("Tab problems")
    top.press("Tab")
    top.has("Tab pools")
    top.press("End")
    top.shows(lambda lines: any("- bad: Pool-50-with-a-name-that-is-wider-than-its-column:" in line for line in lines),
              "the last problem, whole")
    top.press("q")
    wait_until(lambda: not top.running(), "it ends")


def test_top_cuts_long_names_in_the_middle(fifty_pools):
    _, _, top = fifty_pools
    top.has("41 more")
    top.press("/")
    top.type("wider")
    top.press("Enter")
    lines = top.has("1 of 50 pools have")
    assert any(re.match("Pool-50-.*….*-column +1/1 ", line) for line in lines), lines
