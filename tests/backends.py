# SPDX-License-Identifier: MIT
"""Backends for tests: a Python server in a separate process, and helpers for three backends of any kind."""
import collections
import json
import signal
import ssl
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from processes import Process, free_port, wait_until
from servers import accepts

SERVER = Path(__file__).parent / "python" / "backend.py"


class PythonBackend(Process):
    """Runs python/backend.py. A test can change its behaviour while it runs, and can ask which requests it has got."""

    def __init__(self, directory, name="python", host="127.0.0.1", port=None, certificate=()):
        self.host, self.port = host, port or free_port()
        self.certificate = certificate
        super().__init__(name, directory, [sys.executable, SERVER, self.host, self.port, *certificate])

    def uri(self, host=None, path="/job"):
        host = host or self.host
        return f"http{'s' if self.certificate else ''}://{f'[{host}]' if ':' in host else host}:{self.port}{path}"

    def start(self):
        super().start()
        wait_until(lambda: accepts(self.host, self.port), f"{self.name} accepts connections")
        return self

    def restart(self):
        """Ends the server and starts it again, as a service manager does. The server finishes its requests first."""
        self.send(signal.SIGTERM)
        assert self.wait() == 0
        self.start()

    def stop(self):
        self.kill()  # a request may wait for ever

    def set(self, **manners):
        """Changes the behaviour. delay: seconds before each answer; status: HTTP status; wait_for: with 1, answers are held
        until it is 0 again; headers: lines that each answer has."""
        return self._get("/set?" + urllib.parse.urlencode(manners))

    def told(self):
        """Returns what the server has recorded: the number of connections with jobs, the jobs running now and at most
        (most_running), the handles of all jobs, and the heads of some requests."""
        return self._get("/told")

    @property
    def jobs(self):
        return len(self.told()["handles"])

    @property
    def running_jobs(self):
        return self.told()["running"]

    def _get(self, target):
        anyone = ssl.create_default_context() if self.certificate else None
        if anyone:
            anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(self.uri(path=target), timeout=20, context=anyone) as answer:
            return json.load(answer)


def three(rig, **options):
    """Starts three Python servers."""
    return [rig.start(PythonBackend(rig.directory, f"python-{number}", **options)) for number in (1, 2, 3)]


def jobs_of(record):
    """Counts the jobs that came to a PHP backend, by handle. `record` is the file in which job.php records them."""
    whole = record.read_text().rpartition("\n")[0] if record.exists() else ""  # the last line may be incomplete
    return collections.Counter(json.loads(line)["handle"] for line in whole.splitlines())


def shares(counts):
    """The share of each count in the sum, from 0 to 1."""
    return [count / sum(counts) for count in counts]
