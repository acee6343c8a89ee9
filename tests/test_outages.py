# SPDX-License-Identifier: MIT
"""An endpoint that cannot be reached, or asks to wait (Retry-After): no job is lost, and no more jobs are grabbed meanwhile."""
import email.utils
import json
import re
import signal
import time

import pytest

from behaviours import Gate, answer, contract, in_turn, reverse
from clients import Client, FAILED, complete, run, status
from driveshaft import jobs_file, pool
from fakes import DeafEndpoint, FullEndpoint
from load import Load
from packets import Kind
from processes import wait_until


def start(rig, uri, worker_count=4, server=None, name="driveshaft", settings={}, **options):
    server = server or rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, ["f", "reverse"], worker_count, **settings)})
    daemon = rig.driveshaft(config, name=name, **options)
    daemon.expect_errors("cannot be reached")
    return server, daemon


def is_down(daemon):
    return daemon.metric("driveshaft_endpoint_up", pool="Regular") == 0


def test_jobs_wait_while_the_endpoint_is_down_and_then_all_succeed(rig):
    """The outage takes five seconds, as a restart by an operator does. Jobs run again within a second."""
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 10) == [complete("ba")] * 10
        endpoint.stop()
        handles = client.submit_many("reverse", [f"job {number}" for number in range(1000)])
        wait_until(lambda: is_down(daemon), "the outage is noticed")
        time.sleep(5)  # the outage
        assert 1 <= daemon.metric("driveshaft_jobs_held") == status(server, "reverse").running <= 4
        assert len(client.results) == 0  # the others wait in gearmand
        endpoint.start()
        back = time.monotonic()
        client.result(handles[0])
        assert time.monotonic() - back < 1
        assert [client.result(handle) for handle in handles[1:]] == [
            complete(f"job {number}"[::-1]) for number in range(1, 1000)]
    assert not is_down(daemon) and daemon.metric("driveshaft_jobs_held") == 0
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("cannot be reached: cannot connect: Connection refused", level="WARN")) == 1
    assert len(daemon.lines("works again after", level="INFO")) == 1


def test_the_endpoint_is_told_of_in_readyz_and_probed_without_a_job(rig):
    endpoint = rig.endpoint(reverse)
    endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), max_running_time=1)
    assert run(server, "reverse", "ab") == FAILED
    daemon.expect_failed_jobs()
    line = daemon.wait_for_line("^Failed job")
    assert "max_running_time (1 s); it was held" in line
    assert daemon.metric("driveshaft_timeouts") == 1
    wait_until(lambda: "has taken no jobs" in daemon.get("/readyz")[1], "it is told of")
    code, text, _ = daemon.get("/readyz")
    assert code == 200
    assert re.search(rf"pool Regular has taken no jobs for \d s: endpoint {endpoint.uri()}: cannot connect: Connection ref", text)
    endpoint.start()
    wait_until(lambda: not is_down(daemon), "the endpoint is found again, though no job waits for it")
    wait_until(lambda: "Regular" not in daemon.get("/readyz")[1], "the outage is over there too")
    assert run(server, "reverse", "ab") == complete("ba")


@pytest.mark.parametrize("uri, why", [
    ("http://nowhere.invalid/", "its name cannot be resolved"),
    ("http+unix://%2Fnowhere%2Fsocket/", "No such file"),
    (FullEndpoint, "no connection within endpoint_connect_timeout"),
    (DeafEndpoint, "the TLS handshake is not done")], ids=["name", "Unix socket", "no answer", "TLS"])
def test_every_way_not_to_be_reached_holds_the_job(rig, uri, why):
    if not isinstance(uri, str):
        peer = rig.start(uri())
        uri = f"http{'s' if uri is DeafEndpoint else ''}://{peer.host}:{peer.port}/"
    server, daemon = start(rig, uri, settings={"endpoint_connect_timeout": 0.2})
    with Client(server) as client:
        job = client.submit("f")
        daemon.wait_for_line(f"cannot be reached: .*{why}", level="WARN")
        assert daemon.metric("driveshaft_jobs_held") == 1
        config = json.loads(daemon.config_path.read_text())
        config["pools_list"]["Regular"]["job_processing_uri"] = rig.endpoint(answer()).uri()
        daemon.reload(config)  # held jobs go to the new endpoint
        assert client.result(job) == complete("done")


def test_hold_can_be_turned_off_while_it_holds(rig):
    server, daemon = start(rig, "http+unix://%2Fnowhere/")
    daemon.expect_failed_jobs()
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") == 1, "it is held")
        config = json.loads(daemon.config_path.read_text())
        config["pools_list"]["Regular"]["endpoint_down"] = "fail"
        daemon.reload(config)
        assert client.result(job) == FAILED
        assert client.run("f") == FAILED
    assert daemon.metric("driveshaft_errors") == 2


def test_one_pools_outage_is_not_anothers(rig):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {"Down": pool("http+unix://%2Fnowhere/", ["f"]),
                                                 "Up": pool(endpoint.uri(), ["reverse"])}))
    daemon.expect_errors("cannot be reached")
    with Client(server) as client:
        client.submit("f")
        wait_until(lambda: daemon.metric("driveshaft_endpoint_up", pool="Down") == 0, "it is down")
        assert client.run_all("reverse", ["ab"] * 200) == [complete("ba")] * 200
    assert daemon.metric("driveshaft_endpoint_up", pool="Up") == 1


def test_work_resumes_with_one_job_at_a_time(rig):
    """An endpoint that has just come up does not get requests from all slots at once."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), worker_count=50)
    with Client(server) as client:
        handles = client.submit_many("f", [""] * 50)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") > 0, "jobs are held")
        endpoint.start()
        wait_until(lambda: endpoint.running == 1, "one job runs")
        wait_until(lambda: not is_down(daemon), "the endpoint is up")
        assert endpoint.most_running == 1
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 50


def test_a_held_job_takes_the_connection_of_the_one_before(rig):
    """A php-fpm of one process would not accept another connection before the first is closed."""
    endpoint = rig.endpoint(reverse)
    endpoint.stop()
    server, daemon = start(rig, endpoint.uri(), worker_count=2)
    with Client(server) as client:
        handles = client.submit_many("reverse", ["ab", "cd"])
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") == 2, "both are held")
        endpoint.start()
        assert [client.result(handle) for handle in handles] == [complete("ba"), complete("dc")]
    assert endpoint.connections == 1


def test_a_drain_gives_held_jobs_back_to_gearmand(rig):
    """Another worker runs them. The draining daemon does not wait for an endpoint that may never come up."""
    server, daemon = start(rig, "http+unix://%2Fnowhere/", worker_count=8)
    with Client(server) as client:
        handles = client.submit_many("f", [""] * 20)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") > 0, "jobs are held")
        daemon.send(signal.SIGTERM)
        assert daemon.wait(3) == 0
        assert 1 <= len(daemon.lines("^Given back: function=f .* reason=.gearmand gives it to another worker. trace=[0-9a-f]{32}$")) <= 8
        start(rig, rig.endpoint(answer()).uri(), server=server, name="next")
        assert [client.result(handle) for handle in handles] == [complete("done")] * 20


def test_held_jobs_go_with_their_connection_to_gearmand(rig):
    server = rig.gearmand()
    relay = rig.relay(server)
    endpoint = rig.endpoint(answer())
    endpoint.stop()
    daemon = rig.driveshaft(jobs_file([relay], {"Regular": pool(endpoint.uri(), ["f"])}))
    daemon.expect_errors("cannot be reached", "connection lost", "Dropped result")
    with Client(server) as client:
        jobs = client.submit_many("f", [""] * 4)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") > 0, "jobs are held")
        relay.cut()
        wait_until(lambda: daemon.metric("driveshaft_results_dropped_total") > 0, "they are let go")
        endpoint.start()
        assert [client.result(job) for job in jobs] == [complete("done")] * 4
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize("code", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for_and_costs_nothing(rig, code, form):
    def until():
        return email.utils.formatdate(time.time() + 2, usegmt=True) if form == "date" else "1"

    def wait_first(request, sock):
        first = len(endpoint.requests) == 1
        return (answer(b"busy", status=code, headers=[f"Retry-After: {until()}"]) if first else answer())(request, sock)

    endpoint = rig.endpoint(wait_first)
    server, daemon = start(rig, endpoint.uri(), worker_count=1)
    daemon.expect_errors("asks to wait")
    with Client(server) as client:
        began = time.monotonic()
        jobs = client.submit_many("f", ["1", "2", "3"])
        daemon.wait_for_line(rf"it answered HTTP status {code[:3]} and asks to wait [12] s", level="WARN")
        assert [client.result(job) for job in jobs] == [complete("done")] * 3
        assert 0.9 < time.monotonic() - began < 4
    assert [json.loads(request.body)["workload"] for request in endpoint.requests] == ["1", "1", "2", "3"]
    assert [request.headers.get("driveshaft-attempt") for request in endpoint.requests] == ["1", "2", "1", "1"]
    assert daemon.metric("driveshaft_errors") == 0
    assert daemon.metric("driveshaft_retries_total", reason="retry_after") == 1


@pytest.mark.parametrize("header", ["3600", "soon", ""], ids=repr)
def test_retry_after_that_is_too_late_or_nonsense_is_a_failure(rig, header):
    endpoint = rig.endpoint(answer(b"busy", status="503 Service Unavailable", headers=[f"Retry-After: {header}"]))
    server, daemon = start(rig, endpoint.uri(), settings={"hold_on": []}, max_running_time=60)
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert daemon.metric("driveshaft_http_errors", http_status="503") == 1


def test_a_held_job_that_is_done_leaves_nothing_behind_under_load(rig):
    """The endpoint goes up and down repeatedly."""
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri(), settings={"retry": {"attempts": 20, "on": ["connection_lost"]}})
    daemon.expect_errors("Trying job again")
    with Load(server) as load:
        for _ in range(5):
            then = load.right
            wait_until(lambda: load.right > then + 50, "jobs run")
            endpoint.stop()
            wait_until(lambda: is_down(daemon), "it is down")
            endpoint.start()
        load.stop()
    assert daemon.metric("driveshaft_jobs_held") == 0
    assert daemon.metric("driveshaft_errors") == 0
    assert daemon.metric("driveshaft_threads", status="idle") == 4


def test_contract_of_the_answer_is_the_same_after_an_outage(rig):
    endpoint = rig.endpoint(in_turn(answer(contract("first")), answer(contract("no", ret=1)), answer(contract("third"))))
    server, _ = start(rig, endpoint.uri(), worker_count=1)
    with Client(server, exceptions=True) as client:
        assert client.run("f") == complete("first")
        endpoint.stop()
        job = client.submit("f")
        endpoint.start()
        assert client.result(job) == FAILED
        assert client.told() == [(Kind.WORK_WARNING, b"no")]
        assert client.run("f") == complete("third")


def test_work_resumes_beside_long_jobs_that_the_outage_did_not_touch(rig):
    """The long jobs keep their connections, and may take hours."""
    gate = Gate()
    endpoint = rig.endpoint(lambda request, sock: (gate if json.loads(request.body)["workload"] == "long" else
                                                   answer())(request, sock))
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        long = client.submit_many("f", ["long"] * 2)
        wait_until(lambda: endpoint.running == 2, "the long ones run")
        endpoint.refuse()
        short = client.submit_many("f", ["short"] * 20)
        wait_until(lambda: is_down(daemon), "it is down")
        endpoint.start()
        assert [client.result(job) for job in short] == [complete("done")] * 20
        wait_until(lambda: endpoint.running == 2, "only the long ones run")
        gate.open()
        assert [client.result(job) for job in long] == [complete("done")] * 2
    assert daemon.metric("driveshaft_errors") == 0


def change_pool(daemon, **settings):
    config = json.loads(daemon.config_path.read_text())
    config["pools_list"]["Regular"].update(settings)
    daemon.reload(config)


def test_a_probe_that_fails_after_holding_was_turned_off_starts_no_outage(rig):
    peer = rig.start(FullEndpoint())
    server, daemon = start(rig, f"http://{peer.host}:{peer.port}/", settings={"endpoint_connect_timeout": 1.5})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        job = client.submit("f")
        wait_until(lambda: is_down(daemon), "it is down")
        time.sleep(0.3)  # a probe is under way now
        change_pool(daemon, endpoint_down="fail")
        assert client.result(job) == FAILED
        time.sleep(1)  # meanwhile the probe fails
    wait_until(lambda: "has taken no jobs" not in daemon.get("/readyz")[1], "it takes jobs")
    assert len(daemon.lines("works again after")) == 1


def test_late_events_of_a_former_endpoint_do_not_count_for_the_present_one(rig):
    """The late events are a connection that the former endpoint does not accept, and a probe of it that fails while one of its
    jobs still runs."""
    gate, peer = Gate(), None
    before = rig.endpoint(gate)
    good = rig.endpoint(answer(contract("good")))
    server, daemon = start(rig, before.uri(), settings={"endpoint_connect_timeout": 1.5})
    with Client(server) as client:
        running = client.submit("f")
        wait_until(lambda: before.running == 1, "a job runs")
        before.refuse()
        peer = rig.start(FullEndpoint(before.port))
        late = client.submit("f")
        wait_until(lambda: status(server, "f").running == 2, "another one connects")
        change_pool(daemon, job_processing_uri=good.uri())
        assert client.run("f") == complete("good")
        assert client.result(late) == complete("good")
        assert not daemon.lines("cannot be reached")
        change_pool(daemon, job_processing_uri=before.uri())
        held = client.submit("f")
        wait_until(lambda: is_down(daemon), "the former one is down")
        time.sleep(0.3)  # a probe is under way now
        change_pool(daemon, job_processing_uri=good.uri())
        assert client.result(held) == complete("good")
        time.sleep(2)  # meanwhile the probe fails
        wait_until(lambda: "has taken no jobs" not in daemon.get("/readyz")[1], "it takes jobs")
        gate.open()
        assert client.result(running) == complete("done")
    peer.stop()
