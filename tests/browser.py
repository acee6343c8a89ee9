# SPDX-License-Identifier: MIT
"""Headless Chromium, driven by playwright-core through browser/bridge.mjs. ./dev installs what that needs into
build/browser."""
import json
import shutil
import subprocess
from pathlib import Path

from processes import wait_until

HERE = Path(__file__).parent
MODULES = HERE.parent / "build" / "browser"


def missing():
    """Why no browser can be started, or None."""
    if not shutil.which("chromium"):
        # Ubuntu has Chromium only as a snap, which ./dev does not install.
        offered = shutil.which("apt-cache") and subprocess.run(["apt-cache", "show", "chromium"], capture_output=True).stdout
        return "no chromium" if offered else "this machine's distribution offers no chromium"
    if not (MODULES / "node_modules" / "playwright-core").is_dir():
        return f"no playwright-core in {MODULES}"
    return None


class Browser:
    def __init__(self, log):
        self.child = subprocess.Popen(["node", HERE / "browser" / "bridge.mjs", MODULES], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=log, text=True)

    def __getattr__(self, command):
        """Each command of the bridge is a method."""
        def call(**options):
            self.child.stdin.write(json.dumps({"command": command, **options}) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
            assert line, f"the browser died at {command}"
            answer = json.loads(line)
            assert "error" not in answer, f"{command} {options}: {answer['error']}"
            return answer["value"]
        return call

    def open_page(self, daemon, path="/", **options):
        self.open(url=f"http://127.0.0.1:{daemon.port}{path}", **options)

    def shows(self, selector, text):
        """Waits until the first element of this selector is visible and contains the text."""
        wait_until(lambda: self.visible(selector=selector) and text in self.text(selector=selector),
                   f"{selector} shows {text!r}")

    def has(self, code, what, argument=None):
        """Waits until a JavaScript function returns true. `what` names the condition in the message of a failure."""
        return wait_until(lambda: self.eval(code=code, argument=argument), what)

    def focused(self):
        return self.eval(code="() => document.activeElement.id || document.activeElement.textContent.trim()")

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
