# SPDX-License-Identifier: MIT
"""The alerting rules and the dashboard that ship, against promtool, a daemon's metrics and a real Prometheus."""
import json
import re
import time
from pathlib import Path

import pytest
import yaml

from behaviours import Gate, answer, hang, reverse
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool
from processes import wait_until
from prometheus import Prometheus, promtool

PACKAGING = Path(__file__).parent.parent / "packaging"
RULES = PACKAGING / "prometheus" / "driveshaft.rules.yml"
DASHBOARD = json.loads((PACKAGING / "grafana" / "driveshaft.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.once
def test_promtool_finds_the_rules_right():
    promtool("check", "rules", RULES)
    promtool("test", "rules", "driveshaft.rules.test.yml", cwd=RULES.parent)


@pytest.mark.once
def test_each_rule_has_a_unit_test_in_which_it_fires():
    tests = yaml.safe_load((RULES.parent / "driveshaft.rules.test.yml").read_text())["tests"]
    fires = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert fires == {rule["alert"] for rule in rules()}


@pytest.mark.once
def test_the_dashboard_is_sound():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for at in [panel["gridPos"]]
             for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= variables | {"__rate_interval", "__all"}


@pytest.fixture
def busy_daemon(rig):
    """One that has had jobs of every outcome: (gearmand, daemon)."""
    server = rig.gearmand()
    pools = {"Good": pool(rig.endpoint(reverse).uri(), ["reverse"]),
             "Broken": pool(rig.endpoint(answer(status="500 Oops")).uri(), ["broken"],
                            retry={"attempts": 2, "initial_delay": 0}, dead_letter_function="buried"),
             "Slow": pool(rig.endpoint(hang).uri(), ["slow"])}
    daemon = rig.driveshaft(jobs_file([server], pools), max_running_time=1)
    daemon.expect_failed_jobs()
    daemon.expect_errors("Trying job again")
    with Client(server) as client:
        slow = client.submit("slow")
        assert client.run("reverse", "ab") == complete("ba")
        assert client.run("broken") == client.result(slow) == FAILED
    wait_until(lambda: daemon.metric("driveshaft_queue_up") and daemon.metric("driveshaft_slots"), "a second has passed")
    return server, daemon


def test_every_metric_of_rules_and_dashboard_is_one_of_the_daemon(busy_daemon):
    _, daemon = busy_daemon
    asked = set(re.findall(r"\bdriveshaft_\w+", " ".join(EXPRESSIONS + [rule["expr"] for rule in rules()])))
    names = {name for name, _, _ in daemon.samples()}
    assert not asked - names
    bare = {re.sub("_(bucket|sum|count)$", "", name) for name in names if name.startswith("driveshaft_")}
    assert not bare - {re.sub("_(bucket|sum|count)$", "", name) for name in asked}, "not on the dashboard"


def test_the_manual_lists_every_metric_with_type_and_labels(busy_daemon):
    _, daemon = busy_daemon
    types = dict(re.findall(r"^# TYPE (driveshaft_\w+) (\w+)$", daemon.get("/metrics")[1], re.M))
    labels = {name: set() for name in types}
    for name, have, _ in daemon.samples():
        if name.startswith("process_"):
            continue
        labels[name if name in types else re.sub("_(bucket|sum|count)$", "", name)] |= set(have) - {"le"}
    manual = (PACKAGING.parent / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(driveshaft_\w+)` \| (\w+) \| ([\w, ]*?) ?\| ", manual, re.M)
    assert {name: (kind, set(filter(None, said.split(", ")))) for name, kind, said in rows} == {
        name: (types[name], labels[name]) for name in types}


def test_the_manual_lists_every_alert_with_its_severity():
    manual = (PACKAGING.parent / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(Driveshaft\w+)` \| (\w+) \|", manual, re.M)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]


@pytest.mark.once
def test_prometheus_answers_every_query_of_the_dashboard(rig, busy_daemon):
    server, daemon = busy_daemon
    prometheus = rig.start(Prometheus(rig.directory, [daemon]))
    wait_until(lambda: (prometheus.value("count_over_time(driveshaft_results_refused{pool='Good'}[1m])") or 0) > 2,
               "a few scrapes")
    for expression in EXPRESSIONS:
        expression = expression.replace("$__rate_interval", "1m")
        wait_until(lambda: prometheus.query(re.sub(r"\$\w+", ".*", expression)), f"samples of {expression}")


@pytest.mark.once
def test_alerts_of_a_real_prometheus_follow_the_daemon(rig, tmp_path):
    server = rig.gearmand()
    good = jobs_file([server], {"P": pool(rig.endpoint(reverse).uri(), ["reverse"])})
    daemon = rig.driveshaft(good)
    daemon.expect_errors("jobs file .* is rejected")
    prometheus = rig.start(Prometheus(tmp_path, [daemon], rules=[RULES]))
    wait_until(lambda: prometheus.value("up") == 1, "a scrape")
    assert run(server, "reverse", "ab") == complete("ba")
    assert prometheus.alerts() == set()

    daemon.reload("{", result="rejected")
    wait_until(lambda: prometheus.alerts() == {"DriveshaftConfigRejected"}, "the alert of a rejected file")
    daemon.reload(good)
    wait_until(lambda: prometheus.alerts() == set(), "no alert")

    server.stop()
    wait_until(lambda: prometheus.alerts() == {"DriveshaftNoGearmand"}, "the alert of no server")
    server.start()
    wait_until(lambda: prometheus.alerts() == set(), "no alert")


def test_durations_of_failed_jobs_are_apart_from_those_of_the_others(busy_daemon):
    _, daemon = busy_daemon
    for name, succeeded, failed in ("Good", 1, 0), ("Broken", 0, 1), ("Slow", 0, 1):
        assert daemon.metric("driveshaft_job_duration_count", pool=name) == succeeded
        assert daemon.metric("driveshaft_failed_job_duration_seconds_count", pool=name) == failed
    assert 0.9 < daemon.metric("driveshaft_failed_job_duration_seconds_sum", pool="Slow") < 5, "until its time was over"


@pytest.mark.slow
def test_how_long_jobs_wait_grows_until_their_queue_is_empty(rig):
    gate = Gate()
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"P": pool(rig.endpoint(gate).uri(), ["f", "g"], 1)}))

    def waited(function):
        return daemon.metric("driveshaft_queue_waiting_seconds", function=function)
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 3)
        began = time.monotonic()
        wait_until(lambda: waited("f") > 4, "the third reading sees them wait")
        assert waited("f") <= time.monotonic() - began and waited("g") == 0
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 3
    wait_until(lambda: waited("f") == 0, "its queue is empty")


def test_connections_are_counted_by_pool_and_server(rig):
    one, two = rig.gearmand("one"), rig.gearmand("two")
    uri = rig.endpoint(reverse).uri()
    config = jobs_file([one, two], {"P": pool(uri, ["reverse"]), "Q": pool(uri, ["q"], connections=3),
                                    "Unused": pool(uri, ["u"], 0)})
    daemon = rig.driveshaft(config)

    def connections(**expected):
        wait_until(lambda: {name: daemon.metric("driveshaft_gearmand_connections", pool=name)
                            for name in ("P", "Q", "Unused")} == expected, f"connections are {expected}")
    connections(P=2, Q=6, Unused=0)
    two.stop()
    connections(P=1, Q=3, Unused=0)
    two.start()
    connections(P=2, Q=6, Unused=0)
    config["pools_list"]["Q"]["connections"] = 1
    daemon.reload(config)
    connections(P=2, Q=2, Unused=0)


def test_metrics_of_phases_endpoints_slots_build_and_process(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"P": pool(endpoint.uri(), ["f"], 5, endpoint_down="fail")}))
    daemon.expect_failed_jobs()
    for _ in range(3):
        assert run(server, "f", "ab") == complete("ba")
    count = "driveshaft_http_phase_duration_count"
    assert (daemon.metric(count, pool="P", phase="connect"), daemon.metric(count, pool="P", phase="first_byte")) == (1, 3)
    wait_until(lambda: daemon.metric("driveshaft_endpoint_connections", pool="P", state="idle") == 1, "one is idle")
    assert daemon.metric("driveshaft_slots", pool="P") == 5
    assert daemon.metric("driveshaft_endpoint_up", pool="P") == 1
    endpoint.stop()
    assert run(server, "f", "ab") == FAILED
    wait_until(lambda: daemon.metric("driveshaft_endpoint_up", pool="P") == 0, "it is down")
    assert daemon.metric("driveshaft_build_info") == 1
    with open(f"/proc/{daemon.pid}/limits") as limits:
        most = next(line.split()[3] for line in limits if line.startswith("Max open files"))
    assert daemon.metric("process_max_fds") == float(most)
    assert abs(daemon.metric("process_resident_memory_bytes") / daemon.memory() - 1) < 0.5
    assert daemon.metric("process_threads") >= 3
    assert 0 < daemon.metric("process_cpu_seconds_total") <= daemon.cpu_seconds() + 0.1
    assert abs(daemon.metric("process_start_time_seconds") - time.time()) < 120
