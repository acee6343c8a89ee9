# SPDX-License-Identifier: MIT
"""php-fpm without a web server, and fake FastCGI servers that do what php-fpm cannot be made to do."""
import base64
import hashlib
import json
import os
import pathlib
import signal
import struct
import time

import pytest

import api
from behaviours import contract
from clients import Client, FAILED, complete, php_client, run
from driveshaft import jobs_file, pool
from fakes import FakeFastcgi
from load import under_load
from processes import let_pass, wait_until
from servers import EXAMPLES_DIR, PHP_DIR
from test_probe import SAMPLES, all_good, probe
from test_signatures import new_secret, write

FORMATS = ["json", "multipart", "urlencoded"]
WAYS = ["uri", "uri_v6", "uri_unix"]
FUNCTIONS = ["reverse", "digest", "base64", "about", "pid", "log", "wait_for", "sleep", "f"]


def start(rig, uri, worker_count=4, max_running_time=60, **settings):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, FUNCTIONS, worker_count, **settings)})
    return server, rig.driveshaft(config, max_running_time=max_running_time)


@pytest.fixture
def fpm(rig):
    return rig.php_fpm()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("request_format", FORMATS)
def test_workloads_of_any_size_and_content(rig, fpm, way, request_format):
    server, _ = start(rig, getattr(fpm, way)(), request_format=request_format)
    with Client(server, timeout=120) as client:
        for size in 0, 1, 4000, 65_528, 1 << 20, 64 << 20:
            workload = os.urandom(min(size, 1 << 16)) * (size // (1 << 16)) if size >= 1 << 16 else os.urandom(size)
            expected = f"{len(workload)} {hashlib.sha256(workload).hexdigest()}"
            assert client.run("digest", workload) == complete(expected)
        for workload in [bytes(range(256)), bytes(reversed(range(256))) * 9, *[bytes([value]) for value in range(256)]]:
            assert client.run("base64", workload) == complete(base64.b64encode(workload))
        assert client.run("reverse", "x" * (4 << 20) + "y") == complete("y" + "x" * (4 << 20))


def server_vars(server, workload=b"w", **options):
    return json.loads(run(server, "about", workload, **options).data)["server"]


def test_what_php_knows_of_a_request(rig, fpm):
    secrets = write(rig.directory / "secrets", new_secret())
    server, _ = start(rig, fpm.uri(run="about", x="a b"), signing_secret_file=secrets,
                      headers={"X-Shop.Name": "de", "Authorization": "Bearer t"})
    about = server_vars(server, unique="u 1")
    script = str(PHP_DIR / "job.php")
    expected = {"SCRIPT_FILENAME": script, "SCRIPT_NAME": "/job.php", "PHP_SELF": "/job.php",
                "DOCUMENT_ROOT": str(PHP_DIR), "REQUEST_URI": "/job.php?run=about&x=a+b",
                "QUERY_STRING": "run=about&x=a+b", "REQUEST_METHOD": "POST", "GATEWAY_INTERFACE": "CGI/1.1",
                "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "driveshaft", "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": str(fpm.port), "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": "application/json",
                "HTTP_HOST": f"127.0.0.1:{fpm.port}", "HTTP_USER_AGENT": "driveshaft", "HTTP_ACCEPT": "*/*",
                "HTTP_X_SHOP_NAME": "de", "HTTP_AUTHORIZATION": "Bearer t", "HTTP_DRIVESHAFT_POOL": "Regular",
                "HTTP_DRIVESHAFT_FUNCTION": "about", "HTTP_DRIVESHAFT_UNIQUE": "u%201", "HTTP_DRIVESHAFT_ATTEMPT": "1"}
    assert {name: about.get(name) for name in expected} == expected
    assert int(about["CONTENT_LENGTH"]) > 50 and int(about["REMOTE_PORT"]) > 0
    assert about["HTTP_WEBHOOK_SIGNATURE"].startswith("v1,") and about["HTTP_WEBHOOK_ID"].startswith("job_")
    assert about["HTTP_TRACEPARENT"].startswith("00-") and int(about["HTTP_DRIVESHAFT_DEADLINE"]) > 0
    assert about["HTTP_DRIVESHAFT_HANDLE"].startswith("H:")
    assert "HTTP_CONTENT_TYPE" not in about


def test_ipv6_and_unix_sockets_have_addresses_too(rig, fpm):
    config = {name: pool(getattr(fpm, f"uri_{name}")(run="about"), [name]) for name in ("v6", "unix")}
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], config))
    about = json.loads(run(server, "v6").data)["server"]
    assert (about["REMOTE_ADDR"], about["SERVER_NAME"], about["HTTP_HOST"]) == ("::1", "::1", f"[::1]:{fpm.port_v6}")
    about = json.loads(run(server, "unix").data)["server"]
    assert (about["REMOTE_ADDR"], about["SERVER_NAME"], about["HTTP_HOST"]) == ("127.0.0.1", "localhost", "localhost")


def test_many_long_headers_arrive(rig, fpm):
    headers = {f"X-{number}": str(number % 10) * 8000 for number in range(40)}
    server, _ = start(rig, fpm.uri(), headers=headers)
    about = server_vars(server)
    assert {name: about[f"HTTP_{name.replace('-', '_')}"] for name in headers} == headers


def test_a_signed_request_is_verified_by_the_example(rig, fpm):
    secrets = write(rig.directory / "secrets", new_secret())
    server, daemon = start(rig, fpm.uri(PHP_DIR / "signed.php", secrets=secrets, run="reverse"),
                           signing_secret_file=secrets)
    daemon.expect_failed_jobs()
    assert run(server, "f", "abc") == complete("cba")
    config = json.loads(daemon.config_path.read_text())
    config["pools_list"]["Regular"]["signing_secret_file"] = write(rig.directory / "others", new_secret())
    daemon.reload(config)
    assert run(server, "f", "abc") == FAILED
    assert daemon.metric("driveshaft_http_errors", http_status="401") == 1


def test_the_document_root_can_be_set_and_changed(rig, fpm):
    root = PHP_DIR.parent
    server, daemon = start(rig, fpm.uri(), fastcgi_document_root=f"{root}/")
    about = server_vars(server)
    assert (about["DOCUMENT_ROOT"], about["SCRIPT_NAME"], about["REQUEST_URI"]) == (
        str(root), "/php/job.php", "/php/job.php")
    assert api.pool(daemon, "Regular")["settings"]["fastcgi_document_root"] == str(root)
    daemon.reload(jobs_file([server], {"Regular": pool(fpm.uri(), FUNCTIONS, fastcgi_document_root="/")}))
    daemon.wait_for_line(f'fastcgi_document_root "{root}" -> "/"')
    about = server_vars(server)
    assert (about["DOCUMENT_ROOT"], about["SCRIPT_NAME"]) == ("/", str(PHP_DIR / "job.php"))


def test_the_document_root_holds_for_functions_with_a_script_of_their_own(rig, web, fpm):
    root = str(PHP_DIR.parent)
    own = {"function": "about", "job_processing_uri": fpm.uri()}
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["reverse", own], fastcgi_document_root=root)}))
    about = server_vars(server)
    assert (about["DOCUMENT_ROOT"], about["SCRIPT_NAME"]) == (root, f"/{PHP_DIR.name}/job.php")


def test_what_follows_the_script_is_path_info(rig, fpm):
    server, _ = start(rig, fpm.uri(str(PHP_DIR / "job.php") + "/jobs/a%20b", run="about"))
    about = server_vars(server)
    expected = {"SCRIPT_FILENAME": str(PHP_DIR / "job.php"), "SCRIPT_NAME": "/job.php", "PATH_INFO": "/jobs/a b",
                "REQUEST_URI": "/job.php/jobs/a%20b?run=about", "DOCUMENT_ROOT": str(PHP_DIR)}
    assert {name: about.get(name) for name in expected} == expected


def test_a_script_that_streams(rig, fpm):
    server, _ = start(rig, fpm.uri(EXAMPLES_DIR / "stream.php"))
    got = php_client(server, "stream", "f", "3")
    assert got["events"] == [["status", "1/3"], ["data", "part 1"], ["status", "2/3"], ["data", "part 2"],
                             ["status", "3/3"], ["data", "part 3"], ["data", "hex 00ff"], ["complete", "6"]]


def test_what_a_script_writes_to_stderr_is_logged(rig, fpm):
    server, daemon = start(rig, fpm.uri())
    assert run(server, "log", "first\nsecond \x1b[31m\0ü", unique="u1") == complete("logged")
    line = daemon.wait_for_line("^Script's stderr: .*first", level="WARN")
    assert line.startswith("Script's stderr: function=log handle=H:") and " unique=u1 pool=Regular text=" in line
    assert " trace=" in line
    assert daemon.wait_for_line('text="second', level="WARN").count(r"\x1b[31m") == 1
    assert run(server, "log", "x" * 100_000) == complete("logged")
    long_line = daemon.wait_for_line("text=.*xxxx", level="WARN")
    assert len(long_line) < 2000
    before = len(daemon.lines("^Script's stderr: "))
    assert run(server, "log", "line\n" * 100) == complete("logged")
    daemon.wait_for_line("text=..more lines are left out", level="WARN")
    assert len(daemon.lines("^Script's stderr: ")) - before == 51


def test_a_script_that_is_not_there_is_a_404_that_says_so(rig, fpm):
    server, daemon = start(rig, fpm.uri(PHP_DIR / "nowhere.php"))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line("^Script's stderr: .* text=.Primary script unknown", level="WARN")
    daemon.wait_for_line("^Failed job: .*HTTP status 404.*its stderr: .*Primary script unknown")
    reason = api.pool(daemon, "Regular")["failures"][0]["reason"]
    assert 'its stderr: "Primary script unknown"; php-fpm found no script: ' in reason
    assert reason.endswith("; the job did not run")
    assert daemon.metric("driveshaft_http_errors", http_status="404") == 1


def test_a_script_with_a_parse_error_may_have_run(rig, fpm):
    """stderr does not say whether the error is in the script itself or in a file that the running script includes."""
    (rig.directory / "wrong.php").write_text("<?php oops(;")
    server, daemon = start(rig, fpm.uri(rig.directory / "wrong.php"))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert "PHP Parse error" in (reason := api.pool(daemon, "Regular")["failures"][0]["reason"])
    assert reason.endswith("; the job may have run")


def test_a_job_has_a_connection_of_its_own_and_php_fpm_closes_it(rig):
    """The side that closes first keeps the port in TIME_WAIT. If Driveshaft closed first, it would run out of ports."""
    fpm = rig.php_fpm()
    server, _ = start(rig, fpm.uri(), 4)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 500, window=20) == [complete("ba")] * 500
    sockets = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = [(local, remote) for _, local, remote, state, *_ in sockets if state == "06"]
    port = f":{fpm.port:04X}"
    assert sum(local.endswith(port) for local, _ in waiting) > 450
    assert sum(remote.endswith(port) for _, remote in waiting) < 25


def test_more_slots_than_processes_starve_no_job(rig):
    """A process of php-fpm serves one connection until it is closed."""
    fpm = rig.php_fpm(children=2)
    config = {name: pool(fpm.uri(run="reverse"), [name], 6) for name in ("A", "B")}
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], config), max_running_time=30)
    with under_load(server, "A", daemon), under_load(server, "B", daemon):
        pass


def test_no_job_waits_for_a_process_that_is_idle(rig):
    """Ten connections are opened at once, for two processes."""
    server, _ = start(rig, rig.php_fpm(children=2).uri_unix(), 10)
    with Client(server) as client:
        for _ in range(3):
            began = time.monotonic()
            assert client.run_all("reverse", ["ab"] * 10, window=10) == [complete("ba")] * 10
            assert time.monotonic() - began < 1


@pytest.mark.slow
def test_a_unix_socket_whose_queue_is_full_costs_no_job(rig):
    server, daemon = start(rig, rig.php_fpm(children=1, backlog=1).uri_unix(), 16)
    daemon.expect_errors("cannot be reached")
    with Client(server) as client:
        texts = [f"job {number}" for number in range(300)]
        assert client.run_all("reverse", texts, window=100) == [complete(text[::-1]) for text in texts]
    assert daemon.metric("driveshaft_errors") == 0


def test_processes_that_end_after_ten_requests_cost_no_job(rig):
    server, daemon = start(rig, rig.php_fpm(max_requests=10).uri(), 8)
    with Client(server) as client:
        texts = [f"job {number}" for number in range(600)]
        assert client.run_all("reverse", texts, window=50) == [complete(text[::-1]) for text in texts]
    assert daemon.metric("driveshaft_errors") == 0


def test_a_process_that_dies_is_a_lost_connection(rig, fpm):
    server, daemon = start(rig, fpm.uri(), retry={"attempts": 2, "initial_delay": 0.1})
    gate = rig.directory / "gate"

    def kill_a_child():
        for pid in map(int, os.popen(f"pgrep -P {fpm.pid}").read().split()):
            if os.path.exists(f"/proc/{pid}") and working(pid, fpm.port):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    with Client(server) as client:
        handle = client.submit("wait_for", str(gate))
        let_pass(1.1)  # if it broke sooner, the request would count as not read
        wait_until(lambda: kill_a_child(), "a process has the job, and is killed")
        daemon.wait_for_line('^Trying job again: .*reason="(the connection broke|the endpoint closed).*; the process of '
                             'php-fpm ended: .*process_control_timeout.*php-fpm.s log', level="WARN")
        gate.touch()
        assert client.result(handle) == complete("waited")


def working(pid, port):
    """Whether a process of php-fpm has accepted a connection: then it has a socket besides those on which it listens."""
    fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    inodes = {fd[8:-1] for fd in fds if fd.startswith("socket:")}
    with open(f"/proc/{pid}/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[9] in inodes and row[3] == "01" and row[1].endswith(f":{port:04X}") for row in rows)


def test_while_php_fpm_is_stopped_jobs_are_held_and_none_is_lost(rig, fpm):
    server, daemon = start(rig, fpm.uri_unix())
    daemon.expect_errors("cannot be reached")
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 20) == [complete("ba")] * 20
        fpm.stop()
        handles = client.submit_many("reverse", [f"job {number}" for number in range(100)])
        wait_until(lambda: daemon.metric("driveshaft_endpoint_up", pool="Regular") == 0, "the outage is noticed")
        fpm.start()
        assert [client.result(handle) for handle in handles] == [
            complete(f"job {number}"[::-1]) for number in range(100)]
    assert daemon.metric("driveshaft_errors") == 0


def test_a_reload_from_http_to_fastcgi_and_back_under_load(rig, web, fpm):
    server, daemon = start(rig, web.uri(), 8)
    with under_load(server, daemon=daemon) as load:
        for uri in fpm.uri(), web.uri(), fpm.uri_unix(), fpm.uri_v6():
            then = load.right
            daemon.reload(jobs_file([server], {"Regular": pool(uri, FUNCTIONS, 8)}))
            wait_until(lambda: load.right > then + 100, "jobs run at the new endpoint")


def test_a_drain_waits_for_the_script(rig, fpm):
    server, daemon = start(rig, fpm.uri())
    gate = rig.directory / "gate"
    with Client(server) as client:
        handle = client.submit("wait_for", str(gate))
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(signal.SIGTERM)
        gate.touch()
        assert client.result(handle) == complete("waited")
    assert daemon.wait() == 0


@pytest.mark.parametrize("request_format", FORMATS)
@pytest.mark.parametrize("way", WAYS)
def test_php_fpm_conforms_to_the_probe(fpm, request_format, way):
    all_good(probe(getattr(fpm, way)(), "--function", "digest", "--format", request_format, expect=0), SAMPLES[:-1])


def test_the_probe_shows_what_a_script_writes_to_stderr(fpm):
    lines = probe(fpm.uri(PHP_DIR / "nowhere.php"), expect=1)
    assert "status 404" in lines["plain job"][1]
    assert "Primary script unknown" in lines["plain job"][1]


def test_the_probe_of_a_script_whose_process_dies_names_the_log_of_php_fpm(rig, fpm):
    (rig.directory / "dies.php").write_text("<?php posix_kill(getmypid(), 9);")
    grade, what, remedy = probe(fpm.uri_unix(rig.directory / "dies.php"), expect=1)["plain job"]
    assert grade == "WRONG" and "the connection broke" in what
    assert "see php-fpm's log" in remedy and "process_control_timeout" in remedy


def test_the_probe_of_a_connection_that_is_closed_and_of_another_that_hangs_says_both(rig):
    endpoint = rig.start(FakeFastcgi([None, b""]))
    grade, what, remedy = probe(endpoint.uri(), "--timeout", "0.5", expect=1)["plain job"]
    assert (grade, what) == ("WRONG", "the connection was closed before an answer; sent once more, no whole answer within 0.5 s")
    assert "see php-fpm's log" in remedy


def test_the_probe_of_a_script_that_is_not_there_names_its_path(fpm):
    grade, what, remedy = probe(fpm.uri(PHP_DIR / "nowhere.php"), expect=1)["plain job"]
    assert grade == "WRONG" and "Primary script unknown" in what and "the path as php-fpm sees it" in remedy


def test_the_probe_of_an_example_that_streams(fpm):
    lines = probe(fpm.uri(EXAMPLES_DIR / "stream.php"), "--workload", "3", expect=0)
    assert "7 updates of progress, gearman_ret 0" in lines["plain job"][1]


# --- what php-fpm cannot be made to do

def record(kind, content=b"", padding=0, version=1, request=1):
    return struct.pack(">BBHHBx", version, kind, request, len(content), padding) + content + b"\0" * padding


def end(status=0):
    return record(3, struct.pack(">IB3x", 0, status))


GOOD = record(6, b"Content-Type: application/json\r\n\r\n" + contract())

GARBAGE = {
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not FastCGI: it answers in HTTP, as a web server does, whose URI begins with http://"),
    "another version": (record(6, version=2), "not FastCGI: a record of version 2"),
    "unknown type": (record(11, b"12345678"), "not FastCGI: a record of type 11, which a client cannot be sent"),
    "another request": (record(6, b"x", request=7), "not FastCGI: a record for request 7, which was not made"),
    "short end": (record(3, b"1234"), "not FastCGI: a request's end of 4 bytes"),
    "no header": (record(6, b"hello\n") + end(), "a line of its header has no name and colon.*hello"),
    "nothing": (end(), "it ended before its header did"),
    "unknown role": (end(3), "FCGI_UNKNOWN_ROLE"),
    "too large": (record(6, b"a: b\n\n" + b"x" * 60_000) * 40, r"larger than max_response_size \(1000000 bytes\)"),
    "a header without end": (record(6, b"x" * 60_000) * 3, "the response header is larger than 65536 bytes"),
}


@pytest.mark.parametrize("said, reason", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_no_fastcgi_fails_the_job_and_says_why(rig, said, reason):
    endpoint = rig.start(FakeFastcgi([said, GOOD + end()]))
    server, daemon = start(rig, endpoint.uri(), max_response_size=1_000_000)
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line(f"^Failed job: .*reason=.*{reason}")
    assert run(server, "f") == complete("done")  # on a new connection
    assert endpoint.connections == 2


def test_an_answer_byte_by_byte_and_padded(rig):
    said = record(6, GOOD[8:40], padding=255) + record(7, b"") + record(6, GOOD[40:], padding=1) + record(6) + end()
    endpoint = rig.start(FakeFastcgi([said]))
    server, daemon = start(rig, endpoint.uri())
    assert [run(server, "f") for _ in range(3)] == [complete("done")] * 3
    assert endpoint.connections == 3 and daemon.metric("driveshaft_errors") == 0


def test_an_end_of_the_connection_before_that_of_the_request_is_a_failure(rig):
    endpoint = rig.start(FakeFastcgi([GOOD], closes=True))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line("closed the connection before the response was complete")


@pytest.mark.parametrize("status, name", [(2, "FCGI_OVERLOADED"), (1, "FCGI_CANT_MPX_CONN")])
def test_an_overload_is_tried_again_as_5xx(rig, status, name):
    endpoint = rig.start(FakeFastcgi([end(status), GOOD + end()]))
    server, daemon = start(rig, endpoint.uri(), retry={"attempts": 2, "initial_delay": 0.01, "on": ["5xx"]})
    assert run(server, "f") == complete("done")
    daemon.wait_for_line(f"^Trying job again: .*{name}", level="WARN")
    assert daemon.metric("driveshaft_retries_total", reason="5xx") == 1


def test_a_connection_that_is_closed_at_once_costs_nothing(rig):
    endpoint = rig.start(FakeFastcgi([GOOD + end(), None, GOOD + end()]))
    server, daemon = start(rig, endpoint.uri(), 1)
    assert [run(server, "f") for _ in range(2)] == [complete("done")] * 2
    assert endpoint.connections == 3 == endpoint.requests
    assert daemon.metric("driveshaft_errors") == 0


def test_a_script_whose_process_dies_at_once_runs_four_times_and_no_more(rig, fpm):
    """On a busy machine that needs more than 100 ms for it, the script runs less often."""
    server, daemon = start(rig, fpm.uri_unix(run="die and say so"))
    daemon.expect_failed_jobs()
    runs = rig.directory / "runs"
    with Client(server) as client:
        assert client.run_all("f", [str(runs)] * 5) == [FAILED] * 5
    again = runs.read_text().count("run\n") - 5
    assert 0 <= again <= 15
    wait_until(lambda: len(daemon.lines("^(Sending job again|Holding job): ")) == again, "each is logged")
    assert daemon.metric("driveshaft_retries_total", reason="closed_connection") == again
    held = len(daemon.lines("^Holding job: "))
    wait_until(lambda: daemon.metric("driveshaft_backend_attempts_total", outcome="failed") == 5 + held,
               "the attempts are counted")


def test_stderr_of_a_request_that_fails_is_logged_to_its_last_word(rig):
    said = record(7, b"PHP Fatal error: out of ") + record(7, b"memory")
    endpoint = rig.start(FakeFastcgi([said], closes=True))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line("^Script's stderr: .*text=.PHP Fatal error: out of memory", level="WARN")


@pytest.mark.once
def test_an_endless_stderr_costs_no_memory(rig):
    endpoint = rig.start(FakeFastcgi([record(7, b"x" * 60_000) * 2000 + GOOD + end()]))
    server, daemon = start(rig, endpoint.uri())
    before = daemon.memory("VmHWM")
    assert run(server, "f") == complete("done")
    assert daemon.memory("VmHWM") - before < 8 << 20
