# SPDX-License-Identifier: MIT
"""A job that needs more memory than there is costs that job, not the daemon. Each large allocation of a job's way fails
once: what it takes to receive, encode, send, decode and answer it."""
import subprocess
from pathlib import Path

import pytest

from behaviours import answer, contract
from clients import Client, complete
from driveshaft import jobs_file, pool

pytestmark = pytest.mark.once

BIG = 3 << 20  # bytes: buffers of this size are allocated anew for each job
SOURCE = Path(__file__).parent / "failing_malloc.c"


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory):
    library = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
    return library


class Failing:
    """Fails the n-th large allocation of a daemon that was started with `env`."""

    def __init__(self, library, directory):
        self.file = directory / "fail"
        self.file.write_text("0       ")
        self.env = {"LD_PRELOAD": str(library), "FAIL_FILE": str(self.file)}

    def at(self, number):
        self.file.write_text(f"{number:<8}")

    def has_failed(self):
        return self.file.read_text().strip() == "0"


@pytest.mark.parametrize("settings", [
    {"request_format": "json"},
    {"request_format": "multipart"},
    {"request_format": "urlencoded"},
    {"request_format": "json", "failure_text": "warning", "dead_letter_function": "letters"},
], ids=["json", "multipart", "urlencoded", "with a dead letter"])
@pytest.mark.parametrize("gearman_ret", [0, 1], ids=["success", "failure"])
def test_each_large_allocation_of_a_job_may_fail(rig, tmp_path, failing_malloc, settings, gearman_ret):
    failing = Failing(failing_malloc, tmp_path)
    text = "é\\" * (BIG // 3)
    endpoint = rig.endpoint(answer(contract(text, gearman_ret)))
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], 2, **settings)}),
                            env=failing.env)
    daemon.expect_failed_jobs()
    daemon.expect_errors("memory")
    good = complete(text.encode())
    workload = "\"ü" * (BIG // 3)
    failures = 0
    with Client(server) as client:
        for number in range(1, 60):
            failing.at(number)
            result = client.run("f", workload)
            reached = failing.has_failed()
            failing.at(0)
            assert result == good or result.kind != "complete", number
            failures += result != good
            after = client.run("f", "small")
            assert (after == good) == (gearman_ret == 0), f"the job after the {number}th allocation: {after.kind}"
            if not reached:
                break
        else:
            raise AssertionError("a job has no end of allocations")
    assert number > 3
    if gearman_ret == 0:
        assert failures > 0
