# SPDX-License-Identifier: MIT
"""Pools: how many jobs run at once, over how many connections, and who gets the work."""
import json

import pytest

from behaviours import Gate, answer, hang, reverse, slow
from clients import Client, complete, run, status, worker_links
from driveshaft import jobs_file, pool, sanitized
from processes import wait_until


@pytest.mark.parametrize("worker_count", [1, 3, 40])
def test_a_pool_runs_worker_count_jobs_at_once_and_never_more(rig, worker_count):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f", "g"], worker_count)}))
    with Client(server) as client:
        handles = [client.submit(name) for name in ("f", "g") for _ in range(worker_count)]
        wait_until(lambda: endpoint.running == worker_count, "all slots are busy")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * len(handles)
        client.run_all("f", ["x"] * 10 * worker_count)
    assert endpoint.most_running == worker_count


def test_slots_are_shared_by_all_servers(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    servers = [rig.gearmand(name) for name in ("one", "two", "three")]
    rig.driveshaft(jobs_file(servers, {"Regular": pool(endpoint.uri(), ["f"], 4)}))
    clients = [Client(server) for server in servers]
    handles = [client.submit_many("f", ["x"] * 10) for client in clients]
    wait_until(lambda: endpoint.running == 4, "all slots are busy")
    gate.open()
    for client, own in zip(clients, handles):
        assert [client.result(handle) for handle in own] == [complete("done")] * 10
    assert endpoint.most_running == 4


def test_a_pool_without_slots_takes_no_job(rig, web):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"none": pool(web.uri(), ["f"], 0), "some": pool(web.uri(), ["reverse"], 1)}))
    with Client(server) as client:
        client.submit_background("f")
        assert client.run_all("reverse", ["ab"] * 50) == [complete("ba")] * 50
    assert status(server, "f")[:2] == (1, 0)


def test_a_pool_uses_one_connection_however_many_slots_it_has(rig, web):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"a": pool(web.uri(), ["reverse"], 500), "b": pool(web.uri(), ["echo"], 500)}))
    wait_until(lambda: len(worker_links(server)) == 2, "both pools are connected")
    assert sorted(map(sorted, worker_links(server).values())) == [["echo"], ["reverse"]]
    assert run(server, "reverse", "ab") == complete("ba")


def test_connections_raises_the_number_of_connections(rig, web):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"a": pool(web.uri(), ["reverse"], 8, gearmand_connections=3)}))
    wait_until(lambda: len(worker_links(server)) == 3, "three connections")
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 300) == [complete("ba")] * 300


def test_connections_share_the_slots(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"a": pool(endpoint.uri(), ["f"], 5, gearmand_connections=4)}))
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 30)
        wait_until(lambda: endpoint.running == 5, "all slots are busy")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 30
    assert endpoint.most_running == 5


def test_a_pool_that_hangs_does_not_delay_another(rig, web):
    stuck = rig.endpoint(hang)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"stuck": pool(stuck.uri(), ["f"], 3),
                                                 "free": pool(web.uri(), ["reverse"], 3)}), loop_timeout=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        client.submit_many("f", ["x"] * 20, background=True)
        wait_until(lambda: stuck.running == 3, "all of its slots are busy")
        assert client.run_all("reverse", ["ab"] * 200) == [complete("ba")] * 200


def test_one_function_in_two_pools_is_run_by_both(rig):
    endpoints = [rig.endpoint(slow(0.01)) for _ in range(2)]
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {f"pool {number}": pool(endpoint.uri(), ["f"], 2)
                                        for number, endpoint in enumerate(endpoints)}))
    with Client(server) as client:
        client.run_all("f", ["x"] * 200)
    assert all(len(endpoint.requests) > 40 for endpoint in endpoints)


def test_every_function_of_a_pool_gets_its_turn(rig):
    """There are one slot and many jobs for each of three functions. None waits until the queue of another is empty."""
    endpoint = rig.endpoint(answer())
    server = rig.gearmand(options=["--round-robin"])
    functions = ["a", "b", "c"]
    with Client(server) as client:
        for function in functions:
            client.submit_many(function, ["x"] * 60, background=True)
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), functions, 1)}))
    wait_until(lambda: len(endpoint.requests) == 180, "all jobs ran")
    first = [json.loads(request.body)["function_name"] for request in endpoint.requests[:90]]
    assert min(map(first.count, functions)) > 15, first


@pytest.mark.parametrize("server_options", [[], ["--worker-wakeup", "1"]], ids=["all are woken", "one is woken"])
def test_two_driveshafts_on_one_server_share_its_work_fairly(rig, server_options):
    endpoints = [rig.endpoint(slow(0.005)) for _ in range(2)]
    server = rig.gearmand(options=server_options)
    for number, endpoint in enumerate(endpoints):
        rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], 8)}), name=f"driveshaft{number}")
    with Client(server) as client:
        client.submit_many("f", ["x"] * 2000, background=True)
    wait_until(lambda: status(server, "f").total == 0, "the queue is empty", 60)
    shares = [len(endpoint.requests) for endpoint in endpoints]
    assert sum(shares) == 2000
    assert min(shares) > 2000 / 3, shares


def test_a_burst_smaller_than_the_slots_of_one_is_shared_by_two(rig):
    """Neither of them grabs as many jobs as it has slots."""
    gate = Gate()
    endpoints = [rig.endpoint(gate) for _ in range(2)]
    server = rig.gearmand()
    for number, endpoint in enumerate(endpoints):
        rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], 400)}), name=f"driveshaft{number}")
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 300)
        wait_until(lambda: sum(endpoint.running for endpoint in endpoints) == 300, "all of them run")
        shares = [endpoint.running for endpoint in endpoints]
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 300
    assert min(shares) >= 20, shares  # on a busy machine one daemon may have to wait for the processor


def test_a_killed_driveshaft_loses_no_job_while_another_lives(rig):
    endpoint = rig.endpoint(slow(0.01, reverse))
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse"], 4)})
    doomed = rig.driveshaft(config, name="doomed")
    rig.driveshaft(config, name="survivor")
    with Client(server) as client:
        handles = client.submit_many("reverse", ["ab"] * 300)
        wait_until(lambda: len(endpoint.requests) > 50, "jobs run")
        doomed.kill()
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 300


def test_ten_thousand_idle_slots_take_little_memory_and_few_threads(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["reverse"], 10_000)}))
    assert run(server, "reverse", "ab") == complete("ba")
    with open(f"/proc/{daemon.pid}/status") as lines:
        threads = next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))
    assert threads <= 4 + sanitized()
    if not sanitized():
        assert daemon.memory() <= 30 << 20
