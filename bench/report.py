# SPDX-License-Identifier: MIT
"""Rounds of numbers → a table for people and a JSON file for programs."""

import json
import os
import platform
import statistics
import subprocess
import time

from processes import GEARMAND
from targets import TARGETS

# name → (heading, decimals, shows its spread)
COLUMNS = {
    "jobs_s": ("jobs/s", 0, True),
    "rtt_ms": ("round trip ms", 2, True),
    "rtt_p95_ms": ("95% ms", 2, False),
    "core_percent": ("% of a core", 2, True),
    "in_flight": ("in flight", 0, False),
    "all_s": ("all done s", 1, True),
    "dispatcher_us": ("CPU µs/job", 1, True),
    "gearmand_us": ("gearmand µs/job", 1, True),
    "nginx_us": ("nginx µs/job", 1, False),
    "haproxy_us": ("haproxy µs/job", 1, False),
    "with_haproxy_us": ("with haproxy's", 1, True),
    "start_ms": ("start ms", 0, False),
    "slowest_start_ms": ("slowest start ms", 0, False),
    "rss_mb": ("peak MB", 1, False),
    "threads": ("threads", 0, False),
    "connections": ("connections", 0, False),
    "others_cores": ("others' cores", 2, False),
}


def brief(numbers):
    """The first of them."""
    name = next(name for name in COLUMNS if name in numbers)
    return f"{numbers[name]:,.{COLUMNS[name][1]}f} {COLUMNS[name][0]}"


def spread(values, decimals, shown=True):
    middle = f"{statistics.median(values):,.{decimals}f}"
    if not shown or len(values) < 2:
        return middle
    return f"{middle} ({min(values):,.{decimals}f}–{max(values):,.{decimals}f})"


def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")
    gearmand = subprocess.run([GEARMAND, "--version"], capture_output=True, text=True).stdout.split(" - ")[0].strip()
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().rpartition(" ")[2]
    commit = subprocess.run(["git", "-C", os.path.dirname(__file__), "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip()
    return {"date": time.strftime("%Y-%m-%d"), "commit": commit, "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "gearmand": gearmand, "nginx": nginx}


def targets(runs):
    """The target rows that this run can tell about: (target, ratios, reached)."""
    known = [(target, target.ratios(runs)) for target in TARGETS]
    return [(target, ratios, target.reached(ratios)) for target, ratios in known if ratios]


def print_report(scenarios, runs):
    about = machine()
    print(f"{about['date']}, commit {about['commit']}, {about['cores']} cores, {about['cpu']}, Linux {about['kernel']}, "
          f"{about['gearmand']}, {about['nginx']}")
    print("Medians of the rounds (lowest–highest); CPU is user + system time.\n")
    for scenario in scenarios:
        measured = {program: rounds for (name, program), rounds in runs.items() if name == scenario.name}
        names = [name for name in COLUMNS if any(name in rounds[0] for rounds in measured.values())]
        rows = [["program"] + [COLUMNS[name][0] for name in names]]
        for program, rounds in measured.items():
            cells = [spread([numbers[name] for numbers in rounds], *COLUMNS[name][1:]) if name in rounds[0] else "-"
                     for name in names]
            rows.append([program] + cells)
        print(f"{scenario.name}: {scenario.about}, {len(rounds)} rounds\n{table(rows)}\n")
    verdicts = targets(runs)
    if verdicts:
        rows = [["target", "limit", "ratio, median of the rounds", ""]]
        rows += [[target.text, target.limit(), spread(ratios, 2), "ok" if reached else "MISSED"]
                 for target, ratios, reached in verdicts]
        print(table(rows) + "\n")
    busy = [numbers["others_cores"] for rounds in runs.values() for numbers in rounds if "others_cores" in numbers]
    busy = statistics.median(busy) if busy else 0
    if busy > 0.1:
        print(f"Other processes kept {busy:.2f} cores busy: trust the ratios more than the absolute figures.")


def write_json(path, scenarios, runs):
    report = {
        "machine": machine(),
        "scenarios": {scenario.name: {
            "about": scenario.about,
            "programs": {program: rounds for (name, program), rounds in runs.items() if name == scenario.name},
        } for scenario in scenarios},
        "targets": [{"text": target.text, "limit": target.limit(), "ratios": ratios,
                     "ratio": statistics.median(ratios), "reached": reached}
                    for target, ratios, reached in targets(runs)],
    }
    with open(path, "w") as f:
        json.dump(report, f, indent=2, ensure_ascii=False)
        f.write("\n")
