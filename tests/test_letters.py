# SPDX-License-Identifier: MIT
"""`driveshaft letters`: dead letters on a gearmand are listed, shown, run again and deleted, and are never lost."""
import base64
import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from behaviours import answer
from certificates import Authority
from clients import Client, FAILED, run, status
from driveshaft import binary, jobs_file, pool, run_binary
from fakes import Relay
from packets import Kind, receive, request, response
from processes import wait_until
from servers import Stunnel
from tmux import Tmux

BROKEN = answer(b"oops", status="500 Internal Server Error")
QUEUE = "failed_jobs"


def letter(workload, unique="", function="f", age=None, **more):
    """The text of a letter of a job that failed `age` seconds ago."""
    if age is not None:
        more["last_time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - age))
    return {"function_name": function, "job_handle": f"H:job:{workload}", "unique": unique, "workload": workload} | more


def bury(server, *letters, function=QUEUE):
    """Submits each of these, letters or other texts, as a job of `function`. Returns their handles."""
    with Client(server) as client:
        return [client.submit_background(function, one if isinstance(one, (str, bytes)) else json.dumps(one)).decode()
                for one in letters]


def letters(verb, *args, server=None, queue=QUEUE, expect=0):
    """Runs `driveshaft letters` on these servers. Returns what it prints to stdout and to stderr."""
    servers = server if isinstance(server, (list, tuple)) else [server] if server else []
    place = [word for one in servers for word in ("--server", one.address)]
    if queue and servers:
        place += ["--dead_letter_function", queue]
    done = run_binary("letters", verb, *args, *place, timeout=60)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def listed(server, *args, queue=QUEUE, **more):
    """The letters as `list --json` prints them."""
    return [json.loads(line) for line in letters("list", "--json", *args, server=server, queue=queue, **more).stdout.splitlines()]


def workloads(server, *args):
    return sorted(one["workload"] for one in listed(server, *args))


@contextlib.contextmanager
def worker(server, function):
    with socket.create_connection((server.host, server.port), 20) as sock:
        sock.sendall(request(Kind.CAN_DO, function))
        yield sock


def take(sock, complete=True):
    """Grabs the next job as a worker, and completes it unless `complete` is False. Returns (unique, workload), or None if no
    job waits."""
    sock.sendall(request(Kind.GRAB_JOB_UNIQ))
    kind, payload = receive(sock)
    if kind == Kind.NO_JOB:
        return None
    assert kind == Kind.JOB_ASSIGN_UNIQ
    handle, _, unique, workload = payload.split(b"\0", 3)
    if complete:
        finish(sock, handle)
    return unique.decode(), workload


def finish(sock, handle):
    sock.sendall(request(Kind.WORK_COMPLETE, handle, "") + request(Kind.ECHO_REQ, "read"))
    assert receive(sock)[0] == Kind.ECHO_RES


def take_all(server, function="f"):
    with worker(server, function) as sock:
        return list(iter(lambda: take(sock), None))


class PacketRelay(Relay):
    """Relays connections to a gearmand. On the connection over which letters come, each packet to the server takes `delay`
    seconds. This connection is cut after `packets` packets: the server gets the last one, but its answer is dropped."""

    packets = None
    delay = 0
    was_cut = False

    def serve(self, sock, number):
        if sock.recv(1, socket.MSG_PEEK) != b"\0":
            return super().serve(sock, number)
        seen = None
        with socket.create_connection((self.server.host, self.server.port)) as other:
            for one in (sock, other):  # so that small packets are sent at once
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while seen is None or seen != self.packets:
                kind, payload = receive(sock)
                if seen is not None:
                    time.sleep(self.delay)
                    seen += 1
                elif (kind, payload) == (Kind.CAN_DO, QUEUE.encode()):
                    seen = 0
                other.sendall(request(kind, payload))
                if kind not in (Kind.CAN_DO, Kind.CANT_DO, Kind.WORK_COMPLETE):
                    kind, payload = receive(other)
                    if seen is None or seen != self.packets:
                        sock.sendall(response(kind, payload))
        self.was_cut = True
        sock.shutdown(socket.SHUT_RDWR)


# What it shows

def test_letters_are_listed_and_stay(rig):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(
        rig.endpoint(BROKEN).uri(), ["f", "reverse"], dead_letter_function=QUEUE)}))
    daemon.expect_failed_jobs()
    with Client(server) as client:
        assert client.run("reverse", "ab", unique="u1") == FAILED
        job = client.submit("f", bytes(range(256)))
        assert client.result(job) == FAILED
    for _ in range(3):  # listing changes nothing
        done = letters("list", "--jobsconfig", daemon.config_path)
        head, *rows = done.stdout.splitlines()
        assert head.split() == ["AGE", "FUNCTION", "ATTEMPTS", "HANDLE", "JOB", "SERVER", "ERROR"]
        assert len(rows) == 2 and done.stderr == ""
        row = next(row for row in rows if " f " in row)
        assert job.decode() in row and server.address in row and "HTTP status 500" in row
    assert status(server, QUEUE) == (2, 0, 0)
    found = {one["function_name"]: one for one in listed(server)}
    assert found["reverse"]["unique"] == "u1" and found["reverse"]["workload"] == "ab"
    assert base64.b64decode(found["f"]["workload"]) == bytes(range(256)) and found["f"]["server"] == server.address
    assert letters("list", "--function", "none", server=server).stdout == "No dead letters.\n"


def test_a_letter_is_shown_whole_and_its_workload_alone(rig):
    server = rig.gearmand()
    workload = "caf\u00e9\n\x1b[2J"
    bury(server, letter(workload, "u1", error="HTTP status 500", attempts=3, pool="Web", host="web1", age=90),
         letter(base64.b64encode(b"\xff\0").decode(), workload_encoding="base64"))
    text_letter, binary_letter = (one["handle"] for one in sorted(listed(server), key=lambda one: "workload_encoding" in one))
    shown = letters("show", text_letter, server=server).stdout
    for text in ("f\n", "u1", "HTTP status 500", "3", "Web", "web1", server.address, "workload              10 bytes\n",
                 "caf\u00e9\\x0a\\x1b[2J\n"):
        assert text in shown
    assert letters("show", "--raw", text_letter, server=server).stdout == workload
    raw = subprocess.run([binary(), "letters", "show", "--raw", binary_letter, "--server", server.address,
                          "--dead_letter_function", QUEUE], capture_output=True, timeout=30)
    assert (raw.returncode, raw.stdout, raw.stderr) == (0, b"\xff\0", b"")
    both = letters("show", text_letter, binary_letter, "--json", server=server).stdout.splitlines()
    assert {json.loads(line)["handle"] for line in both} == {text_letter, binary_letter}
    assert letters("show", "--job", f"H:job:{workload}", "--raw", server=server).stdout == workload
    done = letters("show", text_letter, "H:none", server=server, expect=1)
    assert "there is no dead letter H:none" in done.stderr and text_letter in done.stdout
    assert status(server, QUEUE) == (2, 0, 0)


# Filters

def test_filters_choose_letters_and_the_others_stay(rig):
    server = rig.gearmand()
    bury(server, letter("old", age=7200, error="HTTP status 500"), letter("new", age=5, error="HTTP status 500"),
         letter("other", function="g", age=7200, error="no answer"), letter("undated"))
    assert workloads(server, "--older-than", "1h") == ["old", "other"]
    assert workloads(server, "--newer-than", "1h") == ["new"]
    assert workloads(server, "--error", "status 5") == ["new", "old"]
    assert workloads(server, "--function", "g") == ["other"]
    assert workloads(server, "--function", "f", "--older-than", "1h", "--error", "500") == ["old"]
    assert workloads(server, "--job", "H:job:undated", "--job", "H:job:new") == ["new", "undated"]
    assert len(workloads(server, "--limit", "3")) == 3
    assert status(server, QUEUE) == (4, 0, 0)
    done = letters("rerun", "--older-than", "1h", "--function", "f", server=server)
    assert done.stdout == "1 dead letter is run again\n" and done.stderr == ""
    assert [workload for _, workload in take_all(server)] == [b"old"]
    assert workloads(server) == ["new", "other", "undated"]
    assert letters("delete", "--error", "no answer", server=server).stdout == "1 dead letter is deleted\n"
    assert workloads(server) == ["new", "undated"]
    assert letters("delete", "--limit", "1", server=server).stdout == "1 dead letter is deleted\n"
    assert letters("delete", "--all", server=server).stdout == "1 dead letter is deleted\n"
    assert letters("list", server=server).stdout == "No dead letters.\n"


@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_without_a_filter_nothing_happens(rig, verb):
    server = rig.gearmand()
    bury(server, letter("1"))
    for args in ([], ["--dry-run"], ["--all", "--function", "f"]):
        assert "--all" in letters(verb, *args, server=server, expect=2).stderr
    assert workloads(server) == ["1"]


@pytest.mark.parametrize("verb, said", [("rerun", "run again"), ("delete", "deleted")])
def test_a_dry_run_says_what_would_be_done(rig, verb, said):
    server = rig.gearmand()
    bury(server, letter("1", "same"), letter("2", "same"), letter("3"), "no letter")
    for _ in range(2):
        done = letters(verb, "--all", "--dry-run", server=server, expect=1 if verb == "rerun" else 0)
        chosen = 2 if verb == "rerun" else 3
        assert done.stdout.startswith(f"{chosen} dead letters would be {said}") and "1 job that is no dead letter stays" in done.stdout
        assert done.stderr.count(" stays: ") == 4 - chosen
    assert len(listed(server)) == 4 and status(server, "f").total == 0
    done = letters(verb, "--function", "f", "--limit", "1", "--dry-run", "--json", server=server)
    assert json.loads(done.stdout)["function_name"] == "f" and done.stderr == f"1 dead letter would be {said}\n"


# Running again

def test_jobs_run_again_as_they_were(rig):
    server = rig.gearmand()
    binary_workload = bytes(range(256))
    bury(server, letter("caf\u00e9 \"x\"", "u1"),
         letter(base64.b64encode(binary_workload).decode(), "u2", workload_encoding="base64"))
    done = letters("rerun", "--all", "--json", server=server)
    new = {json.loads(line)["new_handle"] for line in done.stdout.splitlines()}
    assert len(new) == 2 and done.stderr == "2 dead letters are run again\n"
    assert sorted(take_all(server)) == [("u1", "caf\u00e9 \"x\"".encode()), ("u2", binary_workload)]
    assert status(server, QUEUE).total == 0


def test_a_repaired_endpoint_gets_the_jobs_that_had_failed(rig):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(rig.endpoint(BROKEN).uri(), ["f"],
                                                                 dead_letter_function=QUEUE)}))
    daemon.expect_failed_jobs()
    assert run(server, "f", "x") == FAILED
    daemon.stop()
    seen = []
    good = rig.endpoint(lambda request, sock: (seen.append(json.loads(request.body)), answer()(request, sock))[1])
    config = jobs_file([server], {"Regular": pool(good.uri(), ["f"], dead_letter_function=QUEUE)})
    repaired = rig.driveshaft(config, name="repaired")
    assert letters("rerun", "--all", "--jobsconfig", repaired.config_path).stdout == "1 dead letter is run again\n"
    wait_until(lambda: seen, "it runs again")
    assert seen[0]["workload"] == "x"


@pytest.mark.parametrize("before", ["nothing before", "one waits", "one runs"])
def test_letters_of_one_unique_run_one_after_the_other(rig, before):
    """gearmand would treat jobs with the same unique as one job."""
    server = rig.gearmand()
    bury(server, *(letter(workload, "u1") for workload in "123"))
    with Client(server) as client, worker(server, "f") as sock:
        seen = []
        if before != "nothing before":
            client.submit_background("f", "0", unique="u1")
            handle = None
            if before == "one runs":
                sock.sendall(request(Kind.GRAB_JOB_UNIQ))
                handle = receive(sock)[1].split(b"\0", 1)[0]
            done = letters("rerun", "--all", server=server, expect=1)
            assert done.stderr.count("stays: gearmand has a job of its unique 'u1'") == 3
            assert done.stdout == "0 dead letters are run again, 3 stay\n"
            assert status(server, QUEUE) == (3, 0, 0)
            if handle:
                finish(sock, handle)
            else:
                assert take(sock) == ("u1", b"0")
        for left in (2, 1, 0):
            done = letters("rerun", "--all", server=server, expect=1 if left else 0)
            assert done.stderr.count(" stays: ") == left
            assert status(server, QUEUE) == (left, 0, 0)
            unique, workload = take(sock)
            assert unique == "u1"
            seen.append(workload.decode())
    assert sorted(seen) == ["1", "2", "3"]


@pytest.mark.parametrize("unique", ["", "-"])
def test_jobs_without_a_unique_of_their_own_all_run_again(rig, unique):
    """gearmand treats jobs with the unique "-" and the same workload as one job."""
    server = rig.gearmand()
    bury(server, *[letter("x", unique)] * 3)
    assert letters("rerun", "--all", server=server).stdout == "3 dead letters are run again\n"
    assert status(server, "f").total == 3 and status(server, QUEUE).total == 0


def test_it_ends_although_jobs_that_run_again_fail_again(rig):
    """A worker makes a new letter of each failed job at once."""
    server, over = rig.gearmand(), threading.Event()

    def fail_again():
        with Client(server) as client, worker(server, "f") as sock:
            while not over.is_set():
                if take(sock):
                    client.submit_background(QUEUE, json.dumps(letter("new")))
    bury(server, *map(letter, map(str, range(300))))
    failing = threading.Thread(target=fail_again)
    failing.start()
    try:
        assert letters("rerun", "--all", server=server).stdout == "300 dead letters are run again\n"
    finally:
        over.set()
        failing.join()


def test_what_gearmand_does_not_take_stays(rig):
    """The command `maxqueue` limits a function's queue, so gearmand refuses further jobs."""
    server = rig.gearmand()
    bury(server, letter("1"), letter("2"), letter("3", function="g"))
    with Client(server) as client, socket.create_connection((server.host, server.port), 10) as sock:
        client.submit_background("f", "0")
        sock.sendall(b"maxqueue f 2\n")
        assert sock.recv(100) == b"OK\r\n"
    done = letters("rerun", "--all", server=server, expect=1)
    assert "stays: gearmand does not take its job: " in done.stderr and "Job queue is full" in done.stderr
    assert done.stdout == "2 dead letters are run again, 1 stays\n"
    assert status(server, QUEUE) == (1, 0, 0) and status(server, "g").total == 1


# What is no letter

def test_a_text_that_is_no_letter_is_shown_and_deleted_by_its_handle(rig):
    server = rig.gearmand()
    texts = ["no JSON", '{"function_name": "f"}', b"\xff\0",
             json.dumps(letter("not base64!", workload_encoding="base64")), json.dumps(letter("1", function="a\0b"))]
    handles = bury(server, *texts, letter("good"))
    assert letters("list", server=server).stdout.count("(no dead letter)") == 5
    assert sum("broken" in one for one in listed(server)) == 5
    done = letters("rerun", "--all", server=server)
    assert done.stdout == "1 dead letter is run again, 5 jobs that are no dead letters stay\n"
    assert done.stderr.count(" stays: it is no dead letter: ") == 5
    assert letters("delete", "--all", server=server).stdout == "0 dead letters are deleted, 5 jobs that are no dead letters stay\n"
    assert letters("delete", "--function", "f", server=server).stdout == "0 dead letters are deleted\n"
    assert "it is no dead letter" in letters("rerun", handles[0], server=server, expect=1).stderr
    shown = letters("show", handles[2], server=server).stdout
    assert "it is no dead letter" in shown and "\\xff\\x00" in shown
    done = letters("delete", handles[0], "--handle", handles[1], "--json", server=server)
    assert {json.loads(line)["workload"] for line in done.stdout.splitlines()} == set(texts[:2])
    assert {one["handle"] for one in listed(server)} == set(handles[2:5])


# Servers

def test_all_servers_and_functions_of_the_jobs_file(rig):
    """The files that the jobs file names are not needed: only the daemon may be able to read them."""
    one, other = rig.gearmand(), rig.gearmand("other", host="::1")
    config = rig.directory / "jobs.json"
    config.write_text(json.dumps(jobs_file([one, other], {
        "Web": pool("http://localhost/", ["f"]),
        "Reports": pool("http://localhost/", ["g"], dead_letter_function="gone"),
        "Rest": pool("http://localhost/", ["h"], signing_secret_file="/not/for/everybody")}, dead_letter_function="dead")))
    places = [(one, "dead"), (one, "gone"), (other, "dead"), (other, "gone")]
    for number, (server, queue) in enumerate(places):
        bury(server, letter(str(number), age=1000 - number), function=queue)
    head, *rows = letters("list", "--jobsconfig", config).stdout.splitlines()
    assert "DEAD_LETTER_FUNCTION" in head
    assert [row.split()[5:7] for row in rows] == [[server.address, queue] for server, queue in places]

    def found(*args, server=None):
        done = letters("list", "--json", "--jobsconfig", config, *args, server=server, queue=None)
        return [json.loads(line)["workload"] for line in done.stdout.splitlines()]
    assert found(server=other) == ["2", "3"]
    assert found("--dead_letter_function", "gone") == ["1", "3"]
    assert found("--dead_letter_function", "dead", server=one) == ["0"]
    assert letters("rerun", "--all", "--jobsconfig", config).stdout == "4 dead letters are run again\n"
    assert (status(one, "f").total, status(other, "f").total) == (2, 2), "each where its letter was"


def test_a_jobs_file_that_is_of_no_use(rig):
    config = rig.directory / "jobs.json"
    done = letters("list", "--jobsconfig", config, expect=1)
    assert f"cannot read the jobs file {config}: No such file" in done.stderr
    config.write_text('{"pools_list": 1}')
    assert f"{config}: pools_list: expected" in letters("list", "--jobsconfig", config, expect=1).stderr
    config.write_text(json.dumps(jobs_file(["localhost"], {"Web": pool("http://localhost/", ["f"])})))
    assert "--dead_letter_function" in letters("list", "--jobsconfig", config, expect=1).stderr
    assert "--dead_letter_function" in letters("list", "--jobsconfig", config, "--server", "localhost", expect=1).stderr


def test_letters_behind_tls(rig):
    server, authority = rig.gearmand(), Authority(rig.directory)
    front = rig.start(Stunnel(rig.directory, server, authority.issue("peer")))
    config = rig.directory / "jobs.json"
    config.write_text(json.dumps(jobs_file([front.entry(authority.trusted())], {
        "Web": pool("http://localhost/", ["f"], dead_letter_function=QUEUE)})))
    bury(server, letter("1"))
    for args in ([], ["--server", front.address]):
        assert letters("list", "--jobsconfig", config, *args).stdout.splitlines()[1].endswith(front.address)
    assert f"gearmand {front.address}: " in letters("list", server=front, expect=1).stderr, "without TLS"
    assert letters("rerun", "--all", "--jobsconfig", config).stdout == "1 dead letter is run again\n"
    assert status(server, "f").total == 1


def test_a_server_that_is_away_keeps_none_from_the_others(rig):
    away, server = rig.gearmand("away"), rig.gearmand()
    away.stop()
    bury(server, letter("1"), letter("2"))
    both = [away, server]
    done = letters("list", server=both, expect=1)
    assert f"gearmand {away.address}: cannot connect: Connection refused" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    done = letters("rerun", "--all", server=both, expect=1)
    assert done.stdout == "2 dead letters are run again\n" and "Connection refused" in done.stderr
    done = letters("list", server=[away], expect=1)
    assert done.stdout == ""


def test_a_server_that_does_not_answer_is_given_up(rig):
    server = rig.fake_gearmand(on_packet=lambda *_: True)
    began = time.monotonic()
    done = letters("list", "--timeout", "1s", server=server, expect=1)
    assert f"gearmand {server.address}: connection lost: no answer in time" in done.stderr
    assert time.monotonic() - began >= 1


def test_a_connection_that_is_lost_half_way(rig):
    server = rig.gearmand()
    relay, count = rig.start(PacketRelay(server)), 200
    relay.delay = 0.02
    bury(server, *(letter(str(number), f"u{number}") for number in range(count)))
    process = popen("rerun", "--all", server=relay)
    wait_until(lambda: status(server, "f").total >= 3, "some jobs run again")
    relay.cut()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and f"gearmand {relay.address}: connection lost" in err
    done = int(re.match(r"(\d+) dead letters? (is|are) run again", out)[1])
    wait_until(lambda: status(server, QUEUE).running == 0, "gearmand has the letters back")
    assert 0 < done < count and done <= status(server, "f").total <= done + 1
    # gearmand may not have read that the last letter was completed.
    assert count - done - 1 <= status(server, QUEUE).total <= count - done + 1


@pytest.mark.parametrize("options", [[], ["--job-retries", "3"]], ids=["no limit", "three attempts"])
@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_a_handle_that_two_servers_have_changes_nothing(rig, verb, options):
    """Two gearmands on one host give their jobs the same handles."""
    servers = [rig.gearmand(options=options), rig.gearmand("other", options=options)]
    handles = {bury(server, letter("1"))[0] for server in servers}
    assert len(handles) == 1
    alone = bury(servers[1], letter("2"))
    for args in ([], ["--dry-run"], alone, ["--json"]) if not options else [alone]:  # with options letters get new handles
        done = letters(verb, *handles, *args, server=servers, expect=1)
        for text in (*handles, *(server.address for server in servers), "--server", "nothing was changed"):
            assert text in done.stderr
        assert done.stdout == ""
        assert [status(server, QUEUE).total for server in servers] == [1, 2]
        assert [status(server, "f").total for server in servers] == [0, 0]
    handle = listed(servers[1], "--job", "H:job:1")[0]["handle"]
    assert letters(verb, handle, server=servers[1]).stdout.startswith("1 dead letter is ")
    assert workloads(servers[0]) == ["1"] and workloads(servers[1]) == ["2"]


@pytest.mark.parametrize("options", [[], ["--job-retries", "3"]], ids=["no limit", "three attempts"])
@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_handles_that_one_server_has_each_change_their_letters(rig, verb, options):
    servers = [rig.gearmand(options=options), rig.gearmand("other", options=options)]
    bury(servers[0], letter("1"), letter("2"))
    bury(servers[1], letter("3"), letter("4"), letter("5"), letter("6"))
    last = listed(servers[1], "--job", "H:job:6")[0]["handle"]
    done = letters(verb, last, "H:none", server=servers, expect=1)
    assert done.stdout.startswith("1 dead letter is ") and done.stderr == "driveshaft: there is no dead letter H:none\n"
    done = letters(verb, "--job", "H:job:1", "--job", "H:job:3", "--job", "H:job:4", server=servers)
    assert done.stdout.startswith("3 dead letters are ") and done.stderr == ""
    assert workloads(servers[0]) == ["2"] and workloads(servers[1]) == ["5"]


@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_a_handle_of_jobs_of_two_servers_changes_nothing(rig, verb):
    servers = [rig.gearmand(), rig.gearmand("other")]
    for server in servers:
        bury(server, letter("1"))
    done = letters(verb, "--job", "H:job:1", server=servers, expect=1)
    for text in ("of job H:job:1", *(server.address for server in servers), "--server", "nothing was changed"):
        assert text in done.stderr
    assert [status(server, QUEUE).total for server in servers] == [1, 1]
    assert letters(verb, "--job", "H:job:1", server=servers[1]).stdout.startswith("1 dead letter is ")
    assert [status(server, QUEUE).total for server in servers] == [1, 0]


@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_a_handle_of_several_jobs_of_a_server_changes_nothing(rig, verb):
    """The handles of a gearmand that is restarted begin with 1 again."""
    server = rig.gearmand()
    bury(server, letter("1", job_handle="H:job:7"), letter("2", job_handle="H:job:7"),
         letter("3"), letter("3"))
    done = letters(verb, "--job", "H:job:7", server=server, expect=1)
    assert "letters of several jobs H:job:7" in done.stderr and "nothing was changed" in done.stderr
    assert status(server, QUEUE).total == 4
    assert letters(verb, "--job", "H:job:7", "--error", "none", server=server, expect=1).stdout.startswith("0 dead letters")
    with worker(server, QUEUE) as sock:
        take(sock, complete=False)
        assert "with another worker" in letters(verb, "--job", "H:none", server=server, expect=1).stderr
    wait_until(lambda: status(server, QUEUE).running == 0, "gearmand has the letter back")
    assert letters(verb, "--job", "H:job:3", "--limit", "1", server=server).stdout.startswith("1 dead letter is ")
    assert letters(verb, "--job", "H:job:3", server=server).stdout.startswith("1 dead letter is ")
    assert workloads(server) == ["1", "2"]


@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_a_handle_changes_nothing_while_a_server_is_not_seen_to_the_end(rig, verb):
    """That server may also have a letter with this handle."""
    server, other = rig.gearmand(), rig.gearmand("other")
    handle = bury(server, letter("1"))[0]
    bury(other, letter("2"))
    with worker(other, QUEUE) as sock:
        take(sock, complete=False)
        done = letters(verb, handle, server=[server, other], expect=1)
        assert "with another worker" in done.stderr and "nothing was changed" in done.stderr
    other.stop()
    done = letters(verb, handle, server=[server, other], expect=1)
    assert "Connection refused" in done.stderr and "nothing was changed" in done.stderr and "--server" in done.stderr
    assert workloads(server) == ["1"]
    assert letters(verb, handle, server=server).stdout.startswith("1 dead letter is ")


def test_the_workload_alone_is_of_one_letter(rig):
    servers = [rig.gearmand(), rig.gearmand("other")]
    handle, = {bury(server, letter("one"))[0] for server in servers}
    for args in ([handle], ["--job", "H:job:one"]):
        done = letters("show", *args, "--raw", server=servers, expect=1)
        assert done.stdout == ""
        for text in ("there are 2", handle, *(server.address for server in servers), "--server"):
            assert text in done.stderr
        assert letters("show", *args, "--raw", server=servers[0]).stdout == "one"
    assert letters("show", handle, server=servers).stdout.count("workload ") == 2


def test_letters_that_another_worker_has_are_reported(rig):
    server = rig.gearmand()
    bury(server, letter("1"), letter("2"))
    with worker(server, QUEUE) as sock:
        taken = take(sock, complete=False)
        done = letters("list", server=server)
        assert "1 dead letter of failed_jobs at" in done.stderr and "with another worker" in done.stderr
        assert len(done.stdout.splitlines()) == 2 and json.loads(taken[1])["job_handle"] not in done.stdout


# Nothing is lost

def popen(verb, *args, server, stdout=subprocess.PIPE):
    return subprocess.Popen([binary(), "letters", verb, *args, "--server", server.address, "--dead_letter_function", QUEUE],
                            stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--job-retries", "3"]], ids=["no limit", "three attempts"])
@pytest.mark.parametrize("verb", ["list", "rerun", "delete"])
def test_killed_at_any_moment_it_loses_no_letter(rig, verb, options):
    """After each of many kills, each job has run, or was shown before it was deleted, or its letter still exists."""
    server, count, output = rig.gearmand(options=options), 300, rig.directory / "output"
    args = ["--all", "--json"] if verb != "list" else ["--json"]
    everything, ended, left = set(), set(), set()
    takes = half_way = 0
    for rounds in range(100):
        new = [f"{rounds}-{number}" for number in range(count - len(left))]
        bury(server, *(letter(one, "" if number % 5 == 0 else f"u-{one}") for number, one in enumerate(new)))
        everything |= set(new)
        with output.open("w") as file:
            process = popen(verb, *args, server=server, stdout=file)
            wait_until(lambda: output.stat().st_size or process.poll() is not None, "it has begun", at_first=0.001)
            began = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, takes) if rounds else 60)
            if process.poll() is not None:  # it was too fast; its speed varies with the load of the machine
                took = time.monotonic() - began
                takes = min(takes or took, took)
            process.kill()
            process.communicate(timeout=60)
        shown = {json.loads(line)["workload"] for line in output.read_text().splitlines() if line.endswith("}")}
        half_way += process.returncode == -signal.SIGKILL and 0 < len(shown) < count
        wait_until(lambda: status(server, QUEUE).running == 0, "gearmand has the letters back")
        if verb == "rerun":
            ended |= {workload.decode() for _, workload in take_all(server)}
        elif verb == "delete":
            ended |= shown
        left = set(workloads(server))
        assert ended | left == everything, everything - ended - left
        if half_way >= 12:
            return
    pytest.fail(f"of {rounds + 1} kills only {half_way} came half way")


@pytest.mark.parametrize("options", [[], ["--job-retries", "3"]], ids=["no limit", "three attempts"])
@pytest.mark.parametrize("verb", ["list", "rerun", "delete"])
def test_cut_off_after_any_packet_it_loses_no_letter(rig, verb, options):
    server = rig.gearmand(options=options)
    relay = rig.start(PacketRelay(server))
    args = ["--all", "--json"] if verb != "list" else ["--json"]
    packets = -1
    while packets < 0 or relay.was_cut:
        packets += 1
        everything = {f"{packets}-{number}" for number in range(3)}
        bury(server, *(letter(one, "" if one.endswith("1") else one) for one in everything))
        relay.packets, relay.was_cut = packets, False
        done = run_binary("letters", verb, *args, "--server", relay.address, "--dead_letter_function", QUEUE)
        assert done.returncode == relay.was_cut, done.stderr
        wait_until(lambda: status(server, QUEUE).running == 0, "gearmand has the letters back")
        ended = {json.loads(line)["workload"] for line in done.stdout.splitlines()} if verb == "delete" else set()
        ended |= {workload.decode() for _, workload in take_all(server)}
        assert ended | set(workloads(server)) == everything, f"after {packets} packets"
        letters("delete", "--function", "f", server=server)
    assert packets > 3


def test_two_at_once_lose_nothing_and_run_nothing_twice(rig):
    server = rig.gearmand()
    everything = {str(number) for number in range(500)}
    bury(server, *(letter(one, f"u{one}") for one in everything))
    processes = [popen(verb, choice, server=server) for verb, choice in [("rerun", "--all"), ("list", "--json"), ("rerun", "--all")]]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    ran = [workload.decode() for _, workload in take_all(server)]
    assert len(ran) == len(set(ran))
    left = workloads(server)
    assert sorted([*ran, *left]) == sorted(everything)


def test_a_gearmand_that_counts_attempts_loses_no_letter(rig):
    """With --job-retries a gearmand drops a job that it has handed out so often."""
    server = rig.gearmand(options=["--job-retries", "2"])
    bury(server, letter("1", age=100), letter("2"), "no letter")
    for _ in range(5):
        assert len(letters("list", server=server).stdout.splitlines()) == 4
        letters("rerun", "--older-than", "1d", server=server)
        letters("delete", "--all", "--dry-run", server=server)
        assert "there is no dead letter H:none" in letters("show", "H:none", server=server, expect=1).stderr
    handle = listed(server, "--job", "H:job:1")[0]["handle"]
    assert letters("show", handle, "--raw", server=server).stdout == "1"
    assert status(server, QUEUE).total == 3
    assert letters("rerun", "--all", server=server).stdout == "2 dead letters are run again, 1 job that is no dead letter stays\n"
    assert all_functions(server) <= {QUEUE, "f"}, "nothing is left of what it tried"


def test_a_gearmand_that_hands_a_job_out_once_is_left_alone(rig):
    server = rig.gearmand(options=["--job-retries", "1"])
    bury(server, letter("1"))
    for verb, args in [("list", []), ("show", ["H:1"]), ("rerun", ["--all"]), ("delete", ["--all"])]:
        assert "would lose dead letters" in letters(verb, *args, server=server, expect=1).stderr
    assert [json.loads(one)["workload"] for _, one in take_all(server, QUEUE)] == ["1"]


def all_functions(server):
    with socket.create_connection((server.host, server.port), 10) as sock, sock.makefile("rwb") as file:
        file.write(b"status\n")
        file.flush()
        return {line.split(b"\t")[0].decode() for line in iter(file.readline, b".\n")}


@pytest.mark.parametrize("verb", ["rerun", "delete"])
def test_what_cannot_be_shown_is_not_removed(rig, verb):
    server = rig.gearmand()
    bury(server, letter("1"), letter("2"))
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([binary(), "letters", verb, "--all", "--json", "--server", server.address,
                               "--dead_letter_function", QUEUE], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "cannot write to stdout: No space left on device" in done.stderr
    assert status(server, QUEUE) == (2, 0, 0)


# On a terminal

def test_on_a_terminal_the_progress_is_shown(rig):
    server = rig.gearmand()
    relay = rig.start(PacketRelay(server))
    relay.delay = 0.02
    bury(server, *(letter(str(number), f"u{number}") for number in range(100)))
    args = [binary(), "letters", "rerun", "--all", "--dry-run", "--server", relay.address, "--dead_letter_function", QUEUE]
    terminal = Tmux("sh", "-c", f"{' '.join(map(str, args))}; cat", columns=120)
    try:
        terminal.has(f" of 100 dead letters at {relay.address}")
        lines = terminal.has("100 dead letters would be run again")
        assert not any("of 100 letters" in line for line in lines)
    finally:
        terminal.close()
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("100 dead letters would be run again\n", "")
