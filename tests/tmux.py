# SPDX-License-Identifier: MIT
"""A real terminal: a program runs in tmux, and its screen can be read as text."""
import os
import pty
import subprocess
import tempfile
from pathlib import Path

import pytest

from processes import wait_until


class Tmux:
    """One program in a separate tmux server. tmux shows no line of its own, and passes the key Escape on at once."""

    def __init__(self, *argv, columns=80, rows=24):
        try:
            for end in pty.openpty():
                os.close(end)
        except OSError as error:
            pytest.skip(f"this machine gives out no terminals: {error}")
        self._directory = tempfile.TemporaryDirectory()  # the path of a socket has to be short
        folder = Path(self._directory.name)
        (folder / "tmux.conf").write_text("set -g status off\nset -s escape-time 0\n")
        self._command = ["tmux", "-u", "-S", folder / "socket", "-f", folder / "tmux.conf"]
        self._env = {**{name: value for name, value in os.environ.items() if name != "TMUX"}, "LC_ALL": "C.UTF-8"}
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "--", *argv)

    def lines(self):
        """The lines of the screen now."""
        return self._tmux("capture-pane", "-p").splitlines()

    def shows(self, holds, what):
        """Waits until `holds` is true of the lines of the screen, and returns the lines."""
        shown = []

        def fits():
            shown[:] = self.lines()
            return holds(shown)
        try:
            wait_until(fits, what)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *shown])) from None
        return shown

    def has(self, text):
        """Waits until a line of the screen contains the text, and returns the lines."""
        return self.shows(lambda lines: any(text in line for line in lines), f"the terminal shows {text!r}")

    def press(self, *keys):
        """Presses keys, given by their names in tmux: Up, PageDown, Escape, q …"""
        self._tmux("send-keys", *keys)

    def type(self, text):
        self._tmux("send-keys", "-l", text)

    def resize(self, columns, rows=24):
        self._tmux("resize-window", "-x", columns, "-y", rows)

    def running(self):
        return self._run("has-session").returncode == 0

    def close(self):
        self._run("kill-server")
        self._directory.cleanup()

    def _run(self, *words):
        return subprocess.run([*map(str, self._command), *map(str, words)], env=self._env, capture_output=True,
                              text=True, timeout=20)

    def _tmux(self, *words):
        done = self._run(*words)
        assert done.returncode == 0, f"tmux {words}: {done.stderr}"
        return done.stdout
