# SPDX-License-Identifier: MIT
"""The processes of a benchmark: each knows its command line, its files, when it is ready and what it has used."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

BENCH_FUNCTION = "bench"
ANSWER = b"3"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
TICK = 1 / os.sysconf("SC_CLK_TCK")


class CannotMeasure(Exception):
    """A process did not start, died, or did not do the work; the message says what to look at."""


def free_ports(count):
    with contextlib.ExitStack() as stack:  # all are bound at once, so that no port is there twice
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def free_port():
    return free_ports(1)[0]


def wait_until(what, condition, timeout, every=0.005):
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise CannotMeasure(f"waited {timeout:g} s in vain until {what}")
        time.sleep(every)
    return value


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def listens_unix(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        return sock.connect_ex(str(path)) == 0


def machine_cpu():
    """CPU seconds that everything on this machine has used."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK


def die_with_parent():
    """Runs in the child: nothing is left running, even if this program is killed outright."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child process, its output in `directory`/`name`.out. Use as a context manager: leaving it ends the child."""

    def __init__(self, name, directory, command):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.command = [str(part) for part in command]
        self.child = None

    def __enter__(self):
        self.output = self.directory / f"{self.name}.out"
        with open(self.output, "wb") as out:
            self.started = time.monotonic()
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          preexec_fn=die_with_parent)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_ready(self):
        pass

    def check_alive(self):
        if self.child.poll() is not None:
            tail = self.output.read_text(errors="replace")[-500:]
            raise CannotMeasure(f"{self.name} ended with status {self.child.returncode}: {tail}")

    def stop(self, grace=5):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(grace)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def cpu(self):
        """CPU seconds, user and system, of all its threads so far, to the nanosecond: its CPU-time clock (see
        clock_getcpuclockid(3)), which unlike /proc/PID/schedstat knows more than the first thread."""
        return time.clock_gettime(~self.child.pid << 3 | 2)

    def status(self, *fields):
        """Numbers out of /proc/PID/status; sizes in kB."""
        with open(f"/proc/{self.child.pid}/status") as f:
            values = dict(line.split(":", 1) for line in f)
        return [int(values[field].split()[0]) for field in fields]

    def connections(self):
        """How many TCP connections it has."""
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        established = {f"socket:[{row[9]}]" for row in rows if row[3] == "01"}
        with os.scandir(f"/proc/{self.child.pid}/fd") as entries:
            return len(established & {os.readlink(entry.path) for entry in entries})


class Family(Process):
    """A process that has others do the work."""

    def members(self):
        """Process ids, its own first."""
        found = [self.child.pid]
        for pid in found:
            try:
                found += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except FileNotFoundError:
                pass
        return found

    def cpu(self):
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.members())

    def status(self, *fields):
        """Sums. What they share of their memory counts once, so that it is the memory in use now, not the peak."""
        sums = dict.fromkeys(fields, 0)
        for pid in self.members():
            for field in fields:
                of_memory = field.startswith("Vm")
                path = f"/proc/{pid}/smaps_rollup" if of_memory else f"/proc/{pid}/status"
                with open(path) as f:
                    values = dict(line.split(":", 1) for line in f if ":" in line)
                sums[field] += int(values["Pss" if of_memory else field].split()[0])
        return list(sums.values())


# Debian's, or the one that the variable names. The Perl server's program has the same name, in another folder.
GEARMAND = os.environ.get("GEARMAND", "/usr/sbin/gearmand")


class Gearmand(Process):
    """`buckets`: its default of 991 makes it the bottleneck once many jobs wait; None leaves it at that."""

    def __init__(self, directory, number=0, buckets=1000003):
        self.port = free_port()
        name = f"gearmand-{number}"
        table = [f"--hashtable-buckets={buckets}"] if buckets else []
        super().__init__(name, directory, [
            GEARMAND, "--listen=127.0.0.1", f"--port={self.port}", *table,
            f"--log-file={directory}/{name}.log", f"--pid-file={directory}/{name}.pid"])

    def wait_ready(self):
        wait_until("gearmand listens", lambda: (self.check_alive(), listens(self.port))[1], 10)

    def stop(self, grace=1):
        super().stop(grace)


class Nginx(Process):
    """One process that answers every request with the same JSON, at /job at once and at the others of PATHS after as
    many seconds, and counts requests. It listens on as many ports as it is told."""

    PATHS = {"/job": 0, "/after-100ms": 0.1, "/after-2s": 2}
    MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"

    def __init__(self, directory, ports=1):
        self.ports = free_ports(ports)
        self.port = self.ports[0]
        self.config = pathlib.Path(directory) / "nginx.conf"
        super().__init__("nginx", directory, ["nginx", "-p", directory, "-c", self.config, "-e", "nginx.err"])

    def __enter__(self):
        temp_paths = "\n".join(f"  {name}_temp_path {self.directory}/nginx-{name};"
                               for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        answer = f'{{"gearman_ret":0,"response_string":"{ANSWER.decode()}"}}'
        slow = "\n".join(f"    location = {path} {{ echo_sleep {seconds}; echo_exec /job; }}"
                         for path, seconds in self.PATHS.items() if seconds and os.path.exists(self.MODULE))
        listen = "\n".join(f"    listen 127.0.0.1:{port} backlog=4096;" for port in self.ports)
        self.config.write_text(f"""
{f"load_module {self.MODULE};" if slow else ""}
daemon off;
master_process off;
pid {self.directory}/nginx.pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
{temp_paths}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_max_body_size 0;
  server {{
{listen}
    default_type application/json;
    location = /job {{ return 200 '{answer}'; }}
{slow}
    location = /status {{ stub_status; }}
  }}
}}
""")
        return super().__enter__()

    def wait_ready(self):
        wait_until("nginx listens", lambda: (self.check_alive(), listens(self.port))[1], 10)

    def uri(self, path="/job"):
        return f"http://127.0.0.1:{self.port}{path}"

    def uris(self, count):
        """Of the first `count` ports: so many backends."""
        return [f"http://127.0.0.1:{port}/job" for port in self.ports[:count]]

    def cpu_by_name(self):
        """CPU seconds of each program that the endpoint consists of."""
        return {"nginx": self.cpu()}

    def requests(self):
        """Requests served so far, this question included."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            text = b""
            while data := s.recv(4096):
                text += data
        return int(text.decode().split("requests\n")[1].split()[2])
