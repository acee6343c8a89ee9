# SPDX-License-Identifier: MIT
"""The control socket: the actions that operators can request, and who may request them."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import api
from behaviours import Gate, reverse
from clients import Client, FAILED, complete, run, status
from driveshaft import binary, control, jobs_file, pool, run_binary
from processes import let_pass, wait_until


@pytest.fixture
def path(rig):
    return rig.directory / "control.sock"


def start(rig, path, behave=reverse, functions=("f",), worker_count=4, until="/readyz", **settings):
    server = rig.gearmand()
    config = jobs_file([server], {"Web": pool(rig.endpoint(behave).uri(), list(functions), worker_count, **settings)})
    return server, rig.driveshaft(config, until=until, control_socket=path)


def shown_pool(daemon):
    return api.get(daemon, "/pools/Web")


def wait_for_running(daemon, count):
    wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == count, f"{count} jobs run")


def takes_no_jobs(server, function="f"):
    return status(server, function).workers == 0


def test_a_pool_is_paused_and_resumed(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate)
    with Client(server) as client:
        running = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        assert control(path, "pause", "Web", "--reason", "migration") == (
            "pool Web is paused (migration): no more jobs are taken, running ones finish")
        line = daemon.wait_for_line("^control, uid [0-9]+, pid [0-9]+: pool Web is paused", level="INFO")
        assert f"uid {os.getuid()}, " in line
        assert daemon.metric("driveshaft_pool_paused", pool="Web") == 1
        later = client.submit("f", "cd")
        gate.open()
        assert client.result(running) == complete("ba")
        wait_until(lambda: takes_no_jobs(server), "nobody takes its jobs")
        shown = api.wait_for_status(daemon, lambda shown: "Web is paused" in shown["summary"], "it is said")
        assert shown["problems"][0]["level"] == "warning" and "(migration)" in shown["summary"]
        assert shown["pools"][0]["state"] == "paused" and shown["pools"][0]["paused"]["reason"] == "migration"
        assert "paused" in run_binary("status", str(daemon.port)).stdout
        config = json.loads(daemon.config_path.read_text())
        config["pools_list"]["Web"]["worker_count"] = 5
        daemon.reload(config)
        let_pass(0.3)
        assert takes_no_jobs(server) and status(server, "f").total == 1, "a pause outlives a reload"
        assert control(path, "resume", "Web") == "pool Web takes jobs again"
        assert daemon.metric("driveshaft_pool_paused", pool="Web") == 0
        assert client.result(later) == complete("dc")
    assert "it is not paused" in control(path, "resume", "Web", expect=10)
    assert shown_pool(daemon)["paused"] is None
    daemon.expect_errors("control, .*: not done")


def test_a_function_is_paused_alone_and_for_a_time(rig, path):
    server, daemon = start(rig, path, functions=("f", "g"))
    assert "pool Web, function f is paused for 1 s" in control(path, "pause", "Web/f", "--for", "1s")
    with Client(server) as client:
        wait_until(lambda: takes_no_jobs(server), "nobody takes its jobs")
        waiting = client.submit("f", "ab")
        assert client.run("g", "cd") == complete("dc"), "the other runs on"
        functions = {one["name"]: one for one in shown_pool(daemon)["functions"]}
        assert functions["f"]["paused"]["until"] and functions["g"]["paused"] is None
        assert client.result(waiting) == complete("ba"), "it goes on by itself"
    daemon.wait_for_line("pool Web, function f: its pause is over", level="INFO")
    assert daemon.metric("driveshaft_function_paused", pool="Web", function="f") == 0


def test_a_pool_that_the_jobs_file_pauses(rig, path):
    server, daemon = start(rig, path, until="/healthz", paused=True)
    shown = api.wait_for_status(daemon, lambda shown: "Web is paused in the jobs file" in shown["summary"], "it is said")
    assert shown["pools"][0]["paused"] == {"since": None, "until": None, "reason": "paused in the jobs file"}
    assert daemon.metric("driveshaft_pool_paused", pool="Web") == 1
    assert "paused in the jobs file" in control(path, "resume", "Web", expect=10)
    config = json.loads(daemon.config_path.read_text())
    with Client(server) as client:
        job = client.submit("f", "ab")
        let_pass(0.3)
        assert status(server, "f").running == 0
        config["pools_list"]["Web"]["paused"] = False
        daemon.reload(config)
        assert client.result(job) == complete("ba")
    daemon.expect_errors("control, .*: not done")


ALL_PAUSED = (200, "all pools are paused: no more jobs are taken, running ones finish\n")


@pytest.mark.parametrize("what", ["pool", "functions"])
def test_a_daemon_whose_pools_are_all_paused_is_ready_and_says_so(rig, path, what):
    server, daemon = start(rig, path, functions=("f", "g"))
    places = {"pool": ["Web"], "functions": ["Web/f", "Web/g"]}[what]
    for place in places:
        # A connection that serves fewer functions is a new one, which takes a moment.
        wait_until(lambda: daemon.get("/readyz")[:2] == (200, "1 connection to gearmand\n"), "it takes jobs")
        control(path, "pause", place)
    wait_until(lambda: takes_no_jobs(server) and takes_no_jobs(server, "g"), "nobody takes its jobs")
    assert daemon.get("/readyz")[:2] == ALL_PAUSED
    control(path, "resume", places[0])
    wait_until(lambda: daemon.get("/readyz")[:2] == (200, "1 connection to gearmand\n"), "it takes jobs again")


def test_a_daemon_is_ready_whose_jobs_file_lets_no_pool_take_jobs(rig, path):
    server, daemon = start(rig, path, paused=True)
    assert daemon.get("/readyz")[:2] == ALL_PAUSED
    config = json.loads(daemon.config_path.read_text())
    config["pools_list"]["Web"]["worker_count"] = 0
    daemon.reload(config)
    assert daemon.get("/readyz")[:2] == (200, "no pool takes jobs yet: worker_count is 0 in every pool\n")
    config["pools_list"]["Web"].update(worker_count=1, paused=False)
    daemon.reload(config)
    wait_until(lambda: daemon.get("/readyz")[:2] == (200, "1 connection to gearmand\n"), "it takes jobs")


def test_pausing_under_load_loses_and_repeats_nothing(rig, path):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    config = jobs_file([server], {"Web": pool(endpoint.uri(), ["reverse", "g"], 8)})
    daemon = rig.driveshaft(config, control_socket=path)
    with Client(server) as client:
        jobs = client.submit_many("reverse", [f"{number:04}" for number in range(2000)])
        for _ in range(5):
            control(path, "pause", "Web")
            control(path, "resume", "Web")
            control(path, "pause", "Web/reverse")
            control(path, "resume", "Web/reverse")
        assert [client.result(job) for job in jobs] == [complete(f"{number:04}"[::-1]) for number in range(2000)]
    assert len(endpoint.requests) == 2000
    assert daemon.metric("driveshaft_errors") == 0


def test_running_jobs_are_cancelled(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate, retry={"attempts": 5})
    daemon.expect_failed_jobs()
    daemon.expect_errors("control, .*: not done")
    with Client(server) as client:
        first, second, third = client.submit_many("f", ["1", "2", "3"])
        wait_for_running(daemon, 3)
        assert control(path, "cancel", first.decode()) == "1 job was cancelled"
        assert client.result(first) == FAILED
        failure, = api.get(daemon, "/failures")["failures"]
        assert failure["kind"] == "cancelled" and "cancelled by an operator (uid" in failure["reason"]
        assert control(path, "cancel", first.decode(), expect=10).endswith(f"no job runs with the handle {first.decode()}")
        assert "no job of the function f has run for so long" in control(path, "cancel", "--function", "f", "--older-than", "1h",
                                                                          expect=10)
        wait_until(lambda: "2 jobs were cancelled" in run_binary("cancel", "--function", "f", "--older-than", "1s",
                                                                 "--control_socket", path).stdout, "they are old enough")
        assert client.result(second) == client.result(third) == FAILED
        gate.open()
    assert daemon.metric("driveshaft_retries_total") == 0


def test_a_cancelled_job_has_failed_and_becomes_a_dead_letter_and_one_that_is_given_back_does_not(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate, dead_letter_function="letters")
    daemon.expect_failed_jobs()
    with Client(server) as client:
        cancelled = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        assert control(path, "cancel", cancelled.decode()) == "1 job was cancelled"
        assert client.result(cancelled) == FAILED
        assert daemon.metric("driveshaft_errors") == 1 == status(server, "letters").total
        back = client.submit("f", "cd")
        wait_for_running(daemon, 1)
        assert control(path, "cancel", back.decode(), "--requeue").startswith("1 job was given back")
        gate.open()
        assert client.result(back) == complete("dc")
    assert daemon.metric("driveshaft_errors") == 1 == status(server, "letters").total


def test_a_job_is_given_to_another_worker(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate)
    daemon.expect_errors("connection lost")
    with Client(server) as client:
        job = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        other = rig.endpoint(reverse)
        rig.driveshaft(jobs_file([server], {"Other": pool(other.uri(), ["f"])}), name="other")
        assert control(path, "pause", "Web")
        assert control(path, "cancel", job.decode(), "--requeue").startswith("1 job was given back")
        assert client.result(job) == complete("ba")
        assert len(other.requests) == 1
        gate.open()


def test_a_job_that_is_given_back_runs_again_while_its_pool_goes_on(rig, path):
    """gearmand requeues the job when its connection closes. Another connection replaces that one."""
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate)
    daemon.expect_errors("control, .*: not done")
    with Client(server) as client:
        job = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        assert control(path, "cancel", job.decode(), "H:none:1", "--requeue", expect=10).endswith(
            "no job runs with the handle H:none:1")
        gate.open()
        assert client.result(job) == complete("ba")
        assert client.run("f", "cd") == complete("dc")


def test_a_pool_whose_name_has_a_slash_is_paused_by_it(rig, path):
    server = rig.gearmand()
    endpoint = rig.endpoint(reverse)
    rig.driveshaft(jobs_file([server], {"A/B": pool(endpoint.uri(), ["f", "g/h"])}), control_socket=path)
    assert control(path, "pause", "A/B").startswith("pool A/B is paused")
    assert control(path, "resume", "A/B") == "pool A/B takes jobs again"
    assert "function g/h" in control(path, "pause", "A/B/g/h")


def test_a_pause_in_the_jobs_file_outlives_that_of_the_command(rig, path):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Web": {**pool(rig.endpoint(reverse).uri(), ["f"]), "paused": True}}),
                            until="/healthz", control_socket=path)
    daemon.expect_errors("control, .*: not done")
    assert control(path, "pause", "Web")
    assert "the pause of the command is over, but it is paused in the jobs file" in control(path, "resume", "Web", expect=10)


def test_a_second_drain_ends_no_job(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate)
    daemon.expect_errors("control, .*: not done")
    with Client(server) as client:
        job = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        assert "no more jobs are taken" in control(path, "drain")
        assert "drains already" in control(path, "drain", expect=10)
        gate.open()
        assert client.result(job) == complete("ba")


def test_reload_says_what_is_wrong_with_the_file(rig, path):
    server, daemon = start(rig, path)
    daemon.expect_errors("is rejected", "control, .*: not done")
    assert control(path, "reload") == "the jobs file was read, and is in force; no setting has changed since it was last read"
    daemon.config_path.write_text("{")
    assert "the jobs file is rejected, the one in force stays: not valid JSON" in control(path, "reload", expect=10)
    daemon.config_path.write_text("{}")
    assert re.search(r"missing.* \(line 1\) \(and 1 more error\)$", control(path, "reload", expect=10))
    assert run(server, "f", "ab") == complete("ba")


def test_reload_names_a_key_that_is_ignored(rig, path):
    server, daemon = start(rig, path)
    config = json.loads(daemon.config_path.read_text())
    config["pools_list"]["Web"]["retries"] = 3
    daemon.expect_errors("unknown key")
    daemon.config_path.write_text(json.dumps(config))
    warning = r'pools_list\.Web\.retries: unknown key, ignored; did you mean "retry"\? \(line 1\)'
    line = f"the jobs file was read, and is in force; no setting has changed since it was last read; warning: {warning}"
    assert re.fullmatch(line, control(path, "reload"))
    daemon.wait_for_line(f"^control, .*: {line}", level="INFO")


def test_drain_ends_the_daemon(rig, path):
    gate = Gate(reverse)
    server, daemon = start(rig, path, gate)
    with Client(server) as client:
        job = client.submit("f", "ab")
        wait_for_running(daemon, 1)
        assert "no more jobs are taken" in control(path, "drain")
        gate.open()
        assert client.result(job) == complete("ba")
    assert daemon.wait(10) == 0
    assert not path.exists()
    done = run_binary("pause", "Web", "--control_socket", path)
    assert done.returncode == 9 and "is a driveshaft running" in done.stderr


def test_the_level_of_the_log_changes_for_a_time(rig, path):
    server, daemon = start(rig, path)
    assert "the logger Thread has the level warn for 1 s" in control(path, "log-level", "Thread", "warn", "--for", "1s")
    run(server, "f", "silent")
    daemon.wait_for_line("the logger Thread has the level of the configuration again", level="INFO")
    run(server, "f", "loud")
    daemon.wait_for_line("^Finished job: .* workload=loud ")
    assert not daemon.lines("workload=silent")


def test_mistakes_are_answered(rig, path):
    _, daemon = start(rig, path)
    daemon.expect_errors("control, .*: not done")
    assert "there is no pool Nobody" in control(path, "pause", "Nobody", expect=10)
    assert "has no function h" in control(path, "pause", "Web/h", expect=10)
    assert 'no pool Wbe in the jobs file; did you mean "Web"?' in control(path, "pause", "Wbe", expect=10)
    assert "one of the levels debug, info, warn, error" in control(path, "log-level", "Main", "loud", expect=2)
    assert "expected handles, or --function" in control(path, "cancel", "--function", "Slow", expect=2)
    assert run_binary("pause").returncode == 2


def ask(path, text):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(text)
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
        return data


def post(action, body):
    body = json.dumps(body).encode()
    return (f"POST /api/v1/control/{action} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body


def test_only_the_socket_acts_and_reads_too(rig, path):
    _, daemon = start(rig, path)
    assert daemon.get("/api/v1/control/drain", method="POST")[0] == 405
    assert b"200 OK" in ask(path, b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"405 Method Not Allowed" in ask(path, b"GET /api/v1/control/drain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"404 Not Found" in ask(path, post("explode", {}))
    said = ask(path, post("pause", {"pool": "Web"})).partition(b"\r\n\r\n")[2]
    assert json.loads(said)["done"].startswith("pool Web is paused")


def test_the_socket_is_for_the_daemons_user_and_group(rig, path):
    _, daemon = start(rig, path)
    assert path.stat().st_mode & 0o7777 == 0o660
    if os.geteuid() == 0:
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary(), "pause", "Web",
                               "--control_socket", path], capture_output=True, text=True)
        assert done.returncode == 9 and "Permission denied" in done.stderr


def test_silent_clients_of_the_socket_hold_nobody_up(rig, path):
    _, daemon = start(rig, path)
    silent = []
    for _ in range(60):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        silent.append(sock)
    assert daemon.get("/healthz")[0] == 200
    assert "is paused" in control(path, "pause", "Web")
    for sock in silent:
        sock.close()


@pytest.mark.slow
@pytest.mark.parametrize("closes, why", [(True, "end of stream"), (False, "no answer in time")])
def test_a_command_says_that_nothing_answers_at_the_socket(path, closes, why):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with subprocess.Popen([binary(), "reload", "--control_socket", path], stderr=subprocess.PIPE, text=True) as command:
            with listener.accept()[0] as sock:
                asked = b""
                while not asked.endswith(b"\r\n\r\n{}"):
                    asked += sock.recv(65536)
                if closes:
                    sock.shutdown(socket.SHUT_RDWR)
                said = command.communicate(timeout=20)[1]
    assert command.returncode == 9
    assert said == f"driveshaft: no answer from {path}: {why}; is a driveshaft running, with that --control_socket?\n"


def test_a_command_says_what_is_wrong_with_the_path_of_the_socket(rig):
    for path, why in [(rig.directory / "absent", "No such file or directory"), ("x" * 200, "File name too long")]:
        said = control(path, "reload", expect=9)
        assert said == f"driveshaft: cannot connect to {path}: {why}; is a driveshaft running, with that --control_socket?"


def test_a_socket_that_was_left_behind_is_replaced_and_a_living_one_is_not(rig, path):
    server, daemon = start(rig, path)
    second = run_binary("--jobsconfig", daemon.config_path, "--exporter_addr", "", "--control_socket", path)
    assert second.returncode == 3 and "another process listens there" in second.stderr
    daemon.kill()
    again = rig.driveshaft(json.loads(daemon.config_path.read_text()), name="again", control_socket=path)
    assert "is paused" in control(path, "pause", "Web")
    again.send(signal.SIGTERM)
    assert again.wait(10) == 0
