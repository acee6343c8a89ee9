# SPDX-License-Identifier: MIT
"""The exporter: the five metrics with their names and labels, health, readiness, and how it treats requests."""
import re
import socket
import time
import urllib.request

import pytest

from behaviours import Gate, answer, hang, in_turn
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool
from load import Load
from processes import free_port, wait_until


def start(rig, uri, functions=("f",), worker_count=4, **options):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions, worker_count)}), **options)


def test_the_duration_of_successful_jobs_is_a_histogram_by_pool_and_function(rig):
    endpoint = rig.endpoint(in_turn(answer(), answer(), answer(status="500 Oops")))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    assert [run(server, "f").kind for _ in range(3)] == ["complete", "complete", "fail"]
    labels = {"pool": "Regular", "function": "f"}
    assert daemon.metric("driveshaft_job_duration_count", **labels) == 2
    assert 0 < daemon.metric("driveshaft_job_duration_sum", **labels) < 2
    bounds = {have["le"]: value for name, have, value in daemon.samples() if name == "driveshaft_job_duration_bucket"}
    assert {0.01, 0.1, 1, 10, 100, 1000, float("inf")} <= {float(bound) for bound in bounds}
    assert bounds["+Inf"] == 2
    assert list(bounds.values()) == sorted(bounds.values())


def test_errors_are_counted_by_pool_and_function_with_their_kind(rig):
    endpoint = rig.endpoint(in_turn(answer(status="404 Not Found"), answer(status="500 Oops"), answer(b"x"), hang))
    server, daemon = start(rig, endpoint.uri(), max_running_time=1)
    daemon.expect_failed_jobs()
    for _ in range(4):
        assert run(server, "f") == FAILED
    labels = {"pool": "Regular", "function": "f"}
    assert daemon.metric("driveshaft_http_errors", http_status="404", **labels) == 1
    assert daemon.metric("driveshaft_http_errors", http_status="500", **labels) == 1
    assert daemon.metric("driveshaft_timeouts", **labels) == 1
    assert daemon.metric("driveshaft_errors", **labels) == 4
    assert daemon.metric("driveshaft_job_duration_count", **labels) == 0


def test_threads_show_idle_and_busy_slots(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri(), functions=["f", "g"], worker_count=5)

    def threads():
        return sorted((labels["status"], labels["pool"], labels.get("function"), value)
                      for name, labels, value in daemon.samples() if name == "driveshaft_threads" and value)
    assert threads() == [("idle", "Regular", None, 5)]
    with Client(server) as client:
        handles = [client.submit(name) for name in ("f", "f", "g")]
        wait_until(lambda: endpoint.running == 3, "three jobs run")
        assert threads() == [("busy", "Regular", "f", 2), ("busy", "Regular", "g", 1), ("idle", "Regular", None, 2)]
        gate.open()
        for handle in handles:
            client.result(handle)
    wait_until(lambda: threads() == [("idle", "Regular", None, 5)], "all slots are idle")


def test_series_exist_before_the_first_job(rig, web):
    _, daemon = start(rig, web.uri(), functions=["f"])
    names = {name for name, labels, _ in daemon.samples() if labels.get("function") == "f"}
    assert {"driveshaft_errors", "driveshaft_timeouts", "driveshaft_job_duration_count"} <= names
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 0


def test_the_metrics_are_prometheus_text_of_the_promised_types(rig):
    endpoint = rig.endpoint(answer(status="404 Not Found"))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    run(server, "f")
    status, text, headers = daemon.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert types["driveshaft_job_duration"] == "histogram"
    assert types["driveshaft_errors"] == types["driveshaft_timeouts"] == types["driveshaft_http_errors"] == "counter"
    assert types["driveshaft_threads"] == "gauge"


def test_names_of_any_kind_are_escaped_in_labels(rig, web):
    name = 'a"b\\c ü'
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {'p"q\\': pool(web.uri(run="reverse"), [name])}))
    assert run(server, name, "ab") == complete("ba")
    assert daemon.metric("driveshaft_job_duration_count", pool='p\\"q\\\\', function='a\\"b\\\\c ü') == 1


def test_readyz_needs_a_server_and_healthz_does_not(rig, web):
    server, daemon = start(rig, web.uri())
    daemon.expect_errors(server.address)
    assert daemon.get("/readyz")[0] == daemon.get("/healthz")[0] == 200
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[0] == 503, "not ready")
    assert daemon.get("/healthz")[0] == 200
    server.start()
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "ready again", 7)


def test_one_server_of_two_is_enough_to_be_ready(rig, web):
    one, two = rig.gearmand("one"), rig.gearmand("two")
    daemon = rig.driveshaft(jobs_file([one, two], {"Regular": pool(web.uri(), ["reverse"])}))
    daemon.expect_errors(two.address)
    two.kill()
    daemon.wait_for_line(two.address)
    assert run(one, "reverse", "ab") == complete("ba")
    assert daemon.get("/readyz")[0] == 200


def test_unknown_pages_and_methods_are_refused(rig, web):
    _, daemon = start(rig, web.uri())
    assert daemon.get("/nothing")[0] == 404
    status, _, headers = daemon.get("/metrics", method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, body, headers = daemon.get("/metrics", method="HEAD")
    assert (status, body) == (200, "") and int(headers["content-length"]) > 100


def asked_as(daemon, host, page="/metrics"):
    """Sends a request with this Host header. Returns (status, body)."""
    with socket.create_connection(("127.0.0.1", daemon.port), 20) as sock:
        sock.sendall(f"GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def test_only_names_of_its_own_are_answered(rig, web):
    """A page of another site can read nothing, even if the site's name resolves to this machine's address."""
    _, daemon = start(rig, web.uri(), exporter_host="worker-1.example,driveshaft")
    for host in ("127.0.0.1", f"127.0.0.1:{daemon.port}", "[::1]", "192.0.2.7:1", f"localhost:{daemon.port}",
                 socket.gethostname(), f"worker-1.example:{daemon.port}", "driveshaft"):
        assert asked_as(daemon, host)[0] == 200, host
    for page in ("/", "/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/events"):
        status, body = asked_as(daemon, f"evil.example:{daemon.port}", page)
        assert status == 421 and "--exporter_host evil.example" in body, page
    said = daemon.wait_for_line("a request from 127.0.0.1 was refused: the host evil.example is not known here", level="WARN")
    assert said.endswith("start it with --exporter_host evil.example")
    assert len(daemon.lines("was refused")) == 1, "it is said once a minute at most"


def test_scrapes_in_plenty_and_stuck_ones_do_not_delay_jobs(rig, web):
    server, daemon = start(rig, web.uri(), functions=["reverse"])
    stuck = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(100)]
    for sock in stuck:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
    with Load(server) as load:
        for _ in range(100):
            assert daemon.get("/metrics")[0] == 200
        wait_until(lambda: load.right > 100, "jobs run")
        load.stop()
    for sock in stuck:
        sock.close()


def test_the_exporter_answers_while_all_slots_are_busy(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 4)
        wait_until(lambda: endpoint.running == 4, "all slots are busy")
        began = time.monotonic()
        assert daemon.get("/healthz")[0] == 200
        assert time.monotonic() - began < 1
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 4


@pytest.mark.parametrize("address, hosts", [("[::]:{}", ["127.0.0.1", "[::1]"]), ("[::1]:{}", ["[::1]"]),
                                            (":{}", ["127.0.0.1"]), ("{}", ["127.0.0.1"])])
def test_the_ways_to_write_the_exporters_address(rig, address, hosts):
    port = free_port()
    daemon = rig.driveshaft(jobs_file(["127.0.0.1:1"], {}), until=None, exporter_addr=address.format(port))
    daemon.wait_for_line("^metrics on")
    for host in hosts:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=20) as answer:
            assert answer.status == 200
