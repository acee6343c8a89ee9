# SPDX-License-Identifier: MIT
"""A machine that ran the original Driveshaft: its jobs file, logconfig, command line, PHP endpoint and client, its
Prometheus, and its init script. Only the request format is changed for this Driveshaft."""
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from clients import php_client
from driveshaft import binary
from load import under_load
from processes import free_port, wait_until
from prometheus import Prometheus

GEARMAN_SUCCESS, GEARMAN_WORK_FAIL = 0, 24

# The sample in the original's manual: three pools with one endpoint. Each worker_count is 0, and users have to set it.
JOBS = """{
    "gearman_servers_list":
    [
        "localhost"
    ],
    "pools_list":
    {
        "ShopStats":
        {
            "job_processing_uri": "http://localhost/job.php",
            "worker_count": 0,
            "jobs_list":
            [
                "ShopStats"
            ]
        },
        "Newsfeed":
        {
            "job_processing_uri": "http://localhost/job.php",
            "worker_count": 0,
            "jobs_list":
            [
                "Newsfeed"
            ]
        },
        "Regular":
        {
            "job_processing_uri": "http://localhost/job.php",
            "worker_count": 0,
            "jobs_list":
            [
                "Sum3",
                "Sum",
                "Sum2"
            ]
        }
    }
}
"""

# As in the original's sample: one file with all lines and one with errors only. Each file is for one day.
APPENDER = """
  <appender name="{name}" class="org.apache.log4j.DailyRollingFileAppender">
    <param name="Threshold" value="{level}"/>
    <param name="File" value="{directory}/{name}.log"/>
    <param name="DatePattern" value="'-'%d{{yyyyMMdd}}"/>
    <layout class="org.apache.log4j.PatternLayout">
      <param name="ConversionPattern" value="[%d] [%p] [%t] [%c] %m%n"/>
    </layout>{filters}
  </appender>
"""
ONLY_ERRORS = """
    <filter class="org.apache.log4j.varia.LevelMatchFilter">
      <param name="LevelToMatch" value="ERROR"/>
      <param name="AcceptOnMatch" value="true"/>
    </filter>
    <filter class="org.apache.log4j.varia.DenyAllFilter"/>"""
LOGCONFIG = """<?xml version="1.0" encoding="UTF-8" ?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
{appenders}
  <root>
    <priority value="info"/>
    <appender-ref ref="info"/>
    <appender-ref ref="error"/>
  </root>
</log4j:configuration>
"""
LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] \[[A-Z]+\] \[\S+\] \[(Main|Thread)\] .+")


def write_logconfig(path, directory):
    appenders = (APPENDER.format(name="info", level="INFO", directory=directory, filters="")
                 + APPENDER.format(name="error", level="ERROR", directory=directory, filters=ONLY_ERRORS))
    path.write_text(LOGCONFIG.format(appenders=appenders))
    return path


def jobs_text(server, web, functions="", workers=4):
    """The sample with real addresses, with slots, and with the one line that endpoints for the original need."""
    text = JOBS.replace('"localhost"', f'"{server.address}"')
    text = text.replace("http://localhost/job.php", web.uri().replace("job.php", "original.php"))
    text = text.replace('"worker_count": 0', f'"worker_count": {workers}').replace('"Sum2"', '"Sum2"' + functions)
    return text.replace("{", '{\n    "request_format": "multipart",', 1)


def test_the_sample_jobs_file_runs_as_it_is(rig):
    daemon = rig.driveshaft(JOBS, until="/healthz")
    assert daemon.metric("driveshaft_threads") == 0
    assert daemon.lines("", level="WARN") == []


@pytest.fixture
def world(rig, web, tmp_path):
    server = rig.gearmand()
    logconfig = write_logconfig(tmp_path / "logconfig.xml", tmp_path)
    daemon = rig.driveshaft(jobs_text(server, web, ', "Slow"'), logconfig=logconfig, max_running_time=2, loop_timeout=5)
    return server, daemon


def test_php_clients_get_what_the_endpoint_serialized(world):
    server, _ = world
    assert php_client(server, "serialized", "Sum", "[1, 2, 39]") == {"code": GEARMAN_SUCCESS, "data": 42}
    arguments = {"shop": 7, "name": "Zoë", "tags": [], "rate": 0.5}
    assert php_client(server, "serialized", "ShopStats", json.dumps(arguments)) == {
        "code": GEARMAN_SUCCESS, "data": {"arguments": arguments, "text": "café \0\x01 \"\\/", "rate": 0.1}}
    assert php_client(server, "serialized", "Newsfeed", "{}") == {"code": GEARMAN_WORK_FAIL, "data": None}


def test_the_sample_logconfig_fills_its_two_files(world, tmp_path):
    server, daemon = world
    assert php_client(server, "serialized", "Sum", "[1]")["code"] == GEARMAN_SUCCESS
    assert php_client(server, "serialized", "Slow", "[]")["code"] == GEARMAN_WORK_FAIL
    info, error = tmp_path / "info.log", tmp_path / "error.log"
    wait_until(lambda: "Failed job" in error.read_text(), "the failed job in error.log")
    for text in (info.read_text(), error.read_text()):
        assert not [line for line in text.splitlines() if not LINE.fullmatch(line)]
    assert {line.split("] [")[1] for line in error.read_text().splitlines()} == {"ERROR"}
    for said in ("[Main] driveshaft", "Finished job", "Failed job"):
        assert said in info.read_text()
    assert daemon.log() == "", "nothing goes to stderr"


@pytest.mark.once
def test_prometheus_scrapes_and_answers_queries_on_the_five_metrics(rig, world):
    server, daemon = world
    assert php_client(server, "serialized", "Sum", "[1]")["code"] == GEARMAN_SUCCESS
    prometheus = rig.start(Prometheus(rig.directory, [daemon]))
    samples = "count_over_time(driveshaft_errors{function='Sum'}[1m])"
    wait_until(lambda: (prometheus.value(samples) or 0) > 1, "scrapes before the jobs")
    for _ in range(3):
        assert php_client(server, "serialized", "Sum", "[1, 2]")["code"] == GEARMAN_SUCCESS
    assert php_client(server, "serialized", "Slow", "[]")["code"] == GEARMAN_WORK_FAIL
    # The endpoint has no such function, and answers with 500.
    assert php_client(server, "run", "Sum3", "x")["code"] == GEARMAN_WORK_FAIL
    for expression, expected in {
            "driveshaft_job_duration_count{pool='Regular', function='Sum'}": 4,
            "driveshaft_job_duration_bucket{function='Sum', le='1000'}": 4,
            "driveshaft_http_errors{function='Sum3', http_status='500'}": 1,
            "driveshaft_timeouts{pool='Regular', function='Slow'}": 1,
            "sum(driveshaft_errors)": 2,
            "driveshaft_threads{pool='Regular', status='idle'}": 4,
            "sum by (pool) (driveshaft_threads{pool='Regular', status='busy'})": 0,
            "count(count by (pool) (driveshaft_threads))": 3}.items():
        wait_until(lambda: prometheus.value(expression) == expected, f"{expression} == {expected}")
    for expression in ("histogram_quantile(0.9, rate(driveshaft_job_duration_bucket{function='Sum'}[1m]))",
                       "sum(rate(driveshaft_job_duration_sum{function='Sum'}[1m]))"):
        wait_until(lambda: 0 < (prometheus.value(expression) or 0) < 10, f"{expression} is a time")


# --- the init script


INIT_SCRIPT = """#!/bin/sh
set -e
PIDFILE={directory}/run/driveshaft.pid
start() {{
  start-stop-daemon --start --quiet --pidfile "$PIDFILE" --exec {program} -- \\
    --jobsconfig {directory}/jobs.json --logconfig {directory}/logconfig.xml \\
    --max_running_time 60 --loop_timeout 10 --exporter_addr 127.0.0.1:{port} \\
    --pid_file "$PIDFILE" --user {user} --daemonize
}}
stop() {{
  start-stop-daemon --stop --quiet --pidfile "$PIDFILE" --exec {program} --retry TERM/30
}}
case "$1" in
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  status) kill -0 "$(cat "$PIDFILE")" ;;
esac
"""


class Machine:
    """A directory with the files of such a system, and the daemon that its init script runs."""

    def __init__(self, directory, user, run_owner):
        self.directory, self.port = directory, free_port()
        self.script = directory / "init.sh"
        self.pid_file = directory / "run" / "driveshaft.pid"
        for name, owner in (("run", run_owner), ("log", user)):
            (directory / name).mkdir()
            shutil.chown(directory / name, owner)
        write_logconfig(directory / "logconfig.xml", directory / "log")
        self.script.write_text(INIT_SCRIPT.format(directory=directory, program=binary(), port=self.port, user=user))

    def init(self, verb):
        return subprocess.run(["sh", self.script, verb], capture_output=True, text=True, timeout=60)

    def does(self, verb):
        done = self.init(verb)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), verb
        return self

    def pid(self):
        return int(self.pid_file.read_text())

    def log(self, name):
        return (self.directory / "log" / f"{name}.log").read_text()


@pytest.fixture(params=["nobody", "root"])
def machine(request):
    """A Machine. The pid file's folder belongs to the daemon's user, or to root as /run does."""
    directory = Path(tempfile.mkdtemp(prefix="driveshaft-test-"))
    directory.chmod(0o755)
    machine = Machine(directory, "nobody", request.param)
    yield machine
    if machine.pid_file.exists() and machine.pid_file.read_text():
        machine.init("stop")
    shutil.rmtree(directory)


@pytest.mark.root
def test_an_init_script_starts_stops_and_restarts_it_under_load_with_no_job_lost_or_failed(rig, web, machine):
    server = rig.gearmand()
    (machine.directory / "jobs.json").write_text(jobs_text(server, web, ', "reverse"'))
    machine.does("start")
    assert os.stat(f"/proc/{machine.pid()}").st_uid == pwd.getpwnam("nobody").pw_uid
    with under_load(server) as load:
        for _ in range(3):
            machine.does("status")
            old, then = machine.pid(), load.right
            machine.does("restart")
            assert machine.pid() != old
            wait_until(lambda: load.right > then + 50, "jobs run after the restart")
    machine.does("stop")
    assert not machine.pid_file.exists() or machine.pid_file.read_text() == "", "it names nobody"
    assert machine.init("status").returncode != 0
    assert machine.log("error") == ""
    assert machine.log("info").count("Finished job") == load.right
    assert machine.log("info").count("all jobs are done; the daemon ends") == 4
