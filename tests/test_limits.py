# SPDX-License-Identifier: MIT
"""Limits of the load on an endpoint: a rate of jobs, and a limit that adapts to what the endpoint can do."""
import json
import statistics
import threading
import time

import pytest

from behaviours import answer, hang
from clients import FAILED, Client, complete, run
from driveshaft import jobs_file, pool
from processes import wait_until


def start(rig, uri, worker_count=4, **settings):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, ["f"], worker_count, **settings)}))


class Limited:
    """An endpoint that works on `capacity` jobs at once, each for `seconds`; the others wait. Records how long each took."""

    def __init__(self, capacity, seconds):
        self.seconds, self.latencies = seconds, []
        self._free = threading.BoundedSemaphore(capacity)

    def __call__(self, request, sock):
        began = time.monotonic()
        with self._free:
            time.sleep(self.seconds)
        self.latencies.append(time.monotonic() - began)
        return answer()(request, sock)


def test_jobs_are_taken_no_faster_than_the_rate(rig):
    """The rate is ten a second: the first ten jobs come at once, the others later; none is lost, and none runs too early."""
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri(), worker_count=50, max_rate=10)
    with Client(server) as client:
        began = time.monotonic()
        assert client.run_all("f", ["x"] * 40) == [complete("done")] * 40
        took = time.monotonic() - began
    assert 2.8 < took < 4.5
    assert daemon.metric("driveshaft_jobs_total", outcome="complete") == 40


def test_the_rate_is_the_pools_over_all_its_servers_and_changes_with_a_reload(rig):
    endpoint = rig.endpoint(answer())
    servers = [rig.gearmand("one"), rig.gearmand("two")]
    config = jobs_file(servers, {"Regular": pool(endpoint.uri(), ["f"], 50, max_rate=2)})
    daemon = rig.driveshaft(config)
    clients = [Client(server) for server in servers]
    jobs = [(client, client.submit_many("f", ["x"] * 100)) for client in clients]
    began = time.monotonic()
    wait_until(lambda: len(endpoint.requests) >= 6, "six jobs ran")
    assert time.monotonic() - began > 1.5
    assert len(endpoint.requests) < 12
    config["pools_list"]["Regular"]["max_rate"] = 0
    daemon.reload(config)
    for client, handles in jobs:
        assert [client.result(handle) for handle in handles] == [complete("done")] * 100
        client.close()


def test_a_rate_below_one_a_second_waits(rig):
    endpoint = rig.endpoint(answer())
    server, _ = start(rig, endpoint.uri(), max_rate=0.5)
    assert run(server, "f") == complete("done")
    began = time.monotonic()
    assert run(server, "f") == complete("done")
    assert 1 < time.monotonic() - began < 3


def measure(rig, name, jobs=1500, **settings):
    """Measures jobs a second and the median latency at the endpoint, without the first third of the jobs."""
    limited = Limited(capacity=8, seconds=0.02)
    endpoint = rig.endpoint(limited)
    server = rig.gearmand(name)
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], **settings)}), name=name + "-daemon")
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * jobs)
        for handle in handles[:jobs // 3]:
            client.result(handle)
        began, seen = time.monotonic(), len(limited.latencies)
        for handle in handles[jobs // 3:]:
            client.result(handle)
        took = time.monotonic() - began
    limit = daemon.metric("driveshaft_concurrency_limit", pool="Regular")
    assert daemon.stop() == 0
    return (jobs - jobs // 3) / took, statistics.median(limited.latencies[seen:]), limit


@pytest.mark.slow
@pytest.mark.once
def test_an_adaptive_pool_finds_what_the_endpoint_can_take(rig):
    """It reaches nearly the throughput of the best fixed limit, with a fraction of the latency of a limit that is far too
    high."""
    best, best_latency, _ = measure(rig, "best", worker_count=10)
    _, high_latency, _ = measure(rig, "high", worker_count=150)
    rate, latency, limit = measure(rig, "adaptive", worker_count=150, adaptive=True)
    assert rate >= 0.9 * best
    assert latency <= 0.4 * high_latency
    assert 6 <= limit <= 40


@pytest.mark.slow
def test_attempts_that_time_out_lower_the_limit(rig):
    """A time-out is the clearest sign that the endpoint is overloaded."""
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri(), worker_count=20, adaptive=True, retry={"attempt_timeout": 0.1})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 100) == [FAILED] * 100
    assert daemon.metric("driveshaft_concurrency_limit") == 1


def test_adaptive_can_be_turned_on_and_off(rig):
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri(), worker_count=100)
    assert daemon.metric("driveshaft_concurrency_limit") == 100
    config = json.loads(daemon.config_path.read_text())
    for adaptive in (True, False):
        config["pools_list"]["Regular"]["adaptive"] = adaptive
        daemon.reload(config)
        wait_until(lambda: (daemon.metric("driveshaft_concurrency_limit") < 100) == adaptive, "the limit changes")
        with Client(server) as client:
            assert client.run_all("f", ["x"] * 200) == [complete("done")] * 200
