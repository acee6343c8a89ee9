# SPDX-License-Identifier: MIT
"""`./dev demo --keep`."""
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from driveshaft import binary
from servers import accepts

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.once
def test_it_runs_its_jobs_and_goes_on_until_ctrl_c_with_a_page_to_look_at(tmp_path):
    demo = subprocess.Popen([sys.executable, "tests/demo.py", "--keep"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                            env={**os.environ, "DRIVESHAFT": str(binary()), "TMPDIR": str(tmp_path)})
    told = []
    for line in demo.stdout:
        told.append(line)
        page = re.match(r"It goes on until Ctrl-C. The page: http://([\d.]+):(\d+)/", line)
        if page:
            break
    assert any(line.startswith("2,023 jobs succeeded, 1 failed") for line in told), "".join(told)
    host, port = page[1], int(page[2])
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=20) as answer:
        assert b"<title>" in answer.read()
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode == 0
    assert not accepts(host, port) and list(tmp_path.iterdir()) == []
