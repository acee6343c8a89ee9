# SPDX-License-Identifier: MIT
"""The last line of ./dev test, and its exit status."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
COUNT = Path(__file__).resolve().parent.parent / "dev.d/count_results.py"
PYTEST = '<testsuites><testsuite>{}</testsuite></testsuites>'
PASSED = '<testcase classname="a" name="passes"/>'
FAILED = '<testcase classname="a" name="fails"><failure message="oops"/></testcase>'
SKIPPED = '<testcase classname="a" name="left_out"><skipped message="{}"/></testcase>'
# The report that CTest writes about a GoogleTest that skips itself.
SKIPPED_UNIT = """<testcase name="Of.root" classname="Of.root" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>Running main()
[ RUN      ] Of.root
/src/x_test.cc:14: Skipped
needs root

[  SKIPPED ] Of.root (0 ms)
</system-out></testcase>"""


def summed_up(folder, ci="", **stages):
    """Sums up stages, each given as its exit status and the cases of its report. Returns (exit status, lines)."""
    for name, (status, *cases) in stages.items():
        name = name.replace("_", "-")
        (folder / f"{name}.status").write_text(str(status))
        if cases:
            (folder / f"{name}.xml").write_text(PYTEST.format("".join(cases)))
    done = subprocess.run([sys.executable, COUNT, folder, *(name.replace("_", "-") for name in stages)], text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "CI": ci})
    return done.returncode, done.stdout.splitlines()


def test_tests_of_all_stages_are_added_up(tmp_path):
    assert summed_up(tmp_path, unit_dev=(0, PASSED, PASSED), integration_dev=(0, PASSED), fuzz=(0, PASSED)) == (
        0, ["4 passed, 0 failed"])


def test_a_failed_test_counts_once(tmp_path):
    assert summed_up(tmp_path, unit_dev=(1, PASSED, FAILED)) == (1, ["1 passed, 1 failed"])


@pytest.mark.parametrize("stage", [{"unit_dev": (139,)}, {"unit_dev": (124, PASSED)}, {"unit_dev": (0,)}])
def test_a_stage_that_names_no_failed_test_counts_as_one(tmp_path, stage):
    status, lines = summed_up(tmp_path, integration_dev=(0, PASSED), **stage)
    assert status == 1 and lines[-1] in ("1 passed, 1 failed", "2 passed, 1 failed")
    assert "failed without naming a test" in lines[0]


def test_nothing_at_all_is_no_success(tmp_path):
    assert summed_up(tmp_path)[0] == 1


@pytest.mark.parametrize("case", [SKIPPED.format("needs root"), SKIPPED_UNIT])
def test_a_skipped_test_is_told_with_its_reason_and_fails_a_run_in_ci(tmp_path, case):
    status, lines = summed_up(tmp_path, unit_dev=(0, PASSED, case))
    assert (status, lines[-1]) == (0, "1 passed, 0 failed, 1 skipped") and lines[0].endswith(": needs root")
    status, lines = summed_up(tmp_path, "true", unit_dev=(0, PASSED, case))
    assert (status, lines[-1]) == (1, "1 passed, 1 failed") and "needs root, which fails" in lines[0]


def test_what_a_machine_does_not_allow_may_be_skipped_in_ci(tmp_path):
    status, lines = summed_up(tmp_path, "true", unit_dev=(0, PASSED, SKIPPED.format("this machine gives out no terminals")))
    assert (status, lines[-1]) == (0, "1 passed, 0 failed, 1 skipped")
