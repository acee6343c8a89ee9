# SPDX-License-Identifier: MIT
"""What driveshaft has to reach: ratios of two numbers of the same round, and bounds. `original` is the name that
--against gives to the original program, `php` that of as many php-gearman workers among the peers; their rows need
them. Those of several backends are for backends.py."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Target:
    text: str
    number: str           # a name that the scenario's measure() returns
    ours: tuple           # (scenario, program)
    against: tuple = None  # None: the number itself counts
    at_least: float = None
    at_most: float = None

    def ratios(self, runs):
        """`runs` maps (scenario, program) to its numbers, a dict a round. Pairing them by round takes out most of
        what the rest of the machine did meanwhile."""
        if self.against is None:
            return [numbers[self.number] for numbers in runs.get(self.ours, [])]
        pairs = zip(runs.get(self.ours, []), runs.get(self.against, []))
        return [ours[self.number] / against[self.number] for ours, against in pairs]

    def reached(self, ratios):
        ratio = statistics.median(ratios)
        return ratio >= self.at_least if self.at_least is not None else ratio <= self.at_most

    def limit(self):
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


TARGETS = (
    Target("jobs/s, 32 slots: ours / floor", "jobs_s", ("drain", "ours"), ("drain", "floor"), at_least=0.7),
    Target("jobs/s, 32 slots: ours / original", "jobs_s", ("drain", "ours"), ("drain", "original"), at_least=6),
    Target("jobs/s, 32 slots: ours / php", "jobs_s", ("drain", "ours"), ("drain", "php"), at_least=5),
    Target("CPU a job, 32 slots, INFO: ours / floor", "dispatcher_us",
           ("drain", "ours"), ("drain", "floor"), at_most=2.2),
    Target("CPU a job, 32 slots, WARN: ours / floor", "dispatcher_us",
           ("drain", "ours WARN"), ("drain", "floor"), at_most=1.6),
    Target("CPU a job, 100 kB, 16 slots: ours / floor", "dispatcher_us",
           ("drain-100k", "ours"), ("drain-100k", "floor"), at_most=1.5),
    Target("round trip: 2,000 idle slots / 10", "rtt_ms", ("herd-2000", "ours"), ("herd-10", "ours"), at_most=1.2),
    Target("round trip, 2,000 idle slots: ours / floor", "rtt_ms",
           ("herd-2000", "ours"), ("herd-2000", "floor"), at_most=1.2),
    Target("gearmand's CPU a job, 2,000 idle slots: ours / floor", "gearmand_us",
           ("herd-2000", "ours"), ("herd-2000", "floor"), at_most=1.2),
    Target("10,000 idle slots: MB", "rss_mb", ("idle", "ours"), at_most=30),
    Target("10,000 idle slots: threads", "threads", ("idle", "ours"), at_most=4),
    Target("10,000 idle slots: % of a core", "core_percent", ("idle", "ours"), at_most=0.2),
    Target("10,000 jobs in flight: MB", "rss_mb", ("in-flight", "ours"), at_most=250),
    Target("exec to first job taken: ms", "start_ms", ("start", "ours"), at_most=50),
    Target("jobs/s: three backends / one", "jobs_s", ("drain", "three backends"), ("drain", "one backend"), at_least=0.87),
    Target("CPU a job: three backends / one", "dispatcher_us",
           ("drain", "three backends"), ("drain", "one backend"), at_most=1.15),
    Target("round trip: three backends / one", "rtt_ms", ("herd", "three backends"), ("herd", "one backend"), at_most=1.15),
    Target("CPU a job: three backends / HAProxy before three", "with_haproxy_us",
           ("drain", "three backends"), ("drain", "HAProxy"), at_most=1),
    Target("round trip: three backends / HAProxy before three", "rtt_ms",
           ("herd", "three backends"), ("herd", "HAProxy"), at_most=1),
    Target("10,000 idle slots, fifty backends / one: MB", "rss_mb",
           ("idle", "fifty backends"), ("idle", "one backend"), at_most=1.2),
    Target("10,000 idle slots, fifty backends: % of a core", "core_percent", ("idle", "fifty backends"), at_most=0.2),
    Target("10,000 idle slots, fifty backends: threads", "threads", ("idle", "fifty backends"), at_most=4),
)
