# SPDX-License-Identifier: MIT
"""The jobs file is broken or removed while the daemon runs: nothing changes, the problem is reported, and a valid file is
applied again."""
import copy
import json

import pytest

from clients import complete, run, worker_links
from driveshaft import jobs_file, pool
from load import under_load
from processes import let_pass, wait_until


def start(rig, web):
    """Returns (a gearmand, a driveshaft with one pool, its jobs file to change)."""
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(web.uri(), ["reverse"])})
    daemon = rig.driveshaft(config)
    daemon.expect_errors("^jobs file ")
    return server, daemon, copy.deepcopy(config)


BROKEN = {
    "no JSON": ("{", r"line 1|line 2|JSON"),
    "an empty file": ("", "empty|JSON"),
    "a wrong value": (json.dumps(jobs_file(["localhost"], {"Regular": pool("http://x/", ["reverse"], "ten")})),
                      r'pools_list\.Regular\.worker_count: expected a whole number ≥ 0, got "ten"'),
    "no servers": (json.dumps(jobs_file([], {})), "gearman_servers_list"),
}


@pytest.mark.parametrize("text, shown", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_changes_nothing_and_is_said_loudly(rig, web, text, shown):
    server, daemon, config = start(rig, web)
    with under_load(server, daemon=daemon):
        link = worker_links(server).keys()
        daemon.reload(text, result="rejected")
        assert daemon.wait_for_line(shown, level="ERROR")
        assert worker_links(server).keys() == link
    config["pools_list"]["Regular"]["jobs_list"].append("sum")
    daemon.reload(config)
    assert run(server, "sum", "[1,2]") == complete("3")


def test_every_error_of_a_broken_file_is_logged_at_once(rig, web):
    server, daemon, config = start(rig, web)
    config["pools_list"]["Regular"]["worker_count"] = -1
    config["pools_list"]["Regular"]["job_processing_uri"] = "ftp://x/"
    config["gearman_servers_list"] = ["localhost:99999"]
    daemon.reload(config, result="rejected")
    for place in ("worker_count", "job_processing_uri", r"gearman_servers_list"):
        assert daemon.wait_for_line(place, level="ERROR")


def test_a_file_that_vanishes_changes_nothing(rig, web):
    server, daemon, config = start(rig, web)
    with under_load(server, daemon=daemon):
        daemon.config_path.unlink()
        wait_until(lambda: daemon.lines(str(daemon.config_path), level="ERROR"), "the loss is logged")
    config["pools_list"]["Regular"]["jobs_list"].append("sum")
    daemon.reload(config)
    assert run(server, "sum", "[1,2]") == complete("3")


def test_a_file_that_stays_broken_is_reported_once(rig, web):
    _, daemon, _ = start(rig, web)
    daemon.reload("{", result="rejected")
    daemon.wait_for_line(str(daemon.config_path), level="ERROR")
    errors = len(daemon.lines("", level="ERROR"))
    let_pass(2)  # the daemon looks at the file four times
    assert len(daemon.lines("", level="ERROR")) == errors
