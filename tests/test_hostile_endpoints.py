# SPDX-License-Identifier: MIT
"""Attacks by an endpoint, or by many clients of the metrics port: memory stays bounded, other pools keep their speed, and the
log names the attacker and what happened."""
import gzip
import os
import resource
import socket
import statistics
import struct
import time

import pytest

from behaviours import answer, drip, flood, raw
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool, sanitized
from fakes import SocketServer
from processes import wait_until

MIB = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\n"
LIMIT = MIB  # max_response_size of the hostile endpoint


def start(rig, web, bad_uri, worker_count=8, options={}, **settings):
    """Starts a daemon with a pool for the hostile endpoint, and another pool whose speed must not suffer."""
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Bad": pool(bad_uri, ["f"], worker_count, **settings),
                                                 "Good": pool(web.uri(), ["reverse"])}), **options)
    return server, daemon


def speed(server, jobs=100):
    """The median time of a job of the other pool, in seconds."""
    times = []
    with Client(server) as client:
        for _ in range(jobs):
            began = time.monotonic()
            assert client.run("reverse", "ab") == complete("ba")
            times.append(time.monotonic() - began)
    return statistics.median(times)


BOMB = gzip.compress(bytes(64 * MIB))
# Each attack: the behaviour, a text that the log must have, and the memory that eight such jobs at once may take.
ATTACKS = {
    "a byte a second": (drip(HEAD + b"X-A: ", b"a", 1), "no complete response within max_running_time", 4 * MIB),
    "a header that never ends": (flood(HEAD, b"X-Filler: xxxxxxxxxxxxxxxx\r\n" * 1000, 1 << 30), "header is larger", 4 * MIB),
    "a million header bytes": (raw(HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n"), "header is larger", 4 * MIB),
    "a million headers": (flood(HEAD, b"A:b\r\n" * 1000, 1000), "header is larger", 4 * MIB),
    "10 GB announced": (flood(HEAD + b"Content-Length: 10000000000\r\n\r\n", bytes(MIB), 1 << 30), "max_response_size", 4 * MIB),
    "10 GB in chunks": (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + bytes(MIB) + b"\r\n", 1 << 30),
                        "max_response_size", 8 * 3 * LIMIT),
    "10 GB without an end": (flood(b"HTTP/1.0 200 OK\r\n\r\n", bytes(MIB), 1 << 30), "max_response_size", 8 * 3 * LIMIT),
    "chunks of one byte": (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10_000, 1 << 30),
                           "max_response_size", 8 * 3 * LIMIT),
    "chunk extensions without an end": (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1", b";a=b" * 10_000, 1 << 30),
                                        "the head of a chunk is larger", 8 * MIB),
    "interim answers without an end": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 1 << 30), "more than 100 interim responses", 4 * MIB),
    "gzip that nobody asked for": (answer(BOMB, headers=["Content-Encoding: gzip"]), "gzip", 4 * MIB),
    "JSON of millions of values": (answer(b'{"gearman_ret":0,"x":[' + b"0," * (LIMIT // 2 - 50) + b'0]}'), "response_string", 8 * 3 * LIMIT),
    "JSON of millions of keys": (answer(b'{"gearman_ret":0,' + b'"a":1,' * 150_000 + b'"b":2}'), "response_string", 8 * 3 * LIMIT),
}


@pytest.mark.parametrize("behave, shown, growth", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_costs_its_jobs_and_bounded_memory(rig, web, behave, shown, growth):
    endpoint = rig.endpoint(behave)
    # Only the attack that is ended by the time limit has a short one.
    server, daemon = start(rig, web, endpoint.uri(), max_response_size=LIMIT,
                           options={"max_running_time": 5 if "max_running_time" in shown else 60})
    daemon.expect_failed_jobs()
    speed(server)  # this warms up PHP
    before = daemon.memory("VmHWM")
    with Client(server) as client:
        jobs = client.submit_many("f", ["x"] * 8)
        during = speed(server)
        assert [client.result(job) for job in jobs] == [FAILED] * 8
    line = daemon.wait_for_line(f"^Failed job: .*uri={endpoint.uri()} .*reason=.*({shown})")
    assert len(line) < 3000
    assert daemon.metric("driveshaft_errors", pool="Good") == 0
    if not sanitized():
        assert during < 0.1
        assert daemon.memory("VmHWM") - before < growth


class Resets(SocketServer):
    """Reads `read` bytes, sends `send`, and resets the connection."""

    def __init__(self, read, send=b""):
        super().__init__()
        self.read, self.send = read, send

    def serve(self, sock, number):
        got = 0
        while got < self.read:
            got += len(sock.recv(self.read - got))
        if self.send:
            sock.sendall(self.send)
            time.sleep(0.05)  # an immediate reset would discard the bytes that were sent
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


BIG = b"x" * 4 * MIB
RESETS = {
    "connect": ("http", 0, b""),
    "TLS handshake": ("https", 100, b""),
    "TLS handshake half answered": ("https", 100, b"\x16\x03\x03\x00\x7a\x02"),
    "request half sent": ("http", 1000, b""),
    "header half received": ("http", 100, HEAD + b"Content-Le"),
    "body half received": ("http", 100, HEAD + b"Content-Length: 1000\r\n\r\n{"),
    "a chunk half received": ("http", 100, HEAD + b"Transfer-Encoding: chunked\r\n\r\n100\r\n{"),
}


@pytest.mark.parametrize("scheme, read, sent", RESETS.values(), ids=RESETS.keys())
def test_a_reset_in_any_phase_fails_that_job_and_names_peer_and_reason(rig, web, scheme, read, sent):
    peer = rig.start(Resets(read, sent))
    uri = f"{scheme}://{peer.address}/"
    server, daemon = start(rig, web, uri, endpoint_down="fail")
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run_all("f", [BIG if read == 1000 else b"x"] * 20) == [FAILED] * 20
    line = daemon.wait_for_line(f"^Failed job: .*uri={uri} .*reason=")
    reason = line.split("reason=")[1]
    assert "reset" in reason.lower() or "closed the connection" in reason or "truncated" in reason, reason
    assert ("TLS handshake" in reason) == (scheme == "https")
    assert daemon.metric("driveshaft_errors", pool="Bad") == 20
    wait_until(lambda: daemon.metric("driveshaft_threads", pool="Bad", status="idle") == 8, "the slots are free")
    assert speed(server) < 0.1 or sanitized()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("says", [b"", b"GET /metrics HTTP/1.1\r\nHost:"], ids=["idle", "slow"])
def test_ten_thousand_connections_to_the_metrics_port_keep_nobody_out(rig, web, says):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 11_000:
        pytest.skip(f"this machine gives a process {hard} files: too few for 10,000 connections")
    server, daemon = start(rig, web, web.uri())
    speed(server)
    before = daemon.memory("VmHWM")
    crowd = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        for number in range(10_000):
            sock = socket.create_connection(("127.0.0.1", daemon.port), 20)
            crowd.append(sock)
            try:
                sock.sendall(says)
            except OSError:
                pass  # the daemon has closed the connection already
            if number % 1000 == 999:
                began = time.monotonic()
                assert daemon.get("/healthz")[0] == daemon.get("/metrics")[0] == 200
                assert time.monotonic() - began < 2
        during = speed(server)
        assert len(daemon_sockets(daemon)) < 300
    finally:
        for sock in crowd:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if not sanitized():
        assert during < 0.1
        assert daemon.memory("VmHWM") - before < 16 * MIB
    assert daemon.get("/metrics")[0] == 200


def daemon_sockets(daemon):
    return os.listdir(f"/proc/{daemon.pid}/fd")


def test_clients_that_do_not_read_their_answers_keep_nobody_out(rig, web):
    server, daemon = start(rig, web, web.uri())
    before = daemon.memory("VmHWM")
    crowd = []
    for _ in range(400):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(("127.0.0.1", daemon.port))
        crowd.append(sock)
        try:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        except OSError:
            pass
    assert daemon.get("/metrics")[0] == 200
    if not sanitized():
        assert daemon.memory("VmHWM") - before < 32 * MIB
    for sock in crowd:
        sock.close()
