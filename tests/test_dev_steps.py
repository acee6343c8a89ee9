# SPDX-License-Identifier: MIT
"""The long steps of ./dev."""
import subprocess
from pathlib import Path

import pytest

from processes import wait_until

pytestmark = pytest.mark.once
STEPS = Path(__file__).resolve().parent.parent / "dev.d/steps.sh"
STATUSES = """
set -euo pipefail
source "$0"
step good cd /
step bad bash -c 'echo oops; exit 7' || echo "status $?"
step killed bash -c 'kill -9 $PPID' || echo "status $?"
begin beside true
until [ -s build/logs/beside.end ]; do sleep 0.01; done
step_pid[beside]=$PPID  # as when bash has forgotten the child, and another has its id
end beside
"""


def test_the_status_of_a_step_is_its_own(tmp_path):
    done = subprocess.run(["bash", "-c", STATUSES, STEPS], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("good: ") and "FAILED" not in lines[0]
    assert "FAILED" in lines[1] and "(status 7)" in lines[1] and lines[2:4] == ["    oops", "status 7"]
    assert "(status 137)" in done.stdout and "status 137" in lines
    assert lines[-1].startswith("beside: ") and "FAILED" not in lines[-1]


# It loses the first signal, as bash does with one that arrives while it starts a process.
LOSES_ONE = """
import signal
def lose(*_):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGINT, lose)
open("ready", "w").close()
while True:
    signal.pause()
"""


def test_what_runs_beside_ends_with_it(tmp_path):
    child = subprocess.Popen(["bash", "-c", 'source "$0"; begin beside python3 -c "$1"; end beside', STEPS, LOSES_ONE],
                             cwd=tmp_path)
    wait_until((tmp_path / "ready").exists, "the step runs")
    group, = children(child.pid)
    child.terminate()
    assert child.wait(timeout=15) == 143  # after 20 s the step would be killed
    assert not Path(f"/proc/{group}").exists()


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
