# SPDX-License-Identifier: MIT
"""What is measured. A scenario has a name, a line that says what it does, what a program must be able to do for it
(slots, servers, pools, processes), whether driveshaft is also measured at WARN, and measure(dispatcher, nginx, directory), which
runs it once with one program and returns numbers by name. A new scenario is one class and one line in SCENARIOS; its
numbers need a line each in report.COLUMNS."""

import contextlib
import dataclasses
import statistics
import time

from dispatchers import Work
from gearman import Admin, Client, workload_of
from processes import ANSWER, BENCH_FUNCTION, CannotMeasure, Gearmand, Nginx, machine_cpu, wait_until

POLL = 0.02          # seconds between looks at the queue
FIRST_POLL = 0.002   # until the first job is taken
FIRST_JOB_WITHIN = 30
LONGEST_DRAIN = 6    # seconds; a slow program's rate is known by then
ALL_WITHIN = 60      # seconds that jobs of a known number may take


class Sample:
    """Where everything stood at one moment."""

    def __init__(self, program, gearmands, nginx, left=0):
        self.time = time.monotonic()
        self.left = left
        self.cpu = {"dispatcher": program.cpu(), "gearmand": sum(server.cpu() for server in gearmands),
                    **nginx.cpu_by_name()}
        self.own = time.process_time()
        self.machine = machine_cpu()

    def costs_until(self, later, jobs):
        """CPU microseconds a job of each process, and the cores that were busy with anything else."""
        used = {name: later.cpu[name] - self.cpu[name] for name in self.cpu}
        return {f"{name}_us": seconds * 1e6 / jobs for name, seconds in used.items()} | self.others_until(later)

    def others_until(self, later):
        used = sum(later.cpu[name] - self.cpu[name] for name in self.cpu)
        others = later.machine - self.machine - used - (later.own - self.own)
        return {"others_cores": max(0.0, others / (later.time - self.time))}


class Servers:
    """The gearmands of one measurement, with a client and an admin connection to each."""

    def __init__(self, directory, count=1, buckets=1000003):
        self.directory, self.count, self.buckets = directory, count, buckets

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.processes = [stack.enter_context(Gearmand(self.directory, number, self.buckets))
                              for number in range(self.count)]
            self.clients = [Client(server.port) for server in self.processes]
            self.admins = [Admin(server.port) for server in self.processes]
            for connection in self.clients + self.admins:
                stack.callback(connection.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def preload(self, functions, workload, jobs):
        """Shares the jobs out evenly; returns how many they became."""
        share = jobs // (self.count * len(functions))
        for client in self.clients:
            for function in functions:
                client.preload(function, workload, share)
        return share * self.count * len(functions)

    def status(self):
        """Jobs left, running ones, and connections that can run them, of all together."""
        return tuple(map(sum, zip(*(admin.totals(BENCH_FUNCTION) for admin in self.admins))))


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    slots: int
    # What it asks of a program, unless it says otherwise.
    also_at_warn = False
    servers = pools = processes = 1


@dataclasses.dataclass(frozen=True)
class Drain(Scenario):
    """A queue of background jobs, one dispatcher started: how fast it empties, and what each job costs.

    Rate and costs are taken between the first look that finds the queue shrinking and the last one that finds jobs
    in it, so that neither the dispatcher's start nor the grain of the looks counts."""

    size: int  # bytes of a workload
    jobs: int
    also_at_warn: bool = False
    path: str = "/job"
    servers: int = 1
    pools: int = 1
    processes: int = 1
    buckets: int = 1000003

    @property
    def about(self):
        parts = [f"{self.jobs:,} queued jobs of {self.size:,} bytes", f"{self.slots:,} slots"]
        parts += [f"{count} {what}" for count, what in (
            (self.servers, "servers"), (self.pools, "pools"), (self.processes, "processes")) if count > 1]
        parts += [f"the endpoint answers after {Nginx.PATHS[self.path]:g} s"] if Nginx.PATHS[self.path] else []
        parts += ["gearmand's own number of hash buckets"] if self.buckets is None else []
        return ", ".join(parts)

    def shortened(self, factor):
        return dataclasses.replace(self, jobs=int(self.jobs * factor))

    def measure(self, dispatcher, nginx, directory):
        workload = workload_of(self.size)
        with Servers(directory, self.servers, self.buckets) as servers:
            work = Work(servers.processes, nginx.uri(self.path), self.slots, self.pools, self.processes)
            jobs = servers.preload(work.functions(), workload, self.jobs)
            served = nginx.requests()
            with dispatcher.start(directory, work) as program:
                start_ms = 1000 * self._await_first_job(servers, program, jobs)
                wait_until(f"all of {program.name} works",
                           lambda: dispatcher.is_complete(servers.status()[2], self.slots), FIRST_JOB_WITHIN, POLL)
                samples = self._watch(servers, program, nginx)
                rss, threads = program.status("VmHWM", "Threads")
                # An empty queue does not tell jobs done from jobs failed: one job's answer and the count of
                # requests do.
                answer, _ = servers.clients[0].run(work.functions()[0], workload, first=True)
            served = nginx.requests() - served - 1
            done = jobs - samples[-1].left
            if answer != ANSWER or served < done + 1:
                raise CannotMeasure(f"{dispatcher.name} finished {done} jobs, but the endpoint saw {served} "
                                    f"requests and a job's result was {answer!r} instead of {ANSWER!r}")
            dispatcher.check_log(directory, done)

        first, last = samples[0], [s for s in samples if s.left > 0][-1]
        measured = first.left - last.left
        if measured < jobs / 10 and last.time - first.time < LONGEST_DRAIN / 2:
            raise CannotMeasure(f"{dispatcher.name} emptied the queue between two looks: scenario {self.name} "
                                "needs more jobs")
        return {"jobs_s": measured / (last.time - first.time), "start_ms": start_ms, "rss_mb": rss / 1024,
                "threads": threads, **first.costs_until(last, measured)}

    def _await_first_job(self, servers, program, jobs):
        """Returns the seconds from the program's start to its first job."""
        def taken():
            program.check_alive()
            left, running, _ = servers.status()
            return left < jobs or running > 0
        wait_until(f"{program.name} took a job", taken, FIRST_JOB_WITHIN, FIRST_POLL)
        return time.monotonic() - program.started

    def _watch(self, servers, program, nginx):
        """Samples until the queue is empty, or long enough."""
        samples = []
        while not samples or (samples[-1].left > 0 and samples[-1].time - samples[0].time < LONGEST_DRAIN):
            time.sleep(POLL)
            program.check_alive()
            samples.append(Sample(program, servers.processes, nginx, servers.status()[0]))
        return samples


def await_all_workers(servers, program):
    """Some programs open a connection a slot: waits until their number has stood still."""
    seen, since = 0, time.monotonic()

    def steady():
        nonlocal seen, since
        program.check_alive()
        _, _, workers = servers.status()
        if workers != seen:
            seen, since = workers, time.monotonic()
        return seen > 0 and time.monotonic() - since > 0.3
    wait_until(f"{program.name} registered its workers", steady, FIRST_JOB_WITHIN, POLL)


@dataclasses.dataclass(frozen=True)
class Herd(Scenario):
    """Foreground jobs, one at a time and at a steady pace, while almost every slot is idle: what a job's round trip
    takes, and what it costs the server."""

    jobs: int = 200
    a_second: int = 100

    @property
    def about(self):
        return f"{self.jobs} foreground jobs at {self.a_second}/s, {self.slots:,} slots"

    def shortened(self, factor):
        return dataclasses.replace(self, jobs=max(50, int(self.jobs * factor)))

    def measure(self, dispatcher, nginx, directory):
        workload = workload_of(100)
        with Servers(directory) as servers:
            with dispatcher.start(directory, Work(servers.processes, nginx.uri(), self.slots)) as program:
                await_all_workers(servers, program)
                for _ in range(20):
                    servers.clients[0].run(BENCH_FUNCTION, workload)
                first = Sample(program, servers.processes, nginx)
                times = self._submit(servers.clients[0], workload)
                last = Sample(program, servers.processes, nginx)
                rss, threads = program.status("VmHWM", "Threads")
        return {"rtt_ms": 1000 * statistics.median(times), "rtt_p95_ms": 1000 * statistics.quantiles(times, n=20)[-1],
                "rss_mb": rss / 1024, "threads": threads, **first.costs_until(last, len(times))}

    def _submit(self, client, workload):
        times = []
        start = time.monotonic()
        longest = 2 * self.jobs / self.a_second  # a program that cannot keep the pace is measured all the same
        while len(times) < self.jobs and time.monotonic() - start < longest:
            time.sleep(max(0.0, start + len(times) / self.a_second - time.monotonic()))
            answer, took = client.run(BENCH_FUNCTION, workload)
            if answer != ANSWER:
                raise CannotMeasure(f"a job's result was {answer!r} instead of {ANSWER!r}")
            times.append(took)
        return times


@dataclasses.dataclass(frozen=True)
class Idle(Scenario):
    """Slots that all wait: what they cost, once `jobs` have run one after another."""

    seconds: float = 5
    jobs: int = 1

    @property
    def about(self):
        return f"{self.slots:,} idle slots, looked at for {self.seconds:g} s"

    def shortened(self, factor):
        return dataclasses.replace(self, seconds=self.seconds * factor)

    def measure(self, dispatcher, nginx, directory):
        with Servers(directory) as servers:
            with dispatcher.start(directory, Work(servers.processes, nginx.uri(), self.slots)) as program:
                await_all_workers(servers, program)
                for _ in range(self.jobs):
                    servers.clients[0].run(BENCH_FUNCTION, workload_of(100))
                first = Sample(program, servers.processes, nginx)
                time.sleep(self.seconds)
                last = Sample(program, servers.processes, nginx)
                rss, threads = program.status("VmHWM", "Threads")
                connections = program.connections()
        used = last.cpu["dispatcher"] - first.cpu["dispatcher"]
        return {"core_percent": 100 * used / (last.time - first.time), "rss_mb": rss / 1024, "threads": threads,
                "connections": connections, **first.others_until(last)}


@dataclasses.dataclass(frozen=True)
class InFlight(Scenario):
    """As many jobs as slots, all of them at an endpoint that takes its time."""

    path: str = "/after-2s"

    @property
    def about(self):
        return f"{self.slots:,} jobs and as many slots, the endpoint answers after {Nginx.PATHS[self.path]:g} s"

    def shortened(self, factor):
        return self

    def measure(self, dispatcher, nginx, directory):
        with Servers(directory) as servers:
            jobs = servers.preload([BENCH_FUNCTION], workload_of(100), self.slots)
            served, most = nginx.requests(), 0
            with dispatcher.start(directory, Work(servers.processes, nginx.uri(self.path), self.slots)) as program:
                first = Sample(program, servers.processes, nginx)

                def finished():
                    nonlocal most
                    program.check_alive()
                    left, running, _ = servers.status()
                    most = max(most, running)
                    return left == 0
                wait_until(f"{program.name} finished {jobs} jobs", finished, ALL_WITHIN, POLL)
                last = Sample(program, servers.processes, nginx)
                rss, threads = program.status("VmHWM", "Threads")
            served = nginx.requests() - served - 1
            if served != jobs:
                raise CannotMeasure(f"{dispatcher.name} finished {jobs} jobs with {served} requests")
            dispatcher.check_log(directory, jobs)
        return {"in_flight": most, "all_s": last.time - program.started, "rss_mb": rss / 1024, "threads": threads,
                **first.costs_until(last, jobs)}


@dataclasses.dataclass(frozen=True)
class Start(Scenario):
    """A queue that waits: the time from a program's exec to its first job taken."""

    starts: int = 9

    @property
    def about(self):
        return f"{self.starts} starts beside a queue, {self.slots} slots"

    def shortened(self, factor):
        return dataclasses.replace(self, starts=max(3, int(self.starts * factor)))

    def measure(self, dispatcher, nginx, directory):
        times = []
        with Servers(directory) as servers:
            for _ in range(self.starts):
                servers.preload([BENCH_FUNCTION], workload_of(100), 50)
                with dispatcher.start(directory, Work(servers.processes, nginx.uri(), self.slots)) as program:
                    wait_until(f"{program.name} took a job", lambda: (program.check_alive(), servers.status()[0] < 50)[1],
                               FIRST_JOB_WITHIN, FIRST_POLL / 4)
                    times.append(1000 * (time.monotonic() - program.started))
                    wait_until("the queue is empty", lambda: servers.status()[0] == 0, FIRST_JOB_WITHIN)
        return {"start_ms": statistics.median(times), "slowest_start_ms": max(times)}


SCENARIOS = {scenario.name: scenario for scenario in (
    Drain("drain", slots=32, size=100, jobs=150_000, also_at_warn=True),
    Drain("drain-100k", slots=16, size=100_000, jobs=16_000),
    Drain("drain-slow", slots=1000, size=100, jobs=40_000, path="/after-100ms"),
    Herd("herd-10", slots=10),
    Herd("herd-2000", slots=2000),
    Idle("idle", slots=10_000),
    InFlight("in-flight", slots=10_000),
    Start("start", slots=32),
    Drain("drain-128", slots=128, size=100, jobs=200_000, also_at_warn=True),
    Drain("drain-991", slots=32, size=100, jobs=150_000, buckets=None),
)}
DEFAULT = ("drain", "drain-100k", "drain-slow", "herd-10", "herd-2000", "idle", "in-flight", "start")

# How cost grows: what grows -> value -> scenario. Work of about a second each.
GROWTH = {
    "slots": {slots: Drain(f"slots-{slots}", slots, 100, min(60_000, 8_000 + 8_000 * slots))
              for slots in (1, 4, 16, 64, 256, 1024)},
    "size": {size: Drain(f"size-{size}", 32, size, max(600, min(60_000, 800_000_000 // size)))
             for size in (10, 1_000, 10_000, 100_000, 1_000_000)},
    "pools": {pools: Drain(f"pools-{pools}", 64, 100, 60_000, pools=pools) for pools in (1, 4, 16, 64)},
    "servers": {servers: Drain(f"servers-{servers}", 64, 100, 60_000, servers=servers) for servers in (1, 2, 4, 8)},
    "processes": {processes: Drain(f"processes-{processes}", 64, 100, 60_000, servers=2, processes=processes)
                  for processes in (1, 2, 4, 8)},
}
