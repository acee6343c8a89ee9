# SPDX-License-Identifier: MIT
"""What is measured. A scenario has a name, a line that says what it does, whether driveshaft is also measured at
WARN, and measure(dispatcher, nginx, directory), which runs it once with one program and returns numbers by name.
A new scenario is one class and one line in SCENARIOS; its numbers need a line each in report.COLUMNS."""

import statistics
import time

from gearman import Admin, Client, workload_of
from processes import ANSWER, BENCH_FUNCTION, CannotMeasure, Gearmand, machine_cpu, wait_until

POLL = 0.02          # seconds between looks at the queue
FIRST_POLL = 0.002   # until the first job is taken
FIRST_JOB_WITHIN = 30
LONGEST_DRAIN = 6    # seconds; a slow program's rate is known by then


class Sample:
    """Where everything stood at one moment."""

    def __init__(self, program, gearmand, nginx, left=0):
        self.time = time.monotonic()
        self.left = left
        self.cpu = {"dispatcher": program.cpu(), "gearmand": gearmand.cpu(), "nginx": nginx.cpu()}
        self.own = time.process_time()
        self.machine = machine_cpu()

    def costs_until(self, later, jobs):
        """CPU microseconds a job of each process, and the cores that were busy with anything else."""
        used = {name: later.cpu[name] - self.cpu[name] for name in self.cpu}
        others = later.machine - self.machine - sum(used.values()) - (later.own - self.own)
        costs = {f"{name}_us": seconds * 1e6 / jobs for name, seconds in used.items()}
        costs["others_cores"] = max(0.0, others / (later.time - self.time))
        return costs


class Drain:
    """A queue of background jobs, one dispatcher started: how fast it empties, and what each job costs.

    Rate and costs are taken between the first look that finds the queue shrinking and the last one that finds jobs
    in it, so that neither the dispatcher's start nor the grain of the looks counts."""

    def __init__(self, name, slots, workload, jobs, also_at_warn=False):
        self.name = name
        self.slots = slots
        self.workload = workload_of(workload)
        self.jobs = jobs
        self.also_at_warn = also_at_warn
        self.about = f"{jobs:,} queued jobs of {workload:,} bytes, {slots} slots"

    def shortened(self, factor):
        return Drain(self.name, self.slots, len(self.workload), int(self.jobs * factor), self.also_at_warn)

    def measure(self, dispatcher, nginx, directory):
        with Gearmand(directory) as gearmand:
            client, admin = Client(gearmand.port), Admin(gearmand.port)
            client.preload(BENCH_FUNCTION, self.workload, self.jobs)
            served = nginx.requests()
            with dispatcher.start(directory, gearmand, nginx, self.slots) as program:
                start_ms = 1000 * self._await_first_job(admin, program)
                samples = self._watch(admin, program, gearmand, nginx)
                rss, threads = program.status("VmHWM", "Threads")
                # An empty queue does not tell jobs done from jobs failed: one job's answer and the count of
                # requests do.
                answer, _ = client.run(BENCH_FUNCTION, self.workload, first=True)
            served = nginx.requests() - served - 1
            done = self.jobs - samples[-1].left
            if answer != ANSWER or served < done + 1:
                raise CannotMeasure(f"{dispatcher.name} finished {done} jobs, but the endpoint saw {served} "
                                    f"requests and a job's result was {answer!r} instead of {ANSWER!r}")
            dispatcher.check_log(directory, done)

        first, last = samples[0], [s for s in samples if s.left > 0][-1]
        jobs = first.left - last.left
        if jobs < self.jobs / 10 and last.time - first.time < LONGEST_DRAIN / 2:
            raise CannotMeasure(f"{dispatcher.name} emptied the queue between two looks: scenario {self.name} "
                                "needs more jobs")
        return {"jobs_s": jobs / (last.time - first.time), "start_ms": start_ms, "rss_mb": rss / 1024,
                "threads": threads, **first.costs_until(last, jobs)}

    def _await_first_job(self, admin, program):
        """Returns the seconds from the program's start to its first job."""
        def taken():
            program.check_alive()
            left, running, _ = admin.status(BENCH_FUNCTION)
            return left < self.jobs or running > 0
        wait_until(f"{program.name} took a job", taken, FIRST_JOB_WITHIN, FIRST_POLL)
        return time.monotonic() - program.started

    def _watch(self, admin, program, gearmand, nginx):
        """Samples until the queue is empty, or long enough."""
        samples = []
        while not samples or (samples[-1].left > 0 and samples[-1].time - samples[0].time < LONGEST_DRAIN):
            time.sleep(POLL)
            program.check_alive()
            left, _, _ = admin.status(BENCH_FUNCTION)
            samples.append(Sample(program, gearmand, nginx, left))
        return samples


class Herd:
    """Foreground jobs, one at a time and at a steady pace, while almost every slot is idle: what a job's round trip
    takes, and what it costs the server."""

    also_at_warn = False

    def __init__(self, name, slots, jobs=200, a_second=100):
        self.name = name
        self.slots = slots
        self.jobs = jobs
        self.a_second = a_second
        self.workload = workload_of(100)
        self.about = f"{jobs} foreground jobs at {a_second}/s, {slots:,} slots"

    def shortened(self, factor):
        return Herd(self.name, self.slots, max(50, int(self.jobs * factor)), self.a_second)

    def measure(self, dispatcher, nginx, directory):
        with Gearmand(directory) as gearmand:
            client, admin = Client(gearmand.port), Admin(gearmand.port)
            with dispatcher.start(directory, gearmand, nginx, self.slots) as program:
                self._await_all_workers(admin, program)
                for _ in range(20):
                    client.run(BENCH_FUNCTION, self.workload)
                first = Sample(program, gearmand, nginx)
                times = self._submit(client)
                last = Sample(program, gearmand, nginx)
                rss, threads = program.status("VmHWM", "Threads")
        return {"rtt_ms": 1000 * statistics.median(times), "rtt_p95_ms": 1000 * statistics.quantiles(times, n=20)[-1],
                "rss_mb": rss / 1024, "threads": threads, **first.costs_until(last, len(times))}

    def _await_all_workers(self, admin, program):
        """Some programs open a connection a slot: waits until their number has stood still."""
        seen, since = 0, time.monotonic()

        def steady():
            nonlocal seen, since
            program.check_alive()
            _, _, workers = admin.status(BENCH_FUNCTION)
            if workers != seen:
                seen, since = workers, time.monotonic()
            return seen > 0 and time.monotonic() - since > 0.3
        wait_until(f"{program.name} registered its workers", steady, FIRST_JOB_WITHIN, POLL)

    def _submit(self, client):
        times = []
        start = time.monotonic()
        longest = 2 * self.jobs / self.a_second  # a program that cannot keep the pace is measured all the same
        while len(times) < self.jobs and time.monotonic() - start < longest:
            time.sleep(max(0.0, start + len(times) / self.a_second - time.monotonic()))
            answer, took = client.run(BENCH_FUNCTION, self.workload)
            if answer != ANSWER:
                raise CannotMeasure(f"a job's result was {answer!r} instead of {ANSWER!r}")
            times.append(took)
        return times


SCENARIOS = {scenario.name: scenario for scenario in (
    Drain("drain", slots=32, workload=100, jobs=150_000, also_at_warn=True),
    Drain("drain-100k", slots=16, workload=100_000, jobs=16_000),
    Herd("herd-10", slots=10),
    Herd("herd-2000", slots=2000),
    Drain("drain-128", slots=128, workload=100, jobs=200_000, also_at_warn=True),
)}
DEFAULT = ("drain", "drain-100k", "herd-10", "herd-2000")
