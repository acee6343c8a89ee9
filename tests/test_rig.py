# SPDX-License-Identifier: MIT
"""Tests of the test tools themselves, with programs of others."""
import urllib.request

from clients import Client, FAILED, Result, complete, gearman_cli, php_client, run, status, worker_links
from load import Load
from processes import Process, wait_until
from servers import PHP_DIR


def php_worker(rig, server):
    worker = Process("php-worker", rig.directory, ["php", PHP_DIR / "worker.php", server.host, server.port])
    rig.start(worker)
    wait_until(lambda: status(server, "throw").workers == 1, "the worker registers its functions")
    return worker


def test_the_client_reads_what_a_php_worker_answers(rig):
    server = rig.gearmand()
    php_worker(rig, server)
    assert run(server, "reverse", b"abc\0\xff") == Result("complete", b"\xff\0cba")
    assert run(server, "fail") == FAILED
    assert run(server, "throw", "text") == FAILED
    with Client(server, exceptions=True) as client:
        assert client.run("throw", "text") == Result("exception", b"text")
        assert client.run_all("reverse", ["ab", "cd"]) == [complete("ba"), complete("dc")]


def test_foreign_clients_and_the_load_run_jobs_on_a_php_worker(rig):
    server = rig.gearmand()
    php_worker(rig, server)
    assert php_client(server, "reverse", "reverse", 20) == {"right": 20, "wrong": 0, "failed": 0}
    assert gearman_cli(server, "-f", "reverse", data=b"abc").stdout == b"cba"
    assert worker_links(server).popitem()[1] == {"reverse", "fail", "throw"}
    with Load(server) as load:
        wait_until(lambda: load.right >= 50, "50 results")
        assert load.stop() >= 50


def test_php_answers_behind_nginx_and_built_in(rig, web):
    body = b'{"function_name":"reverse","job_handle":"H:1","unique":"u","workload":"abc"}'
    for uri in (web.uri(), web.uri_v6(), rig.php().uri()):
        request = urllib.request.Request(uri, body, {"Content-Type": "application/json"})
        assert urllib.request.urlopen(request).read() == b'{"gearman_ret":0,"response_string":"cba"}'


def test_gearmand_comes_back_on_its_port_after_a_kill(rig):
    server = rig.gearmand()
    server.kill()
    server.start()
    assert status(server) == {}
