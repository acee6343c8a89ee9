# SPDX-License-Identifier: MIT
"""The headers of a request: those of the jobs file, those about the job, and the trace."""
import json
import re
import time
import urllib.parse

import pytest

from behaviours import Gate, answer, in_turn
from clients import Client, complete, run
from driveshaft import jobs_file, pool, run_binary
from processes import wait_until

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")


def start(rig, uri, functions=("f",), options={}, name="Regular", **settings):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {name: pool(uri, functions, **settings)}), **options)


def test_a_request_says_which_job_it_is_for(rig):
    endpoint = rig.endpoint(answer())
    server, _ = start(rig, endpoint.uri(), options={"max_running_time": 100})
    with Client(server) as client:
        before = time.time()
        handle = client.submit("f", "w", unique="the-unique")
        client.result(handle)
    headers = endpoint.requests[0].headers
    said = {name: value for name, value in headers.items() if name.startswith("driveshaft-")}
    deadline = said.pop("driveshaft-deadline")
    assert said == {"driveshaft-pool": "Regular", "driveshaft-function": "f", "driveshaft-handle": handle.decode(),
                    "driveshaft-unique": "the-unique", "driveshaft-attempt": "1"}
    assert re.fullmatch(r"\d{13}", deadline)
    assert before + 100 - 0.1 <= int(deadline) / 1000 <= time.time() + 100


@pytest.mark.parametrize("name", ["p q", "Größe", "100%", "a:b,c;d\"e'", "%41", " x "])
def test_names_of_any_bytes_are_percent_encoded(rig, name):
    endpoint = rig.endpoint(answer())
    server, _ = start(rig, endpoint.uri(), [name], name=name)
    unique = b"\x01\xff " + name.encode()
    assert run(server, name, unique=unique) == complete("done")
    headers = endpoint.requests[0].headers
    assert urllib.parse.unquote(headers["driveshaft-function"]) == name
    assert urllib.parse.unquote(headers["driveshaft-pool"]) == name
    assert urllib.parse.unquote_to_bytes(headers["driveshaft-unique"]) == unique
    assert json.loads(endpoint.requests[0].body)["function_name"] == name


def test_php_behind_nginx_has_them_all(rig, web):
    server, _ = start(rig, web.uri(), ["about"], headers={"X-Shop": "de"})
    seen = json.loads(run(server, "about", unique="a b").data)["server"]
    assert seen["HTTP_DRIVESHAFT_POOL"] == "Regular" and seen["HTTP_DRIVESHAFT_FUNCTION"] == "about"
    assert seen["HTTP_DRIVESHAFT_UNIQUE"] == "a%20b" and seen["HTTP_DRIVESHAFT_ATTEMPT"] == "1"
    assert seen["HTTP_DRIVESHAFT_HANDLE"].startswith("H:") and seen["HTTP_DRIVESHAFT_DEADLINE"].isdigit()
    assert TRACEPARENT.fullmatch(seen["HTTP_TRACEPARENT"]) and seen["HTTP_X_SHOP"] == "de"


def test_the_deadline_is_that_of_the_attempt_where_it_has_one(rig):
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 No"), answer()))
    server, _ = start(rig, endpoint.uri(), options={"max_running_time": 20},
                      retry={"attempts": 2, "attempt_timeout": 5, "initial_delay": 0, "max_delay": 0})
    before = time.time()
    assert run(server, "f") == complete("done")
    deadlines = [int(request.headers["driveshaft-deadline"]) / 1000 for request in endpoint.requests]
    assert all(before + 5 - 0.1 <= deadline <= time.time() + 5 for deadline in deadlines)
    assert deadlines[0] <= deadlines[1]


def test_a_job_is_one_trace_and_each_attempt_a_span_of_it(rig):
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 No"), answer(), answer()))
    server, daemon = start(rig, endpoint.uri(), retry={"attempts": 2, "initial_delay": 0, "max_delay": 0})
    assert run(server, "f", "one") == run(server, "f", "two") == complete("done")
    first, again, other = [TRACEPARENT.fullmatch(request.headers["traceparent"]).groups()
                           for request in endpoint.requests]
    assert first[0] == again[0] != other[0]
    assert len({first[1], again[1], other[1]}) == 3
    assert {first[2], again[2], other[2]} == {"01"}
    for trace, workload in ((first[0], "one"), (other[0], "two")):
        daemon.wait_for_line(f"^Starting job: .* workload={workload}$")
        daemon.wait_for_line(f"^Finished job: .* workload={workload} .* trace={trace}$")
    daemon.wait_for_line(f"^Trying job again: .* trace={first[0]}$")


def test_failed_jobs_name_their_trace(rig):
    endpoint = rig.endpoint(answer(b"", status="500 No"))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    run(server, "f")
    trace = TRACEPARENT.fullmatch(endpoint.requests[0].headers["traceparent"])[1]
    daemon.wait_for_line(f"^Failed job: .* reason=.* trace={trace}$", level="ERROR")


def test_trace_sampling_decides_by_the_id(rig):
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri(), trace_sampling=0.5)

    def flags(count):
        before = len(endpoint.requests)
        with Client(server) as client:
            client.run_all("f", [b""] * count, window=4)
        return [TRACEPARENT.fullmatch(request.headers["traceparent"]).groups()
                for request in endpoint.requests[before:]]
    for trace, _, flag in flags(100):
        assert (int(trace[-14:], 16) < 0.5 * 2**56) == (flag == "01")
    daemon.reload(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], trace_sampling=0)}))
    assert {flag for _, _, flag in flags(30)} == {"00"}
    daemon.wait_for_line("^pool Regular: trace_sampling 0.5 -> 0$")


def test_headers_of_the_jobs_file_are_sent(rig, tmp_path):
    (tmp_path / "token").write_text("Bearer hunter2\n")
    endpoint = rig.endpoint(answer())
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {
        "A": pool(endpoint.uri(), ["a"], headers={"X-Shop": "de", "Authorization": {"file": str(tmp_path / "token")}}),
        "B": pool(endpoint.uri(), ["b"]), "C": pool(endpoint.uri(), ["c"], headers={"x-all": None})}, headers={"X-All": "1"}))
    for function in "abc":
        assert run(server, function) == complete("done")
    a, b, c = [request.headers for request in endpoint.requests]
    assert (a["x-shop"], a["authorization"], b["x-all"]) == ("de", "Bearer hunter2", "1")
    assert a["x-all"] == "1" and "x-shop" not in b and "x-all" not in c
    assert "hunter2" not in daemon.log() + daemon.get("/metrics")[1] + daemon.get("/")[1]
    assert "hunter2" not in run_binary("--check", "--jobsconfig", daemon.config_path).stdout


def test_a_changed_header_takes_effect_in_place_and_loses_no_job(rig, tmp_path):
    """A job runs during the reload, the connections stay, and other jobs go on."""
    token = tmp_path / "token"
    token.write_text("hunter1\n")
    gate = Gate(answer())
    endpoint = rig.endpoint(lambda request, sock: gate(request, sock) if b"slow" in request.body
                            else answer()(request, sock))
    server, daemon = start(rig, endpoint.uri(), headers={"X-Token": {"file": str(token)}, "X-Shop": "hunter3"})
    with Client(server) as client:
        slow = client.submit("f", "slow")
        wait_until(lambda: endpoint.requests, "it runs")
        assert run(server, "f") == complete("done")
        fresh = tmp_path / "fresh"
        fresh.write_text("hunter2\n")
        fresh.replace(token)
        daemon.wait_for_line("^pool Regular: headers: another value of X-Token, from its file$")
        connections = endpoint.connections
        assert run(server, "f") == complete("done")
        assert endpoint.connections == connections
        daemon.reload(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], headers={
            "X-Token": {"file": str(token)}, "X-Shop": "hunter4"})}))
        daemon.wait_for_line("^pool Regular: headers: another value of X-Shop$")
        assert run(server, "f") == complete("done")
        assert endpoint.connections == connections
        gate.open()
        assert client.result(slow) == complete("done")
    assert [request.headers["x-token"] for request in endpoint.requests] == ["hunter1", "hunter1", "hunter2", "hunter2"]
    assert endpoint.requests[-1].headers["x-shop"] == "hunter4"
    assert "hunter" not in daemon.log()


def test_a_file_that_a_rejected_jobs_file_names_is_watched_too(rig, tmp_path):
    """When the missing file appears, the jobs file is applied, although the jobs file itself does not change."""
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_errors("^jobs file .* is rejected")
    token = tmp_path / "token"
    daemon.reload(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], headers={"X-Token": {"file": str(token)}})}),
                  result="rejected")
    assert run(server, "f") == complete("done")
    token.write_text("now")
    daemon.wait_for_line("^pool Regular: headers {} -> ")
    assert run(server, "f") == complete("done")
    assert endpoint.requests[-1].headers["x-token"] == "now"
