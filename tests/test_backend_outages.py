# SPDX-License-Identifier: MIT
"""One of three backends is killed, stopped, slow, or fails. The others run the jobs, and the backend is used again when it
works, without an operator."""
import collections
import os
import signal
import time

import pytest

from backends import PythonBackend, jobs_of, three
from behaviours import raw
from clients import Client, FAILED, complete
from driveshaft import control, jobs_file, pool
from load import Load
from processes import wait_until
from servers import PhpFpmNginx

SLOTS = 24
AT_EACH = SLOTS // 3


class PatientShop(PhpFpmNginx):
    CONTROL_TIMEOUT = 10


class Trio:
    """Three backends: nginx with php-fpm, php-fpm alone, and a Python server. Each job takes `delay` seconds."""

    def __init__(self, rig, delay=0.01, function="reverse", **settings):
        self.records = [rig.directory / f"record-{name}" for name in ("nginx", "fpm")]
        for folder in ("nginx", "fpm"):
            (rig.directory / folder).mkdir()
        self.nginx = rig.start(PatientShop(rig.directory / "nginx"))
        self.fpm = rig.php_fpm(control_timeout=10)
        self.python = rig.start(PythonBackend(rig.directory))
        self.python.set(delay=delay)
        self.delay = delay
        self.uris = [self.nginx.uri(record=self.records[0], delay=delay),
                     self.fpm.uri_unix(record=self.records[1], delay=delay), self.python.uri()]
        self.server = rig.gearmand(options=["--hashtable-buckets=100003"])
        self.daemon = rig.driveshaft(jobs_file([self.server], {"Regular": pool(self.uris, [function], SLOTS, **settings)}))

    def jobs(self):
        return [sum(jobs_of(record).values()) for record in self.records] + [self.python.jobs]


def kill_nginx(trio):
    worker, = trio.nginx.nginx.children()
    trio.nginx.nginx.send(signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    trio.nginx.nginx.wait()


def kill_fpm(trio):
    trio.fpm.kill()
    trio.fpm.socket_path.unlink(missing_ok=True)


BACKENDS = {
    "nginx": (0, kill_nginx, lambda trio: trio.nginx.start_nginx()),
    "php-fpm": (1, kill_fpm, lambda trio: trio.fpm.start()),
    "python": (2, lambda trio: trio.python.kill(), lambda trio: trio.python.start()),
}


def counts(load):
    """How many jobs of the load have failed. Checks that no job has another wrong result."""
    assert all(result == FAILED for result, _ in load.wrong), load.wrong[:3]
    return len(load.wrong)


def go_on(load, jobs=100):
    then = load.right
    wait_until(lambda: load.right > then + jobs, "jobs go on")


def stop(load, failures=0):
    """Stops the load, and checks that each job has a result and that at most `failures` jobs have failed. Returns the numbers
    of right and of failed jobs."""
    failed = counts(load)
    assert failed <= failures
    load.wrong = []
    return load.stop(), failed + counts(load)


@pytest.mark.once
@pytest.mark.parametrize("name", BACKENDS)
def test_one_that_is_killed_costs_what_it_ran_and_comes_back(rig, name):
    place, kill, begin = BACKENDS[name]
    trio = Trio(rig)
    trio.daemon.expect_failed_jobs()
    with Load(trio.server, window=40) as load:
        go_on(load)
        kill(trio)
        go_on(load, 300)
        assert counts(load) <= AT_EACH + 1
        killed_at = time.monotonic()
        before = trio.jobs()[place] if name != "python" else 0
        begin(trio)
        wait_until(lambda: trio.jobs()[place] > before + 20, "it has jobs again")
        took = time.monotonic() - killed_at
        _, failed = stop(load, AT_EACH + 1)
    assert took < 5, "a killed one is back as soon as it runs"
    assert trio.daemon.metric("driveshaft_errors") == failed


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("name, limit", [("nginx", "attempt_timeout"), ("php-fpm", "attempt_timeout"),
                                         ("python", "max_running_time")])
def test_one_that_is_stopped_costs_what_it_ran_and_comes_back(rig, name, limit):
    place, process = {"nginx": (0, lambda trio: trio.nginx.nginx), "php-fpm": (1, lambda trio: trio.fpm),
                      "python": (2, lambda trio: trio.python)}[name]
    settings = {"retry": {"attempts": 1, "attempt_timeout": 2}} if limit == "attempt_timeout" else {}
    function = {"function": "reverse", "max_running_time": 2} if limit == "max_running_time" else "reverse"
    trio = Trio(rig, function=function, **settings)
    trio.daemon.expect_failed_jobs()
    with Load(trio.server, window=40) as load:
        go_on(load)
        process(trio).send_to_all(signal.SIGSTOP)
        go_on(load, 500)
        wait_until(lambda: load.wrong, "what it had has failed")
        go_on(load, 300)
        process(trio).send_to_all(signal.SIGCONT)
        before = trio.jobs()[place]
        wait_until(lambda: trio.jobs()[place] > before + 20, "it has jobs again", 30)
        _, failed = stop(load, AT_EACH + 1)
    assert 1 <= failed <= AT_EACH + 1


@pytest.mark.once
def test_one_that_becomes_slow_gets_less(rig):
    trio = Trio(rig)
    with Load(trio.server, window=40) as load:
        go_on(load, 300)
        before = trio.jobs()
        trio.python.set(delay=10 * trio.delay)
        go_on(load, 2000)
        load.stop()
    *others, slow = [now - then for then, now in zip(before, trio.jobs())]
    assert 0 < slow < min(others) / 3
    assert trio.daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
@pytest.mark.slow
def test_one_that_fails_at_once_costs_few_jobs_and_comes_back(rig):
    """The jobs that the backend ran fail, and then only jobs that try it. The log says that it fails."""
    trio = Trio(rig)
    trio.daemon.expect_failed_jobs()
    with Load(trio.server, window=40) as load:
        go_on(load)
        trio.python.set(status=500, delay=0)
        go_on(load, 1000)
        trio.daemon.wait_for_line("fails, and the others do not", level="WARN")
        trio.python.set(status=200, delay=trio.delay)
        before = trio.python.jobs
        wait_until(lambda: trio.python.jobs > before + 50, "it has jobs again", 40)
        _, failed = stop(load, AT_EACH + 2)
    assert 1 <= failed <= AT_EACH + 2
    trio.daemon.wait_for_line("works again after", level="INFO")


@pytest.mark.once
@pytest.mark.parametrize("status", [502, 503])
def test_one_whose_application_is_absent_costs_no_job_and_comes_back(rig, status):
    trio = Trio(rig)
    with Load(trio.server, window=40) as load:
        go_on(load)
        trio.python.set(status=status, delay=0)
        before = trio.python.jobs
        go_on(load, 1000)
        assert trio.python.jobs - before < 50
        trio.python.set(status=200, delay=trio.delay)
        before = trio.python.jobs
        wait_until(lambda: trio.python.jobs > before + 50, "it has jobs again", 30)
        load.stop()
    assert trio.daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
def test_php_fpm_away_behind_nginx_costs_no_job(rig):
    trio = Trio(rig)
    with Load(trio.server, window=40) as load:
        go_on(load)
        trio.nginx.fpm.send(signal.SIGKILL)
        trio.nginx.fpm.wait()
        go_on(load, 500)
        before = trio.jobs()[0]
        trio.nginx.start_fpm()
        wait_until(lambda: trio.jobs()[0] > before + 20, "it has jobs again")
        load.stop()
    assert trio.daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
@pytest.mark.slow
def test_a_rolling_restart_of_all_costs_no_job(rig):
    trio = Trio(rig, 0.002)
    jobs = 20_000
    restarts = [lambda: trio.nginx.reload_nginx(), lambda: trio.nginx.restart_nginx(), lambda: trio.nginx.reload_fpm(),
                lambda: trio.fpm.reload(), lambda: trio.python.restart()]
    with Client(trio.server) as client:
        handles = client.submit_many("reverse", [f"job {number}" for number in range(jobs)])
        for turn in range(2 * len(restarts)):
            client.wait_for_results((turn + 1) * jobs // (2 * len(restarts) + 2))
            restarts[turn % len(restarts)]()
        assert len(client.results) < jobs, "all that happened under load"
        for number, handle in enumerate(handles):
            assert client.result(handle) == complete(f"job {number}"[::-1])
    assert trio.daemon.metric("driveshaft_errors") == 0
    runs = sum(sum(jobs_of(record).values()) for record in trio.records)
    assert runs <= jobs, "none was run twice"


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("by", ["uri", "uri_unix"])
def test_rolling_reloads_of_three_php_fpm_cost_no_job_and_repeat_none(rig, by):
    """A php-fpm process that is told to end reads no further request on its connection."""
    backends = [rig.php_fpm(children=AT_EACH, control_timeout=30) for _ in range(3)]
    records = [rig.directory / f"record-{number}" for number in (1, 2, 3)]
    uris = [getattr(backend, by)(record=record, delay=0.002) for backend, record in zip(backends, records)]
    server = rig.gearmand(options=["--hashtable-buckets=100003"])
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uris, ["reverse"], SLOTS)}))
    with Load(server, window=60) as load:
        for turn in range(9):
            go_on(load, 300)
            backends[turn % 3].reload()
        go_on(load, 300)
        load.stop()
    assert daemon.metric("driveshaft_errors") == 0
    ran = sum((jobs_of(record) for record in records), collections.Counter())
    assert len(ran) == load.right and set(ran.values()) == {1}


@pytest.mark.once
def test_after_a_cancelled_trial_a_failing_backend_is_tried_again(rig):
    """The first job that tries the failing backend is cancelled, so it does not show whether the backend works."""
    one, *others = three(rig)
    server = rig.gearmand()
    path = rig.directory / "control"
    uris = [backend.uri() for backend in (one, *others)]
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uris, ["reverse"], 3)}), control_socket=path)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        def is_tried():
            handles.append(client.submit("reverse", "ab"))
            return one.jobs > before
        handles, before = [], 0
        one.set(status=500)
        wait_until(is_tried, "it fails a job")
        one.set(status=200, wait_for=1)
        before = one.jobs
        wait_until(is_tried, "it is tried")
        assert control(path, "cancel", one.told()["handles"][-1]) == "1 job was cancelled"
        one.set(wait_for=0)
        before = one.jobs + 20
        wait_until(is_tried, "it is tried again, and works", 30, 0.02)
        results = [client.result(handle) for handle in handles]
    assert results.count(FAILED) == 2 == len(results) - results.count(complete("ba"))


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", b"",
    b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<!DO"],
    ids=["empty", "404", "closes", "429", "no contract"])
def test_one_that_answers_at_once_what_is_no_result_costs_few_jobs(rig, answer):
    """Such a backend answers fast, so it seems to be the least busy one."""
    good, bad = three(rig), rig.endpoint(raw(answer, keep=bool(answer)))
    for backend in good:
        backend.set(delay=0.005)
    server = rig.gearmand()
    uris = [backend.uri() for backend in (*good, bad)]
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(uris, ["reverse"], SLOTS)}))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        results = client.run_all("reverse", ["ab"] * 1000)
    assert results.count(FAILED) <= SLOTS / 4 + 1
    assert results.count(FAILED) + results.count(complete("ba")) == 1000


@pytest.mark.once
def test_while_all_are_away_jobs_are_held(rig):
    backends = three(rig)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool([backend.uri() for backend in backends], ["reverse"], SLOTS)}))
    with Load(server, window=60) as load:
        go_on(load)
        for backend in backends:
            backend.send(signal.SIGTERM)
            assert backend.wait() == 0
        wait_until(lambda: daemon.metric("driveshaft_endpoint_up", pool="Regular") == 0, "the outage is noticed")
        wait_until(lambda: daemon.metric("driveshaft_jobs_held") > 0, "jobs are held")
        backends[1].start()
        go_on(load)
        for backend in (backends[0], backends[2]):
            backend.start()
        wait_until(lambda: all(backend.jobs > 50 for backend in backends), "all have jobs")
        load.stop()
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("cannot be reached")) == len(daemon.lines("works again after")) == 3
