# SPDX-License-Identifier: MIT
"""A fake gearmand that a test controls packet by packet. It does what the real one never does, and checks the rules that a
worker has to keep."""
import collections
import socket
import time

from fakes import SocketServer
from packets import Kind, TERMINAL, receive, response

Packet = collections.namedtuple("Packet", "time link kind payload")


class FakeGearmand(SocketServer):
    """A job server for workers only. It answers as gearmand does, and records every packet and the state of each link.
    `faults` lists the rules that a worker has broken. If `on_packet(link, kind, payload)` returns a true value, the server
    does not answer that packet itself. `on_connect(link)` is called first on a new link. A connection of the text protocol
    does not count as a link; the answer there is that the server has no functions."""

    def __init__(self, on_packet=None, on_connect=None, **options):
        super().__init__(**options)
        self.on_packet = on_packet or (lambda *_: False)
        self.on_connect = on_connect or (lambda _: None)
        self.packets = []
        self.links = []
        self.jobs = collections.deque()  # (function, unique, workload)
        self.results = {}  # handle -> (kind, data)
        self.faults = []
        self._handles = 0

    @property
    def connections(self):
        """The number of workers' connections so far."""
        return len(self.links)

    def serve(self, sock, _):
        if sock.recv(1, socket.MSG_PEEK) not in (b"", b"\0"):
            return self._serve_text(sock)
        with self.lock:
            number = len(self.links) + 1
            link = WorkerLink(self, sock, number)
            self.links.append(link)
        try:
            self.on_connect(link)
            while True:
                kind, payload = receive(sock)
                self.packets.append(Packet(time.monotonic(), number, kind, payload))
                if not self.on_packet(link, kind, payload):
                    link.answer(kind, payload)
        finally:
            link.closed_at = time.monotonic()

    @staticmethod
    def _serve_text(sock):
        for _ in sock.makefile("rb"):
            sock.sendall(b".\n")

    def count(self, kind):
        return sum(packet.kind == kind for packet in list(self.packets))

    def submit(self, function, workload=b"", unique=b""):
        """Queues a job and wakes every sleeping link, as gearmand does."""
        with self.lock:
            self.jobs.append((function, unique, workload))
            for link in self.links:
                link.wake()

    def next_handle(self):
        self._handles += 1
        return f"H:fake:{self._handles}"


class WorkerLink:
    """The server's side of one worker connection."""

    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.functions = []
        self.asleep = False
        self.noop_unanswered = False  # woken, and no GRAB since: if it slept now, it would miss the job
        self.inflight = set()
        self.most_inflight = 0
        self.connected_at, self.closed_at = time.monotonic(), None

    def send(self, kind, *args):
        self.send_raw(response(kind, *args))

    def send_raw(self, data):
        self.sock.sendall(data)

    def wake(self):
        if self.asleep and self.closed_at is None:
            self.asleep = False
            self.noop_unanswered = True
            self.send(Kind.NOOP)

    def answer(self, kind, payload):
        if kind == Kind.CAN_DO:
            self.functions.append(payload.decode())
        elif kind == Kind.ECHO_REQ:
            self.send(Kind.ECHO_RES, payload)
        elif kind == Kind.GRAB_JOB_UNIQ:
            self._grab()
        elif kind == Kind.PRE_SLEEP:
            with self.server.lock:
                if self.noop_unanswered:
                    self.server.faults.append("PRE_SLEEP after NOOP with no GRAB between")
                self.asleep = True
                if self.server.jobs:
                    self.wake()
        elif kind in TERMINAL:
            handle, _, data = payload.partition(b"\0")
            if handle not in self.inflight:
                self.server.faults.append(f"{kind.name} for {handle}, which is not running on link {self.number}")
            self.inflight.discard(handle)
            self.server.results[handle] = (kind, data)
        elif kind not in (Kind.SET_CLIENT_ID, Kind.CANT_DO, Kind.RESET_ABILITIES):
            self.server.faults.append(f"unexpected {kind!r}")

    def _grab(self):
        with self.server.lock:
            self.asleep = self.noop_unanswered = False
            if not self.server.jobs:
                self.send(Kind.NO_JOB)
                return
            function, unique, workload = self.server.jobs.popleft()
            handle = self.server.next_handle()
            self.inflight.add(handle.encode())
            self.most_inflight = max(self.most_inflight, len(self.inflight))
            self.send(Kind.JOB_ASSIGN_UNIQ, handle, function, unique, workload)
