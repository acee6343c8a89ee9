# SPDX-License-Identifier: MIT
"""Options, --check, exit codes, the pid file, another user, the background."""
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from clients import complete, run
from driveshaft import binary, jobs_file, pool, run_binary
from processes import free_port, wait_until

EXAMPLES = Path(__file__).parent.parent / "examples"


def write(directory, config, name="jobs.json"):
    path = directory / name
    path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
    return path


@pytest.fixture
def good(tmp_path):
    """A valid jobs file, whose servers need not exist."""
    return write(tmp_path, jobs_file(["127.0.0.1:1"], {"Regular": pool("http://127.0.0.1:2/job.php", ["Sum", "Sum2"])}))


def test_help_exits_0_and_names_options_that_are_all_known():
    done = run_binary("--help")
    assert (done.returncode, done.stderr) == (0, "")
    options = re.findall(r"^  --(\w+)", done.stdout, re.M)
    assert "jobsconfig" in options
    assert not [option for option in options if "unknown option" in run_binary(f"--{option}").stderr]


def test_version_is_one_line_and_exits_0():
    done = run_binary("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"driveshaft \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("args, shown", [
    ([], "--jobsconfig"),
    (["--jobsconfg", "x"], "jobsconfig"),
    (["--jobsconfig"], "jobsconfig"),
    (["--jobsconfig", "x", "--loop_timeout", "0"], "loop_timeout"),
    (["--jobsconfig", "x", "--loop_timeout", "ten"], "ten"),
    (["--jobsconfig", "x", "--max_running_time", "-1"], "max_running_time"),
    (["--jobsconfig", "x", "--exporter_addr", "localhost:port"], "exporter_addr"),
    (["--jobsconfig", "x", "left over"], "left over"),
], ids=["nothing", "a typo", "no value", "zero", "no number", "negative", "no port", "an argument"])
def test_a_wrong_command_line_exits_2_and_says_what_is_wrong(args, shown):
    done = run_binary(*args)
    assert done.returncode == 2
    assert shown in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("args, code", [(["--unknown"], 2), (["--jobsconfig", "/nowhere"], 1)], ids=["usage", "start"])
def test_the_exit_code_is_the_errors_also_where_stderr_is_full(args, code):
    with open("/dev/full", "w") as full:
        assert subprocess.run([binary(), *args], stderr=full, timeout=20).returncode == code


def test_check_of_a_good_file_exits_0_and_shows_what_would_run(good):
    done = run_binary("--check", "--jobsconfig", good)
    assert done.returncode == 0, done.stderr
    for text in ("127.0.0.1:1", "Regular", "http://127.0.0.1:2/job.php", "Sum", "Sum2", "4"):
        assert text in done.stdout


def test_the_shipped_jobs_file_is_good():
    done = run_binary("--check", "--jobsconfig", EXAMPLES / "jobs.json")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shipped_logconfig_works(rig, web, tmp_path):
    text = (EXAMPLES / "logconfig.xml").read_text()
    assert "/var/log/driveshaft.log" in text
    logconfig = write(tmp_path, text.replace("/var/log/driveshaft.log", str(tmp_path / "file.log")), "log.xml")
    server, daemon = start(rig, web, logconfig=logconfig)
    assert run(server, "reverse", "ab") == complete("ba")
    wait_until(lambda: "Finished job" in (tmp_path / "file.log").read_text(), "the job's lines")
    assert daemon.wait_for_line(server.address)


def test_a_jobs_file_of_the_original_is_good(tmp_path):
    """It has pools without slots, a server without a port, and an unknown key."""
    original = jobs_file(["localhost"], {"ShopStats": pool("http://localhost/job.php", ["ShopStats"], 0),
                                         "Regular": pool("http://localhost/job.php", ["Sum3", "Sum"], 0)}, comment="x")
    done = run_binary("--check", "--jobsconfig", write(tmp_path, original))
    assert done.returncode == 0
    assert "comment" in done.stderr


def test_check_hides_passwords(tmp_path):
    path = write(tmp_path, jobs_file(["localhost"], {"Regular": pool("http://shop:s3cret@localhost/", ["f"])}))
    done = run_binary("--check", f"--jobsconfig={path}")
    assert done.returncode == 0
    assert "s3cret" not in done.stdout + done.stderr


def test_check_of_a_broken_file_exits_1_with_every_error_by_path_and_line(tmp_path):
    path = write(tmp_path, """{
 "gearman_servers_list": ["localhost", 7],
 "pools_list": {
  "Regular": {"job_processing_uri": "http://localhost/", "jobs_list": ["Sum"],
   "worker_count": "ten"},
  "Other": {"worker_count": 1, "jobs_list": [""],
   "worker_cuont": 2}
 }
}""")
    done = run_binary("--check", "--jobsconfig", path)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert 'pools_list.Regular.worker_count: expected a whole number ≥ 0, got "ten" (line 5)' in said
    for place, line in [(r"gearman_servers_list\[1\]", 2), (r"pools_list\.Other\.job_processing_uri", 6),
                        (r"pools_list\.Other\.jobs_list\[0\]", 6), (r"pools_list\.Other\.worker_cuont", 7)]:
        assert re.search(rf"{place}.*\(line {line}\)", said), said
    assert 'did you mean "worker_count"' in said


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", "\0"],
                         ids=["missing", "empty", "cut", "array", "no keys", "NUL"])
def test_a_jobs_file_that_cannot_be_used_exits_1_and_names_it(tmp_path, text, check):
    path = tmp_path / "jobs.json"
    if text is not None:
        write(tmp_path, text)
    done = run_binary("--jobsconfig", path, "--exporter_addr", f"127.0.0.1:{free_port()}", *check)
    assert done.returncode == 1
    assert str(path) in done.stdout + done.stderr


def test_check_reads_the_log_configuration_and_opens_no_log(good, tmp_path):
    config, log = tmp_path / "log.xml", tmp_path / "file.log"
    text = """<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
      <appender name="file" class="org.apache.log4j.FileAppender"><param name="File" value="%s"/>
        <layout class="org.apache.log4j.SimpleLayout"/></appender>
      <root><appender-ref ref="file"/></root></log4j:configuration>""" % log
    config.write_text(text)
    done = run_binary("--check", "--jobsconfig", good, "--logconfig", config)
    assert done.returncode == 0 and re.search(rf"^log configuration +{config} +good$", done.stdout, re.M)
    for wrong, said in ((text.replace("FileAppender", "FielAppender"), "FielAppender"), (text + "<", "line 4"),
                        (text.replace('ref="file"', 'ref="flie"'), "flie")):
        config.write_text(wrong)
        done = run_binary("--check", "--jobsconfig", good, "--logconfig", config)
        assert done.returncode == 6 and said in done.stderr
    assert not log.exists()


def test_an_exporter_address_in_use_exits_3_and_names_it(good):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_binary("--jobsconfig", good, "--exporter_addr", address)
    assert done.returncode == 3
    assert address in done.stderr and "exporter_addr" in done.stderr


@pytest.mark.root
def test_a_port_that_needs_root_exits_3_and_says_so(good):
    good.chmod(0o644)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", binary(),
                           "--jobsconfig", "/proc/self/fd/0", "--exporter_addr", "127.0.0.1:81"], stdin=good.open(),
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 3
    assert "Permission denied; start as root" in done.stderr


def test_a_logconfig_that_cannot_be_read_exits_6_and_names_it(good):
    done = run_binary("--jobsconfig", good, "--logconfig", "/nowhere/log.xml", "--exporter_addr",
                      f"127.0.0.1:{free_port()}")
    assert done.returncode == 6
    assert "/nowhere/log.xml" in done.stderr


# --- the pid file


def start(rig, web, **options):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["reverse"])}), **options)


def test_the_pid_file_names_the_process_while_it_runs_and_goes_with_it(rig, web, tmp_path):
    path = tmp_path / "run.pid"
    _, daemon = start(rig, web, pid_file=path)
    assert int(path.read_text()) == daemon.pid
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert daemon.stop() == 0
    assert not path.exists()


def test_a_live_owner_of_the_pid_file_is_refused_by_name(rig, web, tmp_path, good):
    path = tmp_path / "run.pid"
    _, daemon = start(rig, web, pid_file=path)
    done = run_binary("--jobsconfig", good, "--pid_file", path, "--exporter_addr", f"127.0.0.1:{free_port()}")
    assert done.returncode == 4
    assert str(path) in done.stderr and str(daemon.pid) in done.stderr
    assert int(path.read_text()) == daemon.pid


@pytest.mark.parametrize("content", ["1\n", "99999999\n", ""])
def test_a_stale_pid_file_is_replaced(rig, web, tmp_path, content):
    """No process holds its lock, even if another process has its id now."""
    path = tmp_path / "run.pid"
    path.write_text(content)
    _, daemon = start(rig, web, pid_file=path)
    assert int(path.read_text()) == daemon.pid


def test_a_file_that_holds_something_else_is_not_taken_for_a_pid_file(good):
    done = run_binary("--jobsconfig", good, "--pid_file", good, "--exporter_addr", f"127.0.0.1:{free_port()}")
    assert done.returncode == 4
    assert str(good) in done.stderr
    assert json.loads(good.read_text())["pools_list"]


def test_a_pid_file_that_cannot_be_written_exits_4(good):
    done = run_binary("--jobsconfig", good, "--pid_file", "/nowhere/run.pid", "--exporter_addr",
                      f"127.0.0.1:{free_port()}")
    assert done.returncode == 4
    assert "/nowhere/run.pid" in done.stderr


# --- background and user


def daemonized(rig, web, path, *options):
    """Starts the daemon in the background. Returns a gearmand and the daemon's pid. The caller ends the daemon."""
    server = rig.gearmand()
    config = write(path.parent, jobs_file([server], {"Regular": pool(web.uri(), ["reverse"])}), "daemon.json")
    logconfig = write(path.parent, LOG_TO_FILE.format(path=path.parent / "daemon.log"), "log.xml")
    done = run_binary("--daemonize", "--jobsconfig", config, "--pid_file", path, "--logconfig", logconfig,
                      "--exporter_addr", f"127.0.0.1:{free_port()}", *options)
    assert done.returncode == 0, done.stderr
    return server, int(path.read_text())


LOG_TO_FILE = """<?xml version="1.0" encoding="UTF-8" ?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="file" class="org.apache.log4j.FileAppender">
    <param name="file" value="{path}"/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="%p %c %m%n"/></layout>
  </appender>
  <root><priority value="info"/><appender-ref ref="file"/></root>
</log4j:configuration>
"""


def end(pid):
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the daemon ends")


def test_daemonize_returns_when_the_daemon_is_up(rig, web, tmp_path):
    server, pid = daemonized(rig, web, tmp_path / "run.pid")
    try:
        assert os.getsid(pid) != os.getsid(0)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert run(server, "reverse", "ab") == complete("ba")
    finally:
        end(pid)
    assert not (tmp_path / "run.pid").exists()


def test_daemonize_without_a_logconfig_says_that_nothing_will_be_logged(good, tmp_path):
    path = tmp_path / "run.pid"
    done = run_binary("--daemonize", "--jobsconfig", good, "--pid_file", path, "--exporter_addr", "")
    end(int(path.read_text()))
    assert done.returncode == 0
    assert "nothing more is logged: name files with --logconfig" in done.stderr.splitlines()[-1]


def test_a_hangup_while_it_starts_is_a_reload_once_it_has_started(rig, web, tmp_path):
    """logrotate may send it: the pid file names the process before it can reload."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    config = jobs_file([rig.gearmand()], {"Regular": pool(web.uri(), ["reverse"])})
    daemon = rig.driveshaft(config, until=None, pid_file=tmp_path / "run.pid", jobsconfig=path)
    with path.open("w") as jobs:  # once it waits there for somebody to write
        assert int((tmp_path / "run.pid").read_text()) == daemon.pid
        daemon.send(signal.SIGHUP)
        write(tmp_path, config, "new.json").replace(path)
        jobs.write(json.dumps(config))
    daemon.wait_for_line("^SIGHUP")
    assert daemon.stop() == 0


def test_standard_files_that_the_caller_closed_are_dev_null(rig, web, tmp_path):
    """Otherwise a socket or file could get the number of stderr, and messages would be written into it."""
    _, daemon = start(rig, web, prefix=["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash"])
    assert {os.readlink(f"/proc/{daemon.pid}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}


def test_more_slots_than_files_is_a_warning_at_the_start_and_at_a_reload(rig, web):
    server = rig.gearmand()
    few, many = (jobs_file([server], {"Regular": pool(web.uri(), ["reverse"], count)}) for count in (4, 5000))
    daemon = rig.driveshaft(few, prefix=["prlimit", "--nofile=1024:1024"])
    assert not daemon.lines("files open at once")
    daemon.reload(many)
    assert "add up to 5033 files" in daemon.wait_for_line("files open at once")
    daemon.stop()
    again = rig.driveshaft(many, name="again", prefix=["prlimit", "--nofile=1024:1024"])
    again.wait_for_line("only 1024 are allowed")


def test_daemonize_reports_a_failure_of_the_daemon_as_its_own(good):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_binary("--daemonize", "--jobsconfig", good, "--exporter_addr", address)
    assert done.returncode == 3
    assert address in done.stderr


@pytest.mark.root
def test_user_is_who_the_daemon_runs_as(rig, web, roots_directory):
    nobody = pwd.getpwnam("nobody")
    pid_file = roots_directory / "run.pid"
    server, pid = daemonized(rig, web, pid_file, "--user", "nobody")
    try:
        with open(f"/proc/{pid}/status") as lines:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
        assert set(fields["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(fields["Gid"].split()) == {str(nobody.pw_gid)}
        assert "0" not in fields["Groups"].split()
        assert run(server, "reverse", "ab") == complete("ba")
    finally:
        end(pid)
    assert pid_file.read_text() == "", "it may not remove the file there, so it empties it"


def test_an_unknown_user_exits_5(good):
    done = run_binary("--jobsconfig", good, "--user", "no-such-user", "--exporter_addr", f"127.0.0.1:{free_port()}")
    assert done.returncode == 5
    assert "no-such-user" in done.stderr


@pytest.mark.once
def test_it_starts_in_a_moment(good):
    took = subprocess.run(["bash", "-c", f"TIMEFORMAT=%R; time {binary()} --check --jobsconfig {good}"],
                          capture_output=True, text=True)
    assert float(took.stderr.splitlines()[-1].replace(",", ".")) < 0.5
