# SPDX-License-Identifier: MIT
"""`driveshaft probe`: endpoints that conform to the contract, and fakes that break it in each possible way."""
import email.parser
import json
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

from behaviours import answer, chunked, contract, hang, raw, response, reverse
from certificates import Authority
from driveshaft import binary, run_binary
from fakes import FullEndpoint, SocketServer
from processes import Process, free_port, wait_until
from servers import NginxTls, PhpFpm, PhpFpmNginx, accepts
from test_signatures import EXAMPLES, new_secret, write

SAMPLES = ["plain job", "empty workload", "workload in UTF-8", "workload of all bytes", "workload of 1 MiB", "two at once",
           "keep-alive"]
REFUSALS = ["without a signature", "signed with another secret", "altered after it was signed", "signed an hour ago",
            "signed in an hour"]


def probe(uri, *options, expect):
    """Runs the probe. Returns its lines by sample, as (grade, text, remedy)."""
    done = run_binary("probe", uri, *options, timeout=60)
    assert done.returncode == expect and not done.stderr, done.stdout + done.stderr
    lines, last = {}, None
    for line in done.stdout.splitlines()[1:-1]:
        if line.startswith("      -> "):
            lines[last] = (*lines[last][:2], line[9:])
        else:
            grade, said = line[:6].strip(), line[6:]
            last, _, what = said.partition(": ")
            lines[last] = (grade, what, "")
    ending = done.stdout.splitlines()[-1]
    wrong = sum(grade == "WRONG" for grade, *_ in lines.values())
    assert ending == "it conforms" if not wrong else re.match(f"{wrong} findings?\\b", ending)
    return lines


def all_good(lines, samples=SAMPLES):
    assert list(lines) == samples
    assert {grade for grade, *_ in lines.values()} == {"ok"}, lines


@pytest.mark.parametrize("request_format", ["json", "multipart", "urlencoded"])
@pytest.mark.parametrize("way", ["uri", "uri_v6", "uri_unix"])
def test_php_behind_nginx_conforms(web, request_format, way):
    all_good(probe(getattr(web, way)(), "--function", "digest", "--format", request_format, expect=0))


def test_an_endpoint_that_streams_conforms(web):
    lines = probe(web.uri_of_example("stream.php"), "--workload", "3", expect=0)
    assert lines["plain job"][0] == "ok" and "7 updates of progress, gearman_ret 0" in lines["plain job"][1]
    assert {grade for grade, *_ in lines.values()} == {"ok"}, lines


def example(rig, *program, arguments=()):
    """Runs the server of an example, which takes the port before its other arguments. Returns its URI."""
    port = free_port()
    rig.started.append(server := Process("endpoint", rig.directory, [*program, port, *arguments]))
    server.start()
    wait_until(lambda: accepts("127.0.0.1", port), "the endpoint accepts connections")
    return f"http://127.0.0.1:{port}/"


@pytest.fixture(params=[[sys.executable, EXAMPLES / "stream.py"], ["node", EXAMPLES / "stream.mjs"]],
                ids=["python", "node"])
def streaming(request, rig):
    return example(rig, *request.param)


def test_examples_that_stream_conform_whatever_the_workload(streaming):
    """These examples send their status before they look at the workload."""
    lines = probe(streaming, "--workload", "3", expect=0)
    assert lines["plain job"][0] == "ok" and "7 updates of progress, gearman_ret 0" in lines["plain job"][1]
    assert lines["keep-alive"][0] == "ok"
    probe(streaming, "--workload", "three", expect=0)


def test_examples_that_stream_survive_a_request_that_is_not_json(streaming):
    for request_format in ("multipart", "urlencoded"):
        lines = probe(streaming, "--workload", "3", "--format", request_format, expect=0)
        assert "gearman_ret 1" in lines["plain job"][1]
    probe(streaming, "--workload", "3", expect=0)


def test_an_example_whose_result_is_not_utf_8_conforms(web):
    """The function Reverse reverses bytes, also those of one character."""
    lines = probe(web.uri_of_example("job.php"), "--function", "Reverse", expect=0)
    assert lines["plain job"][0] == "ok"
    assert lines["workload in UTF-8"][0] == "note" and "gearman_ret 1" in lines["workload in UTF-8"][1]


def test_tls(web):
    done = run_binary("probe", web.uri_tls(), "--function", "digest", env={"SSL_CERT_FILE": str(web.certificate)})
    assert done.returncode == 0 and done.stdout.endswith("it conforms\n")
    done = run_binary("probe", web.uri_tls(), "--function", "digest")
    assert done.returncode == 1 and "its certificate is not accepted" in done.stdout


class RefusesLargeBodies(SocketServer):
    """Speaks TLS. A request with a large body it answers, and closes the connection, before it has read the body."""

    def __init__(self, certificate):
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.certificate, certificate.key)

    def serve(self, sock, number):
        with self.context.wrap_socket(sock, server_side=True) as tls, tls.makefile("rb") as stream:
            while line := stream.readline():
                head = email.parser.BytesHeaderParser().parsebytes(b"".join(iter(stream.readline, b"\r\n")))
                if int(head["Content-Length"]) > 100_000:
                    return tls.sendall(response(b"", "413 Too Large", ["Connection: close"]))
                assert line.startswith(b"POST ") and stream.read(int(head["Content-Length"]))
                tls.sendall(response())


def test_an_endpoint_that_closes_its_tls_connection_before_it_has_read_all(tmp_path, rig):
    endpoint = rig.start(RefusesLargeBodies(Authority(tmp_path).issue("peer")))
    for _ in range(5):
        lines = probe(f"https://localhost:{endpoint.port}/", "--ca-file", tmp_path / "ca.pem", expect=1)
        assert lines["workload of 1 MiB"][0] == "WRONG"


def test_an_endpoint_that_wants_a_certificate(tmp_path, rig):
    authority = Authority(tmp_path)
    front = rig.start(NginxTls(tmp_path, rig.endpoint(answer(contract())), authority.issue("peer", "DNS:shop"), clients=authority))
    us, uri = authority.issue("us"), f"https://127.0.0.1:{front.port}/"
    trusted = ["--ca-file", authority.file, "--server-name", "shop"]
    all_good(probe(uri, *trusted, "--certificate-file", us.certificate, "--key-file", us.key, expect=0))
    assert probe(uri, *trusted, expect=1)["plain job"][0] == "WRONG"
    done = run_binary("probe", uri, "--ca-file", tmp_path / "nowhere")
    assert done.returncode == 2 and "ca_file" in done.stderr


@pytest.mark.parametrize("request_format", ["json", "urlencoded"])
def test_signatures_that_php_behind_nginx_verifies(tmp_path, web, request_format):
    path = write(tmp_path / "secrets", new_secret(), new_secret())
    uri = web.uri(secrets=path).replace("job.php", "signed.php")
    all_good(probe(uri, "--function", "digest", "--format", request_format, "--secret-file", path, expect=0),
             SAMPLES + REFUSALS)
    unsigned = probe(uri, "--function", "digest", expect=1)
    assert unsigned["plain job"][0] == "WRONG" and "--secret-file" in unsigned["plain job"][2]


def test_php_cannot_verify_a_multipart_request_and_is_told_so(tmp_path, web):
    path = write(tmp_path / "secrets", new_secret())
    uri = web.uri(secrets=path).replace("job.php", "signed.php")
    lines = probe(uri, "--function", "digest", "--format", "multipart", "--secret-file", path, expect=1)
    assert lines["plain job"][0] == "WRONG" and "PHP has no raw body" in lines["plain job"][2]


@pytest.mark.parametrize("program", [[sys.executable, EXAMPLES / "verify.py"], ["node", EXAMPLES / "verify.mjs"]],
                         ids=["python", "node"])
def test_the_examples_conform_and_verify(rig, program):
    path = write(rig.directory / "secrets", new_secret())
    uri = example(rig, *program, arguments=[path])
    all_good(probe(uri, "--secret-file", path, expect=0), SAMPLES + REFUSALS)
    other = probe(uri, "--secret-file", path, "--format", "urlencoded", expect=1)
    assert "HTTP status 400" in other["plain job"][1]
    all_good(probe(uri, "--secret-file", path, expect=0), SAMPLES + REFUSALS)


def test_an_endpoint_that_verifies_nothing(rig, tmp_path):
    endpoint = rig.endpoint(answer())
    lines = probe(endpoint.uri(), "--secret-file", write(tmp_path / "secrets", new_secret()), expect=1)
    all_good({name: lines[name] for name in SAMPLES})
    assert [lines[name][0] for name in REFUSALS] == ["WRONG"] * len(REFUSALS)
    assert "not refused" in lines[REFUSALS[0]][1] and "answer 401" in lines[REFUSALS[0]][2]


def test_an_endpoint_that_breaks_at_a_bad_signature(rig, tmp_path):
    seen = []

    def behave(request, sock):
        seen.append(request)
        return (answer() if len(seen) <= 8 else answer(b"", status="500 No"))(request, sock)
    lines = probe(rig.endpoint(behave).uri(), "--secret-file", write(tmp_path / "secrets", new_secret()), expect=1)
    assert lines[REFUSALS[0]][0] == "WRONG" and "as if the endpoint were in trouble" in lines[REFUSALS[0]][1]


WRONG = {
    "status 500": (answer(b"oops", status="500 Internal Server Error"), "HTTP status 500", "error log"),
    "a redirect": (answer(b"", status="302 Found", headers=["Location: /x"]), "HTTP status 302", "not followed"),
    "not found": (answer(b"", status="404 Not Found"), "HTTP status 404", "path of the URI"),
    "in maintenance": (answer(b"", status="503 No", headers=["Retry-After: 5"]), "HTTP status 503", "asks to wait"),
    "an empty body": (answer(b""), "the answer is empty", "the body is empty"),
    "a page": (answer(b"<html>It works!</html>"), "not JSON", "a page, not an answer"),
    "a warning before": (answer(b"Warning: x\n" + contract()), "not JSON", "display_errors=0"),
    "no gearman_ret": (answer(b'{"response_string": "x"}'), "gearman_ret is missing", "0 for success"),
    "a quoted gearman_ret": (answer(b'{"gearman_ret": "0", "response_string": ""}'), "gearman_ret is not", "without quotes"),
    "no response_string": (answer(b'{"gearman_ret": 0}'), "response_string is missing", "write response_string"),
    "a structured response_string": (answer(b'{"gearman_ret": 0, "response_string": [1]}'), "is not a string", "make"),
    "an array": (answer(b"[0]"), "not an object", "write an object around"),
    "half an answer": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "closed", "Content-Length"),
    "no answer": (raw(b""), "closed", "Content-Length"),
    "no HTTP": (raw(b"220 mail ready\r\n"), "HTTP", "https://"),
}


@pytest.mark.parametrize("name", WRONG)
def test_endpoints_that_are_wrong(rig, name):
    behave, what, remedy = WRONG[name]
    lines = probe(rig.endpoint(behave).uri(), expect=1)
    assert lines["plain job"][0] == "WRONG"
    assert what in lines["plain job"][1] and remedy in lines["plain job"][2]
    assert lines["empty workload"][0] == "WRONG"


def test_an_endpoint_that_does_not_answer(rig):
    started = time.monotonic()
    lines = probe(rig.endpoint(hang).uri(), "--timeout", "0.2", expect=1)
    assert lines["plain job"] == ("WRONG", "no whole answer within 0.2 s", lines["plain job"][2])
    assert time.monotonic() - started < 15


def test_an_endpoint_that_is_not_there(rig):
    lines = probe(f"http://127.0.0.1:{free_port()}/", expect=1)
    assert list(lines) == ["plain job"] and "cannot be reached" in lines["plain job"][1]
    full = rig.start(FullEndpoint())
    lines = probe(f"http://127.0.0.1:{full.port}/", "--timeout", "0.3", expect=1)
    assert list(lines) == ["plain job"]


ONE_SAMPLE = {
    "empty workload": lambda job: job["workload"] == "",
    "workload in UTF-8": lambda job: "ß" in job["workload"],
    "workload of all bytes": lambda job: "workload_encoding" in job,
    "workload of 1 MiB": lambda job: len(job["workload"]) == 1 << 20,
}


@pytest.mark.parametrize("sample", ONE_SAMPLE)
def test_an_endpoint_that_breaks_at_one_kind_of_workload(rig, sample):
    def behave(request, sock):
        broken = ONE_SAMPLE[sample](json.loads(request.body))
        return (answer(b"", status="500 No") if broken else answer())(request, sock)
    lines = probe(rig.endpoint(behave).uri(), expect=1)
    assert [name for name, (grade, *_) in lines.items() if grade != "ok"] == [sample]


@pytest.mark.parametrize("sample", ONE_SAMPLE)
def test_a_function_that_refuses_one_kind_of_workload_is_worth_a_note(rig, sample):
    def behave(request, sock):
        refused = ONE_SAMPLE[sample](json.loads(request.body))
        return answer(contract("no", ret=1) if refused else contract())(request, sock)
    lines = probe(rig.endpoint(behave).uri(), expect=0)
    assert {name: grade for name, (grade, *_) in lines.items() if grade != "ok"} == {sample: "note"}
    assert "workload_encoding" in lines[sample][2]


def test_an_endpoint_that_closes_its_connections(rig):
    for behave in (answer(keep=False, headers=["Connection: close"]), answer(version="HTTP/1.0", keep=False),
                   raw(b"HTTP/1.1 200 OK\r\n\r\n" + contract())):
        lines = probe(rig.endpoint(behave).uri(), expect=0)
        assert {name: grade for name, (grade, *_) in lines.items() if grade != "ok"} == {"keep-alive": "note"}
    all_good(probe(rig.endpoint(chunked(contract())).uri(), expect=0))


def test_an_endpoint_that_takes_one_job_at_a_time(rig):
    turn = threading.Lock()

    def behave(request, sock):
        with turn:
            time.sleep(0.2)  # the work of a job
            return answer()(request, sock)
    lines = probe(rig.endpoint(behave).uri(), expect=0)
    assert lines["two at once"][:2] == ("note", "the second waits for the first")
    assert "worker_count" in lines["two at once"][2]


def test_an_endpoint_that_breaks_when_two_come_at_once(rig):
    endpoint = rig.endpoint(lambda request, sock: behave(request, sock))
    met = threading.Barrier(2)

    def behave(request, sock):
        if len(endpoint.requests) < 7:
            return answer()(request, sock)
        met.wait(20)
        return answer(b"", status="500 No")(request, sock)
    lines = probe(endpoint.uri(), expect=1)
    assert [name for name, (grade, *_) in lines.items() if grade != "ok"] == ["two at once"]


def test_what_it_sends_is_what_the_options_say(rig, tmp_path):
    (tmp_path / "token").write_text("Bearer hunter2\n")
    endpoint = rig.endpoint(reverse)
    lines = probe(endpoint.uri(), "--function", "Sum", "--workload", "[1]", "--header", "X-Shop: de",
                  "--header", f"Authorization: @{tmp_path}/token", expect=0)
    all_good(lines)
    request = endpoint.requests[0]
    job = json.loads(request.body)
    assert (job["function_name"], job["workload"]) == ("Sum", "[1]")
    assert request.headers["x-shop"] == "de" and request.headers["authorization"] == "Bearer hunter2"
    assert request.headers["driveshaft-function"] == "Sum" and request.headers["driveshaft-handle"] == job["job_handle"]
    assert endpoint.connections == 2  # the first is used again, and two jobs at once need a second one
    basic = rig.endpoint(answer())
    probe(basic.uri(user="user:hunter2@"), expect=0)
    assert basic.requests[0].headers["authorization"].startswith("Basic ")
    assert "hunter2" not in run_binary("probe", basic.uri(user="user:hunter2@")).stdout


def test_help_and_mistakes(tmp_path):
    done = run_binary("probe", "--help")
    assert done.returncode == 0 and "--secret-file" in done.stdout and not done.stderr
    assert "driveshaft probe URI" in run_binary("--help").stdout
    for arguments in ([], ["h", "--timeout", "x"], ["ftp://h"], ["h", "--secret-file", tmp_path / "none"]):
        done = run_binary("probe", *arguments)
        assert done.returncode == 2 and not done.stdout
        assert done.stderr.startswith("driveshaft: ") and done.stderr.count("\n") == 1


def test_its_output_may_go_away(web):
    """The reader of its output ends early, as in `driveshaft probe … | head -1`."""
    done = subprocess.run(["sh", "-c", '"$0" probe "$1" --function digest | head -1', str(binary()), web.uri()],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("probing http://127.0.0.1:")


def test_a_limit_of_nginx_is_one_finding_with_the_setting(rig, tmp_path):
    """nginx closes the connection after a 413, but keeps it open after other answers."""
    web = rig.start(PhpFpmNginx(tmp_path, most_bytes=1000))
    lines = probe(web.uri(), "--function", "digest", expect=1)
    assert {name for name, (grade, *_) in lines.items() if grade != "ok"} == {"workload of 1 MiB"}
    assert "HTTP status 413" in lines["workload of 1 MiB"][1] and "client_max_body_size" in lines["workload of 1 MiB"][2]
    assert lines["keep-alive"][0] == "ok"


def test_a_php_fpm_that_is_taken_for_a_web_server_is_named(rig, tmp_path):
    fpm = rig.start(PhpFpm(tmp_path))
    lines = probe(f"http+unix://{urllib.parse.quote(str(fpm.socket_path), safe='')}/job.php", expect=1)
    assert lines["plain job"][0] == "WRONG" and "fcgi+unix://" in lines["plain job"][2]
    assert "keep-alive" not in lines, "no connection was seen to stay open"
    assert "write fcgi:// in the URI" in probe(f"http://127.0.0.1:{fpm.port}/job.php", expect=1)["plain job"][2]
