# SPDX-License-Identifier: MIT
"""Messages to a service manager about start, reload, figures and drain, and the watchdog."""
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from behaviours import Gate, reverse
from clients import Client, complete, run
from driveshaft import jobs_file, pool, run_binary
from processes import let_pass, wait_until
from service_manager import ServiceManager

UNIT = Path(__file__).parent.parent / "packaging" / "driveshaft.service"


@pytest.fixture
def manager(rig, tmp_path):
    return rig.start(ServiceManager(tmp_path))


def start(rig, behave=reverse, **options):
    endpoint = rig.endpoint(behave)
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(endpoint.uri(), ["reverse"])})
    return server, config, rig.driveshaft(config, **options)


def test_a_life_is_told_in_its_order(rig, manager):
    server, config, daemon = start(rig, env=manager.environment())
    wait_until(lambda: manager.names() == ["READY"], "it is told of the start")
    daemon.send(signal.SIGHUP)
    wait_until(lambda: manager.names() == ["READY", "RELOADING", "READY"], "it is told of the reload")
    assert int(manager.all("MONOTONIC_USEC")[0]) > 0
    assert daemon.stop() == 0
    wait_until(lambda: manager.names() == ["READY", "RELOADING", "READY", "STOPPING"], "it is told of the drain")


def test_a_rejected_jobs_file_ends_the_reload_too(rig, manager):
    server, config, daemon = start(rig, env=manager.environment())
    daemon.expect_errors("is rejected")
    daemon.write_config("{")
    daemon.send(signal.SIGHUP)
    wait_until(lambda: manager.names() == ["READY", "RELOADING", "READY"], "the reload is over")


@pytest.mark.parametrize("number, window", [(signal.SIGTERM, 2), (signal.SIGUSR1, 4)], ids=["SIGTERM", "SIGUSR1"])
def test_the_time_asked_for_covers_the_drain_and_figures_go_on_in_it(rig, manager, number, window):
    gate = Gate()
    server, _, daemon = start(rig, gate, env=manager.environment(), loop_timeout=7)
    with Client(server) as client:
        handle = client.submit_many("reverse", ["x"])[0]
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(number)
        fields = manager.wait_for("time to stop", lambda fields: "EXTEND_TIMEOUT_USEC" in fields)
        assert window * 7 < int(fields["EXTEND_TIMEOUT_USEC"]) / 1e6 <= window * 7 + 10
        manager.wait_for("figures of the drain", lambda fields: "STOPPING" in fields
                         and fields["STATUS"].startswith("draining, 1 job still runs, "))
        gate.open()
        assert client.result(handle) == complete("done")
    assert daemon.wait() == 0


def test_time_is_asked_for_again_and_again_while_it_drains(rig, manager):
    """The manager may have missed a request. Each request is for the rest of the window, and a margin."""
    gate = Gate()
    server, _, daemon = start(rig, gate, env=manager.environment(), shutdown_timeout=100)
    with Client(server) as client:
        handle = client.submit("reverse", "x")
        wait_until(lambda: daemon.metric("driveshaft_threads", status="busy") == 1, "it runs")
        daemon.send(signal.SIGTERM)
        wait_until(lambda: len(manager.all("EXTEND_TIMEOUT_USEC")) == 3, "it asks for the third time")
        gate.open()
        assert client.result(handle) == complete("done")
    assert daemon.wait() == 0
    asked = [(moment, int(fields["EXTEND_TIMEOUT_USEC"]) / 1e6) for moment, fields in manager.told
             if "EXTEND_TIMEOUT_USEC" in fields]
    ends = [moment + left for moment, left in asked]
    assert 100 < asked[0][1] <= 110 and max(ends) - min(ends) < 1, "always the same end"


def test_the_status_is_a_line_of_live_figures(rig, manager):
    server, _, daemon = start(rig, env=manager.environment())
    assert run(server, "reverse", "ab") == complete("ba")
    manager.wait_for("figures that follow", lambda fields: fields.get("STATUS") ==
                     "0 of 4 slots busy, 1 connection to gearmand, 1 job done")


def test_the_watchdog_is_fed_by_a_loop_that_turns_and_only_by_it(rig, manager):
    _, _, daemon = start(rig, env=manager.environment(watchdog=0.4))
    wait_until(lambda: len(manager.all("WATCHDOG")) > 5, "food")
    moments = [moment for moment, fields in list(manager.told) if "WATCHDOG" in fields]
    assert (moments[-1] - moments[0]) / (len(moments) - 1) < 0.4, "at half of the time, give or take a busy machine"
    daemon.send(signal.SIGSTOP)
    let_pass(0.5)
    before = len(manager.all("WATCHDOG"))
    let_pass(1)
    assert len(manager.all("WATCHDOG")) == before
    daemon.send(signal.SIGCONT)


def test_a_watchdog_that_was_not_asked_for_or_is_anothers_gets_nothing(rig, manager):
    _, _, daemon = start(rig, env={**manager.environment(watchdog=0.1), "WATCHDOG_PID": "1"})
    manager.wait_for("the second line of figures",
                     lambda fields: len([told for told in list(manager.told) if "STATUS" in told[1]]) > 1)
    assert not manager.all("WATCHDOG")


def test_a_manager_that_does_not_read_delays_no_job(rig, tmp_path):
    """Its queue has room for a few datagrams only, and is full soon."""
    manager = rig.start(ServiceManager(tmp_path, deaf=True))
    server, _, daemon = start(rig, env=manager.environment(watchdog=0.002))
    daemon.wait_for_line("cannot tell the service manager")
    for _ in range(50):
        assert run(server, "reverse", "ab") == complete("ba")
    assert daemon.stop() == 0
    assert len(daemon.lines("cannot tell the service manager", level="WARN")) == 1


def test_a_socket_that_is_gone_is_said_once_and_harms_nothing(rig, tmp_path):
    server, _, daemon = start(rig, env={"NOTIFY_SOCKET": str(tmp_path / "none"), "WATCHDOG_USEC": "20000"})
    daemon.wait_for_line("cannot tell the service manager")
    assert run(server, "reverse", "ab") == complete("ba")
    assert len(daemon.lines("cannot tell the service manager")) == 1


# --- the unit


def test_the_unit_lets_every_running_job_finish():
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", UNIT.read_text(), re.M)[1].replace("\\\n", " ").split()
    longest = re.search(r"--max_running_time time \(=(\d+)\)", run_binary("--help").stdout)[1]
    assert "--max_running_time" not in command
    assert int(command[command.index("--shutdown_timeout") + 1]) >= int(longest)


def test_the_unit_serves_this_machine_alone_unless_told_otherwise(rig):
    unit = UNIT.read_text()
    (address,) = re.findall(r"^Environment=EXPORTER_ADDR=(\S+)$", unit, re.M)
    assert address == "127.0.0.1:8888"
    assert "--exporter_addr ${EXPORTER_ADDR} " in unit
    assert run_binary("--version", "--exporter_addr", address).returncode == 0
    shown = re.search(r"^#   Environment=EXPORTER_ADDR=(\S+)$", unit, re.M)[1]
    assert run_binary("--version", "--exporter_addr", shown).returncode == 0


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_exposes_little():
    """The measure is that of systemd, from 0 to 10."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", UNIT],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
