#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long run of everything at once, bounded and on loopback: soak.py MINUTES. `./dev soak` runs it.

Jobs of several kinds all the time, while gearmand is killed, the endpoint goes away, answers garbage or asks to wait,
the jobs file changes, files are reopened and a crowd sits on the metrics port. At the end every foreground job must
have had its right result, every background job its end, and memory and descriptors must be where they were.
"""
import argparse
import json
import os
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

from behaviours import answer, chunked, contract, drip, flood, raw
from clients import Client
from driveshaft import Driveshaft, jobs_file, pool, sanitized
from fakes import FakeEndpoint
from load import Load
from processes import wait_until
from servers import Gearmand, PhpFpmNginx
from soaking import Journal, Mischief, RETRY, Submitter, Worker, crowd, gearmand_on_disk, wait_for_empty_queues

MIB = 1 << 20
SAMPLE_EVERY = 5  # seconds
PAUSE = (1, 4)  # seconds
# The lowest value in the last quarter of the run may be higher than that in the second quarter by so much.
MEMORY_MAY_RISE, FILES_MAY_RISE = 6 * MIB, 5

dice = random.Random(20)

MISCHIEF = [answer()] * 6 + [
    answer(b"oops", status="500 Internal Server Error"), answer(b"no JSON"), raw(b""), raw(b"SSH-2.0-nginx\r\n"),
    raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), answer(contract("no", ret=1)),
    answer(b"busy", status="503 Service Unavailable", headers=["Retry-After: 0"]),
    flood(b"HTTP/1.1 200 OK\r\n\r\n", bytes(MIB), 100), drip(b"HTTP/1.1 200 OK\r\n", b"X", 0.2),
    chunked(contract("x" * 100_000)),
]


def mischief(request, sock):
    return dice.choice(MISCHIEF)(request, sock)


def odd_job():
    """A job for the endpoint that misbehaves. Each job has a workload: with an empty one in its queue file, gearmand 1.1.20
    does not start again."""
    return "odd", "x" * dice.randrange(1, 2000)


class Big(Worker):
    """Runs foreground jobs of up to 4 MiB, one after another, and checks each result."""

    def __init__(self, server):
        super().__init__()
        self.server, self.right = server, 0

    def work(self):
        with Client(self.server) as client:
            while not self.stopping.wait(0.05):
                workload = os.urandom(1024) * dice.randrange(1, 4096)
                assert client.run("echo64", workload).kind == "complete"
                self.right += 1


class Soak:
    def __init__(self, directory, minutes):
        self.directory, self.seconds = directory, minutes * 60
        self.web = PhpFpmNginx(directory)
        self.mischief = FakeEndpoint(mischief)
        self.steady = Gearmand(directory, "steady")
        self.killed = gearmand_on_disk(directory, "killed")
        self.daemon = None
        self.samples = []  # (seconds, resident bytes, descriptors)
        self.journal = Journal()

    def jobs_file(self, **changes):
        pools = {
            "Steady": pool(self.web.uri(), ["reverse"], changes.get("workers", 8), gearmand_connections=changes.get("connections", 1),
                           retry=RETRY),
            "Big": pool(self.web.uri(run="base64"), ["echo64"], 2, retry=RETRY,
                        request_format=changes.get("format", "json")),
            "Odd": pool(self.mischief.uri(), ["odd"], 8, dead_letter_function="failed_jobs", max_response_size=MIB,
                        retry={"attempts": 2, "initial_delay": 0.05, "attempt_timeout": 0.5,
                               "on": ["timeout", "5xx", "connection_lost"]}),
        }
        if changes.get("letters"):
            pools["Letters"] = pool(self.web.uri(run="digest"), ["failed_jobs"], 4)
        return jobs_file([self.steady, self.killed], pools)

    # --- what happens meanwhile

    def reload(self, dice):
        self.daemon.write_config(self.jobs_file(workers=dice.choice([4, 8, 16]), connections=dice.choice([1, 2]),
                                                format=dice.choice(["json", "multipart"]), letters=True))

    def reload_broken(self, dice):
        self.daemon.write_config("{")
        time.sleep(0.6)
        self.reload(dice)

    def kill_gearmand(self, dice):
        self.killed.kill()
        time.sleep(dice.uniform(0, 1))
        self.killed.start()

    def endpoint_away(self, dice):
        self.web.nginx.kill()
        time.sleep(dice.uniform(0, 2))
        self.web.start_nginx()

    def mischief_away(self, dice):
        self.mischief.stop()
        time.sleep(dice.uniform(0, 1))
        self.mischief.start()

    def reopen_logs(self, dice):
        self.daemon.send(signal.SIGHUP)

    def crowd(self, _):
        with crowd("127.0.0.1", self.daemon.port, 300):
            assert self.daemon.get("/metrics")[0] == 200

    def deeds(self):
        return [("driveshaft", "reloaded", self.reload), ("driveshaft", "reloaded", self.reload),
                ("driveshaft", "given a broken file", self.reload_broken), ("gearmand", "killed", self.kill_gearmand),
                ("nginx", "killed", self.endpoint_away), ("mischief", "stopped", self.mischief_away),
                ("driveshaft", "told to reopen its log", self.reopen_logs), ("driveshaft", "crowded", self.crowd)]

    # --- the run

    def run(self):
        for server in (self.web, self.mischief, self.steady, self.killed):
            server.start()
        self.daemon = Driveshaft(self.directory, self.jobs_file(letters=True), log_level="warn", loop_timeout=1,
                                 max_running_time=60)
        self.daemon.expect_errors("^Failed job: function=odd", "^Dead letter not taken", "^Failed job: function=failed_jobs",
                                  "not valid JSON", "jobs file")
        try:
            self.daemon.start()
            self.work()
            assert self.daemon.stop(15) == 0
        finally:
            for server in (self.daemon, self.web, self.mischief, self.steady, self.killed):
                server.stop()
        self.judge()

    def work(self):
        load = Load(self.steady)
        workers = big, odd, mischief = (Big(self.steady), Submitter(self.killed, odd_job, every=0.02),
                                        Mischief(dice, self.journal, self.deeds(), PAUSE))
        began = next_sample = time.monotonic()
        with load:
            for worker in workers:
                worker.start()
            while (now := time.monotonic()) < began + self.seconds:
                for worker in workers:
                    worker.check()
                if now >= next_sample:
                    self.sample(now - began, load.right + big.right)
                    next_sample += SAMPLE_EVERY
                time.sleep(0.1)
            for worker in (mischief, odd, big):
                worker.stop()
            right = load.stop()
        wait_for_empty_queues([self.steady, self.killed], 120)
        wait_until(lambda: self.daemon.metric("driveshaft_threads", status="busy") == 0, "every slot is free")
        assert self.daemon.metric("driveshaft_jobs_held") == 0
        self.done = {"right foreground results": right, "right big results": big.right, "background jobs": len(odd.created),
                     "retries": int(self.daemon.metric("driveshaft_retries_total")),
                     "dead letters taken": int(self.daemon.metric("driveshaft_dead_letters_total", result="accepted")),
                     "dead letters in the log": int(self.daemon.metric("driveshaft_dead_letters_total", result="lost"))}

    def sample(self, at, done):
        files = len(os.listdir(f"/proc/{self.daemon.pid}/fd"))
        self.samples.append((at, self.daemon.memory("VmRSS"), files))
        if len(self.samples) % 12 == 1:
            print(f"{at:6.0f} s  {self.samples[-1][1] / MIB:6.1f} MiB  {files:4} files  {done} jobs", flush=True)

    def judge(self):
        print("events:", json.dumps(self.journal.counted()))
        print("account:", json.dumps(self.done))
        quarter = len(self.samples) // 4
        early, late = self.samples[quarter:2 * quarter], self.samples[-quarter:]
        floors = [(min(sample[i] for sample in early), min(sample[i] for sample in late)) for i in (1, 2)]
        medians = [(statistics.median(sample[i] for sample in early), statistics.median(sample[i] for sample in late))
                   for i in (1, 2)]
        print(f"memory, second and last quarter: floor {floors[0][0] / MIB:.1f} and {floors[0][1] / MIB:.1f} MiB, "
              f"median {medians[0][0] / MIB:.1f} and {medians[0][1] / MIB:.1f} MiB")
        print(f"descriptors: floor {floors[1][0]} and {floors[1][1]}, median {medians[1][0]} and {medians[1][1]}")
        bad = self.daemon.unexpected_lines()
        assert not bad, "\n".join(bad[:10])
        if not sanitized():
            assert floors[0][1] - floors[0][0] < MEMORY_MAY_RISE, "memory rises"
        assert floors[1][1] - floors[1][0] < FILES_MAY_RISE, "descriptors rise"
        print("soaked: all is well")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="./dev soak", description="Everything at once for long.", epilog="See ./dev help.")
    parser.add_argument("minutes", type=float, nargs="?", default=20)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="driveshaft-soak-") as folder:
        Soak(Path(folder), wanted.minutes).run()
