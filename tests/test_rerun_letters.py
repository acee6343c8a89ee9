# SPDX-License-Identifier: MIT
"""The action rerun-letters: a daemon runs dead letters again as `driveshaft letters rerun` does, with the same promises."""
import http.client
import json
import random
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import api
from behaviours import Gate, answer, reverse
from clients import Client, complete, status
from driveshaft import jobs_file, pool
from processes import wait_until
from test_access import ACT, act, bearer, token_file
from test_letters import QUEUE, PacketRelay, bury, letter, take, take_all, worker, workloads


@pytest.fixture
def path(rig):
    return rig.directory / "control.sock"


def start(rig, path, servers, uri="http://127.0.0.1:1/", worker_count=0, functions=("f",), until="/healthz", **options):
    """Starts a daemon. Without slots it connects to gearmand only for letters, and jobs that are submitted again wait."""
    settings = jobs_file(servers, {"Web": pool(uri, list(functions), worker_count, dead_letter_function=QUEUE),
                                   "Other": pool(uri, ["other"], 0)})
    return rig.driveshaft(settings, until=until, control_socket=path, admin_token_file=token_file(rig, ACT, "admin_token"), **options)


def rerun(path, pool="Web", **more):
    """Requests the action. Returns the status and the sentence of the answer, or (0, "") if there is no answer."""
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    try:
        connection.sock.connect(str(path))
        connection.request("POST", "/api/v1/control/rerun-letters", json.dumps({"pool": pool, **more}))
        got = connection.getresponse()
        said = json.loads(got.read())
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
    assert set(said) == ({"done"} if got.status == 200 else {"error"})
    return got.status, next(iter(said.values()))


def done_of(text):
    return int(re.match(r"(\d+) dead letters? of failed_jobs (is|are) run again", text)[1])


def counted(daemon, outcome):
    return daemon.metric("driveshaft_control_actions_total", action="rerun-letters", outcome=outcome)


def letters_are_back(server):
    wait_until(lambda: status(server, QUEUE).running == 0, "gearmand has the letters back")


def slow(rig, path, count=200, delay=0.005):
    """Starts a daemon that needs some time for `count` letters, because each packet is delayed."""
    server = rig.gearmand()
    relay = rig.start(PacketRelay(server))
    relay.delay = delay
    bury(server, *(letter(str(number), f"u{number}") for number in range(count)))
    return server, start(rig, path, [relay])


def some_have_run(server):
    wait_until(lambda: status(server, "f").total >= 3, "some jobs run again")


def test_letters_are_run_again_once_each_under_load(rig, path):
    seen = []
    endpoint = rig.endpoint(lambda request, sock: (seen.append(json.loads(request.body)), reverse(request, sock))[1])
    server = rig.gearmand()
    daemon = start(rig, path, [server], endpoint.uri(), worker_count=8, until="/readyz")
    everything = [f"letter-{number}" for number in range(400)]
    bury(server, *(letter(one, "" if number % 5 == 0 else f"u{number}") for number, one in enumerate(everything)))
    wait_until(lambda: api.pool(daemon, "Web")["dead_letters"] == {
        "function": QUEUE, "queued": 400, "queued_known": {"jobs": 400, "servers": 1, "of": 1}}, "they are counted")
    assert api.pool(daemon, "Other")["dead_letters"] is None
    assert QUEUE not in str(api.get(daemon, "/servers")), "nobody is to serve it"
    with Client(server) as client, ThreadPoolExecutor(1) as pool_of_one:
        jobs = client.submit_many("f", [f"{number:04}" for number in range(3000)])
        asked = pool_of_one.submit(rerun, path)
        assert [client.result(job) for job in jobs] == [complete(f"{number:04}"[::-1]) for number in range(3000)]
        assert asked.result() == (200, "400 dead letters of failed_jobs are run again")
    wait_until(lambda: status(server, "f").total == 0, "they have run")
    assert sorted(one["workload"] for one in seen if one["workload"].startswith("letter")) == sorted(everything)
    assert status(server, QUEUE) == (0, 0, 0)
    daemon.wait_for_line(r"^control, uid \d+, pid \d+: 400 dead letters of failed_jobs are run again$", level="INFO")
    assert len(daemon.lines("^control")) == 1
    assert counted(daemon, "done") == 1
    wait_until(lambda: api.pool(daemon, "Web")["dead_letters"]["queued"] == 0, "none waits any more")


def test_which_letters_are_meant(rig, path):
    server = rig.gearmand()
    daemon = start(rig, path, [server])
    daemon.expect_errors("control, .*: not done")
    assert rerun(path) == (404, "no dead letter of failed_jobs waits")
    bury(server, letter("1"), letter("2"), letter("3", function="g", pool="Gone"), "no letter", letter("4", "u"), letter("5", "u"))
    assert rerun(path, "Nope") == (404, "there is no pool Nope in the jobs file")
    assert rerun(path, "Other") == (409, "pool Other has no dead_letter_function")
    assert rerun(path, function="h") == (409, "0 dead letters of failed_jobs are run again, 6 are left")
    assert rerun(path, function="g") == (200, "1 dead letter of failed_jobs is run again, 5 are left")
    assert rerun(path, limit=1) == (200, "1 dead letter of failed_jobs is run again, at least 4 are left")
    got, said = rerun(path)
    assert got == 200 and said.startswith("2 dead letters of failed_jobs are run again, 2 are left; the first of those that have to stay: ")
    got, said = rerun(path)
    assert got == 409 and said.startswith("0 dead letters of failed_jobs are run again, 2 are left; ")
    assert status(server, QUEUE) == (2, 0, 0) and status(server, "g").total == 1
    ran = [workload.decode() for _, workload in take_all(server)]
    assert len(ran) == 3 and {"1", "2"} < set(ran) < {"1", "2", "4", "5"}
    assert counted(daemon, "done") == 3 and counted(daemon, "refused") == 5


def test_it_wants_the_token(rig, path):
    server = rig.gearmand()
    daemon = start(rig, path, [server])
    bury(server, letter("1"))
    for headers in ({}, bearer("a-token-that-is-wrong")):
        assert act(daemon, "rerun-letters", headers, {"pool": "Web"})[0] == 401
    assert act(daemon, "rerun-letters", {**bearer(ACT), "Origin": "http://evil.example"}, {"pool": "Web"})[0] == 403
    assert daemon.get("/api/v1/control/rerun-letters", headers=bearer(ACT))[0] == 405
    assert status(server, QUEUE) == (1, 0, 0)
    assert act(daemon, "rerun-letters", bearer(ACT), {"pool": "Web"})[:2] == (200, "1 dead letter of failed_jobs is run again")
    daemon.wait_for_line("^control, token, 127.0.0.1: 1 dead letter of failed_jobs is run again$", level="INFO")


def test_jobs_that_fail_become_letters_again(rig, path):
    server = rig.gearmand()
    daemon = start(rig, path, [server], rig.endpoint(answer(b"oops", status="500 Internal Server Error")).uri(), 4, until="/readyz")
    daemon.expect_failed_jobs()
    bury(server, *(letter(str(number), f"u{number}") for number in range(100)))
    assert rerun(path) == (200, "100 dead letters of failed_jobs are run again")
    wait_until(lambda: status(server, QUEUE) == (100, 0, 0), "they are letters again")
    assert workloads(server) == sorted(map(str, range(100)))


def test_one_run_at_a_time(rig, path):
    server, daemon = slow(rig, path)
    daemon.expect_errors("control, .*: not done")
    with ThreadPoolExecutor(1) as pool_of_one:
        asked = pool_of_one.submit(rerun, path)
        some_have_run(server)
        began = time.monotonic()
        got, said = rerun(path)
        assert got == 409 and "already" in said and time.monotonic() - began < 5
        assert daemon.get("/healthz")[0] == daemon.get("/api/v1/status")[0] == 200, "nobody waits for it"
        assert asked.result() == (200, "200 dead letters of failed_jobs are run again")
    assert rerun(path)[0] == 404, "and the next one is taken"


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--job-retries", "3"]], ids=["no limit", "three attempts"])
def test_killed_at_any_moment_it_loses_no_letter(rig, path, options):
    """After each of many kills, each job was submitted, or its letter still exists."""
    server, count = rig.gearmand(options=options), 300
    everything, ran, left = set(), set(), set()
    half_way = 0
    for rounds in range(60):
        new = [f"{rounds}-{number}" for number in range(count - len(left))]
        bury(server, *(letter(one, "" if number % 5 == 0 else f"u-{one}") for number, one in enumerate(new)))
        everything |= set(new)
        daemon = start(rig, path, [server], name=f"driveshaft-{rounds}")
        asked = threading.Thread(target=rerun, args=[path])
        asked.start()
        wait_until(lambda: status(server, "f").total > 0, "it has begun", at_first=0.001)
        time.sleep(random.uniform(0, 0.02))
        daemon.kill()
        asked.join()
        path.unlink()
        letters_are_back(server)
        ran |= {workload.decode() for _, workload in take_all(server)}
        left = set(workloads(server))
        assert ran | left == everything, everything - ran - left
        half_way += 0 < len(left) < count
        if half_way >= 6:
            return
    pytest.fail(f"of {rounds + 1} kills only {half_way} came half way")


def test_a_drain_ends_it_after_the_letter_in_hand(rig, path):
    server, daemon = slow(rig, path)
    with ThreadPoolExecutor(1) as pool_of_one:
        asked = pool_of_one.submit(rerun, path)
        some_have_run(server)
        daemon.send(15)
        got, said = asked.result()
    assert daemon.wait() == 0
    assert got == 200 and "at least" in said and "takes no more jobs" in said
    letters_are_back(server)
    done = done_of(said)
    assert 3 <= done < 200 and status(server, "f").total == done and status(server, QUEUE).total == 200 - done


def test_during_a_drain_none_is_begun(rig, path):
    gate, server = Gate(reverse), rig.gearmand()
    daemon = start(rig, path, [server], rig.endpoint(gate).uri(), 4, until="/readyz")
    daemon.expect_errors("control, .*: not done")
    bury(server, letter("1"))
    with Client(server) as client:
        job = client.submit("f", "ab")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(15)
        daemon.wait_for_line("no more jobs are taken")
        assert rerun(path) == (409, "the daemon is shutting down")
        gate.open()
        assert client.result(job) == complete("ba")
    assert daemon.wait() == 0 and status(server, QUEUE) == (1, 0, 0)


def test_a_gearmand_that_is_silent_does_not_hold_up_the_end(rig, path):
    server, daemon = slow(rig, path, count=3, delay=30)
    with ThreadPoolExecutor(1) as pool_of_one:
        asked = pool_of_one.submit(rerun, path)
        wait_until(lambda: status(server, QUEUE).workers == 1, "it has begun")
        began = time.monotonic()
        daemon.send(15)
        daemon.expect_errors("control, .*: not done")
        got, said = asked.result()
    assert daemon.wait() == 0
    assert 0.9 <= time.monotonic() - began < 4
    assert got == 409 and "connection lost: given up" in said
    assert status(server, QUEUE).total + status(server, "f").total >= 3


def test_an_upgrade_ends_it_and_the_next_process_goes_on(rig, path):
    server, daemon = slow(rig, path)
    with ThreadPoolExecutor(1) as pool_of_one:
        asked = pool_of_one.submit(rerun, path)
        some_have_run(server)
        old = daemon.upgrade(path)
        got, said = asked.result()
    assert got == 200 and "takes no more jobs" in said
    old.wait()
    letters_are_back(server)
    first = done_of(said)
    got, said = rerun(path)
    assert (got, said) == (200, f"{200 - first} dead letters of failed_jobs are run again")
    ran = [workload.decode() for _, workload in take_all(server)]
    assert sorted(ran) == sorted(map(str, range(200))), "each once"


def test_a_gearmand_that_is_away(rig, path):
    away, server = rig.gearmand("away"), rig.gearmand()
    daemon = start(rig, path, [away, server])
    daemon.expect_errors("control, .*: not done")
    away.stop()
    bury(server, letter("1"))
    why = f"gearmand {away.address}: cannot connect: Connection refused"
    assert rerun(path) == (200, f"1 dead letter of failed_jobs is run again; {why}")
    assert rerun(path) == (409, f"0 dead letters of failed_jobs are run again; {why}")


@pytest.mark.slow
def test_a_run_is_bounded_in_time(rig, path):
    server, daemon = slow(rig, path, delay=0.1)
    began = time.monotonic()
    got, said = rerun(path)
    assert got == 200 and "it has ended after 20 s" in said and 20 <= time.monotonic() - began < 25
    letters_are_back(server)
    assert status(server, "f").total == done_of(said) == 200 - status(server, QUEUE).total


def test_letters_that_another_worker_has_stay_there(rig, path):
    server = rig.gearmand()
    daemon = start(rig, path, [server])
    daemon.expect_errors("control, .*: not done")
    bury(server, letter("1"))
    with worker(server, QUEUE) as sock:
        take(sock, complete=False)
        assert rerun(path) == (409, "0 dead letters of failed_jobs are run again; 1 dead letter of failed_jobs is with another worker now")
