# SPDX-License-Identifier: MIT
"""The way of a job from any client through gearmand to the endpoint, and of its result back."""
import concurrent.futures
import hashlib
import json

import pytest

from behaviours import Gate, answer
from clients import (Client, FAILED, NODE_CLIENT, Result, complete, gearman_cli, node_client, perl_client, php_client, run,
                     status)
from driveshaft import jobs_file, pool
from packets import Kind
from processes import wait_until


def records(path):
    """The records of job.php, one object for each request."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def start(rig, web, functions, worker_count=4, server_options=(), settings={}, **query):
    """Starts a gearmand, and a driveshaft with one pool on PHP behind nginx. Returns the gearmand."""
    server = rig.gearmand(options=server_options)
    rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(**query), functions, worker_count, **settings)}))
    return server


def test_the_result_of_a_job_reaches_every_kind_of_client(rig, web):
    server = start(rig, web, ["sum"])
    assert run(server, "sum", "[1,2]") == complete("3")
    assert php_client(server, "run", "sum", "[3,4]") == {"data": "7", "code": 0}
    cli = gearman_cli(server, "-f", "sum", data=b"[5,6]")
    assert (cli.returncode, cli.stdout) == (0, b"11")


def test_many_answers_too_big_for_the_decoders_own_memory(rig, web):
    """The decoder needs additional memory for every one of these answers, not only for the first."""
    server = start(rig, web, ["reverse"])
    text = "0123456789" * 1000
    with Client(server) as client:
        assert client.run_all("reverse", [text] * 300, window=8) == [complete(text[::-1])] * 300


def test_5000_foreground_jobs_from_several_clients_each_get_their_own_result(rig, web):
    server = start(rig, web, ["reverse"], worker_count=12)

    def thousand(client):
        texts = [f"client {client} job {number}" for number in range(1000)]
        with Client(server) as connection:
            return connection.run_all("reverse", texts) == [complete(text[::-1]) for text in texts]

    with concurrent.futures.ThreadPoolExecutor() as threads:
        php = threads.submit(php_client, server, "reverse", "reverse", 1000)
        assert list(threads.map(thousand, range(4))) == [True] * 4
        assert php.result() == {"right": 1000, "wrong": 0, "failed": 0}


def test_background_jobs_run_exactly_once(rig, web, tmp_path):
    server = start(rig, web, ["reverse"], record=tmp_path / "runs")
    with Client(server) as client:
        handles = client.submit_many("reverse", ["x"] * 300, background=True)
    php_client(server, "background", "reverse", 50)
    wait_until(lambda: status(server, "reverse").total == 0, "the queue is empty")
    ran = [record["handle"] for record in records(tmp_path / "runs")]
    assert len(ran) == len(set(ran)) == 350
    assert {handle.decode() for handle in handles} <= set(ran)


def test_high_priority_jobs_go_first_and_low_ones_last(rig, web, tmp_path):
    server = start(rig, web, ["wait_for"], worker_count=1, record=tmp_path / "runs")
    gate = tmp_path / "gate"
    with Client(server) as client:
        first = client.submit("wait_for", str(gate))
        wait_until(lambda: records(tmp_path / "runs"), "the first job runs")
        handles = {name: client.submit("wait_for", str(gate), priority=name) for name in ("low", "normal", "high")}
        gate.touch()
        for handle in handles.values():
            client.result(handle)
    expected = [first, handles["high"], handles["normal"], handles["low"]]
    assert [record["handle"] for record in records(tmp_path / "runs")] == [handle.decode() for handle in expected]


def test_two_clients_with_one_unique_share_one_run(rig):
    server, gate = rig.gearmand(), Gate()
    endpoint = rig.endpoint(gate)
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"])}))
    with Client(server) as one, Client(server) as two:
        handles = one.submit("f", "x", unique="same"), two.submit("f", "x", unique="same")
        gate.open()
        assert one.result(handles[0]) == two.result(handles[1]) == complete("done")
    assert len(endpoint.requests) == 1


def test_the_text_of_a_failure_reaches_clients_that_asked_for_exceptions(rig, web):
    server = start(rig, web, ["fail_with_text"], settings={"failure_text": "exception"})
    with Client(server, exceptions=True) as client:
        assert client.run("fail_with_text", "no such user") == Result("exception", b"no such user")
    assert run(server, "fail_with_text", "no such user") == FAILED


TOLD_AND_FAILED = {"events": [["warning", "no such user"], ["fail", ""]]}


def test_by_itself_the_text_of_a_failure_is_a_warning_before_the_failure(rig, web):
    server = start(rig, web, ["fail_with_text"])
    for exceptions in False, True:
        with Client(server, exceptions=exceptions) as client:
            assert client.run("fail_with_text", "no such user") == FAILED
            assert client.told() == [(Kind.WORK_WARNING, b"no such user")]


def test_tasks_of_php_gearman_get_the_text_of_a_failure_and_the_failure(rig, web):
    server = start(rig, web, ["fail_with_text"])
    assert php_client(server, "stream", "fail_with_text", "no such user") == TOLD_AND_FAILED


def test_donormal_of_php_gearman_fails_as_it_did_with_the_original(rig, web):
    server = start(rig, web, ["fail_with_text"])
    assert php_client(server, "run", "fail_with_text", "no such user") == {"data": "", "code": 24}  # GEARMAN_WORK_FAIL


def test_the_perl_client_gets_the_text_of_a_failure_and_the_failure(rig, web):
    """This holds for Gearman::Client with and without exceptions. By default it does not request them."""
    server = start(rig, web, ["fail_with_text"])
    for exceptions in 0, 1:
        told = perl_client(server, "fail_with_text", "no such user", exceptions)
        assert told == [["warning", "no such user"], ["fail", ""]]


@pytest.mark.skipif(not NODE_CLIENT.is_dir(), reason=f"no {NODE_CLIENT}: ./dev test integration installs it")
def test_a_nodejs_client_gets_the_text_of_a_failure_and_the_failure(rig, web):
    server = start(rig, web, ["fail_with_text"])
    warned, (kind, _) = node_client(server, "fail_with_text", "no such user")["events"]
    assert (warned, kind) == (["warning", "no such user"], "fail")


def test_php_gearman_gets_an_exception_where_that_is_wanted(rig, web):
    """php-gearman requests exceptions by default."""
    server = start(rig, web, ["fail_with_text"], settings={"failure_text": "exception"})
    assert php_client(server, "exceptions", "fail_with_text", "no such user")["exception"] == "no such user"


def test_a_failure_without_text_is_a_plain_failure(rig, web):
    server = start(rig, web, ["fail_with_text"])
    with Client(server, exceptions=True) as client:
        assert client.run("fail_with_text", "") == FAILED


def test_a_failure_may_leave_its_text_out(rig):
    endpoint = rig.endpoint(answer(b'{"gearman_ret":1}'))
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], 1)}))
    with Client(server, exceptions=True) as client:
        assert client.run("f", "x") == FAILED


def test_the_gearman_command_sees_a_failure(rig, web):
    server = start(rig, web, ["fail"], run="fail_with_text")
    assert gearman_cli(server, "-f", "fail", data=b"").returncode != 0


def test_the_gearman_command_shows_the_text_of_a_failure_where_gearmand_hands_exceptions_out(rig, web):
    """Without --exceptions this command hangs: gearmand 1.1.20 sends WORK_FAIL in place of the exception, with a NUL behind the
    handle, so libgearman finds no task for it."""
    server = start(rig, web, ["fail_with_text"], server_options=["--exceptions"],
                   settings={"failure_text": "exception"})
    assert gearman_cli(server, "-f", "fail_with_text", data=b"why").stderr == b"why"


def test_the_gearman_command_gets_the_text_of_a_failure_and_the_failure(rig, web):
    server = start(rig, web, ["fail_with_text"])
    failed = gearman_cli(server, "-f", "fail_with_text", data=b"why")
    assert (failed.returncode, failed.stderr) == (1, b"whyJob failed\n")


def test_the_text_of_a_failure_can_be_dropped(rig, web):
    server = start(rig, web, ["fail_with_text"], settings={"failure_text": "drop"})
    failed = gearman_cli(server, "-f", "fail_with_text", data=b"why")
    assert (failed.returncode, failed.stderr) == (1, b"Job failed\n")


def test_a_failed_job_does_not_disturb_the_next(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["crash", "reverse"], 1)}))
    daemon.expect_failed_jobs()
    for _ in range(3):
        assert run(server, "crash") == FAILED
        assert run(server, "reverse", "abc") == complete("cba")


@pytest.mark.parametrize("workload", [b"", b"text", b"\0leading", bytes(range(1, 256)) * 4096],
                         ids=["empty", "text", "leading NUL", "1 MiB"])
@pytest.mark.parametrize("length", [0, 1, 36, 62, 64])
def test_uniques_of_any_length_arrive_with_whole_workloads(rig, web, length, workload):
    """gearmand sends a unique of 64 bytes, the length of a SHA-256 in hex, wrongly. (For 63 digits and a workload that begins
    with NUL it sends the same bytes, so the two cannot be distinguished.)"""
    server = start(rig, web, ["digest", "about"], worker_count=1)
    unique = hashlib.sha256(b"some job").hexdigest()[:length]
    expected = f"{len(workload)} {hashlib.sha256(workload).hexdigest()}"
    assert run(server, "digest", workload, unique=unique) == complete(expected)
    seen = json.loads(run(server, "about", "text", unique=unique).data)["unique"]
    assert seen == unique if length < 64 else seen in (unique, unique[:63])


def test_a_unique_of_63_bytes_is_not_taken_for_a_longer_one(rig, web):
    server = start(rig, web, ["about"])
    for workload in ("", "text"):
        assert json.loads(run(server, "about", workload, unique="a" * 63).data)["workload"] == workload


def test_function_names_may_hold_anything_printable(rig, web):
    name = 'Shop\\Jobs::Süm "3" {x="y"} &=;'
    server = start(rig, web, [name], run="about")
    assert json.loads(run(server, name, "x").data)["function_name"] == name


def test_the_endpoint_learns_function_handle_unique_and_workload(rig, web):
    server = start(rig, web, ["about"])
    with Client(server) as client:
        handle = client.submit("about", "the workload", unique="57a7b604-659a-11e5-9442-04013e647701")
        about = json.loads(client.result(handle).data)
    assert about["function_name"] == "about"
    assert about["job_handle"] == handle.decode()
    assert about["unique"] == "57a7b604-659a-11e5-9442-04013e647701"
    assert about["workload"] == "the workload"
