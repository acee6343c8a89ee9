#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What several backends cost, beside one, and beside HAProxy before them.

Driveshaft has one backend, three, or HAProxy between it and the three; and ten thousand idle slots, with one backend and
with fifty. All ways run once a round, in turns, so that they share the machine's moods. The backends are ports of one
nginx, so that its work is the same in all ways."""

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile

import report
from dispatchers import Driveshaft
from gearman import JobFailed
from processes import CannotMeasure, Nginx, Process, free_port, listens, wait_until
from scenarios import Drain, Herd, Idle

ROOT = pathlib.Path(__file__).resolve().parent.parent
ONE, THREE, BALANCER, FIFTY = "one backend", "three backends", "HAProxy", "fifty backends"
JOBS = 150_000
SCENARIOS = {scenario.name: (scenario, ways) for scenario, ways in (
    (Drain("drain", slots=32, size=100, jobs=JOBS), [ONE, THREE, BALANCER]),
    (Herd("herd", slots=10), [ONE, THREE, BALANCER]),
    (Idle("idle", slots=10_000, jobs=50), [ONE, FIFTY]),  # the jobs are in turn, so that each of fifty backends has one
)}


class HAProxy(Process):
    """A load balancer before the `uris`, with one thread, which costs it less than two. It logs nothing."""

    def __init__(self, directory, uris):
        self.port = free_port()
        config = directory / "haproxy.cfg"
        servers = "\n".join(f"  server s{number} {uri.removeprefix('http://').partition('/')[0]} check"
                            for number, uri in enumerate(uris))
        config.write_text(f"""global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
listen jobs
  bind 127.0.0.1:{self.port}
  balance leastconn
  http-reuse always
{servers}
""")
        super().__init__("haproxy", directory, ["haproxy", "-db", "-f", config])

    def wait_ready(self):
        wait_until("haproxy listens", lambda: (self.check_alive(), listens(self.port))[1], 10)


class Endpoint:
    """What a scenario needs to know of its endpoint: `nginx` at the `uris`, of which `balancer` may be the only one."""

    def __init__(self, nginx, uris, balancer=None):
        self.nginx, self.uris, self.balancer = nginx, uris, balancer
        self.requests = nginx.requests

    def uri(self, _path="/job"):
        return self.uris

    def cpu_by_name(self):
        own = self.nginx.cpu_by_name()
        return own | {"haproxy": self.balancer.cpu()} if self.balancer else own


def measure(options, directory, endpoints, chosen, runs):
    """Fills `runs`: (scenario, way) → the numbers of each round."""
    for number in range(options.rounds):
        for scenario, ways in chosen:
            for way in ways[::-1] if number % 2 else ways:
                with tempfile.TemporaryDirectory(dir=directory) as own:
                    numbers = scenario.measure(Driveshaft("ours", options.ours, "WARN"), endpoints[way], own)
                if "dispatcher_us" in numbers:
                    numbers["with_haproxy_us"] = numbers["dispatcher_us"] + numbers.get("haproxy_us", 0)
                runs.setdefault((scenario.name, way), []).append(numbers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], epilog=(
        "Exit status: 0 measured and every target reached, 1 a target missed, 2 could not measure."))
    parser.add_argument("scenarios", nargs="*", metavar="scenario",
                        help=f"which to run, of: {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help=f"of each drain (default: {JOBS})")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="how often (default: 7)")
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args()
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    chosen = [SCENARIOS[name] for name in options.scenarios or SCENARIOS]
    chosen = [(dataclasses.replace(one, jobs=options.jobs) if one.name == "drain" else one, ways) for one, ways in chosen]
    os.environ["PATH"] += ":/usr/sbin"
    runs = {}
    try:
        with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as name, Nginx(name, 50) as nginx, \
                HAProxy(pathlib.Path(name), nginx.uris(3)) as balancer:
            endpoints = {ONE: Endpoint(nginx, nginx.uri()), THREE: Endpoint(nginx, nginx.uris(3)),
                         FIFTY: Endpoint(nginx, nginx.uris(50)),
                         BALANCER: Endpoint(nginx, f"http://127.0.0.1:{balancer.port}/job", balancer)}
            measure(options, name, endpoints, chosen, runs)
    except (CannotMeasure, JobFailed, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    report.print_report([scenario for scenario, _ in chosen], runs)
    return 0 if all(reached for _, _, reached in report.targets(runs)) else 1


if __name__ == "__main__":
    sys.exit(main())
