# SPDX-License-Identifier: MIT
"""Containers run by buildah, as compose.yaml describes them. There is no process-id namespace: what runs in a container is
seen from here, and all containers share this network, in which each service's name is 127.0.0.1."""
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import yaml

from processes import Process

ROOT = Path(__file__).resolve().parent.parent.parent
# The base of all images, in whole, because buildah completes the short name in the Dockerfiles to it.
BASE = "docker.io/library/debian:13-slim"
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def buildah(*words):
    done = subprocess.run(["buildah", *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"buildah {shlex.join(map(str, words))}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def image_of(service):
    """By the name that `./dev image test` has given it."""
    folder = SERVICES[service]["build"]
    return "driveshaft" if folder == "." else Path(folder).name


def image_settings(image):
    """What a Dockerfile says beside its files: User, Cmd, Entrypoint, Healthcheck …"""
    return json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]


def exit_code(stderr):
    """Of a command that Container._argv has run; None if it was killed with its shell."""
    found = re.search(r"^ended with (\d+)$", stderr, re.M)
    return int(found[1]) if found else None


class Container(Process):
    """One service of compose.yaml. `command` and `volumes` ({inside: here}) are the service's unless given. stdout is the
    log; stderr has a file of its own. `run` runs another command in it."""

    def __init__(self, directory, service, name=None, command=None, volumes=None):
        described = SERVICES[service]
        self.settings = image_settings(image_of(service))
        self.container = buildah("from", "--pull-never", *(f"--add-host={other}:127.0.0.1" for other in SERVICES),
                                 image_of(service))
        if volumes is None:
            volumes = {inside: ROOT / here for here, inside, _ in (one.split(":") for one in described.get("volumes", ()))}
        self.root = Path(buildah("mount", self.container))
        if described.get("read_only"):
            self._make_read_only([*volumes, *described.get("tmpfs", ())], described.get("tmpfs", ()))
        self._binds = [f"--volume={here}:{inside}:ro" for inside, here in volumes.items()]
        words = command or described.get("command") or self.settings["Cmd"]
        super().__init__(name or service, directory, self._argv([*(self.settings["Entrypoint"] or ()), *words]))

    def _make_read_only(self, folders, writable):
        """What buildah wants to mount something on must be there before."""
        for folder in folders:
            (self.root / folder[1:]).mkdir(parents=True, exist_ok=True)
        (self.root / "run/.containerenv").touch()
        mount("--bind", self.root, self.root)
        mount("-o", "remount,bind,ro", self.root)
        for folder in writable:
            mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.root / folder[1:])

    def _argv(self, words):
        """The shell tells the exit code of the command: buildah may panic after it, where it cannot tidy up a read-only root."""
        return ["buildah", "run", *self._binds, self.container, "--", "sh", "-c", '"$@"; echo "ended with $?" >&2', "sh", *words]

    def run(self, *words, timeout=60):
        """Runs a command in it, and returns its exit code."""
        return exit_code(subprocess.run(self._argv(words), capture_output=True, text=True, timeout=timeout).stderr)

    def wait(self, timeout=60.0):
        super().wait(timeout)
        return exit_code(self.stderr_path.read_text(errors="replace"))

    def start(self):
        self.stderr_path = self.log_path.with_suffix(".stderr")
        with open(self.log_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self.group = self.child.pid
        return self

    def log(self):
        return super().log() + self.stderr_path.read_text(errors="replace")

    def processes(self):
        """Ids of the processes whose root is the container's."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.path.samefile(entry / "root", self.root):
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended meanwhile
        return sorted(found)

    def send_all(self, number):
        """A signal to each of them; the end of one may be that of the next."""
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
