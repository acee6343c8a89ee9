#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What onlookers cost: jobs a second with so many listeners to events and a scrape a second, beside none.

Queues are drained with and without onlookers in turns, so that both share the machine's moods."""

import argparse
import contextlib
import os
import pathlib
import socket
import statistics
import sys
import tempfile
import threading
import time

from dispatchers import Driveshaft, Work
from gearman import Admin, Client, workload_of
from processes import BENCH_FUNCTION, Gearmand, Nginx, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Onlookers:
    """`count` listeners, read by one thread, and a scrape a second; leaving it ends them all."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.bytes = 0
        self._ended = threading.Event()

    def __enter__(self):
        self.sockets = []
        for _ in range(self.count):
            sock = socket.create_connection(("127.0.0.1", self.port))
            sock.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200", "too many listeners"
            sock.setblocking(False)
            self.sockets.append(sock)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        for sock in self.sockets:
            sock.close()

    # Once a second, so that reading them costs the machine as little as can be.
    def _run(self):
        while not self._ended.wait(1):
            for sock in self.sockets:
                try:
                    self.bytes += len(sock.recv(1 << 20))
                except BlockingIOError:
                    pass
            with socket.create_connection(("127.0.0.1", self.port)) as sock:
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while part := sock.recv(1 << 20):
                    self.bytes += len(part)


def drain(dispatcher, directory, gearmand, nginx, jobs, listeners):
    """Empties a queue of that many jobs with a daemon of its own; jobs a second, and CPU microseconds of its a job."""
    client, admin = Client(gearmand.port), Admin(gearmand.port)
    client.preload(BENCH_FUNCTION, workload_of(100), jobs)
    with dispatcher.start(directory, Work([gearmand], nginx.uri(), 32)) as program:
        wait_until("it takes jobs", lambda: admin.totals(BENCH_FUNCTION)[1] > 0, 10)
        exporter = int(program.command[-1].rsplit(":", 1)[1])
        with Onlookers(exporter, listeners) if listeners else contextlib.nullcontext():
            begun, first, used = time.monotonic(), admin.totals(BENCH_FUNCTION)[0], program.cpu()
            while (left := admin.totals(BENCH_FUNCTION)[0]) > jobs / 20:
                time.sleep(0.02)
            took, used = time.monotonic() - begun, program.cpu() - used
        wait_until("the queue is empty", lambda: admin.totals(BENCH_FUNCTION)[0] == 0, 30)
    return (first - left) / took, 1e6 * used / (first - left)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=150_000, help="of each drain")
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path)
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    alone, watched, alone_us, watched_us = [], [], [], []
    with tempfile.TemporaryDirectory() as directory, Nginx(directory) as nginx, Gearmand(directory) as gearmand:
        dispatcher = Driveshaft("ours", options.ours, "WARN")
        for number in range(options.rounds):
            for listeners in ((0, options.listeners) if number % 2 else (options.listeners, 0)):
                jobs, cost = drain(dispatcher, directory, gearmand, nginx, options.jobs, listeners)
                (watched if listeners else alone).append(jobs)
                (watched_us if listeners else alone_us).append(cost)
            print(f"round {number + 1}: alone {alone[-1]:,.0f} jobs/s, watched {watched[-1]:,.0f}", file=sys.stderr)
    ratio = statistics.median(w / a for w, a in zip(watched, alone))
    print(f"jobs/s, median: alone {statistics.median(alone):,.0f}, with {options.listeners} listeners and a scrape a second "
          f"{statistics.median(watched):,.0f}; ratio, median of rounds: {ratio:.3f}")
    print(f"CPU of the daemon a job: alone {statistics.median(alone_us):.2f} µs, watched {statistics.median(watched_us):.2f} µs")


if __name__ == "__main__":
    main()
