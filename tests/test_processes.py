# SPDX-License-Identifier: MIT
"""Tests of processes.py."""
from processes import free_port


def test_ports_differ_for_long_and_never_run_out():
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports[:1000])) == 1000
    assert all(10000 <= port < 32000 for port in ports)
