# SPDX-License-Identifier: MIT
"""The Perl Gearman::Server (Debian's gearman-server), which does not know GRAB_JOB_UNIQ and other packets: jobs run, and only
the features that it lacks are missing."""
import base64
import json
import signal
import socket
import time

import pytest

from behaviours import Gate, answer, contract, hang, in_turn, reverse
from clients import Client, FAILED, complete, perl_client, run, status, worker_links
from driveshaft import jobs_file, pool
from load import under_load
from packets import Kind, receive, request
from processes import let_pass, wait_until
from test_letters import letters
from test_streaming import DONE, stream

SAID = "does not know GRAB_JOB_UNIQ"


def start(rig, uri, functions=("f", "reverse"), worker_count=4, name="driveshaft", options={}, **settings):
    server = rig.perl_gearmand()
    config = jobs_file([server], {"Regular": pool(uri, functions, worker_count, **settings)})
    return server, rig.driveshaft(config, name=name, **options)


def worker(server, function):
    """A connection that has registered the function."""
    sock = socket.create_connection((server.host, server.port), 20)
    sock.sendall(request(Kind.CAN_DO, function))
    return sock


def refused(daemon):
    """The packets that the server got and did not know, without the first grabs."""
    return daemon.lines("it reports|it gives no jobs")


def test_jobs_of_several_pools_and_functions_run_and_it_is_said_once(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.perl_gearmand()
    daemon = rig.driveshaft(jobs_file([server], {
        "One": pool(endpoint.uri(), ["a", "b"], 8, gearmand_connections=2),
        "Two": pool(endpoint.uri(), ["c"], 8), "Three": pool(endpoint.uri(), ["d", "e"], 8, fairness="function")}))
    with Client(server) as client:
        for function in "abcde":
            workloads = [f"{function} {number}" for number in range(200)]
            assert client.run_all(function, workloads) == [complete(text[::-1]) for text in workloads]
        for function in "abcde":
            client.submit_many(function, ["x"] * 100, background=True)
        wait_until(lambda: len(endpoint.requests) == 1500, "the jobs in the background run too")
        wait_until(lambda: all(status(server, function)[:2] == (0, 0) for function in "abcde"), "none is left")
    assert daemon.metric("driveshaft_gearmand_connections") == 5
    assert daemon.metric("driveshaft_jobs_total", outcome="complete") == 1500
    assert len(daemon.lines(f"gearmand {server.address}: it {SAID}.*It said server_error", level="WARN")) == 1
    assert len(daemon.lines(SAID)) == 1 and refused(daemon) == []


def test_the_perl_client_gets_its_result_and_the_endpoint_no_unique(rig):
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri())
    assert perl_client(server, "reverse", "caf") == [["complete", "fac"]]
    assert json.loads(endpoint.requests[0].body)["unique"] == ""


def test_jobs_that_were_there_before_are_run(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.perl_gearmand()
    with Client(server) as client:
        handles = client.submit_many("reverse", ["ab"] * 300)
        rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse"], 3)}))
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 300
    assert endpoint.most_running <= 3


def test_big_workloads_of_any_bytes_come_through(rig, web):
    server, _ = start(rig, web.uri(run="base64"), request_format="multipart")
    workload = bytes(range(256)) * 20_000
    assert run(server, "f", workload) == complete(base64.b64encode(workload))


@pytest.mark.parametrize("failure_text, told", [("warning", ["fail", ""]), ("exception", ["exception", "no"]),
                                                ("drop", ["fail", ""])])
def test_failed_jobs_fail_and_are_gone(rig, failure_text, told):
    """On this server an exception alone does not end a job, so the job would run for ever."""
    endpoint = rig.endpoint(answer(contract("no", ret=1)))
    server, daemon = start(rig, endpoint.uri(), failure_text=failure_text)
    assert perl_client(server, "f") == [told]
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 50) == [FAILED] * 50
        client.submit_many("f", ["x"] * 50, background=True)
    wait_until(lambda: len(endpoint.requests) == 101, "all run")
    wait_until(lambda: status(server, "f")[:2] == (0, 0), "none is left")
    assert daemon.metric("driveshaft_jobs_total", outcome="refused") == 101
    assert daemon.metric("driveshaft_results_refused_total") == 0 and refused(daemon) == []


def test_of_an_answer_that_streams_the_status_is_told_and_the_result(rig):
    endpoint = rig.endpoint(stream({"status": [3, 10]}, {"data": "part"}, {"warning": "slow"}, {"status": [4, 10]}, DONE))
    server, daemon = start(rig, endpoint.uri())
    [link] = worker_links(server)
    for _ in range(5):
        assert perl_client(server, "f") == [["status", "3/10"], ["status", "4/10"], ["complete", "done"]]
    assert list(worker_links(server)) == [link] and refused(daemon) == []


def test_a_sleeping_connection_is_woken(rig):
    """If connections only grabbed from time to time, most jobs would wait for half a second."""
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri(), functions=[f"f{number}" for number in range(10)] + ["reverse"])
    took = []
    for _ in range(9):
        let_pass(0.1)
        began = time.monotonic()
        assert run(server, "reverse", "ab") == complete("ba")
        took.append(time.monotonic() - began)
    assert sorted(took)[4] < 0.2, took


def test_a_connection_whose_sleep_the_server_has_forgotten_runs_jobs_within_seconds(rig):
    """When a connection closes, the server forgets all sleeping connections with the same function."""
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri())
    let_pass(2)
    for _ in range(3):
        with worker(server, "reverse") as other:
            other.sendall(request(Kind.GRAB_JOB))
            assert receive(other)[0] == Kind.NO_JOB
        wait_until(lambda: len(worker_links(server)) == 1, "the other one is gone")
        began = time.monotonic()
        assert run(server, "reverse", "ab") == complete("ba")
        assert time.monotonic() - began < 2.5


@pytest.mark.slow
def test_a_connection_lives_while_all_slots_are_busy(rig):
    """Meanwhile only pings go over the connection, for longer than a server may be silent."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=2, options={"loop_timeout": 1})
    [link] = worker_links(server)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 4)
        wait_until(lambda: endpoint.running == 2, "both slots are busy")
        let_pass(23)
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 4
    assert list(worker_links(server)) == [link] and daemon.metric("driveshaft_results_dropped_total") == 0


def test_the_queue_is_watched(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=2)
    with Client(server) as client:
        client.submit_many("f", ["x"] * 7, background=True)
        wait_until(lambda: endpoint.running == 2, "both slots are busy")

        def depth(state):
            return daemon.metric("driveshaft_queue_jobs", server=server.address, function="f", state=state)
        wait_until(lambda: (depth("queued"), depth("running")) == (5, 2), "the queue shows")
        assert daemon.metric("driveshaft_queue_workers", server=server.address, function="f") == 1
        gate.open()


def test_a_drain_finishes_what_runs_and_takes_no_more(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=20)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 10)
        wait_until(lambda: endpoint.running == 10, "they run, beside free slots")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("no more jobs are taken")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 10
        assert daemon.wait() == 0
        client.submit_background("f")
    assert status(server, "f")[:2] == (1, 0)
    assert len(endpoint.requests) == 10 and refused(daemon) == []


def test_a_drain_before_there_was_any_job(rig):
    endpoint = rig.endpoint(reverse)
    _, daemon = start(rig, endpoint.uri())
    daemon.wait_for_line(SAID)
    daemon.send(signal.SIGTERM)
    assert daemon.wait(5) == 0


def test_functions_come_and_go_under_load(rig):
    """If a change withdraws a function, the connection is replaced, and the old one finishes its jobs."""
    endpoint = rig.endpoint(reverse)
    server = rig.perl_gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse", "g"], 6)})
    daemon = rig.driveshaft(config)
    with under_load(server, daemon=daemon):
        for functions in (["reverse"], ["reverse", "h"], ["h", "reverse", "g"], ["reverse", "g"]):
            config["pools_list"]["Regular"]["jobs_list"] = functions
            daemon.reload(config)
            wait_until(lambda: list(worker_links(server).values()) == [set(functions)], f"a connection for {functions}")
    assert run(server, "g", "ab") == complete("ba")
    assert endpoint.most_running <= 6 and refused(daemon) == []


def test_jobs_whose_connection_is_lost_have_failed_and_so_it_is_said(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        client.submit("f")
        wait_until(lambda: endpoint.running == 1, "it runs")
        server.kill()
    daemon.wait_for_line(rf"gearmand {server.address}: connection lost.*; 1 job was running: it has failed", level="WARN")
    gate.open()
    daemon.wait_for_line(r'^Dropped result: function=f .* server=127.0.0.1:\d+ reason=".* was lost, so the job has failed" trace=', level="WARN")
    server.start()
    assert run(server, "f") == complete("done")
    # The server at this address might have been replaced by a gearmand.
    wait_until(lambda: len(daemon.lines(SAID)) == 2, "it is said once more")


def test_a_gearmand_in_its_place_is_a_gearmand(rig):
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri())
    assert run(server, "reverse", "ab", unique="u1") == complete("ba")
    server.stop()
    daemon.wait_for_line("connection lost")
    replacement = rig.gearmand(port=server.port)
    assert run(replacement, "reverse", "ab", unique="u2") == complete("ba")
    assert [json.loads(one.body)["unique"] for one in endpoint.requests] == ["", "u2"]
    assert len(daemon.lines(SAID)) == 1


def test_jobs_at_the_end_of_a_shutdown_fail_where_they_would_be_requeued(rig):
    """Without a result they would fail as well, but nothing would say so."""
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri(), on_shutdown="requeue", explain_failures=True)
    daemon.expect_errors("still runs? and ends? now", "^Failed job: function=f .*shutdown")
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        wait_until(lambda: endpoint.running == 3, "they run")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("SIGTERM")
        daemon.send(signal.SIGTERM)
        assert [client.result(handle) for handle in handles] == [FAILED] * 3
    assert daemon.wait(5) == 0
    assert len(daemon.lines("^Failed job: function=f ")) == 3 and daemon.lines("^Given back") == []


def test_jobs_that_are_held_at_a_shutdown_become_dead_letters(rig):
    endpoint = rig.endpoint(reverse)
    endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), dead_letter_function="failed_jobs")
    daemon.expect_errors("cannot be reached", "^Failed job: function=f .*has no other worker run it")
    with Client(server) as client:
        client.submit_many("f", ["x"] * 3, background=True)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") > 0, "jobs are held")
        daemon.send(signal.SIGTERM)
        assert daemon.wait(5) == 0
    failed = len(daemon.lines("^Failed job: function=f "))
    assert failed >= 1 and status(server, "failed_jobs").total == failed
    assert status(server, "f").total == 3 - failed


def test_dead_letters_are_taken_and_the_command_leaves_them_alone(rig):
    """The command lists letters by grabbing them without completing them. This server would lose them."""
    endpoint = rig.endpoint(answer(b"oops", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), dead_letter_function="failed_jobs", retry={
        "attempts": 2, "initial_delay": 0.01})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run_all("f", [str(number) for number in range(50)]) == [FAILED] * 50
    assert daemon.metric("driveshaft_dead_letters_total", function="f", result="accepted") == 50
    for verb, args in (("list", []), ("rerun", ["--all"]), ("delete", ["--all"])):
        assert "this is no gearmand" in letters(verb, *args, server=server, expect=1).stderr
    assert status(server, "failed_jobs")[:2] == (50, 0)
    with worker(server, "failed_jobs") as sock:
        sock.sendall(request(Kind.GRAB_JOB))
        kind, payload = receive(sock)
        assert kind == Kind.JOB_ASSIGN and int(json.loads(payload.split(b"\0", 2)[2])["workload"]) in range(50)


def test_retries_and_a_second_attempt(rig):
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 Internal Server Error"), answer()))
    server, _ = start(rig, endpoint.uri(), retry={"attempts": 2, "initial_delay": 0.01})
    assert run(server, "f") == complete("done")


def test_a_pool_takes_jobs_from_it_and_from_a_gearmand_at_once(rig):
    endpoint = rig.endpoint(reverse)
    perl, real = rig.perl_gearmand(), rig.gearmand()
    daemon = rig.driveshaft(jobs_file([perl, real], {"Regular": pool(endpoint.uri(), ["reverse"], 5)}))
    with under_load(perl, daemon=daemon), under_load(real, daemon=daemon):
        pass
    with Client(perl) as one, Client(real) as other:
        assert one.run("reverse", "perl", unique="u1") == complete("lrep")
        assert other.run("reverse", "real", unique="u2") == complete("laer")
    uniques = {body["workload"]: body["unique"] for body in (json.loads(one.body) for one in endpoint.requests)}
    assert (uniques["perl"], uniques["real"]) == ("", "u2")
    assert endpoint.most_running <= 5
    assert len(daemon.lines(SAID)) == 1 and refused(daemon) == []
    perl.kill()
    daemon.wait_for_line("connection lost")
    assert run(real, "reverse", "ab") == complete("ba")
