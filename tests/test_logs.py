# SPDX-License-Identifier: MIT
"""Log lines of a job, and the user's own log4cxx configuration."""
import json
import os
import re
import signal
import threading
import time

import pytest

import api
from behaviours import answer, contract
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool, run_binary
from packets import Kind
from processes import free_port, wait_until

LOGCONFIG = """<?xml version="1.0" encoding="UTF-8" ?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="main" class="org.apache.log4j.FileAppender">
    <param name="file" value="{directory}/main.txt"/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="[%p] %c: %m%n"/></layout>
  </appender>
  <appender name="jobs" class="org.apache.log4j.FileAppender">
    <param name="file" value="{directory}/jobs.txt"/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="[%p] %c: %m%n"/></layout>
  </appender>
  <logger name="Main"><level value="info"/><appender-ref ref="main"/></logger>
  <logger name="Thread"><level value="{level}"/><appender-ref ref="jobs"/></logger>
</log4j:configuration>
"""


def start(rig, uri, functions=("reverse",), options=None, **settings):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions)}, **settings), **(options or {}))


def with_logconfig(directory, level="info"):
    path = directory / "log.xml"
    path.write_text(LOGCONFIG.format(directory=directory, level=level))
    return {"logconfig": path}


def test_a_job_has_a_line_when_it_starts_and_one_when_it_finished(rig, web):
    server, daemon = start(rig, web.uri())
    with Client(server) as client:
        handle = client.submit("reverse", "the workload", unique="the-unique")
        client.result(handle)
    who = f"function=reverse handle={handle.decode()} unique=the-unique pool=Regular"
    assert daemon.wait_for_line(f'^Starting job: {who} workload="the workload"$')
    assert daemon.wait_for_line(rf'^Finished job: {who} workload="the workload" return_code=0 response_string="daolkrow eht" duration=\S+ trace=[0-9a-f]{{32}}$')


def test_a_failed_job_has_both_lines_too(rig, web):
    server, daemon = start(rig, web.uri(), ["fail_with_text"])
    with Client(server) as client:
        assert client.run("fail_with_text", "why") == FAILED
        assert client.told() == [(Kind.WORK_WARNING, b"why")]
    daemon.wait_for_line("^Starting job: function=fail_with_text ")
    daemon.wait_for_line("^Finished job: function=fail_with_text .*return_code=1 response_string=why ")


def test_workload_and_response_are_cut_to_1024_bytes(rig):
    endpoint = rig.endpoint(answer(contract("r" * 3000)))
    server, daemon = start(rig, endpoint.uri(), ["f"])
    run(server, "f", "w" * 3000)
    assert daemon.wait_for_line("^Starting job").count("w" * 1024) == 1
    assert "w" * 1025 not in daemon.log() and "r" * 1025 not in daemon.log()
    assert "3000" in daemon.wait_for_line("^Starting job")


def test_log_workload_size_sets_where_they_are_cut(rig, web):
    server, daemon = start(rig, web.uri(), log_workload_size=10)
    run(server, "reverse", "0123456789abcdef")
    assert 'workload="0123456789… (16 bytes)"' in daemon.wait_for_line("^Starting job")
    assert "789a" not in daemon.log()


def test_a_workload_cannot_forge_log_lines(rig):
    endpoint = rig.endpoint(answer(contract("a\n2026-01-01 00:00:00,000 ERROR Main - forged")))
    server, daemon = start(rig, endpoint.uri(), ["f"])
    run(server, "f", b"x\r\n2026-01-01 00:00:00,000 ERROR Main - forged\x1b[2J\xff\0")
    daemon.wait_for_line("^Finished job")
    assert not daemon.lines("^forged")
    assert "\x1b" not in daemon.log()


def test_a_workload_cannot_be_taken_for_other_keys(rig, web):
    server, daemon = start(rig, web.uri())
    run(server, "reverse", 'x return_code=0 response_string="fine"')
    line = daemon.wait_for_line("^Starting job")
    assert line.endswith(r' workload="x return_code=0 response_string=\"fine\""')


def test_the_users_logconfig_selects_main_and_thread(rig, web, tmp_path):
    server, daemon = start(rig, web.uri(), options=with_logconfig(tmp_path))
    assert run(server, "reverse", "ab") == complete("ba")
    main, jobs = tmp_path / "main.txt", tmp_path / "jobs.txt"
    wait_until(lambda: "Finished job" in jobs.read_text(), "the job's lines")
    assert all(line.startswith("[INFO] Thread: ") for line in jobs.read_text().splitlines())
    assert server.address in main.read_text()
    assert "job: function=" not in main.read_text()
    assert daemon.log() == ""


def test_a_level_above_info_silences_the_lines_of_jobs(rig, web, tmp_path):
    server, daemon = start(rig, web.uri(), options=with_logconfig(tmp_path, level="warn"))
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 20) == [complete("ba")] * 20
    daemon.stop()
    assert (tmp_path / "jobs.txt").read_text() == ""


def test_sighup_opens_log_files_again_after_a_rotation(rig, web, tmp_path):
    server, daemon = start(rig, web.uri(), options=with_logconfig(tmp_path))
    jobs, rotated = tmp_path / "jobs.txt", tmp_path / "jobs.txt.1"
    run(server, "reverse", "before")
    jobs.rename(rotated)
    daemon.send(signal.SIGHUP)
    wait_until(jobs.exists, "a new file")
    run(server, "reverse", "after")
    wait_until(lambda: "workload=after" in jobs.read_text(), "its lines go to the new file")
    assert "workload=before" in rotated.read_text()
    assert "workload=after" not in rotated.read_text()


def test_connecting_to_a_server_is_logged_with_its_address(rig, web):
    server, daemon = start(rig, web.uri())
    assert daemon.wait_for_line(server.address, level="INFO")


# --- older configurations


DAILY = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE log4j:configuration SYSTEM "log4j.dtd">
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="INFO" class="org.apache.log4j.DailyRollingFileAppender">
    <param name="File" value="{directory}/info.txt"/>
    <param name="DatePattern" value="'.'yyyy-MM-dd"/>
    <param name="Append" value="true"/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="%d %t [%p] %c: %m%n"/></layout>
    <filter class="org.apache.log4j.varia.LevelMatchFilter">
      <param name="LevelToMatch" value="INFO"/><param name="AcceptOnMatch" value="true"/>
    </filter>
    <filter class="org.apache.log4j.varia.DenyAllFilter"/>
  </appender>
  <appender name="ERROR" class="org.apache.log4j.DailyRollingFileAppender">
    <param name="File" value="{directory}/error.txt"/>
    <param name="DatePattern" value="'.'yyyy-MM-dd"/>
    <param name="Threshold" value="ERROR"/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="[%p] %c: %m%n"/></layout>
  </appender>
  <logger name="Main"><level value="info"/></logger>
  <logger name="Thread"><level value="info"/></logger>
  <root><priority value="warn"/><appender-ref ref="INFO"/><appender-ref ref="ERROR"/></root>
</log4j:configuration>
"""


def test_two_daily_files_one_for_info_and_one_for_errors(rig, web, tmp_path):
    path = tmp_path / "log.xml"
    path.write_text(DAILY.format(directory=tmp_path))
    info, error = tmp_path / "info.txt", tmp_path / "error.txt"
    info.write_text("of old\n")
    two_days_ago = time.time() - 48 * 3600
    os.utime(info, (two_days_ago, two_days_ago))
    server, daemon = start(rig, web.uri(), options={"logconfig": path})
    rolled = tmp_path / time.strftime("info.txt.%Y-%m-%d", time.localtime(two_days_ago))
    assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.stop() == 0
    assert rolled.read_text() == "of old\n", "not a line of today, the first ones neither"
    assert " starts, pid " in info.read_text() and "Finished job" in info.read_text()
    assert "ERROR" not in info.read_text()
    assert error.read_text() == ""
    assert daemon.log() == ""


@pytest.mark.parametrize("change, shown", [
    (("DailyRollingFileAppender", "HourlyFileAppender"), "org.apache.log4j.HourlyFileAppender"),
    (('ref="INFO"', 'ref="INFOS"'), '"INFOS"'),
    (("{directory}/info.txt", "{directory}/log.xml/info.txt"), "log.xml/info.txt"),
    (('<appender-ref ref="INFO"/><appender-ref ref="ERROR"/>', ""), "root"),
], ids=["a class nobody has", "no such appender", "a file that cannot be opened", "no appender at all"])
def test_a_logconfig_that_would_not_log_is_refused_with_the_reason(tmp_path, change, shown):
    path, jobs = tmp_path / "log.xml", tmp_path / "jobs.json"
    path.write_text(DAILY.replace(*change).format(directory=tmp_path))
    jobs.write_text(json.dumps(jobs_file(["127.0.0.1:1"], {"Regular": pool("http://127.0.0.1:2/", ["f"])})))
    done = run_binary("--jobsconfig", jobs, "--logconfig", path, "--exporter_addr", f"127.0.0.1:{free_port()}")
    assert done.returncode == 6
    assert str(path) in done.stderr and shown in done.stderr.splitlines()[-1]


FIXED_WINDOW = """
    <rollingPolicy class="org.apache.log4j.rolling.FixedWindowRollingPolicy">
      <param name="MinIndex" value="1"/><param name="MaxIndex" value="2"/>
      <param name="FileNamePattern" value="{directory}/jobs.%i"/>
    </rollingPolicy>
    <triggeringPolicy class="org.apache.log4j.rolling.SizeBasedTriggeringPolicy">
      <param name="MaxFileSize" value="1000"/>
    </triggeringPolicy>"""


def test_a_fixed_window_of_files(rig, web, tmp_path):
    """log4cxx 1.0 frees this policy's data through a base class without a virtual destructor. Only three numbers are not
    destroyed, so this does no harm, but AddressSanitizer can only be told to ignore it for a whole process."""
    fixed = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":new_delete_type_mismatch=0"}
    path = tmp_path / "log.xml"
    jobs = '<param name="file" value="{directory}/jobs.txt"/>'
    path.write_text(LOGCONFIG.replace(jobs, jobs + FIXED_WINDOW).replace(
        '"jobs" class="org.apache.log4j.FileAppender"', '"jobs" class="org.apache.log4j.rolling.RollingFileAppender"'
        ).format(directory=tmp_path, level="info"))
    server, daemon = start(rig, web.uri(), options={"logconfig": path, "env": fixed})
    for number in range(30):
        assert run(server, "reverse", f"{number:02}") == complete(f"{number:02}"[::-1])
    assert daemon.stop() == 0
    assert "workload=29" in (tmp_path / "jobs.txt").read_text() + (tmp_path / "jobs.1").read_text()
    assert (tmp_path / "jobs.2").stat().st_size > 800
    assert not (tmp_path / "jobs.3").exists()
    assert daemon.log() == ""


# --- a file that is full


def test_a_limit_on_the_size_of_files_loses_lines_and_no_job(rig, web, tmp_path):
    """The limit has the effect of a full disk. stderr is a file here and also limited, so not every message about it is
    written."""
    server, daemon = start(rig, web.uri(), options={**with_logconfig(tmp_path), "prefix": ["prlimit", "--fsize=100"]})
    for _ in range(3):
        assert run(server, "reverse", "ab") == complete("ba")
    wait_until(lambda: (tmp_path / "jobs.txt").stat().st_size == 100, "the log is full")
    assert run(server, "reverse", "cd") == complete("dc")
    assert daemon.stop() == 0
    assert daemon.log().startswith("driveshaft: lines for the log file ")
    daemon.log_path.write_text("")


def test_a_stderr_that_is_full_is_in_the_verdict_and_the_metrics(rig, web):
    """stderr is like a file on a full disk. When there is room again, lines are written whole."""
    server, daemon = start(rig, web.uri(), options={"prefix": ["prlimit", "--fsize=2000"]})
    for _ in range(20):
        run(server, "reverse", "ab")
    wait_until(lambda: daemon.metric("driveshaft_log_lines_lost_total") > 10, "the loss is counted")
    status = api.wait_for_status(daemon, lambda status: "log lines are lost" in status["summary"], "it is said")
    assert status["problems"][0]["level"] == "warning" and "stderr does not take them: File too large" in status["summary"]
    os.truncate(daemon.log_path, 0)
    run(server, "reverse", "again")
    daemon.wait_for_line("log lines were dropped: the log file stderr did not take them: File too large", level="WARN")
    daemon.wait_for_line("^Finished job: .* workload=again ")
    assert daemon.stop() == 0
    daemon.log_path.write_text("")  # it was checked above, and one line is not whole


# --- a file that is stuck


def test_jobs_go_on_while_a_log_file_is_stuck_and_lost_lines_are_counted(rig, web, tmp_path):
    fifo = tmp_path / "jobs.txt"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server, daemon = start(rig, web.uri(), options=with_logconfig(tmp_path), log_workload_size=1_000_000)
    workload = "w" * 500_000  # each job logs it twice, far more than fits into the FIFO and the queue
    with Client(server) as client:
        for _ in range(6):
            assert client.run_all("reverse", [workload] * 10) == [complete(workload)] * 10
    assert len(os.listdir(f"/proc/{daemon.pid}/task")) <= 4
    os.set_blocking(reader, True)
    written = bytearray()

    def read_to_the_end():
        while data := os.read(reader, 1_000_000):
            written.extend(data)
    reading = threading.Thread(target=read_to_the_end, daemon=True)
    reading.start()
    # Lines may be dropped at several times. Each time is reported in its own line, after the lines that were kept.
    wait_until(lambda: written.count(b"\n") + dropped_lines(tmp_path / "main.txt") == 120,
               "each of the 120 lines is written, or counted as dropped")
    assert dropped_lines(tmp_path / "main.txt") > 10
    run(server, "reverse", "again")
    wait_until(lambda: written.count(b"workload=again") == 2, "lines of jobs are written again")
    assert daemon.stop() == 0
    reading.join(10)
    os.close(reader)


def dropped_lines(log):
    return sum(map(int, re.findall(r"(\d+) log lines were dropped", log.read_text())))


def test_a_stuck_log_file_does_not_keep_the_daemon_from_ending(rig, web, tmp_path):
    fifo = tmp_path / "jobs.txt"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server, daemon = start(rig, web.uri(), options={**with_logconfig(tmp_path), "pid_file": tmp_path / "run.pid"},
                           log_workload_size=1_000_000)
    run(server, "reverse", "w" * 500_000)
    daemon.send(signal.SIGHUP)  # reopening the files must not stop the loop either
    assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.stop() == 0
    assert not (tmp_path / "run.pid").exists()
    assert "the log is stuck" in daemon.log()
    daemon.log_path.write_text("")
    os.close(reader)


# --- on stderr


def test_json_lines_on_stderr(rig, web):
    server, daemon = start(rig, web.uri(), options={"log_format": "json"})
    run(server, "reverse", 'a "quoted" \x01 \\ word')
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in daemon.log_lines()]
    main, started, finished = {"time", "level", "logger", "message"}, "Starting job", "Finished job"
    of_job = main | {"function", "handle", "unique", "pool", "workload"}
    assert all(set(line) == main for line in lines if line["logger"] == "Main")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    jobs = {line["message"]: line for line in lines if line["logger"] == "Thread"}
    assert set(jobs) == {started, finished}
    assert set(jobs[started]) == of_job and set(jobs[finished]) == of_job | {"return_code", "response_string", "duration", "trace"}
    assert jobs[started]["function"] == "reverse" and jobs[started]["workload"] == 'a "quoted" \x01 \\ word'
    assert jobs[finished]["return_code"] == 0 and 0 < jobs[finished]["duration"] < 10
    daemon.log_path.write_text("")  # it was checked above; the rig can only check lines of text


def test_log_level_decides_what_goes_to_stderr(rig, web):
    server, daemon = start(rig, web.uri(), options={"log_level": "warn"})
    assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.stop() == 0
    assert daemon.log() == ""
