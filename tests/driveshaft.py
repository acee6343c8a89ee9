# SPDX-License-Identifier: MIT
"""The daemon under test: its jobs file, command line, metrics and log."""
import functools
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from processes import Process, free_port, wait_until

# A line of the default log: date, time, level, logger - message.
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* (?P<level>[A-Z]+) +(?P<logger>\w+) - (?P<text>.*)$")
# The message of `driveshaft upgrade` and of the log.
TAKEN_OVER = re.compile(r"process (\d+), driveshaft \S+, has taken over")
SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior|Thread)Sanitizer|runtime error:")


@functools.cache
def binary():
    """The path of the program: $DRIVESHAFT, or the program that was built last."""
    named = os.environ.get("DRIVESHAFT")
    found = [Path(named)] if named else Path(__file__).parent.parent.glob("build/*/driveshaft")
    found = sorted((path.resolve() for path in found if path.is_file()), key=lambda path: path.stat().st_mtime)
    if not found:
        raise pytest.UsageError(f"no driveshaft binary at {named or 'build/*/driveshaft'}: build it (./dev build), or "
                                "name one in the environment variable DRIVESHAFT")
    return found[-1]


def build_folder():
    """The folder in which the program was built: $DRIVESHAFT_BUILD, or the folder of the program."""
    return Path(os.environ.get("DRIVESHAFT_BUILD") or binary().parent)


@functools.cache
def sanitized(by=("asan", "tsan")):
    """Whether the program was built with one of these sanitizers. If so, its times and memory are not the usual ones."""
    return any(f"__{name}_init".encode() in binary().read_bytes() for name in by)


def run_binary(*args, timeout=20, env=None):
    """Runs the program, and waits for its end. For command lines that end by themselves."""
    return subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def control(path, *arguments, expect=0, timeout=20):
    """Runs a command on the control socket at `path`, which has to end with the status `expect`. Returns what it prints to
    stdout, or to stderr if `expect` is not 0."""
    done = run_binary(*arguments, "--control_socket", path, timeout=timeout)
    assert done.returncode == expect, done.stdout + done.stderr
    return (done.stderr if expect else done.stdout).strip()


def pool(uri, jobs_list, worker_count=4, **settings):
    return {"job_processing_uri": uri, "worker_count": worker_count, "jobs_list": list(jobs_list), **settings}


def jobs_file(servers, pools, **settings):
    """The jobs file as an object. `servers` are entries of gearman_servers_list, or servers of a test with an `address`."""
    addresses = [server if isinstance(server, (str, dict)) else server.address for server in servers]
    return {"gearman_servers_list": addresses, "pools_list": pools, **settings}


class Driveshaft(Process):
    def __init__(self, directory, config, name="driveshaft", prefix=(), env=None, program=None, **options):
        """`options` are the options of the command line. `prefix` is a command that runs the program. `program` replaces
        binary()."""
        self.config_path = directory / f"{name}.json"
        self.port = free_port()
        self.expected_errors = []
        self.write_config(config)
        options = {"jobsconfig": self.config_path, "exporter_addr": f"127.0.0.1:{self.port}", **options}
        argv = [word for key, value in options.items() for word in (f"--{key}", value)]
        super().__init__(name, directory, [*prefix, program or binary(), *argv], env)

    def start(self, until="/readyz"):
        """Starts the daemon, and waits until the page `until` answers 200 (/healthz does so without gearmand). None: does not
        wait."""
        super().start()
        if until:
            wait_until(lambda: self.answers(until), f"{self.name} answers {until} with 200")
        return self

    def answers(self, page):
        assert self.running(), f"{self.name} ended with {self.wait()}:\n{self.log()}"
        return self.get(page)[0] == 200

    def get(self, page, method="GET", headers=None, body=None):
        """Requests a page of the exporter. Returns (status, body, headers); the status is 0 if nothing listens there."""
        url = f"http://127.0.0.1:{self.port}{page}"
        try:
            request = urllib.request.Request(url, body, headers or {}, method=method)
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers
        except OSError:
            return 0, "", {}

    def upgrade(self, control_socket):
        """Upgrades the daemon. After that this object stands for the new process. Returns the old process."""
        done = run_binary("upgrade", "--control_socket", control_socket, timeout=60)
        assert done.returncode == 0, done.stderr
        return self.follow(int(TAKEN_OVER.search(done.stdout)[1]))

    # --- metrics

    def samples(self):
        """All samples of /metrics: [(name, labels, value)]."""
        status, text, _ = self.get("/metrics")
        assert status == 200, f"/metrics answers {status}"
        samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
                samples.append((name, labels, float(value)))
        return samples

    def metric(self, name, **labels):
        """The sum of the samples that have this name and these labels, or 0 if there are none."""
        return sum(value for sample, have, value in self.samples()
                   if sample == name and labels.items() <= have.items())

    # --- the jobs file

    def write_config(self, config):
        """Replaces the jobs file in one step. A str is written as it is, an object as JSON."""
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config_path)

    def reload(self, config, result="ok", by=lambda: None):
        """Writes the jobs file, runs `by`, and waits until the daemon has counted a reload with that result."""
        before = self.metric("driveshaft_config_reloads_total", result=result)
        self.write_config(config)
        by()
        wait_until(lambda: self.metric("driveshaft_config_reloads_total", result=result) > before,
                   f"a reload that is {result}")

    # --- the log

    def log_lines(self):
        return self.log().split("\n")[:-1]

    def lines(self, pattern, level=None):
        """The texts of the log lines that match the pattern and, if `level` is given, have that level."""
        found = []
        for line in self.log_lines():
            parts = LOG_LINE.match(line)
            if parts and re.search(pattern, parts["text"]) and level in (None, parts["level"]):
                found.append(parts["text"])
        return found

    def wait_for_line(self, pattern, timeout=20.0, level=None):
        """Waits for a log line, because lines are written a little after the event. Returns its text."""
        return wait_until(lambda: self.lines(pattern, level), f"{self.name} logs {pattern!r}", timeout)[0]

    def expect_failed_jobs(self):
        self.expect_errors("^Failed job: ")

    def expect_errors(self, *patterns):
        """Allows lines at level ERROR that match a pattern. All other lines at ERROR fail the test when it ends."""
        self.expected_errors += patterns

    def unexpected_lines(self):
        """The lines that should not be in the log: errors that are not expected, reports of sanitizers, and lines that do not
        have the form of a log line."""
        bad = []
        for line in self.log_lines():
            parts = LOG_LINE.match(line)
            if SANITIZER.search(line) or not parts:
                bad.append(line)
            elif parts["level"] in ("ERROR", "FATAL"):
                if not any(re.search(pattern, parts["text"]) for pattern in self.expected_errors):
                    bad.append(line)
        return bad
