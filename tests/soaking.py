# SPDX-License-Identifier: MIT
"""The common parts of the long runs: faults at random times, jobs that are submitted meanwhile, and the wait for the end."""
import collections
import contextlib
import socket
import threading
import time

from clients import Client, status
from processes import wait_until
from servers import Gearmand

# With this policy a job is tried again until it succeeds, whatever the endpoint does.
RETRY = {"attempts": 100, "initial_delay": 0.05, "max_delay": 0.5}

Event = collections.namedtuple("Event", "part kind began ended")  # seconds since 1970


class Journal:
    """Records which faults were made, and at which part."""

    def __init__(self):
        self.events = []

    @contextlib.contextmanager
    def note(self, part, kind):
        began = time.time()
        try:
            yield
        finally:
            self.events.append(Event(part, kind, began, time.time()))

    def counted(self):
        """How often each fault was made: {"part kind": count}."""
        return dict(sorted(collections.Counter(f"{event.part} {event.kind}" for event in self.events).items()))


class Worker(threading.Thread):
    """A thread that runs until it is told to stop. If it fails, check() and stop() raise its exception."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            self.work()
        except Exception as error:
            self.error = error

    def check(self):
        if self.error:
            raise self.error

    def stop(self, timeout=60):
        self.stopping.set()
        self.join(timeout)
        assert not self.is_alive(), f"{self!r} does not stop"
        self.check()


class Mischief(Worker):
    """Makes faults at random, with pauses between `pause[0]` and `pause[1]` seconds. `deeds` are (part, kind, function); the
    function takes the random generator and makes the fault."""

    def __init__(self, dice, journal, deeds, pause):
        super().__init__()
        self.dice, self.journal, self.deeds, self.pause = dice, journal, deeds, pause

    def work(self):
        while not self.stopping.wait(self.dice.uniform(*self.pause)):
            part, kind, act = self.dice.choice(self.deeds)
            with self.journal.note(part, kind):
                act(self.dice)


class Submitter(Worker):
    """Submits background jobs to a gearmand that may go away: one every `every` seconds, until there are `count` or it is
    stopped. `make` returns the function and the workload of a job. Each job has its own unique. If the connection breaks before
    gearmand acknowledges a job, it is not known whether gearmand has accepted it, and the job is not submitted again."""

    PATIENCE = 10  # seconds to wait for an answer of gearmand

    def __init__(self, server, make, every, count=None):
        super().__init__()
        self.server, self.make, self.every, self.count = server, make, every, count
        self.created, self.unknown = set(), set()
        self._number = 0

    def work(self):
        began = time.monotonic()
        while not self._done():
            with contextlib.suppress(OSError, EOFError), Client(self.server, self.PATIENCE) as client:
                while not self._done():
                    self.stopping.wait(max(began + len(self.created) * self.every - time.monotonic(), 0))
                    self._submit(client)
            self.stopping.wait(0.1)

    def _done(self):
        return self.stopping.is_set() or len(self.created) == self.count

    def _submit(self, client):
        unique = f"{self.server.name}.{self._number}"
        self._number += 1
        self.unknown.add(unique)
        client.submit_background(*self.make(), unique=unique)
        self.unknown.remove(unique)
        self.created.add(unique)


def gearmand_on_disk(directory, name):
    """A gearmand that keeps its queue in NAME.sqlite."""
    return Gearmand(directory, name, options=["--queue-type", "libsqlite3", "--libsqlite3-db", directory / f"{name}.sqlite"])


@contextlib.contextmanager
def crowd(host, port, count, words=b""):
    """Opens `count` connections. On each it sends `words` and then nothing more."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):  # the server accepts no more
                stack.enter_context(socket.create_connection((host, port), 1)).sendall(words)
        yield


def wait_for_empty_queues(servers, timeout):
    for server in servers:
        wait_until(lambda: all(left.total == 0 for left in status(server).values()),
                   f"nothing is left with {server.name}", timeout, 0.2)
