# SPDX-License-Identifier: MIT
"""Names that have several addresses: each address is a backend, and the name is looked up again."""
import ctypes
import os
import socket
import struct
import subprocess
import threading

import pytest

import api
from backends import PythonBackend, shares
from clients import Client, complete
from driveshaft import jobs_file, pool
from load import Load, under_load
from processes import free_port, let_pass, wait_until
from test_servers import with_hosts

NAME = "shop.test"


def servers(rig, *hosts):
    """Starts servers on the same port, each on its own address. A job takes much longer than the delay that a busy machine adds,
    because a slower backend would get fewer jobs."""
    port = free_port()
    started = [rig.start(PythonBackend(rig.directory, f"python-{host}", host, port)) for host in hosts]
    for server in started:
        server.set(delay=0.02)
    return started


class Zone:
    """The addresses of NAME, in a file that is mounted over /etc/hosts. Because of that it is changed in place."""

    def __init__(self, rig):
        self.file = rig.directory / "hosts"
        self.file.write_text("")
        self.prefix = with_hosts(self.file)

    def set(self, *addresses):
        text = "127.0.0.1 localhost\n::1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses)
        with open(self.file, "r+") as file:  # one write: a reader sees either the old or the new addresses
            file.write(text + "#" * max(len(self.file.read_text()) - len(text) - 1, 0) + "\n")
            file.truncate()


class DnsServer:
    """A name server with the A and AAAA records of NAME and nothing else, on port 53 of its own address. It has a mount
    namespace for the programs that use it."""

    def __init__(self, rig):
        self.addresses = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._listen()
        threading.Thread(target=self._serve, daemon=True).start()
        conf, nsswitch = rig.directory / "resolv.conf", rig.directory / "nsswitch.conf"
        conf.write_text(f"nameserver {self.host}\noptions timeout:1 attempts:1\n")
        nsswitch.write_text("hosts: files dns\n")
        script = f'mount --bind "{conf}" /etc/resolv.conf && mount --bind "{nsswitch}" /etc/nsswitch.conf && exec "$@"'
        self.prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
        if subprocess.run([*self.prefix, "true"], capture_output=True).returncode:
            pytest.skip("this machine allows no mount namespace")

    def set(self, *addresses):
        self.addresses = list(addresses)

    def _listen(self):
        for last in range(60, 100):
            self.host = f"127.0.0.{last}"
            try:
                return self._socket.bind((self.host, 53))
            except OSError as error:
                reason = error
        return pytest.skip(f"this machine has no free port 53 for us: {reason}")

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self._socket.recvfrom(512)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            question = query[12:end]
            kind, = struct.unpack(">H", question[-4:-2])
            found = [address for address in self.addresses if (":" in address) == (kind == 28)] if kind in (1, 28) else []
            answers = b"".join(b"\xc0\x0c" + question[-4:] + struct.pack(">IH", 0, len(data)) + data for data in (
                socket.inet_pton(socket.AF_INET6 if kind == 28 else socket.AF_INET, address) for address in found))
            head = query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0)
            self._socket.sendto(head + question + answers, peer)


@pytest.fixture(params=[Zone, DnsServer])
def zone(request, rig):
    made = request.param(rig)
    yield made
    if hasattr(made, "close"):
        made.close()


@pytest.fixture
def ipv6_addresses():
    """Makes a network namespace with IPv6 addresses on its loopback interface. This thread, and processes that it starts, are
    in this namespace."""
    addresses = ["::1", "2001:db8::2", "2001:db8::3"]
    new_network = 0x40000000
    libc = ctypes.CDLL(None)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(new_network):
            pytest.skip("this machine allows no network namespace")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for address in addresses[1:]:
                subprocess.run(["ip", "address", "add", f"{address}/128", "dev", "lo", "nodad"], check=True)
            yield addresses
        finally:
            assert libc.setns(before, new_network) == 0
    finally:
        os.close(before)


def start(rig, zone, uri, worker_count=12, **settings):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(uri, ["reverse"], worker_count, **settings)})
    return server, rig.driveshaft(config, prefix=zone.prefix)


def backends_shown(daemon):
    return api.pool(daemon, "Regular")["endpoint"]["backends"]


def counts(backends):
    return [backend.jobs for backend in backends]


@pytest.mark.once
@pytest.mark.slow
def test_an_address_that_is_added_has_its_share_and_one_that_is_removed_finishes(rig, zone):
    one, two, third = backends = servers(rig, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    zone.set("127.0.0.1", "127.0.0.2")
    server, daemon = start(rig, zone, one.uri(NAME), dns_refresh=1)
    with Load(server, window=40) as load:
        wait_until(lambda: two.jobs > 50 and one.jobs > 50, "both have jobs")
        assert third.jobs == 0

        zone.set("127.0.0.1", "127.0.0.2", "127.0.0.3")
        wait_until(lambda: third.jobs > 0, "the new one has jobs", 1 + 2)
        before, then = counts(backends), load.right
        wait_until(lambda: load.right > then + 1500, "jobs go on")
        assert all(abs(share - 1 / 3) < 0.05 for share in shares([now - b for b, now in zip(before, counts(backends))]))

        two.set(wait_for=1)
        wait_until(lambda: two.running_jobs == 4, "it runs what it has")
        zone.set("127.0.0.1", "127.0.0.3")
        daemon.wait_for_line(r"backend \S+ \(127\.0\.0\.2\) is gone", 1 + 2)
        gone = two.jobs
        then = load.right
        wait_until(lambda: load.right > then + 500, "jobs go on")
        assert (two.jobs, two.running_jobs) == (gone, 4)
        shown = [(backend["name"], backend["state"], backend["running"]) for backend in backends_shown(daemon)
                 if backend["state"] == "draining"]
        assert shown == [(f"{one.uri(NAME)} (127.0.0.2)", "draining", 4)]
        two.set(wait_for=0)
        load.stop()
    assert two.jobs == gone
    wait_until(lambda: len(backends_shown(daemon)) == 2, "it is gone")
    assert daemon.metric("driveshaft_errors") == 0
    told = [backend.told()["handles"] for backend in backends]
    assert len({handle for handles in told for handle in handles}) == sum(map(len, told)) == load.right


@pytest.mark.once
def test_a_name_that_is_not_found_keeps_its_backends(rig):
    one, two = backends = servers(rig, "127.0.0.1", "127.0.0.2")
    zone = Zone(rig)
    zone.set("127.0.0.1", "127.0.0.2")
    server, daemon = start(rig, zone, one.uri(NAME), dns_refresh=1)
    with Load(server, window=20) as load:
        wait_until(lambda: two.jobs > 50 and one.jobs > 50, "both have jobs")
        zone.set()
        let_pass(2.5)
        before = counts(backends)
        wait_until(lambda: all(now > b + 50 for b, now in zip(before, counts(backends))), "both have jobs still")
        load.stop()
    assert not daemon.lines("is gone")


@pytest.mark.once
def test_an_address_that_fails_is_asked_for_at_once(rig):
    """Even without dns_refresh the name is looked up again when a backend cannot be reached."""
    one, two, third = servers(rig, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    zone = Zone(rig)
    zone.set("127.0.0.1", "127.0.0.2")
    server, daemon = start(rig, zone, one.uri(NAME), dns_refresh=0)
    daemon.expect_failed_jobs()
    with Load(server, window=20) as load:
        wait_until(lambda: two.jobs > 50 and one.jobs > 50, "both have jobs")
        zone.set("127.0.0.1", "127.0.0.3")
        two.kill()
        wait_until(lambda: third.jobs > 50, "the one that has taken its place has jobs")
        assert len(load.wrong) <= 7


@pytest.mark.once
def test_one_address_that_becomes_another_costs_no_job(rig):
    one, two = servers(rig, "127.0.0.1", "127.0.0.2")
    zone = Zone(rig)
    zone.set("127.0.0.1")
    server, daemon = start(rig, zone, one.uri(NAME), dns_refresh=1)
    with Load(server, window=20) as load:
        wait_until(lambda: one.jobs > 50, "jobs run")
        zone.set("127.0.0.2")
        wait_until(lambda: two.jobs > 50, "jobs run there", 5)
        wait_until(lambda: one.running_jobs == 0, "it has finished")
        gone, then = one.jobs, load.right
        wait_until(lambda: load.right > then + 200, "jobs go on")
        assert one.jobs == gone
        zone.set("127.0.0.1", "127.0.0.2")
        wait_until(lambda: one.jobs > gone + 50, "both have jobs", 5)
        load.stop()
    assert daemon.metric("driveshaft_errors") == 0


@pytest.mark.once
def test_a_reload_that_renews_connections_keeps_the_backends_of_a_name(rig):
    backends = servers(rig, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    zone = Zone(rig)
    zone.set("127.0.0.1", "127.0.0.2", "127.0.0.3")
    server, daemon = start(rig, zone, backends[0].uri(NAME))
    with under_load(server, daemon=daemon) as load:
        wait_until(lambda: all(backend.jobs > 20 for backend in backends), "all have jobs")
        daemon.reload(jobs_file([server], {"Regular": pool(backends[0].uri(NAME), ["reverse"], 12, connect_timeout=3)}))
        before, then = counts(backends), load.right
        wait_until(lambda: load.right > then + 600, "jobs go on")
        assert all(abs(share - 1 / 3) < 0.05 for share in shares([now - b for b, now in zip(before, counts(backends))]))
    assert len(daemon.lines("is new")) == 3 and not daemon.lines("is gone")


@pytest.mark.once
def test_a_name_that_nobody_knows_costs_no_job_and_one_line(rig):
    one, two = servers(rig, "127.0.0.1", "127.0.0.2")
    zone = Zone(rig)
    zone.set()
    server, daemon = start(rig, zone, [one.uri(), two.uri(), one.uri(NAME)], dns_refresh=1)
    with Load(server, window=20) as load:
        daemon.wait_for_line("cannot be reached: its name cannot be resolved")
        let_pass(2)
        zone.set("127.0.0.2")
        daemon.wait_for_line("works again after")
        load.stop()
    assert daemon.metric("driveshaft_errors") == 0
    assert len(daemon.lines("cannot be reached")) == 1


@pytest.mark.once
def test_localhost_is_one_backend(rig):
    """It has an address of each family, but both belong to one host."""
    one = rig.start(PythonBackend(rig.directory))
    zone = Zone(rig)
    zone.set()
    server, daemon = start(rig, zone, one.uri("localhost"), dns_refresh=1)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 200) == [complete("ba")] * 200
    let_pass(2)
    with Client(server) as client:
        assert client.run_all("reverse", ["ab"] * 200) == [complete("ba")] * 200
    assert one.jobs == 400
    assert not daemon.lines("is new|is gone|cannot be reached")


@pytest.mark.once
def test_a_name_with_several_ipv6_addresses_is_a_backend_for_each(ipv6_addresses, rig, zone):
    """The name's IPv4 address may belong to one of these hosts, so it gets no job."""
    one, two, third, v4 = servers(rig, *ipv6_addresses, "127.0.0.1")
    zone.set("127.0.0.1", *ipv6_addresses[:2])
    server, daemon = start(rig, zone, one.uri(NAME), dns_refresh=1)
    daemon.expect_failed_jobs()
    with Load(server, window=40) as load:
        wait_until(lambda: one.jobs > 50 and two.jobs > 50, "both have jobs")
        assert [backend["name"] for backend in backends_shown(daemon)] == [
            f"{one.uri(NAME)} ({address})" for address in ipv6_addresses[:2]]
        zone.set("127.0.0.1", *ipv6_addresses)
        wait_until(lambda: third.jobs > 0, "the new one has jobs", 1 + 2)
        before, then = counts([one, two, third]), load.right
        wait_until(lambda: load.right > then + 1500, "jobs go on")
        after = counts([one, two, third])
        assert all(abs(share - 1 / 3) < 0.05 for share in shares([now - b for b, now in zip(before, after)]))
        two.kill()
        then = load.right
        wait_until(lambda: load.right > then + 500, "jobs go on at the others")
        assert v4.jobs == 0
        assert len(load.wrong) <= 5, "what it ran"
