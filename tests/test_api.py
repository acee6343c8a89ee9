# SPDX-License-Identifier: MIT
"""/api/v1: its answers in every state of the daemon, which have to match the documented schema; queue depth; events."""
import json
import re
import signal
import socket

import jsonschema
import pytest

import api
from behaviours import Gate, answer, contract, hang, in_turn, reverse, slow
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool, run_binary, sanitized
from fakes import SocketServer
from packets import Kind
from processes import wait_until


def start(rig, uri, functions=("f",), worker_count=4, settings=None, **options):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, functions, worker_count, **(settings or {}))})
    return server, rig.driveshaft(config, **options)


def one_pool(status, name="Regular"):
    return next(pool for pool in status["pools"] if pool["name"] == name)


def problems(status):
    return [problem["text"] for problem in status["problems"]]


def test_texts_with_marks_of_json_are_shown_as_they_are(rig):
    name = 'a"b\\c'
    token = rig.directory / name
    token.write_text("s3cret")
    settings = {"dead_letter_function": name, "headers": {"X-Token": {"file": str(token)}}}
    _, daemon = start(rig, rig.endpoint(reverse).uri(), functions=(name,), settings=settings)
    shown = api.get(daemon, "/config")["in_force"]["pools_list"]["Regular"]
    assert (shown["jobs_list"], shown["dead_letter_function"]) == ([name], name)
    assert shown["headers"] == {"X-Token": {"file": str(token)}}


def test_every_path_of_the_description_answers_as_described(rig):
    server, daemon = start(rig, rig.endpoint(reverse).uri())
    run(server, "f", "ab")
    for path, operations in api.openapi()["paths"].items():
        if path != "/events" and "get" in operations:
            api.get(daemon, path.replace("{name}", "Regular"))
    api.get(daemon, "/pools/Regular/history?span=24h")
    api.get(daemon, "/pools/Regular/history?span=1y", status=400)
    api.get(daemon, "/pools/nobody", status=404)
    assert daemon.get("/api/v1/nothing")[0] == daemon.get("/api/v2/status")[0] == 404
    status, _, headers = daemon.get("/api/v1/status", method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def nodes(value):
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(one)


@pytest.mark.once
def test_the_description_lets_fields_be_added_to_answers():
    description = api.openapi()
    answers = [operation["responses"] for path in description["paths"].values() for operation in path.values()]
    for node in nodes([answers, description["components"]]):
        if isinstance(node, dict):
            assert node.get("additionalProperties") is not False and node.get("unevaluatedProperties") is not False, node


def test_a_field_that_the_description_does_not_have_is_noticed(rig):
    """So no other test accepts an answer that has such a field."""
    server, daemon = start(rig, rig.endpoint(reverse).uri())
    run(server, "f", "ab")
    status, detail = api.get(daemon, "/status"), api.get(daemon, "/pools/Regular")
    for path, answer, parent in (("/status", status, status), ("/status", status, status["daemon"]),
                                 ("/status", status, status["pools"][0]),
                                 ("/status", status, status["pools"][0]["queued_known"]),
                                 ("/status", status, status["pools"][0]["endpoint"]),
                                 ("/pools/Regular", detail, detail), ("/pools/Regular", detail, detail["functions"][0])):
        api.check(path, 200, answer)
        parent["undocumented"] = 1
        with pytest.raises(jsonschema.ValidationError):
            api.check(path, 200, answer)
        del parent["undocumented"]


def test_all_is_well(rig):
    _, daemon = start(rig, rig.endpoint(reverse).uri())
    status = api.wait_for_status(daemon, lambda status: status["servers"][0]["queue"] and
                                 status["servers"][0]["state"] == "up", "the server is up and its queue known")
    assert status["well"] and not status["problems"]
    assert status["summary"] == "All is well: 1 pool, 0 of 4 slots busy, 0.0 jobs a second, no job waits."
    assert one_pool(status)["endpoint"]["state"] == "untried"
    assert status["daemon"]["pid"] == daemon.pid


def test_running_jobs_are_listed_without_their_workloads(rig):
    gate = Gate()
    server, daemon = start(rig, rig.endpoint(gate).uri(), worker_count=3)
    with Client(server) as client:
        handles = [client.submit("f", b"s3cret workload", unique=b"u%d" % i) for i in range(5)]
        wait_until(lambda: api.pool(daemon, "Regular")["busy"] == 3, "three jobs run")
        jobs = api.get(daemon, "/jobs")
        assert jobs["running"] == 3
        assert [job["handle"] for job in jobs["jobs"]] == [handle.decode() for handle in handles[:3]]
        first = jobs["jobs"][0]
        assert (first["pool"], first["function"], first["unique"]) == ("Regular", "f", "u0")
        assert first["server"] == server.address
        assert first["age"] + first["time_left"] == pytest.approx(3600, abs=0.01)
        api.wait_for_status(daemon, lambda status: one_pool(status)["queued"] == 2, "two wait")
        for page in ("/jobs", "/pools/Regular", "/failures", "/status", "/config"):
            assert "s3cret" not in daemon.get(api.BASE + page)[1]
        gate.open()
        for handle in handles:
            client.result(handle)
    wait_until(lambda: not api.get(daemon, "/jobs")["jobs"], "none runs")


def test_only_the_oldest_running_jobs_are_listed(rig):
    gate = Gate()
    server, daemon = start(rig, rig.endpoint(gate).uri(), worker_count=150)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 150)
        wait_until(lambda: api.get(daemon, "/jobs")["running"] == 150, "all run")
        assert len(api.get(daemon, "/jobs")["jobs"]) == 100
        gate.open()
        for handle in handles:
            client.result(handle)


def test_a_percentile_of_few_jobs_is_not_above_the_longest(rig):
    server, daemon = start(rig, rig.endpoint(slow(0.45)).uri())
    run(server, "f", "ab")
    shown = one_pool(api.wait_for_status(daemon, lambda status: one_pool(status)["p99"], "the job is counted"))
    took = daemon.metric("driveshaft_job_duration_sum", pool="Regular")
    assert took * 0.8 < shown["p50"] <= shown["p99"] <= took + 1e-6


def test_an_endpoint_that_never_answers_was_reached(rig):
    server, daemon = start(rig, rig.endpoint(hang).uri(), max_running_time=1)
    daemon.expect_failed_jobs()
    run(server, "f", "x")
    api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["state"] == "up", "it is known")


def test_failures_say_what_happened(rig):
    endpoint = rig.endpoint(in_turn(answer(b"<h1>Fatal \x01 error</h1>", status="500 Oops"),
                                    answer(contract("no such order", 3)), answer(b"nonsense"), hang))
    server, daemon = start(rig, endpoint.uri(), max_running_time=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        for number in range(4):
            client.run("f", "x", unique=b"u%d" % number)
        assert client.told() == [(Kind.WORK_WARNING, b"no such order")]
    failures = {one["unique"]: one for one in api.get(daemon, "/failures")["failures"]}
    assert list(failures) == ["u3", "u2", "u1", "u0"], "the newest first"
    assert [one["unique"] for one in api.get(daemon, "/failures?newest=2")["failures"]] == ["u3", "u2"]
    assert one_pool(api.get(daemon, "/status"))["endpoint"]["state"] == "up"
    assert (failures["u0"]["http_status"], failures["u0"]["answer"]) == (500, "<h1>Fatal \\x01 error</h1>")
    assert (failures["u1"]["gearman_ret"], failures["u1"]["answer"]) == (3, "no such order")
    assert failures["u2"]["http_status"] == 200 and "not JSON" in failures["u2"]["reason"]
    assert failures["u3"]["http_status"] is None and "max_running_time" in failures["u3"]["reason"]
    assert 1 <= failures["u3"]["took"] < 3
    status = api.wait_for_status(daemon, lambda status: one_pool(status)["last_minute"]["failed"] == 3, "the failures count")
    assert (status["well"], status["level"]) == (True, "note"), "they are too few to be a problem"
    assert re.match(r"Regular: the last 4 jobs failed; the last of them, \d+ s ago: .*max_running_time.*; `driveshaft failures.* lists them; 1 pool, ",
                    status["summary"])
    said = run_binary("status", str(daemon.port))
    assert said.returncode == 0 and said.stdout.startswith("Regular: the last 4 jobs failed; ")
    assert one_pool(status)["total"] == {"completed": 0, "refused": 1, "failed": 3}


def test_the_newest_failures_are_those_of_all_pools(rig):
    server = rig.gearmand()
    uri = rig.endpoint(answer(status="500 Oops")).uri()
    daemon = rig.driveshaft(jobs_file([server], {"A": pool(uri, ["a"]), "B": pool(uri, ["b"])}))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        for function in "abba":
            assert client.run(function, "x") == FAILED
    of_pools = lambda query: [one["pool"] for one in api.get(daemon, f"/failures{query}")["failures"]]
    assert of_pools("") == ["A", "A", "B", "B"]
    assert of_pools("?newest=3") == ["A", "B", "B"]
    assert of_pools("?newest=9") == ["A", "B", "B", "A"]
    assert of_pools("?newest=0") == []
    for query in ("?newest=", "?newest=-1", "?newest=1x", "?newest=99999999999999999999", "?oldest=1"):
        api.get(daemon, f"/failures{query}", status=400)


def test_a_hundred_failures_are_kept(rig):
    server, daemon = start(rig, rig.endpoint(answer(status="500 Oops")).uri())
    daemon.expect_failed_jobs()
    with Client(server) as client:
        for number in range(130):
            assert client.run("f", "x", unique=b"u%d" % number) == FAILED
    kept = [one["unique"] for one in api.pool(daemon, "Regular")["failures"]]
    assert kept == [f"u{number}" for number in range(129, 29, -1)]


def test_an_endpoint_that_is_down_and_comes_back(rig):
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri())
    endpoint.stop()
    with Client(server) as client:
        handle = client.submit("f", "ab")
        status = api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["held"] == 1, "it is held")
        assert one_pool(status)["endpoint"]["state"] == "down"
        assert re.fullmatch(rf"Regular: {endpoint.uri()} has been down for \d+ s \((next try in \d+ s; )?1 job is held\): "
                            r"cannot connect: Connection refused\.", status["summary"])
        assert status["problems"][0]["level"] == "bad"
        (job,) = api.get(daemon, "/jobs")["jobs"]
        assert (job["state"], job["attempt"]) == ("held", 1)
        endpoint.start()
        assert client.result(handle) == complete("ba")
    api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["state"] == "up", "it is up")


def test_an_endpoint_that_is_down_and_whose_jobs_fail(rig):
    endpoint = rig.endpoint(reverse)
    server, daemon = start(rig, endpoint.uri(), settings={"endpoint_down": "fail"})
    daemon.expect_failed_jobs()
    endpoint.stop()
    run(server, "f", "x")
    status = api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["state"] == "down", "it is down")
    assert re.fullmatch(rf"Regular: {endpoint.uri()} has been down for \d+ s \(1 job failed in the last minute\): "
                        r"cannot connect: Connection refused\.", status["summary"])
    endpoint.start()
    run(server, "f", "x")
    api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["state"] == "up", "it is up")


def test_an_endpoint_that_asks_to_be_left_alone(rig):
    endpoint = rig.endpoint(in_turn(answer(status="503 Busy", headers=["Retry-After: 2"]), reverse))
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        handle = client.submit("f", "ab")
        status = api.wait_for_status(daemon, lambda status: one_pool(status)["endpoint"]["state"] == "paused", "it pauses")
        assert re.fullmatch(rf"Regular: {endpoint.uri()} has been paused for \d+ s \((next try in \d+ s; )?1 job is held\): "
                            r"it answered HTTP status 503 and asks to wait 2 s\.", status["summary"])
        assert status["problems"][0]["level"] == "warning"
        assert client.result(handle) == complete("ba")
    api.wait_for_status(daemon, lambda status: status["well"], "all is well")


def test_attempts_are_counted(rig):
    gate, oops = Gate(), answer(status="500 Oops")
    endpoint = rig.endpoint(in_turn(oops, gate, oops, oops))
    server, daemon = start(rig, endpoint.uri(), settings={"retry": {"attempts": 2, "initial_delay": 0.01, "on": ["5xx"]}})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        handle = client.submit("f", "ab")
        wait_until(lambda: [(job["state"], job["attempt"]) for job in api.get(daemon, "/jobs")["jobs"]] ==
                   [("running", 2)], "its second attempt runs")
        gate.open()
        assert client.result(handle) == complete("done")
        assert client.run("f", "ab") == FAILED
    wait_until(lambda: [failure["attempts"] for failure in api.get(daemon, "/failures")["failures"]] == [2], "it is listed")


def test_a_server_that_is_down_and_comes_back(rig):
    one, two = rig.gearmand("one"), rig.gearmand("two")
    daemon = rig.driveshaft(jobs_file([one, two], {"Regular": pool(rig.endpoint(reverse).uri(), ["f"])}))

    def states(**expected):
        return api.wait_for_status(daemon, lambda status: [server["state"] for server in status["servers"]] == [
            expected["one"], expected["two"]], f"servers are {expected}")
    states(one="up", two="up")
    two.stop()
    status = states(one="up", two="down")
    assert [problem["level"] for problem in status["problems"]] == ["warning"]
    assert problems(status)[0].startswith(f"gearmand {two.address}: ")
    one.stop()
    status = states(one="down", two="down")
    assert status["problems"][0]["level"] == "bad" and "no jobs are taken" in status["summary"]
    api.wait_for_status(daemon, lambda status: not any(server["queue"] for server in status["servers"]),
                        "their queues are unknown")
    one.start()
    two.start()
    states(one="up", two="up")
    api.wait_for_status(daemon, lambda status: status["well"] and all(server["queue"] for server in status["servers"]),
                        "all is well")


def test_a_function_that_nobody_serves_is_named(rig):
    server, daemon = start(rig, rig.endpoint(reverse).uri(), functions=["Report"])
    with Client(server) as client:
        client.submit_background("Reprot", "x")
    status = api.wait_for_status(daemon, lambda status: any("Reprot" in one for one in problems(status)), "it is named", timeout=40)
    assert problems(status)[0].startswith("no pool and no other worker serves Reprot: 1 job waits, for ")
    assert problems(status)[0].endswith("; is Report meant?")


def test_a_rejected_jobs_file_is_shown_until_a_good_one(rig):
    good = jobs_file(["127.0.0.1:1"], {"Regular": pool("http://127.0.0.1:2/", ["f"], 0)})
    daemon = rig.driveshaft(good, until="/healthz")
    daemon.expect_errors("jobs file .* is rejected")
    broken = json.loads(json.dumps(good))
    broken["pools_list"]["Regular"]["worker_count"] = "ten"
    daemon.reload(broken, result="rejected")
    status = api.wait_for_status(daemon, lambda status: status["config"]["errors"], "the file is rejected")
    assert "pools_list.Regular.worker_count" in status["config"]["errors"][0]
    assert "the jobs file on disk is rejected" in status["summary"]
    assert api.get(daemon, "/config")["in_force"]["pools_list"]["Regular"]["worker_count"] == 0
    daemon.reload(good)
    api.wait_for_status(daemon, lambda status: problems(status) == [f"no pool takes jobs yet: set worker_count in {daemon.config_path}"],
                        "the file is good")


def test_the_configuration_in_force_hides_passwords(rig):
    endpoint = rig.endpoint(reverse)
    _, daemon = start(rig, endpoint.uri(user="shop:s3cret@"))
    settings = api.get(daemon, "/config")["in_force"]["pools_list"]["Regular"]
    assert settings["job_processing_uri"] == endpoint.uri(user="***@")
    assert settings["request_format"] == "json" and settings["endpoint_connect_timeout"] == 5
    assert api.pool(daemon, "Regular")["settings"] == settings
    for page in ("/", "/api/v1/config", "/api/v1/status", "/api/v1/pools/Regular"):
        assert "s3cret" not in daemon.get(page)[1]


def test_a_drain_is_shown(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        daemon.send(signal.SIGTERM)
        status = api.wait_for_status(daemon, lambda status: status["daemon"]["state"] == "draining", "it drains")
        assert status["summary"] == "shutting down: no more jobs are taken, 1 job still runs."
        assert one_pool(status)["state"] == "draining"
        assert status["servers"][0]["state"] == "draining"
        assert "Regular  1, draining " in run_binary("status", str(daemon.port)).stdout
        gate.open()
        client.result(handle)
    assert daemon.wait() == 0


def test_names_of_any_kind(rig):
    name = "a/b ü%?&"
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {name: pool(rig.endpoint(reverse).uri(), ["f g"])}))
    assert api.pool(daemon, name)["name"] == name
    assert api.pool(daemon, name)["functions"][0]["name"] == "f g"


# --- queues


def queue_series(daemon):
    return {(labels["server"], labels["function"], labels["state"]): value
            for name, labels, value in daemon.samples() if name == "driveshaft_queue_jobs"}


def test_queue_depth_is_of_the_functions_of_the_jobs_file_alone(rig):
    server = rig.gearmand()
    uri = rig.endpoint(hang).uri()
    config = jobs_file([server], {"Regular": pool(uri, ["f"], 2), "Off": pool(uri, ["g"], 0)})
    with Client(server) as client:
        client.submit_many("f", ["x"] * 5, background=True)
        client.submit_many("g", ["x"] * 3, background=True)
        client.submit_many("foreign", ["x"] * 7, background=True)
    daemon = rig.driveshaft(config, loop_timeout=1)
    daemon.expect_failed_jobs()
    address = server.address
    wait_until(lambda: queue_series(daemon) == {
        (address, "f", "queued"): 3, (address, "f", "running"): 2,
        (address, "g", "queued"): 3, (address, "g", "running"): 0}, "the queue's series")
    queue = api.wait_for_status(daemon, lambda status: status["servers"][0]["queue"], "it is known")["servers"][0]["queue"]
    assert (queue["queued"], queue["running"], queue["other_workers"]) == (13, 2, 0)
    del config["pools_list"]["Off"]
    daemon.reload(config)
    wait_until(lambda: {function for _, function, _ in queue_series(daemon)} == {"f"}, "g's series go")
    server.kill()
    wait_until(lambda: not queue_series(daemon), "the server's series go")
    assert daemon.metric("driveshaft_queue_up", server=address) == 0
    daemon.stop(timeout=20)


def test_workers_of_others_are_counted(rig):
    server, daemon = start(rig, rig.endpoint(reverse).uri())
    rig.driveshaft(jobs_file([server], {"Other": pool(rig.endpoint(reverse).uri(), ["f"])}), name="other")
    api.wait_for_status(daemon, lambda status: (status["servers"][0]["queue"] or {}).get("other_workers") == 1,
                        "one other worker")
    assert daemon.metric("driveshaft_queue_workers", function="f") == 2


class Endless(SocketServer):
    """A server whose answer in the text protocol never ends."""
    sent = 0

    def serve(self, sock, number):
        sock.recv(100)
        while True:
            self.sent += sock.send(b"x" * 65536)


def test_a_server_that_answers_without_end_costs_neither_memory_nor_jobs(rig):
    good = rig.gearmand()
    endless = rig.start(Endless())
    daemon = rig.driveshaft(jobs_file([good, endless.address], {"Regular": pool(rig.endpoint(reverse).uri(), ["f"])}))
    wait_until(lambda: endless.sent > 64 * 1024 * 1024, "it is given up")
    wait_until(lambda: run(good, "f", "ab").data == b"ba", "jobs run")
    if not sanitized():
        assert daemon.memory("VmHWM") < 150 * 1024 * 1024


# --- events


class Listener:
    def __init__(self, daemon):
        self.sock = socket.create_connection(("127.0.0.1", daemon.port), 20)
        self.sock.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.stream = self.sock.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.stream.readline()

    def status(self):
        for line in self.stream:
            if line.startswith(b"data: "):
                value = json.loads(line[6:])
                api.check("/status", 200, value)
                return value
        raise EOFError

    def close(self):
        self.stream.close()
        self.sock.close()


def test_events_follow_the_daemon(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server, daemon = start(rig, endpoint.uri())
    listener = Listener(daemon)
    assert one_pool(listener.status())["busy"] == 0
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        wait_until(lambda: one_pool(listener.status())["busy"] == 1, "an event says so")
        gate.open()
        client.result(handle)
    wait_until(lambda: one_pool(listener.status())["total"]["completed"] == 1, "an event says so")
    daemon.stop()
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            listener.status()
    listener.close()


def test_listeners_in_plenty_leave_room_for_scrapes(rig):
    _, daemon = start(rig, rig.endpoint(reverse).uri())
    listeners = [Listener(daemon) for _ in range(140)]
    answers = [listener.head.split()[1] for listener in listeners]
    assert answers == [b"200"] * 128 + [b"503"] * 12
    assert daemon.get("/metrics")[0] == 200
    assert listeners[0].status() and listeners[127].status()
    for listener in listeners:
        listener.close()
    wait_until(lambda: Listener(daemon).head.split()[1] == b"200", "room for another")
