# SPDX-License-Identifier: MIT
"""gearmands that are down, go away, come back or stall; and several gearmands at once."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

import pytest

from behaviours import Gate, answer, contract
from clients import FAILED, Client, complete, php_client, run, status, worker_links
from driveshaft import jobs_file, pool, run_binary
from fakes import FullEndpoint, SocketServer
from load import Load
from packets import Kind
from processes import free_port, let_pass, wait_until
from servers import Gearmand


def one_pool(web, *functions, **query):
    return {"Regular": pool(web.uri(**query), functions or ["reverse"])}


def with_hosts(hosts):
    """A command prefix that runs a program with the file `hosts` in place of /etc/hosts."""
    script = f'mount --bind "{hosts}" /etc/hosts && exec "$@"'
    prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mount namespace")
    return prefix


def test_an_address_may_be_a_name_a_literal_or_ipv6(rig, web):
    v4, v6 = rig.gearmand(), rig.gearmand("gearmand6", host="::1")
    rig.driveshaft(jobs_file([f"localhost:{v4.port}", f"[::1]:{v6.port}"], one_pool(web)))
    assert run(v4, "reverse", "ab") == complete("ba")
    assert run(v6, "reverse", "ab") == complete("ba")


def test_a_name_with_several_addresses_is_tried_through(rig, web):
    """The first address of `localhost` is often ::1, on which this server does not listen, or 127.0.0.1."""
    v6 = rig.gearmand(host="::1")
    hosts = rig.directory / "hosts"
    hosts.write_text("127.0.0.1 both.test\n::1 both.test\n")
    rig.driveshaft(jobs_file([f"both.test:{v6.port}"], one_pool(web)), prefix=with_hosts(hosts))
    assert run(v6, "reverse", "ab") == complete("ba")


def test_an_address_that_does_not_answer_does_not_hide_the_next(rig):
    """The address that the system prefers accepts no connection here. The next address is used each time, for the endpoint and
    for gearmand."""
    hosts = rig.directory / "hosts"
    hosts.write_text("127.0.0.1 both.test\n127.0.0.2 both.test\n")
    server = rig.gearmand(host="127.0.0.2")
    endpoint = rig.endpoint(answer(keep=False, headers=["Connection: close"]), host="127.0.0.2")
    for port in (server.port, endpoint.port):
        rig.start(FullEndpoint(port))
    rig.driveshaft(jobs_file([f"both.test:{server.port}"], {"Regular": pool(f"http://both.test:{endpoint.port}/", ["f"])}),
                   prefix=with_hosts(hosts))
    for _ in range(3):
        assert run(server, "f") == complete("done")


def test_a_name_without_answer_holds_up_nothing_else(rig, web):
    """A look-up that hangs (here because the hosts file is a pipe) affects only its pool and its server. The program can still
    end."""
    hosts = rig.directory / "hosts"
    os.mkfifo(hosts)
    server = rig.gearmand()
    pools = {**one_pool(web), "Stuck": pool("http://stuck.test/", ["stuck"], endpoint_connect_timeout=0.3, endpoint_down="fail")}
    daemon = rig.driveshaft(jobs_file([f"gearman.test:{free_port()}", server], pools), prefix=with_hosts(hosts))
    daemon.expect_errors("stuck.test", "gearman.test")
    with Client(server) as client:
        stuck = client.submit("stuck", "")
        assert run(server, "reverse", "ab") == complete("ba")
        assert client.result(stuck) == FAILED
    daemon.wait_for_line("its name is still being looked up", level="ERROR")
    assert run(server, "reverse", "ab") == complete("ba")
    daemon.send(signal.SIGTERM)
    assert daemon.wait(3) == 0


def test_a_server_that_goes_and_comes_back_is_said_once_however_many_connections_it_has(rig, web):
    server = rig.gearmand()
    pools = {name: pool(web.uri(), [f"f{name}"], gearmand_connections=3) for name in "abcd"}
    daemon = rig.driveshaft(jobs_file([server], pools))
    wait_until(lambda: daemon.metric("driveshaft_gearmand_connections") == 12, "all are connected")
    daemon.expect_errors(server.address)
    server.kill()
    daemon.wait_for_line(r"connection lost: .* \(12 connections\); trying again until it answers", level="WARN")
    server.start()
    wait_until(lambda: daemon.metric("driveshaft_gearmand_connections") == 12, "all are connected again")
    assert len(daemon.lines(f"^gearmand {server.address}: ")) == 3  # connected, lost, connected


def test_the_port_is_4730_if_none_is_given(rig, web):
    (rig.directory / "jobs.json").write_text(json.dumps(jobs_file(["gearman.test", "::1"], one_pool(web))))
    shown = run_binary("--jobsconfig", rig.directory / "jobs.json", "--check")
    assert shown.returncode == 0
    assert "gearman.test:4730" in shown.stdout and "[::1]:4730" in shown.stdout


def test_a_server_that_is_down_at_start_is_found_when_it_comes(rig, web):
    server = Gearmand(rig.directory)
    daemon = rig.driveshaft(jobs_file([server], one_pool(web)), until="/healthz")
    daemon.expect_errors(server.address)
    daemon.wait_for_line(server.address)
    assert daemon.get("/readyz")[0] == 503
    rig.start(server)
    began = time.monotonic()
    assert run(server, "reverse", "ab") == complete("ba")
    assert time.monotonic() - began < 7
    assert daemon.get("/readyz")[0] == 200


def test_a_killed_server_gets_its_functions_back_when_it_returns(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], one_pool(web, "reverse", "sum")))
    daemon.expect_errors(server.address)
    for _ in range(2):
        assert run(server, "reverse", "ab") == complete("ba")
        server.kill()
        wait_until(lambda: daemon.get("/readyz")[0] == 503, "the loss is noticed")
        server.start()
        wait_until(lambda: {"reverse", "sum"} <= status(server).keys(), "functions are registered again")
    assert php_client(server, "run", "sum", "[1,2]")["data"] == "3"


class Closes(SocketServer):
    """A server that closes each connection at once. For the daemon it is down, but the test can count the connections."""

    def serve(self, sock, number):
        pass


def test_it_is_back_within_a_second_of_a_server_that_was_away_for_some(rig, web):
    """In the time that a restart takes, the waits between attempts do not grow beyond a second."""
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], one_pool(web)))
    daemon.expect_errors(server.address)
    took = []
    for _ in range(7):
        server.kill()
        away = Closes()
        away.port = server.port
        wait_until(lambda: away.start(), "its port is free")
        wait_until(lambda: away.connections > 6, "the wait has grown as long as it does")
        away.stop()
        server.start()
        back = time.monotonic()
        wait_until(lambda: status(server, "reverse").workers, "its worker is back")
        took.append(time.monotonic() - back)
    print(f"back after {[round(one, 2) for one in took]} s")
    assert statistics.median(took) <= 1 and max(took) <= 1.5


def test_one_server_of_two_is_killed_and_restarted_under_load(rig, web):
    steady, shaky = rig.gearmand("steady"), rig.gearmand("shaky")
    daemon = rig.driveshaft(jobs_file([steady, shaky], one_pool(web)))
    daemon.expect_errors(shaky.address)
    with Load(steady) as load:
        for _ in range(3):
            with Load(shaky) as lost:
                wait_until(lambda: lost.right > 50, "jobs run on the second server")
                shaky.kill()
            assert not lost.wrong
            after_kill = load.right
            wait_until(lambda: load.right > after_kill + 200, "the first server works on")
            shaky.start()
            wait_until(lambda: status(shaky, "reverse").workers == 1, "the second server is found again", 7)
        assert load.stop() > 600
    assert run(shaky, "reverse", "ab") == complete("ba")
    assert daemon.metric("driveshaft_errors") == 0


def test_a_server_with_a_persistent_queue_loses_no_job_when_it_is_killed(rig, web, tmp_path):
    server = rig.gearmand(options=["--queue-type", "libsqlite3", "--libsqlite3-db", tmp_path / "queue.db"])
    uniques = [f"job-{number}" for number in range(200)]
    with Client(server) as client:
        for unique in uniques:
            client.submit_background("reverse", "x", unique=unique)
    daemon = rig.driveshaft(jobs_file([server], one_pool(web, record=tmp_path / "runs")))
    daemon.expect_errors(server.address)

    def ran():
        return [json.loads(line)["unique"] for line in (tmp_path / "runs").read_text().splitlines()]
    wait_until(lambda: (tmp_path / "runs").exists() and len(ran()) > 20, "jobs run")
    server.kill()
    server.start()
    wait_until(lambda: status(server, "reverse") == (0, 0, 1), "the queue is empty")
    assert set(ran()) == set(uniques)


def test_a_lost_connection_drops_and_counts_the_result_and_the_job_runs_again(rig):
    """The request at the endpoint goes on in its slot, and gearmand assigns the job again."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    relay = rig.relay(server)
    daemon = rig.driveshaft(jobs_file([relay.address], {"Regular": pool(endpoint.uri(), ["f"], 2)}))
    daemon.expect_errors(relay.address)
    with Client(server) as client:
        handle = client.submit("f")
        wait_until(lambda: endpoint.running == 1, "the job is at the endpoint")
        relay.cut()
        wait_until(lambda: endpoint.running == 2, "the job runs again, beside its first run")
        gate.open()
        assert client.result(handle) == complete("done")
    wait_until(lambda: daemon.metric("driveshaft_results_dropped_total", pool="Regular") == 1, "the dropped one is counted")
    assert len(endpoint.requests) == 2
    assert run(server, "f") == complete("done")


def test_requests_that_outlive_a_connection_keep_their_slots(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.gearmand()
    relay = rig.relay(server)
    daemon = rig.driveshaft(jobs_file([relay.address], {"Regular": pool(endpoint.uri(), ["f"], 3)}))
    daemon.expect_errors(relay.address)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 10)
        wait_until(lambda: endpoint.running == 3, "all slots are busy")
        relay.cut()
        wait_until(lambda: status(server, "f") == (10, 0, 1), "connected again, without a free slot")
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 10
    assert endpoint.most_running == 3
    wait_until(lambda: daemon.metric("driveshaft_results_dropped_total", pool="Regular") == 3, "the first answers are dropped")


def test_a_change_of_state_is_one_log_line(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], one_pool(web)))
    daemon.expect_errors(server.address)

    def lines():
        return len(daemon.lines(server.address))
    wait_until(lambda: lines(), "the connection is logged")
    up = lines()
    server.kill()
    wait_until(lambda: daemon.get("/readyz")[0] == 503, "the loss is noticed")
    let_pass(3)  # time for more than five attempts
    assert lines() == up + 1
    server.start()
    wait_until(lambda: status(server, "reverse").workers, "connected again")
    wait_until(lambda: lines() == up + 2, "and one line tells so")


@pytest.mark.slow
def test_a_server_that_stalls_for_ten_seconds_keeps_its_connection(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], one_pool(web)), loop_timeout=1)
    link = worker_links(server).keys()
    server.send(signal.SIGSTOP)
    let_pass(10)
    server.send(signal.SIGCONT)
    assert run(server, "reverse", "ab") == complete("ba")
    assert worker_links(server).keys() == link
    assert daemon.get("/readyz")[0] == 200


def test_connections_to_gearmand_use_tcp_keepalive(rig, web):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], one_pool(web)))
    command = ["ss", "-tnoH", "dst", f"127.0.0.1:{server.port}"]
    wait_until(lambda: "timer:(keepalive" in subprocess.run(command, capture_output=True, text=True).stdout,
               "the kernel's timer of that connection is for keepalive")
    assert daemon.running()


def test_a_big_result_on_a_slow_link_is_not_taken_for_a_dead_server(rig):
    """Sending the result takes longer than a server may be silent, and the ping and its answer have to wait for it."""
    result = "x" * 8_000_000
    endpoint = rig.endpoint(answer(contract(result)))
    server = rig.gearmand()
    slow = rig.relay(server, pace=250_000)
    daemon = rig.driveshaft(jobs_file([slow], {"Regular": pool(endpoint.uri(), ["f"])}), loop_timeout=7)
    assert run(server, "f") == complete(result)
    assert len(endpoint.requests) == 1
    assert not daemon.lines("connection lost")
    assert daemon.running()


def test_a_name_is_resolved_anew_for_each_attempt(rig, web):
    hosts = rig.directory / "hosts"
    hosts.write_text("127.0.0.1 gearman.test\n")
    server = rig.gearmand(host="127.0.0.2")
    daemon = rig.driveshaft(jobs_file([f"gearman.test:{server.port}"], one_pool(web)), until="/healthz",
                            prefix=with_hosts(hosts))
    daemon.expect_errors("gearman.test")
    daemon.wait_for_line("gearman.test")
    hosts.write_text("127.0.0.2 gearman.test\n")
    wait_until(lambda: daemon.get("/readyz")[0] == 200, "the new address is used", 7)
    assert run(server, "reverse", "ab") == complete("ba")


def test_a_name_that_nobody_knows_is_tried_again_and_disturbs_no_other_server(rig, web):
    hosts = rig.directory / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([f"gearman.test:{free_port()}", server], one_pool(web)), prefix=with_hosts(hosts))
    daemon.expect_errors("gearman.test")
    with Load(server) as load:
        daemon.wait_for_line("gearman.test")
        wait_until(lambda: load.right > 200, "jobs run")
        load.stop()


def test_servers_share_scarce_slots_fairly(rig):
    """There are one slot, and jobs on both servers. Neither server waits until the queue of the other is empty."""
    endpoint = rig.endpoint(answer())
    servers = [rig.gearmand("one"), rig.gearmand("two")]
    for number, server in enumerate(servers):
        with Client(server) as client:
            client.submit_many("f", [f"server {number}"] * 100, background=True)
    rig.driveshaft(jobs_file(servers, {"Regular": pool(endpoint.uri(), ["f"], 1)}))
    wait_until(lambda: len(endpoint.requests) == 200, "all jobs ran")
    first_half = [json.loads(request.body)["workload"] for request in endpoint.requests[:100]]
    assert 25 <= first_half.count("server 0") <= 75


def test_a_server_that_answers_no_grab_keeps_no_slot_from_the_others(rig):
    """After a second the slot is free for others. If the server answers at last, its job waits for a slot: no more jobs than
    worker_count ever run."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    good = rig.gearmand()
    silent = [True]

    def on_packet(link, kind, _):
        return kind == Kind.GRAB_JOB_UNIQ and bool(silent)
    bad = rig.fake_gearmand(on_packet=on_packet)
    daemon = rig.driveshaft(jobs_file([bad, good], {"Regular": pool(endpoint.uri(), ["f"], 2)}))
    wait_until(lambda: bad.count(Kind.GRAB_JOB_UNIQ) >= 1, "it is asked for a job")
    with Client(good) as client:
        jobs = client.submit_many("f", [""] * 4)
        wait_until(lambda: endpoint.running == 2, "the other server has both slots", 5)
        grabs = bad.count(Kind.GRAB_JOB_UNIQ)
        silent.clear()
        for number in range(grabs):
            bad.links[0].send(Kind.JOB_ASSIGN_UNIQ, f"H:late:{number}", "f", "", "late")
            bad.links[0].inflight.add(b"H:late:%d" % number)
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") == grabs, "its jobs wait")
        assert endpoint.most_running == 2
        gate.open()
        assert [client.result(job) for job in jobs] == [complete("done")] * 4
    wait_until(lambda: len(bad.results) == grabs, "and are done too")
    wait_until(lambda: daemon.metric("driveshaft_threads", status="idle") == 2, "both slots are free")
    assert daemon.metric("driveshaft_jobs_held") == 0
