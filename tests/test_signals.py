# SPDX-License-Identifier: MIT
"""Signals under load: a drain finishes the running jobs, takes no others, and ends with exit code 0."""
import json
import signal
import time

import pytest

from behaviours import Gate, answer, contract, hang, reverse
from clients import Client, FAILED, complete, run, status, worker_links
from driveshaft import jobs_file, pool, sanitized
from load import Load
from processes import let_pass, wait_until

SOON = 5 if sanitized() else 2  # seconds within which a daemon ends that has nothing to wait for
DRAINING = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]

each_draining = pytest.mark.parametrize("number", DRAINING, ids=lambda number: number.name)


def start(rig, uri, worker_count=4, functions=("f", "reverse"), name="driveshaft", server=None, **options):
    server = server or rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, functions, worker_count)})
    return server, rig.driveshaft(config, name=name, **options)


def timed_wait(daemon, timeout=30):
    began = time.monotonic()
    return daemon.wait(timeout), time.monotonic() - began


@each_draining
def test_a_restart_under_load_loses_and_fails_no_job_and_runs_none_twice(rig, number):
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri())
    with Load(server) as load:
        for turn in range(3):
            then = load.right
            wait_until(lambda: load.right > then + 100, "jobs run")
            daemon.send(number)
            assert daemon.wait(SOON) == 0
            _, daemon = start(rig, endpoint.uri(), name=f"driveshaft{turn}", server=server)
        load.stop()
    handles = [json.loads(request.body)["job_handle"] for request in endpoint.requests]
    assert len(handles) == len(set(handles)) == load.right


@each_draining
def test_a_drain_lets_running_jobs_finish_takes_no_other_and_then_ends_at_once(rig, number):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), worker_count=3)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 5)
        wait_until(lambda: endpoint.running == 3, "all slots are busy")
        daemon.send(number)
        daemon.wait_for_line("no more jobs are taken")
        gate.open()
        assert daemon.wait(SOON) == 0
        assert [client.result(handle) for handle in handles[:3]] == [complete("done")] * 3
    assert len(endpoint.requests) == 3
    wait_until(lambda: worker_links(server) == {}, "its functions are unregistered")
    assert status(server, "f").total == 0 or status(server, "f").running == 0


@pytest.mark.parametrize("number, windows", [(signal.SIGTERM, 2), (signal.SIGINT, 2), (signal.SIGUSR1, 4)],
                         ids=["SIGTERM", "SIGINT", "SIGUSR1"])
def test_what_runs_at_the_end_of_the_window_is_failed_at_gearmand(rig, number, windows):
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri(), loop_timeout=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        wait_until(lambda: endpoint.running == 3, "the jobs run")
        daemon.send(number)
        code, took = timed_wait(daemon)
        assert code == 0
        assert windows - 0.2 < took < windows + SOON
        assert [client.result(handle) for handle in handles] == [FAILED] * 3


@pytest.mark.slow
@each_draining
def test_a_drain_waits_as_long_as_shutdown_timeout_says(rig, number):
    """The job takes several times as long as a drain would wait by default."""
    gate = Gate()
    server, daemon = start(rig, rig.endpoint(gate).uri(), loop_timeout=1, shutdown_timeout=60)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(number)
        daemon.wait_for_line("1 running job has 60 s to finish .--shutdown_timeout")
        wait_until(lambda: daemon.get("/readyz")[:2] == (503, "draining: no more jobs are taken, running ones finish\n"), "it is not ready any more")
        let_pass(6)
        assert daemon.running()
        gate.open()
        assert client.result(handle) == complete("done")
        assert daemon.wait(SOON) == 0


def test_a_drain_waits_no_longer_than_shutdown_timeout_says(rig):
    server, daemon = start(rig, rig.endpoint(hang).uri(), loop_timeout=60, shutdown_timeout=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(signal.SIGTERM)
        code, took = timed_wait(daemon)
        assert code == 0 and 0.8 < took < 1 + SOON
        assert client.result(handle) == FAILED
    assert daemon.lines("^Failed job: .*shutdown: it was not done within --shutdown_timeout", level="ERROR")
    assert daemon.lines("1 job still runs and ends now: .*; a longer --shutdown_timeout lets jobs finish", level="WARN")
    daemon.wait_for_line("the shutdown has ended 1 running job; the daemon ends")


@each_draining
def test_a_second_signal_fails_what_runs_at_once(rig, number):
    endpoint = rig.endpoint(hang)
    server, daemon = start(rig, endpoint.uri(), loop_timeout=60)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        wait_until(lambda: endpoint.running == 3, "the jobs run")
        daemon.send(number)
        daemon.wait_for_line("no more jobs are taken")
        assert daemon.running()
        daemon.send(signal.SIGTERM)
        assert daemon.wait(SOON) == 0
        assert [client.result(handle) for handle in handles] == [FAILED] * 3
    assert len(daemon.lines('^Failed job: .*shutdown: a signal during the shutdown ended it', level="ERROR")) == 3
    daemon.wait_for_line("SIGTERM during the shutdown: jobs that still run end now", level="WARN")
    daemon.wait_for_line("the shutdown has ended 3 running jobs; the daemon ends")
    assert not daemon.lines("--shutdown_timeout lets jobs finish|not done within|all jobs are done")


@each_draining
def test_signals_that_go_on_to_the_very_end_change_nothing(rig, number):
    for _ in range(5):
        _, daemon = start(rig, "http://127.0.0.1:9/")
        while daemon.running():
            daemon.send(number)
        assert daemon.wait(SOON) == 0


def test_while_one_drains_another_takes_the_work_at_once(rig, web):
    """The draining daemon takes no wake-ups and no jobs from the other one, even with one wake-up for each job."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand(options=["--worker-wakeup", "1"])
    _, old = start(rig, endpoint.uri(), functions=["f", "reverse"], server=server, name="old", loop_timeout=30)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "a job runs on the old one")
        old.send(signal.SIGTERM)
        old.wait_for_line("no more jobs are taken")
        start(rig, web.uri(), functions=["reverse"], server=server, name="new")
        began = time.monotonic()
        for _ in range(20):
            assert run(server, "reverse", "ab") == complete("ba")
        assert time.monotonic() - began < SOON
        gate.open()
        assert client.result(handle) == complete("done")
        assert old.wait(SOON) == 0


@each_draining
def test_an_idle_daemon_ends_at_once(rig, web, number):
    _, daemon = start(rig, web.uri(), loop_timeout=30)
    daemon.send(number)
    assert daemon.wait(SOON) == 0


def test_a_daemon_without_a_server_ends_at_once(rig, web):
    server, daemon = start(rig, web.uri(), loop_timeout=30)
    daemon.expect_errors(server.address)
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[0] == 503, "the loss is noticed")
    daemon.send(signal.SIGTERM)
    assert daemon.wait(SOON) == 0


def test_a_server_that_does_not_answer_holds_a_drain_up_for_its_window_only(rig, web):
    server, daemon = start(rig, web.uri(), loop_timeout=1)
    daemon.expect_errors("did not answer the last ping")
    server.send(signal.SIGSTOP)
    daemon.send(signal.SIGTERM)
    assert daemon.wait(2 + 2 + SOON) == 0  # the window, and two seconds for closing the connections
    daemon.wait_for_line(f"gearmand {server.address}: it did not answer the last ping", level="WARN")


def test_a_server_that_reads_slowly_has_read_every_result_at_the_end_of_a_drain(rig):
    result = "x" * 4_000_000
    server, endpoint = rig.gearmand(), rig.endpoint(answer(contract(result)))
    slow = rig.relay(server, pace=1_000_000)
    daemon = rig.driveshaft(jobs_file([slow], {"Regular": pool(endpoint.uri(), ["f"])}))
    with Client(server) as client:
        job = client.submit("f")
        daemon.wait_for_line("^Finished job")
        daemon.send(signal.SIGTERM)
        assert client.result(job) == complete(result)
    assert daemon.wait(SOON) == 0


def test_sighup_reloads_under_load_and_keeps_every_job(rig, web):
    server, daemon = start(rig, web.uri())
    config = json.loads(daemon.config_path.read_text())
    with Load(server) as load:
        for turn in range(10):
            then = load.right
            wait_until(lambda: load.right > then + 20, "jobs run")
            config["pools_list"]["Regular"]["worker_count"] = 2 + turn
            daemon.reload(config, by=lambda: daemon.send(signal.SIGHUP))
        load.stop()
    # The client gets the last result a moment before the daemon's slot is free again.
    wait_until(lambda: daemon.metric("driveshaft_threads", status="idle") == 11, "all of the new slots are idle")
    assert daemon.metric("driveshaft_errors") == 0


def test_sigpipe_and_a_storm_of_sighup_do_no_harm(rig, web):
    server, daemon = start(rig, web.uri())
    with Load(server) as load:
        for _ in range(200):
            daemon.send(signal.SIGHUP)
            daemon.send(signal.SIGPIPE)
        then = load.right
        wait_until(lambda: load.right > then + 50, "jobs run")
        load.stop()


def test_a_reload_while_draining_starts_nothing(rig, web):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), loop_timeout=30)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("no more jobs are taken")
        daemon.write_config(jobs_file([server], {"New": pool(web.uri(), ["reverse"])}))
        daemon.send(signal.SIGHUP)
        client.submit_background("reverse", "stays")
        gate.open()
        assert client.result(handle) == complete("done")
    assert daemon.wait(SOON) == 0
    assert status(server, "reverse")[:2] == (1, 0)
