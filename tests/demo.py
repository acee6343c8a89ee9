#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Real jobs through a real gearmand, driveshaft and the PHP endpoint of examples/: demo.py [--keep]. `./dev demo` runs it.

Everything is private: free loopback ports, files in a temporary folder. All of it ends with the demo; with --keep the demo
goes on until Ctrl-C or SIGTERM.
"""
import argparse
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from conftest import Rig
from driveshaft import jobs_file, pool
from processes import Process, free_port, wait_until
from servers import EXAMPLES_DIR, accepts

SLOTS = 8


def show(*command):
    """Prints a command, runs it, prints its output, and returns that."""
    print(f"\n$ {shlex.join(map(str, command))}", flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    print(done.stdout.rstrip("\n"), flush=True)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}"
    return done.stdout


def demo(rig, keep):
    gearmand = rig.gearmand()
    # PHP's built-in server needs one process for each request at a time, so it gets as many as there are slots.
    port = free_port()
    rig.start(Process("endpoint", rig.directory, ["php", "-S", f"127.0.0.1:{port}", EXAMPLES_DIR / "job.php"],
                      {"PHP_CLI_SERVER_WORKERS": str(SLOTS)}))
    wait_until(lambda: accepts("127.0.0.1", port), "the endpoint accepts connections")
    daemon = rig.driveshaft(jobs_file([gearmand], {
        "Demo": pool(f"http://127.0.0.1:{port}/job.php", ["Sum", "Reverse", "Divide"], SLOTS)}))
    daemon.expect_failed_jobs()
    page = f"http://127.0.0.1:{daemon.port}"
    print(f"\ngearmand    {gearmand.address}\nendpoint    http://127.0.0.1:{port}/job.php, which is examples/job.php\n"
          f"driveshaft  {SLOTS} slots; its page is at {page}/, its metrics at {page}/metrics", flush=True)

    client = ["php", str(EXAMPLES_DIR.relative_to(Path.cwd()) / "client.php"), gearmand.address]
    show(*client)
    show("gearman", "-h", gearmand.host, "-p", str(gearmand.port), "-f", "Reverse", "gearman command line")
    rate = re.search(r"([\d,]+) jobs/s", show(*client, "burst", "2000"))[1]
    # Complete: 2 + 20 jobs of client.php, 1 of gearman, 2,000 of the burst. Failed: the division by zero.
    wait_until(lambda: (daemon.metric("driveshaft_jobs_total", outcome="complete"), daemon.metric("driveshaft_jobs_total")) == (2023, 2024),
               "2,023 successes and 1 failure are in /metrics")
    print(f"\n2,023 jobs succeeded, 1 failed as it was meant to, {rate} jobs/s in the burst", flush=True)
    if keep:
        try:
            print(f"\nIt goes on until Ctrl-C. The page: {page}/    Another job:\n\n"
                  f"    gearman -h {gearmand.host} -p {gearmand.port} -f Reverse 'your text'", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            print()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keep", action="store_true", help="leaves it running until Ctrl-C")
    keep = arguments.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the demo as Ctrl-C does
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(Path(directory))
        try:
            demo(rig, keep)
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            for server in rig.started:
                print(f"--- the end of the log of {server.name}\n{server.log()[-2000:]}", file=sys.stderr)
            sys.exit(f"the demo failed: {error}")
        finally:
            rig.end()


if __name__ == "__main__":
    main()
