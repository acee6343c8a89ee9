# SPDX-License-Identifier: MIT
"""Each kind of change of the jobs file under load: the change takes effect, and no job is lost, fails or runs twice."""
import copy
import json
import signal

import pytest

import api
from behaviours import Gate, answer, contract, reverse, slow
from clients import Client, FAILED, complete, run, status, worker_links
from driveshaft import jobs_file, pool, run_binary
from load import under_load
from processes import HangingFile, wait_until


def start(rig, uri, worker_count=4, functions=("reverse",), servers=None, **settings):
    """Returns (a gearmand, a driveshaft with one pool, its jobs file to change)."""
    servers = servers or [rig.gearmand()]
    config = jobs_file(servers, {"Regular": pool(uri, functions, worker_count, **settings)})
    return servers[0], rig.driveshaft(config), copy.deepcopy(config)


def assert_each_ran_once(endpoint):
    handles = [json.loads(request.body)["job_handle"] for request in endpoint.requests]
    assert len(handles) == len(set(handles))


def test_more_slots(rig):
    endpoint = rig.endpoint(slow(0.01, reverse))
    server, daemon, config = start(rig, endpoint.uri(), worker_count=2)
    with under_load(server, daemon=daemon):
        link = worker_links(server).keys()
        assert endpoint.most_running == 2
        config["pools_list"]["Regular"]["worker_count"] = 9
        daemon.reload(config)
        wait_until(lambda: endpoint.most_running == 9, "nine jobs at once")
        assert worker_links(server).keys() == link
    assert endpoint.most_running == 9
    assert_each_ran_once(endpoint)


def test_fewer_slots(rig):
    endpoint = rig.endpoint(slow(0.01, reverse))
    server, daemon, config = start(rig, endpoint.uri(), worker_count=9)
    with under_load(server, daemon=daemon) as load:
        wait_until(lambda: endpoint.most_running == 9, "nine jobs at once")
        config["pools_list"]["Regular"]["worker_count"] = 2
        daemon.reload(config)
        wait_until(lambda: endpoint.running <= 2, "the jobs above the new limit are done")
        endpoint.most_running, then = 0, load.right
        wait_until(lambda: load.right > then + 50, "jobs run on")
        assert endpoint.most_running <= 2
    assert_each_ran_once(endpoint)


def test_no_slots_and_some_again(rig, web):
    server, daemon, config = start(rig, web.uri())
    with under_load(server, daemon=daemon) as load:
        config["pools_list"]["Regular"]["worker_count"] = 0
        daemon.reload(config)
        wait_until(lambda: status(server, "reverse") == (load.window, 0, 0), "all jobs wait and nobody takes them")
        config["pools_list"]["Regular"]["worker_count"] = 4
        daemon.reload(config)


def test_another_uri(rig):
    old, new = rig.endpoint(reverse), rig.endpoint(reverse)
    server, daemon, config = start(rig, old.uri())
    with under_load(server, daemon=daemon) as load:
        link = worker_links(server).keys()
        config["pools_list"]["Regular"]["job_processing_uri"] = new.uri("/other")
        daemon.reload(config)
        wait_until(lambda: new.requests and old.running == 0, "jobs go to the new endpoint")
        asked, then = len(old.requests), load.right
        wait_until(lambda: load.right > then + 50, "jobs run on")
        assert len(old.requests) <= asked + 4, "it has got no more than what was on its way"
        assert worker_links(server).keys() == link
    wait_until(lambda: not old.open_sockets, "connections to the old endpoint are closed")


def test_a_job_that_runs_at_the_old_uri_finishes_there(rig, web):
    gate = Gate()
    old = rig.endpoint(gate)
    server, daemon, config = start(rig, old.uri(), functions=["f", "reverse"])
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: old.running == 1, "the job runs")
        config["pools_list"]["Regular"]["job_processing_uri"] = web.uri()
        daemon.reload(config)
        assert run(server, "reverse", "ab") == complete("ba")
        gate.open()
        assert client.result(handle) == complete("done")


@pytest.mark.parametrize("level", ["pool", "top"])
def test_another_format(rig, web, tmp_path, level):
    record = tmp_path / "runs"
    server, daemon, config = start(rig, web.uri(record=record))
    with under_load(server, daemon=daemon):
        link = worker_links(server).keys()
        (config if level == "top" else config["pools_list"]["Regular"])["request_format"] = "multipart"
        daemon.reload(config)
        wait_until(lambda: "multipart" in record.read_text(), "a job in the new format")
        assert worker_links(server).keys() == link
    types = [json.loads(line)["type"].split(";")[0] for line in record.read_text().splitlines()]
    assert {"application/json", "multipart/form-data"} == set(types)
    assert types[-10:] == ["multipart/form-data"] * 10


def test_another_limit_of_response_size(rig):
    body = contract("x" * 1000)
    endpoint = rig.endpoint(answer(body))
    server, daemon, config = start(rig, endpoint.uri(), functions=["f"])
    daemon.expect_failed_jobs()
    assert run(server, "f") == complete("x" * 1000)
    config["max_response_size"] = len(body) - 1
    daemon.reload(config)
    assert run(server, "f") == FAILED


@pytest.mark.parametrize("connections", [1, 4])
def test_more_or_fewer_connections(rig, web, connections):
    server, daemon, config = start(rig, web.uri(), gearmand_connections=2)
    with under_load(server, daemon=daemon):
        config["pools_list"]["Regular"]["gearmand_connections"] = connections
        daemon.reload(config)
        wait_until(lambda: len(worker_links(server)) == connections, "connections are added or left")


def test_an_added_function_is_registered_on_the_live_connection(rig, web):
    server, daemon, config = start(rig, web.uri())
    with under_load(server, daemon=daemon):
        link = worker_links(server).keys()
        with Client(server) as client:
            waiting = client.submit("sum", "[1,2]")
            config["pools_list"]["Regular"]["jobs_list"] = ["reverse", "sum"]
            daemon.reload(config)
            assert client.result(waiting) == complete("3")
        assert worker_links(server).keys() == link


def test_an_added_function_wakes_a_sleeping_worker_for_jobs_that_wait(rig, web):
    server, daemon, config = start(rig, web.uri())
    with Client(server) as client:
        waiting = client.submit("sum", "[1,2]")
        config["pools_list"]["Regular"]["jobs_list"] = ["reverse", "sum"]
        daemon.reload(config)
        client.sock.settimeout(2)
        assert client.result(waiting) == complete("3")


def test_a_removed_function_lets_its_running_jobs_finish(rig):
    """If the function were withdrawn on that connection, gearmand would assign those jobs to another worker."""
    gate = Gate()
    endpoint = rig.endpoint(lambda *request: (gate if b'"old"' in request[0].body else reverse)(*request))
    server, daemon, config = start(rig, endpoint.uri(), functions=["reverse", "old"], worker_count=6)
    with Client(server) as client:
        running = client.submit_many("old", ["x"] * 2)
        wait_until(lambda: endpoint.running >= 2, "two jobs of the function run")
        with under_load(server, daemon=daemon):
            config["pools_list"]["Regular"]["jobs_list"] = ["reverse"]
            daemon.reload(config)
            wait_until(lambda: any(functions == {"reverse"} for functions in worker_links(server).values()),
                       "a connection without the function")
        client.submit_background("old", "stays")
        gate.open()
        assert [client.result(handle) for handle in running] == [complete("done")] * 2
    wait_until(lambda: list(worker_links(server).values()) == [{"reverse"}], "the old connection is gone")
    assert status(server, "old")[:2] == (1, 0)
    assert_each_ran_once(endpoint)


def test_an_added_pool(rig, web):
    server, daemon, config = start(rig, web.uri())
    with under_load(server, daemon=daemon):
        config["pools_list"]["Second"] = pool(web.uri(), ["sum"], 2)
        daemon.reload(config)
        assert run(server, "sum", "[1,2]") == complete("3")
    assert daemon.metric("driveshaft_threads", pool="Second", status="idle") == 2


def test_a_removed_pool_finishes_its_jobs_and_goes(rig, web):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon, config = start(rig, web.uri())
    config["pools_list"]["Second"] = pool(endpoint.uri(), ["f"], 2)
    daemon.reload(config)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        wait_until(lambda: endpoint.running == 2, "both slots are busy")
        with under_load(server, daemon=daemon):
            del config["pools_list"]["Second"]
            daemon.reload(config)
        gate.open()
        assert [client.result(handle) for handle in handles[:2]] == [complete("done")] * 2
    wait_until(lambda: len(worker_links(server)) == 1, "its connection is gone")
    assert status(server, "f")[:2] == (1, 0), "the job it had not taken waits for somebody else"
    wait_until(lambda: not any(labels.get("pool") == "Second" for _, labels, _ in daemon.samples()),
               "its metrics are gone")


def test_a_removed_pool_that_comes_back_works(rig, web):
    server, daemon, config = start(rig, web.uri())
    with under_load(server, daemon=daemon):
        for _ in range(3):
            daemon.reload({**config, "pools_list": {}})
            daemon.reload(config)


def test_an_added_server(rig, web):
    server, daemon, config = start(rig, web.uri())
    second = rig.gearmand("second")
    with under_load(server, daemon=daemon):
        config["gearman_servers_list"].append(second.address)
        daemon.reload(config)
        assert run(second, "reverse", "ab") == complete("ba")


def test_a_removed_server_gets_the_results_of_its_running_jobs(rig):
    gate = Gate()
    endpoint = rig.endpoint(lambda *request: (gate if b'"f"' in request[0].body else reverse)(*request))
    kept, left = rig.gearmand("kept"), rig.gearmand("left")
    _, daemon, config = start(rig, endpoint.uri(), functions=["f", "reverse"], servers=[kept, left])
    with Client(left) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        with under_load(kept, daemon=daemon):
            config["gearman_servers_list"] = [kept.address]
            daemon.reload(config)
        client.submit_background("reverse", "stays")
        gate.open()
        assert client.result(handle) == complete("done")
    wait_until(lambda: worker_links(left) == {}, "the connection is gone")
    assert status(left, "reverse")[:2] == (1, 0)


def test_an_edit_in_place_of_the_same_size_is_noticed(rig, web):
    _, daemon, config = start(rig, web.uri(), worker_count=4)
    config["pools_list"]["Regular"]["worker_count"] = 7
    daemon.config_path.write_text(json.dumps(config, indent=2))
    wait_until(lambda: daemon.metric("driveshaft_threads", status="idle") == 7, "seven slots", 5)


def test_a_change_is_described_in_the_log(rig, web):
    _, daemon, config = start(rig, web.uri(), worker_count=4)
    config["pools_list"]["Regular"]["worker_count"] = 8
    daemon.reload(config)
    daemon.wait_for_line("pool Regular: worker_count 4 -> 8")


def test_an_unknown_key_is_warned_about_with_the_nearest_name(rig, web):
    _, daemon, config = start(rig, web.uri())
    config["pools_list"]["Regular"]["worker_cuont"] = 8
    daemon.reload(config)
    assert daemon.wait_for_line('worker_cuont.*did you mean "worker_count"', level="WARN")


def test_a_storm_of_changes_loses_nothing(rig):
    endpoints = [rig.endpoint(reverse) for _ in range(2)]
    server, daemon, config = start(rig, endpoints[0].uri())
    with under_load(server, daemon=daemon):
        for turn in range(12):
            config["pools_list"]["Regular"] = pool(
                endpoints[turn % 2].uri(), ["reverse"] + ["sum", "extra"][:turn % 3], 1 + turn % 5,
                request_format="json", gearmand_connections=1 + turn % 3)
            daemon.reload(config, by=lambda: daemon.send(signal.SIGHUP))
    handles = [json.loads(request.body)["job_handle"] for endpoint in endpoints for request in endpoint.requests]
    assert len(handles) == len(set(handles))


def test_jobs_go_on_while_the_file_system_of_the_jobs_file_hangs(rig, web):
    server, daemon, config = start(rig, web.uri())
    hanging = HangingFile(daemon.config_path)
    hanging.wait_until_opened("the daemon reads the jobs file")
    assert run(server, "reverse", "ab") == complete("ba")
    daemon.send(signal.SIGHUP)
    daemon.wait_for_line("the file system has not answered for 5 s", level="WARN")
    assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.get("/healthz")[0] == 200
    cannot_be_read = "the jobs file, or a file that it names, cannot be read: "
    api.wait_for_status(daemon, lambda status: status["summary"].startswith(cannot_be_read), "the page says it")
    shown = run_binary("status", str(daemon.port))
    assert shown.returncode == 8 and shown.stdout.startswith(cannot_be_read), shown

    daemon.expect_errors("is rejected")  # when it can be read, the file is empty
    config["pools_list"]["Regular"]["worker_count"] = 7
    daemon.write_config(config)
    hanging.release()
    wait_until(lambda: daemon.metric("driveshaft_threads", status="idle") == 7, "seven slots")


def test_a_file_system_that_hangs_does_not_keep_the_daemon_from_ending(rig, web):
    server, daemon, _ = start(rig, web.uri())
    hanging = HangingFile(daemon.config_path)
    hanging.wait_until_opened("the daemon reads the jobs file")
    assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.stop() == 0
    hanging.release()
