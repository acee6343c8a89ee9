#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What an outage of the endpoint costs. Jobs wait in gearmand; while they are worked off, php-fpm behind nginx is stopped
for some seconds, or nginx is, and then it starts again. A job counts as lost when it has ended and its script has not run to
the end. Driveshaft with its defaults, and php-gearman workers that call the endpoint, take turns."""

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile
import time

from dispatchers import PEERS, SEVERAL
from fastcgi import Driveshaft, Nginx, PhpFpm, SLOTS
from gearman import Admin, Client, JobFailed, workload_of
from processes import BENCH_FUNCTION, CannotMeasure, Family, Gearmand, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ("driveshaft", "php-gearman workers")
OUTAGES = ("php-fpm", "nginx")
# Each run writes down the job's unique when it ends.
SCRIPT = """<?php
$job = json_decode(file_get_contents('php://input'), true);
usleep(2000);
file_put_contents('%s', $job['unique'] . "\\n", FILE_APPEND | LOCK_EX);
header('Content-Type: application/json');
echo json_encode(['gearman_ret' => 0, 'response_string' => '3']);
"""


class Workers(Family):
    """Each keeps its connection to the endpoint. A call that fails, or another answer than the right one, fails the job."""

    def __init__(self, directory, gearmand, uri):
        super().__init__("workers", directory, ["sh", "-c", SEVERAL, "sh", SLOTS, "php", PEERS / "worker.php", gearmand.port,
                                                BENCH_FUNCTION, uri, "one-handle"])


def measure(program, outage, options):
    """(jobs lost, jobs that ran more than once, seconds until all jobs had ended)"""
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        script, book = directory / "job.php", directory / "book"
        script.write_text(SCRIPT % book)
        fpm = stack.enter_context(PhpFpm(directory, SLOTS))
        nginx = stack.enter_context(Nginx(directory, fpm, script))
        gearmand = stack.enter_context(Gearmand(directory))
        client, admin = Client(gearmand.port), Admin(gearmand.port)
        stack.callback(client.close)
        stack.callback(admin.close)
        client.preload(BENCH_FUNCTION, workload_of(100), options.jobs)
        uri = f"http://127.0.0.1:{nginx.port}/job.php"
        start = time.monotonic()
        worker = stack.enter_context(Driveshaft(directory, options.ours, gearmand, uri) if program == PROGRAMS[0]
                                     else Workers(directory, gearmand, uri))

        def left():
            worker.check_alive()
            return admin.totals(BENCH_FUNCTION)[0]

        wait_until("a tenth of the jobs is done", lambda: left() < 0.9 * options.jobs, 60)
        victim = {"php-fpm": fpm, "nginx": nginx}[outage]
        victim.stop()
        time.sleep(options.seconds)
        stack.enter_context(victim)
        wait_until("all jobs have ended", lambda: left() == 0, 300)
        ran = book.read_text().split()
        return options.jobs - len(set(ran)), len(ran) - len(set(ran)), time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often (default: 3)")
    parser.add_argument("--jobs", type=int, default=10_000, metavar="N", help="a run (default: 10000)")
    parser.add_argument("--seconds", type=float, default=5, metavar="S", help="how long the outage is (default: 5)")
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args()
    runs = {}
    for _ in range(options.rounds):
        for outage in OUTAGES:
            for program in PROGRAMS:
                runs.setdefault((outage, program), []).append(measure(program, outage, options))
    print(f"{options.jobs} jobs, {SLOTS} slots, workers and processes of php-fpm, {options.seconds:g} s of outage; each round")
    for (outage, program), rounds in runs.items():
        lost, again, took = zip(*rounds)
        print(f"{outage} stopped, {program}: lost {', '.join(map(str, lost))}; ran twice {', '.join(map(str, again))}; "
              f"all had ended after {statistics.median(took):.1f} s")


if __name__ == "__main__":
    try:
        main()
    except (CannotMeasure, JobFailed) as error:
        sys.exit(f"bench/outage.py: {error}")
