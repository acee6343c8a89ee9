# SPDX-License-Identifier: MIT
"""Jobs that run all the time while a test does something else."""
import contextlib
import socket
import threading

from clients import Client, complete
from processes import wait_until


class Load:
    """Submits foreground jobs that reverse their text, from a thread, until stop(). `window` jobs are under way at any time.
    `right` counts the correct results, `wrong` has the others, and `error` is the exception that ended the connection."""

    def __init__(self, server, function="reverse", window=20):
        self.function, self.window = function, window
        self.right, self.wrong, self.error = 0, [], None
        self._client = Client(server)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        with contextlib.suppress(OSError):  # this ends the thread if stop() was not called
            self._client.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)

    def stop(self):
        """Waits for the submitted jobs, and returns how many results were right. Fails if one was wrong."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"jobs without a result a minute after the last one of {self.right}"
        assert self.error is None, f"the client: {self.error!r}"
        assert not self.wrong, f"{len(self.wrong)} wrong, {self.right} right: {self.wrong[:3]}"
        return self.right

    def _run(self):
        try:
            with self._client as client:
                expected = {}
                number = 0
                while expected or not self._stopping.is_set():
                    while len(expected) < self.window and not self._stopping.is_set():
                        text = f"{self.function} {number}"
                        expected[client.submit(self.function, text)] = text[::-1]
                        number += 1
                    if expected:
                        handle, result = client.any_result()
                        self._note(result, expected.pop(handle))
        except Exception as error:  # stop() reports it
            self.error = error

    def _note(self, result, text):
        if result == complete(text):
            self.right += 1
        else:
            self.wrong.append((result, text))


@contextlib.contextmanager
def under_load(server, function="reverse", daemon=None):
    """Jobs run before, during and after the block. Fails if one of them does not give the right result."""
    with Load(server, function) as load:
        wait_until(lambda: load.right > 50, "jobs run before the change")
        yield load
        then = load.right
        wait_until(lambda: load.right > then + 50, "jobs run after the change")
        load.stop()
    if daemon:
        assert daemon.metric("driveshaft_errors") == 0
        assert daemon.metric("driveshaft_results_dropped_total") == 0
