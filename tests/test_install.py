# SPDX-License-Identifier: MIT
"""`make install` of the build under test."""
import subprocess
from pathlib import Path

import pytest

from clients import complete, run
from driveshaft import Driveshaft, build_folder, jobs_file, pool

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not (build_folder() / "cmake_install.cmake").exists(), reason="needs the build folder"),
]

INSTALLED = {"bin/driveshaft", "share/bash-completion/completions/driveshaft", "share/man/man1/driveshaft.1",
             "share/driveshaft/jobs.schema.json",
             "share/driveshaft/grafana/driveshaft.json", "share/driveshaft/prometheus/driveshaft.rules.yml",
             "share/driveshaft/prometheus/driveshaft.rules.test.yml",
             *(f"share/driveshaft/{path.relative_to(ROOT / 'packaging')}"
               for path in (ROOT / "packaging/kubernetes").rglob("*") if path.is_file())}


def test_it_installs_the_program_its_manual_and_the_files_for_monitoring(rig, web, tmp_path):
    subprocess.run(["cmake", "--install", build_folder(), "--prefix", "/opt/driveshaft"], check=True, capture_output=True,
                   timeout=60, env={"DESTDIR": str(tmp_path / "root"), "PATH": "/usr/bin:/bin"})
    root = tmp_path / "root/opt/driveshaft"
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == INSTALLED
    server = rig.gearmand()
    daemon = Driveshaft(tmp_path, jobs_file([server], {"Regular": pool(web.uri(), ["reverse"])}))
    daemon.argv[0] = str(root / "bin/driveshaft")
    rig.start(daemon)
    assert run(server, "reverse", "ab") == complete("ba")
