# SPDX-License-Identifier: MIT
"""Tests the shipped alerting rules and dashboard with promtool, a daemon's metrics and a real Prometheus."""
import json
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from behaviours import Gate, answer, hang, in_turn, reverse
from certificates import Authority
from clients import Client, FAILED, complete, run
from driveshaft import jobs_file, pool, run_binary
from processes import let_pass, wait_until
from prometheus import Prometheus, promtool
from servers import NginxTls

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGING = ROOT / "packaging"
RULES = PACKAGING / "prometheus" / "driveshaft.rules.yml"
DASHBOARD = json.loads((PACKAGING / "grafana" / "driveshaft.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_promtool_finds_the_rules_right():
    promtool("check", "rules", RULES)
    promtool("test", "rules", "driveshaft.rules.test.yml", cwd=RULES.parent)


def test_each_rule_has_a_unit_test_in_which_it_fires():
    tests = yaml.safe_load((RULES.parent / "driveshaft.rules.test.yml").read_text())["tests"]
    fires = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert fires == {rule["alert"] for rule in rules()}


def test_the_dashboard_is_sound():
    schema = yaml.safe_load((ROOT / "tests" / "grafana.schema.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(DASHBOARD)
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for at in [panel["gridPos"]]
             for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24
    assert panels[0]["type"] == "row" and [panel["gridPos"]["y"] for panel in panels] == sorted(
        panel["gridPos"]["y"] for panel in panels), "a panel stands in another row than in the file"
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job", "instance", "pool"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= variables | {"__rate_interval", "__all"}


def test_each_query_of_the_dashboard_goes_by_its_variables():
    for expression in EXPRESSIONS:
        for name, labels in re.findall(r"\b((?:driveshaft|process)_\w+)\{([^}]*)\}", expression):
            assert 'job=~"$job", instance=~"$instance"' in labels, expression
            of_pools = "pool" in rows_of_the_reference()[re.sub("_(bucket|sum|count)$", "", name)][1]
            assert of_pools == ('pool=~"$pool"' in labels), expression


def test_units_of_the_dashboard_are_those_of_its_metrics():
    def unit_of(expression):
        if re.search(r"rate\(driveshaft_\w+_sum.*/|histogram_quantile|_seconds\{|- time\(\)", expression):
            return "s"
        if " / " in expression or "process_cpu_seconds_total" in expression:
            return "percentunit"
        return "bytes" if "_bytes" in expression else "ops" if re.search(r"\brate\(", expression) else "short"
    for panel in PANELS:
        units = {unit_of(target["expr"]) for target in panel["targets"]}
        assert units == {panel["fieldConfig"]["defaults"]["unit"]}, panel["title"]


@pytest.fixture
def busy_daemon(rig):
    """Starts a daemon that has had jobs with every outcome. Returns (gearmand, daemon)."""
    server = rig.gearmand()
    ca = Authority(rig.directory)
    us = ca.issue("driveshaft")
    nginx = rig.start(NginxTls(rig.directory, rig.endpoint(reverse), us, ca))
    pools = {"Good": pool(nginx.uri("localhost"), ["reverse"], endpoint_tls=ca.trusted(us)),
             "Broken": pool(rig.endpoint(answer(status="500 Oops")).uri(), ["broken"],
                            retry={"attempts": 2, "initial_delay": 0}, dead_letter_function="buried"),
             "Slow": pool(rig.endpoint(hang).uri(), ["slow"])}
    control = rig.directory / "control.sock"
    daemon = rig.driveshaft(jobs_file([server], pools), max_running_time=1, control_socket=control)
    daemon.expect_failed_jobs()
    daemon.expect_errors("Trying job again")
    with Client(server) as client:
        slow = client.submit("slow")
        assert client.run("reverse", "ab") == complete("ba")
        assert client.run("broken") == client.result(slow) == FAILED
    for action, paused in ("pause", 1), ("resume", 0):
        assert run_binary(action, "Broken/broken", "--control_socket", control).returncode == 0
        assert daemon.metric("driveshaft_function_paused", pool="Broken", function="broken") == paused
    wait_until(lambda: daemon.metric("driveshaft_queue_up") and daemon.metric("driveshaft_slots"), "a second has passed")
    wait_until(lambda: daemon.metric("driveshaft_loop_lag_seconds_count") > 0, "the loop's timer has been called")
    return server, daemon


def metrics_in(text):
    """The names of metrics in the text. Two other names look like metrics and are left out: the function that `driveshaft
    probe` calls, and a setting of php-fpm."""
    return (set(re.findall(r"\b(?:driveshaft|process)_[a-z]\w+", text))
            - {"driveshaft_probe", "process_control_timeout"})


def test_every_metric_that_is_named_anywhere_is_one_of_the_daemon(busy_daemon):
    _, daemon = busy_daemon
    names = {name for name, _, _ in daemon.samples()}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in names}
    asked = metrics_in(" ".join(EXPRESSIONS + [rule["expr"] for rule in rules()]))
    assert not asked - names
    places = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md", *RULES.parent.iterdir(),
              *(PACKAGING / "kubernetes").rglob("*.yaml")]
    for place in places:
        assert not metrics_in(place.read_text()) - names - families, place
    bare = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
    assert not {name for name in families - bare if name.startswith("driveshaft_")}, "not on the dashboard"


# Names of the original Driveshaft, which the dashboards and alerts of its users contain.
KEPT_NAMES = ("driveshaft_errors", "driveshaft_http_errors", "driveshaft_timeouts")


def test_promtool_finds_the_metrics_right_but_for_the_names_of_the_original(busy_daemon):
    _, daemon = busy_daemon
    done = subprocess.run(["promtool", "check", "metrics"], input=daemon.get("/metrics")[1], capture_output=True, text=True,
                          timeout=60)
    assert sorted(done.stderr.splitlines()) == [f'{name} counter metrics should have "_total" suffix' for name in KEPT_NAMES]


def rows_of_the_reference():
    """The rows of docs/metrics.md: {name: (type, labels, unit)}."""
    text = (DOCS / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| ([\w ]+) \| \S", text, re.M)
    assert len(rows) == len(re.findall(r"^\| `", text, re.M)) == len({name for name, *_ in rows})
    return {name: (kind, set(filter(None, labels.split(", "))), unit) for name, kind, labels, unit in rows}


def test_the_reference_lists_every_metric_with_type_and_labels(busy_daemon):
    _, daemon = busy_daemon
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", daemon.get("/metrics")[1], re.M))
    labels = {name: set() for name in types}
    for name, have, _ in daemon.samples():
        labels[name if name in types else re.sub("_(bucket|sum|count)$", "", name)] |= set(have) - {"le"}
    assert {name: (kind, labels) for name, (kind, labels, _) in rows_of_the_reference().items()} == {
        name: (types[name], labels[name]) for name in types}


def test_units_of_the_reference_are_those_of_the_names():
    for name, (kind, _, unit) in rows_of_the_reference().items():
        plain = name.removesuffix("_total")
        if plain.endswith("_timestamp_seconds") or plain == "process_start_time_seconds":
            assert unit == "seconds since 1970", name
        elif plain.endswith("_seconds") or kind == "histogram":
            assert unit == "seconds", name
        elif plain.endswith("_bytes"):
            assert unit == "bytes", name
        else:
            assert not unit.startswith(("seconds", "bytes")), name


def test_the_manual_lists_every_alert_with_its_severity():
    manual = (DOCS / "operations.md").read_text()
    rows = re.findall(r"^\| \[`(Driveshaft\w+)`\]\(runbook.md#(\w+)\) \| (\w+) \|", manual, re.M)
    assert rows == [(rule["alert"], rule["alert"].lower(), rule["labels"]["severity"]) for rule in rules()]


# --- the runbook

RUNBOOK = (DOCS / "runbook.md").read_text()


def sections_of_the_runbook():
    """The sections of the runbook: {heading: text}."""
    _, *parts = re.split(r"^## (.*)\n", RUNBOOK, flags=re.M)
    return dict(zip(parts[::2], parts[1::2]))


def test_each_alert_has_a_section_in_the_runbook_and_links_to_it():
    assert list(sections_of_the_runbook()) == [rule["alert"] for rule in rules()]
    assert "runbook.md" in re.search(r"foreach\(document ([^)]*)\)", (PACKAGING / "package.cmake").read_text())[1]
    for rule in rules():
        anchor = rule["alert"].lower()
        assert rule["annotations"]["runbook_url"] == f"file:///usr/share/doc/driveshaft/runbook.md#{anchor}"


def test_each_section_of_the_runbook_says_what_it_means_what_to_look_at_and_what_to_do():
    for alert, text in sections_of_the_runbook().items():
        assert re.findall(r"^\*\*(.*?)\*\*", text, re.M) == ["What it means.", "What to look at.", "What to do."], alert
        looking = text.partition("**What to look at.**")[2].partition("**What to do.**")[0]
        assert re.search(r"^    \S", looking, re.M), f"{alert}: no command"


def test_commands_and_links_of_the_runbook_exist():
    commands = set(re.findall(r"(?:^    |`)driveshaft ([a-z][a-z-]+)", RUNBOOK, re.M))
    known = run_binary("--help").stdout
    assert {"status", "resume", "cancel"} <= commands
    assert not {command for command in commands if not re.search(rf"\bdriveshaft {command}\b", known)}
    for anchor in re.findall(r"\]\(#(\w+)\)", RUNBOOK):
        assert anchor in {alert.lower() for alert in sections_of_the_runbook()}


def test_prometheus_answers_every_query_of_the_dashboard(rig, busy_daemon):
    server, daemon = busy_daemon
    prometheus = rig.start(Prometheus(rig.directory, [daemon]))
    wait_until(lambda: (prometheus.value("count_over_time(driveshaft_results_refused_total{pool='Good'}[1m])") or 0) > 2,
               "a few scrapes")
    for expression in EXPRESSIONS:
        expression = expression.replace("$__rate_interval", "1m")
        wait_until(lambda: prometheus.query(re.sub(r"\$\w+", ".*", expression)), f"samples of {expression}")


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


def test_conditions_of_alerts_hold_for_a_real_daemon(rig, tmp_path):
    """These conditions combine the labels of several metrics. The tests with promtool check how long a condition has to
    hold."""
    conditions = {rule["alert"].removeprefix("Driveshaft"): rule["expr"] for rule in rules()}
    gate, control = Gate(), rig.directory / "control.sock"
    one, two = rig.gearmand("one"), rig.gearmand("two")
    uri = rig.endpoint(gate).uri()
    daemon = rig.driveshaft(jobs_file([one, two], {"P": pool(uri, ["f", "g"], 1), "Q": pool(uri, ["g", "h"], 1)}),
                            control_socket=control)
    prometheus = rig.start(Prometheus(tmp_path, [daemon]))

    def hold(alert, *expected):
        wait_until(lambda: [labels for labels, _ in prometheus.query(conditions[alert])] == [
            {"job": "driveshaft", "instance": f"127.0.0.1:{daemon.port}", **labels} for labels in expected],
            f"{alert} has {expected}")
    with Client(one) as client:
        handles = [client.submit("f"), client.submit("h")]
        wait_until(lambda: prometheus.value('sum(driveshaft_threads{status="busy"})') == 2, "both pools are busy")
        hold("SlotsBusy")
        handles.append(client.submit("f"))
        hold("SlotsBusy", {"pool": "P"})
        assert run_binary("pause", "Q/h", "--control_socket", control).returncode == 0
        hold("Paused", {"pool": "Q", "function": "h"})
        hold("GearmandLost")
        two.stop()
        hold("GearmandLost", {"server": two.address})
        gate.open()
        assert [client.result(handle) for handle in handles] == [complete("done")] * 3
    hold("SlotsBusy")


def test_the_condition_of_a_backend_that_is_down_holds_while_another_works(rig, tmp_path):
    [condition] = [rule["expr"] for rule in rules() if rule["alert"] == "DriveshaftBackendDown"]
    server, off = rig.gearmand(), rig.endpoint(reverse)
    one, two = rig.endpoint(reverse), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {
        "P": pool([one.uri(), two.uri(), {"uri": off.uri(), "weight": 0}], ["reverse"])}))
    prometheus = rig.start(Prometheus(tmp_path, [daemon]))

    def holds_for(*backends):
        return [(labels["pool"], labels["backend"]) for labels, _ in prometheus.query(condition)] == [
            ("P", backend) for backend in backends]
    wait_until(lambda: prometheus.value(f"driveshaft_backend_up{{backend='{off.uri()}'}}") == 0, "a scrape")
    assert holds_for()
    two.stop()
    wait_until(lambda: run(server, "reverse", "ab") == complete("ba") and holds_for(two.uri()), "it is down")
    one.stop()
    with Client(server) as client:
        handle = client.submit("reverse", "ab")
        wait_until(lambda: prometheus.value("driveshaft_endpoint_up") == 0 and holds_for(), "the endpoint is down")
        two.start()
        assert client.result(handle) == complete("ba")
    wait_until(lambda: holds_for(one.uri()), "the other one is up again")


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
    config = jobs_file([one, two], {"P": pool(uri, ["reverse"]), "Q": pool(uri, ["q"], gearmand_connections=3),
                                    "Unused": pool(uri, ["u"], 0)})
    daemon = rig.driveshaft(config)

    def connections(**expected):
        wait_until(lambda: {name: daemon.metric("driveshaft_gearmand_connections", pool=name)
                            for name in ("P", "Q", "Unused")} == expected, f"connections are {expected}")
    def servers_are_up(**expected):
        wait_until(lambda: {name: daemon.metric("driveshaft_gearmand_up", server=server.address)
                            for name, server in (("one", one), ("two", two))} == expected, f"up are {expected}")
    connections(P=2, Q=6, Unused=0)
    servers_are_up(one=1, two=1)
    two.stop()
    connections(P=1, Q=3, Unused=0)
    servers_are_up(one=1, two=0)
    two.start()
    connections(P=2, Q=6, Unused=0)
    servers_are_up(one=1, two=1)
    config["pools_list"]["Q"]["gearmand_connections"] = 1
    daemon.reload(config)
    connections(P=2, Q=2, Unused=0)
    for name in "P", "Q":
        config["pools_list"][name]["worker_count"] = 0
    daemon.reload(config)
    wait_until(lambda: "driveshaft_gearmand_up" not in {name for name, _, _ in daemon.samples()}, "nobody wants a server")


def test_metrics_of_phases_endpoints_slots_build_and_process(rig):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"P": pool(endpoint.uri(), ["f"], 5, endpoint_down="fail")}))
    daemon.expect_failed_jobs()
    for _ in range(3):
        assert run(server, "f", "ab") == complete("ba")
    count = "driveshaft_http_phase_duration_seconds_count"
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


def states_of_endpoints(daemon, pool):
    """The counts of endpoints by state, without states that have none: {state: count}."""
    return {labels["state"]: value for name, labels, value in daemon.samples()
            if name == "driveshaft_endpoints" and labels["pool"] == pool and value}


def test_endpoints_are_counted_by_state(rig):
    busy = answer(b"busy", status="503 Service Unavailable", headers=["Retry-After: 3"])
    gate = Gate(reverse)
    gate.open()
    gone, endpoint = rig.endpoint(gate), rig.endpoint(in_turn(busy, reverse))
    is_there = threading.Event()

    def gateway(request, sock):
        return (reverse if is_there.is_set() else answer(b"", status="502 Bad Gateway"))(request, sock)
    absent = rig.endpoint(gateway)
    server = rig.gearmand()
    config = jobs_file([server], {
        "P": pool(endpoint.uri(), ["f", {"function": "g", "job_processing_uri": gone.uri()}]),
        "Q": pool(absent.uri(), ["q"])})
    daemon = rig.driveshaft(config)
    assert states_of_endpoints(daemon, "P") == {"up": 2} and states_of_endpoints(daemon, "Q") == {"up": 1}
    gone.stop()
    with Client(server) as client:
        paused, held = client.submit("f", "ab"), client.submit("g", "cd")
        jobs = client.submit_many("q", ["ab", "ab"])
        wait_until(lambda: states_of_endpoints(daemon, "P") == {"paused": 1, "down": 1}, "one is paused, the other down")
        wait_until(lambda: states_of_endpoints(daemon, "Q") == {"absent": 1}, "its application is absent")
        is_there.set()
        assert client.result(paused) == complete("ba")
        wait_until(lambda: states_of_endpoints(daemon, "P") == {"up": 1, "down": 1}, "the pause is over")
        gone.start()
        assert [client.result(job) for job in (held, *jobs)] == [complete("dc"), complete("ba"), complete("ba")]
    wait_until(lambda: states_of_endpoints(daemon, "P") == {"up": 2} and states_of_endpoints(daemon, "Q") == {"up": 1},
               "all are up")
    gate.close()
    with Client(server) as client:
        before = len(gone.requests)
        running = client.submit("g", "ef")
        wait_until(lambda: len(gone.requests) > before, "it has a job")
        config["pools_list"]["P"]["jobs_list"] = ["f", "g"]
        daemon.reload(config)
        assert states_of_endpoints(daemon, "P") == {"up": 1}, "no function has the other endpoint"
        gate.open()
        assert client.result(running) == complete("fe")


@pytest.mark.slow
def test_a_loop_that_stood_still_is_seen(rig):
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"P": pool(rig.endpoint(reverse).uri(), ["f"])}))
    wait_until(lambda: daemon.metric("driveshaft_loop_lag_seconds_count") > 1, "two seconds have passed")
    before = daemon.metric("driveshaft_loop_lag_seconds_sum")
    daemon.send(signal.SIGSTOP)
    let_pass(3)
    daemon.send(signal.SIGCONT)
    wait_until(lambda: daemon.metric("driveshaft_loop_lag_seconds_sum") > before + 1.5, "it is late")


def test_dead_letters_that_may_be_lost_are_counted_from_the_start(rig):
    server = rig.gearmand()
    pools = {"P": pool(rig.endpoint(reverse).uri(), ["f"], dead_letter_function="letters")}
    daemon = rig.driveshaft(jobs_file([server], pools))
    assert [(labels["function"], value) for name, labels, value in daemon.samples()
            if name == "driveshaft_dead_letters_total" and labels["result"] == "lost"] == [("f", 0)]
