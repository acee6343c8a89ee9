# SPDX-License-Identifier: MIT
"""A daemon with more pools than a screen shows, some of them in trouble."""
import api
from behaviours import reverse
from clients import Client
from driveshaft import jobs_file, pool

NAMES = [f"Pool-{i:02}" for i in range(1, 50)] + ["Pool-50-with-a-name-that-is-wider-than-its-column"]
IN_TROUBLE = NAMES[38:]
OTHERS = NAMES[:38]


def start(rig):
    """Starts and returns the daemon. The endpoint of the pools in trouble cannot be reached, and each holds the one job of its
    queue."""
    server = rig.gearmand()
    good, gone = rig.endpoint(reverse), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {
        name: pool((gone if name in IN_TROUBLE else good).uri(f"/{name.lower()}.php"), [f"f-{name}"], 1) for name in NAMES}))
    gone.stop()
    with Client(server) as client:
        for name in IN_TROUBLE:
            client.submit_background(f"f-{name}", "x")
    api.wait_for_status(daemon, lambda status: len(status["problems"]) == len(IN_TROUBLE) and
                        all("1 job is held)" in problem["text"] for problem in status["problems"]), "they are known to be down")
    return server, daemon
