# SPDX-License-Identifier: MIT
"""The source folder after a build in it with `cmake . && make`."""
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.once
@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="needs git and a checkout")
def test_git_ignores_what_a_build_in_it_leaves(tmp_path):
    copy = tmp_path / "copy"
    git = ["git", "-c", "safe.directory=*", "-C", copy]
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks", ROOT, copy], check=True)
    shutil.copy(ROOT / ".gitignore", copy)
    subprocess.run(["cmake", "."], cwd=copy, check=True, capture_output=True, timeout=60)
    for comes_with_make in ("page_files.cc", "jobs_schema.cc"):
        (copy / comes_with_make).touch()
    status = subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True, text=True).stdout
    assert [line for line in status.splitlines() if line.startswith("??")] == []
    assert subprocess.run([*git, "check-ignore", "-q", "packaging/debian/new"]).returncode == 1
