# SPDX-License-Identifier: MIT
"""TLS to gearmand, through stunnel, and to endpoints: which certificates are trusted, messages about those that are not, and
files that are replaced while the daemon runs."""
import hashlib
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from behaviours import Gate, answer, contract, reverse
from certificates import Authority, Certificate
from clients import Client, FAILED, complete, run, worker_links
from driveshaft import jobs_file, pool, run_binary
from fakes import DeafEndpoint
from load import Load, under_load
from processes import HangingFile, Process, free_port, let_pass, wait_until
from servers import NginxTls, Stunnel

GUIDE = Path(__file__).parent.parent / "docs/guides/tls.md"
SETTLED = 1.1  # seconds after which a changed file is read


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def peer(ca):
    return ca.issue("peer")


@pytest.fixture(scope="module")
def us(ca):
    return ca.issue("driveshaft", "DNS:driveshaft")


def tunnel(rig, server, certificate, **options):
    return rig.start(Stunnel(rig.directory, server, certificate, **options))


def pools(endpoint, **settings):
    return {"Regular": pool(endpoint.uri(), ["reverse", "f"], **settings)}


def connections(daemon):
    return daemon.metric("driveshaft_gearmand_connections")


def replace(certificate, by):
    for old, new in zip(certificate, by):
        shutil.copy(new, f"{old}.new")
        os.replace(f"{old}.new", old)


# --- gearmand

@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_jobs_of_a_gearmand_behind_mutual_tls_run(rig, ca, peer, us, host):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer, clients=ca, host=host)
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted(us))], pools(endpoint)))
    with Client(server) as client:
        assert client.run_all("reverse", [f"job {n}" for n in range(500)]) == [
            complete(f"job {n}"[::-1]) for n in range(500)]
    assert connections(daemon) == 1
    assert len(worker_links(server)) == 1
    wait_until(lambda: json.loads(daemon.get("/api/v1/servers")[1])["servers"][0]["queue"], "its queue is read, too")
    in_force = json.loads(daemon.get("/api/v1/config")[1])["in_force"]
    assert in_force["gearman_servers_list"] == [front.entry(ca.trusted(us))]
    assert "tls" in daemon.config_path.read_text() and "BEGIN" not in daemon.log()


def test_the_systems_authorities_are_trusted_by_default(rig, ca, peer):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer)
    rig.driveshaft(jobs_file([front.entry(True)], pools(endpoint)), env={"SSL_CERT_FILE": str(ca.file)})
    assert run(server, "reverse", "ab") == complete("ba")


def test_one_server_over_tls_and_one_plain(rig, ca, peer):
    plain, hidden = rig.gearmand(), rig.gearmand("hidden")
    endpoint = rig.endpoint(reverse)
    front = tunnel(rig, hidden, peer)
    daemon = rig.driveshaft(jobs_file([plain, front.entry(ca.trusted())], pools(endpoint, gearmand_connections=2)))
    wait_until(lambda: connections(daemon) == 4, "both servers are connected to")
    for server in (plain, hidden):
        with Client(server) as client:
            assert client.run_all("reverse", ["ab"] * 200) == [complete("ba")] * 200
    front.stop()
    wait_until(lambda: connections(daemon) == 2, "the loss is noticed")
    assert run(plain, "reverse", "ab") == complete("ba")
    front.start()
    wait_until(lambda: connections(daemon) == 4, "it is connected to again", 10)
    assert run(hidden, "reverse", "ab") == complete("ba")


def test_any_bytes_and_sizes_go_both_ways(rig, ca, peer, us):
    """They go through TLS at gearmand and at the endpoint."""
    def digest(request, sock):
        size, rest = request.body.split(b"\0", 1)
        return answer(contract(hashlib.sha256(rest).hexdigest() + "x" * int(size)))(request, sock)

    def strip(request, sock):  # answers with the workload of the request
        boundary = request.headers["content-type"].split("boundary=")[1].encode()
        part = request.body.split(b'name="workload"')[1].split(b"\r\n\r\n", 1)[1]
        request.body = part[:part.index(b"\r\n--" + boundary)]
        return digest(request, sock)
    server = rig.gearmand()
    endpoint = rig.endpoint(strip)
    front = tunnel(rig, server, peer, clients=ca)
    https = tunnel(rig, endpoint, peer, name="https")
    rig.driveshaft(jobs_file([front.entry(ca.trusted(us))],
                             {"Regular": pool(https.uri(), ["f"], endpoint_tls=ca.trusted(), request_format="multipart")}))
    with Client(server) as client:
        jobs = []
        for size in (0, 1, 16383, 16384, 16385, 1_000_000, 50_000_000):
            data = os.urandom(size)
            jobs.append((client.submit("f", b"%d\0" % size + data), hashlib.sha256(data).hexdigest() + "x" * size))
        for handle, expected in jobs:
            assert client.result(handle) == complete(expected)


def cases():
    """name: (the tunnel's certificate, of the CA or the stranger; whether the tunnel requires one; `tls`; the text in the
    log)."""
    trusts = lambda ca, stranger, us: ca.trusted(us)  # noqa: E731
    return {
        "unknown authority": ("peer", False, lambda ca, stranger, us: stranger.trusted(),
                              r"certificate is not accepted: .*issuer certificate \(trusted are the authorities in ca_file /.*"),
        "system's authorities alone": ("peer", False, lambda ca, stranger, us: True,
                                       r"certificate is not accepted: .* \(trusted are the system's CAs.*ca_file in tls"),
        "expired": ("expired", False, trusts, r"certificate has expired \(it has to be renewed there, or this machine's clock"),
        "another address": ("elsewhere", False, trusts, r"IP address mismatch \(expected 127\.0\.0\.1; .*server_name in tls"),
        "another name": ("peer", False, lambda ca, stranger, us: ca.trusted(us, server_name="other.example"),
                         r"hostname mismatch \(expected other\.example; .*server_name in tls"),
        "no certificate of ours": ("peer", True, lambda ca, stranger, us: ca.trusted(),
                                   r"certificate required \(it wants a certificate of us: give certificate_file"),
        "our certificate is a stranger's": ("peer", True,
                                            lambda ca, stranger, us: ca.trusted(stranger.issue("us")),
                                            r"unknown ca \(it does not accept our certificate: certificate_file"),
        "our certificate has expired": ("peer", True, lambda ca, stranger, us: ca.trusted(ca.issue("old", days=0)),
                                        r"certificate expired \(it does not accept our certificate"),
    }


@pytest.mark.parametrize("case", cases())
def test_a_gearmand_that_is_not_to_be_trusted_or_does_not_trust_us_is_told_of_and_left_alone(
        rig, ca, stranger, us, case):
    which, demands, tls, line = cases()[case]
    certificate = {"peer": lambda: ca.issue("peer"), "expired": lambda: ca.issue("expired", days=0),
                   "elsewhere": lambda: ca.issue("elsewhere", "DNS:elsewhere.example,IP:127.0.0.2")}[which]()
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, certificate, clients=ca if demands else None)
    daemon = rig.driveshaft(jobs_file([front.entry(tls(ca, stranger, us))], pools(endpoint)), until="/healthz")
    daemon.wait_for_line(f"^gearmand {front.address}: .*{line}", level="WARN")
    assert connections(daemon) == 0 and daemon.get("/readyz")[0] == 503
    assert not worker_links(server)
    # When the cause is removed, jobs run.
    good = ca.trusted(us, server_name={"elsewhere": "elsewhere.example"}.get(which, "localhost"),
                      verify=which != "expired")
    if which == "expired":
        del good["ca_file"]
    daemon.reload(jobs_file([front.entry(good)], pools(endpoint)))
    assert run(server, "reverse", "ab") == complete("ba")
    daemon.wait_for_line(f"^gearmand {front.address}: connected")
    assert len(daemon.lines(f"^gearmand {front.address}: .*trying again")) == 1


def test_another_name_than_the_address_is_verified_if_one_is_given(rig, ca, us):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, ca.issue("named", "DNS:gearman.example"))
    rig.driveshaft(jobs_file([front.entry(ca.trusted(server_name="gearman.example"))], pools(endpoint)))
    assert run(server, "reverse", "ab") == complete("ba")


def test_a_gearmand_without_tls_behind_an_entry_with_it_is_told_of(rig, ca):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([{"address": server.address, "tls": ca.trusted()}], pools(endpoint)),
                            until="/healthz")
    daemon.wait_for_line(r"TLS handshake failed: .*\(does it speak TLS on this port\?\)", level="WARN")


def test_a_gearmand_with_tls_behind_a_plain_entry_is_told_of(rig, peer):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer)
    daemon = rig.driveshaft(jobs_file([front], pools(endpoint)), until="/healthz")
    daemon.wait_for_line(r"connection lost: .*, before it sent anything \(if it expects TLS, its entry in "
                         "gearman_servers_list needs tls", level="WARN")


def test_a_tunnel_without_a_gearmand_behind_it_is_told_of(rig, ca, peer):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer)
    server.stop()
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted())], pools(endpoint)), until="/healthz")
    daemon.wait_for_line(r"connection lost: .*, before it sent anything \(if it is a tunnel", level="WARN")
    server.start()
    wait_until(lambda: connections(daemon) == 1, "it is connected", 15)


def test_the_tunnel_in_the_manual_works(rig, ca, peer, us):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    text = re.search(r"```ini\n(.*?)```", GUIDE.read_text(), re.S)[1]
    port = free_port()
    for written, ours in {"4731": port, "127.0.0.1:4730": server.address, "/etc/stunnel/gearman-1.pem": peer.certificate,
                          "/etc/stunnel/gearman-1.key": peer.key, "/etc/stunnel/ca.pem": ca.file}.items():
        assert written in text
        text = text.replace(written, str(ours))
    conf = rig.directory / "gearmand.conf"
    conf.write_text(text)
    rig.start(Process("stunnel", rig.directory, ["stunnel4", conf]))
    entries = [{"address": f"{host}:{port}", "tls": ca.trusted(us)} for host in ("127.0.0.1", "[::1]")]
    daemon = rig.driveshaft(jobs_file(entries, pools(endpoint)))
    wait_until(lambda: connections(daemon) == 2, "by either address", 10)
    assert run(server, "reverse", "ab") == complete("ba")
    stranger = rig.driveshaft(jobs_file([{**entries[0], "tls": ca.trusted()}], pools(endpoint)), until="/healthz",
                              name="stranger")
    stranger.wait_for_line("it wants a certificate of us")


def test_a_handshake_that_is_not_answered_ends_in_time(rig, ca):
    deaf, endpoint = rig.start(DeafEndpoint()), rig.endpoint(reverse)
    began = time.monotonic()
    daemon = rig.driveshaft(jobs_file([{"address": deaf.address, "tls": ca.trusted()}], pools(endpoint)),
                            until="/healthz")
    daemon.wait_for_line("TLS handshake failed: no answer in time", level="WARN")
    assert 4.5 < time.monotonic() - began < 9
    files = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    then = deaf.connections
    wait_until(lambda: deaf.connections > then + 1, "it is tried again")
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) <= files + 2  # no descriptor is left behind
    daemon.send(signal.SIGTERM)
    assert daemon.wait(5) == 0  # a handshake does not delay the exit


# --- reload and drain

def test_a_reload_to_tls_and_back_loses_no_job(rig, ca, peer, us):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer, clients=ca)
    daemon = rig.driveshaft(jobs_file([server], pools(endpoint)))
    for servers in ([front.entry(ca.trusted(us))], [server], [server, front.entry(ca.trusted(us))]):
        with under_load(server, daemon=daemon):
            daemon.reload(jobs_file(servers, pools(endpoint)))
            wait_until(lambda: connections(daemon) == len(servers) == len(worker_links(server)), "links are the new ones")
    assert daemon.lines(f"^server {front.address}: added, tls " + r'\{"ca_file"')


def test_a_reload_of_a_servers_tls_makes_its_connections_anew_and_loses_no_job(rig, ca, peer):
    server, gate = rig.gearmand(), Gate()
    endpoint = rig.endpoint(gate)
    front = tunnel(rig, server, peer)
    daemon = rig.driveshaft(jobs_file([front.entry({"verify": False})], pools(endpoint)))
    with Client(server) as client:
        before = worker_links(server).keys()
        job = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "it runs")
        daemon.reload(jobs_file([front.entry(ca.trusted())], pools(endpoint)))
        daemon.wait_for_line(f"^server {front.address}: tls " + r'\{"verify": false\} -> \{"ca_file"')
        wait_until(lambda: worker_links(server).keys() - before, "a new connection")
        gate.open()
        assert client.result(job) == complete("done")
        wait_until(lambda: len(worker_links(server)) == 1 == connections(daemon), "the old one is left")
    assert len(endpoint.requests) == 1
    # An equal file is no change.
    daemon.reload(jobs_file([front.entry(ca.trusted())], pools(endpoint)))
    daemon.wait_for_line("read again, nothing has changed")


def test_a_drain_over_tls_delivers_what_runs(rig, ca, peer):
    server, gate = rig.gearmand(), Gate(answer(contract("x" * 5_000_000)))
    endpoint = rig.endpoint(gate)
    front = tunnel(rig, server, peer)
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted())], pools(endpoint)))
    opened = len(front.log())
    with Client(server) as client:
        jobs = client.submit_many("f", [""] * 4)
        wait_until(lambda: endpoint.running == 4, "they run")
        daemon.send(signal.SIGTERM)
        daemon.wait_for_line("^SIGTERM")
        gate.open()
        assert [client.result(job) for job in jobs] == [complete("x" * 5_000_000)] * 4
    assert daemon.wait(5) == 0
    assert not [line for line in front.log()[opened:].splitlines() if "unexpected eof" in line and "SSL_accept" not in line]  # the connection was closed properly


@pytest.mark.slow
def test_a_tunnel_that_is_silent_is_given_up(rig, ca, peer):
    """It answers no pings, like a silent server without TLS."""
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer)
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted())], pools(endpoint)), loop_timeout=1)
    front.send(signal.SIGSTOP)
    daemon.wait_for_line("connection lost: nothing came back for 20 s", timeout=30)
    front.send(signal.SIGCONT)
    wait_until(lambda: connections(daemon) == 1, "it is back", 15)
    assert run(server, "reverse", "ab") == complete("ba")


@pytest.mark.slow
def test_a_big_result_on_a_slow_link_is_not_taken_for_a_dead_tunnel(rig, ca, peer):
    result = "x" * 8_000_000
    server, endpoint = rig.gearmand(), rig.endpoint(answer(contract(result)))
    front = tunnel(rig, server, peer)
    slow = rig.relay(front, pace=250_000)
    daemon = rig.driveshaft(jobs_file([{"address": slow.address, "tls": ca.trusted()}], pools(endpoint)), loop_timeout=7)
    assert run(server, "f") == complete(result)
    assert len(endpoint.requests) == 1
    assert len(daemon.lines("connection lost")) == 0


# --- files

def test_files_that_cannot_be_used_are_told_of_at_the_start_and_by_check(ca, us, stranger, tmp_path):
    other = stranger.issue("other")
    config = jobs_file([{"address": "h:1", "tls": ca.trusted(Certificate(us.certificate, other.key))}],
                       {"P": pool("https://h/", ["f"], endpoint_tls={"ca_file": "/nowhere/ca.pem"})})
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps(config))
    for args in (["--check"], ["--exporter_addr", ""]):
        done = run_binary("--jobsconfig", path, *args)
        assert done.returncode == 1
        assert f"gearman_servers_list: h:1: tls: key_file {other.key}: the key is not that of the certificate in " \
               f"{us.certificate}" in done.stderr
        assert "pools_list.P: endpoint_tls: ca_file /nowhere/ca.pem: cannot be read: No such file or directory" in done.stderr


def test_a_reload_to_files_that_cannot_be_used_changes_nothing(rig, ca, peer):
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, peer)
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted())], pools(endpoint)))
    daemon.expect_errors("is rejected, the one in force stays: .*tls")
    bad = {"http": jobs_file([server], {"P": pool(endpoint.uri(), ["f"], endpoint_tls={})}),
           "unknown": jobs_file([front.entry({"ca": str(ca.file)})], pools(endpoint)),
           "missing": jobs_file([front.entry({"ca_file": "/nowhere/ca.pem"})], pools(endpoint))}
    for config in bad.values():
        daemon.reload(config, result="rejected")
        assert run(server, "reverse", "ab") == complete("ba")
    wait_until(lambda: len(daemon.lines("is rejected", level="ERROR")) == 3, "each is logged")
    assert connections(daemon) == 1


@pytest.mark.root
def test_a_key_that_the_daemons_user_may_not_read_is_told_of_at_the_start(ca, us, tmp_path):
    secret = tmp_path / "secret.key"
    shutil.copy(us.key, secret)
    secret.chmod(0o600)
    for directory in (ca.directory, tmp_path):
        for parent in [directory, *directory.parents][:4]:
            if str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps(jobs_file([{"address": "h:1", "tls": ca.trusted(Certificate(us.certificate, secret))}], {})))
    done = run_binary("--jobsconfig", path, "--user", "nobody", "--exporter_addr", "")
    assert done.returncode == 1
    assert "cannot be used by nobody, which --user names" in done.stderr
    assert f"key_file {secret}: cannot be read: Permission denied" in done.stderr


def test_replaced_files_are_used_by_new_connections_and_trouble_no_old_one(rig, ca, us, stranger, tmp_path):
    """The named files get a certificate of another authority, then broken contents, then valid ones again."""
    mine = Certificate(tmp_path / "us.pem", tmp_path / "us.key")
    replace(mine, us)
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    front = tunnel(rig, server, ca.issue("front"), clients=ca)
    daemon = rig.driveshaft(jobs_file([front.entry(ca.trusted(mine))], pools(endpoint, gearmand_connections=2)))
    daemon.expect_errors("^tls: a changed file is not used")
    wait_until(lambda: connections(daemon) == 2, "both are connected")
    links = worker_links(server).keys()

    replace(mine, stranger.issue("us"))
    let_pass(SETTLED)
    assert run(server, "reverse", "ab") == complete("ba")
    assert worker_links(server).keys() == links  # the existing connections go on
    front.stop()
    front.clients = stranger
    front.start()
    wait_until(lambda: connections(daemon) == 2, "new connections have the new certificate", 10)
    assert len(daemon.lines("^tls: new connections use the changed files: .*us.pem", level="INFO")) == 1

    mine.key.write_text("broken")
    let_pass(SETTLED)
    front.stop()
    wait_until(lambda: connections(daemon) == 0, "the connections are lost")
    front.start()
    wait_until(lambda: connections(daemon) == 2, "what was read before is used", 10)
    line = daemon.wait_for_line("^tls: a changed file is not used, new connections use the old files: "
                                f"key_file {mine.key}", level="ERROR")
    assert len(daemon.lines("^tls: a changed file is not used")) == 1, line
    assert run(server, "reverse", "ab") == complete("ba")

    replace(mine, us)
    let_pass(SETTLED)
    front.stop()
    front.clients = ca
    front.start()
    wait_until(lambda: connections(daemon) == 2, "and it is mended", 10)
    assert run(server, "reverse", "ab") == complete("ba")


def test_a_file_system_that_hangs_holds_up_neither_jobs_nor_new_connections(rig, ca, peer, tmp_path):
    authorities = tmp_path / "authorities.pem"
    shutil.copy(ca.file, authorities)
    plain, hidden, endpoint = rig.gearmand(), rig.gearmand("hidden"), rig.endpoint(reverse)
    front = tunnel(rig, hidden, peer)
    daemon = rig.driveshaft(jobs_file([plain, front.entry({"ca_file": str(authorities)})], pools(endpoint)))
    daemon.expect_errors("^tls: a changed file is not used")  # when it can be read, the file is empty
    wait_until(lambda: connections(daemon) == 2, "both servers are connected to")
    hanging = HangingFile(authorities)
    let_pass(SETTLED)
    front.stop()
    front.start()
    hanging.wait_until_opened("the daemon reads it for a new connection")
    assert run(plain, "reverse", "ab") == complete("ba")
    wait_until(lambda: connections(daemon) == 2, "what was read before is used")
    assert run(hidden, "reverse", "ab") == complete("ba")
    hanging.release()


# --- endpoints

def behind_nginx(rig, certificate, clients, behave=reverse):
    endpoint = rig.endpoint(behave)
    return endpoint, rig.start(NginxTls(rig.directory, endpoint, certificate, clients))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_an_endpoint_with_mutual_tls_serves(rig, ca, us, peer, host):
    server = rig.gearmand()
    endpoint, nginx = behind_nginx(rig, peer, ca)
    rig.driveshaft(jobs_file([server], {"Regular": pool(nginx.uri(host), ["reverse"], endpoint_tls=ca.trusted(us))}))
    with Client(server) as client:
        assert client.run_all("reverse", [f"job {n}" for n in range(300)]) == [
            complete(f"job {n}"[::-1]) for n in range(300)]
    assert {request.headers["x-client"] for request in endpoint.requests} == {"CN=driveshaft"}
    names = {request.headers.get("x-name", "") for request in endpoint.requests}
    assert names == ({"localhost"} if host == "localhost" else {""})


def test_a_server_name_is_sent_to_an_endpoint_and_verified(rig, ca, us):
    server = rig.gearmand()
    endpoint, nginx = behind_nginx(rig, ca.issue("app", "DNS:app.example"), ca)
    tls = ca.trusted(us, server_name="app.example")
    rig.driveshaft(jobs_file([server], {"Regular": pool(nginx.uri("127.0.0.1"), ["reverse"], endpoint_tls=tls)}))
    assert run(server, "reverse", "ab") == complete("ba")
    assert endpoint.requests[0].headers["x-name"] == "app.example"


def test_the_endpoints_certificate_may_be_left_unverified(rig, stranger, us, ca):
    server = rig.gearmand()
    _, nginx = behind_nginx(rig, stranger.issue("x", "DNS:nobody"), ca)
    tls = {**ca.trusted(us, verify=False)}
    del tls["ca_file"]
    rig.driveshaft(jobs_file([server], {"Regular": pool(nginx.uri(), ["reverse"], endpoint_tls=tls)}))
    assert run(server, "reverse", "ab") == complete("ba")


@pytest.mark.parametrize("what, line", [
    ("expired", "certificate has expired"), ("elsewhere", "hostname mismatch"), ("stranger", "issuer certificate")])
def test_jobs_wait_for_an_endpoint_whose_certificate_is_not_good_until_it_is(rig, ca, us, stranger, tmp_path, what, line):
    bad = {"expired": lambda: ca.issue("e", days=0), "elsewhere": lambda: ca.issue("e", "DNS:elsewhere"),
           "stranger": lambda: stranger.issue("e")}[what]()
    theirs = Certificate(tmp_path / "theirs.pem", tmp_path / "theirs.key")
    replace(theirs, bad)
    server = rig.gearmand()
    endpoint, nginx = behind_nginx(rig, theirs, ca)
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(nginx.uri(), ["reverse"], endpoint_tls=ca.trusted(us))}))
    with Client(server) as client:
        jobs = client.submit_many("reverse", ["ab"] * 10)
        daemon.wait_for_line(f"cannot be reached: TLS handshake failed: its certificate is not accepted: .*{line}")
        assert daemon.metric("driveshaft_endpoint_up") == 0 and daemon.metric("driveshaft_jobs_held") >= 1
        wait_until(lambda: line in daemon.get("/readyz")[1], "it is told of")
        assert not endpoint.requests
        replace(theirs, ca.issue("good"))
        nginx.reload()
        assert [client.result(job) for job in jobs] == [complete("ba")] * 10
    assert daemon.metric("driveshaft_errors") == 0 and daemon.metric("driveshaft_endpoint_up") == 1


def test_jobs_wait_for_an_endpoint_that_refuses_our_certificate_until_it_does_not(rig, ca, us, peer, stranger, tmp_path):
    """With TLS 1.3 the endpoint refuses the certificate after the handshake."""
    mine = Certificate(tmp_path / "us.pem", tmp_path / "us.key")
    replace(mine, stranger.issue("us"))
    server, endpoint = rig.gearmand(), rig.endpoint(reverse)
    https = tunnel(rig, endpoint, peer, clients=ca)
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(https.uri(), ["reverse"], endpoint_tls=ca.trusted(mine))}))
    with Client(server) as client:
        jobs = client.submit_many("reverse", ["ab"] * 10)
        daemon.wait_for_line("cannot be reached: TLS handshake failed: .*unknown ca .it does not accept our certificate")
        let_pass(2)
        assert len(daemon.lines("cannot be reached")) == 1, "a probe does not take a handshake for a welcome"
        assert daemon.metric("driveshaft_endpoint_up") == 0
        replace(mine, us)
        assert [client.result(job) for job in jobs] == [complete("ba")] * 10
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("works again after")) == 1


def test_an_endpoint_without_tls_behind_https_is_told_of(rig, ca, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(f"https://127.0.0.1:{web.http_port}/", ["f"],
                                                                 endpoint_tls=ca.trusted(), endpoint_down="fail")}))
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    daemon.wait_for_line(r"Failed job: .*wrong version number \(does it speak TLS on this port\?")


def test_a_reload_of_an_endpoints_tls_loses_no_job(rig, ca, us, peer):
    server = rig.gearmand()
    endpoint, nginx = behind_nginx(rig, peer, ca)
    both = [ca.trusted(us), ca.trusted(us, server_name="localhost")]
    config = lambda tls: jobs_file([server], {"Regular": pool(nginx.uri(), ["reverse"], endpoint_tls=tls)})  # noqa: E731
    daemon = rig.driveshaft(config(both[0]))
    with Load(server) as load:
        for turn in range(6):
            then = load.right
            daemon.reload(config(both[(turn + 1) % 2]))
            wait_until(lambda: load.right > then + 20, "jobs run on")
        load.stop()
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines(r"^pool Regular: endpoint_tls \{.*\} -> \{")) == 6
