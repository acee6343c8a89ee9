# SPDX-License-Identifier: MIT
"""The account of the soak of outages: what became of each job, by what PHP has booked, what driveshafts have logged and what
was done to whom. No job may be lost, and each run beyond a job's first must have a reason."""
import calendar
import collections
import re
import time

# A run of the script. `trace` is the same for all attempts of a job for which gearmand gave it to a driveshaft once;
# `ended` is None if the script did not get so far.
Run = collections.namedtuple("Run", "began ended function unique handle sender attempt trace")
# A line of the log of `sender`, a driveshaft from one of its starts to its end, about a job.
Line = collections.namedtuple("Line", "at sender what unique trace text")

KILLED, RESTARTED, STOPPED, CHILD_KILLED = "killed", "restarted", "stopped for a while", "child killed"
DOWN = (KILLED, RESTARTED)
AGAIN = {"Trying job again": "tried again", "Holding job": "held", "Sending job again": "sent again"}  # lines that say so, and in short
MOMENT = 0.5  # clocks of one machine agree; what tells of a thing may be that late on a busy one
ON_ITS_WAY = 2  # seconds; what gearmand was sent that long ago it has read

LOGGED = re.compile(r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) [A-Z]+ +Thread - "
                    r"(?P<what>Starting job|Trying job again|Holding job|Sending job again|Finished job|Failed job|Dropped result|Given back): "
                    r"function=\S+ handle=\S+ unique=(?P<unique>\S+)")
TRACE = re.compile(r" trace=([0-9a-f]{32})")
REASON = re.compile(r' reason="?(.*?)(?:; |: |"|$)')


def read_book(path):
    """The runs that booked.php has put down, in the order in which they began."""
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
    """What a driveshaft has logged, in UTC, about jobs of these uniques."""
    with open(path, errors="replace") as log:
        for text in log:
            parts = LOGGED.match(text)
            if parts and parts["unique"] in uniques:
                at = calendar.timegm(time.strptime(parts["at"], "%Y-%m-%d %H:%M:%S")) + int(parts["ms"]) / 1000
                trace = TRACE.search(text)
                yield Line(at, sender, parts["what"], parts["unique"], trace and trace[1], text.rstrip("\n"))


def suspects(created, runs):
    """The uniques of jobs that ran more than once, or not to an end: those of which the logs have to tell more."""
    times = collections.Counter(run.unique for run in runs)
    ended = {run.unique for run in runs if run.ended}
    return {unique for unique in times if times[unique] > 1} | (created - ended)


class Account:
    """`created` are the uniques of jobs that a gearmand has said to have taken, `unknown` those of which that is not known;
    each begins with the name of its gearmand. `lines` are those about jobs that ran more than once, or not to an end;
    `killed` says when a driveshaft was, by its name and number, as in `sender`."""

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
        self.unexplained = collections.defaultdict(list)  # of a unique: what is not explained
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
        """All that is known of a job, in the order of time."""
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
        # One of them is what gearmand has kept to; all others need a reason to be given again. They are in the order in
        # which their scripts began, which is not always that in which they were sent.
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
        """By the same driveshaft, which still had the job."""
        told = [line for line in self.lines[unique] if line.what in AGAIN and line.trace == runs[0].trace]
        for before, after in zip(runs, runs[1:]):
            # The line comes before the request. There are several if attempts between began no script.
            due = [line for line in told if line.at <= after.began]
            told = told[len(due):]
            reason = due and f"{AGAIN[due[0].what]}: {REASON.search(due[0].text)[1]}"
            self._count(unique, reason, f"attempt {after.attempt} was sent after {before.attempt} of {after.trace}")

    def _why_given_again(self, run):
        """By gearmand, as its driveshaft had it no more or was not heard of."""
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
        """A result was sent, as the log has it."""
        driveshaft = finished.sender.rpartition(".")[0]
        for event in self.events:
            if event.part == gearmand and event.kind in DOWN:
                # One that is told to end reads nothing any more, and is there for a while.
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
        """When its driveshaft had it from gearmand, at the earliest. Scripts may begin much later."""
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
