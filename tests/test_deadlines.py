# SPDX-License-Identifier: MIT
"""Time limits: max_running_time for a whole job, endpoint_connect_timeout for connecting to the endpoint."""
import time

import pytest

import api
from behaviours import Gate, answer, drip, hang, in_turn, slow
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool
from fakes import DeafEndpoint, FullEndpoint
from processes import wait_until

LIMIT = 1  # --max_running_time, seconds


def start(rig, uri, worker_count=1, max_running_time=LIMIT, **settings):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uri, ["f"], worker_count, **settings)}),
                            max_running_time=max_running_time)
    daemon.expect_failed_jobs()
    return server, daemon


def timed_run(server, workload=b""):
    began = time.monotonic()
    result = run(server, "f", workload)
    return result, time.monotonic() - began


SLOWNESS = {
    "no answer": hang,
    "a header that never ends": drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.05),
    "a status line that never ends": drip(b"HTTP/1.1 200 ", b"O", 0.05),
    "a body that drips": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" ", 0.05),
    "chunks that drip": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05),
    "interim answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("behave", SLOWNESS.values(), ids=SLOWNESS.keys())
def test_past_max_running_time_the_job_fails_and_the_request_is_cancelled(rig, behave):
    endpoint = rig.endpoint(in_turn(behave, answer()))
    server, daemon = start(rig, endpoint.uri())
    result, took = timed_run(server)
    assert result == FAILED
    assert LIMIT * 0.95 < took < LIMIT + 1.5
    wait_until(lambda: endpoint.running == 0, "the endpoint sees the end of the connection", 3)
    assert run(server, "f") == complete("done")
    assert daemon.metric("driveshaft_timeouts", pool="Regular", function="f") == 1
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 1
    assert daemon.metric("driveshaft_http_errors") == 0


def test_a_pool_has_a_time_of_its_own_from_the_next_job_on(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], 3)}, max_running_time=500)
    daemon = rig.driveshaft(config, max_running_time=LIMIT)
    with Client(server) as client:
        jobs = [client.submit("f")]
        wait_until(lambda: endpoint.running == 1, "the first job runs")
        config["pools_list"]["Regular"]["max_running_time"] = 100
        daemon.reload(config)
        daemon.wait_for_line("^pool Regular: max_running_time 500 -> 100$")
        jobs.append(client.submit("f"))
        wait_until(lambda: endpoint.running == 2, "both jobs run")
        left = [job["time_left"] for job in api.get(daemon, "/jobs")["jobs"]]
        assert left == [pytest.approx(500, abs=20), pytest.approx(100, abs=20)]
        assert api.pool(daemon, "Regular")["max_running_time"] == 100
        config["pools_list"]["Regular"]["max_running_time"] = 0.5
        daemon.reload(config)
        daemon.expect_failed_jobs()
        assert client.result(client.submit("f")) == FAILED
        daemon.wait_for_line(r"no complete response within max_running_time \(0.5 s\)")
        gate.open()
        assert [client.result(job) for job in jobs] == [complete("done")] * 2


def test_the_limit_covers_sending_the_request_too(rig):
    endpoint = rig.start(DeafEndpoint())
    server, daemon = start(rig, f"http://{endpoint.address}/")
    result, took = timed_run(server, b"x" * (32 << 20))
    assert result == FAILED and took < LIMIT + 2.5
    assert daemon.metric("driveshaft_timeouts") == 1


def test_a_timed_out_job_says_so_in_the_log(rig):
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        handle = client.submit("f")
        assert client.result(handle) == FAILED
    assert daemon.wait_for_line("max_running_time")


def test_many_jobs_time_out_together(rig):
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri(), worker_count=50)
    began = time.monotonic()
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 100) == [FAILED] * 100
    assert time.monotonic() - began < 2 * LIMIT + 2.5
    assert daemon.metric("driveshaft_timeouts") == 100


def test_a_job_within_the_limit_is_left_alone(rig):
    endpoint = rig.endpoint(slow(0.6 * LIMIT))
    server, daemon = start(rig, endpoint.uri(), worker_count=4)
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 8) == [complete("done")] * 8
    assert daemon.metric("driveshaft_timeouts") == 0


@pytest.mark.parametrize("scheme, peer", [("http", FullEndpoint), ("https", DeafEndpoint)],
                         ids=["a connection that is not accepted", "a TLS handshake that is not answered"])
def test_reaching_the_endpoint_has_a_limit_of_its_own(rig, scheme, peer):
    endpoint = rig.start(peer())
    server, daemon = start(rig, f"{scheme}://{endpoint.host}:{endpoint.port}/", max_running_time=60,
                           endpoint_connect_timeout=0.5, endpoint_down="fail")
    result, took = timed_run(server)
    assert result == FAILED
    assert 0.4 < took < 2.5
    assert daemon.metric("driveshaft_errors") == 1
    daemon.wait_for_line("endpoint_connect_timeout|connect")


def test_another_connect_timeout_holds_for_the_next_connection(rig):
    endpoint = rig.start(FullEndpoint())
    uri = f"http://{endpoint.host}:{endpoint.port}/"
    settings = {"endpoint_down": "fail"}
    server, daemon = start(rig, uri, max_running_time=60, endpoint_connect_timeout=50, **settings)
    daemon.reload(jobs_file([server], {"Regular": pool(uri, ["f"], 1, endpoint_connect_timeout=0.5, **settings)}))
    result, took = timed_run(server)
    assert result == FAILED
    assert took < 2.5
    daemon.wait_for_line(r"no connection within endpoint_connect_timeout \(500 ms\)")


def test_jobs_that_wait_for_their_turn_to_connect_are_not_timed_by_connect_timeout(rig):
    """Hundreds of jobs come at once to a slow endpoint with a short queue of connections."""
    endpoint = rig.endpoint(slow(0.2, answer(keep=False, headers=["Connection: close"])), backlog=16)
    server, daemon = start(rig, endpoint.uri(), worker_count=300, max_running_time=30, endpoint_connect_timeout=5)
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 600, window=600) == [complete("done")] * 600
    assert daemon.metric("driveshaft_errors") == 0


def test_max_running_time_limits_reaching_the_endpoint_too(rig):
    endpoint = rig.start(FullEndpoint())
    server, _ = start(rig, f"http://{endpoint.host}:{endpoint.port}/", endpoint_connect_timeout=30)
    result, took = timed_run(server)
    assert result == FAILED and took < LIMIT + 1.5
