# SPDX-License-Identifier: MIT
"""Upgrades in place: a new process takes over, the old one finishes its jobs, and no client is disturbed."""
import contextlib
import functools
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

import api
import driveshaft
from behaviours import Gate, reverse
from clients import Client, complete, run, status
from driveshaft import TAKEN_OVER, binary, jobs_file, pool, sanitized
from load import Load
from processes import free_port, let_pass, wait_for_end, wait_until
from service_manager import ServiceManager
from user_systemd import UserSystemd


@pytest.fixture
def path(rig):
    return rig.directory / "control.sock"


@pytest.fixture
def program(rig):
    """A copy of the program, for tests that replace it."""
    copy = rig.directory / "program"
    shutil.copy2(binary(), copy)
    return copy


def start(rig, path, behave=reverse, functions=("reverse",), worker_count=4, **options):
    endpoint, server = rig.endpoint(behave), rig.gearmand()
    config = jobs_file([server], {"Web": pool(endpoint.uri(), list(functions), worker_count)})
    return endpoint, server, rig.driveshaft(config, control_socket=path, **options)


# An upgrade may take 30 s.
control = functools.partial(driveshaft.control, timeout=60)


def upgrade_by_signal(daemon):
    before = len(daemon.lines("has taken over; this one"))
    daemon.send(signal.SIGUSR2)
    wait_until(lambda: len(daemon.lines("has taken over; this one")) > before, "another process takes over")
    return daemon.follow(int(TAKEN_OVER.search(daemon.lines("has taken over; this one")[-1])[1]))


def pid_shown(daemon):
    return api.get(daemon, "/status")["daemon"]["pid"]


class Scraper:
    """Requests pages repeatedly, each on a new connection, from a thread. `failed` has all answers that were not good."""

    def __init__(self, daemon, *pages):
        self.port, self.pages = daemon.port, pages
        self.good, self.failed = 0, []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(60)

    def _run(self):
        while not self._stopping.is_set():
            for page in self.pages:
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                    connection.request("GET", page)
                    answer = connection.getresponse()
                    assert answer.status == 200 and len(answer.read()) == int(answer.headers["Content-Length"])
                    self.good += 1
                except Exception as error:
                    self.failed.append((page, repr(error)))
                finally:
                    connection.close()


@pytest.mark.slow
def test_fifty_upgrades_under_load_lose_and_repeat_no_job_and_fail_no_scrape(rig, path):
    pid_file = rig.directory / "d.pid"
    endpoint, server, daemon = start(rig, path, pid_file=pid_file)
    descriptors = set()
    upgrades = 10 if sanitized() else 50
    with Load(server) as load, Scraper(daemon, "/metrics", "/healthz") as scraper:
        for turn in range(upgrades):
            then = load.right
            wait_until(lambda: load.right > then + 40, "jobs run")
            old = daemon.upgrade(path) if turn % 2 else upgrade_by_signal(daemon)
            assert pid_file.read_text() == f"{daemon.pid}\n"
            assert pid_shown(daemon) == daemon.pid
            assert "the jobs file was read, and is in force" in control(path, "reload")
            assert wait_for_end(old) == 0
            descriptors.add(len(os.listdir(f"/proc/{daemon.pid}/fd")))
        right = load.stop()
    handles = [json.loads(request.body)["job_handle"] for request in endpoint.requests]
    assert len(handles) == len(set(handles)) == right > upgrades * 40
    assert not scraper.failed and scraper.good > upgrades
    assert max(descriptors) - min(descriptors) < 12, "nothing is inherited besides"
    assert len(daemon.lines("all jobs are done; the daemon ends")) == upgrades
    assert pid_file.exists() and path.exists()
    assert daemon.stop() == 0
    assert not pid_file.exists() and not path.exists()


def test_the_old_process_finishes_its_jobs_however_long_they_take(rig, path):
    """The jobs take longer than a drain would wait, which is 2 s with --loop_timeout 1."""
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, worker_count=2, loop_timeout=1)
    with Client(server) as client:
        first = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        old = daemon.upgrade(path)
        daemon.wait_for_line(f"process {daemon.pid}, .* has taken over; this one takes no more jobs; 1 running job finishes here")
        second = client.submit("reverse", "cd")
        wait_until(lambda: endpoint.running == 2, "the new one takes jobs")
        assert daemon.metric("driveshaft_threads", status="busy") == 1, "its own"
        let_pass(3)
        assert old.poll() is None
        gate.open()
        assert client.result(first) == complete("ba") and client.result(second) == complete("dc")
    assert wait_for_end(old) == 0
    daemon.wait_for_line("all jobs are done; the daemon ends")
    assert run(server, "reverse", "ef") == complete("fe")
    assert len(endpoint.requests) == 3


def test_the_program_is_the_one_that_is_at_its_path_by_then(rig, path, program):
    """The program is replaced as packages do it, or its path is a link that is changed."""
    link = rig.directory / "current"
    link.symlink_to(program)
    _, server, daemon = start(rig, path, program=link)
    fresh = rig.directory / "program.new"
    shutil.copy2(binary(), fresh)
    fresh.replace(program)
    assert wait_for_end(daemon.upgrade(path)) == 0
    assert Path(f"/proc/{daemon.pid}/exe").resolve() == program
    link.unlink()
    link.symlink_to(binary())
    assert wait_for_end(daemon.upgrade(path)) == 0
    assert Path(f"/proc/{daemon.pid}/exe").resolve() == binary()
    assert run(server, "reverse", "ab") == complete("ba")


def script(text):
    def put(program):
        fresh = program.with_suffix(".new")
        fresh.write_text("#!/bin/sh\n" + text)
        fresh.chmod(0o755)
        fresh.replace(program)
    return put


FAILURES = {
    "missing": (Path.unlink, "/program cannot be started: No such file or directory"),
    "not executable": (lambda program: program.chmod(0o644), "/program cannot be started: Permission denied"),
    "no program": (lambda program: (program.unlink(), program.write_text("x"), program.chmod(0o755)),
                   "/program cannot be started: Exec format error"),
    "ends at once": (script("exit 3"), "the new process ended and gave no reason"),
    "says why": (script("echo 'error while loading shared libraries: libfmt.so.9' >&2; exit 127"),
                 "the new process ended; it said last: error while loading shared libraries: libfmt.so.9"),
    "is killed": (script("kill -SEGV $$"), "the new process ended and gave no reason"),
    "knows an option no more": (script(f'exec {binary()} "$@" --turbo'), "--turbo"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_upgrade_that_fails_changes_nothing(rig, path, program, failure):
    pid_file = rig.directory / "d.pid"
    endpoint, server, daemon = start(rig, path, program=program, pid_file=pid_file)
    daemon.expect_errors("^upgrade: failed", "^control, .*: not done")
    break_it, reason = FAILURES[failure]
    with Load(server) as load, Scraper(daemon, "/healthz") as scraper:
        wait_until(lambda: load.right > 20, "jobs run")
        break_it(program)
        said = control(path, "upgrade", expect=10)
        assert "this process goes on" in said and reason in said
        then = load.right
        wait_until(lambda: load.right > then + 50, "jobs run on")
        load.stop()
    assert not scraper.failed
    assert pid_file.read_text() == f"{daemon.pid}\n" and pid_shown(daemon) == daemon.pid
    assert len(daemon.lines("^upgrade: failed", level="ERROR")) == 1
    assert daemon.running() and not daemon.children()
    program.unlink(missing_ok=True)
    shutil.copy2(binary(), program)
    assert wait_for_end(daemon.upgrade(path)) == 0, "the next one goes well"
    assert run(server, "reverse", "ab") == complete("ba")
    daemon.unexpected_lines = lambda: []  # the messages of the script and the program on stderr are no log lines


def test_a_broken_jobs_file_keeps_the_old_process_going(rig, path):
    _, server, daemon = start(rig, path)
    daemon.expect_errors("is rejected", "^upgrade: failed", "not done")
    daemon.write_config('{"gearman_servers_list": []}')
    said = control(path, "upgrade", expect=10)
    assert "this process goes on: the new process ended:" in said and "gearman_servers_list" in said
    assert "cannot be used: gearman_servers_list" in said, said
    assert run(server, "reverse", "ab") == complete("ba")
    assert pid_shown(daemon) == daemon.pid
    daemon.unexpected_lines = lambda: []  # the new process's message on stderr is no log line


@pytest.mark.slow
def test_a_program_that_hangs_is_given_up_and_no_second_one_is_started_meanwhile(rig, path, program):
    _, server, daemon = start(rig, path, program=program)
    daemon.expect_errors("^upgrade: failed", "not done")
    script(f'echo $$ > {rig.directory}/stopped; kill -STOP $$; exec {binary()} "$@"')(program)
    daemon.send(signal.SIGUSR2)
    wait_until((rig.directory / "stopped").exists, "the new process is there")
    assert "an upgrade is under way" in control(path, "upgrade", expect=10)
    daemon.send(signal.SIGUSR2)
    daemon.wait_for_line("^SIGUSR2: not done: an upgrade is under way", level="WARN")
    assert run(server, "reverse", "ab") == complete("ba")
    daemon.wait_for_line("^upgrade: failed, this process goes on: the new process was not ready within 30 s", 60)
    assert run(server, "reverse", "ab") == complete("ba")
    stopped = int((rig.directory / "stopped").read_text())
    assert os.waitpid(stopped, 0) == (stopped, signal.SIGKILL), "it is not left behind"


def test_a_shutdown_ends_an_upgrade_that_is_under_way(rig, path, program):
    _, server, daemon = start(rig, path, program=program)
    daemon.expect_errors("^upgrade: failed")
    script(f'echo $$ > {rig.directory}/stopped; kill -STOP $$')(program)
    daemon.send(signal.SIGUSR2)
    wait_until((rig.directory / "stopped").exists, "the new process is there")
    daemon.send(signal.SIGTERM)
    assert daemon.wait(10) == 0
    daemon.wait_for_line("^upgrade: ended: the daemon is shutting down")
    assert not path.exists()


def test_pauses_are_handed_over(rig, path):
    _, server, daemon = start(rig, path, functions=("reverse", "g"))
    control(path, "pause", "Web/g", "--reason", "migration")
    control(path, "pause", "Web/reverse", "--for", "3s")
    assert wait_for_end(daemon.upgrade(path)) == 0
    functions = {one["name"]: one["paused"] for one in api.pool(daemon, "Web")["functions"]}
    assert functions["g"]["reason"] == "migration" and functions["reverse"]["until"]
    with Client(server) as client:
        job = client.submit("g", "ab")
        assert client.run("reverse", "cd") == complete("dc"), "its time goes on"
        let_pass(0.2)
        assert status(server, "g").running == 0
        assert wait_for_end(daemon.upgrade(path)) == 0
        assert control(path, "resume", "Web/g") == "pool Web, function g takes jobs again"
        assert client.result(job) == complete("ba")


def test_without_a_gearmand_it_works_too(rig, path):
    _, server, daemon = start(rig, path)
    daemon.expect_errors(server.address)
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[0] == 503, "the loss is noticed")
    assert wait_for_end(daemon.upgrade(path)) == 0
    server.start()
    assert run(server, "reverse", "ab") == complete("ba")


def test_with_neither_exporter_nor_control_socket_there_is_the_signal(rig):
    server = rig.gearmand()
    config = jobs_file([server], {"Web": pool(rig.endpoint(reverse).uri(), ["reverse"])})
    daemon = rig.driveshaft(config, until=None, exporter_addr="")
    assert run(server, "reverse", "ab") == complete("ba")
    assert wait_for_end(upgrade_by_signal(daemon)) == 0
    assert run(server, "reverse", "ab") == complete("ba")


# --- shutting down


@contextlib.contextmanager
def two_upgrades_while_a_job_runs(rig, path):
    """Upgrades the daemon twice while a job runs. Returns the daemon, the process before it, and the oldest process, which has
    the job. At the end the job succeeds, and each process ends with exit code 0."""
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, shutdown_timeout=60)
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        oldest = daemon.upgrade(path)
        old = daemon.upgrade(path)
        yield daemon, old, oldest
        gate.open()
        assert client.result(job) == complete("ba")
    assert wait_for_end(oldest) == wait_for_end(old) == daemon.wait(10) == 0


def test_a_shutdown_of_the_new_process_ends_both(rig, path):
    """A service manager kills what is left of a service when its main process ends."""
    with two_upgrades_while_a_job_runs(rig, path) as (daemon, old, oldest):
        daemon.send(signal.SIGTERM)
        wait_until(lambda: len(daemon.lines("shuts down; in this one")) == 2, "both old ones know")
        daemon.wait_for_line("the process before this one has not ended yet")
        assert daemon.running() and old.poll() is None and oldest.poll() is None


def test_a_signal_to_all_processes_of_the_service_is_one_signal(rig, path):
    """`systemctl stop` sends such a signal. It reaches the old process twice: directly and through the new process."""
    with two_upgrades_while_a_job_runs(rig, path) as (daemon, _, _):
        daemon.send_to_all(signal.SIGTERM)
        wait_until(lambda: len(daemon.lines("^SIGTERM: no more jobs are taken")) == 3, "it has reached all")
        wait_until(lambda: len(daemon.lines("shuts down; in this one")) >= 2, "and through the new one")
        let_pass(0.2)
        assert not daemon.lines("during the shutdown")


def test_a_second_signal_ends_what_runs_in_both(rig, path):
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, shutdown_timeout=60)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        first = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        old = daemon.upgrade(path)
        second = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 2, "the other runs")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("in this one 1 running job has 60 s")
        daemon.send(signal.SIGTERM)
        assert client.result(first).kind == client.result(second).kind == "fail"
        assert wait_for_end(old) == 0
    daemon.wait_for_line("the process that has taken over ends its jobs: jobs that still run here end now", level="WARN")
    assert daemon.wait(10) == 0
    assert len(daemon.lines("^Failed job: .*a signal during the shutdown ended it", level="ERROR")) == 2
    gate.open()


def test_signals_to_the_old_process_limit_the_time_of_its_jobs_and_then_end_them(rig, path):
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, shutdown_timeout=60)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        old = daemon.upgrade(path)
        os.kill(old.pid, signal.SIGTERM)
        daemon.wait_for_line("SIGTERM: no more jobs are taken; 1 running job has 60 s to finish")
        os.kill(old.pid, signal.SIGTERM)
        assert client.result(job).kind == "fail"
        assert wait_for_end(old) == 0
        gate.open()
        assert client.run("reverse", "cd") == complete("dc")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for_line("the log files are opened again")


# --- a service manager


def test_a_service_manager_sees_one_service(rig, path):
    manager = rig.start(ServiceManager(rig.directory))
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, env=manager.environment(watchdog=0.4))
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        first = daemon.pid
        old = daemon.upgrade(path)
        fed = len(manager.all("WATCHDOG"))
        wait_until(lambda: len(manager.all("WATCHDOG")) > fed + 3, "the watchdog is fed by the new one")
        gate.open()
        assert client.result(job) == complete("ba")
    assert wait_for_end(old) == 0
    assert manager.all("MAINPID") == [str(daemon.pid)]
    told = [teller for teller, (_, fields) in zip(list(manager.tellers), list(manager.told))]
    change = next(i for i, (_, fields) in enumerate(manager.told) if "MAINPID" in fields)
    assert set(told[:change + 1]) == {first} and set(told[change + 1:]) == {daemon.pid}, "only the main process is heard"
    assert manager.names() == ["READY"], "no STOPPING"
    assert any("READY" in fields for _, fields in manager.told[change:]), "the new one says so itself"
    daemon.stop()
    wait_until(lambda: manager.names() == ["READY", "STOPPING"], "its drain is told as ever")


def test_a_manager_that_reads_late_hears_of_the_new_process_before_the_old_one_ends(rig, path):
    manager = ServiceManager(rig.directory, deaf=True)
    rig.start(manager)
    _, server, daemon = start(rig, path, env=manager.environment(watchdog=0.01))
    daemon.wait_for_line("cannot tell the service manager")  # the manager's queue is full
    old = daemon.upgrade(path)
    daemon.wait_for_line("all jobs are done")
    let_pass(0.3)
    assert old.poll() is None
    manager.reader.start()
    wait_until(lambda: manager.all("MAINPID") == [str(daemon.pid)], "it is told")
    assert wait_for_end(old) == 0


UNIT = Path(__file__).parent.parent / "packaging" / "driveshaft.service"
# The settings that systemd also accepts in the service manager of a user.
TAKEN = ["Type", "NotifyAccess", "ExecReload", "Restart", "RestartSec", "WatchdogSec", "NoNewPrivileges", "RestrictNamespaces",
         "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "RestrictAddressFamilies",
         "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber"]


@pytest.mark.root
@pytest.mark.once
@pytest.mark.slow
def test_systemd_itself_sees_one_service(rig, path):
    """The unit has the settings and restrictions of the package's unit, but a shorter TimeoutStopSec."""
    systemd = UserSystemd(rig.directory)
    rig.start(systemd)
    if systemd.why_not:
        pytest.skip(f"this machine runs no systemd of ours: {systemd.why_not}")
    gate = Gate(reverse)
    endpoint, server, port = rig.endpoint(gate), rig.gearmand(), free_port()
    jobs = rig.directory / "jobs.json"
    jobs.write_text(json.dumps(jobs_file([server], {"Web": pool(endpoint.uri(), ["reverse"])})))
    shipped = [line for line in UNIT.read_text().splitlines() if line.partition("=")[0] in TAKEN]
    assert {line.partition("=")[0] for line in shipped} == set(TAKEN)
    (systemd.units / "driveshaft.service").write_text("\n".join([
        "[Service]", *shipped, "TimeoutStopSec=2",
        f"ExecStart={binary()} --jobsconfig {jobs} --exporter_addr 127.0.0.1:{port} --control_socket {path} "
        "--shutdown_timeout 60", ""]))
    systemd.control("daemon-reload")
    systemd.control("start", "driveshaft")
    oldest = int(systemd.show("driveshaft", "MainPID"))
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        old = int(TAKEN_OVER.search(control(path, "upgrade"))[1])
        wait_until(lambda: int(systemd.show("driveshaft", "MainPID")) == old, "systemd knows of the new process")
        assert systemd.processes("driveshaft") == {oldest, old}
        systemd.control("reload", "driveshaft")
        systemd.control("kill", "--kill-whom=main", "--signal=USR2", "driveshaft")
        wait_until(lambda: int(systemd.show("driveshaft", "MainPID")) not in (oldest, old), "and of the next one")
        assert systemd.processes("driveshaft") >= {oldest, old}
        assert systemd.show("driveshaft", "ActiveState") == "active"
        systemd.control("stop", "--no-block", "driveshaft")
        let_pass(3)
        assert systemd.show("driveshaft", "ActiveState") == "deactivating", "a stop waits for the job of the oldest one"
        gate.open()
        assert client.result(job) == complete("ba")
    wait_until(lambda: systemd.show("driveshaft", "ActiveState") == "inactive", "the stop is over")
    assert systemd.show("driveshaft", "Result") == "success" and systemd.show("driveshaft", "NRestarts") == "0"


# --- the other options

LOGCONFIG = """<?xml version="1.0" encoding="UTF-8" ?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="all" class="{kind}">
    <param name="File" value="{directory}/all.log"/>{more}
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="%d %p %c - %m%n"/></layout>
  </appender>
  <root><level value="info"/><appender-ref ref="all"/></root>
</log4j:configuration>
"""
FILES = {
    "plain": ("org.apache.log4j.FileAppender", '<param name="Append" value="false"/>'),
    "sized": ("org.apache.log4j.RollingFileAppender",
              '<param name="MaxFileSize" value="20KB"/><param name="MaxBackupIndex" value="1000"/>'),
    "dated": ("org.apache.log4j.DailyRollingFileAppender", '<param name="DatePattern" value="\'.\'yyyyMMddHHmmss"/>'),
}


@pytest.mark.parametrize("kind", FILES)
def test_no_line_is_lost_when_two_processes_log_to_the_same_files(rig, path, kind):
    logconfig = rig.directory / "log.xml"
    logconfig.write_text(LOGCONFIG.format(kind=FILES[kind][0], directory=rig.directory, more=FILES[kind][1]))
    _, server, daemon = start(rig, path, logconfig=logconfig, worker_count=8)
    with Load(server) as load:
        for _ in range(5):
            then = load.right
            wait_until(lambda: load.right > then + 150, "jobs run")
            old = daemon.upgrade(path)
            then = load.right
            wait_until(lambda: load.right > then + 50, "jobs run")
            assert wait_for_end(old) == 0
        right = load.stop()
    daemon.stop()
    lines = [line for file in rig.directory.glob("all.log*") for line in file.read_text().splitlines()]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARN) (Main|Thread) - ", line) for line in lines)
    assert sum(" Finished job: " in line for line in lines) == right
    assert sum(" Starting job: " in line for line in lines) == right
    assert sum("driveshaft" in line and " starts, pid " in line for line in lines) == 6


def test_the_old_process_rolls_no_file(rig, path):
    """Otherwise it would rename the new process's file to the name of a rolled file, and the lines of that file would be
    lost."""
    logconfig = rig.directory / "log.xml"
    logconfig.write_text(LOGCONFIG.format(kind=FILES["dated"][0], directory=rig.directory, more=FILES["dated"][1]))
    gate, server = Gate(reverse), rig.gearmand()
    held = rig.endpoint(gate)
    config = jobs_file([server], {"Held": pool(held.uri(), ["held"]), "Web": pool(rig.endpoint(reverse).uri(), ["reverse"])})
    daemon = rig.driveshaft(config, control_socket=path, logconfig=logconfig)
    jobs = 0

    def run_jobs_until_files_are_rolled(count):
        nonlocal jobs
        before = len(list(rig.directory.glob("all.log.*")))
        while len(list(rig.directory.glob("all.log.*"))) < before + count:
            assert run(server, "reverse", "ab") == complete("ba")
            jobs += 1

    with Client(server) as client:
        job = client.submit("held", "ab")
        wait_until(lambda: held.running == 1, "it runs")
        run_jobs_until_files_are_rolled(1)
        old = daemon.upgrade(path)
        run_jobs_until_files_are_rolled(2)
        gate.open()
        assert client.result(job) == complete("ba")
    assert wait_for_end(old) == 0
    daemon.stop()
    lines = [line for file in rig.directory.glob("all.log*") for line in file.read_text().splitlines()]
    assert sum(" Finished job: " in line for line in lines) == jobs + 1


def test_log_files_are_opened_anew_in_both(rig, path):
    logconfig = rig.directory / "log.xml"
    logconfig.write_text(LOGCONFIG.format(kind=FILES["plain"][0], directory=rig.directory, more=""))
    gate = Gate(reverse)
    endpoint, server, daemon = start(rig, path, gate, logconfig=logconfig)
    log = rig.directory / "all.log"
    with Client(server) as client:
        job = client.submit("reverse", "ab")
        wait_until(lambda: endpoint.running == 1, "it runs")
        old = daemon.upgrade(path)
        log.rename(rig.directory / "all.log.1")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: log.exists() and log.read_text().count("the log files are opened again") == 2, "both do")
        gate.open()
        assert client.result(job) == complete("ba")
    assert wait_for_end(old) == 0
    assert "Finished job" in log.read_text() and "Finished job" not in (rig.directory / "all.log.1").read_text()


@pytest.fixture
def roots_directory(roots_directory):
    """The directory also has the program."""
    shutil.copy2(binary(), roots_directory / "program")
    return roots_directory


@contextlib.contextmanager
def daemonized(rig, directory, *options):
    """Starts a daemon in the background, with paths that are relative to its directory. Returns a gearmand, the pid file and
    the control socket."""
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    (directory / "jobs.json").write_text(json.dumps(jobs_file([server], {"Web": pool(endpoint.uri(), ["reverse"])})))
    (directory / "log.xml").write_text(LOGCONFIG.format(kind=FILES["plain"][0], directory=directory, more=""))
    done = subprocess.run(["./program", "--daemonize", "--jobsconfig", "jobs.json", "--pid_file", "d.pid", "--logconfig",
                           "log.xml", "--control_socket", "control.sock", *options],
                          cwd=directory, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    pid_file = directory / "d.pid"
    try:
        yield server, pid_file, directory / "control.sock"
    finally:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: gone(pid), "it ends")


def gone(pid):
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_in_the_background_with_relative_paths(rig, roots_directory):
    with daemonized(rig, roots_directory, "--exporter_addr", f"127.0.0.1:{free_port()}") as (server, pid_file, path):
        first = int(pid_file.read_text())
        second = int(TAKEN_OVER.search(control(path, "upgrade"))[1])
        wait_until(lambda: gone(first), "the first one ends")
        assert int(pid_file.read_text()) == second
        assert os.readlink(f"/proc/{second}/cwd") == "/"
        assert {os.readlink(f"/proc/{second}/fd/{number}") for number in range(3)} == {"/dev/null"}
        assert os.getsid(second) != os.getsid(0)
        assert run(server, "reverse", "ab") == complete("ba")
        os.kill(second, signal.SIGUSR2)
        wait_until(lambda: gone(second), "the second one ends")
        assert run(server, "reverse", "ab") == complete("ba")
    assert not pid_file.exists() and not path.exists()


def free_low_port():
    """A free port on which only root may listen."""
    for port in random.sample(range(600, 1000), 400):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    return pytest.skip("this machine has no free port below 1000")


@pytest.mark.root
def test_as_another_user_on_a_port_that_needs_root(rig, roots_directory):
    port = free_low_port()
    options = ["--user", "nobody", "--exporter_addr", f"127.0.0.1:{port}"]
    with daemonized(rig, roots_directory, *options) as (server, pid_file, path):
        first = int(pid_file.read_text())
        second = int(TAKEN_OVER.search(control(path, "upgrade"))[1])
        wait_until(lambda: gone(first), "the first one ends")
        assert int(pid_file.read_text()) == second
        assert os.stat(f"/proc/{second}").st_uid == pwd.getpwnam("nobody").pw_uid
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        assert run(server, "reverse", "ab") == complete("ba")
