# SPDX-License-Identifier: MIT
"""A fake of systemd for a service of Type=notify: a datagram socket to which the service sends its messages."""
import socket
import struct
import threading
import time

from processes import wait_until


class ServiceManager:
    """Gathers the messages of the daemon: [(moment, {name: value})]. With `deaf` it reads nothing, so its queue fills."""

    def __init__(self, directory, deaf=False):
        self.path = directory / "notify"
        self.told = []
        self.tellers = []  # for each message, the process that sent it
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.settimeout(0.1)
        self.ended = threading.Event()
        self.reader = threading.Thread(target=self._read)
        if not deaf:
            self.reader.start()

    def start(self):
        return self

    def stop(self):
        self.ended.set()
        if self.reader.ident:
            self.reader.join()
        self.socket.close()

    def environment(self, watchdog=None):
        """The environment variables for the daemon. `watchdog` is in seconds."""
        asked = {"NOTIFY_SOCKET": str(self.path)}
        return asked if watchdog is None else {**asked, "WATCHDOG_USEC": str(int(watchdog * 1e6))}

    def all(self, name):
        """All values that came with this name, in order."""
        return [fields[name] for _, fields in list(self.told) if name in fields]

    def wait_for(self, what, holds):
        """Waits for a message of which `holds` is true, and returns it."""
        try:
            return wait_until(lambda: next((fields for _, fields in list(self.told) if holds(fields)), None), what)
        except AssertionError as error:
            raise AssertionError(f"{error}; what was told: {self.told}") from None

    def names(self):
        """The names of the states that the daemon has reported, in order. A state that is reported again is named once."""
        names = [name for _, fields in list(self.told) for name in ("READY", "RELOADING", "STOPPING") if name in fields]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def _read(self):
        while not self.ended.is_set():
            try:
                text, (credentials, *_), _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
            except TimeoutError:
                continue
            self.tellers.append(struct.unpack("iII", credentials[2])[0])
            text = text.decode()
            self.told.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))
