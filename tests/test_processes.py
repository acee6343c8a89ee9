# SPDX-License-Identifier: MIT
"""Tests of processes.py."""
import subprocess
import sys
from pathlib import Path

from processes import free_port


def test_ports_differ_for_long_and_never_run_out():
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports[:1000])) == 1000
    assert all(10000 <= port < 32000 for port in ports)


def test_two_processes_that_run_tests_have_different_ports():
    ours = {free_port() for _ in range(2000)}
    program = "from processes import free_port; print(*(free_port() for _ in range(2000)))"
    other = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    theirs = {int(port) for port in other.stdout.split()}
    assert theirs and theirs.isdisjoint(ours)
