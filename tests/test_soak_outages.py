# SPDX-License-Identifier: MIT
"""Tests of outage_account.py: the account finds lost jobs, and does not accept a repeat without a reason."""
import pytest

from outage_account import Account, Run, read_book, read_log, suspects
from soaking import Event

TRACES = ["a" * 32, "b" * 32]
JOB = "gearmand-1.7"


def run(began, trace=0, attempt=1, lasts=1.0, sender="driveshaft-1.1", unique=JOB, function="work"):
    return Run(began, began + lasts if lasts else None, function, unique, "H:vm:7", sender, attempt, TRACES[trace])


def log(tmp_path, *texts, since=1):
    """The lines that are read of a log with these texts, one in each second from `since` on."""
    path = tmp_path / "log"
    path.write_text("".join(f"1970-01-01 00:00:{second:02},000 INFO  Thread - {text}\n"
                            for second, text in enumerate(texts, since)))
    return list(read_log(path, "driveshaft-1.1", {JOB}))


def line(what, trace=None, more=""):
    text = f"{what}: function=work handle=H:vm:7 unique={JOB} workload=1.0{more}"
    return text if trace is None else f"{text} trace={TRACES[trace]}"


def repeats(runs, lines=(), events=(), killed=()):
    account = Account({JOB}, set(), runs, lines, events, dict(killed))
    assert not account.lost and not account.strangers
    assert sum(account.repeats.values()) == len(runs) - 1
    assert ("unexplained" in account.repeats) == bool(account.unexplained)
    return list(account.repeats)


def test_what_is_lost_and_what_nobody_had_submitted():
    account = Account({JOB, "gearmand-1.8", "gearmand-2.8"}, {"gearmand-2.9"},
                      [run(1), run(2, unique="gearmand-1.8", lasts=None), run(3, unique="gearmand-2.10")], [], [], {})
    assert account.lost == {"gearmand-1.8", "gearmand-2.8"}
    assert account.strangers == {"gearmand-2.10"}
    assert "3 jobs submitted, 1 of them with an end, 2 lost" in list(account.report())
    assert "1 submissions of unknown fate: 0 ran, 1 did not" in list(account.report())


def test_suspects_are_jobs_that_ran_more_than_once_or_not_to_an_end():
    assert suspects({"one", "two", "three"}, [run(1, unique="one"), run(2, unique="two", lasts=None), run(3, unique="two"),
                                              run(4, unique="unknown"), run(5, unique="unknown")]) == {"two", "three", "unknown"}


def test_an_attempt_that_was_tried_again(tmp_path):
    why = ' pool=Web attempt=1 of=9 reason="the connection broke: Connection reset by peer; the job may have run"'
    lines = log(tmp_path, line("Starting job"), line("Trying job again", 0, why))
    runs = [run(1), run(3, attempt=2)]
    assert repeats(runs, lines) == ["tried again: the connection broke"]
    assert repeats([*runs, run(4, attempt=3)], lines) == ["tried again: the connection broke", "unexplained"]


def test_an_attempt_after_which_the_job_was_held(tmp_path):
    why = ' pool=Web attempt=1 reason="the endpoint answered HTTP status 502: an HTML page, \\"502 Bad Gateway\\"; the job may have run"'
    lines = log(tmp_path, line("Starting job"), line("Holding job", 0, why), line("Holding job", 0, why))
    assert repeats([run(1), run(4, attempt=3)], lines) == ["held: the endpoint answered HTTP status 502"]
    assert repeats([run(1), run(4, attempt=3), run(6, attempt=4)], lines) == ["held: the endpoint answered HTTP status 502", "unexplained"]
    assert repeats([run(1), run(4, attempt=2)], [], [Event("php-fpm", "killed", 2, 3)]) == ["unexplained"]


def test_attempts_that_follow_one_another_at_once(tmp_path):
    """The log line of the second attempt does not explain the first."""
    why = ' pool=Web attempt=1 reason="the endpoint answered HTTP status 502; the job may have run"'
    lines = log(tmp_path, line("Starting job"), line("Holding job", 0, why), line("Holding job", 0, why))
    runs = [run(1), run(2.9, attempt=2), run(3.1, attempt=3)]
    assert repeats(runs, lines) == ["held: the endpoint answered HTTP status 502"]


def test_an_attempt_that_was_sent_over_a_new_connection(tmp_path):
    why = ' pool=Web attempt=1 reason="the endpoint closed the connection; the job may have run"'
    lines = log(tmp_path, line("Starting job"), line("Sending job again", 0, why))
    assert repeats([run(1), run(4)], lines) == ["sent again: the endpoint closed the connection"]
    assert repeats([run(1), run(4)]) == ["unexplained"]


@pytest.mark.parametrize("event, explains", [
    (Event("gearmand-1", "killed", 2, 3), True), (Event("gearmand-1", "restarted", 2, 3), True),
    (Event("gearmand-1", "stopped for a while", 2, 3), False), (Event("gearmand-2", "killed", 2, 3), False)], ids=str)
def test_a_connection_that_broke(tmp_path, event, explains):
    lines = log(tmp_path, line("Starting job"), line("Finished job", 0), line("Dropped result", 0))
    reason = "its connection to gearmand broke while it ran" if explains else "unexplained"
    assert repeats([run(1), run(4, trace=1, sender="driveshaft-2.1")], lines, [event]) == [reason]


@pytest.mark.parametrize("killed_at, explains", [(2.1, True), (1, False), (9, False)])
def test_a_result_that_was_not_read(tmp_path, killed_at, explains):
    """The log has the result at second 2."""
    lines = log(tmp_path, line("Starting job"), line("Finished job", 0)) + log(tmp_path, line("Starting job"), since=12)
    runs = [run(1), run(12, trace=1)]
    event = Event("gearmand-1", "killed", killed_at, killed_at + 0.5)
    assert repeats(runs, lines, [event]) == ["gearmand went away with its result" if explains else "unexplained"]
    assert repeats(runs, lines, killed={"driveshaft-1.1": killed_at}) == [
        "its driveshaft was killed with its result" if explains else "unexplained"]


@pytest.mark.parametrize("kind, explains", [("restarted", True), ("killed", False)])
def test_a_gearmand_that_was_told_to_end_reads_no_more(tmp_path, kind, explains):
    lines = log(tmp_path, line("Starting job"), line("Finished job", 0))
    assert repeats([run(1), run(4, trace=1)], lines, [Event("gearmand-1", kind, 1.5, 2.1)]) == [
        "gearmand went away with its result" if explains else "unexplained"]


@pytest.mark.parametrize("stopped, explains", [((0.5, 2), True), ((1.2, 2), True), ((0.5, 1.2), False), ((1.6, 2), False)])
def test_a_result_for_a_gearmand_that_had_gone_unseen(tmp_path, stopped, explains):
    lines = log(tmp_path, line("Starting job"), line("Finished job", 0))
    events = [Event("gearmand-1", "killed", 1, 1.5), Event("driveshaft-1", "stopped for a while", *stopped)]
    assert repeats([run(1, lasts=0.1), run(4, trace=1)], lines, events) == [
        "gearmand had gone away while its driveshaft was stopped and did not see it" if explains else "unexplained"]


def test_a_driveshaft_that_was_killed(tmp_path):
    """The script of its request may begin later than that of the next request for the job."""
    lines = log(tmp_path, line("Starting job"))
    for runs in ([run(1), run(4, trace=1, sender="driveshaft-2.1")], [run(1, trace=1, sender="driveshaft-2.1"), run(4)]):
        assert repeats(runs, lines, killed={"driveshaft-1.1": 2}) == ["its driveshaft was killed while it ran"]
        assert repeats(runs, lines, killed={"driveshaft-1.2": 2}) == ["unexplained"]


@pytest.mark.parametrize("kind, explains", [("restarted", True), ("killed", False)])
def test_a_job_that_was_given_back(tmp_path, kind, explains):
    lines = log(tmp_path, line("Starting job"), line("Given back", 0))
    assert repeats([run(1), run(4, trace=1, sender="driveshaft-2.1")], lines, [Event("driveshaft-1", kind, 1.5, 3)]) == [
        "given back by a driveshaft that was restarted" if explains else "unexplained"]


def test_reading_the_record_of_runs(tmp_path):
    book = tmp_path / "book"
    book.write_text(f"begin r2 2.5 direct {JOB} H:vm:7 driveshaft-2.1 2 {TRACES[0]}\n"
                    f"begin r1 1.5 work {JOB} H:vm:7 driveshaft-1.1 1 {TRACES[0]}\n"
                    f"end r1 2.5 work {JOB} H:vm:7 driveshaft-1.1 1 {TRACES[0]}\n")
    assert read_book(book) == [run(1.5), run(2.5, lasts=None, attempt=2, sender="driveshaft-2.1", function="direct")]
