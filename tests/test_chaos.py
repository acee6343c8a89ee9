# SPDX-License-Identifier: MIT
"""Real processes are killed, cut off and restarted under load. Each test ends with the account of its jobs: none is missing,
and no more ran twice than is unavoidable."""
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from clients import Client, complete, status
from driveshaft import jobs_file, pool, run_binary
from processes import Process, let_pass, wait_until
from servers import Gearmand, PhpFpmNginx

RETRY = {"attempts": 20, "initial_delay": 0.05, "max_delay": 0.5}
EXPECTED = ("cannot be reached", "connection lost", "Dropped result", "asks to wait")


class Account:
    """The account of jobs that each have a unique: which were submitted, and which have run according to the endpoint."""

    def __init__(self, directory):
        self.path = directory / "record"
        self.path.touch()
        self.submitted = []
        self.left_out = set()  # uniques of jobs that do not count

    def submit(self, server, count, function="reverse", workload="some text"):
        """Submits background jobs. Each has a unique, because gearmand's queue on disk keeps only one job with an empty one."""
        with Client(server) as client:
            for _ in range(count):
                unique = f"job-{len(self.submitted)}"
                client.submit_background(function, workload, unique=unique)
                self.submitted.append(unique)

    def runs(self):
        """How often each job came to the endpoint."""
        uniques = [json.loads(line)["unique"] for line in self.path.read_text().splitlines()]
        return collections.Counter(unique for unique in uniques if unique not in self.left_out)

    def ran(self):
        return len(self.path.read_text().splitlines())

    def close(self, servers, repeats, within=60):
        """Waits until gearmand has no more jobs. Then checks that every job has run, and that at most `repeats` ran again."""
        wait_until(lambda: all(left.total == 0 for server in servers for left in status(server).values()),
                   "every queue is empty", within, 0.1)
        runs = self.runs()
        missing = [unique for unique in self.submitted if unique not in runs]
        again = sum(runs.values()) - len(runs)
        print(f"{len(self.submitted)} jobs: {len(runs)} ran, {again} runs more than once, {len(missing)} missing")
        assert not missing, f"{len(missing)} of {len(self.submitted)} jobs never ran: {missing[:5]}"
        assert set(runs) <= set(self.submitted)
        assert again <= repeats, f"{again} repeated runs: {[one for one in runs.items() if one[1] > 1][:5]}"


@pytest.fixture
def account(tmp_path):
    return Account(tmp_path)


def on_disk(rig, name="gearmand"):
    """A gearmand that keeps its queue in a file."""
    return rig.gearmand(name, options=["--queue-type", "libsqlite3",
                                       "--libsqlite3-db", rig.directory / f"{name}.sqlite"])


def start(rig, servers, uri, name="driveshaft", worker_count=8, **settings):
    daemon = rig.driveshaft(jobs_file(servers, {"Regular": pool(uri, ["reverse", "sleep"], worker_count, retry=RETRY,
                                                               **settings)}), name=name, loop_timeout=1)
    daemon.expect_errors(*EXPECTED)
    return daemon


def test_one_of_two_driveshafts_is_killed(rig, web, account):
    """gearmand assigns its jobs to the other one. Those that it had begun, at most one for each slot, run again."""
    server = rig.gearmand()
    one, two = (start(rig, [server], web.uri(record=account.path), name) for name in ("one", "two"))
    account.submit(server, 600, "sleep", "0.1")  # the two driveshafts need about four seconds for them
    wait_until(lambda: all(each.metric("driveshaft_jobs_total", outcome="complete") > 16 for each in (one, two)), "both work")
    assert status(server, "sleep").total > 100
    one.kill()
    account.close([server], repeats=8)
    assert two.metric("driveshaft_errors") == 0


def test_gearmand_is_killed_and_comes_back_with_its_queue(rig, web, account):
    server = on_disk(rig)
    account.submit(server, 600)
    daemon = start(rig, [server], web.uri(record=account.path))
    for share in (1, 2):
        wait_until(lambda: account.ran() > share * 150, "jobs run")
        server.kill()
        let_pass(0.5)  # the outage
        server.start()
    account.close([server], repeats=2 * 8)
    assert daemon.metric("driveshaft_errors") == 0


def test_sigterm_under_load_loses_and_fails_nothing(rig, web, account):
    """One daemon after another is replaced, as in a rolling upgrade. No job runs twice."""
    server = rig.gearmand()
    uri = web.uri(record=account.path)
    daemon = start(rig, [server], uri, "daemon-0")
    account.submit(server, 3000)
    completed = 0
    for number in range(1, 6):
        wait_until(lambda: account.ran() > number * 400, "jobs run")
        following = start(rig, [server], uri, f"daemon-{number}")
        daemon.send(signal.SIGTERM)
        assert daemon.wait(10) == 0
        done, failed = (len(daemon.lines(f"^{what} job: ")) for what in ("Finished", "Failed"))
        completed += done
        assert failed == 0
        daemon = following
    account.close([server], repeats=0)
    wait_until(lambda: completed + daemon.metric("driveshaft_jobs_total", outcome="complete") == 3000, "all are complete")


class Namespace:
    """A network namespace with one link to it, whose packets can be dropped silently. A process keeps the namespace alive; a
    name under /run/netns would leave a mount behind on this machine."""

    MAC, OTHER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"

    def __init__(self, directory):
        self.keeper = Process("network", directory, ["unshare", "--net", "sh", "-c", "echo ready && exec sleep infinity"])
        self.link = f"ds{os.getpid() % 100000}"
        low = os.getpid() % 16384 * 4  # the offset in 198.18.0.0/15, which is for tests and not routed
        self.ours, self.theirs = (f"198.18.{(low + n) >> 8 & 255}.{low + n & 255}" for n in (1, 2))

    def start(self):
        self.keeper.start()
        wait_until(lambda: "ready" in self.keeper.log() or not self.keeper.running(), "the network is there")
        if not self.keeper.running():
            raise OSError(self.keeper.log().strip())
        self._ip("link", "add", self.link, "type", "veth", "peer", "name", "far", "netns", self.keeper.pid)
        self._ip("addr", "add", f"{self.ours}/30", "dev", self.link)
        self._ip("link", "set", self.link, "up")
        for words in ("link set lo up", f"addr add {self.theirs}/30 dev far", "link set far up"):
            self._ip_there(*words.split())
        self._hear(self.MAC)
        self._ip("neigh", "replace", self.theirs, "lladdr", self.MAC, "dev", self.link, "nud", "permanent")

    def stop(self):
        subprocess.run(["ip", "link", "del", self.link], capture_output=True, timeout=10)
        self.keeper.kill()

    def inside(self, argv):
        """The command line that runs `argv` in the namespace."""
        return ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net", *argv]

    def cut(self):
        """Drops all packets to and from the namespace, acknowledgements as well."""
        self._ip_there("route", "add", "blackhole", f"{self.ours}/32")
        self._hear(self.OTHER_MAC)

    def heal(self):
        self._hear(self.MAC)
        self._ip_there("route", "del", "blackhole", f"{self.ours}/32")

    def _hear(self, mac):
        self._ip_there("link", "set", "far", "address", mac)

    def _ip_there(self, *args):
        self._run(self.inside(["ip", *args]))

    def _ip(self, *args):
        self._run(["ip", *map(str, args)])

    @staticmethod
    def _run(argv):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        if done.returncode:
            raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


class DistantGearmand(Gearmand):
    """A gearmand in that network. It uses TCP keepalive, as our documentation recommends."""

    def __init__(self, directory, network):
        super().__init__(directory, "distant", network.theirs, options=[
            "--keepalive", "--keepalive-idle", 3, "--keepalive-interval", 1, "--keepalive-count", 3])
        self.argv = network.inside(self.argv)


@pytest.fixture
def network(tmp_path):
    """A Namespace. A test has to name it before `rig` in its arguments, so that it outlives the processes in it."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network of its own needs root, and ip of the package iproute2")
    network = Namespace(tmp_path)
    try:
        network.start()
    except OSError as error:
        network.stop()
        pytest.skip(f"this machine makes no network of its own: {error}")
    yield network
    network.stop()


@pytest.mark.slow
def test_a_network_that_swallows_all_is_noticed_and_the_other_server_works_on(network, rig, web, account, tmp_path):
    """No packet comes, not even a reset, and no link goes down: the connection is half open. After 20 s of silence it is given
    up."""
    far = rig.start(DistantGearmand(tmp_path, network))
    near = rig.gearmand()
    daemon = start(rig, [far, near], web.uri(record=account.path))
    account.submit(far, 400, "sleep", "0.1")
    wait_until(lambda: account.ran() > 50, "jobs run")
    network.cut()  # while some jobs run
    cut_at = time.monotonic()
    lost = rf"gearmand {far.address}: connection lost: (nothing came back for 20 s|Connection timed out)"
    slowest, ran = 0.0, 0
    with Client(near) as client:
        while not daemon.lines(lost):
            began = time.monotonic()
            assert client.run("reverse", "ab") == complete("ba")
            slowest, ran = max(slowest, time.monotonic() - began), ran + 1
            assert began - cut_at < 27, "the silence is not noticed"
            let_pass(0.02)
    assert 19 < time.monotonic() - cut_at < 26
    assert ran > 200 and slowest < 2
    assert daemon.metric("driveshaft_gearmand_connections") == 1
    network.heal()
    wait_until(lambda: daemon.metric("driveshaft_gearmand_connections") == 2, "it is connected again", 15)
    runs_of_near = account.runs().pop("", 0)
    assert runs_of_near == ran
    account.left_out.add("")
    account.close([far, near], repeats=8)
    # The dropped results may arrive late, if gearmand has not given up the old connection. Otherwise these jobs run again.
    assert sum(account.runs().values()) >= 400
    assert daemon.metric("driveshaft_errors") == 0


@pytest.mark.slow
def test_anything_is_killed_at_random_for_a_minute(rig, tmp_path, account):
    """Two gearmands, three driveshafts and nginx are killed and started again, and no job is lost."""
    web = rig.start(PhpFpmNginx(tmp_path))
    servers = [on_disk(rig, "gearmand-1"), on_disk(rig, "gearmand-2")]
    uri = web.uri(record=account.path)
    daemons = [start(rig, servers, uri, f"driveshaft-{number}", 4, dead_letter_function="failed_jobs")
               for number in range(3)]
    for daemon in daemons:
        daemon.expect_errors("^Dead letter not taken", "^Failed job")
    dice = random.Random(8)
    killed = collections.Counter()
    end = time.monotonic() + 60
    while time.monotonic() < end or len(killed) < 6:
        for server in servers:
            if status(server, "reverse").total < 200:
                account.submit(server, 20)
        victim = dice.choice([*daemons, *servers, web.nginx])
        victim.kill()
        killed[victim.name] += 1
        let_pass(dice.uniform(0, 0.5))  # the outage
        if victim is web.nginx:
            web.start_nginx()
        elif victim in daemons:
            victim.start(until="/healthz")
        else:
            victim.start()
        let_pass(dice.uniform(0.2, 1.5))
    print(f"killed: {dict(killed)}")
    for server in servers:
        wait_until(lambda: status(server, "reverse").total == 0, f"{server.name} has none of them", 60)
    runs = account.runs()
    letters = sum(status(server, "failed_jobs").total for server in servers)
    missing = [unique for unique in account.submitted if unique not in runs]
    again = sum(runs.values()) - len(runs)
    print(f"{len(account.submitted)} jobs: {len(runs)} ran, {again} runs again, {letters} letters, {len(missing)} missing")
    assert len(missing) <= letters and (letters == 0 or letters_hold(servers, missing))
    assert again <= 12 * sum(killed.values())
    assert len(killed) == 6, "everything was killed"


def letters_hold(servers, uniques):
    """Whether there is a dead letter for each of these jobs."""
    kept = set()
    for server in servers:
        listed = run_binary("letters", "list", "--json", "--server", server.address, "--dead_letter_function", "failed_jobs")
        kept |= {json.loads(line)["unique"] for line in listed.stdout.splitlines()}
    return set(uniques) <= kept
