# SPDX-License-Identifier: MIT
"""Backends of one endpoint: a Python server in a process of its own, and what three of any kind have in common."""
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
    """python/backend.py: it can be told how to behave while it runs, and tells what it has seen."""

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
        """As a service manager does it to a server that finishes what it runs."""
        self.send(signal.SIGTERM)
        assert self.wait() == 0
        self.start()

    def stop(self):
        self.kill()  # whatever it waits for

    def set(self, **manners):
        """delay: seconds before each answer; status: of HTTP; wait_for: 1 until it is 0 again; headers: lines."""
        return self._get("/set?" + urllib.parse.urlencode(manners))

    def told(self):
        """An object: connections on which jobs came, jobs running now, most_running, handles of all jobs, heads of some."""
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
    """Three servers of the same kind."""
    return [rig.start(PythonBackend(rig.directory, f"python-{number}", **options)) for number in (1, 2, 3)]


def jobs_of(record):
    """How often each job came to a PHP backend, by its handle: what job.php was told to record."""
    whole = record.read_text().rpartition("\n")[0] if record.exists() else ""  # it may be written to just now
    return collections.Counter(json.loads(line)["handle"] for line in whole.splitlines())


def shares(counts):
    """Of all, 0 to 1 each."""
    return [count / sum(counts) for count in counts]
