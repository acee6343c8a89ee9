#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the instructions that driveshaft spends on a job, with callgrind, and compares them with those on record.

Jobs run one after another, each as soon as the one before has its result, so that every run takes the same path: a
wake-up, a grab, the request, the answer, the result, sleep. What a job costs is the difference between a run of many and
a run of few, which start and end alike. A busy machine makes it slow, not wrong."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from dispatchers import Driveshaft, Work
from gearman import Client, workload_of
from processes import ANSWER, BENCH_FUNCTION, CannotMeasure, Gearmand, Nginx, Process

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "bench/instructions.json"
FEW, MANY = 200, 1200
ALLOWED = 0.03   # a job may cost so much more than on record
SHOWN = 12       # functions, of those that changed most
KEPT = 150       # functions on record
INPUTS = {  # name: (bytes of the workload, level of the log, backends)
    "100 bytes, INFO": (100, "INFO", 1),
    "100 bytes, WARN": (100, "WARN", 1),
    "100 bytes, WARN, 3 backends": (100, "WARN", 3),
    "100 kB, WARN": (100_000, "WARN", 1),
}


class UnderCallgrind(Driveshaft):
    def start(self, directory, work):
        plain = super().start(directory, work)
        command = plain.command[:-2] + ["--exporter_addr", ""]  # nothing that comes by the clock
        return Process("callgrind", directory, [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/profile", *command])


def count(path, size, level, backends, jobs):
    """Instructions by function of a whole run."""
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as directory, Nginx(directory, backends) as nginx, \
            Gearmand(directory) as gearmand:
        client, workload = Client(gearmand.port), workload_of(size)
        uri = nginx.uri() if backends == 1 else nginx.uris(backends)
        with UnderCallgrind("ours", path, level).start(directory, Work([gearmand], uri, 4)) as daemon:
            for _ in range(jobs):
                result, _ = client.run(BENCH_FUNCTION, workload)
                if result != ANSWER:
                    raise CannotMeasure(f"a job's result is {result!r}")
            daemon.check_alive()
            daemon.stop(60)
            if daemon.child.returncode != 0:
                raise CannotMeasure(f"callgrind ended with {daemon.child.returncode}: {daemon.output.read_text()[-500:]}")
        client.close()
        annotated = subprocess.run(["callgrind_annotate", "--threshold=100", "--show=Ir", f"{directory}/profile"],
                                   capture_output=True, text=True)
        if annotated.returncode != 0:
            raise CannotMeasure(f"callgrind_annotate: {annotated.stderr or annotated.stdout}")
    text = annotated.stdout
    functions = {}
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+) \([^)]*\)\s+(?:[^:\s]*/)?([^:]+:.+?)(?: \[[^]]*\])?$", line)
        if found and found[2] != "PROGRAM TOTALS":
            functions[found[2]] = functions.get(found[2], 0) + int(found[1].replace(",", ""))
    if not functions:
        raise CannotMeasure(f"callgrind_annotate says nothing that is understood: {text[:300]}")
    return functions


def per_job(path, *what):
    few, many = count(path, *what, FEW), count(path, *what, MANY)
    return {name: (many.get(name, 0) - few.get(name, 0)) / (MANY - FEW) for name in {*few, *many}}


def compare(name, functions, record):
    """Prints what a job costs now and what changed. False: more than is allowed."""
    total = sum(functions.values())
    before = record.get("inputs", {}).get(name)
    if not before:
        print(f"{name:27} {total:9,.0f} instructions a job; there is none on record")
        return True
    change = total / before["total"] - 1
    print(f"{name:27} {total:9,.0f} instructions a job, {change:+.1%} against {before['total']:,.0f} on record")
    changes = [(functions.get(one, 0) - was, one) for one, was in before["functions"].items()]
    changes += [(now, one) for one, now in functions.items() if one not in before["functions"]]
    for difference, one in sorted(changes, key=lambda entry: -abs(entry[0]))[:SHOWN]:
        if abs(difference) > 0.002 * total:
            print(f"    {difference:+9,.0f}  {one[:110]}")
    return change <= ALLOWED


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], epilog=(
        f"Exit status: 0 no job costs {ALLOWED:.0%} more than on record, 1 one does, 2 could not measure."))
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    parser.add_argument("--record", action="store_true", help=f"writes what is found to {RECORD.relative_to(ROOT)}")
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    inputs, good = {}, True
    try:
        for name, what in INPUTS.items():
            functions = per_job(options.ours, *what)
            good = compare(name, functions, record) and good
            kept = sorted(functions.items(), key=lambda entry: -entry[1])[:KEPT]
            inputs[name] = {"total": round(sum(functions.values())),
                            "functions": {one: round(instructions) for one, instructions in kept if instructions >= 1}}
    except (CannotMeasure, OSError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.record:
        compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
        RECORD.write_text(json.dumps({"compiler": compiler, "inputs": inputs}, indent=1) + "\n")
        return 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
