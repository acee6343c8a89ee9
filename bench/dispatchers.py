# SPDX-License-Identifier: MIT
"""The programs under comparison. Each is started anew for every measurement, in a directory of its own."""

import dataclasses
import json
import os
import pathlib
import shutil

from processes import BENCH_FUNCTION, CannotMeasure, Family, Process, free_port

PEERS = pathlib.Path(__file__).resolve().parent / "peers"

LOGCONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="file" class="org.apache.log4j.FileAppender">
    <param name="File" value="{file}"/>
    <param name="BufferedIO" value="true"/>
    <param name="BufferSize" value="65536"/>
    <layout class="org.apache.log4j.PatternLayout">
      <param name="ConversionPattern" value="%d{{ISO8601}} [%t] %-5p %c - %m%n"/>
    </layout>
  </appender>
  <root>
    <priority value="{level}"/>
    <appender-ref ref="file"/>
  </root>
</log4j:configuration>
"""


# Runs a program so many times: $0 COUNT PROGRAM ARGUMENT...
SEVERAL = """count=$1 pids=; shift
while [ "$count" -gt 0 ]; do "$@" & pids="$pids $!"; count=$((count - 1)); done
trap 'kill $pids' TERM
wait; wait"""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a program is to do: jobs of `servers` (a list of Gearmand) go to the endpoint `uri` (for driveshaft, also a list
    of its backends), at most `slots` at once. With several pools, each has its share of the slots, and a function of its
    own; so has each of several processes that share the servers."""
    servers: list
    uri: str
    slots: int
    pools: int = 1
    processes: int = 1

    def functions(self):
        return [BENCH_FUNCTION] if self.pools == 1 else [f"{BENCH_FUNCTION}-{n}" for n in range(self.pools)]


class Program:
    """One of those compared. `level` is that of its log."""

    level = None

    def __init__(self, name, path):
        self.name = name
        self.path = path

    def can(self, scenario):
        """Whether the scenario is one for it."""
        return scenario.servers == scenario.pools == scenario.processes == 1

    def start(self, directory, work):
        """A Process, to be entered."""
        raise NotImplementedError

    def is_complete(self, workers, slots):
        """Whether all of it works, once it has taken a job; `workers`: connections that gearmand knows."""
        return True

    def check_log(self, directory, jobs):
        pass


class Floor(Program):
    """The bare program that the others are held against."""

    def start(self, directory, work):
        host, _, path = work.uri.removeprefix("http://").partition("/")
        return Process(self.name, directory, [
            self.path, "--port", work.servers[0].port, "--http", host, "--path", f"/{path}",
            "--slots", work.slots, "--function", BENCH_FUNCTION])


class Driveshaft(Program):
    """Any program that takes driveshaft's command line."""

    def __init__(self, name, path, level):
        super().__init__(name, path)
        self.level = level

    def can(self, scenario):
        return self.level != "WARN" or scenario.also_at_warn

    def start(self, directory, work):
        directory = pathlib.Path(directory)
        jobs, log = directory / "jobs.json", directory / "log.xml"
        jobs.write_text(json.dumps({
            "gearman_servers_list": [f"127.0.0.1:{server.port}" for server in work.servers],
            "pools_list": {function: {"job_processing_uri": work.uri,
                                      "worker_count": work.slots // work.pools // work.processes,
                                      "jobs_list": [function]} for function in work.functions()}}))
        log.write_text(LOGCONFIG.format(file=directory / "jobs.log", level=self.level))
        command = [self.path, "--jobsconfig", jobs, "--logconfig", log, "--max_running_time", 3600, "--loop_timeout", 10,
                   "--exporter_addr"]
        if work.processes == 1:
            return Process(self.name, directory, [*command, f"127.0.0.1:{free_port()}"])
        return Family(self.name, directory, ["sh", "-c", SEVERAL, "sh", work.processes, *command, "127.0.0.1:0"])

    def check_log(self, directory, jobs):
        """Two lines a job at INFO are part of the work that is compared."""
        log = pathlib.Path(directory) / "jobs.log"
        lines = 0
        if log.exists():
            with open(log, "rb") as f:
                lines = sum(part.count(b"\n") for part in iter(lambda: f.read(1 << 20), b""))
        # A program that had to be killed takes the last buffer with it.
        if self.level == "INFO" and lines < 1.9 * jobs:
            raise CannotMeasure(f"{self.name} wrote {lines} log lines for {jobs} jobs: two a job are expected at INFO")
        if self.level != "INFO" and lines > 1000:
            raise CannotMeasure(f"{self.name} wrote {lines} log lines at {self.level}: it should have been silent")


class Fleet(Program):
    """As many workers as there are slots, each with a job at a time, kept by supervisord: what shops run without a
    dispatcher. `command`(work) is a worker's."""

    LARGEST = 64

    def __init__(self, name, path, command):
        super().__init__(name, path)
        self.command = command

    def can(self, scenario):
        return super().can(scenario) and scenario.slots <= self.LARGEST

    def is_complete(self, workers, slots):
        return workers >= slots

    def start(self, directory, work):
        config = pathlib.Path(directory) / "supervisord.conf"
        command = " ".join(str(part) for part in [self.path, *self.command(work)])
        config.write_text(f"""[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = {directory}/supervisord.pid
{"user = root" if os.geteuid() == 0 else ""}
[program:worker]
command = {command}
process_name = %(program_name)s-%(process_num)d
numprocs = {work.slots}
startsecs = 0
stopsignal = KILL
stdout_logfile = NONE
stderr_logfile = {directory}/%(program_name)s-%(process_num)d.err
""")
        return Family(self.name, directory, [shutil.which("supervisord"), "-c", config])


class Node(Program):
    """One process of Node.js that has all the slots."""

    def can(self, scenario):
        return super().can(scenario) and scenario.slots <= Fleet.LARGEST

    def start(self, directory, work):
        return Process(self.name, directory, [
            "env", f"NODE_PATH={self.path}", "node", PEERS / "worker.mjs", work.servers[0].port, BENCH_FUNCTION,
            work.uri, work.slots])


def peers(built):
    """What a user might run instead. `built` is the directory that has what they need."""
    def worker(work):
        return [work.servers[0].port, BENCH_FUNCTION, work.uri]
    php = shutil.which("php")
    return [Fleet("php", php, lambda work: [PEERS / "worker.php", *worker(work), "a-handle-a-job"]),
            Fleet("php, kept", php, lambda work: [PEERS / "worker.php", *worker(work), "one-handle"]),
            Node("node", built / "node_modules"),
            Fleet("libgearman", built / "libgearman_worker", worker)]
