# SPDX-License-Identifier: MIT
"""Child processes that are ended with their test, free ports, and waiting without fixed sleeps."""
import contextlib
import errno
import functools
import itertools
import os
import random
import signal
import socket
import subprocess
import time


def wait_until(predicate, what, timeout=20.0, at_first=0.01):
    """Calls `predicate` until its value is true, and returns the value. Fails with `what` after `timeout` seconds. Between two
    calls it pauses, `at_first` seconds and later up to 0.1: other tests run at the same time, and each call costs CPU."""
    began = time.monotonic()
    while True:
        waited = time.monotonic() - began
        value = predicate()
        if value:
            return value
        assert waited <= timeout, f"did not happen within {timeout} s: {what}"
        time.sleep(min(max(waited / 10, at_first), 0.1))


def let_pass(seconds):
    """Lets real time pass, to test that something happens or does not happen during this time. To wait for an event use
    wait_until()."""
    time.sleep(seconds)


class HangingFile:
    """Replaces a file by a FIFO, which behaves like a file on a file system that hangs: a process that opens or reads it waits
    until release() is called. After that it reads an empty file."""

    def __init__(self, path):
        self.path = path
        self.writer = None
        fifo = f"{path}.fifo"
        os.mkfifo(fifo)
        os.replace(fifo, path)

    def wait_until_opened(self, what):
        wait_until(self._open, what)

    def release(self):
        os.close(self.writer)

    def _open(self):
        try:
            self.writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # ENXIO: no process has opened it for reading yet
                raise
        return self.writer is not None


# The ports of the tests are divided into so many sets. Each process that needs ports has one, also when several runs of the
# tests go on at once.
PORT_SETS = 16


def _take_port_set():
    """Returns the number of a set that no other process has, and the lock on it, which ends with this process. The lock is the
    name of an abstract socket, because those are divided as ports are: by network namespace, not by file system."""
    for number in range(PORT_SETS):
        lock = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            lock.bind(f"\0driveshaft-tests-ports-{number}")
            return number, lock
        lock.close()
    raise RuntimeError(f"{PORT_SETS} processes run tests of driveshaft already: start this one when one of them has ended")


@functools.cache
def _own_ports():
    number, lock = _take_port_set()
    ports = range(10000 + number, 32000, PORT_SETS)
    return itertools.cycle(random.sample(ports, len(ports))), lock


def free_port():
    """A port on which nothing listens, neither by IPv4 nor by IPv6. It stays free while a server is down between a kill and a
    restart: it is below the range of outgoing connections, it is returned again only after all other ports, and no other
    process that runs tests uses it."""
    for port in _own_ports()[0]:
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                probe.bind(("::", port))
            except OSError:
                continue
        return port


class Adopted:
    """A child process that this process did not start itself. It has the parts of subprocess.Popen that are used here."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self):
        while self.poll() is None:
            time.sleep(0.01)
        return self.returncode


def wait_for_end(child, timeout=20.0):
    """Waits for the end of a Popen or Adopted; returns its exit code."""
    wait_until(lambda: child.poll() is not None, f"process {child.pid} ends", timeout)
    return child.returncode


class Process:
    """A child process in its own process group. Its output goes to `log_path`. It may be started again after its end; the
    new output is appended."""

    def __init__(self, name, directory, argv, env=None):
        self.name = name
        self.directory = directory
        self.argv = [str(word) for word in argv]
        self.env = env or {}
        self.log_path = directory / f"{name}.log"
        self.child = None
        self.group = None

    def start(self):
        assert not self.running(), f"{self.name} runs already"
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          cwd=self.directory, env={**os.environ, **self.env},
                                          start_new_session=True)
        self.group = self.child.pid
        return self

    def follow(self, pid):
        """From now on this object stands for the process `pid`: a child of ours in the same group, which the old process has
        started as its successor. Returns the old process, for wait_for_end()."""
        before, self.child = self.child, Adopted(pid)
        return before

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.returncode is None and not self._has_ended()

    def send(self, number):
        """Sends a signal. After SIGSTOP, this waits until each thread of the process has stopped."""
        os.kill(self.pid, number)
        if number == signal.SIGSTOP:
            wait_until(lambda: self.thread_states() <= {"T"}, f"{self.name} has stopped", 10, 0.001)

    def thread_states(self):
        states = set()
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{self.pid}/task/{task}/stat") as stat:
                states.add(stat.read().rpartition(")")[2].split()[0])
        return states

    def send_to_all(self, number):
        """Sends a signal to the process group."""
        os.killpg(self.group, number)

    def children(self):
        """The ids of the processes that this process has started and that have not ended."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            return {int(number) for number in children.read().split()}

    def wait(self, timeout=20.0):
        """Waits for the end of the process, then kills the rest of its process group. Returns the exit code."""
        if self.child.returncode is None:
            wait_until(self._has_ended, f"{self.name} ends", timeout)
            # The leader is not reaped yet, so no other group can have its id.
            os.killpg(self.group, signal.SIGKILL)
            self.child.wait()
        return self.child.returncode

    def stop(self, timeout=10.0):
        """Sends SIGTERM, and returns the exit code, or None if the process was not running. If the process does not end within
        `timeout`, it is killed, and this fails."""
        if not self.running():
            return self.wait() if self.child and self.child.returncode is None else None
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        if self.child is not None and self.child.returncode is None:
            os.killpg(self.group, signal.SIGKILL)
            self.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def cpu_seconds(self):
        """User and system time of all threads of the process so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, field="VmRSS"):
        """Bytes of resident memory now, or with the field "VmHWM" at most so far."""
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise KeyError(field)

    def _has_ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
