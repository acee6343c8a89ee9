# SPDX-License-Identifier: MIT
"""Access to the exporter address: which tokens allow reading and actions, and commands that send them."""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import api
from behaviours import Gate, reverse
from certificates import Authority
from clients import Client, FAILED, complete, run, status
from driveshaft import jobs_file, pool, run_binary, sanitized
from processes import wait_until
from prometheus import Prometheus

READ = "a-token-that-may-read"
ACT = "a-token-that-may-act"
WRONG = "a-token-that-is-wrong"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(password, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def token_file(rig, token, name="read_token", mode=0o600):
    path = rig.directory / name
    fresh = path.with_suffix(".new")
    fresh.write_text(token + "\n")
    fresh.chmod(mode)
    fresh.replace(path)
    return path


def start(rig, behave=reverse, functions=("f",), **options):
    server = rig.gearmand()
    config = jobs_file([server], {"Web": pool(rig.endpoint(behave).uri(), list(functions))})
    return server, rig.driveshaft(config, **options)


PAGES = ["/", "/page.js", "/metrics", "/api/v1/status", "/api/v1/pools/Web", "/api/v1/events", "/nothing"]


def test_reading_wants_the_token(rig):
    server, daemon = start(rig, admin_read_token_file=token_file(rig, READ))
    assert run(server, "f", "ab") == complete("ba")
    for page in PAGES:
        for headers in ({}, {"Authorization": "Digest x"}, {"Authorization": "Bearer"}, {"Authorization": "Basic !"}):
            status, body, answered = daemon.get(page, headers=headers)
            assert status == 401 and "--admin_read_token_file" in body, page
            assert answered.get_all("www-authenticate") == ['Basic realm="driveshaft", charset="UTF-8"',
                                                            'Bearer realm="driveshaft"']
    for headers in (bearer(READ), {"Authorization": f"bearer {READ}"}, basic(READ), basic(READ, ""), basic(READ, "ü")):
        for page in ("/", "/metrics", "/api/v1/status"):
            assert daemon.get(page, headers=headers)[0] == 200
        assert daemon.get("/nothing", headers=headers)[0] == 404
    for headers in (bearer(WRONG), basic(WRONG), basic("anybody", READ), bearer(READ + "x"), bearer(READ[:-1])):
        assert daemon.get("/metrics", headers=headers)[0] == 401
    assert daemon.get("/metrics", method="POST", headers=bearer(READ))[0] == 405
    assert daemon.get("/api/v1/control/drain", method="POST", headers=bearer(READ))[0] == 405


def test_probes_need_no_token_and_say_no_more_than_the_status(rig):
    server, daemon = start(rig, admin_read_token_file=token_file(rig, READ))
    assert daemon.get("/healthz")[:2] == daemon.get("/readyz")[:2] == (200, "ok\n")
    assert daemon.get("/readyz", headers=bearer(READ))[1] == "1 connection to gearmand\n"
    assert daemon.get("/readyz", headers=bearer(WRONG))[0] == 401
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[:2] == (503, "not ok\n"), "not ready")
    assert "connected to no gearmand" in daemon.get("/readyz", headers=basic(READ))[1]
    daemon.expect_errors(server.address)


def test_prometheus_scrapes_with_the_token(rig, tmp_path):
    path = token_file(rig, READ)
    _, daemon = start(rig, admin_read_token_file=path)
    for number, settings in enumerate(({"authorization": {"credentials_file": str(path)}},
                                       {"basic_auth": {"username": "prometheus", "password_file": str(path)}})):
        prometheus = rig.start(Prometheus(tmp_path, [daemon], name=f"prometheus-{number}", scrape=settings))
        wait_until(lambda: prometheus.value("up") == 1, "it is scraped")


def test_a_changed_token_is_in_force_at_once_and_a_broken_one_changes_nothing(rig):
    path = token_file(rig, READ)
    _, daemon = start(rig, admin_read_token_file=path)
    token_file(rig, "another-token-to-read-with")
    wait_until(lambda: daemon.get("/metrics", headers=bearer("another-token-to-read-with"))[0] == 200, "the new one is taken")
    assert daemon.get("/metrics", headers=bearer(READ))[0] == 401
    daemon.expect_errors("what was read before stays in force")
    token_file(rig, "short")
    assert "at least 16 bytes" in daemon.wait_for_line(f"--admin_read_token_file {path}: .* stays in force", level="ERROR")
    path.unlink()
    daemon.wait_for_line("it cannot be read: No such file", level="ERROR")
    assert daemon.get("/metrics", headers=bearer("another-token-to-read-with"))[0] == 200
    token_file(rig, READ, mode=0o644)
    wait_until(lambda: daemon.get("/metrics", headers=bearer(READ))[0] == 200, "a good one is read again")
    daemon.wait_for_line("every user of this machine may read it", level="WARN")
    assert "token-to-read" not in daemon.log() and READ not in daemon.log()


@pytest.mark.parametrize("option", ["admin_read_token_file", "admin_token_file"])
def test_an_unusable_token_refuses_the_start(tmp_path, option):
    config = tmp_path / "jobs.json"
    config.write_text(json.dumps(jobs_file(["127.0.0.1:1"], {})))
    for name, content, said in (("empty", "", "at least 16 bytes"), ("short", "t0psecret-short", "at least 16 bytes"),
                                ("words", "t0psecret with spaces", "one line with a token"),
                                ("nowhere", None, "No such file")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        for more in ([], ["--check"]):
            done = run_binary("--jobsconfig", config, "--exporter_addr", "127.0.0.1:0", f"--{option}", path, *more)
            assert done.returncode == 2, done.stderr
            (line,) = [line for line in done.stderr.splitlines() if line.startswith("driveshaft: ")]
            assert f"--{option} {path}: " in line and said in line
            assert "t0psecret" not in done.stdout + done.stderr


def test_a_thousand_wrong_tokens_are_slowed_and_hold_nobody_up(rig):
    """The wrong tokens come from one address, over fifty connections at a time, while other clients scrape and a job runs."""
    server, daemon = start(rig, admin_read_token_file=token_file(rig, READ))
    assert daemon.get("/metrics", headers=bearer(READ))[0] == 200
    before = rss(daemon)

    def guess(number):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, 30, source_address=("127.0.0.2", 0))
        waited = []
        for again in range(20):
            began = time.monotonic()
            connection.request("GET", "/metrics", headers=bearer(f"{WRONG}-{number}-{again}"))
            answer = connection.getresponse()
            answer.read()
            waited.append(time.monotonic() - began)
            assert answer.status == 401
        connection.close()
        return waited
    with concurrent.futures.ThreadPoolExecutor(50) as threads:
        guesses = [threads.submit(guess, number) for number in range(50)]
        answered = 0
        while not all(one.done() for one in guesses):
            for headers in (bearer(READ), basic(READ)):
                began = time.monotonic()
                assert daemon.get("/metrics", headers=headers)[0] == 200
                answered += time.monotonic() - began < 1
            assert run(server, "f", "ab") == complete("ba")
        waited = sorted(seconds for one in guesses for seconds in one.result())
    assert len(waited) == 1000
    assert waited[100] >= 0.9, "nearly all of them have waited for a second"
    assert answered > 10, "the right token is answered meanwhile"
    assert daemon.get("/metrics", headers=bearer(WRONG))[0] == 401, "another address is not slowed, nor locked out"
    if not sanitized():  # sanitizers keep memory that was freed
        assert rss(daemon) < before + 20e6
    told = daemon.lines("wrong token", level="WARN")
    assert 1 <= len(told) <= 3 and "127.0.0.2" in told[0]
    assert WRONG not in daemon.log() and READ not in daemon.log()


def rss(daemon):
    return int(open(f"/proc/{daemon.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_one_token_for_reading_and_acting_is_warned_of(tmp_path):
    config = tmp_path / "jobs.json"
    config.write_text(json.dumps(jobs_file(["127.0.0.1:1"], {})))
    for name, token in (("read", READ), ("act", ACT), ("same", READ + "\n")):
        (tmp_path / name).write_text(token)
        (tmp_path / name).chmod(0o600)
    for other, warned in (("act", False), ("same", True)):
        done = run_binary("--check", "--jobsconfig", config, "--admin_read_token_file", tmp_path / "read",
                          "--admin_token_file", tmp_path / other)
        assert done.returncode == 0, done.stderr
        assert ("have the same token" in done.stdout + done.stderr) == warned
        assert READ not in done.stdout + done.stderr


def test_a_token_that_the_user_may_not_read_names_the_user_and_the_remedy():
    if os.geteuid() != 0:
        pytest.skip("root alone becomes another user")
    with tempfile.TemporaryDirectory() as name:  # other users may not enter pytest's directory
        directory = Path(name)
        directory.chmod(0o755)
        config, token = directory / "jobs.json", directory / "token"
        config.write_text(json.dumps(jobs_file(["127.0.0.1:1"], {})))
        config.chmod(0o644)
        token.write_text(READ)
        token.chmod(0o600)
        done = run_binary("--jobsconfig", config, "--exporter_addr", "127.0.0.1:0", "--user", "nobody",
                          "--admin_token_file", token)
    assert done.returncode == 2, done.stderr
    assert "it cannot be read: Permission denied; this process runs as the user nobody" in done.stderr
    assert "(chown or chmod)" in done.stderr


def test_commands_show_the_token_of_a_file(rig):
    path = token_file(rig, READ)
    _, daemon = start(rig, admin_read_token_file=path)
    address = f"127.0.0.1:{daemon.port}"
    wait_until(lambda: run_binary("status", address, "--token_file", path).returncode == 0, "all is well")
    for command in ("status", "jobs", "failures"):
        assert run_binary(command, address, "--token_file", path).returncode == 0
        assert run_binary(command, f"--url=http://{address}/", env={"DRIVESHAFT_TOKEN_FILE": str(path)}).returncode == 0
        refused = run_binary(command, address, env={"DRIVESHAFT_TOKEN_FILE": ""})
        assert refused.returncode == 9
        assert "answers HTTP status 401: reading wants the token" in refused.stderr and "--token_file" in refused.stderr
    wrong = token_file(rig, WRONG, "wrong")
    refused = run_binary("status", address, "--token_file", wrong, env={"DRIVESHAFT_TOKEN_FILE": str(path)})
    assert refused.returncode == 9 and "the token is wrong" in refused.stderr, "the option comes before the variable"
    unreadable = run_binary("status", address, "--token_file", rig.directory / "nowhere")
    assert unreadable.returncode == 2
    assert f"--token_file {rig.directory}/nowhere: it cannot be read: No such file" in unreadable.stderr


def test_no_token_is_shown(rig):
    _, daemon = start(rig, admin_read_token_file=token_file(rig, READ))
    for page in ("/", "/metrics", "/readyz", "/api/v1/status", "/api/v1/config", "/api/v1/pools/Web"):
        assert READ not in daemon.get(page, headers=bearer(READ))[1], page
    assert api.openapi()["components"]["securitySchemes"].keys() == {"bearer", "basic"}
    assert READ not in daemon.log()
    assert READ not in open(f"/proc/{daemon.pid}/cmdline").read() + open(f"/proc/{daemon.pid}/environ").read()


# --- acting

def act(daemon, action, headers, body=None):
    """Requests an action. Returns the status and the sentence of the answer."""
    got, text, answered = daemon.get(f"/api/v1/control/{action}", method="POST", headers=headers,
                                     body=json.dumps(body or {}).encode())
    said = json.loads(text)
    assert set(said) == ({"done"} if got == 200 else {"error"})
    return got, next(iter(said.values())), answered


def test_acting_wants_the_admin_token(rig):
    server, daemon = start(rig, admin_token_file=token_file(rig, ACT, "admin_token"))
    pause = {"pool": "Web"}
    for page in PAGES[:5]:
        assert daemon.get(page)[0] == 200, "everybody may read"
    for headers in ({}, basic(ACT), {"Authorization": ACT}):
        got, said, answered = act(daemon, "pause", headers, pause)
        assert got == 401 and "--admin_token_file" in said
        assert answered.get_all("www-authenticate") == ['Bearer realm="driveshaft"'], "no browser asks for a password"
    assert act(daemon, "pause", bearer(WRONG), pause)[:2] == (401, "the token is wrong")
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{daemon.port + 1}"):
        got, said, _ = act(daemon, "pause", {**bearer(ACT), "Origin": origin}, pause)
        assert got == 403 and origin in said
    assert status(server, "f").workers == 1, "nothing was done"

    said = "pool Web is paused (deploy): no more jobs are taken, running ones finish"
    assert act(daemon, "pause", bearer(ACT), {**pause, "reason": "deploy"})[:2] == (200, said)
    assert daemon.wait_for_line("^control, ", level="INFO") == f"control, token, 127.0.0.1: {said}"
    own = {**bearer(ACT), "Origin": f"http://127.0.0.1:{daemon.port}"}
    assert act(daemon, "resume", own, pause)[0] == 200
    daemon.expect_errors("control, .*: not done")
    assert act(daemon, "resume", own, pause)[0] == 409
    assert act(daemon, "explode", own)[0] == 404
    assert daemon.get("/api/v1/control/pause", headers=own)[0] == 405
    for page in ("/", "/metrics", "/api/v1/status", "/healthz"):
        assert daemon.get(page, method="POST", headers=own)[0] == 405
    counted = {(labels["action"], labels["outcome"]): value for name, labels, value in daemon.samples()
               if name == "driveshaft_control_actions_total" and value}
    assert counted == {("pause", "done"): 1, ("resume", "done"): 1, ("resume", "refused"): 1}
    many = {"handles": [f"H:some-host.example:{number}" for number in range(1000)]}
    assert act(daemon, "cancel", own, many)[0] == 404, "it is not too long"
    assert api.get(daemon, "/status")["daemon"]["takes_actions"] is True
    assert ACT not in daemon.log()


def test_without_an_admin_token_nothing_acts(rig):
    _, daemon = start(rig, control_socket=rig.directory / "control.sock")
    assert api.get(daemon, "/status")["daemon"]["takes_actions"] is False
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        got, _, answered = daemon.get("/api/v1/control/pause", method=method, headers=bearer(ACT))
        assert (got, answered["allow"]) == (405, "GET, HEAD")
    refused = run_binary("pause", "Web", "--url", f"127.0.0.1:{daemon.port}", "--token_file", token_file(rig, ACT))
    assert refused.returncode == 10 and "was started without --admin_token_file, so it takes no commands" in refused.stderr
    without = run_binary("pause", "Web", "--url", f"http://127.0.0.1:{daemon.port}", env={"DRIVESHAFT_TOKEN_FILE": ""})
    assert without.returncode == 2 and len(without.stderr.splitlines()) == 1
    assert "pause with --url needs --token_file" in without.stderr and "--admin_token_file" in without.stderr


def test_who_may_read_may_not_act_and_who_may_act_may_read(rig):
    _, daemon = start(rig, admin_read_token_file=token_file(rig, READ), admin_token_file=token_file(rig, ACT, "admin_token"))
    assert act(daemon, "pause", bearer(READ), {"pool": "Web"})[0] == 403
    assert daemon.get("/metrics", headers=basic(ACT))[0] == daemon.get("/metrics", headers=bearer(ACT))[0] == 200
    assert daemon.get("/metrics")[0] == 401
    assert act(daemon, "pause", bearer(ACT), {"pool": "Web"})[0] == 200


def test_commands_act_over_the_network(rig):
    gate = Gate(reverse)
    server, daemon = start(rig, gate, admin_token_file=token_file(rig, ACT, "admin_token"))
    daemon.expect_failed_jobs()
    daemon.expect_errors("control, .*: not done")
    token = token_file(rig, ACT, "mine")
    there = ("--url", f"127.0.0.1:{daemon.port}", "--token_file", token)

    def obeyed(*arguments):
        done = run_binary(*arguments, *there)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
    assert "pool Web is paused for 600 s" in obeyed("pause", "Web", "--for", "10m")
    assert obeyed("resume", "Web") == "pool Web takes jobs again"
    with Client(server) as client:
        job = client.submit("f", "x")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        assert obeyed("cancel", job.decode()) == "1 job was cancelled"
        assert client.result(job) == FAILED
    gate.open()
    assert "(token, 127.0.0.1)" in api.get(daemon, "/failures")["failures"][0]["reason"]
    assert "the jobs file was read, and is in force" in obeyed("reload")
    assert "has the level debug" in obeyed("log-level", "Main", "debug", "--for", "1s")
    again = run_binary("resume", "Web", *there)
    assert again.returncode == 10 and "it is not paused" in again.stderr
    wrong = run_binary("resume", "Web", "--url", f"127.0.0.1:{daemon.port}", "--token_file", token_file(rig, ACT[::-1], "wrong"))
    assert wrong.returncode == 10 and "the token is wrong; --token_file, or the variable" in wrong.stderr
    assert "no more jobs are taken" in obeyed("drain")
    assert daemon.wait() == 0
    assert ACT not in daemon.log()


# --- TLS

def start_tls(rig, authority, days=30, **options):
    own = authority.issue("exporter", days=days)
    server, daemon = start(rig, until=None, exporter_certificate_file=own.certificate, exporter_key_file=own.key, **options)
    wait_until(lambda: daemon.lines("^metrics on https://"), "it serves")
    wait_until(lambda: over_tls(daemon, authority, "/readyz")[0] == 200, "it is ready")
    return server, daemon, own


def tls_to(authority):
    return ssl.create_default_context(cafile=authority.file)


def over_tls(daemon, authority, page, headers=None, context=None):
    request = urllib.request.Request(f"https://localhost:{daemon.port}{page}", headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20, context=context or tls_to(authority)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_page_api_and_metrics_over_tls(rig):
    authority = Authority(rig.directory)
    server, daemon, _ = start_tls(rig, authority, admin_read_token_file=token_file(rig, READ))
    assert run(server, "f", "ab") == complete("ba")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_to(authority)
        context.minimum_version = context.maximum_version = version
        for page in ("/", "/dygraph.js", "/metrics", "/api/v1/status"):
            got, body = over_tls(daemon, authority, page, bearer(READ), context)
            assert got == 200 and len(body) > 500, page
    assert over_tls(daemon, authority, "/metrics")[0] == 401

    silent = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(20)]
    for plain in silent[:10]:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):  # the daemon does not read the rest
            assert b"HTTP/1.1" not in plain.recv(1000), "it is not answered in plain text"
    assert over_tls(daemon, authority, "/metrics", bearer(READ))[0] == 200, "and nobody is held up"
    for one in silent:
        one.close()

    connection = http.client.HTTPSConnection("localhost", daemon.port, timeout=20, context=tls_to(authority))
    connection.request("GET", "/api/v1/events", headers=bearer(READ))
    events = connection.getresponse()
    assert events.status == 200
    assert [events.fp.readline()[:7] for _ in range(8)].count(b"data: {") == 2, "events come"
    connection.close()


def test_prometheus_scrapes_over_tls(rig, tmp_path):
    authority = Authority(rig.directory)
    _, daemon, _ = start_tls(rig, authority)
    scrape = {"scheme": "https", "tls_config": {"ca_file": str(authority.file)}}
    prometheus = rig.start(Prometheus(tmp_path, [daemon], scrape=scrape))
    wait_until(lambda: prometheus.value("up") == 1, "it is scraped")


def test_a_renewed_certificate_is_shown_to_new_connections(rig):
    authority = Authority(rig.directory)
    _, daemon, own = start_tls(rig, authority, days=1)
    kept = http.client.HTTPSConnection("localhost", daemon.port, timeout=20, context=tls_to(authority))

    def asked():
        kept.request("GET", "/healthz")
        return kept.getresponse().read()
    assert asked() == b"the loop turns\n"

    def shown():
        with socket.create_connection(("localhost", daemon.port), 20) as sock:
            with tls_to(authority).wrap_socket(sock, server_hostname="localhost") as secure:
                return secure.getpeercert()["serialNumber"]
    before = shown()
    text = over_tls(daemon, authority, "/metrics")[1]
    assert f'driveshaft_certificate_end_timestamp_seconds{{file="{own.certificate}"}}' in text
    status = json.loads(over_tls(daemon, authority, "/api/v1/status")[1])
    assert f"the certificate {own.certificate} ends" in status["summary"], "it is valid for a day"
    daemon.expect_errors("what was read before stays in force")
    own.key.write_text("broken")
    daemon.wait_for_line(f"--exporter_key_file {own.key}: expected a private key in PEM .* stays in force", level="ERROR")
    assert shown() == before
    authority.issue("exporter")  # this replaces the files
    wait_until(lambda: shown() != before, "the new one is shown")
    assert asked() == b"the loop turns\n", "a connection goes on"
    kept.close()


def test_commands_over_tls(rig):
    authority = Authority(rig.directory)
    _, daemon, _ = start_tls(rig, authority, admin_token_file=token_file(rig, ACT, "admin_token"))
    url = f"https://localhost:{daemon.port}"
    wait_until(lambda: run_binary("status", url, "--ca_file", authority.file).returncode == 0, "all is well")
    assert run_binary("jobs", "--url", url, "--ca_file", authority.file).returncode == 0
    done = run_binary("pause", "Web", "--url", url, "--ca_file", authority.file, "--token_file", token_file(rig, ACT))
    assert "pool Web is paused" in done.stdout
    stranger = run_binary("status", url, "--ca_file", Authority(rig.directory, "stranger").file)
    assert stranger.returncode == 9 and f"cannot connect to {url}: TLS handshake failed: its certificate is not accepted" in stranger.stderr
    named = run_binary("status", f"https://127.0.0.2:{daemon.port}", "--ca_file", authority.file)
    assert named.returncode == 9, "it listens on 127.0.0.1 alone"
    plain = run_binary("status", f"127.0.0.1:{daemon.port}")
    assert plain.returncode == 9 and "no answer from http://" in plain.stderr
    assert f"where the exporter speaks TLS the address is https://127.0.0.1:{daemon.port}" in plain.stderr
    untrusted = run_binary("status", url)
    assert untrusted.returncode == 9 and "--ca_file names others" in untrusted.stderr
    nowhere = run_binary("status", url, "--ca_file", rig.directory / "nowhere")
    assert nowhere.returncode == 2 and "--ca_file" in nowhere.stderr and "No such file" in nowhere.stderr


def test_unusable_certificates_refuse_the_start(tmp_path):
    config = tmp_path / "jobs.json"
    config.write_text(json.dumps(jobs_file(["127.0.0.1:1"], {})))
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    for certificate, key, said in ((tmp_path / "nowhere", one.key, "--exporter_certificate_file .*nowhere: cannot be read"),
                                   (one.certificate, config, "--exporter_key_file .*jobs.json: expected a private key"),
                                   (one.certificate, other.key, "--exporter_key_file .*: the key is not that of the certificate")):
        for more in ([], ["--check"]):
            done = run_binary("--jobsconfig", config, "--exporter_addr", "127.0.0.1:0", "--exporter_certificate_file", certificate,
                              "--exporter_key_file", key, *more)
            assert done.returncode == 2 and re.search(said, done.stderr), done.stderr
