# SPDX-License-Identifier: MIT
"""Jobs that are tried again: after which failures, how often, and when. Each job still ends exactly once."""
import json
import signal
import time

import pytest

from behaviours import Gate, answer, contract, drip, hang, in_turn, raw, reverse
from clients import Client, FAILED, complete, run, status
from driveshaft import jobs_file, pool
from fakes import FullEndpoint
from processes import let_pass, wait_until

QUICK = {"attempts": 3, "initial_delay": 0.05, "max_delay": 0.1}
# The delay is random between 0 and this time, so it almost never ends within a test.
LATE = {"attempts": 2, "initial_delay": 80_000, "max_delay": 80_000}
LATER = 86_400  # a `max_running_time` that is longer than this delay

# The failures that `on` can name, each with a behaviour that causes it once.
FAILURES = {
    "timeout": hang,
    "5xx": answer(b"oops", status="500 Internal Server Error"),
    "429": answer(b"busy", status="429 Too Many Requests"),
    "connection_lost": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "invalid_response": answer(b"no JSON"),
    "failure": answer(contract("no", ret=1)),
}


def start(rig, uri, retry, worker_count=4, servers=None, options={}, **settings):
    servers = servers or [rig.gearmand()]
    config = jobs_file(servers, {"Regular": pool(uri, ["f", "reverse"], worker_count, retry=retry, **settings)})
    daemon = rig.driveshaft(config, **options)
    return servers[0], daemon


def numbers(endpoint):
    """The number of the attempt in each request."""
    return [request.headers.get("driveshaft-attempt") for request in endpoint.requests]


def outcomes(daemon):
    """How many jobs ended in each way."""
    counts = {}
    for name, labels, value in daemon.samples():
        if name == "driveshaft_jobs_total" and value:
            counts[labels["outcome"]] = counts.get(labels["outcome"], 0) + int(value)
    return counts


@pytest.mark.parametrize("kind", FAILURES)
def test_a_job_is_tried_again_after_the_failures_that_are_named(rig, kind):
    endpoint = rig.endpoint(in_turn(FAILURES[kind], FAILURES[kind], answer()))
    server, daemon = start(rig, endpoint.uri(), {**QUICK, "attempt_timeout": 0.4, "on": [kind]})
    assert run(server, "f") == complete("done")
    assert numbers(endpoint) == ["1", "2", "3"]
    assert daemon.metric("driveshaft_retries_total", function="f", reason=kind) == daemon.metric("driveshaft_retries_total") == 2
    assert outcomes(daemon) == {"complete": 1} and daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("^Trying job again: function=f .* attempt=[12] of=3 next_in=0", level="WARN")) == 2


@pytest.mark.parametrize("kind", FAILURES)
def test_a_job_is_not_tried_again_after_other_failures(rig, kind):
    endpoint = rig.endpoint(in_turn(FAILURES[kind], answer()))
    server, daemon = start(rig, endpoint.uri(),
                           {**QUICK, "attempt_timeout": 0.4, "on": [other for other in FAILURES if other != kind]})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f") == FAILED
        client.told()
    assert numbers(endpoint) == ["1"]
    assert daemon.metric("driveshaft_retries_total") == 0


def test_the_last_attempt_decides(rig):
    """The endpoint fails more often than there are attempts: the job fails once, as it would without retry."""
    endpoint = rig.endpoint(answer(b"oops", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), QUICK)
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert numbers(endpoint) == ["1", "2", "3"]
    assert outcomes(daemon) == {"failed": 1}
    assert daemon.metric("driveshaft_http_errors", http_status="500") == 1  # it counts jobs, not attempts
    assert "HTTP status 500" in daemon.wait_for_line("^Failed job", level="ERROR")


def test_other_statuses_are_never_tried_again(rig):
    endpoint = rig.endpoint(answer(b"", status="404 Not Found"))
    server, daemon = start(rig, endpoint.uri(), {**QUICK, "on": list(FAILURES)})
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert numbers(endpoint) == ["1"]


def test_without_a_policy_there_is_one_attempt(rig):
    endpoint = rig.endpoint(answer())
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"])}))
    assert run(server, "f") == complete("done")
    assert numbers(endpoint) == ["1"]


def test_an_unreachable_endpoint_is_tried_again_where_jobs_are_not_held(rig):
    endpoint = rig.endpoint(answer())
    endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), {"attempts": 100, "initial_delay": 0.05, "max_delay": 0.05,
                                                 "on": ["unreachable"]}, endpoint_down="fail")
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_retries_total", reason="unreachable") >= 3, "attempts")
        endpoint.start()
        assert client.result(job) == complete("done")
    assert outcomes(daemon) == {"complete": 1}


def test_the_delay_grows_and_never_passes_its_bound(rig):
    endpoint = rig.endpoint(answer(b"", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), {"attempts": 8, "initial_delay": 0.1, "max_delay": 0.4})
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    delays = [float(line.split("next_in=")[1].split()[0]) for line in daemon.lines("^Trying job again")]
    assert len(delays) == 7
    for number, delay in enumerate(delays):
        assert 0 <= delay <= min(0.1 * 2 ** number, 0.4)
    assert len(set(delays)) > 3  # the delays are random


def test_all_attempts_count_into_max_running_time(rig):
    """If the next attempt would begin too late, the job fails at once."""
    endpoint = rig.endpoint(answer(b"", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), {"attempts": 100, "initial_delay": 0.4, "max_delay": 0.4},
                           options={"max_running_time": 1})
    daemon.expect_failed_jobs()
    began = time.monotonic()
    assert run(server, "f") == FAILED
    assert time.monotonic() - began < 1.5
    assert len(endpoint.requests) >= 2


def test_attempt_timeout_ends_an_answer_that_comes_too_slowly_and_closes_its_connection(rig):
    """The first answer comes at one byte a second and never ends. The second is good, so the job succeeds."""
    endpoint = rig.endpoint(in_turn(drip(b"HTTP/1.1 200 OK\r\n", b"X", 1), answer()))
    server, daemon = start(rig, endpoint.uri(), {**QUICK, "attempt_timeout": 0.5})
    began = time.monotonic()
    assert run(server, "f") == complete("done")
    assert 0.4 < time.monotonic() - began < 2
    assert [request.connection for request in endpoint.requests] == [1, 2]
    assert "no complete response within attempt_timeout (0.5 s)" in daemon.wait_for_line("^Trying job again")


def test_attempt_timeout_does_not_cut_reaching_the_endpoint(rig):
    """Connecting has its own limit. When it is over, there is an outage: the job is held and does not fail."""
    full = rig.start(FullEndpoint())
    server, daemon = start(rig, f"http://{full.host}:{full.port}/", {"attempts": 1, "attempt_timeout": 0.2},
                           endpoint_connect_timeout=1)
    daemon.expect_errors("cannot be reached")
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") == 1, "it is held", 5)
        full.stop()
        endpoint = rig.endpoint(answer())
        config = json.loads(daemon.config_path.read_text())
        config["pools_list"]["Regular"]["job_processing_uri"] = endpoint.uri()
        daemon.reload(config)
        assert client.result(job) == complete("done")


def test_being_asked_to_wait_uses_no_attempt_up(rig):
    """The endpoint asks twice to wait and then fails: one of the two attempts is left."""
    wait = answer(b"busy", status="503 Service Unavailable", headers=["Retry-After: 0"])
    endpoint = rig.endpoint(in_turn(wait, wait, answer(b"", status="500 Internal Server Error"), answer()))
    server, daemon = start(rig, endpoint.uri(), {**QUICK, "attempts": 2})
    assert run(server, "f") == complete("done")
    assert numbers(endpoint) == ["1", "2", "3", "4"]
    assert daemon.metric("driveshaft_retries_total", reason="retry_after") == 2
    assert daemon.metric("driveshaft_retries_total", reason="5xx") == 1


@pytest.mark.parametrize("after, requests", [(0.0, 2), (0.5, 1)])
def test_a_used_connection_that_closes_without_an_answer(rig, after, requests):
    """If it closes at once, it was closed before the request came, which is sent again. If it closes later, the job has
    failed."""
    def close_later(request, sock):
        time.sleep(after)
    endpoint = rig.endpoint(in_turn(answer(), close_later, answer()))
    server, daemon = start(rig, endpoint.uri(), {"attempts": 1}, worker_count=1)
    daemon.expect_failed_jobs()
    assert run(server, "f") == complete("done")
    assert run(server, "f") == (complete("done") if requests == 2 else FAILED)
    assert numbers(endpoint)[1:] == ["1", "2"][:requests]
    assert daemon.metric("driveshaft_retries_total", reason="closed_connection") == requests - 1
    wait_until(lambda: len(daemon.lines("^(Finished|Failed) job")) == 2, "both jobs are logged")
    assert len(daemon.lines("^Sending job again: .* attempt=1 ", level="INFO")) == requests - 1


def test_a_waiting_job_keeps_its_slot(rig):
    """So an endpoint in trouble gets fewer jobs, and not other jobs in place of those that wait."""
    endpoint = rig.endpoint(answer(b"", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), LATE, worker_count=2, max_running_time=LATER)
    with Client(server) as client:
        client.submit_many("f", [""] * 10)
        wait_until(lambda: daemon.metric("driveshaft_retries_total") == 2, "both wait")
        let_pass(0.5)
        assert len(endpoint.requests) == 2 and status(server, "f").running == 2
        daemon.expect_failed_jobs()  # the jobs have no second attempt
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("SIGTERM")
        daemon.send(signal.SIGTERM)
        assert daemon.wait(5) == 0


def test_a_waiting_job_goes_with_its_connection_to_gearmand(rig):
    server = rig.gearmand()
    relay = rig.relay(server)
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 Internal Server Error"), answer()))
    daemon = rig.driveshaft(jobs_file([relay], {"Regular": pool(
        endpoint.uri(), ["f"], 1, retry=LATE, max_running_time=LATER)}))
    daemon.expect_errors("connection lost")
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_retries_total") == 1, "it waits")
        relay.cut()
        assert client.result(job) == complete("done")
    assert len(endpoint.requests) == 2  # gearmand assigned the job again, and the waiting one was dropped
    assert daemon.metric("driveshaft_results_dropped_total") == 1
    assert numbers(endpoint) == ["1", "1"]


@pytest.mark.parametrize("on_shutdown", ["fail", "requeue"])
def test_a_shutdown_lets_a_waiting_job_come_to_its_next_attempt(rig, on_shutdown):
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 Internal Server Error"), answer()))
    server, daemon = start(rig, endpoint.uri(), {"attempts": 2, "initial_delay": 1, "max_delay": 1},
                           on_shutdown=on_shutdown)
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_retries_total") == 1, "it waits")
        daemon.send(signal.SIGTERM)
        assert client.result(job) == complete("done")
    assert daemon.wait(5) == 0


@pytest.mark.parametrize("state", ["waiting", "running", "held"])
@pytest.mark.parametrize("on_shutdown", ["fail", "requeue"])
def test_the_end_of_a_shutdowns_window_ends_each_job_as_on_shutdown_says(rig, state, on_shutdown):
    """Held jobs are requeued in any case, because no endpoint has seen them."""
    endpoint = rig.endpoint({"waiting": answer(b"", status="500 Internal Server Error"), "running": hang,
                             "held": answer()}[state])
    if state == "held":
        endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), LATE, on_shutdown=on_shutdown, max_running_time=LATER)
    daemon.expect_errors("cannot be reached", "still runs? and ends? now", "^Failed job: function=f .*shutdown")
    with Client(server) as client:
        jobs = client.submit_many("f", ["1", "2", "3"])
        reached = {"waiting": lambda: daemon.metric("driveshaft_retries_total") == 3,
                   "running": lambda: endpoint.running == 3,
                   "held": lambda: daemon.metric("driveshaft_jobs_held") > 0}[state]
        wait_until(reached, f"the jobs are {state}")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("SIGTERM")
        if state != "held":
            daemon.send(signal.SIGTERM)  # a second signal ends the window at once
        assert daemon.wait(5) == 0
        given_back = len(daemon.lines("^Given back: function=f "))
        failed = len(daemon.lines("^Failed job: function=f ", level="ERROR"))
        if state == "held":
            assert 1 <= given_back <= 3 and failed == 0
        else:
            assert (given_back, failed) == ((3, 0) if on_shutdown == "requeue" else (0, 3))
        # gearmand has the jobs that were requeued, and the next worker runs them.
        good = rig.endpoint(answer())
        rig.driveshaft(jobs_file([server], {"Regular": pool(good.uri(), ["f"])}), name="next")
        expected = FAILED if failed else complete("done")
        assert [client.result(job) for job in jobs] == [expected] * 3


@pytest.mark.parametrize("state", ["waiting", "running", "held"])
@pytest.mark.parametrize("change", ["another endpoint", "the function removed", "the pool removed", "no policy"])
def test_a_reload_loses_no_job_in_any_state(rig, state, change):
    gate = Gate(reverse)
    bad = rig.endpoint(in_turn(answer(b"", status="500 Internal Server Error"), reverse) if state == "waiting" else gate)
    if state == "held":
        bad.stop()
    retry = {"attempts": 2, "initial_delay": 1, "max_delay": 1}
    server, daemon = start(rig, bad.uri(), retry, worker_count=1)
    daemon.expect_errors("cannot be reached")
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until({"waiting": lambda: daemon.metric("driveshaft_retries_total") == 1, "running": lambda: bad.running == 1,
                    "held": lambda: daemon.metric("driveshaft_jobs_held") == 1}[state], f"the job is {state}")
        good = rig.endpoint(reverse)
        config = json.loads(daemon.config_path.read_text())
        regular = config["pools_list"]["Regular"]
        if change == "another endpoint":
            regular["job_processing_uri"] = good.uri()
        elif change == "the function removed":
            regular["jobs_list"] = ["f"]
        elif change == "the pool removed":
            config["pools_list"] = {"Other": pool(good.uri(), ["f", "reverse"])}
        else:
            del regular["retry"]
        daemon.reload(config)
        gate.open()
        if state == "held" and change != "another endpoint":
            bad.start()
        assert client.result(job) == complete("ba")
        if change != "the function removed":
            assert client.run("f", "ab") == complete("ba")
    wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 0, "the slot is free")
    assert daemon.metric("driveshaft_jobs_held") == 0 and daemon.metric("driveshaft_errors") == 0
