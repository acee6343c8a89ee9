# SPDX-License-Identifier: MIT
"""Fixtures: `rig` starts the servers that a test asks for and ends them all; `web` is PHP behind nginx."""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from driveshaft import Driveshaft, binary, sanitized
from fake_gearmand import FakeGearmand
from fakes import FakeEndpoint, Relay
from servers import Gearmand, PerlGearmand, PhpBuiltin, PhpFpm, PhpFpmNginx

LOG_TAIL = 12_000  # characters of each log shown for a failed test


class Rig:
    """Starts servers for one test. At the end of the test they are stopped, driveshafts first, and the test fails if a log
    of a driveshaft has unexpected lines."""

    def __init__(self, directory):
        self.directory = directory
        self.started = []
        self.failed = False  # set by the report hook below

    def gearmand(self, name="gearmand", **options):
        return self.start(Gearmand(self.directory, name, **options))

    def perl_gearmand(self, name="perl-gearmand", **options):
        return self.start(PerlGearmand(self.directory, name, **options))

    def php(self):
        return self.start(PhpBuiltin(self.directory))

    def php_fpm(self, **options):
        folder = self.directory / f"php-fpm-{len(self.started)}"
        folder.mkdir()
        return self.start(PhpFpm(folder, **options))

    def endpoint(self, behave, **options):
        return self.start(FakeEndpoint(behave, **options))

    def start(self, server):
        self.started.append(server)
        return server.start()

    def relay(self, server, **options):
        return self.start(Relay(server, **options))

    def fake_gearmand(self, **options):
        return self.start(FakeGearmand(**options))

    def driveshaft(self, config, until="/readyz", **options):
        daemon = Driveshaft(self.directory, config, **options)
        self.started.append(daemon)
        return daemon.start(until)

    def end(self):
        problems = []
        daemons = [one for one in self.started if isinstance(one, Driveshaft)]
        for one in daemons + [one for one in self.started if one not in daemons]:
            try:
                code = one.stop()
                if one in daemons and code:
                    problems.append(f"{one.name} ended with exit code {code}")
            except AssertionError as error:
                problems.append(str(error))
        if not self.failed:  # a failed test needs no second reason
            for daemon in daemons:
                problems += [f"{daemon.name} logged: {line}" for line in daemon.unexpected_lines()]
            for one in self.started:
                problems += [f"{one.name}: {error!r}" for error in getattr(one, "errors", [])]
                problems += [f"rule of gearmand broken: {fault}" for fault in getattr(one, "faults", [])]
        assert not problems, "\n".join(problems)


@pytest.fixture
def rig(tmp_path, request):
    rig = Rig(tmp_path)
    request.node.rig = rig
    yield rig
    rig.end()


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    web = PhpFpmNginx(tmp_path_factory.mktemp("web"))
    yield web.start()
    web.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    rig = getattr(item, "rig", None)
    if rig is None or not report.failed:
        return
    rig.failed = True
    for server in rig.started:
        if hasattr(server, "log"):
            report.sections.append((f"log of {server.name}", server.log()[-LOG_TAIL:]))


def pytest_configure():
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx and ip are there; the PATH of Debian's users does not have them
    binary()  # if there is none, the run ends here, with one message


def pytest_collection_modifyitems(config, items):
    if sanitized():
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("once")])
        items[:] = [item for item in items if not item.get_closest_marker("once")]
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
    items[:] = slow_ones_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))


def slow_ones_first(items, workers):
    """Orders the tests so that each parallel worker begins with its share of the slow ones. So the slow tests run beside each
    other and beside the rest. (pytest-xdist first gives each worker a quarter of its tests, in this order.)"""
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    batch = max(len(items) // workers // 4, 2)
    ordered = []
    for worker in range(workers):
        share = slow[worker::workers]
        filling, rest = rest[:max(batch - len(share), 0)], rest[max(batch - len(share), 0):]
        ordered += share + filling
    return ordered + rest


@pytest.fixture
def roots_directory():
    """A directory like /run: it belongs to root, and every user may enter it."""
    directory = Path(tempfile.mkdtemp(prefix="driveshaft-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
