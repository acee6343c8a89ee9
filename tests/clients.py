# SPDX-License-Identifier: MIT
"""Clients of gearmand: a small one of ours, the text protocol for administration, and wrappers for clients of others."""
import collections
import json
import re
import socket
import subprocess
from pathlib import Path

from packets import Kind, PROGRESS, TERMINAL, receive, request

Result = collections.namedtuple("Result", "kind data")  # kind: "complete", "fail" or "exception"
Status = collections.namedtuple("Status", "total running workers")

_SUBMIT = {  # (priority, background)
    ("normal", False): Kind.SUBMIT_JOB, ("normal", True): Kind.SUBMIT_JOB_BG,
    ("high", False): Kind.SUBMIT_JOB_HIGH, ("high", True): Kind.SUBMIT_JOB_HIGH_BG,
    ("low", False): Kind.SUBMIT_JOB_LOW, ("low", True): Kind.SUBMIT_JOB_LOW_BG,
}


def complete(data):
    return Result("complete", data if isinstance(data, bytes) else data.encode())


FAILED = Result("fail", b"")


class Client:
    """One connection to one gearmand. Only one thread at a time may use it."""

    def __init__(self, server, timeout=60, exceptions=False):
        self.sock = socket.create_connection((server.host, server.port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.results = {}  # handle -> Result that no test has asked for yet
        self._created = collections.deque()
        self._progress = collections.deque()  # (handle, kind, data) that no test has asked for yet
        if exceptions:
            self.sock.sendall(request(Kind.OPTION_REQ, "exceptions"))
            assert receive(self.sock)[0] == Kind.OPTION_RES

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self.close()
        assert failed or not self._progress, f"nobody asked for {self._progress}"

    def close(self):
        self.sock.close()

    def submit(self, function, workload=b"", unique=b"", priority="normal", background=False):
        """Submits one job and returns its handle."""
        self.sock.sendall(request(_SUBMIT[priority, background], function, unique, workload))
        return self._next_created()

    def submit_background(self, function, workload=b"", unique=b"", priority="normal"):
        return self.submit(function, workload, unique, priority, background=True)

    def submit_at(self, when, function, workload=b"", unique=b""):
        """Submits a background job that is due at `when`, in whole seconds since 1970."""
        self.sock.sendall(request(Kind.SUBMIT_JOB_EPOCH, function, unique, str(int(when)), workload))
        return self._next_created()

    def submit_many(self, function, workloads, background=False, priority="normal"):
        """Submits one job for each workload, without waiting in between, and returns the handles in order."""
        handles = []
        for start in range(0, len(workloads), 100):
            part = workloads[start:start + 100]
            kind = _SUBMIT[priority, background]
            self.sock.sendall(b"".join(request(kind, function, "", workload) for workload in part))
            handles += [self._next_created() for _ in part]
        return handles

    def result(self, handle):
        """Waits for the terminal packet of `handle`."""
        while handle not in self.results:
            self._read_one()
        return self.results.pop(handle)

    def event(self, handle):
        """Waits for the next packet of the job `handle` before its end, and returns (kind, data)."""
        while not self._progress:
            assert handle not in self.results, f"{handle} has ended: {self.results[handle]}"
            self._read_one()
        of, kind, data = self._progress.popleft()
        assert of == handle
        return kind, data

    def told(self):
        """The packets that came from jobs before their end and that no test has asked for yet: [(kind, data)]."""
        told = [(kind, data) for _, kind, data in self._progress]
        self._progress.clear()
        return told

    def job_status(self, handle):
        """Asks gearmand for the status of the job `handle`: (known, running, numerator, denominator)."""
        self.sock.sendall(request(Kind.GET_STATUS, handle))
        kind, payload = receive(self.sock)
        of, known, running, numerator, denominator = payload.split(b"\0")
        assert (kind, of) == (Kind.STATUS_RES, handle)
        return known == b"1", running == b"1", int(numerator), int(denominator)

    def wait_for_results(self, count):
        """Waits until there are `count` results that no test has asked for yet."""
        while len(self.results) < count:
            self._read_one()

    def any_result(self):
        """Waits for the next terminal packet of any job: (handle, Result)."""
        while not self.results:
            self._read_one()
        return self.results.popitem()

    def run(self, function, workload=b"", unique=b"", priority="normal"):
        return self.result(self.submit(function, workload, unique, priority))

    def run_all(self, function, workloads, window=100):
        """Runs one job for each workload, with at most `window` jobs at a time. Returns the Results in order."""
        results = []
        waiting = collections.deque()
        for workload in workloads:
            waiting.append(self.submit(function, workload))
            if len(waiting) == window:
                results.append(self.result(waiting.popleft()))
        results += [self.result(handle) for handle in waiting]
        return results

    def _next_created(self):
        while not self._created:
            self._read_one()
        return self._created.popleft()

    def _read_one(self):
        kind, payload = receive(self.sock)
        if kind == Kind.JOB_CREATED:
            self._created.append(payload)
        elif kind in TERMINAL:
            handle, _, data = payload.partition(b"\0")
            assert handle not in self.results, f"two terminal packets for {handle}"
            self.results[handle] = Result(kind.name.removeprefix("WORK_").lower(), data)
        elif kind in PROGRESS:
            handle, _, data = payload.partition(b"\0")
            self._progress.append((handle, kind, data))
        else:
            raise AssertionError(f"gearmand sent {kind!r}: {payload!r}")


def run(server, function, workload=b"", **options):
    with Client(server) as client:
        return client.run(function, workload, **options)


def admin(server, command):
    """Sends a command of the text protocol. Returns the lines of the answer, which ends with a line "."."""
    with socket.create_connection((server.host, server.port), 10) as sock:
        sock.sendall(command.encode() + b"\n")
        text = b""
        while not (text == b".\n" or text.endswith(b"\n.\n")):
            part = sock.recv(65536)
            assert part, f"gearmand closed the connection in its answer to {command}: {text!r}"
            text += part
    return text.decode().splitlines()[:-1]


def status(server, function=None):
    """The Status of `function` at gearmand, or without `function` those of all functions by name."""
    all_of_them = {}
    for line in admin(server, "status"):
        name, *counts = line.split("\t")
        all_of_them[name] = Status(*map(int, counts))
    return all_of_them if function is None else all_of_them.get(function, Status(0, 0, 0))


def server_version(server):
    """(major, minor, …) of a gearmand."""
    with socket.create_connection((server.host, server.port), 10) as sock:
        sock.sendall(b"version\n")
        text = sock.makefile().readline()
    known = re.match(r"OK ([\d.]*\d)", text)
    assert known, f"gearmand answers {text!r}: it was built without its version, so build it in a clone that has its tags"
    return tuple(map(int, known[1].split(".")))


def worker_links(server):
    """The connections that have registered functions: {descriptor in gearmand: set of functions}."""
    links = {}
    for line in admin(server, "workers"):
        left, _, functions = line.partition(" :")
        if functions.strip():
            links[left.split()[0]] = set(functions.split())
    return links


def gearman_cli(server, *options, data=b"", timeout=30):
    """Runs the `gearman` command as a client. Returns the result of subprocess.run, with bytes."""
    return subprocess.run(["gearman", "-h", server.host, "-p", str(server.port), *options], input=data,
                          capture_output=True, timeout=timeout)


def perl_client(server, function, workload="ab", exceptions=1):
    """Runs tests/perl/client.pl, which uses Gearman::Client. Returns what it prints."""
    done = subprocess.run(["perl", Path(__file__).parent / "perl" / "client.pl", server.host, str(server.port), function,
                           workload, str(exceptions)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["told"]


# ./dev installs this client if npm's registry can be reached.
NODE_CLIENT = Path(__file__).parent.parent / "build" / "node" / "node_modules" / "abraxas"


def node_client(server, function, workload):
    """Runs tests/node/client.mjs, which uses abraxas. Returns the JSON that it prints."""
    script = Path(__file__).parent / "node" / "client.mjs"
    done = subprocess.run(["node", script, NODE_CLIENT, server.host, str(server.port), function, workload],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def php_client(server, *args, timeout=60):
    """Runs tests/php/client.php, which uses php-gearman. Returns the JSON that it prints."""
    script = Path(__file__).parent / "php" / "client.php"
    done = subprocess.run(["php", str(script), server.host, str(server.port), *map(str, args)],
                          capture_output=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
