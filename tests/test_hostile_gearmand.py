# SPDX-License-Identifier: MIT
"""A gearmand that breaks the protocol, becomes silent or closes connections at once; and the rules that a worker keeps."""
import random
import socket
import struct
import threading
import time

import pytest

from behaviours import Gate, reverse
from clients import Client, complete, run
from driveshaft import jobs_file, pool, sanitized
from packets import Kind, pack, response
from processes import let_pass, wait_until

MIB = 1 << 20


def start(rig, server, uri, worker_count=2, until="/healthz", **options):
    return rig.driveshaft(jobs_file([server], {"Regular": pool(uri, ["f", "reverse"], worker_count)}), until=until,
                          **options)


def header(magic, kind, size):
    return struct.pack(">4sII", magic, kind, size)


# The bytes that the server sends first on a new connection, and the text that the log has about them.
GARBAGE = {
    "an HTTP server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a gearmand"),
    "an SSH server": (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "not a gearmand"),
    "a request": (pack(b"\0REQ", Kind.NOOP), "not a gearmand"),
    "zeros": (b"\0" * 64, "not a gearmand"),
    "four GiB announced": (header(b"\0RES", Kind.JOB_ASSIGN_UNIQ, 0xFFFFFFFF), "claims .* bytes"),
    "a NOOP with a payload": (header(b"\0RES", Kind.NOOP, 1 << 30), "claims .* bytes"),
    "an unknown type": (header(b"\0RES", 4711, 0), "type 4711"),
    "a client's type": (response(Kind.WORK_COMPLETE, "H:1", "x"), "type 13"),
    "a job nobody submitted": (response(Kind.JOB_CREATED, "H:1"), "JOB_CREATED without a submitted job"),
    "a job nobody grabbed": (response(Kind.JOB_ASSIGN_UNIQ, "H:1", "f", "u", "w") * 2, "a job without a grab"),
    "a job without its fields": (response(Kind.JOB_ASSIGN_UNIQ, "H:1 f u w"), "a job without"),
}


@pytest.mark.parametrize("bytes_sent, shown", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_closes_that_connection_with_a_clear_error(rig, web, bytes_sent, shown):
    bad = rig.fake_gearmand(on_connect=lambda link: link.send_raw(bytes_sent), on_packet=lambda *_: True)
    good = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([bad, good], {"Regular": pool(web.uri(), ["f", "reverse"])}))
    daemon.expect_errors(bad.address)
    wait_until(lambda: bad.links and bad.links[0].closed_at, "the connection is closed")
    line = daemon.wait_for_line(bad.address + ".*(" + shown + ")")
    assert len(line) < 500
    assert run(good, "reverse", "ab") == complete("ba")


def test_a_job_of_a_function_that_was_never_registered_closes_the_connection(rig, web):
    def assign(link, kind, _):
        if kind == Kind.GRAB_JOB_UNIQ and link.number == 1:
            link.send(Kind.JOB_ASSIGN_UNIQ, "H:1", "other", "u", "w")
        return link.number == 1
    server = rig.fake_gearmand(on_packet=assign)
    daemon = start(rig, server, web.uri())
    daemon.wait_for_line(f"{server.address}.*never registered.*other")
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "work goes on over the next connection")


BEHIND_BIG_JOBS = {
    "garbage": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a gearmand"),
    "a job nobody grabbed": (response(Kind.JOB_ASSIGN_UNIQ, "H:9", "reverse", "u", b"w" * 100_000), "without a grab"),
    "its end": (None, "closed by the server"),
}


@pytest.mark.parametrize("behind, shown", BEHIND_BIG_JOBS.values(), ids=BEHIND_BIG_JOBS.keys())
def test_what_comes_right_behind_big_jobs_is_noticed(rig, behind, shown):
    """So many bytes are ready that they are read in many pieces before anything else is done. No job ends meanwhile, so no slot
    is free for a further grab."""
    gate = Gate(reverse)
    jobs = [response(Kind.JOB_ASSIGN_UNIQ, f"H:{number}", "reverse", f"u{number}", b"w" * 300_000)
            for number in (1, 2, 3)]
    grabs = []

    def assign(link, kind, _):
        if kind == Kind.GRAB_JOB_UNIQ and link.number == 1:
            grabs.append(kind)
            if len(grabs) == 1:
                link.send_raw(jobs[0])
            elif len(grabs) == 3:  # after the first job the worker grabs two
                link.send_raw(jobs[1] + jobs[2] + (behind or b""))
                if behind is None:
                    link.sock.shutdown(socket.SHUT_WR)
        return link.number == 1
    server = rig.fake_gearmand(on_packet=assign)
    daemon = start(rig, server, rig.endpoint(gate).uri(), worker_count=3)
    daemon.expect_errors(server.address)
    daemon.wait_for_line(f"{server.address}.*{shown}")
    gate.open()
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "work goes on over the next connection")


def test_a_flood_of_garbage_never_grows_memory(rig, web):
    """The peer announces a packet of the largest length, and goes on sending."""
    def flood(link):
        link.send_raw(header(b"\0RES", Kind.JOB_ASSIGN_UNIQ, 0x7FFFFFFF))
        for _ in range(512):
            link.send_raw(bytes(MIB))
    bad = rig.fake_gearmand(on_connect=flood)
    daemon = start(rig, bad, web.uri())
    daemon.expect_errors(bad.address)
    wait_until(lambda: bad.connections >= 4, "the connection is tried again")
    if not sanitized():
        assert daemon.memory("VmHWM") < 64 * MIB


@pytest.mark.parametrize("greeting", [b"", GARBAGE["an HTTP server"][0], GARBAGE["a job without its fields"][0]],
                         ids=["hangs up", "speaks HTTP", "sends broken packets"])
def test_a_server_that_is_of_no_use_is_tried_again_with_growing_pauses(rig, web, greeting):
    def on_connect(link):
        link.send_raw(greeting)
        if not greeting:
            link.sock.shutdown(2)
    server = rig.fake_gearmand(on_connect=on_connect)
    daemon = start(rig, server, web.uri())
    daemon.expect_errors(server.address)
    let_pass(5)
    times = list(server.connected_at)
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert 3 <= len(pauses) <= 12, pauses
    assert max(pauses) > 4 * min(pauses), pauses
    assert max(pauses) < 6


def test_packets_that_come_one_byte_at_a_time_are_read(rig, web):
    def slowly(link, kind, payload):
        link.send_raw = lambda data: [link.sock.sendall(bytes([byte])) for byte in data]
        return False
    server = rig.fake_gearmand(on_packet=slowly)
    start(rig, server, web.uri())
    for number in range(20):
        server.submit("reverse", f"job {number}")
    wait_until(lambda: len(server.results) == 20, "all results")
    assert {data for _, data in server.results.values()} == {f"job {number}"[::-1].encode() for number in range(20)}
    assert server.connections == 1


def test_a_silent_connection_is_pinged_after_loop_timeout_and_kept_while_it_answers(rig, web):
    server = rig.fake_gearmand()
    start(rig, server, web.uri(), loop_timeout=1)
    wait_until(lambda: server.count(Kind.ECHO_REQ) >= 2, "pings", 10)
    assert server.connections == 1


@pytest.mark.slow
def test_a_peer_that_is_silent_to_a_ping_is_dropped_after_20_seconds_and_not_before(rig, web):
    silent = []
    server = rig.fake_gearmand(on_packet=lambda link, kind, payload: link.number == 1 and bool(silent))
    daemon = start(rig, server, web.uri(), loop_timeout=1)
    daemon.expect_errors(server.address)
    wait_until(lambda: server.links and server.links[0].asleep, "the worker sleeps")
    began = time.monotonic()
    silent.append(True)
    wait_until(lambda: server.connections == 2, "a new connection", 40)
    took = server.links[1].connected_at - began
    assert 19.5 < took < 26
    assert any(packet.kind == Kind.ECHO_REQ and packet.time > began for packet in server.packets)
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "work goes on over the new one")


def test_an_error_packet_about_an_unknown_job_keeps_the_connection(rig, web):
    server = rig.fake_gearmand()
    daemon = start(rig, server, web.uri())
    wait_until(lambda: server.links and server.links[0].asleep, "the worker sleeps")
    server.links[0].send(Kind.ERROR, "JOB_NOT_FOUND", "Job given in work result not found")
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "the next job")
    assert server.connections == 1
    assert daemon.running()


def test_errors_that_answer_nothing_close_the_connection_in_the_end(rig, web):
    server = rig.fake_gearmand()
    daemon = start(rig, server, web.uri())
    wait_until(lambda: server.links and server.links[0].asleep, "the worker sleeps")
    for _ in range(9):
        server.links[0].send(Kind.ERROR, "QUEUE_ERROR", "no")
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "the connection is still good")
    server.links[0].send(Kind.ERROR, "QUEUE_ERROR", "no")
    daemon.wait_for_line(f"gearmand {server.address}.*it reported 10 errors that answer no packet")
    wait_until(lambda: server.connections == 2, "the next connection")
    assert server.count(Kind.GRAB_JOB) == 0


def test_a_server_that_refuses_to_give_jobs_is_left_and_tried_again(rig, web):
    def refuse(link, kind, _):
        if link.number < 3 and kind in (Kind.GRAB_JOB_UNIQ, Kind.GRAB_JOB):
            link.send(Kind.ERROR, "QUEUE_ERROR", "no")
            return True
        return False
    server = rig.fake_gearmand(on_packet=refuse)
    daemon = start(rig, server, web.uri())
    daemon.wait_for_line(f"gearmand {server.address}.*it gives no jobs: it answers GRAB_JOB with QUEUE_ERROR: no")
    server.submit("reverse", "ab")
    wait_until(lambda: server.results, "work goes on once it gives some")
    grabs = [packet.kind for packet in server.packets
             if packet.link < 3 and packet.kind in (Kind.GRAB_JOB_UNIQ, Kind.GRAB_JOB)]
    assert grabs == [Kind.GRAB_JOB_UNIQ, Kind.GRAB_JOB] * 2


def test_the_rules_of_waking_hold_under_random_work(rig):
    """The fake checks the rules: PRE_SLEEP only after a GRAB, and one terminal packet for each job and for no other."""
    endpoint = rig.endpoint(reverse)
    server = rig.fake_gearmand()
    start(rig, server, endpoint.uri(), worker_count=3)
    dice = random.Random(4730)
    submitted = 0
    for _ in range(60):
        for _ in range(dice.choice([0, 1, 1, 2, 3, 7, 20])):
            server.submit("reverse", f"job {submitted}")
            submitted += 1
        if dice.random() < 0.5:
            wait_until(lambda: len(server.results) == submitted, "all results")
        let_pass(dice.random() * 0.02)
    wait_until(lambda: len(server.results) == submitted, "all results")
    assert {kind for kind, _ in server.results.values()} == {Kind.WORK_COMPLETE}
    assert max(link.most_inflight for link in server.links) == 3
    assert server.faults == []


def test_no_job_is_grabbed_without_a_free_slot(rig):
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.fake_gearmand()
    start(rig, server, endpoint.uri(), worker_count=2)
    for _ in range(10):
        server.submit("f")
    wait_until(lambda: endpoint.running == 2, "all slots are busy")
    grabs = server.count(Kind.GRAB_JOB_UNIQ)
    let_pass(1)
    assert server.count(Kind.GRAB_JOB_UNIQ) == grabs
    assert len(server.links[0].inflight) == 2
    gate.open()
    wait_until(lambda: len(server.results) == 10, "all results")
    assert server.links[0].most_inflight == 2


def test_a_burst_is_grabbed_with_few_writes(rig):
    """The number of grabs in one write starts low and grows quickly if there are many free slots and many jobs."""
    gate = Gate()
    endpoint = rig.endpoint(gate)
    server = rig.fake_gearmand()
    start(rig, server, endpoint.uri(), worker_count=64)
    wait_until(lambda: server.links and server.links[0].asleep, "the worker sleeps")
    with server.lock:
        server.jobs.extend([("f", "", "")] * 63)
    server.submit("f")
    wait_until(lambda: endpoint.running == 64, "all jobs run at once")
    gate.open()
    wait_until(lambda: len(server.results) == 64, "all results")
    assert server.connections == 1


def test_a_worker_that_finds_nothing_goes_to_sleep_and_stays_quiet(rig, web):
    server = rig.fake_gearmand()
    start(rig, server, web.uri(), worker_count=100)
    wait_until(lambda: server.links and server.links[0].asleep, "the worker sleeps")
    let_pass(3)
    assert len(server.packets) < 20, [packet.kind for packet in server.packets]
    assert server.count(Kind.CAN_DO) == 2
    assert server.count(Kind.CAN_DO_TIMEOUT) == 0


FLOODS = {
    "errors that answer no packet": (response(Kind.ERROR, "QUEUE_ERROR", "x" * 10_000), "it answers GRAB_JOB with QUEUE_ERROR|it reported 10 errors that answer no packet"),
    "results refused": (response(Kind.ERROR, "JOB_NOT_FOUND", "x" * 10_000), None),
    "wake-ups": (response(Kind.NOOP) * 1000, None),
    "answers to pings": (response(Kind.ECHO_RES, b"x" * 10_000), None),
    "512 MiB announced, and a byte at a time": (header(b"\0RES", Kind.JOB_ASSIGN_UNIQ, 512 * MIB), None),
}


@pytest.mark.parametrize("packet, shown", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_packets_costs_bounded_memory_and_no_other_pool_its_speed(rig, web, packet, shown):
    start_flood, stop = threading.Event(), threading.Event()

    def flood(link):
        start_flood.wait()
        link.send_raw(packet)
        while not stop.is_set():
            if "byte" in packet_name:
                link.send_raw(b"x")
                time.sleep(0.001)
            else:
                link.send_raw(packet)
    packet_name = next(name for name, (bytes_sent, _) in FLOODS.items() if bytes_sent == packet)
    # An error that answers the first grab means that the server knows only GRAB_JOB.
    bad = rig.fake_gearmand(on_connect=flood, on_packet=lambda link, kind, _: kind == Kind.GRAB_JOB)
    good = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([bad, good], {"Regular": pool(web.uri(), ["f", "reverse"], gearmand_connections=4)}))
    with Client(good) as client:
        def jobs_in(seconds):
            ran, end = 0, time.monotonic() + seconds
            while time.monotonic() < end:
                assert client.run("reverse", "ab") == complete("ba")
                ran += 1
            return ran / seconds
        alone = jobs_in(1)
        before = daemon.memory("VmHWM")
        start_flood.set()
        beside = jobs_in(2)
    # This process sends the flood, which takes most of the processor time of a machine with few cores.
    assert beside > alone / 20 or sanitized()
    if shown:
        daemon.wait_for_line(f"gearmand {bad.address}.*({shown})")
        assert len(daemon.lines("it reports")) <= 10 * bad.connections
    stop.set()
    if not sanitized():
        assert daemon.memory("VmHWM") - before < 16 * MIB
