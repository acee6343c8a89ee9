# SPDX-License-Identifier: MIT
"""A real systemd that runs as the service manager of a user."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

from processes import Process, wait_until

# systemd checks whether the machine was booted with systemd, and makes cgroups below its own one.
SETUP = """
set -e
for procs; do echo $$ >"$procs"; done
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/systemd/system
exec /lib/systemd/systemd --user --unit=sockets.target
"""
HIERARCHIES = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]


class UserSystemd(Process):
    """systemd with its own cgroups and its own /run, which are gone when it ends. Needs root, and the right to make cgroups."""

    def __init__(self, directory):
        self.home = directory / "systemd"
        (self.home / "run").mkdir(parents=True, mode=0o700)
        self.units = self.home / "config" / "systemd" / "user"
        self.units.mkdir(parents=True)
        self.environment = {"XDG_RUNTIME_DIR": str(self.home / "run"), "XDG_CONFIG_HOME": str(self.home / "config"),
                            "HOME": str(self.home), "SYSTEMD_LOG_TARGET": "console"}
        self.cgroups = [Path(each) / f"driveshaft-test-{os.getpid()}" for each in HIERARCHIES
                        if (Path(each) / "cgroup.procs").exists()]
        procs = [group / "cgroup.procs" for group in self.cgroups]
        super().__init__("systemd", directory, ["unshare", "--mount", "--propagation", "private", "sh", "-c", SETUP, "sh",
                                                *procs], self.environment)
        self.why_not = None

    def start(self):
        if not shutil.which("systemctl"):
            self.why_not = "it has none"
            return self
        try:
            for group in self.cgroups:
                group.mkdir()
        except OSError as error:
            self.why_not = str(error)
            return self
        super().start()
        wait_until(lambda: not self.running() or self.call("show", "--property=Version").returncode == 0, "it answers")
        if not self.cgroups or not self.running():
            self.why_not = self.log().strip()[-300:] or "it ends at once"
        return self

    def stop(self):
        """Ends systemd and all its units with SIGRTMIN+24. Processes that systemd no longer knows are found in its cgroups."""
        if self.running():
            os.kill(self.pid, signal.SIGRTMIN + 24)
            self.wait(60)
        for group in self.cgroups:
            for folder in sorted(group.glob("**/"), reverse=True):
                wait_until(lambda: empty_and_remove(folder), f"{folder} is empty")

    def call(self, *arguments):
        return subprocess.run(["systemctl", "--user", "--no-pager", *arguments], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **self.environment})

    def control(self, *arguments):
        done = self.call(*arguments)
        assert done.returncode == 0, done.stderr + self.log()
        return done.stdout.strip()

    def show(self, unit, name):
        return self.control("show", unit, f"--property={name}", "--value")

    def processes(self, unit):
        """The processes of the service."""
        path = self.show(unit, "ControlGroup")
        for each in HIERARCHIES:
            procs = Path(f"{each}{path}/cgroup.procs")
            if procs.exists():
                return {int(pid) for pid in procs.read_text().split()}
        return set()


def empty_and_remove(folder):
    try:
        for pid in (folder / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # the process has just ended, or is ending
        return False
    return True
