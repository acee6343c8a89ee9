#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares driveshaft with the floor program, and with any program that takes driveshaft's command line.

Every program runs every scenario once a round, one after the other, so that they share the machine's moods. Each
measurement has a gearmand of its own; all of it stays on the loopback interface and in a temporary directory."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import report
from dispatchers import Driveshaft, Floor, peers
from gearman import JobFailed
from processes import CannotMeasure, GEARMAND, Nginx
from scenarios import DEFAULT, GROWTH, SCENARIOS

ROOT = pathlib.Path(__file__).resolve().parent.parent


KNOWN = {**{name: [scenario] for name, scenario in SCENARIOS.items()},
         **{name: list(series.values()) for name, series in GROWTH.items()}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], epilog=(
        f"How cost grows: {', '.join(GROWTH)}, each a series of scenarios. "
        "Exit status: 0 measured and every target reached, 1 a target missed, 2 could not measure."))
    parser.add_argument("scenarios", nargs="*", metavar="scenario",
                        help=f"which to run, of: {', '.join(KNOWN)} (default: {' '.join(DEFAULT)})")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often (default: 5)")
    parser.add_argument("--quick", action="store_true", help="two short rounds: a look, not a verdict")
    parser.add_argument("--ours", default=ROOT / "build/release/driveshaft", type=pathlib.Path, metavar="PATH")
    parser.add_argument("--no-ours", action="store_true", help="measure the other programs alone")
    parser.add_argument("--floor", default=ROOT / "build/release/bench/floor", type=pathlib.Path, metavar="PATH")
    parser.add_argument("--against", action="append", default=[], metavar="NAME=PATH",
                        help="another program with driveshaft's command line, at INFO; may be repeated")
    parser.add_argument("--peers", type=lambda text: pathlib.Path(text).resolve(), metavar="DIRECTORY",
                        help="measure what one would run instead too; the directory has what they need")
    parser.add_argument("--time-limit", type=float, default=900, metavar="SECONDS",
                        help="no round is begun that would end later (default: 900)")
    parser.add_argument("--json", metavar="FILE", help="write every number there")
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIRECTORY", help="draw them there, as SVG")
    options = parser.parse_args()
    for name in options.scenarios:
        if name not in KNOWN:
            parser.error(f"there is no scenario {name!r}; there are: {', '.join(KNOWN)}")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1")
    return options


def programs(options):
    found = []
    if not options.no_ours:
        found += [Driveshaft("ours", options.ours, "INFO"), Driveshaft("ours WARN", options.ours, "WARN")]
    found.append(Floor("floor", options.floor))
    for pair in options.against:
        name, _, path = pair.partition("=")
        if not path or name in [program.name for program in found]:
            raise CannotMeasure(f"--against {pair}: expected NAME=PATH with a name of its own")
        found.append(Driveshaft(name, path, "INFO"))
    for program in found:
        if not os.access(program.path, os.X_OK):
            raise CannotMeasure(f"{program.path} is not a program; './dev bench' builds ours and the floor, --no-ours "
                                "does without ours")
    if options.peers:
        found += peers(options.peers)
        for program in found:
            if not os.path.exists(program.path or ""):
                raise CannotMeasure(f"there is no {program.path} for {program.name}; './dev bench --peers' builds it")
    for server in (GEARMAND, "nginx"):
        if not shutil.which(server):
            raise CannotMeasure(f"{server} is not installed; './dev bench' installs what is needed")
    return found


def measure_all(options, scenarios, dispatchers, runs):
    """Fills `runs`: (scenario, program) → the numbers of each round."""
    start = time.monotonic()
    longest = 0
    with tempfile.TemporaryDirectory(prefix="driveshaft-bench-") as directory, Nginx(directory) as nginx:
        for number in range(1, options.rounds + 1):
            begun = time.monotonic()
            if begun - start + longest > options.time_limit:
                print(f"Stopped after {number - 1} rounds: another would end after --time-limit.", file=sys.stderr)
                return
            for scenario in scenarios:
                for dispatcher in dispatchers:
                    if not dispatcher.can(scenario):
                        continue
                    with tempfile.TemporaryDirectory(dir=directory) as own:
                        numbers = scenario.measure(dispatcher, nginx, own)
                    runs.setdefault((scenario.name, dispatcher.name), []).append(numbers)
                    print(f"[{time.monotonic() - start:3.0f} s] round {number}/{options.rounds} {scenario.name} "
                          f"{dispatcher.name}: {report.brief(numbers)}", file=sys.stderr)
            longest = max(longest, time.monotonic() - begun)


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # unwinds, and so ends every process
    os.environ["PATH"] += ":/usr/sbin"  # where Debian keeps both servers
    scenarios = [scenario for name in options.scenarios or DEFAULT for scenario in KNOWN[name]]
    if options.quick:
        options.rounds = min(options.rounds, 2)
        scenarios = [scenario.shortened(0.4) for scenario in scenarios]
    runs = {}
    try:
        measure_all(options, scenarios, programs(options), runs)
    except (CannotMeasure, JobFailed, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    report.print_report(scenarios, runs)
    if options.json:
        report.write_json(options.json, scenarios, runs)
    if options.plots:
        import plots  # what draws is not needed for measuring
        plots.draw(options.plots, scenarios, runs)
    return 0 if all(reached for _, _, reached in report.targets(runs)) else 1


if __name__ == "__main__":
    sys.exit(main())
