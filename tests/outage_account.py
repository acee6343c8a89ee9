# SPDX-License-Identifier: MIT
"""The account of the long run of outages: what became of each job. It is made from the runs that PHP has recorded, the logs of
the driveshafts, and the outages that were made. No job may be lost, and each repeated run of a job must have a reason."""
import calendar
import collections
import re
import time

# A run of the script. All attempts of a driveshaft at one assignment of a job have the same `trace`; when gearmand assigns the
# job again, `trace` differs. `ended` is None if the script did not reach its end.
Run = collections.namedtuple("Run", "began ended function unique handle sender attempt trace")
# A log line about a job. `sender` is one process of a driveshaft: its name, and the number of the start.
Line = collections.namedtuple("Line", "at sender what unique trace text")

KILLED, RESTARTED, STOPPED, CHILD_KILLED = "killed", "restarted", "stopped for a while", "child killed"
DOWN = (KILLED, RESTARTED)
# Log lines that announce another attempt, with the words of the report.
AGAIN = {"Trying job again": "tried again", "Holding job": "held", "Sending job again": "sent again"}
MOMENT = 0.5  # seconds; on a busy machine an event may be recorded so much later than it happened
ON_ITS_WAY = 2  # seconds; after this time gearmand has read what was sent to it

LOGGED = re.compile(r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) [A-Z]+ +Thread - "
                    r"(?P<what>Starting job|Trying job again|Holding job|Sending job again|Finished job|Failed job|Dropped result|Given back): "
                    r"function=\S+ handle=\S+ unique=(?P<unique>\S+)")
TRACE = re.compile(r" trace=([0-9a-f]{32})")
REASON = re.compile(r' reason="?(.*?)(?:; |: |"|$)')


def read_book(path):
    """The runs that booked.php has recorded, in the order of their beginnings."""
    runs = {}
    with open(path) as book:
        for line in book:
            what, run, at, function, unique, handle, sender, attempt, trace = line.split()
            if what == "begin":
                runs[run] = Run(float(at), None, function, unique, handle, sender, int(attempt), trace)
            else:
                runs[run] = runs[run]._replace(ended=float(at))
    return sorted(runs.values(), key=lambda run: run.began)


def read_log(path, sender, uniques):
    """The lines in a log of a driveshaft, which is in UTC, about jobs with these uniques."""
    with open(path, errors="replace") as log:
        for text in log:
            parts = LOGGED.match(text)
            if parts and parts["unique"] in uniques:
                at = calendar.timegm(time.strptime(parts["at"], "%Y-%m-%d %H:%M:%S")) + int(parts["ms"]) / 1000
                trace = TRACE.search(text)
                yield Line(at, sender, parts["what"], parts["unique"], trace and trace[1], text.rstrip("\n"))


def suspects(created, runs):
    """The uniques of jobs that ran more than once or did not reach an end. Only their log lines are needed."""
    times = collections.Counter(run.unique for run in runs)
    ended = {run.unique for run in runs if run.ended}
    return {unique for unique in times if times[unique] > 1} | (created - ended)


class Account:
    """`created` are the uniques of jobs that a gearmand has acknowledged. `unknown` are the uniques of jobs of which it is not
    known whether gearmand has accepted them. Each unique begins with the name of its gearmand. `lines` are the log lines about
    suspects(). `killed` has the times at which driveshafts were killed, by `sender`."""

    def __init__(self, created, unknown, runs, lines, events, killed):
        self.created, self.unknown, self.killed = created, unknown, killed
        self.events = sorted(events, key=lambda event: event.began)
        self.runs = collections.defaultdict(list)
        for run in runs:
            self.runs[run.unique].append(run)
        self.lines = collections.defaultdict(list)
        for line in sorted(lines, key=lambda line: line.at):
            self.lines[line.unique].append(line)
        self.strangers = set(self.runs) - created - unknown
        self.lost = {unique for unique in created if not any(run.ended for run in self.runs.get(unique, []))}
        self.repeats = collections.Counter()
        self.unexplained = collections.defaultdict(list)  # by unique: repeats without a reason
        for unique, of_job in self.runs.items():
            if len(of_job) > 1:
                self._explain(unique, of_job)

    def report(self):
        ended = sum(run.ended is not None for runs in self.runs.values() for run in runs)
        began = sum(map(len, self.runs.values()))
        ran = sum(unique in self.runs for unique in self.unknown)
        jobs, lost = len(self.created), len(self.lost)
        yield f"{jobs} jobs submitted, {jobs - lost} of them with an end, {lost} lost"
        yield f"{len(self.unknown)} submissions of unknown fate: {ran} ran, {len(self.unknown) - ran} did not"
        yield f"{began} runs, {ended} of them to the end, {sum(self.repeats.values())} repeats:"
        for reason, times in self.repeats.most_common():
            yield f"  {times:6} {reason}"
        yield f"  {sum(map(len, self.unexplained.values())):6} unexplained"
        if self.strangers:
            yield f"{len(self.strangers)} jobs ran that nobody had submitted: {sorted(self.strangers)[:5]}"

    def history(self, unique):
        """Everything that is known about a job, in the order of time."""
        runs = self.runs.get(unique, [])
        told = [(run.began, f"began: {run}") for run in runs]
        told += [(run.ended, f"ended: {run.trace} attempt {run.attempt}") for run in runs if run.ended]
        told += [(line.at, f"{line.sender}: {line.text}") for line in self.lines.get(unique, [])]
        if told:
            begin, end = min(told)[0] - 5, max(told)[0] + 5
            told += [(event.began, f"{event.part} {event.kind}, for {event.ended - event.began:.3f} s") for event in self.events
                     if event.ended >= begin and event.began <= end]
        yield f"{unique}: {'; '.join(self.unexplained.get(unique, ['it is lost']))}"
        for at, text in sorted(told):
            yield f"  {at:.6f} {text}"

    # --- why a job ran again

    def _explain(self, unique, runs):
        assignments = collections.defaultdict(list)  # by trace
        for run in runs:
            assignments[run.trace].append(run)
        for attempts in assignments.values():
            self._explain_attempts(unique, sorted(attempts, key=lambda run: (run.attempt, run.began)))
        # gearmand has accepted the result of one assignment. For each other assignment there must be a reason why gearmand
        # assigned the job again. The assignments are in the order in which their scripts began; the order in which their
        # requests were sent may differ.
        reasons = {trace: self._why_given_again(attempts[0]) for trace, attempts in assignments.items()}
        kept = next((trace for trace, reason in reversed(reasons.items()) if not reason), next(reversed(reasons)))
        if not reasons.pop(kept) and self._was_taken_after_the_end_of(assignments[kept][0]):
            reasons = dict.fromkeys(reasons)
        for trace, reason in reasons.items():
            self._count(unique, reason, f"it was given again after {trace}")

    def _count(self, unique, reason, what):
        self.repeats[reason or "unexplained"] += 1
        if not reason:
            self.unexplained[unique].append(what)

    def _explain_attempts(self, unique, runs):
        """Explains the attempts that one driveshaft made while it had the job."""
        told = [line for line in self.lines[unique] if line.what in AGAIN and line.trace == runs[0].trace]
        for before, after in zip(runs, runs[1:]):
            # The log line is written before the request is sent. There are several lines if attempts in between began no
            # script.
            due = [line for line in told if line.at <= after.began]
            told = told[len(due):]
            reason = due and f"{AGAIN[due[0].what]}: {REASON.search(due[0].text)[1]}"
            self._count(unique, reason, f"attempt {after.attempt} was sent after {before.attempt} of {after.trace}")

    def _why_given_again(self, run):
        """Explains why gearmand assigned the job again: its driveshaft no longer had the job, or its result was lost. None:
        there is no reason."""
        gearmand, taken = run.unique.rpartition(".")[0], self._taken(run)
        for line in self._lines_of(run, "Dropped result"):
            if self._has_happened([gearmand], DOWN, taken, line.at):
                return "its connection to gearmand broke while it ran"
        for line in self._lines_of(run, "Given back"):
            if self._has_happened([run.sender.rpartition(".")[0]], [RESTARTED], line.at, line.at):
                return "given back by a driveshaft that was restarted"
        killed = self.killed.get(run.sender)
        for line in self._lines_of(run, "Finished job"):
            return self._why_not_heard_of(line, gearmand, killed)
        return killed and "its driveshaft was killed while it ran"

    def _why_not_heard_of(self, finished, gearmand, killed):
        """Explains how a result was lost that was sent, according to the log line `finished`."""
        driveshaft = finished.sender.rpartition(".")[0]
        for event in self.events:
            if event.part == gearmand and event.kind in DOWN:
                # A gearmand that is told to end reads no more packets, but still exists for a while.
                gone = event.began if event.kind == KILLED else event.ended
                if event.began - ON_ITS_WAY < finished.at < gone + MOMENT:
                    return "gearmand went away with its result"
                if event.began < finished.at and any(
                        stop.part == driveshaft and stop.kind == STOPPED and stop.began - MOMENT < event.began < stop.ended
                        and finished.at < stop.ended + MOMENT for stop in self.events):
                    return "gearmand had gone away while its driveshaft was stopped and did not see it"
        if killed and killed - ON_ITS_WAY < finished.at < killed + MOMENT:
            return "its driveshaft was killed with its result"
        return None

    def _taken(self, run):
        """The earliest time at which the driveshaft may have got the job from gearmand. The script may begin much later."""
        return min([run.began, *(line.at for line in self.lines[run.unique]
                                 if line.what == "Starting job" and line.sender == run.sender)])

    def _was_taken_after_the_end_of(self, run):
        ends = [line.at for line in self._lines_of(run, "Finished job")]
        return any(line.what == "Starting job" and line.at > min(ends) + MOMENT for line in self.lines[run.unique] if ends)

    def _lines_of(self, run, what):
        return [line for line in self.lines[run.unique] if line.what == what and line.trace == run.trace]

    def _has_happened(self, parts, kinds, begin, end):
        return any(event.part in parts and event.kind in kinds and event.began <= end + MOMENT
                   and event.ended >= begin - MOMENT for event in self.events)
