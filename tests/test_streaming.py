# SPDX-License-Identifier: MIT
"""Answers of the type application/x-ndjson: progress, data and warnings reach the client while the job runs."""
import http.client
import json
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from behaviours import answer, contract
from clients import Client, FAILED, complete, php_client
from driveshaft import jobs_file, pool, sanitized
from packets import Kind
from processes import Process, free_port, let_pass, wait_until
from servers import accepts

EXAMPLES = Path(__file__).parent.parent / "examples"
MIB = 1 << 20


def start(rig, uri, functions=("f",), worker_count=4, max_running_time=60, **settings):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, functions, worker_count, **settings)})
    return server, rig.driveshaft(config, max_running_time=max_running_time)


def lines(*said):
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in said)


DONE = {"gearman_ret": 0, "response_string": "done"}


def stream(*said, wait=None, close=False):
    """A behaviour that sends each of `said` as a separate chunk. Before the last one it waits for the event `wait`."""
    def behave(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i, line in enumerate(said):
            if wait and i + 1 == len(said):
                wait.wait(60)
            data = lines(line)
            sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        if close:
            return False
        sock.sendall(b"0\r\n\r\n")
        return True
    return behave


@pytest.fixture(params=["php", "python", "node"])
def example(request, rig, web):
    if request.param == "php":
        yield web.uri_of_example("stream.php")
        return
    port = free_port()
    program = {"python": [sys.executable, EXAMPLES / "stream.py"], "node": ["node", EXAMPLES / "stream.mjs"]}
    process = Process(request.param, rig.directory, [*program[request.param], str(port)])
    process.start()
    try:
        wait_until(lambda: accepts("127.0.0.1", port), "the endpoint listens")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.stop()


def test_the_examples_with_php_gearmans_callbacks(rig, example):
    server, _ = start(rig, example)
    got = php_client(server, "stream", "f", "3")
    assert got["events"] == [["status", "1/3"], ["data", "part 1"], ["status", "2/3"], ["data", "part 2"],
                             ["status", "3/3"], ["data", "part 3"], ["data", "hex 00ff"], ["complete", "6"]]
    got = php_client(server, "stream", "f", "0")
    assert ["warning", "there was nothing to do"] in got["events"] and got["events"][-1] == ["complete", "0"]


def test_the_examples_answer_at_once_on_a_kept_connection(example):
    """With Nagle's algorithm each answer but the first would be delayed by 40 ms."""
    uri = urllib.parse.urlsplit(example)
    connection = http.client.HTTPConnection(uri.hostname, uri.port, 20)
    took = []
    for _ in range(10):
        began = time.monotonic()
        connection.request("POST", uri.path, '{"workload": "3"}', {"Content-Type": "application/json"})
        assert b'"gearman_ret"' in connection.getresponse().read()
        took.append(time.monotonic() - began)
    connection.close()
    assert min(took[1:]) < 0.03, took


def test_each_line_is_passed_on_as_it_arrives(rig):
    release = threading.Event()
    endpoint = rig.endpoint(stream({"status": [3, 10]}, {"data": "a\u00e9"}, {"data_base64": "AP8="}, {"warning": "slow"},
                                   DONE, wait=release))
    server, _ = start(rig, endpoint.uri())
    with Client(server) as client:
        handle = client.submit("f", "x")
        assert [client.event(handle) for _ in range(4)] == [
            (Kind.WORK_STATUS, b"3\x0010"), (Kind.WORK_DATA, "a\u00e9".encode()), (Kind.WORK_DATA, b"\x00\xff"),
            (Kind.WORK_WARNING, b"slow")]
        release.set()
        assert client.result(handle) == complete("done")


def test_the_status_of_a_background_job_can_be_asked_for(rig):
    release = threading.Event()
    endpoint = rig.endpoint(stream({"status": [3, 10]}, DONE, wait=release))
    server, _ = start(rig, endpoint.uri())
    with Client(server) as client:
        handle = client.submit_background("f", "x")
        wait_until(lambda: client.job_status(handle) == (True, True, 3, 10), "gearmand knows how far it is")
        release.set()
        wait_until(lambda: client.job_status(handle)[0] is False, "it is done")


BROKEN = {
    "no answer": ([{"data": "x"}], "the streamed answer ended without a line"),
    "not json": ([b"<b>Fatal error</b>"], 'a line of the streamed answer is not JSON .*<b>Fatal error</b>'),
    "unknown": ([{"progress": 3}], "has neither status, data, data_base64 or warning nor gearman_ret"),
    "after the answer": ([DONE, {"data": "x"}], "follows the one with gearman_ret"),
    "answer without text": ([{"gearman_ret": 0}], "response_string is missing"),
}


@pytest.mark.parametrize("said, reason", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_stream_fails_the_job_and_says_why(rig, said, reason):
    endpoint = rig.endpoint(stream(*said))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        assert client.told() == [(Kind.WORK_DATA, b"x")] * (said[0] == {"data": "x"})
    daemon.wait_for_line(f"^Failed job: .*reason=.*{reason}")
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 1


def test_a_failure_at_the_end_of_a_stream_is_the_endpoints_word(rig):
    endpoint = rig.endpoint(stream({"data": "half"}, {"gearman_ret": 2, "response_string": "no more"}))
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        assert client.told() == [(Kind.WORK_DATA, b"half"), (Kind.WORK_WARNING, b"no more")]
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 0


def test_a_job_whose_data_the_client_has_is_not_tried_again(rig):
    """Otherwise the client would get the data twice."""
    endpoint = rig.endpoint(stream({"data": "half"}, close=True))
    server, daemon = start(rig, endpoint.uri(), retry={"attempts": 3, "initial_delay": 0.01})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        assert client.told() == [(Kind.WORK_DATA, b"half")]
    assert len(endpoint.requests) == 1


def test_a_job_that_only_told_its_status_is_tried_again(rig):
    endpoint = rig.endpoint(stream({"status": [1, 2]}, close=True))
    server, daemon = start(rig, endpoint.uri(), retry={"attempts": 3, "initial_delay": 0.01})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        assert client.told() == [(Kind.WORK_STATUS, b"1\x002")] * 3
    assert len(endpoint.requests) == 3


def test_a_stream_is_bound_by_max_running_time(rig):
    endpoint = rig.endpoint(stream({"status": [1, 2]}, DONE, wait=threading.Event()))
    server, daemon = start(rig, endpoint.uri(), max_running_time=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        assert client.told() == [(Kind.WORK_STATUS, b"1\x002")]
    assert daemon.metric("driveshaft_timeouts", pool="Regular", function="f") == 1


def test_far_more_than_max_response_size_streams_through_in_bounded_memory(rig):
    count, size = (100 if sanitized() else 1000), 100_000
    endpoint = rig.endpoint(stream(*[{"data": "x" * size}] * count, DONE))
    server, daemon = start(rig, endpoint.uri(), max_response_size=2 * size)
    before = daemon.memory("VmHWM")
    with Client(server) as client:
        handle = client.submit("f", "x")
        for _ in range(count):
            assert client.event(handle) == (Kind.WORK_DATA, b"x" * size)
        assert client.result(handle) == complete("done")
    if not sanitized():
        assert daemon.memory("VmHWM") - before < 16 * MIB


def test_a_gearmand_that_takes_nothing_in_stops_the_stream_and_not_our_memory(rig):
    """Driveshaft reads no more from the endpoint, so the endpoint stops too. Both go on when gearmand does."""
    sent = []
    deaf = threading.Event()

    def flood(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n")
        line = lines({"data": "x" * 50_000})
        for i in range(1000):
            sock.sendall(line)
            sent.append(i)
        sock.sendall(lines(DONE))
        return False

    endpoint = rig.endpoint(flood)
    real = rig.gearmand()
    relay = rig.relay(real, hold=deaf)
    daemon = rig.driveshaft(jobs_file([relay], {"Regular": pool(endpoint.uri(), ["f"])}))
    before = daemon.memory("VmHWM")
    with Client(real) as client:
        handle = client.submit("f", "x")
        assert client.event(handle)[0] == Kind.WORK_DATA
        deaf.set()
        wait_until(lambda: stands_still(sent), "the endpoint cannot send any more", 30)
        assert len(sent) < 1000
        if not sanitized():
            assert daemon.memory("VmHWM") - before < 16 * MIB
        deaf.clear()
        for _ in range(999):
            assert client.event(handle) == (Kind.WORK_DATA, b"x" * 50_000)
        assert client.result(handle) == complete("done")


def stands_still(sent):
    before = len(sent)
    let_pass(1)
    return len(sent) == before


def test_whole_answers_of_other_types_stay_as_they_were(rig):
    endpoint = rig.endpoint(answer(contract("fine"), headers=["Content-Type: application/json"]))
    server, _ = start(rig, endpoint.uri())
    with Client(server) as client:
        assert client.run("f", "x") == complete("fine")
