# SPDX-License-Identifier: MIT
"""A daemon with a low limit of file descriptors: it takes only jobs that it can send, reports the lack, and answers clients."""
import os
import socket

import pytest

import api
from behaviours import Gate, reverse
from clients import Client, complete, status
from driveshaft import jobs_file, pool
from processes import let_pass, wait_until

FEW = ["prlimit", "--nofile=48:48"]


@pytest.fixture
def gate():
    return Gate(reverse)


def test_no_job_is_taken_for_which_no_connection_can_be_opened(rig, gate):
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse"], 100)}), prefix=FEW)
    daemon.expect_errors("files open at once")
    with Client(server) as client:
        jobs = client.submit_many("reverse", [f"{number:03}" for number in range(150)])
        wait_until(lambda: endpoint.running == 16, "as many run as there may be connections")
        let_pass(0.5)
        assert endpoint.running == status(server, "reverse").running == 16
        shown = api.get(daemon, "/status")
        assert "133 file descriptors are needed, and 48 may be open" in shown["summary"] and "LimitNOFILE=" in shown["summary"]
        assert shown["pools"][0]["endpoint"]["limit"] == 16
        assert daemon.get("/healthz")[0] == 200
        gate.open()
        assert [client.result(job) for job in jobs] == [complete(f"{number:03}"[::-1]) for number in range(150)]
    assert daemon.metric("driveshaft_errors") == 0


def test_pools_that_have_all_descriptors_together_take_no_more_jobs(rig, gate):
    """For each pool alone there would be enough descriptors."""
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    pools = {name: pool(endpoint.uri(), [name], 16) for name in ("one", "two", "three")}
    daemon = rig.driveshaft(jobs_file([server], pools), prefix=FEW)
    daemon.expect_errors("files open at once", "no file descriptor is free", "cannot be reached")
    with Client(server) as client:
        jobs = [client.submit(name, f"{number:02}") for number in range(30) for name in pools]
        daemon.wait_for_line("no file descriptor is free|Too many open files")
        shown = api.wait_for_status(daemon, lambda shown: "no file descriptor was free" in shown["summary"], "it is said")
        assert shown["problems"][0]["level"] == "bad" and "LimitNOFILE=" in shown["summary"]
        assert not any("pm.max_children" in problem["text"] for problem in shown["problems"])
        assert daemon.get("/healthz")[0] == 200
        gate.open()
        assert [client.result(job) for job in jobs] == [complete(f"{number:02}"[::-1]) for number in range(30) for _ in pools]
    assert daemon.metric("driveshaft_errors") == 0


def test_clients_of_the_exporter_leave_descriptors_to_jobs(rig):
    """If a client connects and sends nothing, its connection is closed when another client comes."""
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse"], 2)}), prefix=FEW)
    daemon.expect_errors("files open at once")
    silent = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(60)]
    assert daemon.get("/healthz")[0] == 200
    with Client(server) as client:
        assert client.run("reverse", "ab") == complete("ba")
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 40
    for one in silent:
        one.close()
