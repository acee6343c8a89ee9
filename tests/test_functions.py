# SPDX-License-Identifier: MIT
"""The settings of a single function in a pool: a limit, a time, an endpoint."""
import copy
import json
import signal
import time

import pytest

from behaviours import Gate, answer, contract, hang, in_turn, reverse, slow
from clients import Client, FAILED, complete, run, status, worker_links
from driveshaft import jobs_file, pool, run_binary
from load import under_load
from packets import Kind
from processes import let_pass, wait_until
from test_fairness import by_function, functions_of


def start(rig, uri, functions, worker_count=4, servers=None, **settings):
    """Returns (a gearmand, a driveshaft with one pool, its jobs file to change)."""
    options = {name: settings.pop(name) for name in ("loop_timeout", "max_running_time") if name in settings}
    servers = servers or [rig.gearmand()]
    config = jobs_file(servers, {"Regular": pool(uri, functions, worker_count, **settings)})
    return servers[0], rig.driveshaft(config, **options), copy.deepcopy(config)


def functions(config, *entries):
    config["pools_list"]["Regular"]["jobs_list"] = list(entries)
    return config


# --- max_concurrency

@pytest.mark.parametrize("connections", [1, 3])
def test_a_function_runs_no_more_jobs_at_once_than_its_limit(rig, connections):
    gate = Gate()
    endpoint = rig.endpoint(by_function(f=gate, g=reverse))
    servers = [rig.gearmand("one"), rig.gearmand("two")]
    start(rig, endpoint.uri(), ["g", {"function": "f", "max_concurrency": 3}], 10, servers, gearmand_connections=connections)
    with Client(servers[0]) as one, Client(servers[1]) as two:
        waiting = [(client, handle) for client in (one, two) for handle in client.submit_many("f", ["x"] * 20)]
        wait_until(lambda: endpoint.running == 3, "as many as may run")
        with Client(servers[0]) as other:
            assert other.run_all("g", ["ab"] * 200) == [complete("ba")] * 200
        assert functions_of(endpoint.requests).count("f") == 3
        # Jobs that cannot run are not grabbed, so another worker may run them.
        assert [status(server, "f").running for server in servers] in ([3, 0], [2, 1], [1, 2], [0, 3])
        gate.open()
        assert [client.result(handle) for client, handle in waiting] == [complete("done")] * 40


def test_the_limit_holds_while_jobs_wait_for_their_next_attempt(rig):
    endpoint = rig.endpoint(answer(status="500 Oops", body=b"{}"))
    server, daemon, _ = start(rig, endpoint.uri(), [{"function": "f", "max_concurrency": 2}], 10,
                              retry={"attempts": 3, "initial_delay": 0.3})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 8)
        highest = 0
        while any(handle not in client.results for handle in handles):
            highest = max(highest, status(server, "f").running)
            client._read_one()
        assert [client.result(handle) for handle in handles] == [FAILED] * 8
    assert highest <= 2
    assert len(endpoint.requests) == 24


def test_two_pools_have_a_limit_each(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {
        "A": pool(endpoint.uri(), [{"function": "f", "max_concurrency": 1}], 5),
        "B": pool(endpoint.uri(), [{"function": "f", "max_concurrency": 2}], 5)}))
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 12)
        wait_until(lambda: endpoint.running == 3, "both are full")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 12
    assert endpoint.most_running == 3


def test_a_limit_that_changes_holds_at_once_on_the_same_connection(rig):
    endpoint = rig.endpoint(slow(0.01, reverse))
    server, daemon, config = start(rig, endpoint.uri(), ["g", {"function": "reverse", "max_concurrency": 2}], 9)
    with under_load(server, daemon=daemon) as load:
        link = worker_links(server).keys()
        assert endpoint.most_running == 2
        daemon.reload(functions(config, "g", {"function": "reverse", "max_concurrency": 6}))
        wait_until(lambda: endpoint.most_running == 6, "six at once")
        daemon.reload(functions(config, "g", {"function": "reverse", "max_concurrency": 1}))
        wait_until(lambda: endpoint.running <= 1, "those above the new limit are done")
        endpoint.most_running, then = 0, load.right
        wait_until(lambda: load.right > then + 50, "jobs run on")
        assert endpoint.most_running == 1
        assert worker_links(server).keys() == link
    daemon.wait_for_line("pool Regular: jobs_list: reverse: max_concurrency 2 -> 6")


def test_a_limit_comes_and_goes_under_load(rig):
    endpoint = rig.endpoint(slow(0.005, reverse))
    server, daemon, config = start(rig, endpoint.uri(), ["g", "reverse"], 6,
                                   [rig.gearmand(options=["--round-robin"])])
    limited = {"function": "reverse", "max_concurrency": 2}
    with under_load(server, daemon=daemon) as load, under_load(server, "g", daemon):
        for _ in range(3):
            daemon.reload(functions(config, "g", limited))
            wait_until(lambda: sorted(map(sorted, worker_links(server).values())) == [["g"], ["reverse"]],
                       "a connection of its own")
            then = load.right
            wait_until(lambda: load.right > then + 20, "jobs run on")
            daemon.reload(functions(config, "g", "reverse"))
            wait_until(lambda: list(worker_links(server).values()) == [{"g", "reverse"}], "one connection for both")
    handles = [json.loads(request.body)["job_handle"] for request in endpoint.requests]
    assert len(handles) == len(set(handles))


def test_a_limit_counts_the_jobs_that_run_already(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon, config = start(rig, endpoint.uri(), ["f", "g"], 6)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        wait_until(lambda: endpoint.running == 3, "they run")
        daemon.reload(functions(config, "g", {"function": "f", "max_concurrency": 4}))
        handles += client.submit_many("f", ["x"] * 5)
        wait_until(lambda: endpoint.running == 4, "one more runs")
        let_pass(0.5)
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 8
    assert endpoint.most_running == 4


# --- max_running_time

def test_a_function_has_a_time_of_its_own(rig):
    endpoint = rig.endpoint(by_function(short=hang, long=slow(2.5), plain=hang))
    server, daemon, _ = start(rig, endpoint.uri(), ["plain", {"function": "short", "max_running_time": 0.5},
                                                    {"function": "long", "max_running_time": 60}],
                              max_running_time=2)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        began = time.monotonic()
        short, long, plain = [client.submit(name) for name in ("short", "long", "plain")]
        assert client.result(short) == FAILED
        assert 0.4 < time.monotonic() - began < 1.9
        assert client.result(plain) == FAILED
        assert client.result(long) == complete("done")
    daemon.wait_for_line(r"function=short .*no complete response within max_running_time \(0.5 s\)")
    daemon.wait_for_line(r"function=plain .*no complete response within max_running_time \(2 s\)")
    assert len(worker_links(server)) == 1  # a function with its own time does not need its own connection
    left = {}
    for request in endpoint.requests:
        left[request.headers["driveshaft-function"]] = int(request.headers["driveshaft-deadline"]) / 1000 - time.time()
    assert left["long"] - left["short"] == pytest.approx(59.5, abs=1)


def test_a_time_that_changes_holds_for_the_next_job_and_the_page_says_what_is_left(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon, config = start(rig, endpoint.uri(), [{"function": "f", "max_running_time": 500}])
    with Client(server) as client:
        handles = [client.submit("f")]
        wait_until(lambda: endpoint.running == 1, "it runs")
        daemon.reload(functions(config, {"function": "f", "max_running_time": 100}))
        handles.append(client.submit("f"))
        wait_until(lambda: endpoint.running == 2, "both run")
        jobs = json.loads(daemon.get("/api/v1/jobs")[1])["jobs"]
        assert [job["time_left"] for job in jobs] == [pytest.approx(500, abs=10), pytest.approx(100, abs=10)]
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 2


# --- job_processing_uri

def test_a_function_has_an_endpoint_of_its_own(rig):
    regular, resize = rig.endpoint(reverse), rig.endpoint(reverse)
    server, _, _ = start(rig, regular.uri(), ["f", {"function": "Resize", "job_processing_uri": resize.uri("/resize")}])
    with Client(server) as client:
        assert client.run_all("f", ["ab"] * 20) == [complete("ba")] * 20
        assert client.run_all("Resize", ["ab"] * 20) == [complete("ba")] * 20
    assert set(functions_of(regular.requests)) == {"f"}
    assert set(functions_of(resize.requests)) == {"Resize"}
    assert {request.line for request in resize.requests} == {"POST /resize HTTP/1.1"}


@pytest.mark.parametrize("down", ["the function's", "the pool's"])
def test_an_outage_of_one_endpoint_leaves_the_functions_of_the_other_alone(rig, down):
    """This holds even if as many jobs as the pool has slots are held for the endpoint that is down."""
    regular, resize = rig.endpoint(reverse), rig.endpoint(reverse)
    server, daemon, _ = start(rig, regular.uri(),
                              ["reverse", {"function": "Resize", "job_processing_uri": resize.uri()}], 2)
    gone, name, other = (resize, "Resize", "reverse") if down == "the function's" else (regular, "reverse", "Resize")
    assert run(server, name, "ab") == complete("ba")
    gone.stop()
    with Client(server) as client:
        handles = client.submit_many(name, ["ab"] * 10)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") >= 1, "jobs are held")
        with under_load(server, other, daemon):
            assert daemon.metric("driveshaft_endpoint_up", pool="Regular") == 0
            wait_until(lambda: "has taken no jobs" in daemon.get("/readyz")[1], "it is told of")
            ready, text, _ = daemon.get("/readyz")
            assert ready == 200
            assert f"pool Regular has taken no jobs of {name} for " in text and gone.uri() in text
            wait_until(lambda: gone.uri() in json.loads(daemon.get("/api/v1/status")[1])["summary"], "the page says it")
            assert run_binary("status", f"127.0.0.1:{daemon.port}").stdout.count(gone.uri()) == 2
            assert status(server, name).running <= 2
            assert json.loads(daemon.get("/api/v1/pools")[1])["pools"][0]["busy"] <= 2
            gone.start()
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 10
    assert daemon.metric("driveshaft_endpoint_up", pool="Regular") == 1
    wait_until(lambda: "has taken no jobs" not in daemon.get("/readyz")[1], "it takes jobs again")
    assert daemon.metric("driveshaft_jobs_held") == 0
    assert regular.most_running <= 2 and resize.most_running <= 2


def test_endpoints_of_a_pool_together_have_no_more_jobs_than_it_has_slots(rig):
    gate = Gate()
    endpoints = [rig.endpoint(gate) for _ in range(3)]
    names = ["a", "b", "c"]
    entries = [{"function": name, "job_processing_uri": endpoint.uri()} for name, endpoint in zip(names, endpoints)]
    server, daemon, _ = start(rig, endpoints[0].uri(), entries, 4)
    endpoints[2].refuse()  # jobs held for an endpoint that is down give up their slots, and have to get slots again

    def running():
        return sum(endpoint.running for endpoint in endpoints)

    with Client(server) as client:
        waiting = client.submit_many("c", ["x"] * 8)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") >= 1, "jobs are held")
        waiting += [client.submit(name) for name in ("a", "b") for _ in range(8)]
        wait_until(lambda: running() == 4, "all slots are busy")
        endpoints[2].start()
        wait_until(lambda: daemon.metric("driveshaft_endpoint_up") == 1, "it is found again")
        let_pass(0.5)
        assert running() == 4
        gate.open()
        assert [client.result(handle) for handle in waiting] == [complete("done")] * 24


def test_functions_with_the_same_endpoint_share_what_is_known_of_it(rig):
    regular, other = rig.endpoint(reverse), rig.endpoint(reverse)
    server, daemon, _ = start(rig, regular.uri(), [
        "f", *({"function": name, "job_processing_uri": other.uri()} for name in ("a", "b")),
        {"function": "c", "job_processing_uri": regular.uri()}])
    pools = json.loads(daemon.get("/api/v1/pools")[1])["pools"]
    assert [(one["uri"], one["functions"]) for one in pools[0]["function_endpoints"]] == [(other.uri(), ["a", "b"])]


def test_an_endpoint_that_changes_under_load(rig):
    regular = rig.endpoint(reverse)
    others = [rig.endpoint(slow(0.002, reverse)) for _ in range(2)]
    server, daemon, config = start(rig, regular.uri(), ["g", {"function": "reverse", "job_processing_uri": others[0].uri()}])
    with under_load(server, daemon=daemon) as load, under_load(server, "g", daemon):
        link = worker_links(server).keys()
        for new, old in ((others[1], others[0]), (others[0], others[1])) * 2:
            asked = len(new.requests)
            daemon.reload(functions(config, "g", {"function": "reverse", "job_processing_uri": new.uri()}))
            wait_until(lambda: len(new.requests) > asked + 20 and old.running == 0, "jobs go to the new one")
        assert worker_links(server).keys() == link
        daemon.reload(functions(config, "g", "reverse"))
        then = load.right
        wait_until(lambda: load.right > then + 50, "jobs run on")
        wait_until(lambda: not others[0].open_sockets, "connections to the old endpoint are closed")
    assert "reverse" in functions_of(regular.requests)
    daemon.wait_for_line("pool Regular: jobs_list: reverse: job_processing_uri \"http.* -> none")


def test_held_jobs_go_to_the_new_endpoint(rig):
    regular, away = rig.endpoint(reverse), rig.endpoint(reverse)
    server, daemon, config = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": away.uri()}])
    away.stop()
    with Client(server) as client:
        handles = client.submit_many("f", ["ab"] * 6)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") >= 1, "jobs are held")
        new = rig.endpoint(reverse)
        daemon.reload(functions(config, "g", {"function": "f", "job_processing_uri": new.uri()}))
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 6
    assert len(new.requests) == 6
    wait_until(lambda: daemon.metric("driveshaft_endpoint_up") == 1, "the outage is over")
    wait_until(lambda: "has taken no jobs" not in daemon.get("/readyz")[1], "it takes jobs again")


def test_held_jobs_of_a_removed_function_still_run(rig):
    regular, away = rig.endpoint(reverse), rig.endpoint(reverse)
    server, daemon, config = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": away.uri()}])
    away.stop()
    with Client(server) as client:
        handle = client.submit("f", "ab")
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") == 1, "it is held")
        daemon.reload(functions(config, "g"))
        assert client.run("g", "ab") == complete("ba")
        away.start()
        assert client.result(handle) == complete("ba")
    wait_until(lambda: len(worker_links(server)) == 1 and not json.loads(daemon.get("/api/v1/pools")[1])["pools"][0]
               ["function_endpoints"], "what is left of it is gone")


def test_a_job_that_waits_for_its_next_attempt_makes_it_at_the_new_endpoint(rig):
    regular, old, new = rig.endpoint(reverse), rig.endpoint(answer(status="500 Oops", body=b"{}")), rig.endpoint(reverse)
    server, daemon, config = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": old.uri()}],
                                   retry={"attempts": 50, "initial_delay": 0.2, "max_delay": 0.4})
    with Client(server) as client:
        handle = client.submit("f", "ab")
        wait_until(lambda: old.requests, "the first attempt is made")
        daemon.reload(functions(config, "g", {"function": "f", "job_processing_uri": new.uri()}))
        assert client.result(handle) == complete("ba")
    assert len(new.requests) == 1


def test_a_job_that_fails_between_endpoints_is_reported(rig):
    """Its old endpoint is removed while the job waits for an attempt that never comes."""
    regular, old = rig.endpoint(reverse), rig.endpoint(answer(status="500 Oops", body=b"{}"))
    server, daemon, config = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": old.uri(),
                                                              "max_running_time": 3}],
                                   retry={"attempts": 2, "initial_delay": 2.9, "max_delay": 2.9})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handle = client.submit("f", "ab")
        wait_until(lambda: old.requests, "the first attempt is made")
        daemon.reload(functions(config, "g"))
        assert client.result(handle) in (FAILED, complete("ba"))
        assert client.run("g", "ab") == complete("ba")


@pytest.mark.parametrize("state", ["running", "held"])
def test_a_drain_with_endpoints_of_functions(rig, state):
    gate = Gate()
    regular, other = rig.endpoint(gate), rig.endpoint(gate)
    server, daemon, _ = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": other.uri()}])
    if state == "held":
        other.stop()
    with Client(server) as client:
        ours, theirs = client.submit("g"), client.submit("f")
        wait_until(lambda: regular.running == 1 and (other.running == 1 or daemon.metric("driveshaft_jobs_held") == 1),
                   "both are taken")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("no more jobs are taken")
        gate.open()
        assert client.result(ours) == complete("done")
        if state == "running":
            assert client.result(theirs) == complete("done")
    assert daemon.wait() == 0
    assert status(server, "f").total == (1 if state == "held" else 0)


def test_adaptive_limits_are_of_each_endpoint(rig):
    """The limit of an endpoint that answers 500 falls; that of the other endpoint stays."""
    regular, bad = rig.endpoint(slow(0.01, reverse)), rig.endpoint(slow(0.01, answer(status="500 Oops", body=b"{}")))
    server, daemon, _ = start(rig, regular.uri(), ["g", {"function": "f", "job_processing_uri": bad.uri()}], 50,
                              adaptive=True)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        client.run_all("g", ["x"] * 1000)
        client.submit_many("f", ["x"] * 400, background=True)

        def limits():
            one = json.loads(daemon.get("/api/v1/pools")[1])["pools"][0]
            return one["endpoint"]["limit"], one["function_endpoints"][0]["limit"]

        wait_until(lambda: len(bad.requests) > 50, "jobs fail")
        wait_until(lambda: limits()[0] > 4 * limits()[1], "the page tells one from the other")
        wait_until(lambda: status(server, "f").total == 0, "all have failed")


def test_a_dead_letter_of_a_limited_function(rig):
    endpoint = rig.endpoint(by_function(f=answer(contract("no", 1)), letters=reverse))
    server, daemon, _ = start(rig, endpoint.uri(), [{"function": "f", "max_concurrency": 1}, "letters"],
                              dead_letter_function="letters")
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 10)
        assert [client.result(handle) for handle in handles] == [FAILED] * 10
        assert client.told() == [(Kind.WORK_WARNING, b"no")] * 10
    wait_until(lambda: functions_of(endpoint.requests).count("letters") == 10, "each became a letter")


# --- on_shutdown

def test_jobs_of_a_limited_function_are_given_back_at_a_shutdown(rig):
    stuck = rig.endpoint(hang)
    server, daemon, _ = start(rig, stuck.uri(), [{"function": "f", "max_concurrency": 2}], on_shutdown="requeue",
                              loop_timeout=1)
    with Client(server) as client:
        client.submit_many("f", ["x"] * 5, background=True)
        wait_until(lambda: stuck.running == 2, "two run")
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0
    assert status(server, "f")[:2] == (5, 0)


# --- what shows

def test_the_page_shows_settings_of_functions_without_passwords(rig):
    endpoint = rig.endpoint(reverse)
    entry = {"function": "f", "max_concurrency": 3, "max_running_time": 7.5,
             "job_processing_uri": endpoint.uri(user="me:pa55word@")}
    server, daemon, config = start(rig, endpoint.uri(), ["g", entry])
    shown = {**entry, "job_processing_uri": endpoint.uri(user="***@")}
    text = daemon.get("/api/v1/pools/Regular")[1]
    assert json.loads(text)["settings"]["jobs_list"] == ["g", shown]
    limits = {one["name"]: one["max_concurrency"] for one in json.loads(text)["functions"]}
    assert limits == {"f": 3, "g": None}
    other = copy.deepcopy(entry)
    other["job_processing_uri"] = endpoint.uri(user="me:changed@")
    daemon.reload(functions(config, "g", other))
    daemon.wait_for_line("pool Regular: jobs_list: f: job_processing_uri .*: another user, password or query")
    for page in ("/api/v1/pools/Regular", "/api/v1/config", "/api/v1/status", "/metrics"):
        body = daemon.get(page)[1]
        assert "pa55word" not in body and "changed" not in body
    assert "pa55word" not in daemon.log() and "changed" not in daemon.log()
    assert run(server, "f", "ab") == complete("ba")


def test_a_broken_entry_is_refused_and_the_file_before_stays(rig):
    endpoint = rig.endpoint(reverse)
    server, daemon, config = start(rig, endpoint.uri(), ["f"])
    daemon.expect_errors("jobs_list")
    daemon.reload(functions(config, "f", {"function": "f", "max_concurrency": 2}), "rejected")
    daemon.wait_for_line(r'pools_list.Regular.jobs_list\[1\]: "f" is listed already')
    daemon.reload(functions(config, {"function": "f", "max_concurrency": "2"}), "rejected")
    daemon.wait_for_line("max_concurrency: expected a whole number")
    assert run(server, "f", "ab") == complete("ba")
