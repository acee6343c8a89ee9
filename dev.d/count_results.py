#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up a test run: count_results.py FOLDER STAGE …

FOLDER/STAGE.status holds the stage's exit status and, for a stage of many tests, FOLDER/STAGE.xml its JUnit report.
Prints one line, "N passed, N failed" with ", N skipped" where there are any; exits 0 only if something passed and
nothing failed. A stage that failed without naming a failed test (it crashed, hung or never ran) counts as one.
A build that worked is no test and counts as nothing.
"""
import os
import sys
import xml.etree.ElementTree as xml


def outcome(case):
    """passed, failed or skipped, for one <testcase> of GoogleTest's or pytest's."""
    children = {child.tag for child in case}
    if children & {"failure", "error"}:
        return "failed"
    if "skipped" in children or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def count_stage(folder, stage):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    path = os.path.join(folder, stage)
    try:
        with open(path + ".status", encoding="ascii") as file:
            status = int(file.read())
    except (OSError, ValueError):
        status = -1
    reported = None
    try:
        reported = [outcome(case) for case in xml.parse(path + ".xml").iter("testcase")]
    except (OSError, xml.ParseError):
        pass
    for result in reported or []:
        count[result] += 1
    if status == 0 and reported is None and stage.startswith("fuzz-"):
        count["passed"] += 1
    runs_tests = stage.startswith(("unit-", "integration-"))
    if (status != 0 and count["failed"] == 0) or (status == 0 and runs_tests and not reported):
        count["failed"] += 1
        print(f"{stage}: failed without naming a test (status {status}); see build/logs/{stage}.log")
    return count


def main(folder, stages):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for stage in stages:
        for key, value in count_stage(folder, stage).items():
            total[key] += value
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 0 if total["failed"] == 0 and total["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
