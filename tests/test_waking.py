# SPDX-License-Identifier: MIT
"""No wake-up is missed, and waiting needs no processor time: jobs run as soon as they may."""
import json
import time

import pytest

from behaviours import Gate, reverse
from clients import Client, complete, run, status, worker_links
from driveshaft import jobs_file, pool
from processes import let_pass, wait_until

pytestmark = pytest.mark.once

# Share of a core that a waiting daemon may use. Its own timers take about a thousandth.
IDLE_SHARE = 0.02


def start(rig, uri, worker_count=4, functions=("f",), server_options=(), **options):
    server = rig.gearmand(options=server_options)
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions, worker_count)}), **options)


def assert_quiet(*processes, seconds=3):
    """Checks that these processes hardly use the processor for `seconds`."""
    before = [process.cpu_seconds() for process in processes]
    let_pass(seconds)
    for process, used in zip(processes, before):
        share = (process.cpu_seconds() - used) / seconds
        assert share <= IDLE_SHARE, f"{process.name} uses {share:.0%} of a core while it waits"


def test_an_idle_daemon_is_quiet(rig, web):
    server, daemon = start(rig, web.uri())
    assert_quiet(daemon, server)


def test_two_thousand_idle_slots_are_quiet_and_share_one_connection(rig, web):
    server, daemon = start(rig, web.uri(), worker_count=2000, functions=["f", "g", "h"])
    assert len(worker_links(server)) <= 3
    assert_quiet(daemon, server)


def test_busy_slots_and_queued_work_are_quiet(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=2)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 20)
        wait_until(lambda: endpoint.running == 2, "all slots are busy")
        assert_quiet(daemon, server)
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 20


def test_a_running_job_beside_free_slots_is_quiet(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=10)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        assert_quiet(daemon, server)
        gate.open()
        assert client.result(handle) == complete("done")


def test_a_pool_without_slots_is_quiet_while_work_is_queued(rig, web):
    server, daemon = start(rig, web.uri(), worker_count=0, until="/healthz")
    with Client(server) as client:
        client.submit_many("f", ["x"] * 5, background=True)
    assert_quiet(daemon, server)
    assert status(server, "f").total == 5


def test_a_low_priority_job_behind_a_future_one_is_quiet(rig, web):
    """gearmand wakes the worker again and again for the job that is not due yet."""
    server, daemon = start(rig, web.uri(), functions=["reverse"])
    with Client(server) as client:
        client.submit_at(time.time() + 3600, "reverse", "later")
        client.submit_background("reverse", "now", priority="low")
        assert_quiet(daemon, server)


def test_a_server_that_is_down_is_waited_for_quietly(rig, web):
    server, daemon = start(rig, web.uri())
    daemon.expect_errors(server.address)
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[0] == 503, "the loss is noticed")
    assert_quiet(daemon)


@pytest.mark.parametrize("server_options", [[], ["--worker-wakeup", "1"], ["--round-robin"], ["--threads", "1"]],
                         ids=["all are woken", "one is woken", "round robin", "one thread"])
def test_no_wake_up_is_missed(rig, server_options):
    """Each job comes while the worker is about to sleep, sleeps, or is just waking up. A missed wake-up would take seconds."""
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri(), functions=["reverse", "other"], server_options=server_options)
    slowest = 0
    with Client(server) as client:
        for number in range(400):
            began = time.monotonic()
            assert client.run("reverse", "ab") == complete("ba")
            slowest = max(slowest, time.monotonic() - began)
            let_pass(number % 10 / 2000)
    assert slowest < 2


def test_several_functions_of_one_pool_wake_it_alike(rig):
    endpoint = rig.endpoint(reverse)
    functions = [f"function {number}" for number in range(30)]
    server, _ = start(rig, endpoint.uri(), worker_count=3, functions=functions)
    began = time.monotonic()
    with Client(server) as client:
        for function in functions * 5:
            assert client.run(function, "ab") == complete("ba")
    assert time.monotonic() - began < 5


def test_work_that_waited_before_the_start_is_taken_at_once(rig, web):
    server = rig.gearmand()
    with Client(server) as client:
        handles = client.submit_many("reverse", ["ab"] * 10)
        rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["reverse"])}))
        began = time.monotonic()
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 10
        assert time.monotonic() - began < 2


@pytest.mark.slow
def test_a_delayed_job_runs_within_ten_seconds_of_its_time_and_not_before(rig, web, tmp_path):
    server, daemon = start(rig, web.uri(record=tmp_path / "runs"), functions=["reverse"])
    due = int(time.time()) + 3
    with Client(server) as client:
        client.submit_at(due, "reverse", "later")
    wait_until((tmp_path / "runs").exists, "the job runs", 20)
    ran = json.loads((tmp_path / "runs").read_text())["time"]
    assert due - 0.1 <= ran <= due + 10
    wait_until(lambda: status(server, "reverse") == (0, 0, 1), "it is done")


@pytest.mark.slow
def test_a_burst_after_an_idle_minute_is_served_at_once(rig, web):
    server, daemon = start(rig, web.uri(), functions=["reverse"], loop_timeout=5)
    assert run(server, "reverse", "ab") == complete("ba")
    link = worker_links(server).keys()
    assert_quiet(daemon, server, seconds=60)
    began = time.monotonic()
    with Client(server) as client:
        assert client.run("reverse", "ab") == complete("ba")
        assert time.monotonic() - began < 0.5
        assert client.run_all("reverse", ["ab"] * 500) == [complete("ba")] * 500
    assert time.monotonic() - began < 10
    assert worker_links(server).keys() == link
