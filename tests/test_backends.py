# SPDX-License-Identifier: MIT
"""Several backends of one endpoint: how many jobs each gets, and changes while jobs run."""
import collections
import time

import pytest

from backends import PythonBackend, jobs_of, shares, three
from certificates import Authority
from clients import Client, FAILED, complete, status
from driveshaft import jobs_file, pool
from fakes import SocketServer
from load import Load, under_load
from packets import Kind
from processes import let_pass, wait_for_end, wait_until
from test_signatures import new_secret, write
from test_streaming import DONE, stream
from test_upgrade import upgrade_by_signal

JOBS = 10_000


def start(rig, backends, worker_count=30, functions=("reverse",), more=(), **settings):
    """Starts a gearmand, and a driveshaft with one pool. `backends` is the value of job_processing_uri, `more` are options of
    the daemon."""
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(backends, functions, worker_count, **settings)})
    return server, rig.driveshaft(config, **dict(more))


def change(daemon, backends, server, worker_count=30, functions=("reverse",), **settings):
    daemon.reload(jobs_file([server], {"Regular": pool(backends, functions, worker_count, **settings)}))


def texts(count):
    return [f"job {number}" for number in range(count)]


def all_succeed(results, count):
    assert results == [complete(text[::-1]) for text in texts(count)]


def run_jobs(server, count, window=100):
    with Client(server) as client:
        all_succeed(client.run_all("reverse", texts(count), window), count)


def uris(backends):
    return [backend.uri() for backend in backends]


# --- shares

@pytest.mark.once
@pytest.mark.slow
def test_equally_fast_backends_have_equal_shares(rig):
    """All slots are busy. The jobs wait and need no processor, so a busy machine does not slow down one backend more than
    another."""
    backends = three(rig)
    for backend in backends:
        backend.set(delay=0.03)
    server, daemon = start(rig, uris(backends))
    run_jobs(server, JOBS)
    found = shares([backend.jobs for backend in backends])
    assert all(abs(share - 1 / 3) < 0.05 / 3 for share in found), found
    assert daemon.metric("driveshaft_errors") == 0


def test_backends_have_equal_shares_of_few_jobs(rig):
    backends = three(rig)
    server, _ = start(rig, uris(backends))
    run_jobs(server, 900, window=1)
    assert [backend.jobs for backend in backends] == [300, 300, 300]


@pytest.mark.parametrize("weights, slots, jobs", [([1, 2, 3], 24, 2000), ([1, 3, 0], 2, 400), ([1, 20, 20], 8, 1600)])
@pytest.mark.once
def test_weights_hold(rig, weights, slots, jobs):
    """This holds even with few slots: the backend with the least weight is often idle, but does not get each job for that
    reason. A job takes much longer than the delay that a busy machine adds, because a slower backend would get fewer jobs."""
    backends = three(rig)
    for backend in backends:
        backend.set(delay=0.02)
    server, _ = start(rig, [{"uri": backend.uri(), "weight": weight} for backend, weight in zip(backends, weights)], slots)
    run_jobs(server, jobs)
    for backend, weight in zip(backends, weights):
        expected = jobs * weight / sum(weights)
        assert abs(backend.jobs - expected) <= 0.05 * expected + slots


def test_a_weight_of_0_takes_no_more_and_finishes_what_runs(rig):
    one, two, three_ = backends = three(rig)
    one.set(wait_for=1)
    server, daemon = start(rig, uris(backends))
    with Client(server) as client:
        handles = client.submit_many("reverse", texts(300))
        wait_until(lambda: one.running_jobs >= 10, "jobs run there")
        had = one.running_jobs
        change(daemon, [{"uri": one.uri(), "weight": 0}, two.uri(), three_.uri()], server)
        handles += client.submit_many("reverse", texts(300))
        client.wait_for_results(600 - had)
        assert one.jobs == one.running_jobs == had
        one.set(wait_for=0)
        all_succeed([client.result(handle) for handle in handles[:300]], 300)
        all_succeed([client.result(handle) for handle in handles[300:]], 300)
    run_jobs(server, 100)
    assert one.jobs == had
    assert daemon.metric("driveshaft_errors") == 0


def test_with_every_weight_0_jobs_wait_in_gearmand(rig):
    backends = three(rig)
    server, daemon = start(rig, [{"uri": backend.uri(), "weight": 0} for backend in backends])
    with Client(server) as client:
        handles = client.submit_many("reverse", texts(30))
        wait_until(lambda: "each backend of endpoint" in daemon.get("/readyz")[1], "/readyz says that none takes jobs")
        found = status(server, "reverse")
        assert (found.total, found.running) == (30, 0)
        change(daemon, [{"uri": backend.uri(), "weight": weight} for backend, weight in zip(backends, (0, 1, 0))], server)
        all_succeed([client.result(handle) for handle in handles], 30)
    assert [backend.jobs for backend in backends] == [0, 30, 0]


def test_a_slow_backend_gets_less(rig):
    backends = three(rig)
    for backend, delay in zip(backends, [0.1, 0.01, 0.01]):
        backend.set(delay=delay)
    server, _ = start(rig, uris(backends))
    run_jobs(server, 3000)
    slow, *others = [backend.jobs for backend in backends]
    assert 0 < slow < min(others) / 4


# --- limits

def test_max_concurrency_of_a_backend_holds(rig):
    backends = three(rig)
    for backend in backends:
        backend.set(delay=0.005)
    limits = [2, 5, 0]
    server, daemon = start(rig, [{"uri": backend.uri(), "max_concurrency": limit} for backend, limit in zip(backends, limits)])
    run_jobs(server, 2000)
    most = [backend.told()["most_running"] for backend in backends]
    assert most[:2] == limits[:2] and most[2] > 5
    assert daemon.metric("driveshaft_errors") == 0


def test_with_all_backends_at_their_limit_no_more_jobs_are_taken(rig):
    backends = three(rig)
    for backend in backends:
        backend.set(wait_for=1)
    server, daemon = start(rig, [{"uri": backend.uri(), "max_concurrency": 2} for backend in backends])
    with Client(server) as client:
        handles = client.submit_many("reverse", texts(100))
        wait_until(lambda: [backend.running_jobs for backend in backends] == [2, 2, 2], "as many run as may")
        assert status(server, "reverse").running == 6
        for backend in backends:
            backend.set(wait_for=0)
        all_succeed([client.result(handle) for handle in handles], 100)


def test_a_full_php_fpm_beside_a_free_backend_is_full_and_not_down(rig):
    record = rig.directory / "record"
    free, = [rig.start(PythonBackend(rig.directory))]
    free.set(delay=0.02)
    fpm = rig.php_fpm(children=2, backlog=2)
    server, daemon = start(rig, [fpm.uri_unix(record=record, delay=0.02), free.uri()])
    daemon.expect_errors("is full: it takes no more than")
    with Client(server) as client:
        all_succeed([client.result(handle) for handle in client.submit_many("reverse", texts(3000))], 3000)
    assert sum(jobs_of(record).values()) + free.jobs == 3000
    assert len(jobs_of(record)) > 50
    assert daemon.metric("driveshaft_errors") == 0
    assert daemon.metric("driveshaft_endpoint_up", pool="Regular") == 1
    assert not daemon.lines("cannot be reached|HTTP status|Holding job")
    assert 1 <= len(daemon.lines("is full: it takes no more than")) <= 3
    assert len(daemon.lines("^pool Regular")) < 10


def test_no_job_waits_for_a_child_of_php_fpm_while_another_backend_is_idle(rig):
    """One php-fpm has two children, and its `max_concurrency` is 2. Each child runs a long job."""
    record = rig.directory / "record"
    free = rig.start(PythonBackend(rig.directory))
    fpm = rig.php_fpm(children=2)
    long = {"uri": fpm.uri_unix(record=record, delay=3), "max_concurrency": 2}
    server, daemon = start(rig, [long, {"uri": free.uri(), "weight": 0}])
    with Client(server) as client:
        slow = client.submit_many("reverse", ["slow"] * 2)
        wait_until(lambda: sum(jobs_of(record).values()) == 2, "both children are busy")
        change(daemon, [long, free.uri()], server)
        began = time.monotonic()
        all_succeed(client.run_all("reverse", texts(300), 20), 300)
        assert time.monotonic() - began < 2
        assert free.jobs == 300
        assert [client.result(handle) for handle in slow] == [complete("wols")] * 2
    assert daemon.metric("driveshaft_errors") == 0


# --- reloads

def test_backends_that_are_added_removed_and_changed_under_load_cost_no_job_and_run_none_twice(rig):
    one, two, third = backends = three(rig)
    for backend in backends:
        backend.set(delay=0.002)
    server, daemon = start(rig, one.uri())

    def has_jobs(backend):
        before = backend.jobs
        wait_until(lambda: backend.jobs > before + 20, f"{backend.name} gets jobs")

    def drains(backend):
        wait_until(lambda: backend.running_jobs == 0, f"{backend.name} has finished")

    with under_load(server, daemon=daemon) as load:
        change(daemon, [one.uri(), two.uri()], server)
        has_jobs(two)
        change(daemon, [one.uri(), two.uri(), {"uri": third.uri(), "max_concurrency": 1}], server)
        has_jobs(third)
        assert third.told()["most_running"] == 1
        change(daemon, [two.uri(), {"uri": third.uri(), "max_concurrency": 3}], server)
        drains(one)
        gone = one.jobs
        wait_until(lambda: third.told()["most_running"] == 3, "the new limit is used")
        change(daemon, [{"uri": third.uri(), "weight": 5}, {"uri": two.uri(), "weight": 1}], server)
        before = [two.jobs, third.jobs]
        wait_until(lambda: two.jobs > before[0] + 100, "jobs go on")
        assert third.jobs - before[1] > 3 * (two.jobs - before[0])
        change(daemon, third.uri(), server)
        drains(two)
        assert one.jobs == gone
        change(daemon, [third.uri(), one.uri()], server)
        has_jobs(one)
        total = load
    ran = collections.Counter(handle for backend in backends for handle in backend.told()["handles"])
    assert len(ran) == total.right and set(ran.values()) == {1}


def test_a_function_has_backends_of_its_own(rig):
    one, two, third = backends = three(rig)
    for backend in backends:
        backend.set(delay=0.002)

    def functions(*own):
        return ["reverse", {"function": "own", "job_processing_uri": list(own)}]
    server, daemon = start(rig, one.uri(), functions=functions(two.uri()))
    with under_load(server, "own", daemon) as own, under_load(server, daemon=daemon) as load:
        change(daemon, one.uri(), server, functions=functions(two.uri(), third.uri()))
        wait_until(lambda: third.jobs > 50, "the new one gets jobs")
        assert one.jobs > 0
        change(daemon, one.uri(), server, functions=functions(third.uri(), {"uri": two.uri(), "weight": 0}))
        wait_until(lambda: two.running_jobs == 0, "it has finished")
        gone = two.jobs
        then = third.jobs
        wait_until(lambda: third.jobs > then + 100, "jobs go on")
        assert two.jobs == gone
        own_load, pool_load = own, load
    assert one.jobs == pool_load.right
    assert two.jobs + third.jobs == own_load.right


def test_a_limit_of_a_backend_of_a_function_holds_over_a_reload(rig):
    """Jobs that run there since before the reload count."""
    one, two, other = backends = three(rig)
    for backend in backends:
        backend.set(wait_for=1)

    def functions(weight):
        return [{"function": "reverse", "job_processing_uri": [
            {"uri": one.uri(), "max_concurrency": 3}, {"uri": two.uri(), "weight": weight}]}]
    server, daemon = start(rig, other.uri(), functions=functions(1), worker_count=10)
    with Client(server) as client:
        handles = client.submit_many("reverse", texts(100))
        wait_until(lambda: one.running_jobs == 3 and two.running_jobs == 7, "all slots run")
        change(daemon, other.uri(), server, functions=functions(2), worker_count=10)
        two.set(wait_for=0)
        client.wait_for_results(97)
        one.set(wait_for=0)
        all_succeed([client.result(handle) for handle in handles], 100)
    assert one.told()["most_running"] == 3


# --- what jobs have beside

def test_a_retry_prefers_another_backend(rig):
    """Each backend fails every job, so jobs avoid none of them for another reason."""
    backends = three(rig)
    for backend in backends:
        backend.set(status=500)
    server, daemon = start(rig, uris(backends), retry={"attempts": 3, "initial_delay": 0.01, "max_delay": 0.01})
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert [client.result(handle) for handle in client.submit_many("reverse", texts(50))] == [FAILED] * 50
    assert sum(backend.jobs for backend in backends) == 150
    places = collections.defaultdict(list)
    for number, backend in enumerate(backends):
        for handle in backend.told()["handles"]:
            places[handle].append(number)
    assert all(len(set(where)) > 1 for where in places.values())


def test_a_job_that_failed_at_one_backend_succeeds_at_another(rig):
    good, bad, other = backends = three(rig)
    bad.set(status=500)
    server, daemon = start(rig, uris(backends), retry={"attempts": 2, "initial_delay": 0.01, "max_delay": 0.01})
    run_jobs(server, 1000)
    assert daemon.metric("driveshaft_errors") == 0
    assert bad.jobs <= 30 and good.jobs > 300 and other.jobs > 300


def test_with_tls_one_whose_certificate_does_not_verify_is_away(rig):
    ours, stranger = Authority(rig.directory), Authority(rig.directory, "stranger")
    good = rig.start(PythonBackend(rig.directory, "good", certificate=ours.issue("good")))
    bad = rig.start(PythonBackend(rig.directory, "bad", certificate=stranger.issue("bad")))
    server, daemon = start(rig, [bad.uri(), good.uri()], tls=ours.trusted())
    run_jobs(server, 500)
    assert (good.jobs, bad.jobs) == (500, 0)
    assert daemon.metric("driveshaft_errors") == 0
    line, = daemon.lines("cannot be reached", level="WARN")
    assert bad.uri() in line and "jobs go to the 1 other" in line


def test_signatures_and_streams_are_those_of_each_backend(rig):
    backends = three(rig)
    secret = new_secret()
    server, _ = start(rig, uris(backends), functions=["reverse", "stream"],
                      signing_secret_file=write(rig.directory / "secrets", secret))
    with Client(server) as client:
        handles = client.submit_many("stream", texts(30))
        all_succeed([client.result(handle) for handle in handles], 30)
        assert [(kind, data) for kind, data in client.told()] == [(Kind.WORK_DATA, b"part")] * 30
    for backend in backends:
        told = backend.told()
        assert 8 <= len(told["handles"]) <= 12
        for head in told["heads"]:
            assert head["host"] == f"127.0.0.1:{backend.port}" and head["webhook-signature"].startswith("v1,")


def test_headers_go_to_each_backend_and_so_do_those_of_a_reload(rig):
    backends = three(rig)
    server, daemon = start(rig, uris(backends), headers={"X-Shop": "one"})
    run_jobs(server, 30)
    change(daemon, uris(backends), server, headers={"X-Shop": "two"})
    before = [backend.told() for backend in backends]

    def each_has_run_five_more():
        run_jobs(server, 30)
        return all(len(backend.told()["handles"]) >= len(then["handles"]) + 5 for backend, then in zip(backends, before))
    wait_until(each_has_run_five_more, "all heads that they tell of are new")
    for backend, then in zip(backends, before):
        assert {head["x-shop"] for head in then["heads"]} == {"one"}
        assert {head["x-shop"] for head in backend.told()["heads"]} == {"two"}


def test_a_stream_goes_to_another_backend_unless_its_first_lines_have_gone_to_the_client(rig):
    """If the connection breaks before the first line, `retry` applies."""
    good = rig.endpoint(stream({"data": "part"}, DONE))
    silent = rig.endpoint(stream(close=True))
    more = {"functions": ["f"], "retry": {"attempts": 3, "initial_delay": 0.01}}
    server, daemon = start(rig, [silent.uri(), good.uri()], **more)
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run_all("f", texts(20)) == [complete("done")] * 20
        assert client.told() == [(Kind.WORK_DATA, b"part")] * 20
        assert silent.requests and daemon.metric("driveshaft_errors") == 0

        talks = rig.endpoint(stream({"data": "half"}, close=True))
        change(daemon, [talks.uri(), good.uri()], server, **more)
        results = client.run_all("f", texts(20))
        broke = len(talks.requests)
        assert results.count(FAILED) == broke > 0 and results.count(complete("done")) == 20 - broke
        told = client.told()
        assert told.count((Kind.WORK_DATA, b"half")) == broke and told.count((Kind.WORK_DATA, b"part")) == 20 - broke


def test_jobs_that_stream_go_to_the_others_when_a_backend_is_away(rig):
    one, *others = three(rig)
    server, daemon = start(rig, uris([one, *others]), functions=["stream"])
    one.kill()
    with Client(server) as client:
        all_succeed(client.run_all("stream", texts(300)), 300)
        assert client.told() == [(Kind.WORK_DATA, b"part")] * 300
    assert daemon.metric("driveshaft_errors") == 0


def test_a_breaker_opens_for_a_bad_deployment_and_not_for_one_bad_backend(rig):
    backends = three(rig)
    server, daemon = start(rig, uris(backends), breaker=True)
    daemon.expect_failed_jobs()
    daemon.expect_errors("its breaker opens")
    backends[0].set(status=500)
    with Client(server) as client:
        results = client.run_all("reverse", texts(1000))
        assert results.count(FAILED) <= 11
        assert not daemon.lines("its breaker opens")

        for backend in backends:
            backend.set(status=500)
        handles = client.submit_many("reverse", texts(1000))
        daemon.wait_for_line("its breaker opens")
        assert daemon.metric("driveshaft_breakers_open", pool="Regular") == 1
        for backend in backends:
            backend.set(status=200)
        results = [client.result(handle) for handle in handles]
        assert 10 <= results.count(FAILED) <= 60
        assert all(result in (FAILED, complete(text[::-1])) for result, text in zip(results, texts(1000)))
    assert daemon.metric("driveshaft_breakers_open", pool="Regular") == 0


def test_endpoint_down_fail_holds_no_jobs_and_loses_none_to_one_that_is_away(rig):
    one, two, third = backends = three(rig)
    server, daemon = start(rig, uris(backends), endpoint_down="fail")
    daemon.expect_failed_jobs()
    third.kill()
    run_jobs(server, 500)
    assert daemon.metric("driveshaft_errors") == 0
    one.kill()
    two.kill()
    with Client(server) as client:
        began = time.monotonic()
        assert [client.result(handle) for handle in client.submit_many("reverse", texts(50))] == [FAILED] * 50
        assert time.monotonic() - began < 5
    one.start()

    def succeeds():
        with Client(server) as client:
            return client.run("reverse", "ab") == complete("ba")
    wait_until(succeeds, "it is back")
    run_jobs(server, 100)


def test_endpoint_down_fail_holds_no_jobs_for_one_that_is_away_when_a_reload_takes_the_others(rig):
    one, two, _ = three(rig)
    server, daemon = start(rig, [one.uri(), two.uri()], endpoint_down="fail")
    daemon.expect_failed_jobs()
    one.kill()
    run_jobs(server, 50)
    daemon.wait_for_line("cannot be reached")
    change(daemon, one.uri(), server, endpoint_down="fail")
    with Client(server) as client:
        began = time.monotonic()
        assert client.run("reverse", "ab") == FAILED
        assert time.monotonic() - began < 5


def test_one_that_asks_to_be_left_alone_costs_no_job_however_long_it_asks(rig):
    one, two, third = backends = three(rig)
    one.set(status=429, headers="Retry-After: 3600\r\n")
    server, daemon = start(rig, uris(backends), more={"max_running_time": 30})
    run_jobs(server, 500)
    assert one.jobs <= 30
    assert daemon.metric("driveshaft_errors") == 0


# --- upgrades

@pytest.mark.once
def test_upgrades_under_load_lose_and_repeat_no_job(rig):
    backends = three(rig)
    for backend in backends:
        backend.set(delay=0.005)
    path = rig.directory / "control.sock"
    server, daemon = start(rig, uris(backends), more={"control_socket": path})
    with under_load(server, daemon=daemon) as load:
        for turn in range(6):
            then = load.right
            wait_until(lambda: load.right > then + 200, "jobs run")
            old = daemon.upgrade(path) if turn % 2 else upgrade_by_signal(daemon)
            assert wait_for_end(old) == 0
    told = [backend.told()["handles"] for backend in backends]
    assert len({handle for handles in told for handle in handles}) == sum(map(len, told)) == load.right
    assert min(map(len, told)) > load.right / 6, "all of them had jobs"


# --- connections

@pytest.mark.once
def test_connections_are_replaced_by_age_and_no_job_waits_for_that(rig):
    backends = three(rig)
    for backend in backends:
        backend.set(delay=0.005)
    server, daemon = start(rig, uris(backends), 6, max_connection_age=1)
    with Load(server, window=12) as load:
        wait_until(lambda: load.right > 100, "jobs run")
        before = [backend.told()["connections"] for backend in backends]
        opened = daemon.metric("driveshaft_http_phase_duration_seconds_count", phase="connect")
        let_pass(5)
        load.stop()
    after = [backend.told()["connections"] for backend in backends]
    assert all(now - then >= 4 for then, now in zip(before, after)), f"{before} {after}"
    assert all(now - then <= 2 * 8 for then, now in zip(before, after))
    assert daemon.metric("driveshaft_http_phase_duration_seconds_count", phase="connect") == opened, "no job has opened one"
    assert daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
def test_idle_backends_cost_next_to_nothing(rig):
    """Compares fifty backends with one, both with ten thousand slots. A backend took about 20 kB: its figures of a minute,
    its metrics and its connector."""
    listening = [rig.start(CountingServer()) for _ in range(50)]
    daemons = []
    for backends in (1, 50):
        server = rig.gearmand(f"gearmand-{backends}")
        config = jobs_file([server], {"Regular": pool([f"http://{one.address}/" for one in listening[:backends]],
                                                      ["reverse"], 10_000)})
        daemons.append(rig.driveshaft(config, name=f"driveshaft-{backends}"))
    before = [daemon.cpu_seconds() for daemon in daemons]
    let_pass(3)
    spent = [daemon.cpu_seconds() - then for daemon, then in zip(daemons, before)]
    one, fifty = (daemon.memory() for daemon in daemons)
    assert fifty - one < 49 * 40_000
    assert spent[1] <= spent[0] + 0.05
    assert not any(server.connections for server in listening)


class CountingServer(SocketServer):
    name = "a server that counts"

    def serve(self, sock, number):
        sock.recv(1)
