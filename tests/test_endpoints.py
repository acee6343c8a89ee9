# SPDX-License-Identifier: MIT
"""Connections to an endpoint: connections kept alive, the kinds of URI, TLS, authorization."""
import json
import shutil
import subprocess

import pytest

from behaviours import answer, contract, in_turn, raw, response, reverse
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool
from processes import wait_until


def start(rig, uri, functions=("reverse",), worker_count=4, env=None, **settings):
    """Returns a gearmand, and a driveshaft with one pool on `uri`."""
    server = rig.gearmand()
    return server, rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions, worker_count, **settings)}),
                                  env=env)


def test_jobs_one_after_the_other_share_one_connection(rig):
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri())
    with Client(server) as client:
        for number in range(50):
            assert client.run("reverse", f"job {number}") == complete(f"job {number}"[::-1])
    assert endpoint.connections == 1


def test_there_are_never_more_connections_than_slots(rig):
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri(), worker_count=8)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 500) == [complete("ba")] * 500
    assert endpoint.connections <= 8


def test_a_connection_that_the_endpoint_closes_while_idle_fails_no_job(rig):
    endpoint = rig.endpoint(reverse)
    server, _ = start(rig, endpoint.uri())
    for number in range(1, 6):
        assert run(server, "reverse", "ab") == complete("ba")
        for sock in list(endpoint.open_sockets):
            sock.shutdown(2)
        wait_until(lambda: not endpoint.open_sockets, "the connection is closed")
        assert endpoint.connections == number


def test_an_endpoint_that_closes_after_each_answer_without_saying_so_fails_no_job(rig):
    endpoint = rig.endpoint(lambda request, sock: reverse(request, sock) and False)
    server, _ = start(rig, endpoint.uri(), worker_count=2)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 300) == [complete("ba")] * 300


def test_an_answer_that_nobody_asked_for_is_not_the_next_jobs_answer(rig):
    both = response(contract("right")) + response(contract("nobody's"))
    endpoint = rig.endpoint(raw(both, keep=True))
    server, _ = start(rig, endpoint.uri(), worker_count=1)
    for _ in range(20):
        assert run(server, "reverse", "ab") == complete("right")


@pytest.mark.parametrize("request_format", ["json", "multipart", "urlencoded"])
def test_phps_built_in_server_serves(rig, request_format):
    php = rig.php()
    server, _ = start(rig, php.uri(), request_format=request_format)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 100) == [complete("ba")] * 100


def test_an_ipv6_literal_is_an_endpoint(rig, web):
    server, _ = start(rig, web.uri_v6())
    assert run(server, "reverse", "ab") == complete("ba")


def test_a_unix_socket_is_an_endpoint(rig, web):
    server, _ = start(rig, web.uri_unix(run="reverse"), ["f"])
    with Client(server) as client:
        assert client.run_all("f", ["ab"] * 50) == [complete("ba")] * 50


def test_a_uri_without_scheme_is_http(rig, web):
    server, _ = start(rig, f"localhost:{web.http_port}/job.php")
    assert run(server, "reverse", "ab") == complete("ba")


def test_path_query_and_host_are_sent_as_given(rig):
    endpoint = rig.endpoint(answer())
    server, _ = start(rig, endpoint.uri("/a%20b/job.php?x=1&y=%2F"), ["f"])
    run(server, "f")
    assert endpoint.requests[0].line == "POST /a%20b/job.php?x=1&y=%2F HTTP/1.1"
    assert endpoint.requests[0].headers["host"] == endpoint.address


def test_user_and_password_reach_php_as_basic_authorization(rig, web):
    server, _ = start(rig, web.uri(run="about").replace("//", "//shop%40home:s3cr%3At@"), ["f"])
    about = json.loads(run(server, "f").data)["server"]
    assert (about["PHP_AUTH_USER"], about["PHP_AUTH_PW"]) == ("shop@home", "s3cr:t")


def test_a_password_is_shown_nowhere(rig):
    endpoint = rig.endpoint(answer(b"bad"))
    server, daemon = start(rig, endpoint.uri(user="shop:s3cret@"), ["f"])
    daemon.expect_failed_jobs()
    run(server, "f")
    daemon.reload(jobs_file([server], {"Regular": pool(endpoint.uri(user="shop:s3cret2@"), ["f"])}))
    assert endpoint.requests[0].headers["authorization"] == "Basic c2hvcDpzM2NyZXQ="
    assert "s3cret" not in daemon.log()
    assert not [page for page in ("/", "/metrics", "/readyz", "/healthz") if "s3cret" in daemon.get(page)[1]]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_https_serves_when_an_authority_of_the_environment_vouches_for_it(rig, web, tmp_path, variable):
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    shutil.copy(web.certificate, authorities / "own.pem")
    subprocess.run(["openssl", "rehash", authorities], check=True)
    named = {"SSL_CERT_FILE": authorities / "own.pem", "SSL_CERT_DIR": authorities}[variable]
    server, _ = start(rig, web.uri_tls(), env={variable: str(named)})
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 50) == [complete("ba")] * 50


def test_https_without_a_known_authority_fails_the_job_and_says_why(rig, web):
    server, daemon = start(rig, web.uri_tls(), endpoint_down="fail")
    daemon.expect_failed_jobs()
    assert run(server, "reverse", "ab") == FAILED
    line = daemon.wait_for_line(r"^Failed job")
    assert f" uri={web.uri_tls()} " in line
    assert "its certificate is not accepted: self-signed certificate" in line
    assert "SSL_CERT_FILE" in line  # the remedy


def test_https_of_another_name_fails_the_job(rig, web):
    server, daemon = start(rig, web.uri_tls(host="127.0.0.1"), endpoint_down="fail", env={"SSL_CERT_FILE": str(web.certificate)})
    daemon.expect_failed_jobs()
    assert run(server, "reverse", "ab") == FAILED
    daemon.wait_for_line(r"its certificate is not accepted: (hostname|IP address) mismatch")


def test_two_pools_on_one_endpoint_each_have_their_own_settings(rig, web):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"a": pool(web.uri(run="reverse"), ["f1"]),
                                        "b": pool(web.uri(run="sum"), ["f2"])}))
    assert run(server, "f1", "[1,2]") == complete("]2,1[")
    assert run(server, "f2", "[1,2]") == complete("3")


def test_the_next_job_works_after_a_bad_answer(rig):
    endpoint = rig.endpoint(in_turn(answer(b"no json"), answer()))
    server, daemon = start(rig, endpoint.uri(), ["f"])
    daemon.expect_failed_jobs()
    assert run(server, "f") == FAILED
    assert run(server, "f") == complete("done")
