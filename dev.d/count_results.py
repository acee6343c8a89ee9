#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up a test run: count_results.py FOLDER STAGE …

FOLDER/STAGE.status holds a stage's exit status, FOLDER/STAGE.xml its JUnit report.
Prints skipped tests with their reasons, and last one line, "N passed, N failed" with ", N skipped" where there are any.
Exits 0 only if something passed and nothing failed. A stage that failed without naming a failed test (it was not built,
crashed or hung) counts as one. In CI a skipped test counts as failed, unless its reason begins with "this machine": what a
machine does not allow is its own affair, and everything else CI has to provide.
"""
import os
import re
import sys
import xml.etree.ElementTree as xml
from collections import Counter


def outcome(case):
    """(passed, failed or skipped; why skipped), for one <testcase> of GoogleTest's, CTest's or pytest's."""
    children = {child.tag: child for child in case}
    if children.keys() & {"failure", "error"}:
        return "failed", ""
    if "skipped" not in children:
        return "passed", ""
    # Of a GoogleTest under CTest the reason is in its output, the line before its verdict.
    told = re.search(r"Skipped\n(.*)\n", case.findtext("system-out") or "")
    return "skipped", told[1] if told else children["skipped"].get("message", "").strip().rpartition("\n")[2]


def results(path):
    """The outcomes of a stage: [(outcome, name, why)]."""
    try:
        with open(path + ".status", encoding="ascii") as file:
            status = int(file.read())
    except (OSError, ValueError):
        status = -1
    try:
        found = [(*outcome(case), f"{case.get('classname')}.{case.get('name')}") for case in xml.parse(path + ".xml").iter("testcase")]
    except (OSError, xml.ParseError):
        found = []
    stage = os.path.basename(path)
    if not any(result == "failed" for result, _, _ in found) and (status != 0 or not found):
        print(f"{stage}: failed without naming a test (status {status}); see build/logs/{stage}.log")
        found.append(("failed", "", stage))
    return found


def main(folder, stages):
    count = Counter()
    for stage in stages:
        for result, why, name in results(os.path.join(folder, stage)):
            if result == "skipped":
                unexpected = os.environ.get("CI") and not why.startswith("this machine")
                print(f"{stage}: skipped {name}: {why}{', which fails a run in CI' if unexpected else ''}")
                result = "failed" if unexpected else result
            count[result] += 1
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 0 if count["failed"] == 0 and count["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
