# SPDX-License-Identifier: MIT
"""Jobs that have finally failed are kept: as jobs of another function, or whole in the log."""
import base64
import json
import re
import signal
import socket
import time

import pytest

from behaviours import answer, contract, hang, in_turn, raw, reverse
from clients import Client, FAILED, run, status
from driveshaft import jobs_file, pool
from fake_gearmand import FakeGearmand
from packets import Kind, receive, request
from processes import let_pass, wait_until

BROKEN = answer(b"oops", status="500 Internal Server Error")
LETTER = re.compile("^Dead letter not taken by gearmand [^ ]+: (?P<why>.*?); it was (?P<letter>{.*})$")


def start(rig, server, uri, worker_count=4, retry=None, options={}, **settings):
    if retry:
        settings["retry"] = retry
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(
        uri, ["f", "reverse"], worker_count, dead_letter_function="failed_jobs", **settings)}), **options)
    daemon.expect_failed_jobs()
    return daemon


def take_letters(server, count, function="failed_jobs"):
    """Grabs and completes `count` jobs of the function, as a worker does. Returns their letters."""
    letters = []
    with socket.create_connection((server.host, server.port), 20) as sock:
        sock.sendall(request(Kind.CAN_DO, function))
        while len(letters) < count:
            sock.sendall(request(Kind.GRAB_JOB_UNIQ))
            kind, payload = receive(sock)
            if kind == Kind.NO_JOB:
                let_pass(0.02)
                continue
            assert kind == Kind.JOB_ASSIGN_UNIQ
            handle, name, unique, workload = payload.split(b"\0", 3)
            assert name == function.encode() and re.fullmatch(b"dead-[0-9a-f]{32}", unique)
            letters.append(json.loads(workload))
            sock.sendall(request(Kind.WORK_COMPLETE, handle, ""))
        sock.sendall(request(Kind.ECHO_REQ, "read"))  # after the answer, gearmand has read the last result
        assert receive(sock) == (Kind.ECHO_RES, b"read")
    return letters


def dead(daemon, result):
    return daemon.metric("driveshaft_dead_letters_total", function="f", result=result)


def test_a_failed_job_is_kept_whole_and_then_fails(rig):
    endpoint = rig.endpoint(BROKEN)
    server = rig.gearmand()
    daemon = start(rig, server, endpoint.uri(), retry={"attempts": 2, "initial_delay": 0.01})
    before = time.time()
    with Client(server) as client:
        handle = client.submit("f", 'a "workload"\n', unique="u1")
        assert client.result(handle) == FAILED
    assert dead(daemon, "accepted") == 1
    [letter] = take_letters(server, 1)
    assert {name: letter[name] for name in ("function_name", "job_handle", "unique", "workload", "attempts", "pool", "host")} == {
        "function_name": "f", "job_handle": handle.decode(), "unique": "u1", "workload": 'a "workload"\n',
        "attempts": 2, "pool": "Regular", "host": socket.gethostname()}
    assert "HTTP status 500" in letter["error"] and "oops" in letter["error"]
    for name in ("first_time", "last_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", letter[name])
    assert letter["first_time"] <= letter["last_time"]
    assert letter["first_time"][:16] == time.strftime("%Y-%m-%dT%H:%M", time.gmtime(before))


def test_a_binary_workload_comes_as_base64(rig):
    endpoint = rig.endpoint(BROKEN)
    server = rig.gearmand()
    start(rig, server, endpoint.uri())
    workload = bytes(range(256)) * 5000  # more than is read at once
    assert run(server, "f", workload) == FAILED
    [letter] = take_letters(server, 1)
    assert letter["workload_encoding"] == "base64" and base64.b64decode(letter["workload"]) == workload


@pytest.mark.parametrize("behave, told, shown", [
    (answer(contract("no", ret=3)), [(Kind.WORK_WARNING, b"no")], 'gearman_ret 3: "no"'),
    (raw(b""), [], "closed the connection"), (answer(b"{}"), [], "gearman_ret")],
    ids=["the endpoint said so", "connection lost", "not the contract"])
def test_every_kind_of_failure_is_kept_and_the_client_gets_what_it_would_get(rig, behave, told, shown):
    endpoint = rig.endpoint(behave)
    server = rig.gearmand()
    daemon = start(rig, server, endpoint.uri())
    with Client(server) as client:
        assert client.run("f") == FAILED
        assert client.told() == told
    [letter] = take_letters(server, 1)
    assert shown in letter["error"] and letter["attempts"] == 1
    assert daemon.metric("driveshaft_jobs_total", outcome="refused" if told else "failed") == 1


def test_a_job_that_ran_out_of_time_is_kept(rig):
    endpoint = rig.endpoint(hang)
    server = rig.gearmand()
    start(rig, server, endpoint.uri(), options={"max_running_time": 1})
    assert run(server, "f") == FAILED
    assert "max_running_time (1 s)" in take_letters(server, 1)[0]["error"]


@pytest.mark.slow
def test_a_thousand_failures_are_a_thousand_letters(rig):
    """Each job is in exactly one letter."""
    endpoint = rig.endpoint(BROKEN)
    server = rig.gearmand()
    daemon = start(rig, server, endpoint.uri(), worker_count=50)
    with Client(server) as client:
        assert client.run_all("f", [str(number) for number in range(1000)]) == [FAILED] * 1000
    assert sorted(int(letter["workload"]) for letter in take_letters(server, 1000)) == list(range(1000))
    assert dead(daemon, "accepted") == 1000
    assert status(server, "f") == (0, 0, 1) and status(server, "failed_jobs").total == 0


def test_a_letter_that_fails_is_not_put_into_another(rig):
    """Otherwise a pool that serves the dead letter function with the same settings would wrap a letter again and again."""
    endpoint = rig.endpoint(BROKEN)
    server = rig.gearmand()
    config = {"Regular": pool(endpoint.uri(), ["f"]), "Letters": pool(endpoint.uri(), ["failed_jobs"])}
    daemon = rig.driveshaft(jobs_file([server], config, dead_letter_function="failed_jobs"))
    daemon.expect_failed_jobs()
    assert run(server, "f", "x") == FAILED
    wait_until(lambda: daemon.metric("driveshaft_jobs_total", pool="Letters", outcome="failed") == 1, "the letter fails")
    let_pass(1)
    assert daemon.metric("driveshaft_dead_letters_total") == 1
    assert len(endpoint.requests) == 2
    assert status(server, "failed_jobs").total == 0


def test_what_gearmand_refuses_is_logged_whole_and_fails_then(rig):
    """The command `maxqueue` limits a function's queue, so a real gearmand refuses the letter."""
    endpoint = rig.endpoint(BROKEN)
    server = rig.gearmand()
    daemon = start(rig, server, endpoint.uri())
    daemon.expect_errors("^Dead letter not taken")
    with Client(server) as client:
        client.submit_background("failed_jobs", "takes the only place")
        with socket.create_connection((server.host, server.port), 10) as sock:
            sock.sendall(b"maxqueue failed_jobs 1\n")
            assert sock.recv(100) == b"OK\r\n"
        workload = b"\xff" + b"x" * 100_000
        assert client.run_all("f", [workload, "second"]) == [FAILED] * 2
    assert dead(daemon, "lost") == 2
    wait_until(lambda: len(daemon.lines("^Dead letter not taken")) == 2, "both are in the log")
    logged = [LETTER.match(line) for line in daemon.lines("^Dead letter not taken", level="ERROR")]
    assert [line["why"] for line in logged] == ["QUEUE_ERROR: Job queue is full"] * 2
    letters = {letter["job_handle"]: letter for letter in (json.loads(line["letter"]) for line in logged)}
    first, second = (letters[handle] for handle in sorted(letters))
    assert base64.b64decode(first["workload"]) == workload and second["workload"] == "second"


class Undertaker(FakeGearmand):
    """A fake gearmand that calls `on_letter(link)` for each letter, and answers nothing itself. `letters` has all letters."""

    def __init__(self, on_letter):
        def on_packet(link, kind, payload):
            if kind != Kind.SUBMIT_JOB_BG:
                return False
            self.letters.append(json.loads(payload.split(b"\0", 2)[2]))
            on_letter(link)
            return True
        super().__init__(on_packet=on_packet)
        self.letters = []


def bury_one(rig):
    """Lets a job fail, so that its letter waits for an answer. Returns (links on which letters came, server, daemon)."""
    links = []
    server = rig.start(Undertaker(links.append))
    daemon = start(rig, server, rig.endpoint(BROKEN).uri(), worker_count=1)
    server.submit("f", "x")
    wait_until(lambda: server.letters, "the letter comes")
    return links, server, daemon


def test_the_job_fails_only_when_its_letter_is_taken(rig):
    links, server, daemon = bury_one(rig)
    let_pass(1)
    assert not server.results and daemon.metric("driveshaft_threads", status="busy") == 1
    links[0].send(Kind.JOB_CREATED, "H:fake:letter")
    wait_until(lambda: server.results, "the job fails")
    assert list(server.results.values()) == [(Kind.WORK_FAIL, b"")]


def test_a_connection_lost_before_a_letter_is_acknowledged_leaves_the_job_with_gearmand(rig):
    """It is not known whether gearmand has accepted the letter, so the letter is logged, and the job runs again."""
    server = rig.start(Undertaker(lambda link: link.sock.shutdown(2)))
    endpoint = rig.endpoint(in_turn(BROKEN, reverse))
    daemon = start(rig, server, endpoint.uri(), worker_count=1)
    daemon.expect_errors("^Dead letter not taken.*the connection was lost", "connection lost")
    server.submit("f", "x")
    daemon.wait_for_line("^Dead letter not taken")
    wait_until(lambda: daemon.metric("driveshaft_results_dropped_total") == 1, "its failure is not told")
    assert not server.results and dead(daemon, "lost") == 1
    server.submit("reverse", "ab")  # gearmand would assign the job again, over the next connection
    wait_until(lambda: server.results, "the next job")
    assert list(server.results.values()) == [(Kind.WORK_COMPLETE, b"ba")]


@pytest.mark.slow
def test_a_letter_without_an_answer_is_given_up_and_a_late_one_confuses_nothing(rig):
    links = []
    server = rig.start(Undertaker(links.append))
    endpoint = rig.endpoint(BROKEN)
    daemon = start(rig, server, endpoint.uri(), worker_count=2)
    daemon.expect_errors("^Dead letter not taken.*gearmand did not answer")
    server.submit("f", "first")
    began = time.monotonic()
    wait_until(lambda: len(server.results) == 1, "it fails all the same", 15)
    assert 9 < time.monotonic() - began < 12
    server.submit("f", "second")
    wait_until(lambda: len(server.letters) == 2, "the next letter")
    links[0].send(Kind.JOB_CREATED, "H:late")  # the answer to the first letter
    let_pass(0.3)
    assert len(server.results) == 1
    links[0].send(Kind.ERROR, "QUEUE_FULL", "Job queue is full")  # the answer to the second letter
    wait_until(lambda: len(server.results) == 2, "the second fails")
    assert (dead(daemon, "accepted"), dead(daemon, "lost")) == (0, 2)
    daemon.expect_errors("^Dead letter not taken.*QUEUE_FULL")
    assert server.connections == 1


@pytest.mark.parametrize("on_shutdown", ["fail", "requeue"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "not answered"])
def test_a_shutdown_waits_for_a_letter_but_not_for_long(rig, on_shutdown, answered):
    links = []
    server = rig.start(Undertaker(links.append))
    endpoint = rig.endpoint(BROKEN)
    daemon = start(rig, server, endpoint.uri(), worker_count=1, on_shutdown=on_shutdown)
    server.submit("f", "x")
    wait_until(lambda: server.letters, "the letter comes")
    daemon.send(signal.SIGTERM)
    daemon.wait_for_line("SIGTERM")
    daemon.send(signal.SIGTERM)  # a second signal ends the window at once
    if answered:
        links[0].send(Kind.JOB_CREATED, "H:fake:letter")
    else:
        daemon.expect_errors("^Dead letter not taken.*gearmand did not answer")
    assert daemon.wait(5) == 0
    assert list(server.results.values()) == [(Kind.WORK_FAIL, b"")]
    if not answered:
        assert LETTER.match(daemon.lines("^Dead letter not taken")[0])["letter"]


def test_jobs_that_fail_at_the_end_of_a_shutdown_are_kept_too(rig):
    endpoint = rig.endpoint(hang)
    server = rig.gearmand()
    daemon = start(rig, server, endpoint.uri())
    with Client(server) as client:
        jobs = client.submit_many("f", ["1", "2", "3"])
        wait_until(lambda: endpoint.running == 3, "they run")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("SIGTERM")
        daemon.send(signal.SIGTERM)
        assert [client.result(job) for job in jobs] == [FAILED] * 3
    assert daemon.wait(5) == 0
    assert sorted(letter["workload"] for letter in take_letters(server, 3)) == ["1", "2", "3"]


@pytest.mark.parametrize("change", ["no letters any more", "the function removed", "the pool removed"])
def test_a_reload_before_a_letter_is_acknowledged_changes_nothing_for_that_job(rig, change):
    links, server, daemon = bury_one(rig)
    config = json.loads(daemon.config_path.read_text())
    regular = config["pools_list"]["Regular"]
    if change == "no letters any more":
        del regular["dead_letter_function"]
    elif change == "the function removed":
        regular["jobs_list"] = ["reverse"]
    else:
        config["pools_list"] = {"Other": pool(regular["job_processing_uri"], ["reverse"])}
    daemon.reload(config)
    let_pass(0.2)
    assert not server.results
    links[0].send(Kind.JOB_CREATED, "H:fake:letter")
    wait_until(lambda: server.results, "the job fails")
    assert list(server.results.values()) == [(Kind.WORK_FAIL, b"")]
    if change != "no letters any more":
        wait_until(lambda: server.links[0].closed_at, "the old connection is left")
    assert len(server.letters) == 1
