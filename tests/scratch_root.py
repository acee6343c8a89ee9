# SPDX-License-Identifier: MIT
"""A scratch copy of this machine's root file system: changes there are kept in memory, and are gone when it ends."""
import subprocess
from pathlib import Path

from processes import Process, wait_until

# Packages that are installed there start and stop no services. There is no systemd, because /run is empty.
SETUP = """
set -e
mount -t tmpfs -o mode=755 scratch "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" scratch "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=755 run "$1/root/run"
printf '#!/bin/sh\\nexit 101\\n' >"$1/root/usr/sbin/policy-rc.d"
chmod 755 "$1/root/usr/sbin/policy-rc.d"
[ -x "$1/root/usr/bin/dpkg" ]
echo ready
exec sleep infinity
"""


class ScratchRoot(Process):
    """The mounts are in a namespace of this process, and end with it. Network and process ids are those of the machine. Needs
    root."""

    def __init__(self, directory):
        self.mount_point = directory / "scratch"
        self.mount_point.mkdir()
        super().__init__("scratch-root", directory, ["unshare", "--mount", "--propagation", "private", "sh", "-c", SETUP,
                                                     "sh", self.mount_point])

    def start(self):
        super().start()
        wait_until(lambda: "ready" in self.log() or not self.running(), "the scratch root is there")
        return self

    @property
    def usable(self):
        return self.running()

    def path(self, inside):
        """The path, outside, of a file in the scratch root."""
        return Path(f"/proc/{self.pid}/root{self.mount_point}/root{inside}")

    def run(self, *words, timeout=60, expect=0):
        """Runs a command in the scratch root. Returns its output: stdout and stderr."""
        done = subprocess.run(["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "env", "-i", "DEBIAN_FRONTEND=noninteractive",
                               "LC_ALL=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "chroot", self.mount_point / "root", *map(str, words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
        assert done.returncode == expect, f"{words} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout
