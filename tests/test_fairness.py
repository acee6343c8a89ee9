# SPDX-License-Identifier: MIT
"""Fairness between the functions of a pool: one with very many or slow jobs does not take all slots from the others."""
import copy
import json
import signal

import pytest

from behaviours import Gate, reverse, slow
from clients import Client, complete, server_version, status, worker_links
from driveshaft import jobs_file, pool, sanitized
from load import under_load
from processes import wait_until


def functions_of(requests):
    return [json.loads(request.body)["function_name"] for request in requests]


def by_function(**behaviours):
    """Answers a request as the behaviour of its function does."""
    def behave(request, sock):
        return behaviours[json.loads(request.body)["function_name"]](request, sock)
    return behave


def flooded(rig, server, fairness, functions=("others", "flood"), flood=400, others=20, worker_count=2):
    """Runs a queue of jobs of both functions. Returns the functions' names in the order in which the jobs ran."""
    endpoint = rig.endpoint(slow(0.002, reverse))  # so that slots are scarce
    with Client(server) as client:
        client.submit_many("flood", ["x"] * flood, background=True)
        client.submit_many("others", ["x"] * others, background=True)
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), functions, worker_count, fairness=fairness)}))
    wait_until(lambda: len(endpoint.requests) == flood + others, "all jobs ran")
    return functions_of(endpoint.requests)


def last_of_the_others(order):
    return max(place for place, name in enumerate(order) if name == "others")


def test_without_fairness_a_flooded_function_starves_the_others_if_gearmand_lets_it(rig):
    """gearmand 1.1 first assigns all jobs of the function that was registered last; 2.0 assigns those of all in turns."""
    server = rig.gearmand()
    order = flooded(rig, server, "none")
    if server_version(server) < (2,):
        assert order.index("others") >= 380
    else:
        assert last_of_the_others(order) < 120, order[:150]


@pytest.mark.parametrize("functions", [("others", "flood"), ("flood", "others")])
def test_with_fairness_a_flooded_function_starves_nobody(rig, functions):
    order = flooded(rig, rig.gearmand(), "function", functions)
    assert last_of_the_others(order) < 120, order[:150]


def test_turns_are_between_functions_however_many_servers_and_connections_they_have(rig):
    """The many jobs come over six connections, those of the other function over one or two."""
    endpoint = rig.endpoint(slow(0.002, reverse))
    servers = [rig.gearmand(f"gearmand{number}") for number in range(3)]
    for server in servers:
        with Client(server) as client:
            client.submit_many("flood", ["x"] * 200, background=True)
    with Client(servers[1]) as client:
        client.submit_many("others", ["x"] * 60, background=True)
    rig.driveshaft(jobs_file(servers, {"Regular": pool(endpoint.uri(), ["others", "flood"], 2, fairness="function",
                                                       gearmand_connections=2)}))
    wait_until(lambda: len(endpoint.requests) == 660, "all jobs ran")
    order = functions_of(endpoint.requests)
    assert order[:200].count("others") == 60, order[:200]


def test_a_slow_function_leaves_slots_to_the_others(rig):
    """With turns alone the slow function would get nearly every slot, because its jobs stay there. A free slot goes to the
    function that has the fewest."""
    gate = Gate()
    endpoint = rig.endpoint(by_function(stuck=gate, quick=slow(0.001, reverse)))
    server = rig.gearmand()
    with Client(server) as client:
        client.submit_many("quick", ["ab"] * 3000, background=True)  # enough jobs, so that no slot is free
        stuck = client.submit_many("stuck", ["x"] * 40)
        rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["quick", "stuck"], 8, fairness="function")}))
        wait_until(lambda: functions_of(endpoint.requests).count("quick") > 1000, "the quick ones run")
        # At the start, before both have requested all jobs that they could run, one may get more than half of the slots.
        assert 1 <= functions_of(endpoint.requests).count("stuck") < 8
        gate.open()
        assert [client.result(handle) for handle in stuck] == [complete("done")] * 40
    assert endpoint.most_running <= 8


def test_each_function_has_a_connection_of_its_own(rig):
    server = rig.gearmand()
    endpoint = rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["a", "b", "c"], fairness="function")}))
    wait_until(lambda: sorted(map(sorted, worker_links(server).values())) == [["a"], ["b"], ["c"]], "three connections")
    assert daemon.metric("driveshaft_gearmand_connections", pool="Regular") == 3


def test_switching_fairness_on_and_off_under_load(rig):
    endpoint = rig.endpoint(slow(0.005, reverse))
    server = rig.gearmand(options=["--round-robin"])  # without fairness one of the two loads would starve the other
    functions = ["a", "b", "reverse"]
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), functions, 4)})
    daemon = rig.driveshaft(config)
    config = copy.deepcopy(config)
    with under_load(server, daemon=daemon), under_load(server, "a", daemon):
        for fairness, links in (("function", 3), ("none", 1)) * 4:
            config["pools_list"]["Regular"]["fairness"] = fairness
            daemon.reload(config)
            wait_until(lambda: len(worker_links(server)) == links, f"{links} connections")
    daemon.wait_for_line('pool Regular: fairness "none" -> "function"')
    handles = [json.loads(request.body)["job_handle"] for request in endpoint.requests]
    assert len(handles) == len(set(handles))
    assert endpoint.most_running <= 4


def test_switching_it_before_the_old_connections_have_finished(rig):
    """Fairness is switched on, off and on again while a job runs that came over the first connection."""
    gate = Gate()
    endpoint = rig.endpoint(by_function(f=gate, g=reverse))
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["f", "g"], 4)})
    daemon = rig.driveshaft(config)
    config = copy.deepcopy(config)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "it runs")
        for fairness in ("function", "none", "function", "none"):
            config["pools_list"]["Regular"]["fairness"] = fairness
            daemon.reload(config)
            assert client.run("g", "ab") == complete("ba")
        gate.open()
        assert client.result(handle) == complete("done")
        assert client.run("f") == complete("done")
    wait_until(lambda: len(worker_links(server)) == 1, "the other connections are closed")
    assert len(endpoint.requests) == 6


def test_added_and_removed_functions_leave_the_connections_of_the_others_alone(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["a", "b"], 4, fairness="function")})
    daemon = rig.driveshaft(config)
    wait_until(lambda: len(worker_links(server)) == 2, "two connections")

    def link_of(function):
        return [link for link, functions in worker_links(server).items() if functions == {function}]

    kept = link_of("a")
    with under_load(server, "a", daemon):
        for functions in (["a", "c", "b"], ["a", "c"], ["c", "a"], ["a"]):
            config["pools_list"]["Regular"]["jobs_list"] = functions
            daemon.reload(config)
            wait_until(lambda: sorted(map(sorted, worker_links(server).values())) == sorted([name] for name in functions),
                       f"connections for {functions}")
            assert link_of("a") == kept


def test_a_drain_finishes_the_jobs_of_every_function(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    functions = [f"f{number}" for number in range(6)]
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), functions, 12, fairness="function")}))
    with Client(server) as client:
        handles = [client.submit(name) for name in functions for _ in range(2)]
        wait_until(lambda: endpoint.running == 12, "all run")
        more = [client.submit_background(name) for name in functions]
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("no more jobs are taken")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 12
    assert daemon.wait() == 0
    assert len(endpoint.requests) == 12
    assert sum(one.total for one in status(server).values()) == len(more)


def test_a_rate_is_shared_by_all_functions(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    with Client(server) as client:
        for name in ("a", "b"):
            client.submit_many(name, ["x"] * 400, background=True)
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["a", "b"], 8, fairness="function",
                                                        max_rate=40)}))
    wait_until(lambda: len(endpoint.requests) >= 120, "three seconds' worth")
    order = functions_of(endpoint.requests[:120])
    assert 40 <= order.count("a") <= 80, order
    assert sum(one.total for one in status(server).values()) >= 560


def test_a_hundred_functions_with_ten_thousand_slots_idle_cheaply(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    functions = [f"f{number}" for number in range(100)]
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), functions, 10_000,
                                                                 fairness="function")}))
    wait_until(lambda: daemon.metric("driveshaft_gearmand_connections") == 100, "all are connected")
    with Client(server) as client:
        handles = [client.submit(name, "ab") for name in functions]
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 100
    if not sanitized():
        assert daemon.memory() <= 40 << 20
