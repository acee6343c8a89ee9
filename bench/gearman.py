# SPDX-License-Identifier: MIT
"""A raw gearman client: fills the queue fast, times foreground jobs, asks the server for its queue's length."""

import socket
import struct
import time

SUBMIT_JOB = 7
JOB_CREATED = 8
WORK_COMPLETE = 13
WORK_FAIL = 14
SUBMIT_JOB_BG = 18
SUBMIT_JOB_HIGH = 21
WORK_EXCEPTION = 25

HEADER = struct.Struct(">4sII")
BATCH_BYTES = 1024 * 1024  # sent before the answers are read, and
BATCH_JOBS = 1000              # few enough that the answers fit into the socket


class JobFailed(Exception):
    pass


def submit_head(kind, function, unique, workload):
    """A submit packet up to its workload, which may be big and is not copied."""
    fields = f"{function}\0{unique}\0".encode()
    return HEADER.pack(b"\0REQ", kind, len(fields) + len(workload)) + fields


def workload_of(size):
    """Printable and without quotes or backslashes: the floor copies it into JSON as it is."""
    text = b"0123456789abcdefghijklmnopqrstuvwxyz "
    return (text * (size // len(text) + 1))[:size]


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.jobs = 0

    def close(self):
        self.socket.close()

    def unique(self):
        """As long as the UUIDs that real clients send, so that no two jobs are taken for one."""
        self.jobs += 1
        return f"bench-{self.jobs:030d}"

    def preload(self, function, workload, count):
        """Puts `count` background jobs into the queue."""
        batch = max(1, min(BATCH_JOBS, BATCH_BYTES // (HEADER.size + len(function) + 38 + len(workload))))
        while count > 0:
            jobs = min(batch, count)
            parts = [part for _ in range(jobs)
                     for part in (submit_head(SUBMIT_JOB_BG, function, self.unique(), workload), workload)]
            self.socket.sendall(b"".join(parts))
            for _ in range(jobs):
                kind, body = self._packet()
                if kind != JOB_CREATED:
                    raise JobFailed(f"gearmand answered packet type {kind} to a background job: {body!r}")
            count -= jobs

    def run(self, function, workload, first=False):
        """Runs one foreground job, `first` of all that wait; returns its result and the seconds it took."""
        packet = submit_head(SUBMIT_JOB_HIGH if first else SUBMIT_JOB, function, self.unique(), workload) + workload
        start = time.perf_counter()
        self.socket.sendall(packet)
        while True:
            kind, body = self._packet()
            if kind == WORK_COMPLETE:
                took = time.perf_counter() - start
                return body.split(b"\0", 1)[1], took
            if kind in (WORK_FAIL, WORK_EXCEPTION):
                raise JobFailed(f"gearmand answered packet type {kind} for a foreground job")

    def _packet(self):
        self._receive_until(HEADER.size)
        _, kind, size = HEADER.unpack_from(self.buffer)
        end = HEADER.size + size
        self._receive_until(end)
        body = bytes(self.buffer[HEADER.size:end])
        del self.buffer[:end]
        return kind, body

    def _receive_until(self, size):
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("gearmand closed the client's connection")
            self.buffer += data


class Admin:
    """The text protocol, on a connection of its own."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def close(self):
        self.socket.close()

    def totals(self, prefix):
        """Of the functions whose names begin so: jobs left (running ones too), running ones, and connections that can
        run them."""
        self.socket.sendall(b"status\n")
        text = b""
        while not (text == b".\n" or text.endswith(b"\n.\n")):
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("gearmand closed the admin connection")
            text += data
        rows = [line.split("\t") for line in text.decode().splitlines() if line.startswith(prefix)]
        return tuple(sum(int(row[column]) for row in rows) for column in (1, 2, 3))
