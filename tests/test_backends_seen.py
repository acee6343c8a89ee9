# SPDX-License-Identifier: MIT
"""What status, page and metrics show of the backends of an endpoint while these go away and come back."""
import pytest

import api
from backends import PythonBackend
from behaviours import reverse
from clients import Client, complete
from driveshaft import jobs_file, pool, run_binary
from processes import wait_until


class Watched:
    """A daemon whose pool P has two backends."""

    def __init__(self, rig):
        self.one, self.two = rig.endpoint(reverse), rig.endpoint(reverse)
        server = rig.gearmand()
        self.daemon = rig.driveshaft(jobs_file([server], {"P": pool([self.one.uri(), self.two.uri()], ["f"])}))
        self.client = Client(server)

    def run(self, jobs):
        for _ in range(jobs):
            assert self.client.run("f", b"ab") == complete("ba")

    def backends(self):
        return api.pool(self.daemon, "P")["endpoint"]["backends"]

    def becomes(self, *states, trying=0):
        """Waits until the backends have these states, and the metrics show them. `trying`: how many jobs run at each look."""
        def are():
            self.run(trying)
            return [backend["state"] for backend in self.backends()] == list(states)
        wait_until(are, f"states are {states}")
        for endpoint, state in zip((self.one, self.two), states):
            wait_until(lambda: self.metric("up", endpoint) == (state == "up"), f"{endpoint.uri()} is {state} in the metrics")

    def metric(self, name, endpoint, **labels):
        return self.daemon.metric(f"driveshaft_backend_{name}", pool="P", backend=endpoint.uri(), **labels)

    def status(self, code, *texts):
        """Waits until `driveshaft status` ends with this code and prints these texts."""
        def fits():
            done = run_binary("status", f"127.0.0.1:{self.daemon.port}")
            return done.stdout if done.returncode == code and all(text in done.stdout for text in texts) else None
        return wait_until(fits, f"status says {texts}")

    def readyz(self):
        status, text, _ = self.daemon.get("/readyz")
        return status, text


@pytest.fixture
def watched(rig):
    watched = Watched(rig)
    with watched.client:
        yield watched


def test_a_backend_that_goes_is_seen_everywhere_and_so_is_one_that_comes_back(watched):
    watched.run(8)
    watched.becomes("up", "up")
    text = watched.status(0, "All is well", f"  {watched.one.uri()} ", f"  {watched.two.uri()} ")
    assert "does not work" not in text
    ready = watched.readyz()
    assert ready[0] == 200

    watched.two.stop()
    watched.becomes("up", "down", trying=1)
    away = watched.backends()[1]
    assert away["why"] == "cannot connect: Connection refused" and away["since"] > 0
    status = api.wait_for_status(watched.daemon, lambda status: not status["well"], "it is a problem")
    [problem] = status["problems"]
    assert (problem["level"], problem["pool"]) == ("warning", "P")
    assert f"1 of 2 backends does not work: {watched.two.uri()} has been down for " in problem["text"]
    watched.status(8, "1 of 2 backends does not work", "up, 1 of 2", "down for ")
    assert watched.readyz() == ready, "the other one works"

    watched.one.stop()
    handle = watched.client.submit("f", b"ab")
    watched.becomes("down", "down")
    status = api.wait_for_status(watched.daemon, lambda status: status["problems"][0]["level"] == "bad", "none works")
    [problem] = status["problems"]
    assert "none of its 2 backends works (1 job is held): " in problem["text"]
    watched.status(8, "none of its 2 backends works")
    wait_until(lambda: "\npool P has taken no jobs for " in watched.readyz()[1], "/readyz names the pool")
    assert watched.readyz()[0] == 200

    watched.two.start()
    assert watched.client.result(handle) == complete("ba")
    watched.becomes("down", "up")
    watched.status(8, f"1 of 2 backends does not work: {watched.one.uri()} has been down")
    wait_until(lambda: watched.readyz() == ready, "/readyz has nothing to say")
    watched.one.start()
    watched.becomes("up", "up")
    watched.status(0, "All is well")


def test_attempts_are_told_of_each_backend(watched):
    watched.run(12)

    def attempts(outcome="succeeded"):
        return [watched.metric("attempts_total", endpoint, outcome=outcome) for endpoint in (watched.one, watched.two)]
    wait_until(lambda: sum(attempts()) == 12, "all are counted")
    assert all(attempts()) and attempts("failed") == [0, 0]
    wait_until(lambda: all(backend["share"] for backend in watched.backends()), "a minute's figures")
    assert sum(backend["share"] for backend in watched.backends()) == pytest.approx(1, abs=0.002)
    assert all(backend["p95"] > 0 and backend["failures_per_second"] == 0 for backend in watched.backends())
    assert watched.metric("connections", watched.one) == watched.backends()[0]["connections"] == 1
    assert watched.metric("weight", watched.two) == 1 and watched.metric("jobs", watched.two) == 0


def test_a_backend_that_is_removed_is_seen_until_its_last_job_is_done(rig):
    server = rig.gearmand()
    stays, goes = (rig.start(PythonBackend(rig.directory, name)) for name in ("stays", "goes"))
    for backend in (stays, goes):
        backend.set(wait_for=1)
    daemon = rig.driveshaft(jobs_file([server], {"P": pool([stays.uri(), goes.uri()], ["f"])}))

    def backends():
        return {backend["name"]: backend for backend in api.pool(daemon, "P")["endpoint"]["backends"]}

    def metric(name):
        return daemon.metric(f"driveshaft_backend_{name}", pool="P", backend=goes.uri())
    with Client(server) as client:
        handles = client.submit_many("f", ["ab"] * 4)
        wait_until(lambda: stays.running_jobs == goes.running_jobs == 2, "two jobs run on each")
        stays.set(wait_for=0)
        wait_until(lambda: len(api.pool(daemon, "P")["jobs"]) == 2, "one has finished its jobs")
        daemon.reload(jobs_file([server], {"P": pool([stays.uri()], ["f"])}))
        seen = backends()
        assert list(seen) == [stays.uri(), goes.uri()]
        assert seen[stays.uri()]["state"] == "up"
        assert (seen[goes.uri()]["state"], seen[goes.uri()]["running"], seen[goes.uri()]["weight"]) == ("draining", 2, 0)
        wait_until(lambda: metric("jobs") == 2 and metric("weight") == metric("up") == 0, "the metrics say so")
        status = run_binary("status", f"127.0.0.1:{daemon.port}")
        assert status.returncode == 0 and "All is well" in status.stdout
        line, = (line for line in status.stdout.splitlines() if line.startswith(f"  {goes.uri()} "))
        assert "2 left" in line and "draining for" in line
        assert [job["backend"] for job in api.pool(daemon, "P")["jobs"]] == [goes.uri()] * 2
        goes.set(wait_for=0)
        assert [client.result(handle) for handle in handles] == [complete("ba")] * 4
    wait_until(lambda: list(backends()) == [stays.uri()], "it is gone")
    wait_until(lambda: not any(labels.get("backend") == goes.uri() for _, labels, _ in daemon.samples()), "its series are")


def test_backends_that_look_alike_have_series_of_their_own(rig):
    """User and password are shown nowhere."""
    server = rig.gearmand()
    endpoint = rig.endpoint(reverse)
    uris = [endpoint.uri().replace("//", f"//{user}:secret@") for user in ("one", "two")]
    daemon = rig.driveshaft(jobs_file([server], {"P": pool(uris, ["f"])}))
    name = endpoint.uri().replace("//", "//***@")
    with Client(server) as client:
        for _ in range(6):
            assert client.run("f", b"ab") == complete("ba")

    def attempts(backend):
        return daemon.metric("driveshaft_backend_attempts_total", pool="P", backend=backend, outcome="succeeded")
    wait_until(lambda: [attempts(name), attempts(f"{name} #2")] == [3, 3], "each has its own")
    assert [backend["name"] for backend in api.pool(daemon, "P")["endpoint"]["backends"]] == [name, f"{name} #2"]
    assert "secret" not in daemon.get("/metrics")[1]


def test_the_series_of_a_backend_go_with_it(rig):
    server = rig.gearmand()
    one, two = rig.endpoint(reverse), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {"P": pool([one.uri(), two.uri()], ["f"])}))

    def backends():
        return {labels["backend"] for name, labels, _ in daemon.samples() if name.startswith("driveshaft_backend_")}
    wait_until(lambda: backends() == {one.uri(), two.uri()}, "both have series")
    daemon.reload(jobs_file([server], {"P": pool([two.uri()], ["f"])}))
    wait_until(lambda: backends() == {two.uri()}, "one has gone")
    assert len(api.pool(daemon, "P")["endpoint"]["backends"]) == 1
    daemon.reload(jobs_file([server], {"P": pool([{"uri": one.uri(), "weight": 0}, two.uri()], ["f"])}))
    wait_until(lambda: backends() == {one.uri(), two.uri()}, "both have series")
    assert daemon.metric("driveshaft_backend_up", backend=one.uri()) == 0
    api.wait_for_status(daemon, lambda status: status["well"], "a backend of weight 0 is no problem")
