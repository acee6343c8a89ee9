# SPDX-License-Identifier: MIT
"""Outages that web shops have: with default settings no job is lost."""
import collections
import concurrent.futures
import json
import os
import re
import signal
import time

import pytest

from clients import Client, FAILED, complete, status
from driveshaft import jobs_file, pool
from processes import wait_until
from servers import PhpFpmNginx

JOBS = 10_000
FUNCTIONS = ["reverse", "sleep", "die", "broken_while", "wait_for"]


@pytest.fixture
def shop(rig):
    """nginx and php-fpm for one test, which may stop them."""
    folder = rig.directory / "shop"
    folder.mkdir()
    return rig.start(PhpFpmNginx(folder))


def start(rig, uri, worker_count=8, suffix="", **settings):
    server = rig.gearmand(f"gearmand{suffix}", options=["--hashtable-buckets=100003"])
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uri, FUNCTIONS, worker_count, **settings)}),
                            name=f"driveshaft{suffix}")
    return server, daemon


def submit(client, count=JOBS, first=1):
    return client.submit_many("reverse", [f"job {number}" for number in range(first, first + count)])


def all_succeed(client, handles):
    """Checks that the jobs with these handles succeed. `handles` are those of submit(), or a part of them."""
    for number, handle in enumerate(handles, 1):
        assert client.result(handle) == complete(f"job {number}"[::-1])


def held_attempts(daemon):
    return daemon.metric("driveshaft_retries_total", reason="hold_on")


def is_down(daemon):
    return daemon.metric("driveshaft_endpoint_up", pool="Regular") == 0


def sit_out(daemon, client, handles, back):
    """Waits until the daemon has noticed the outage, and for several probes; then `back` ends the outage. Until it is noticed,
    more jobs are submitted, because all others may have run before it began."""
    def noticed():
        if not is_down(daemon):
            handles.extend(submit(client, 10, len(handles) + 1))
        return is_down(daemon)
    wait_until(noticed, "the outage is noticed")
    down = held_attempts(daemon)
    wait_until(lambda: held_attempts(daemon) > down + 12, "a dozen probes were in vain")
    assert daemon.metric("driveshaft_jobs_held") >= 1
    back()


@pytest.fixture
def record(rig):
    """The file in which PHP records each request at its beginning."""
    return rig.directory / "record"


def runs(record):
    """How often each job came to PHP, by handle."""
    return collections.Counter(json.loads(line)["handle"] for line in record.read_text().splitlines())


def kill_nginx(shop, daemon, slots):
    """Kills nginx: its master before its worker, so that the connections and the open port end together. While a master lives,
    the kernel still accepts connections for it, and jobs on them would break off when it dies. Before that the worker is
    stopped until each slot has a request: then no connection is idle on which another job could begin while the kernel closes
    the connections one after the other."""
    worker, = shop.nginx.children()
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: daemon.metric("driveshaft_endpoint_connections", state="busy") == slots, "a request is in each slot")
    shop.nginx.send(signal.SIGKILL)
    shop.nginx.wait()


def kill_nginx_in_mid_request(shop, server, daemon, client, slots):
    """Kills nginx three times: first while the job in each slot runs a script or waits for a process of php-fpm, then twice
    while a queue of thousands of jobs is worked off. Returns the handles of the former and the latter jobs."""
    gate = shop.directory / "gate"
    scripts = client.submit_many("wait_for", [str(gate)] * slots)
    wait_until(lambda: daemon.metric("driveshaft_endpoint_connections", state="busy") == slots, "every slot waits for PHP")
    handles = submit(client)
    for kill in range(3):
        if kill:
            before = daemon.metric("driveshaft_jobs_total")
            wait_until(lambda: daemon.metric("driveshaft_jobs_total") > before + JOBS // 10, "jobs go on")
        kill_nginx(shop, daemon, slots)
        gate.touch()
        wait_until(lambda: is_down(daemon), "the outage is noticed")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == daemon.metric("driveshaft_jobs_held"),
                   "no attempt is under way")
        assert status(server, "reverse").total > 10 * slots, "it was killed under load"
        shop.start_nginx()
        wait_until(lambda: not is_down(daemon), "the endpoint is up")
    return scripts, handles


def test_nginx_killed_in_mid_request_costs_no_job_with_retry(rig, shop, record):
    server, daemon = start(rig, shop.uri(record=record), worker_count=32, retry={"attempts": 3})
    with Client(server) as client:
        scripts, handles = kill_nginx_in_mid_request(shop, server, daemon, client, 32)
        assert [client.result(handle) for handle in scripts] == [complete("waited")] * 32
        all_succeed(client, handles)
    assert daemon.metric("driveshaft_errors") == 0
    assert daemon.metric("driveshaft_retries_total", reason="connection_lost") >= 32
    again = sum(runs(record).values()) - 32 - JOBS
    assert 32 <= again <= 3 * 32, "what was at it runs again, and nothing else"


def test_nginx_killed_in_mid_request_costs_what_was_at_it_without_retry(rig, shop):
    server, daemon = start(rig, shop.uri(), worker_count=32)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        scripts, handles = kill_nginx_in_mid_request(shop, server, daemon, client, 32)
        assert [client.result(handle) for handle in scripts] == [FAILED] * 32
        results = [client.result(handle) for handle in handles]
    lost = [handle for handle, result in zip(handles, results) if result == FAILED]
    assert len(lost) <= 2 * 32
    assert all(result in (complete(f"job {number}"[::-1]), FAILED) for number, result in enumerate(results, 1))
    said = [re.fullmatch(r'Failed job: .* handle=(\S+) .* reason=.*; the job may have run" trace=\w+', line)
            for line in daemon.lines("^Failed job: ", level="ERROR")]
    assert sorted(line[1] for line in said) == sorted(handle.decode() for handle in scripts + lost)


class PatientShop(PhpFpmNginx):
    CONTROL_TIMEOUT = 10


@pytest.mark.parametrize("maintain", [PhpFpmNginx.reload_nginx, PhpFpmNginx.restart_nginx, PhpFpmNginx.reload_fpm])
def test_a_web_server_that_is_changed_gracefully_costs_no_job_and_runs_none_twice(rig, record, maintain):
    folder = rig.directory / "shop"
    folder.mkdir()
    shop = rig.start(PatientShop(folder))
    server, daemon = start(rig, shop.uri(record=record), worker_count=32)
    with Client(server) as client:
        handles = client.submit_many("sleep", ["0.001", "0.005", "0.02", "0.1"] * 1000)
        for time_of_it in range(1, 6):
            client.wait_for_results(time_of_it * len(handles) // 8)
            maintain(shop)
        assert status(server, "sleep").total > 100, "all that happened under load"
        assert [client.result(handle) for handle in handles] == [complete("slept")] * len(handles)
    assert daemon.metric("driveshaft_errors") == 0
    assert set(runs(record).values()) == {1}


def test_php_fpm_away_behind_nginx_costs_no_job(rig, shop):
    server, daemon = start(rig, shop.uri())
    daemon.expect_errors("its jobs are held and no more are taken")
    with Client(server) as client:
        handles = submit(client)
        client.wait_for_results(200)
        shop.fpm.send(signal.SIGTERM)  # Debian's systemd stops php-fpm so; php-fpm kills the running scripts
        shop.fpm.wait()
        sit_out(daemon, client, handles, shop.fpm.start)
        all_succeed(client, handles)
    assert daemon.metric("driveshaft_errors") == 0
    line, = daemon.lines("its jobs are held", level="WARN")
    assert "HTTP status 502" in line
    held = daemon.lines('^Holding job: .* attempt=1 reason=.*HTTP status 502.*; the job may have run" trace=', level="INFO")
    assert held and len(held) <= held_attempts(daemon)
    wait_until(lambda: not is_down(daemon), "the endpoint is up")
    assert len(daemon.lines("works again after", level="INFO")) == 1


def test_reloads_of_php_fpm_cost_no_job(rig, shop):
    """With Debian's settings a reload kills the running scripts. nginx answers 502 for most of them, and an empty answer for
    those that had begun to print."""
    server, daemon = start(rig, shop.uri())
    daemon.expect_errors("its jobs are held and no more are taken")
    with Client(server) as client:
        handles = submit(client, 20 * 1000)
        for turn in range(1, 20):
            client.wait_for_results(turn * 1000)
            shop.fpm.send(signal.SIGUSR2)

        def met_a_script():
            handles.extend(submit(client, 100, len(handles) + 1))
            shop.fpm.send(signal.SIGUSR2)
            return held_attempts(daemon) > 0
        wait_until(met_a_script, "a reload meets a script that runs", 60)
        all_succeed(client, handles)
    assert daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("way", ["uri", "uri_unix"])
def test_php_fpm_that_is_stopped_and_started_costs_no_short_job(rig, way, end):
    """Its processes end with the jobs that they run, and it ends with the connections that none of them has accepted."""
    fpm = rig.php_fpm(children=8)
    server, daemon = start(rig, getattr(fpm, way)(delay=0.002))
    with Client(server) as client:
        handles = submit(client, 4000)
        for stops in range(1, 6):
            client.wait_for_results(stops * 500)
            fpm.send(end)
            fpm.wait()
            fpm.start()
        all_succeed(client, handles)
    assert daemon.metric("driveshaft_errors") == 0


def test_a_maintenance_page_costs_no_job(rig, shop):
    server, daemon = start(rig, shop.uri())
    daemon.expect_errors("its jobs are held and no more are taken")
    page = shop.directory / "maintenance"
    with Client(server) as client:
        handles = submit(client)
        client.wait_for_results(200)
        page.touch()
        sit_out(daemon, client, handles, page.unlink)
        all_succeed(client, handles)
    assert daemon.metric("driveshaft_errors") == 0


def test_without_hold_on_such_an_answer_is_a_failure(rig, shop):
    server, daemon = start(rig, shop.uri(), hold_on=[])
    daemon.expect_failed_jobs()
    (shop.directory / "maintenance").touch()
    with Client(server) as client:
        assert client.run("reverse", "ab") == FAILED
        (shop.directory / "maintenance").unlink()
        assert client.run("reverse", "ab") == complete("ba")


@pytest.mark.parametrize("slots", [8, 1])
def test_a_job_that_crashes_php_fails_alone(rig, shop, record, slots):
    """nginx answers 502 for this job too. It is sent three times more, and other jobs go on. It is only sent more often if a
    busy machine sends no other job within a tenth of a second."""
    server = rig.gearmand()
    with Client(server) as client:
        handles = submit(client, 2000)
        poison = client.submit("die", priority="high")
        daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(shop.uri(record=record), FUNCTIONS, slots)}))
        daemon.expect_failed_jobs()
        daemon.expect_errors("its jobs are held and no more are taken")
        assert client.result(poison) == FAILED
        assert len(client.results) < 2000, "the others wait for it no longer than it for them"
        all_succeed(client, handles)
    requests = record.read_text().splitlines()
    sent = sum('"die"' in line for line in requests)
    assert sent == 4 or (sent <= 6 and daemon.lines("its jobs are held"))
    assert len(requests) == 2000 + sent


def test_jobs_that_crash_php_do_not_keep_the_others_from_being_run(rig, shop):
    """There are as many such jobs as slots, and they come before all others."""
    server, daemon = start(rig, shop.uri(), worker_count=3)
    daemon.expect_failed_jobs()
    daemon.expect_errors("its jobs are held and no more are taken")
    with Client(server) as client:
        poison = client.submit_many("die", [""] * 3, priority="high")
        handles = submit(client, 300)
        all_succeed(client, handles)
        for handle in poison:
            assert client.result(handle) == FAILED


def jobs_a_second(server, count):
    """Measures jobs a second, without the last jobs, which may wait in php-fpm's queue for a second or two."""
    with Client(server) as client:
        begin = time.monotonic()
        handles = client.submit_many("sleep", ["0.02"] * count)
        client.wait_for_results(count - 16)
        rate = (count - 16) / (time.monotonic() - begin)
        for handle in handles:
            assert client.result(handle) == complete("slept")
    return rate


def test_a_full_php_fpm_is_worked_as_fast_as_it_can(rig):
    """It is compared with one that is never full, at the same time, because other load on the machine slows down both."""
    servers, daemons = zip(*(start(rig, rig.php_fpm(children=2, backlog=2).uri_unix(), slots, f"-{slots}") for slots in (2, 16)))
    daemon = daemons[1]
    daemon.expect_errors("is full: it takes no more than")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        with_two, with_sixteen = threads.map(jobs_a_second, servers, [800, 800])
    assert with_sixteen > 0.9 * with_two
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("Regular.* is full", level="WARN")) <= 2
    assert daemon.metric("driveshaft_concurrency_limit", pool="Regular") < 16


def test_a_job_that_found_a_full_endpoint_did_not_run(rig):
    fpm = rig.php_fpm(children=1, backlog=1)
    server, daemon = start(rig, fpm.uri_unix(), 16, endpoint_down="fail")
    daemon.expect_failed_jobs()
    daemon.expect_errors("is full: it takes no more than")
    with Client(server) as client:
        results = [client.result(handle) for handle in client.submit_many("sleep", ["0.02"] * 100)]
    failed = daemon.lines("^Failed job")
    assert failed and len(failed) == results.count(FAILED)
    assert all("; the job did not run" in line for line in failed)


def test_a_bad_deployment_costs_tens_of_jobs(rig, shop):
    server, daemon = start(rig, shop.uri(), breaker=True)
    daemon.expect_failed_jobs()
    daemon.expect_errors("its breaker opens")
    broken = rig.directory / "broken"
    with Client(server) as client:
        handles = client.submit_many("broken_while", [str(broken)] * 100)
        client.wait_for_results(100)
        broken.touch()
        handles += client.submit_many("broken_while", [str(broken)] * 3900)
        daemon.wait_for_line("its breaker opens")
        assert daemon.metric("driveshaft_breakers_open", pool="Regular") == 1
        errors = daemon.metric("driveshaft_errors")
        wait_until(lambda: daemon.metric("driveshaft_errors") >= errors + 3, "three more jobs were tried")
        broken.unlink()
        results = [client.result(handle) for handle in handles]
    failed = results.count(FAILED)
    assert 20 <= failed <= 60
    assert results.count(complete("whole")) == 4000 - failed
    assert daemon.metric("driveshaft_breakers_open", pool="Regular") == 0
    assert len(daemon.lines("its breaker lets more jobs through", level="INFO")) >= 1


def test_the_breaker_of_a_function_is_its_own(rig, shop):
    server, daemon = start(rig, shop.uri(), worker_count=4, fairness="function", breaker={"min_jobs": 5})
    daemon.expect_failed_jobs()
    daemon.expect_errors("its breaker opens")
    broken = rig.directory / "broken"
    broken.touch()
    with Client(server) as client:
        handles = client.submit_many("broken_while", [str(broken)] * 200)
        daemon.wait_for_line("pool Regular, function broken_while: .* its breaker opens")
        assert client.run("reverse", "ab") == complete("ba")
        broken.unlink()
        results = [client.result(handle) for handle in handles]
    assert results.count(FAILED) <= 20
