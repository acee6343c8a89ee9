# SPDX-License-Identifier: MIT
"""The long steps of ./dev."""
import subprocess
from pathlib import Path

STEPS = Path(__file__).resolve().parent.parent / "dev.d/steps.sh"
SCRIPT = """
set -euo pipefail
source "$0"
begin_step good 'good' true
begin_step bad 'bad' bash -c 'echo oops; exit 7'
until [ -s build/logs/good.end ] && [ -s build/logs/bad.end ]; do sleep 0.01; done
step_pid[good]=$PPID step_pid[bad]=$PPID  # as when bash has forgotten the children, and others have their ids
end_step good
end_step bad || echo "status $?"
step killed 'killed' bash -c 'kill -9 $PPID' || echo "status $?"
"""


def test_the_status_of_a_step_outlives_its_id(tmp_path):
    done = subprocess.run(["bash", "-c", SCRIPT, STEPS], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("good: ") and "FAILED" not in lines[0]
    assert "FAILED" in lines[1] and "(status 7)" in lines[1] and lines[2:4] == ["    oops", "status 7"]
    assert "(status 137)" in done.stdout and lines[-1] == "status 137"
