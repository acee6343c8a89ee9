# SPDX-License-Identifier: MIT
"""Log lines of a job, and the user's own log4cxx configuration."""
import signal

from behaviours import answer, contract
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool
from processes import wait_until

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
    who = f"function=reverse handle={handle.decode()} unique=the-unique"
    assert daemon.wait_for_line(f"^Starting job: {who} workload=the workload$")
    assert daemon.wait_for_line(rf"^Finished job: {who} .*return_code=0 response_string=daolkrow eht duration=\S+$")


def test_a_failed_job_has_both_lines_too(rig, web):
    server, daemon = start(rig, web.uri(), ["fail_with_text"])
    assert run(server, "fail_with_text", "why") == FAILED
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
    assert "workload=0123456789" in daemon.wait_for_line("^Starting job")
    assert "789a" not in daemon.log()


def test_a_workload_cannot_forge_log_lines(rig):
    endpoint = rig.endpoint(answer(contract("a\n2026-01-01 00:00:00,000 ERROR Main - forged")))
    server, daemon = start(rig, endpoint.uri(), ["f"])
    run(server, "f", b"x\r\n2026-01-01 00:00:00,000 ERROR Main - forged\x1b[2J\xff\0")
    daemon.wait_for_line("^Finished job")
    assert not daemon.lines("^forged")
    assert "\x1b" not in daemon.log()


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
    assert daemon.lines(server.address, level="INFO")
