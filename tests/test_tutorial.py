# SPDX-License-Identifier: MIT
"""The documents that a reader follows step by step are run as they are, with a real gearmand and php-fpm.

The blocks of a document are taken in order. A block with a name behind its language (```php job.php) is the file of that name,
```sh has commands, and ```text is everything that the commands since the last such block print; … stands for text that differs.
Other blocks are not run. Several spaces count as one, because the widths of columns depend on their texts."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from driveshaft import binary
from processes import free_port, wait_until
from servers import accepts

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<name>[\w.-]+))?\n(?P<text>.*?)^```$", re.M | re.S)
PATIENCE = 90  # seconds for one block

# The page is at another port here, but these commands use 8888 by default.
WRAPPER = """#!/bin/sh
case $1 in
  status | top | jobs | failures) exec {program} "$@" --url 127.0.0.1:{port} ;;
  *) exec {program} "$@" ;;
esac
"""


def blocks(document):
    """The blocks of a document: (language, name of a file or None, text)."""
    return [(found["language"], found["name"], found["text"]) for found in BLOCK.finditer(document)]


def matches(expected, printed):
    """Compares the texts line by line. … stands for any text within a line."""
    def words(line):
        return " ".join(line.split())
    expected, printed = ([words(line) for line in text.strip("\n").split("\n")] for text in (expected, printed))
    return len(expected) == len(printed) and all(
        re.fullmatch(".*".join(map(re.escape, line.split("…"))), other) for line, other in zip(expected, printed))


class Reader:
    """Follows documents in a separate folder, as a user who is not root. `places` maps folders and ports in the documents to
    those that are used here."""

    def __init__(self, folder, ports, home):
        self.folder, self.home = folder, folder / home
        self.places = {f"/tmp/{home}": str(self.home), f"%2Ftmp%2F{home}": str(self.home).replace("/", "%2F"),
                       **{port: str(free_port()) for port in ports}}
        programs = folder / "programs"
        programs.mkdir()
        shutil.copy(binary(), programs / "driveshaft-itself")
        wrapper = programs / "driveshaft"
        wrapper.write_text(WRAPPER.format(program=programs / "driveshaft-itself", port=self.places.get("8888", 8888)))
        wrapper.chmod(0o755)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        self.shell = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}, start_new_session=True, **nobody)
        self.printed = ""

    def here(self, text):
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def follow(self, document):
        for language, name, text in blocks(document):
            text = self.here(text)
            if name:
                self.write(name, text)
            elif language == "sh":
                self.run(text)
            elif language == "text":
                assert matches(text, self.printed), f"the document says\n{text}\nand this was printed\n{self.printed}"
                self.printed = ""

    def write(self, name, text):
        fresh = self.home / f"{name}.new"
        fresh.write_text(text)
        fresh.replace(self.home / name)

    def run(self, commands):
        """Runs the commands of a block, which all have to succeed. Then it waits until what they have started in the background
        is ready, as it would be for a person."""
        self.shell.stdin.write(f"set -e\n{commands}\nset +e\necho; echo '--- done'\n".encode())
        self.shell.stdin.flush()
        timer = subprocess.Popen(["sh", "-c", f"sleep {PATIENCE}; kill -KILL -{self.shell.pid}"], start_new_session=True)
        while (line := self.shell.stdout.readline().decode()) != "--- done\n":
            assert line, f"these commands failed, or took longer than {PATIENCE} s:\n{commands}\nThey printed\n{self.printed}"
            self.printed += line
        self.printed = self.printed.removesuffix("\n")
        os.killpg(timer.pid, signal.SIGKILL)
        timer.wait()
        if "--check" in commands:
            return
        for port in re.findall(r"(?:--port |--exporter_addr 127.0.0.1:|php -S 127.0.0.1:|endpoint\.\w+ )(\d+)", commands):
            wait_until(lambda: accepts("127.0.0.1", int(port)), f"port {port} is served after\n{commands}")

    def end(self):
        """Ends all processes, even after a failure. Daemons are not in the session any more, but their pids are in files."""
        for file in self.folder.rglob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (ValueError, OSError):
                pass
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()


@pytest.fixture
def reader():
    """Makes a Reader for the ports and the folder that a document names."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        readers = []

        def begin(*ports, home):
            os.chmod(folder, 0o777)  # for the user that is not root
            readers.append(Reader(Path(folder), ports, home))
            return readers[-1]
        yield begin
        for one in readers:
            one.end()


def test_what_a_document_says_is_held_against_what_is_printed():
    assert matches("AGO  POOL\n…  P\n", "AGO    POOL\n1.2s   P\n")
    assert matches("took … ms, …\n", "took 3 ms, well\n")
    assert not matches("one\n", "one\ntwo\n")
    assert not matches("3 of 3\n", "2 of 3\n")
    assert not matches("a.c\n", "abc\n")


@pytest.mark.slow
@pytest.mark.once
def test_the_tutorial_works_as_it_stands(reader):
    follower = reader("4731", "8888", home="driveshaft-tutorial")
    follower.follow((DOCS / "tutorial.md").read_text())
    assert not follower.home.exists(), "it cleans up"


@pytest.mark.once
def test_the_endpoints_in_other_languages_work_as_they_stand(reader):
    follower = reader("4732", "8001", "8002", home="driveshaft-endpoints")
    follower.follow((DOCS / "guides/endpoints.md").read_text())
    assert not follower.home.exists(), "it cleans up"


@pytest.mark.once
def test_functions_of_old_workers_run_as_the_guide_says(reader):
    follower = reader("8003", home="driveshaft-moving")
    follower.follow((DOCS / "guides/moving.md").read_text())
    assert not follower.home.exists(), "it cleans up"


@pytest.mark.once
@pytest.mark.parametrize("document", ["tutorial.md", "guides/endpoints.md", "guides/moving.md"])
def test_what_is_to_be_saved_is_said_with_its_name(document):
    text = (DOCS / document).read_text()
    for name in {name for _, name, _ in blocks(text) if name}:
        assert re.search(rf"[Ss]ave[^.]*`{re.escape(name)}`", text), f"a reader is not told to save {name}"
