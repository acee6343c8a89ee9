#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long run of outages: soak_outages.py [--seed N] [--keep] [MINUTES [JOBS]]. `./dev soak outages` runs it.

Background jobs come all the time, at two gearmands with queues on disk, for PHP behind nginx and for php-fpm alone, by two
driveshafts. Meanwhile each part is killed, stopped for a while, crowded, restarted and reloaded, at random and several at a
time. At the end no job may be lost, and whatever ran more than once must have a reason: see outage_account.py.
"""
import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from driveshaft import Driveshaft, jobs_file, pool
from outage_account import Account, CHILD_KILLED, KILLED, RESTARTED, STOPPED, TRACE, read_book, read_log, suspects
from servers import PHP_DIR, PhpFpmNginx, script_uri
from soaking import Journal, Mischief, RETRY, Submitter, crowd, gearmand_on_disk, wait_for_empty_queues

CROWDED, RELOADED = "crowded", "reloaded"
PAUSE = (1, 5)  # seconds between two outages of parts of one kind
AWAY = (0, 1.5)
WHILE = (0.2, 3)
SHARE_OF_NGINX = 0.6
SHOWN = 10  # jobs whose history is shown


class Shop(PhpFpmNginx):
    """nginx with few connections and php-fpm with few processes. php-fpm has a second pool for clients that do not go through
    nginx; its queue is short."""

    CHILDREN, BACKLOG, CONNECTIONS = 8, 8, 96
    DIRECT_CHILDREN, DIRECT_BACKLOG = 4, 2
    SCRIPT = "booked.php"

    def __init__(self, directory):
        self.direct_path = directory / "direct.sock"
        super().__init__(directory)

    def uri_direct(self, **query):
        return script_uri(f"fcgi+unix://{urllib.parse.quote(str(self.direct_path), safe='')}{PHP_DIR}/{self.SCRIPT}", **query)

    def _fpm_conf(self):
        user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
        return super()._fpm_conf() + f"""
[direct]
{user}listen = {self.direct_path}
listen.backlog = {self.DIRECT_BACKLOG}
pm = static
pm.max_children = {self.DIRECT_CHILDREN}
"""

    @contextlib.contextmanager
    def fpm_crowded(self):
        """Opens connections on which nothing is sent, until each process has one and the queue is full."""
        with contextlib.ExitStack() as stack:
            for path, count in ((self.directory / "fpm.sock", self.CHILDREN + self.BACKLOG),
                                (self.direct_path, self.DIRECT_CHILDREN + self.DIRECT_BACKLOG)):
                for _ in range(count + 2):
                    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                    sock.setblocking(False)
                    sock.connect_ex(str(path))
            yield

    @contextlib.contextmanager
    def nginx_crowded(self):
        """Opens connections whose requests are never complete."""
        with crowd("127.0.0.1", self.http_port, self.CONNECTIONS, b"POST / HTTP/1.1\r\n"):
            yield


class BookedDriveshaft(Driveshaft):
    """A driveshaft that names itself in each request, with its name and the number of its start. Each start has its own log,
    in UTC."""

    def __init__(self, directory, name, shop, servers, book):
        self.shop, self.servers, self.book = shop, servers, book
        self.logs, self.killed = {}, {}  # by sender
        super().__init__(directory, "", name, env={"TZ": "UTC"}, loop_timeout=1, shutdown_timeout=60)

    @property
    def sender(self):
        return f"{self.name}.{len(self.logs)}"

    def jobs_file(self, web, slots, connections):
        settings = {"headers": {"X-Sender": self.sender}, "max_running_time": 600, "gearmand_connections": connections,
                    "retry": {**RETRY, "attempt_timeout": 3, "on": ["timeout", "5xx", "429", "connection_lost"]}}
        return jobs_file(self.servers, {"Web": pool(web, ["work"], slots[0]),
                                        "Direct": pool(self.shop.uri_direct(book=self.book), ["direct"], slots[1])}, **settings)

    def start(self, until="/healthz"):
        log = self.directory / f"{self.name}-{len(self.logs) + 1}.log"
        self.logs[f"{self.name}.{len(self.logs) + 1}"] = self.log_path = log
        self.write_config(self.jobs_file(self.shop.uri(book=self.book), slots=(8, 4), connections=1))
        return super().start(until)

    def kill(self):
        self.killed[self.sender] = time.time()
        super().kill()

    def log_lines(self):
        """The lines of all logs. If the daemon was killed while it wrote a line, that last line is left out."""
        return itertools.chain.from_iterable(path.read_text().split("\n")[:-1] for path in self.logs.values())

    def unexpected_lines(self):
        """Failed jobs whose connection to gearmand was lost are expected, because gearmand assigns these jobs again."""
        dropped = {TRACE.search(line)[1] for line in self.lines("^Dropped result: ")}
        return [line for line in super().unexpected_lines()
                if not (" - Failed job: " in line and TRACE.search(line)[1] in dropped)]

    def restart(self):
        self.send(signal.SIGTERM)
        assert self.wait(90) == 0
        self.start()

    def reload_at_random(self, dice):
        web = dice.choice([self.shop.uri, self.shop.uri_unix])
        self.reload(self.jobs_file(web(book=self.book), (dice.randrange(4, 9), dice.randrange(2, 7)), dice.choice([1, 2])),
                    by=lambda: self.send(signal.SIGHUP))


# --- the outages of each part; each function takes the random generator

def kill(process, start):
    def act(dice):
        process.kill()
        time.sleep(dice.uniform(*AWAY))
        start()
    return process.name, KILLED, act


def stop_for_a_while(process):
    def act(dice):
        process.send_to_all(signal.SIGSTOP)
        time.sleep(dice.uniform(*WHILE))
        process.send_to_all(signal.SIGCONT)
    return process.name, STOPPED, act


def crowd_it(process, crowded):
    def act(dice):
        with crowded():
            time.sleep(dice.uniform(*WHILE))
    return process.name, CROWDED, act


def do(process, kind, what):
    return process.name, kind, lambda dice: what()


def deeds_to_nginx(shop):
    nginx = shop.nginx
    return [kill(nginx, shop.start_nginx), stop_for_a_while(nginx), crowd_it(nginx, shop.nginx_crowded),
            do(nginx, RESTARTED, shop.restart_nginx), do(nginx, RELOADED, shop.reload_nginx)]


def deeds_to_php_fpm(shop):
    fpm = shop.fpm

    def kill_child(dice):
        os.kill(dice.choice(sorted(fpm.children())), signal.SIGKILL)

    return [kill(fpm, shop.start_fpm), (fpm.name, CHILD_KILLED, kill_child), stop_for_a_while(fpm),
            crowd_it(fpm, shop.fpm_crowded), do(fpm, RESTARTED, shop.restart_fpm), do(fpm, RELOADED, shop.reload_fpm)]


def deeds_to_gearmand(server):
    def restart():
        assert server.stop() == 0
        server.start()

    return [kill(server, server.start), stop_for_a_while(server),
            crowd_it(server, lambda: crowd(server.host, server.port, 300)),
            do(server, RESTARTED, restart), do(server, RELOADED, lambda: server.send(signal.SIGHUP))]


def deeds_to_driveshaft(daemon):
    return [kill(daemon, daemon.start), stop_for_a_while(daemon),
            crowd_it(daemon, lambda: crowd("127.0.0.1", daemon.port, 300)),
            do(daemon, RESTARTED, daemon.restart), (daemon.name, RELOADED, daemon.reload_at_random)]


class Outages:
    def __init__(self, directory, minutes, jobs, seed):
        self.directory, self.seconds, self.jobs = directory, minutes * 60, jobs
        self.book = directory / "book"
        self.shop = Shop(directory)
        self.gearmands = [gearmand_on_disk(directory, f"gearmand-{number}") for number in (1, 2)]
        self.driveshafts = [BookedDriveshaft(directory, f"driveshaft-{number}", self.shop, self.gearmands, self.book)
                            for number in (1, 2)]
        self.journal = Journal()
        deeds = {"nginx": deeds_to_nginx(self.shop), "php-fpm": deeds_to_php_fpm(self.shop),
                 "gearmand": [deed for server in self.gearmands for deed in deeds_to_gearmand(server)],
                 "driveshaft": [deed for daemon in self.driveshafts for deed in deeds_to_driveshaft(daemon)]}
        self.mischief = [Mischief(random.Random(f"{seed} {name}"), self.journal, deeds[name], PAUSE) for name in deeds]
        share = jobs // len(self.gearmands)
        self.submitters = [Submitter(server, self.maker(random.Random(f"{seed} {server.name}")), self.seconds / share, share)
                           for server in self.gearmands]

    @staticmethod
    def maker(dice):
        """Most scripts are quick, a few take a second and more."""
        def make():
            seconds = dice.choices([dice.uniform(0, 0.01), 0.1, dice.uniform(1, 1.5)], [93, 6, 1])[0]
            return dice.choices(["work", "direct"], [SHARE_OF_NGINX, 1 - SHARE_OF_NGINX])[0], f"{seconds:.3f}"
        return make

    def run(self):
        parts = [*self.driveshafts, self.shop, *self.gearmands]
        try:
            for part in reversed(parts):
                part.start()
            self.work()
            for daemon in self.driveshafts:
                assert daemon.stop(90) == 0
        finally:
            for part in parts:
                part.stop()
        return self.judge()

    def work(self):
        for worker in (*self.submitters, *self.mischief):
            worker.start()
        began = time.monotonic()
        next_look = began
        while any(submitter.is_alive() for submitter in self.submitters):
            for worker in (*self.submitters, *self.mischief):
                worker.check()
            if time.monotonic() >= next_look:
                next_look += 30
                print(f"{time.monotonic() - began:6.0f} s  {sum(len(one.created) for one in self.submitters):7} jobs submitted, "
                      f"{len(self.journal.events)} outages", flush=True)
            time.sleep(0.1)
        for worker in (*self.submitters, *self.mischief):
            worker.stop(120)
        wait_for_empty_queues(self.gearmands, 300)

    def judge(self):
        created, unknown = (set().union(*sets) for sets in zip(*((one.created, one.unknown) for one in self.submitters)))
        runs = read_book(self.book)
        killed = {sender: at for daemon in self.driveshafts for sender, at in daemon.killed.items()}
        account = Account(created, unknown, runs, self.lines_about(suspects(created, runs)), self.journal.events, killed)
        print("outages:", json.dumps(self.journal.counted()))
        print(*account.report(), sep="\n")
        faults = [f"{len(account.lost)} jobs are lost"] * bool(account.lost)
        faults += [f"{len(account.unexplained)} jobs ran again for no known reason"] * bool(account.unexplained)
        faults += [f"{len(account.strangers)} jobs ran that nobody had submitted"] * bool(account.strangers)
        for server in self.gearmands:
            if left := self.left_on_disk(server):
                faults.append(f"{left} jobs are left in the file of {server.name}, which would run again")
        for daemon in self.driveshafts:
            faults += [f"{daemon.name} logged: {line}" for line in daemon.unexpected_lines()[:SHOWN]]
        for unique in [*account.lost, *account.unexplained][:SHOWN]:
            print(*account.history(unique), sep="\n")
        for fault in faults:
            print(fault)
        return not faults

    def lines_about(self, uniques):
        return [line for daemon in self.driveshafts for sender, path in daemon.logs.items()
                for line in read_log(path, sender, uniques)]

    def left_on_disk(self, server):
        with contextlib.closing(sqlite3.connect(self.directory / f"{server.name}.sqlite")) as queue:
            return queue.execute("SELECT count(*) FROM gearman_queue").fetchone()[0]


def main():
    parser = argparse.ArgumentParser(prog="./dev soak outages", description="Outages at random, and the account of all jobs.")
    parser.add_argument("minutes", type=float, nargs="?", default=10)
    parser.add_argument("jobs", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of a run that is to be done again")
    parser.add_argument("--keep", action="store_true", help="keeps the logs and the book")
    wanted = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx is there
    print(f"{wanted.minutes:g} minutes, {wanted.jobs} jobs, --seed {wanted.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="driveshaft-soak-"))
    sound = False
    try:
        sound = Outages(folder, wanted.minutes, wanted.jobs, wanted.seed).run()
    finally:
        if sound and not wanted.keep:
            shutil.rmtree(folder)
        else:
            print(f"the logs and the book are in {folder}")
    print("soaked: no job is lost, and every repeat has a reason" if sound else f"not sound, with --seed {wanted.seed}")
    sys.exit(not sound)


if __name__ == "__main__":
    main()
