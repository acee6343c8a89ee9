#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a job costs through nginx to php-fpm, with php-fpm directly (the same script, the same daemon, the same processes
of php-fpm), and in as many php-gearman workers that do the same work themselves. Each way runs once a round, one after the
other, so that they share the machine's moods."""

import argparse
import contextlib
import glob
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
import urllib.parse

from dispatchers import PEERS, SEVERAL
from gearman import Admin, Client, JobFailed, workload_of
from processes import ANSWER, BENCH_FUNCTION, CannotMeasure, Family, Gearmand, Process, free_port, listens, listens_unix, \
    machine_cpu, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLOTS = 8
SCRIPT = """<?php
$job = json_decode(file_get_contents('php://input'), true);
header('Content-Type: application/json');
echo json_encode(['gearman_ret' => 0, 'response_string' => (string) array_sum([1, 2])]);
"""
WAYS = ("http to nginx, fcgi to php-fpm", "http+unix to nginx, fcgi+unix to php-fpm", "fcgi to php-fpm",
        "fcgi+unix to php-fpm", "php-gearman workers, no endpoint")


class PhpFpm(Family):
    def __init__(self, directory, children):
        self.port, self.socket = free_port(), directory / "php.sock"
        conf = directory / "php-fpm.conf"
        user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
        conf.write_text("[global]\nerror_log = /proc/self/fd/2\n" + "".join(
            f"[{name}]\n{user}listen = {address}\npm = static\npm.max_children = {children}\n"
            for name, address in (("tcp", f"127.0.0.1:{self.port}"), ("unix", self.socket))))
        found = sorted(glob.glob("/usr/sbin/php-fpm*"))
        if not found:
            raise CannotMeasure("php-fpm is not installed")
        as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
        super().__init__("php-fpm", directory, [found[-1], "--nodaemonize", *as_root, "-y", conf])

    def wait_ready(self):
        wait_until("php-fpm listens", lambda: (self.check_alive(), listens(self.port) and listens_unix(self.socket))[1], 10)


class Nginx(Process):
    """Before php-fpm, with connections to it that are kept, as it is set up for speed."""

    def __init__(self, directory, fpm, script):
        self.port, self.socket = free_port(), directory / "nginx.sock"
        conf = directory / "nginx.conf"
        temporary = "\n".join(f"{name}_temp_path {directory}/nginx-{name};"
                              for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        servers = "".join(f"""
  upstream {name} {{ server {backend}; keepalive {SLOTS}; }}
  server {{
    listen {listen};
    location / {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {script};
      fastcgi_keep_conn on;
      fastcgi_pass {name};
    }}
  }}""" for name, backend, listen in (("tcp", f"127.0.0.1:{fpm.port}", f"127.0.0.1:{self.port}"),
                                      ("unix", f"unix:{fpm.socket}", f"unix:{self.socket}")))
        conf.write_text(f"""daemon off;
master_process off;
{"user root;" if os.geteuid() == 0 else ""}
pid {directory}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  {temporary}
  {servers}
}}
""")
        super().__init__("nginx", directory, ["nginx", "-p", directory, "-c", conf, "-e", "nginx.err"])

    def wait_ready(self):
        wait_until("nginx listens", lambda: (self.check_alive(), listens(self.port))[1], 10)


class Driveshaft(Process):
    def __init__(self, directory, program, gearmand, uri):
        config = directory / "jobs.json"
        config.write_text(json.dumps({
            "gearman_servers_list": [f"127.0.0.1:{gearmand.port}"],
            "pools_list": {"bench": {"job_processing_uri": uri, "worker_count": SLOTS, "jobs_list": [BENCH_FUNCTION]}}}))
        super().__init__("driveshaft", directory, [program, "--jobsconfig", config, "--exporter_addr",
                                                   f"127.0.0.1:{free_port()}", "--log_level", "warn"])


class Workers(Family):
    """php-gearman workers that do the work themselves, as many as the others have slots."""

    def __init__(self, directory, gearmand):
        super().__init__("workers", directory, ["sh", "-c", SEVERAL, "sh", SLOTS, "php", PEERS / "worker_itself.php",
                                                gearmand.port, BENCH_FUNCTION])


def uri_of(way, nginx, fpm, script):
    def quoted(socket):
        return urllib.parse.quote(str(socket), safe="")
    return dict(zip(WAYS, (f"http://127.0.0.1:{nginx.port}/job.php", f"http+unix://{quoted(nginx.socket)}/job.php",
                           f"fcgi://127.0.0.1:{fpm.port}{script}", f"fcgi+unix://{quoted(fpm.socket)}{script}")))[way]


def measure(way, options):
    """Jobs a second, and CPU microseconds a job: of each program, of them all, and of the machine."""
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        script = directory / "job.php"
        script.write_text(SCRIPT)
        gearmand = stack.enter_context(Gearmand(directory))
        client, admin = Client(gearmand.port), Admin(gearmand.port)
        stack.callback(client.close)
        stack.callback(admin.close)
        client.preload(BENCH_FUNCTION, workload_of(100), options.jobs)
        if way == WAYS[-1]:
            daemon = stack.enter_context(Workers(directory, gearmand))
            programs = {"workers": daemon, "gearmand": gearmand}
        else:
            fpm = stack.enter_context(PhpFpm(directory, SLOTS))
            nginx = stack.enter_context(Nginx(directory, fpm, script))
            daemon = stack.enter_context(Driveshaft(directory, options.ours, gearmand, uri_of(way, nginx, fpm, script)))
            programs = {"driveshaft": daemon, "nginx": nginx, "php-fpm": fpm, "gearmand": gearmand}

        def left():
            daemon.check_alive()
            return admin.totals(BENCH_FUNCTION)[0]

        def sample():
            return (left(), time.monotonic(), machine_cpu(), {name: one.cpu() for name, one in programs.items()})

        wait_until("jobs are done", lambda: left() < options.jobs * 0.95, 30)
        first = sample()
        wait_until("most jobs are done", lambda: left() < options.jobs * 0.05, 120, every=0.02)
        last = sample()
        answer, _ = client.run(BENCH_FUNCTION, workload_of(100), first=True)
        if answer != ANSWER:
            raise CannotMeasure(f"{way}: a job's result was {answer!r} instead of {ANSWER!r}")
        jobs = first[0] - last[0]
        numbers = {f"{name}_us": (last[3][name] - first[3][name]) * 1e6 / jobs for name in programs}
        return {"jobs_s": jobs / (last[1] - first[1]), "machine_us": (last[2] - first[2]) * 1e6 / jobs,
                "programs_us": sum(numbers.values()), **numbers}


def shown(rounds, column):
    """The median, or nothing for a program that this way does without."""
    return f"{statistics.median(one[column] for one in rounds):15.0f}" if column in rounds[0] else f"{'-':>15}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often (default: 5)")
    parser.add_argument("--jobs", type=int, default=20_000, metavar="N", help="a run (default: 20000)")
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args()
    runs = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS[number % len(WAYS):] + WAYS[:number % len(WAYS)]:
            runs[way].append(measure(way, options))
    columns = list(dict.fromkeys(column for rounds in runs.values() for column in rounds[0]))
    print(f"median of {options.rounds} rounds, {options.jobs} jobs each, {SLOTS} slots and processes of php-fpm")
    print(f"{'':42}" + "".join(f"{column:>15}" for column in columns))
    for way, numbers in runs.items():
        print(f"{way:42}" + "".join(shown(numbers, column) for column in columns))
    for ours, other in ((WAYS[2], WAYS[0]), (WAYS[3], WAYS[1]), (WAYS[3], WAYS[4])):
        ratios = {column: statistics.median(a[column] / b[column] for a, b in zip(runs[ours], runs[other]))
                  for column in columns[:3]}
        print(f"{ours} / {other}: " + ", ".join(f"{column} {ratio:.2f}" for column, ratio in ratios.items()))


if __name__ == "__main__":
    try:
        main()
    except (CannotMeasure, JobFailed) as error:
        sys.exit(f"bench/fastcgi.py: {error}")
