# SPDX-License-Identifier: MIT
"""--check: the table of what can be checked before a start, and with --check=online also which servers and endpoints answer."""
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import pytest

from behaviours import answer
from certificates import Authority
from clients import Client
from driveshaft import Driveshaft, binary, jobs_file, pool, run_binary
from processes import free_port
from servers import Stunnel

TOKEN = "a-token-of-thirty-two-characters"


def check(directory, config=None, *more, exporter=None, way="--check", run=run_binary, **options):
    """Runs the check. `options` are options of the command line."""
    path = directory / "jobs.json"
    path.write_text(json.dumps(config or jobs_file(["127.0.0.1:1"], {"P": pool("http://127.0.0.1:2/", ["f"])})))
    words = [f"--{key}={value}" for key, value in options.items()]
    return run(way, "--jobsconfig", path, "--exporter_addr", exporter or f"127.0.0.1:{free_port()}", *words, *more)


def rows(done):
    """The table as {what: (value, verdict)}, and the last line. If several rows have the same `what`, the value is the key."""
    lines = done.stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("WHAT"))
    value, verdict = lines[head].index("VALUE"), lines[head].index("VERDICT")
    table = {}
    for line in lines[head + 1:-1]:
        what = line[:value].strip()
        table[line[value:verdict].strip() if what in table else what] = (line[value:verdict].strip(), line[verdict:])
    return table, lines[-1]


def token_file(directory, name="token", mode=0o600, text=TOKEN):
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_all_that_is_good_is_said_and_nothing_is_left_behind(tmp_path):
    certificate = Authority(tmp_path).issue("us", days=90)
    log = tmp_path / "log.properties"
    log.write_text("log4j.rootLogger=INFO,A\nlog4j.appender.A=org.apache.log4j.FileAppender\n"
                   f"log4j.appender.A.File={tmp_path}/file.log\nlog4j.appender.A.layout=org.apache.log4j.SimpleLayout\n")
    options = dict(
        logconfig=log, pid_file=tmp_path / "run.pid", control_socket=tmp_path / "control.sock",
        exporter_certificate_file=certificate.certificate, exporter_key_file=certificate.key,
        admin_read_token_file=token_file(tmp_path), admin_token_file=token_file(tmp_path, "other", text=TOKEN[::-1]))
    (tmp_path / "jobs.json").touch()
    before = sorted(tmp_path.iterdir())
    done = check(tmp_path, None, **options)
    table, last = rows(done)
    assert (done.returncode, done.stderr, last) == (0, "", "would run"), done.stdout
    assert set(table) == {"jobs file", "log configuration", "pid file", "control socket", "exporter", "open files",
                          "exporter's certificate", "token to read", "token to act"}
    assert all(verdict.startswith("good") for _, verdict in table.values()), table
    assert table["pid file"][0] == str(tmp_path / "run.pid") and table["exporter"][0].startswith("https://127.0.0.1:")
    assert re.fullmatch(r"good: until \d{4}-\d\d-\d\d", table["exporter's certificate"][1])
    assert sorted(tmp_path.iterdir()) == before


# Mistakes, each in its own folder: the options, the exit code, the row, and the text of its verdict.
def pid_file_nowhere(folder):
    return {"pid_file": folder / "none" / "run.pid"}, 4, "pid file", "No such file or directory; name a writable one"


def pid_file_of_something_else(folder):
    (folder / "text").write_text("precious")
    return {"pid_file": folder / "text"}, 4, "pid file", "holds something other than a process id; remove it"


def pid_file_is_a_folder(folder):
    return {"pid_file": folder}, 4, "pid file", "name a writable one"


def pid_file_is_a_link(folder):
    (folder / "link").symlink_to(folder / "elsewhere")
    return {"pid_file": folder / "link"}, 4, "pid file", "is a symbolic link; remove it"


def control_socket_nowhere(folder):
    return {"control_socket": folder / "none" / "c.sock"}, 3, "control socket", "none does not exist; name another path"


def control_socket_is_a_file(folder):
    (folder / "file").touch()
    return {"control_socket": folder / "file"}, 3, "control socket", "no socket; name another path"


def control_socket_too_long(folder):
    return {"control_socket": folder / ("x" * 120)}, 3, "control socket", "107 bytes"


def exporter_of_another_machine(folder):
    return {"exporter": "192.0.2.1:80"}, 3, "exporter", "cannot listen on 192.0.2.1:80 .* name a free address"


def exporter_without_a_name(folder):
    return {"exporter": "no-such-host.invalid:80"}, 3, "exporter", "cannot listen on no-such-host.invalid:80"


def user_unknown(folder):
    return {"user": "no-such-user"}, 5, "user", "there is no such user; name one that"


def token_too_short(folder):
    path = token_file(folder, text="short")
    return {"admin_token_file": path}, 2, "token to act", f"--admin_token_file {path}: expected a token of at least 16"


def certificate_of_another_key(folder):
    authority = Authority(folder)
    one, other = authority.issue("one"), authority.issue("other")
    return ({"exporter_certificate_file": one.certificate, "exporter_key_file": other.key}, 2, "exporter's certificate",
            "the key is not that of the certificate")


def log_config_broken(folder):
    (folder / "log.xml").write_text("<")
    return {"logconfig": folder / "log.xml"}, 6, "log configuration", "line 1"


@pytest.mark.parametrize("fault", [
    pid_file_nowhere, pid_file_of_something_else, pid_file_is_a_folder, pid_file_is_a_link, control_socket_nowhere,
    control_socket_is_a_file, control_socket_too_long, exporter_of_another_machine, exporter_without_a_name, user_unknown,
    token_too_short, certificate_of_another_key, log_config_broken], ids=lambda fault: fault.__name__)
def test_what_would_refuse_the_start_is_an_error_with_the_exit_code_of_the_start(tmp_path, fault):
    options, code, what, said = fault(tmp_path)
    (tmp_path / "jobs.json").touch()
    before = {path: path.lstat().st_size for path in tmp_path.iterdir() if path.name != "jobs.json"}
    done = check(tmp_path, None, **options)
    table, last = rows(done)
    assert (done.returncode, last) == (code, "would not run: 1 error"), done.stdout + done.stderr
    assert re.match(f"error: .*{said}", table[what][1]), table[what]
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("driveshaft: ")]
    assert re.search(said, line), "scripts read it there"
    assert {path: path.lstat().st_size for path in tmp_path.iterdir() if path.name != "jobs.json"} == before


def test_several_errors_are_all_told(tmp_path):
    done = check(tmp_path, {"pools_list": {}}, user="no-such-user", pid_file="/nowhere/x",
                 admin_token_file=token_file(tmp_path, text="short"))
    table, last = rows(done)
    assert (done.returncode, last) == (2, "would not run: 4 errors")
    assert table["jobs file"][1] == "error: 1 error, see above"
    assert f"{tmp_path}/jobs.json: gearman_servers_list: " in done.stderr
    assert check(tmp_path, {"pools_list": {}}, user="no-such-user").returncode == 1


def test_errors_of_the_jobs_file_have_one_count(tmp_path):
    done = check(tmp_path, jobs_file(["127.0.0.1:1"], {"P": {"worker_count": -1}}))
    table, last = rows(done)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 3, "each error has a line, and nothing else does"
    assert (table["jobs file"][1], last) == ("error: 3 errors, see above", "would not run: 3 errors")


def test_php_fpm_that_is_taken_for_a_web_server_is_a_warning(tmp_path):
    done = check(tmp_path, jobs_file(["127.0.0.1:1"], {"P": pool("127.0.0.1:9000/srv/job.php", ["f"])}))
    assert (done.returncode, rows(done)[1]) == (0, "would run"), done.stdout + done.stderr
    assert 'write "fcgi://127.0.0.1:9000/srv/job.php", with the path of the script\'s file' in done.stderr


def test_an_exporter_address_that_another_program_has_names_it_and_is_not_connected_to(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f":{port}"):
            done = check(tmp_path, jobs_file([f"127.0.0.1:{port}"], {}), exporter=address)
            assert done.returncode == 3
            assert f"process {os.getpid()} (" in rows(done)[0]["exporter"][1]
        taken.settimeout(0)
        with pytest.raises(BlockingIOError):
            taken.accept()


def test_warnings_stay_warnings(tmp_path):
    soon = Authority(tmp_path).issue("soon", days=5)
    other = Authority(tmp_path, "b").issue("other", days=3)
    token = token_file(tmp_path, mode=0o644)
    trusted = {"certificate_file": str(other.certificate), "key_file": str(other.key)}
    config = jobs_file([{"address": "127.0.0.1:1", "tls": trusted}], {"P": pool("http://127.0.0.1:2/", ["f"], 5000)}, comment=1)
    done = check(tmp_path, config, exporter_certificate_file=soon.certificate, exporter_key_file=soon.key,
                 admin_read_token_file=token, admin_token_file=token,
                 run=lambda *words: subprocess.run(["prlimit", "--nofile=1024:1024", binary(), *map(str, words)],
                                                   capture_output=True, text=True, timeout=20))
    table, last = rows(done)
    assert (done.returncode, last) == (0, "would run"), done.stdout + done.stderr
    assert table["exporter's certificate"][1] == "warning: it ends in 4 days; renew it"
    assert table["our certificate"] == (str(other.certificate), "warning: it ends in 2 days; renew it")
    assert table["token to read"][1].startswith("warning: every user of this machine may read it; chmod o=")
    assert "have the same token" in table["both tokens"][1]
    assert re.match(r"warning: .*add up to \d+ files open at once, and only 1024", table["open files"][1])
    assert table["jobs file"][1] == "warning: 2 warnings, see above"
    assert TOKEN not in done.stdout + done.stderr and "log4cxx" not in done.stdout + done.stderr


def test_places_that_a_running_daemon_has_are_no_errors(rig, tmp_path):
    places = {"pid_file": tmp_path / "run.pid", "control_socket": tmp_path / "control.sock"}
    daemon = rig.driveshaft(jobs_file([rig.gearmand()], {}), until="/healthz", **places)
    done = check(tmp_path, None, exporter=f"127.0.0.1:{daemon.port}", **places)
    table, last = rows(done)
    assert (done.returncode, last) == (0, "would run"), done.stdout + done.stderr
    for what in ("pid file", "control socket", "exporter"):
        assert table[what][1].startswith(f"warning: a running daemon, process {daemon.pid}, "), table[what]
    assert daemon.get("/healthz")[0] == 200 and places["pid_file"].read_text() == f"{daemon.pid}\n"
    daemon.kill()
    table, last = rows(check(tmp_path, None, **places))
    assert table["pid file"][1] == f"good: process {daemon.pid} wrote it, and no longer runs"
    assert table["control socket"][1] == "good: it is from a daemon that no longer runs; a start replaces it"
    assert places["pid_file"].exists() and places["control_socket"].exists()
    rig.started.remove(daemon)


@pytest.mark.root
def test_files_that_the_user_may_not_read_are_errors(roots_directory):
    token, secret = token_file(roots_directory), token_file(roots_directory, "secret", text="whsec_" + "A" * 44)
    config = jobs_file(["127.0.0.1:1"], {"P": pool("http://127.0.0.1:2/", ["f"], signing_secret_file=str(secret))})
    (roots_directory / "jobs.json").touch()
    done = check(roots_directory, config, user="nobody", admin_token_file=token)
    table, last = rows(done)
    assert (done.returncode, last) == (2, "would not run: 2 errors"), done.stdout
    assert table["user"] == ("nobody", "good")
    assert "runs as the user nobody, who has to have the right" in table["token to act"][1]
    assert re.match(f"error: {secret}: .*Permission denied.*nobody", table["files of the jobs file"][1])
    secret.chmod(0o644)
    done = check(roots_directory, config, user="nobody")
    assert (done.returncode, rows(done)[0]["files of the jobs file"]) == (0, ("as nobody", "good"))
    assert check(roots_directory, config, user="root").returncode == 0


@pytest.mark.root
def test_a_file_that_the_user_may_not_remove_is_a_warning(roots_directory):
    config = jobs_file(["127.0.0.1:1"], {"P": pool("http://127.0.0.1:2/", ["f"])})
    (roots_directory / "jobs.json").touch()
    places = {"pid_file": roots_directory / "run.pid", "control_socket": roots_directory / "control.sock"}
    done = check(roots_directory, config, user="nobody", **places)
    table, last = rows(done)
    assert (done.returncode, last) == (0, "would run"), done.stdout
    for place in "pid file", "control socket":
        assert table[place][1].startswith(f"warning: the user nobody may not write in the directory {roots_directory}, so the file stays")
    assert rows(check(roots_directory, config, user="root", **places))[1] == "would run"
    os.chown(roots_directory, pwd.getpwnam("nobody").pw_uid, -1)
    assert rows(check(roots_directory, config, user="nobody", **places))[1] == "would run"


@pytest.mark.root
def test_who_is_not_root_is_told_what_needs_root(roots_directory):
    program = roots_directory / "driveshaft"
    shutil.copy(binary(), program)
    path = roots_directory / "jobs.json"
    path.touch(0o644)

    def run(*words):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", program, *map(str, words)],
                              capture_output=True, text=True, timeout=20)
    done = check(roots_directory, None, run=run, user="daemon", pid_file=roots_directory / "run.pid")
    table, last = rows(done)
    assert (done.returncode, last) == (5, "would not run: 2 errors"), done.stdout + done.stderr
    assert "start as root, or leave --user out" in table["user"][1] and "Permission denied" in table["pid file"][1]
    with socket.create_server(("127.0.0.1", 0)) as taken:  # it is root's, so the user nobody may not see the process
        done = check(roots_directory, None, run=run, exporter=f"127.0.0.1:{taken.getsockname()[1]}")
    table, last = rows(done)
    assert done.returncode == 0 and table["exporter"][1].startswith("warning: a process of the user root listens there")


# --- --check=online


def test_online_says_who_answers_and_sends_no_job(rig, tmp_path):
    server, endpoint, fpm = rig.gearmand(), rig.endpoint(answer()), rig.php_fpm()
    config = jobs_file([server], {"P": pool(endpoint.uri(), ["f"]), "Q": pool(endpoint.uri(), ["g"]),
                                  "R": pool(fpm.uri_unix(), [{"function": "h", "job_processing_uri": fpm.uri()}])})
    done = check(tmp_path, config, way="--check=online")
    table, last = rows(done)
    assert (done.returncode, last) == (0, "would run"), done.stdout + done.stderr
    assert table["job server"] == (server.address, "good: it answers")
    endpoints = [line for line in done.stdout.splitlines() if line.startswith("endpoint ")]
    assert len(endpoints) == 3 and all(line.endswith("good: it takes connections") for line in endpoints)
    assert f"\n  driveshaft probe {endpoint.uri()}\n" in done.stdout
    assert endpoint.requests == []
    assert "job server" not in rows(check(tmp_path, config))[0]


def test_online_names_each_that_is_away_and_exits_11(tmp_path):
    config = jobs_file([f"127.0.0.1:{free_port()}", "no-such-host.invalid"],
                       {"P": pool(f"http://127.0.0.1:{free_port()}/", ["f"]),
                        "Q": pool("http+unix://%2Fnowhere.sock/", ["g"])})
    done = check(tmp_path, config, way="--check=online")
    assert (done.returncode, done.stderr) == (11, ""), done.stdout
    assert rows(done)[1] == "would run, but 4 of the job servers and endpoints cannot be reached"
    assert re.search(r"^job server +127.* error: .*Connection refused; start it, or correct gearman_servers_list$", done.stdout, re.M)
    assert re.search(r"^job server +no-such-host.* error: its name cannot be resolved: ", done.stdout, re.M)
    assert re.search(r"^endpoint +http://127.* error: .*Connection refused; start it, or correct job_processing_uri$", done.stdout, re.M)
    assert re.search(r"^endpoint +http\+unix.* error: .*No such file or directory", done.stdout, re.M)
    assert check(tmp_path, config).returncode == 0
    assert check(tmp_path, config, way="--check=online", user="no-such-user").returncode == 5


@pytest.mark.root
def test_a_socket_that_the_user_may_not_open_is_told_with_what_to_do(roots_directory, rig):
    path, program = roots_directory / "fpm.sock", roots_directory / "driveshaft"
    shutil.copy(binary(), program)
    uri = f"fcgi+unix://{urllib.parse.quote(str(path), safe='')}/srv/job.php"
    said = "Permission denied (this user may not open the socket: give it the socket's group, such as with adduser driveshaft www-data"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0o660)
        (roots_directory / "jobs.json").touch()
        server = rig.gearmand()
        config = jobs_file([server], {"P": pool(uri, ["f"])})
        done = check(roots_directory, config, way="--check=online", user="nobody")
        verdict = rows(done)[0]["endpoint"][1]
        assert done.returncode == 11 and said in verdict and "start it" not in verdict
        probed = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", program, "probe", uri],
                                capture_output=True, text=True, timeout=20)
        assert probed.returncode == 1 and said in probed.stdout and "sudo -u driveshaft" in probed.stdout
        assert "start it" not in probed.stdout
        daemon = rig.start(Driveshaft(roots_directory, config, user="nobody"))
        daemon.expect_errors("cannot be reached")
        with Client(server) as client:
            client.submit("f", "ab")
            daemon.wait_for_line("cannot be reached.*Permission denied .this user may not open the socket: ")


def test_online_waits_five_seconds_for_what_is_silent(tmp_path):
    """Both are asked at the same time. A server that accepts connections and does not answer is no job server."""
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    config = jobs_file([f"127.0.0.1:{one.getsockname()[1]}" for one in silent[:2]],
                       {"P": pool(f"https://127.0.0.1:{silent[2].getsockname()[1]}/", ["f"])})
    began = time.monotonic()
    done = check(tmp_path, config, way="--check=online")
    assert 4.5 < time.monotonic() - began < 9
    assert done.returncode == 11
    assert done.stdout.count("no answer in time; start it, or correct gearman_servers_list") == 2, done.stdout
    assert re.search(r"^endpoint .* error: no connection within endpoint_connect_timeout \(5000 ms\): .*TLS", done.stdout, re.M), done.stdout


def test_online_speaks_tls_and_says_what_is_wrong_with_it(rig, tmp_path):
    ours, theirs = Authority(tmp_path), Authority(tmp_path, "stranger")
    server = rig.gearmand()
    tunnel = rig.start(Stunnel(rig.directory, server, ours.issue("peer")))
    for authority, code, said in ((ours, 0, "good: it answers"), (theirs, 11, "error: TLS handshake failed: .*certificate")):
        done = check(tmp_path, jobs_file([tunnel.entry(authority.trusted())], {}), way="--check=online")
        assert done.returncode == code
        value, verdict = rows(done)[0]["job server"]
        assert value.endswith(" (TLS)") and re.match(said, verdict)


def test_check_takes_only_the_value_online_or_none(tmp_path):
    config = jobs_file([f"127.0.0.1:{free_port()}"], {})
    assert check(tmp_path, config, way="--check=onlin").returncode == 2
    spaced = check(tmp_path, config, "--check", "online", way="--check")
    assert spaced.returncode == 11 or "write --check=online" in spaced.stderr
