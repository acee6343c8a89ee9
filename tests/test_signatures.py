# SPDX-License-Identifier: MIT
"""Signed requests: which requests examples/verify.* accept and refuse, and how secrets change while jobs run."""
import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from behaviours import answer, contract, in_turn
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool, run_binary, sanitized
from processes import wait_until

EXAMPLES = Path(__file__).parent.parent / "examples"
FORMATS = ["json", "multipart", "urlencoded"]

# Each verifier reads cases from stdin, and prints for each why it is refused, or null.
VERIFIERS = {
    "php": ["php", "-r", f"""require '{EXAMPLES}/verify.php';
        echo json_encode(array_map(fn ($case) => driveshaft_refusal($case['headers'], base64_decode($case['body']),
            $case['secrets'], $case['now']), json_decode(stream_get_contents(STDIN), true)));"""],
    "python": [sys.executable, "-c", f"""import base64, json, sys; sys.path.insert(0, '{EXAMPLES}'); import verify
print(json.dumps([verify.refusal(case['headers'], base64.b64decode(case['body']), case['secrets'], now=case['now'])
                  for case in json.load(sys.stdin)]))"""],
    "node": ["node", "--input-type=module", "-e", f"""import {{refusal}} from '{EXAMPLES}/verify.mjs';
        const parts = [];
        for await (const part of process.stdin) parts.push(part);
        console.log(JSON.stringify(JSON.parse(Buffer.concat(parts)).map((c) =>
            refusal(c.headers, Buffer.from(c.body, 'base64'), c.secrets, 300, c.now))));"""],
}


def new_secret(size=32):
    return "whsec_" + base64.b64encode(os.urandom(size)).decode()


def write(path, *secrets):
    """Replaces the file in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{secret}\n" for secret in secrets))
    fresh.replace(path)
    return str(path)


def start(rig, uri, secrets, functions=("f", "reverse", "echo"), **settings):
    server = rig.gearmand()
    path = write(rig.directory / "secrets", *secrets)
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions, signing_secret_file=path, **settings)}))
    return server, daemon


def case(request, secrets, now=None, body=None, **headers):
    """A case for the verifiers: a request, with changes."""
    all_headers = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {"headers": {name: value for name, value in all_headers.items() if value is not None},
            "body": base64.b64encode(request.body if body is None else body).decode(), "secrets": secrets,
            "now": int(request.headers["webhook-timestamp"]) if now is None else now}


def verdicts(language, cases):
    done = subprocess.run(VERIFIERS[language], input=json.dumps(cases), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", VERIFIERS)
def test_the_examples_accept_what_is_signed_and_refuse_everything_else(rig, language):
    secret, other = new_secret(), new_secret(64)
    endpoint = rig.endpoint(answer())
    server = rig.gearmand()
    path = write(rig.directory / "secrets", secret)
    rig.driveshaft(jobs_file([server], {
        form: pool(endpoint.uri(), [form], request_format=form, signing_secret_file=path) for form in FORMATS}))
    workloads = [b"", b"text", bytes(range(256)), "Größe".encode(), b"w" * 100_000]
    for form in FORMATS:
        for workload in workloads:
            assert run(server, form, workload) == complete("done")
    good = [case(request, secrets) for request in endpoint.requests
            for secrets in ([secret], [other, secret], [secret.removeprefix("whsec_")])]
    assert verdicts(language, good) == [None] * len(FORMATS) * len(workloads) * 3

    for request in endpoint.requests[::len(workloads) - 1]:
        sent = int(request.headers["webhook-timestamp"])
        signature = request.headers["webhook-signature"]
        refused = {
            "altered body": case(request, [secret], body=request.body[:-1] + b"!"),
            "more body": case(request, [secret], body=request.body + b" "),
            "no body": case(request, [secret], body=b""),
            "wrong secret": case(request, [other]),
            "no secret": case(request, []),
            "altered id": case(request, [secret], webhook_id="job_0"),
            "altered time": case(request, [secret], webhook_timestamp=str(sent + 1)),
            "an old time": case(request, [secret], now=sent + 301),
            "a time to come": case(request, [secret], now=sent - 301),
            "no time": case(request, [secret], webhook_timestamp="now"),
            "a time with more to it": case(request, [secret], webhook_timestamp=f"{sent}\n"),
            "another version": case(request, [secret], webhook_signature=signature.replace("v1,", "v2,")),
            "half a signature": case(request, [secret], webhook_signature=signature[:-4]),
            "no signature": case(request, [secret], webhook_signature=""),
            "no headers": case(request, [secret], webhook_id=None, webhook_timestamp=None, webhook_signature=None),
        }
        found = dict(zip(refused, verdicts(language, list(refused.values()))))
        assert all(found.values()), found
        last = [case(request, [secret], now=sent + 300), case(request, [secret], now=sent - 300)]
        assert verdicts(language, last) == [None, None]


def test_during_a_rotation_either_secret_is_enough(rig):
    old, new = new_secret(), new_secret()
    endpoint = rig.endpoint(answer())
    server, _ = start(rig, endpoint.uri(), [new, old])
    assert run(server, "f") == complete("done")
    [request] = endpoint.requests
    assert [part[:3] for part in request.headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    for language in VERIFIERS:
        assert verdicts(language, [case(request, [new]), case(request, [old]), case(request, [new_secret()])]) \
            == [None, None, "no signature is right"]


@pytest.mark.parametrize("request_format", ["json", "urlencoded"])
def test_php_behind_nginx_takes_signed_jobs_and_no_others(rig, web, request_format):
    secret = new_secret()
    path = write(rig.directory / "secrets", secret)
    other = write(rig.directory / "others", new_secret())
    uri = web.uri(secrets=path).replace("job.php", "signed.php")
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {
        "Signed": pool(uri, ["reverse", "digest"], signing_secret_file=path),
        "Otherwise": pool(uri, ["echo"], signing_secret_file=other),
        "Unsigned": pool(uri, ["sum"])}, request_format=request_format))
    daemon.expect_failed_jobs()
    assert run(server, "reverse", "the workload") == complete("daolkrow eht")
    for workload in (b"", bytes(range(256)) * 8000, "Größe".encode() * 100_000):
        assert run(server, "digest", workload) == complete(
            f"{len(workload)} {hashlib.sha256(workload).hexdigest()}")
    assert run(server, "echo", "x") == FAILED
    assert run(server, "sum", "[1]") == FAILED
    assert daemon.metric("driveshaft_http_errors", http_status="401") == 2


def test_a_job_has_one_id_for_all_its_attempts_and_no_other_job_has_it(rig):
    secret = new_secret()
    endpoint = rig.endpoint(in_turn(answer(b"", status="500 No"), answer(b"", status="500 No"), answer()))
    server, _ = start(rig, endpoint.uri(), [secret], retry={"attempts": 3, "initial_delay": 0.01, "max_delay": 0.01})
    assert run(server, "f", unique="u") == complete("done")
    assert run(server, "f", unique="u") == complete("done")
    assert run(server, "reverse", unique="u") == complete("done")
    ids = [request.headers["webhook-id"] for request in endpoint.requests]
    assert len(ids) == 5 and len(set(ids[:3])) == 1 and len(set(ids)) == 3
    assert all(verdict is None for verdict in verdicts("python", [case(r, [secret]) for r in endpoint.requests]))


def test_a_job_that_gearmand_has_run_again_keeps_its_id(rig):
    """The driveshaft is killed while it runs the job."""
    endpoint = rig.endpoint(lambda request, sock: answer()(request, sock) if len(endpoint.requests) > 1 else hold(request))
    killed = []

    def hold(_):
        wait_until(lambda: killed, "the worker is killed")
        return False
    server, daemon = start(rig, endpoint.uri(), [new_secret()])
    with Client(server) as client:
        handle = client.submit("f", unique="u")
        wait_until(lambda: endpoint.requests, "the job runs")
        daemon.send(9)
        daemon.wait()
        killed.append(True)
        daemon.start()
        assert client.result(handle) == complete("done")
    first, second = endpoint.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_big_workload_is_signed_without_a_copy(rig):
    """The workload is a part of a multipart body. A copy would take 64 MiB more."""
    endpoint = rig.endpoint(answer())
    secret = new_secret()
    server, daemon = start(rig, endpoint.uri(), [secret], request_format="multipart")

    def peak():
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])
    workload = os.urandom(64 << 20)
    before = peak()
    assert run(server, "f", workload) == complete("done")
    if not sanitized(by=("tsan",)):
        assert peak() - before < 100_000  # kB; the packet itself contains the workload once
    assert verdicts("python", [case(endpoint.requests[0], [secret])]) == [None]


def test_secrets_change_while_jobs_run(rig):
    """Jobs run all the time, and each is signed with the secret that was in the file."""
    old, new = new_secret(), new_secret()
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri(), [old])
    path = rig.directory / "secrets"
    for secrets in ([old], [new, old], [new]):
        write(path, *secrets)
        if secrets != [old]:
            daemon.wait_for_line(f"^pool Regular: signing_secret_file .*secrets: other secrets, {len(secrets)} now$")
        assert run(server, "f") == complete("done")
        request = endpoint.requests[-1]
        found = verdicts("python", [case(request, [old]), case(request, [new])])
        assert [verdict is None for verdict in found] == [old in secrets, new in secrets]
    assert old not in daemon.log() and new not in daemon.log()


@pytest.mark.parametrize("content, why", [
    (None, "No such file"), ("", "no secret"), ("whsec_hunter2\n", "line 1"), ("hunter2\n" * 1000, "line 1"),
    ("x" * 70_000, "more than 65536 bytes")])
def test_a_broken_file_is_one_error_and_the_secrets_stay(rig, content, why):
    secret = new_secret()
    endpoint = rig.endpoint(answer())
    server, daemon = start(rig, endpoint.uri(), [secret])
    daemon.expect_errors("^jobs file .* is rejected")
    path = rig.directory / "secrets"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    line = daemon.wait_for_line("is rejected", level="ERROR")
    assert "pools_list.Regular.signing_secret_file" in line and str(path) in line and why in line
    assert "hunter2" not in daemon.log()
    assert run(server, "f") == complete("done")
    assert verdicts("python", [case(endpoint.requests[-1], [secret])]) == [None]

    other = new_secret()
    write(path, other)
    daemon.wait_for_line("signing_secret_file .*: other secrets, 1 now")
    assert run(server, "f") == complete("done")
    assert verdicts("python", [case(endpoint.requests[-1], [other])]) == [None]
    assert len(daemon.lines("is rejected", level="ERROR")) == 1


def test_a_broken_file_is_an_error_at_the_start_and_under_check(tmp_path):
    config = tmp_path / "jobs.json"
    config.write_text(json.dumps(jobs_file(["localhost"], {
        "P": pool("http://h/", ["f"], signing_secret_file=str(tmp_path / "none"),
                  headers={"X-A": {"file": write(tmp_path / "token", "hunter2", "hunter2")}})})))
    for options in (["--check"], ["--exporter_addr", ""]):
        done = run_binary("--jobsconfig", config, *options)
        assert done.returncode == 1
        assert "pools_list.P.signing_secret_file: file" in done.stderr and "No such file" in done.stderr
        assert "pools_list.P.headers.X-A.file: file" in done.stderr and "a line break" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr


def test_a_request_is_not_signed_where_nobody_asked(rig):
    endpoint = rig.endpoint(answer(contract()))
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"])}))
    assert run(server, "f") == complete("done")
    assert not [name for name in endpoint.requests[0].headers if name.startswith("webhook-")]


def test_an_openssl_that_cannot_sign_costs_jobs_and_not_the_process(rig):
    """The configuration of OpenSSL loads no provider that could sign."""
    conf = rig.directory / "openssl.cnf"
    conf.write_text("openssl_conf = init\n[init]\nproviders = providers\n[providers]\nbase = base\n"
                    "[base]\nactivate = 1\n")
    server, endpoint = rig.gearmand(), rig.endpoint(answer(contract("done")))
    path = write(rig.directory / "secrets", new_secret())
    daemon = rig.driveshaft(jobs_file([server], {
        "Signed": pool(endpoint.uri(), ["signed"], signing_secret_file=path),
        "Plain": pool(endpoint.uri(), ["plain"])}), env={"OPENSSL_CONF": str(conf)})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run_all("signed", ["w"] * 20) == [FAILED] * 20
    assert run(server, "plain", "w") == complete("done")
    daemon.wait_for_line("^Failed job: .*the request cannot be signed: OpenSSL does not compute HMAC-SHA256")
    assert daemon.metric("driveshaft_errors", pool="Signed") == 20
