# SPDX-License-Identifier: MIT
"""Answers of endpoints: every form of a valid answer completes the job; anything else only fails that job."""

import re
import urllib.parse

import pytest

import api
from behaviours import answer, chunked, contract, flood, hang, in_turn, raw, slow, until_close
from clients import Client, FAILED, complete, gearman_cli, php_client, run
from driveshaft import jobs_file, pool, sanitized
from fakes import SocketServer
from packets import Kind
from processes import free_port, wait_until
from servers import PhpFpm, PhpFpmNginx
from test_dead_letters import take_letters

OK = contract("fine")
MIB = 1 << 20


def start(rig, uri, worker_count=2, **settings):
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, ["f"], worker_count, **settings)}))


def with_length(length, body, head="HTTP/1.1 200 OK"):
    return raw(f"{head}\r\nContent-Length: {length}\r\n\r\n".encode() + body)


def byte_by_byte(request, sock):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OK), OK):
        sock.sendall(bytes([byte]))
    return True


GOOD = {
    "201": answer(OK, status="201 Created"),
    "202": answer(OK, status="202 Accepted"),
    "299 without a reason": answer(OK, status="299 "),
    "chunked": chunked(OK[:10], OK[10:]),
    "chunked with a trailer": chunked(OK, trailer=b"X-Sum: 1\r\n"),
    "chunk extension": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%s\r\n0\r\n\r\n"
                           % (len(OK), OK)),
    "connection: close": answer(OK, headers=["Connection: close"], keep=False),
    "connection: close, then kept open": answer(OK, headers=["Connection: close"]),
    "http/1.0 until close": until_close(OK),
    "http/1.0 with a length": answer(OK, version="HTTP/1.0", keep=False),
    "http/1.0 kept alive": answer(OK, version="HTTP/1.0", headers=["Connection: keep-alive"]),
    "http/1.1 until close": until_close(OK, b"HTTP/1.1 200 OK\r\n\r\n"),
    "100-continue first": raw(b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                              % len(OK) + OK),
    "103 early hints first": raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
                                 b"Content-Length: %d\r\n\r\n" % len(OK) + OK),
    "odd header case": raw(b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:%d\r\n\r\n" % len(OK) + OK),
    "byte by byte": byte_by_byte,
    "slow": slow(0.3, answer(OK)),
    "white space around": answer(b" \r\n\t" + OK + b"\n "),
    "other keys": answer(b'{"x":[1,{"gearman_ret":5}],"response_string":"fine","gearman_ret":0,"y":null}'),
    "escapes": answer(b'{"gearman_ret":0,"response_string":"\\u0066\\u0069ne"}'),
}


@pytest.mark.parametrize("behave", GOOD.values(), ids=GOOD.keys())
def test_a_good_answer_of_any_form_completes_the_job(rig, behave):
    endpoint = rig.endpoint(behave)
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        assert client.run_all("f", ["x"] * 20) == [complete("fine")] * 20
    assert daemon.metric("driveshaft_errors") == 0


# Bad answers, each with the HTTP status that is counted, if any, and the text that the log must show.
BAD = {
    "404": (answer(OK, status="404 Not Found"), 404, "404"),
    "500": (answer(b"<b>Fatal error</b>", status="500 Internal Server Error"), 500, "Fatal error"),
    "504": (answer(OK, status="504 Gateway Timeout"), 504, "504"),
    "304": (raw(b"HTTP/1.1 304 Not Modified\r\n\r\n", keep=True), 304, "304"),
    "204": (raw(b"HTTP/1.1 204 No Content\r\n\r\n", keep=True), None, "empty|JSON"),
    "empty body": (answer(b""), None, "empty|JSON"),
    "no http": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), None, "HTTP|version|response"),
    "binary garbage": (raw(bytes(range(256)) * 64), None, "HTTP|version|response|line"),
    "no answer": (raw(b""), None, "closed|end of stream"),
    "ends in the status line": (raw(b"HTTP/1.1 20"), None, "closed|end|partial"),
    "ends in the header": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), None, "closed|end|partial"),
    "ends before the body": (with_length(100, b""), None, "closed|end|partial"),
    "ends in the body": (with_length(len(OK), OK[:-1]), None, "closed|end|partial"),
    "ends in a chunk": (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc"), None,
                        "closed|end|partial"),
    "bad chunk": (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc"), None, "chunk"),
    "bad length": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n" + OK), None, "[Ll]ength"),
    "two lengths": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + OK), None, "[Ll]ength"),
    "not json": (answer(b"Warning: something in /srv/job.php"), None, "Warning: something"),
    "json and more": (answer(OK + b"Notice: leaked"), None, "Notice: leaked|JSON"),
    "an array": (answer(b"[0,\"fine\"]"), None, "object"),
    "a string": (answer(b'"fine"'), None, "object"),
    "no gearman_ret": (answer(b'{"response_string":"fine"}'), None, "gearman_ret"),
    "gearman_ret is text": (answer(b'{"gearman_ret":"0","response_string":"fine"}'), None, "gearman_ret"),
    "gearman_ret is negative": (answer(b'{"gearman_ret":-1,"response_string":"fine"}'), None, "gearman_ret"),
    "gearman_ret is false": (answer(b'{"gearman_ret":false,"response_string":"fine"}'), None, "gearman_ret"),
    "no response_string": (answer(b'{"gearman_ret":0}'), None, "response_string"),
    "response_string is null": (answer(b'{"gearman_ret":0,"response_string":null}'), None, "response_string"),
    "response_string is a number": (answer(b'{"gearman_ret":0,"response_string":3}'), None, "response_string"),
    "response_string is an object": (answer(b'{"gearman_ret":0,"response_string":{}}'), None, "response_string"),
    "gearman_ret is too large": (answer(b'{"gearman_ret":4294967296,"response_string":"fine"}'), None, "gearman_ret"),
    "nested without end": (answer(b'{"gearman_ret":' + b"[" * 100_000), None, "JSON|deep|nest"),
    "huge header": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4 * MIB + b"\r\n\r\n"), None, "header"),
    "header without end": (flood(b"HTTP/1.1 200 OK\r\n", b"X-Filler: xxxxxxxxxxxxxxxx\r\n" * 1000, 10_000), None,
                           "header"),
    "interim answers without end": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 10_000), None, ""),
}


@pytest.mark.parametrize("behave, http_status, shown", BAD.values(), ids=BAD.keys())
def test_anything_else_fails_the_job_and_says_why(rig, behave, http_status, shown):
    endpoint = rig.endpoint(in_turn(behave, answer(OK)))
    server, daemon = start(rig, endpoint.uri(), worker_count=1)
    daemon.expect_failed_jobs()
    with Client(server, exceptions=True) as client:
        assert client.run("f", "x") == FAILED
        assert client.run("f", "x") == complete("fine")
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 1
    assert daemon.metric("driveshaft_http_errors") == (1 if http_status else 0)
    if http_status:
        assert daemon.metric("driveshaft_http_errors", pool="Regular", function="f", http_status=str(http_status)) == 1
    assert daemon.metric("driveshaft_timeouts") == 0
    assert re.search(f"reason=.*({shown})", daemon.wait_for_line("^Failed job: function=f "))


EXPLAINED = {
    "status": (answer(b"Fatal error: out of\0memory", status="500 Internal Server Error"),
               r'the endpoint answered HTTP status 500: "Fatal error: out of\\x00memory"'),
    "contract": (answer(b'{"response_string":"fine"}'), "gearman_ret is missing; the endpoint must answer .*"),
    "lost": (with_length(100, b"{"), "the endpoint closed the connection before the response was complete"),
    "time": (hang, r"no complete response within max_running_time \(1 s\)"),
}


def reason_of_the_failed_job(daemon):
    quoted = re.search('reason="(.*)" trace=', daemon.wait_for_line("^Failed job: "))[1]
    return re.sub(r"\\(.)", r"\1", quoted)


@pytest.mark.parametrize("behave, reason", EXPLAINED.values(), ids=EXPLAINED.keys())
def test_a_failure_found_here_can_explain_itself_to_php_gearman(rig, behave, reason):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(rig.endpoint(behave).uri(), ["f"], explain_failures=True)})
    daemon = rig.driveshaft(config, max_running_time=1)
    daemon.expect_failed_jobs()
    [[kind, text], failed] = php_client(server, "stream", "f", "x")["events"]
    assert (kind, failed) == ("warning", ["fail", ""])
    assert re.fullmatch(f"{reason}; the job may have run", text)
    assert reason_of_the_failed_job(daemon) == text


def test_an_explanation_goes_the_way_of_failure_text(rig):
    endpoint = rig.endpoint(answer(b"oops", status="500 Internal Server Error"))
    server, daemon = start(rig, endpoint.uri(), explain_failures=True)
    daemon.expect_failed_jobs()
    failed = gearman_cli(server, "-f", "f", data=b"x")
    text = b'the endpoint answered HTTP status 500: "oops"; the job may have run'
    assert (failed.returncode, failed.stderr) == (1, text + b"Job failed\n")


def test_limits_of_nginx_are_named(rig, tmp_path):
    web = rig.start(PhpFpmNginx(tmp_path, most_bytes=1000, patience=2))
    for workload, said in [
            ("x" * 2000, 'HTTP status 413: an HTML page, "413 Request Entity Too Large"; nginx answers so to a body above '
                         "its client_max_body_size, 1 MB unless set; the job may have run"),
            ("30", 'HTTP status 504: an HTML page, "504 Gateway Time-out"; it came after 2 s: nginx answers so when '
                   "fastcgi_read_timeout or proxy_read_timeout is over, 60 s unless set; the job may have run")]:
        server = rig.gearmand(f"gearmand{len(workload)}")
        config = jobs_file([server], {"Regular": pool(web.uri(), ["sleep"])})
        daemon = rig.driveshaft(config, name=f"driveshaft{len(workload)}")
        daemon.expect_failed_jobs()
        assert run(server, "sleep", workload) == FAILED
        assert reason_of_the_failed_job(daemon) == f"the endpoint answered {said}"


def test_what_ended_a_php_script_is_shown(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(run="crash"), ["f"])}))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert re.search(r'it answered "Fatal error: Uncaught Exception: a job that throws in /\S+/job.php:\d+"; the job may',
                     reason_of_the_failed_job(daemon))


BEFORE_THE_OBJECT = {
    "bom": r'"\{.*", behind a byte order mark: save the endpoint\'s files without one; ',
    "warning": r'"Warning: the cache is old in /\S+/job.php on line \d+", before the object: with display_errors=0 PHP keeps',
    "debug": r'"debug\\x0a\{.*", with the object behind it: print nothing but the object; ',
}


@pytest.mark.parametrize("what, said", BEFORE_THE_OBJECT.items(), ids=BEFORE_THE_OBJECT.keys())
def test_what_php_prints_before_the_object_is_named_with_its_remedy(rig, web, what, said):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(run=what), ["f"])}))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert re.search(said, reason_of_the_failed_job(daemon))


def test_a_reason_is_as_long_as_log_workload_size_says(rig):
    server = rig.gearmand()
    endpoint = rig.endpoint(answer(b"x" * 500, status="500 Internal Server Error"))
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"])}, log_workload_size=100)
    daemon = rig.driveshaft(config)
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert f'"{"x" * 100}… (500 bytes)"; ' in reason_of_the_failed_job(daemon)
    failure, = api.get(daemon, "/failures")["failures"]
    assert failure["answer"] == "x" * 500


def test_what_a_script_wrote_to_stderr_is_part_of_the_reason_everywhere(rig, tmp_path):
    fpm = rig.start(PhpFpm(tmp_path))
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(fpm.uri(run="no_database"), ["f"], dead_letter_function="letters",
                                                  explain_failures=True)})
    daemon = rig.driveshaft(config)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", "x") == FAILED
        told = client.told()
    reason = reason_of_the_failed_job(daemon)
    assert re.fullmatch('the endpoint answered HTTP status 500: an empty body; its stderr: ".*no database at db.example"; '
                        "the job may have run", reason)
    assert told == [(Kind.WORK_WARNING, reason.encode())]
    failure, = api.get(daemon, "/failures")["failures"]
    assert (failure["kind"], failure["reason"]) == ("error answer", reason)
    [letter] = take_letters(server, 1, "letters")
    assert letter["error"] == reason


def test_a_php_fpm_that_is_taken_for_a_web_server_is_named(rig, tmp_path):
    fpm = rig.start(PhpFpm(tmp_path))
    server = rig.gearmand()
    uri = f"http+unix://{urllib.parse.quote(str(fpm.socket_path), safe='')}/job.php"
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uri, ["f"])}))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert "the URI begins with fcgi+unix://" in reason_of_the_failed_job(daemon)


def test_an_endpoint_that_gives_empty_answers_costs_each_job_one_request_soon(rig, web):
    """The jobs that run first are sent again, as after a reload of php-fpm. After that the script is known to be the cause."""
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(), ["reverse", "print_nothing"], 4)}))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("reverse", "ab") == complete("ba")
        assert client.run_all("print_nothing", [""] * 40) == [FAILED] * 40
        assert 1 <= daemon.metric("driveshaft_retries_total", reason="empty_answer") <= 8
        before = daemon.metric("driveshaft_retries_total")
        assert client.run("reverse", "ab") == complete("ba")
        assert client.run("print_nothing") == FAILED
        assert daemon.metric("driveshaft_retries_total") == before


def test_of_a_job_whose_process_is_killed_it_is_said_that_it_may_have_run(rig, tmp_path):
    """This holds even on a connection that an earlier job has used, where it looks as if the endpoint had closed the connection
    before the request came."""
    fpm = rig.start(PhpFpm(tmp_path))
    server = rig.gearmand()
    pools = {"Regular": pool(fpm.uri(record=tmp_path / "runs"), ["wait_for", "reverse"], 1, endpoint_down="fail")}
    daemon = rig.driveshaft(jobs_file([server], pools))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("reverse", "ab") == complete("ba")
        job = client.submit("wait_for", str(tmp_path / "never"))
        wait_until(lambda: "never" in (tmp_path / "runs").read_text(), "it runs")
        fpm.kill()
        assert client.result(job) == FAILED
    assert reason_of_the_failed_job(daemon).endswith("; the job may have run")


def test_of_a_job_that_never_reached_the_endpoint_it_is_said_that_it_did_not_run(rig):
    server = rig.gearmand()
    pools = {"Held": pool(f"http://127.0.0.1:{free_port()}/", ["held"]),
             "Refused": pool(f"http://127.0.0.1:{free_port()}/", ["refused"], endpoint_down="fail")}
    daemon = rig.driveshaft(jobs_file([server], pools), max_running_time=1)
    daemon.expect_failed_jobs()
    daemon.expect_errors("endpoint")
    for function, said in ("refused", "Connection refused"), ("held", "it was held, as its endpoint could not take it"):
        assert run(server, function) == FAILED
        line = daemon.wait_for_line(f"^Failed job: function={function} ")
        assert re.search(f'reason=.*{said}; the job did not run" trace=', line)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect",
                                    "308 Permanent Redirect"])
def test_redirects_are_failures_and_not_followed(rig, status):
    target = rig.endpoint(answer())
    endpoint = rig.endpoint(answer(b"", status=status, headers=[f"Location: {target.uri()}"]))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert target.connections == 0
    assert daemon.metric("driveshaft_http_errors", http_status=status[:3]) == 1


def test_a_failure_that_the_endpoint_reports_is_no_error_of_the_machinery(rig):
    endpoint = rig.endpoint(answer(b'{"gearman_ret":4294967295,"response_string":"why"}'))
    server, daemon = start(rig, endpoint.uri())
    with Client(server) as client:
        assert client.run("f") == FAILED
        assert client.told() == [(Kind.WORK_WARNING, b"why")]
    assert daemon.metric("driveshaft_errors", pool="Regular", function="f") == 0
    assert not daemon.lines("", level="ERROR")


def test_a_result_that_is_no_utf8_passes_as_it_is(rig):
    """Endpoints for the original Driveshaft send such results, and its parser accepted them."""
    endpoint = rig.endpoint(answer(b'{"gearman_ret":0,"response_string":"caf\xe9"}'))
    server, _ = start(rig, endpoint.uri())
    assert run(server, "f") == complete(b"caf\xe9")


def test_a_failure_with_empty_text_is_a_plain_failure(rig):
    endpoint = rig.endpoint(answer(contract("", ret=1)))
    server, _ = start(rig, endpoint.uri())
    with Client(server, exceptions=True) as client:
        assert client.run("f") == FAILED


class ClosesWhileReading(SocketServer):
    """Reads 1,000 bytes of the first request and closes the connection. Answers later requests."""

    def serve(self, sock, number):
        sock.recv(1000)
        if number > 1:
            while not sock.recv(1 << 20).endswith(b"}"):
                pass
            answer(OK)(None, sock)


def test_an_endpoint_that_closes_while_the_request_is_sent_fails_that_job_alone(rig):
    endpoint = rig.start(ClosesWhileReading())
    server, daemon = start(rig, f"http://{endpoint.address}/", worker_count=1)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("f", b"x" * 8 * MIB) == FAILED
        assert client.run("f", b"x" * 8 * MIB) == complete("fine")


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_a_body_above_max_response_size_fails_the_job_without_filling_memory(rig, framing):
    head, block = {
        "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * MIB),
        "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b"x" * MIB + b"\r\n"),
        "until close": (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * MIB),
    }[framing]
    endpoint = rig.endpoint(in_turn(flood(head, block, 10_000), answer(OK)))
    server, daemon = start(rig, endpoint.uri(), max_response_size=2 * MIB)
    daemon.expect_failed_jobs()
    before = daemon.memory("VmHWM")
    assert run(server, "f") == FAILED
    assert run(server, "f") == complete("fine")
    daemon.wait_for_line("max_response_size")
    if not sanitized():
        assert daemon.memory("VmHWM") - before < 16 * MIB


def test_a_body_of_max_response_size_is_accepted_and_one_byte_more_is_not(rig):
    endpoint = rig.endpoint(in_turn(answer(OK), answer(OK + b" ")))
    server, daemon = start(rig, endpoint.uri(), max_response_size=len(OK))
    daemon.expect_failed_jobs()
    assert run(server, "f") == complete("fine")
    assert run(server, "f") == FAILED


def test_a_bad_body_is_logged_by_its_first_bytes_only_and_on_one_line(rig):
    endpoint = rig.endpoint(answer(b"first\nsecond\x1b[31m\0" + b"x" * 200_000))
    server, daemon = start(rig, endpoint.uri())
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    line = daemon.wait_for_line("first")
    assert "second" in line and "\x1b" not in line and "\0" not in line
    assert len(line) < 10_000


def test_an_endpoint_that_refuses_connections_fails_the_job_if_it_is_not_to_be_held(rig):
    endpoint = rig.endpoint(answer(OK))
    server, daemon = start(rig, endpoint.uri(), endpoint_down="fail")
    daemon.expect_failed_jobs()
    endpoint.stop()
    assert run(server, "f") == FAILED
    daemon.wait_for_line("reason=.*(refused)")
    endpoint.start()
    assert run(server, "f") == complete("fine")


def test_an_endpoint_without_that_script_fails_the_job(rig, web):
    server, daemon = start(rig, web.uri().replace("job.php", "no-such.php"))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert daemon.metric("driveshaft_http_errors", http_status="404") == 1


def test_a_php_error_is_shown_in_the_log(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(web.uri(run="crash"), ["f"])}))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line("a job that throws|500")


def test_one_bad_endpoint_leaves_other_pools_alone(rig, web):
    server = rig.gearmand()
    bad = rig.endpoint(raw(b"garbage"))
    daemon = rig.driveshaft(jobs_file([server], {"bad": pool(bad.uri(), ["f"]),
                                                 "good": pool(web.uri(), ["reverse"])}))
    daemon.expect_failed_jobs()
    with Client(server) as one, Client(server) as two:
        handles = one.submit_many("f", ["x"] * 100)
        assert two.run_all("reverse", ["ab"] * 100) == [complete("ba")] * 100
        assert [one.result(handle) for handle in handles] == [FAILED] * 100
    assert daemon.metric("driveshaft_errors", pool="bad") == 100
    assert daemon.metric("driveshaft_errors", pool="good") == 0
