#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the README: the page and `driveshaft top`, of a real daemon at work. ./dev screenshots runs it.

Writes overview.png, pool.png and top.png to the folder that is named, docs/images by default."""
import fcntl
import html
import os
import pty
import random
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from behaviours import answer, contract
from browser import Browser, missing
from clients import Client
from conftest import Rig
from driveshaft import binary, jobs_file, pool

WORK_FOR = 75  # seconds; after that the charts have enough points
COLORS = {"31": "#ff8d87", "32": "#5fd38a", "33": "#e8b84a", "1": "bold", "2": "#a3adba"}


def work(mean):
    """A behaviour whose time varies around `mean` seconds, and that fails now and then."""
    def behave(request, sock):
        time.sleep(min(random.expovariate(1 / mean), 8 * mean))
        luck = random.random()
        if luck < 0.004:
            return answer(b"<b>Fatal error</b>: Allowed memory size exhausted", status="500 Internal Server Error")(request, sock)
        return answer(contract("no such order", 3) if luck < 0.01 else contract())(request, sock)
    return behave


def submit(servers, stopping):
    clients = [Client(server) for server in servers]
    began = time.monotonic()
    while not stopping.is_set():
        tide = 1 + 0.7 * ((time.monotonic() - began) % 40 > 20)
        for client in clients:
            for function, share in (("resize", 1.6), ("mail", 1.0), ("index", 0.6), ("invoice", 0.13), ("report", 0.012)):
                for _ in range(int(share * tide + random.random())):
                    client.submit_background(function, b"{}", unique=os.urandom(6).hex().encode())
        stopping.wait(0.05)


def terminal_screen(address, columns=142, rows=13):
    """The screen of `driveshaft top` after a while."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = subprocess.Popen([binary(), "top", address], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    written = b""
    until = time.monotonic() + 25
    while time.monotonic() < until:
        written += os.read(master, 65536)
    child.terminate()
    child.wait()
    whole = [screen for screen in written.split(b"\x1b[H")[1:] if screen.endswith(b"\x1b[?25l")]
    return whole[-1].decode().replace("\r", "")


def as_page(screen):
    """A terminal's screen as an HTML page."""
    text = ""
    for part in re.split(r"(\x1b\[[\d;?]*[a-zA-Z])", screen):
        code = re.fullmatch(r"\x1b\[(\d+)m", part)
        if code and code[1] == "0":
            text += "</span>"
        elif code:
            style = COLORS[code[1]]
            text += f'<span style="{"font-weight:700" if style == "bold" else f"color:{style}"}">'
        elif not part.startswith("\x1b"):
            text += html.escape(part)
    return ('<!doctype html><meta charset="utf-8"><body style="margin:0;background:#12161c"><pre style="margin:0;padding:18px 20px;'
            f'width:max-content;color:#e7eaef;font:14px/1.5 DejaVu Sans Mono,monospace">{text.rstrip()}</pre>')


def main(folder):
    if missing():
        sys.exit(f"{missing()}: ./dev screenshots installs it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(Path(directory))
        stopping = threading.Event()
        with open(Path(directory) / "browser.log", "wb") as log:
            browser = Browser(log)
            try:
                servers = [rig.gearmand("one"), rig.gearmand("two")]
                pools = {"Images": pool(rig.endpoint(work(0.09)).uri("/resize.php"), ["resize"], 12),
                         "Regular": pool(rig.endpoint(work(0.05)).uri("/job.php"), ["mail", "index", "invoice"], 10),
                         "Reports": pool(rig.endpoint(work(2.5)).uri("/report.php"), ["report"], 3)}
                daemon = rig.driveshaft(jobs_file(servers, pools))
                daemon.expect_failed_jobs()
                threading.Thread(target=submit, args=[servers, stopping], daemon=True).start()
                time.sleep(WORK_FOR)
                screen = terminal_screen(f"127.0.0.1:{daemon.port}")
                for name, path, scheme, height in (("overview", "/", "light", 640), ("pool", "/#/pool/Regular", "dark", 900)):
                    browser.open_page(daemon, path, width=1200, height=height, scheme=scheme)
                    browser.has("() => document.querySelectorAll('canvas').length > 2", "charts are drawn")
                    time.sleep(3)
                    browser.screenshot(path=str(folder / f"{name}.png"), full=False)
                page = Path(directory) / "top.html"
                page.write_text(as_page(screen))
                browser.open(url=page.as_uri(), width=1240, height=300)
                browser.screenshot(path=str(folder / "top.png"), full=True)
            finally:
                stopping.set()
                browser.close()
                rig.failed = True  # the rig does not check the logs
                rig.end()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs" / "images"))
