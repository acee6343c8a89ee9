#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts what a job costs driveshaft in system calls, allocations, and copies of its workload.

Each is the difference between a run of many jobs and a run of few, which start and end alike: one after another, so that
every job takes the whole way alone, and as a queue that is drained, where jobs share reads and writes."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from dispatchers import Driveshaft, Work
from gearman import Admin, Client, workload_of
from processes import ANSWER, BENCH_FUNCTION, CannotMeasure, Family, Gearmand, Nginx, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEW, MANY = 500, 4500
SLOTS = 32
WITHIN = 300  # seconds; valgrind is slow


class Under(Driveshaft):
    """driveshaft, run by another program: `runner`(directory) is the beginning of the command line."""

    def __init__(self, path, runner, environment=()):
        super().__init__("ours", path, "INFO")
        self.runner, self.environment = runner, environment

    def start(self, directory, work):
        command = super().start(directory, work).command[:-2] + ["--exporter_addr", ""]  # nothing that comes by the clock
        variables = [f"{name}={value}" for name, value in self.environment]
        return Family("ours", directory, ["env", *variables, *self.runner(directory), *command])


def one_after_another(gearmand, workload, jobs):
    client = Client(gearmand.port)
    for _ in range(jobs):
        result, _ = client.run(BENCH_FUNCTION, workload)
        if result != ANSWER:
            raise CannotMeasure(f"a job's result is {result!r}")
    client.close()


def run(program, directory, nginx, size, jobs, drain):
    """One run; the program has ended when this returns."""
    workload = workload_of(size)
    with Gearmand(directory) as gearmand:
        admin = Admin(gearmand.port)
        if drain:
            client = Client(gearmand.port)
            client.preload(BENCH_FUNCTION, workload, jobs)
        with program.start(directory, Work([gearmand], nginx.uri(), SLOTS)) as process:
            if drain:
                wait_until("the queue is empty",
                           lambda: (process.check_alive(), admin.totals(BENCH_FUNCTION)[0] == 0)[1], WITHIN, 0.05)
            else:
                one_after_another(gearmand, workload, jobs)
            process.check_alive()
            os.kill(process.members()[-1], 15)  # the daemon itself: strace does not pass the signal on
            process.child.wait(60)


def difference(program, read, nginx, size, drain):
    """What `read`(directory) finds a job costs, a dict."""
    found = []
    for jobs in (FEW, MANY):
        with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as directory:
            run(program, directory, nginx, size, jobs, drain)
            found.append(read(pathlib.Path(directory)))
    few, many = found
    return {name: (many.get(name, 0) - few.get(name, 0)) / (MANY - FEW) for name in {*few, *many}}


def system_calls(path, nginx, size, drain):
    def read(directory):
        rows = (line.split() for line in (directory / "calls").read_text().splitlines())
        return {row[-1]: int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit() and row[-1] != "total"}
    program = Under(path, lambda directory: ["strace", "-f", "-c", "-o", f"{directory}/calls"])
    return difference(program, read, nginx, size, drain)


def allocations(path, nginx, size, drain):
    def read(directory):
        text = (directory / "heap").read_text()
        found = re.search(r"total heap usage: ([\d,]+) allocs, [\d,]+ frees, ([\d,]+) bytes", text)
        if not found:
            raise CannotMeasure(f"valgrind says nothing of the heap: {text[-300:]}")
        return dict(zip(("allocations", "bytes"), (int(number.replace(",", "")) for number in found.groups())))
    program = Under(path, lambda directory: ["valgrind", "--leak-check=no", f"--log-file={directory}/heap"])
    return difference(program, read, nginx, size, drain)


def copied(path, nginx, size, drain, library):
    """Bytes that a job moves in memory, in pieces of at least 1 KiB."""
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as directory:
        out = pathlib.Path(directory) / "copies"
        program = Under(path, lambda _: [], [("LD_PRELOAD", library), ("COPIES_FILE", out)])
        return difference(program, lambda _: {"bytes": int(out.read_text())}, nginx, size, drain)["bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args()
    path = options.ours.resolve()
    os.environ["PATH"] += ":/usr/sbin"
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as directory, Nginx(directory) as nginx:
        library = pathlib.Path(directory) / "copies.so"
        subprocess.run(["cc", "-O2", "-fno-builtin", "-shared", "-fPIC", ROOT / "bench/copies.c", "-o", library], check=True)
        for drain, what in ((False, "one after another"), (True, f"a queue drained, {SLOTS} slots")):
            calls = system_calls(path, nginx, 100, drain)
            print(f"100 bytes, {what}: {sum(calls.values()):.2f} system calls a job")
            for name, count in sorted(calls.items(), key=lambda entry: -entry[1]):
                if count >= 0.005:
                    print(f"    {count:6.2f}  {name}")
            heap = allocations(path, nginx, 100, drain)
            print(f"100 bytes, {what}: {heap['allocations']:.2f} allocations a job, {heap['bytes']:,.0f} bytes")
        for size in (100_000, 1_000_000):
            moved = copied(path, nginx, size, False, library)
            print(f"{size:,} bytes, one after another: {moved / size:.2f} copies of the workload in memory")
            heap = allocations(path, nginx, size, False)
            print(f"{size:,} bytes, one after another: {heap['allocations']:.2f} allocations a job, {heap['bytes']:,.0f} bytes")


if __name__ == "__main__":
    try:
        main()
    except (CannotMeasure, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
