# SPDX-License-Identifier: MIT
"""The programs under comparison. Each is started anew for every measurement, in a directory of its own."""

import json
import pathlib

from processes import BENCH_FUNCTION, CannotMeasure, Process, free_port

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


class Floor:
    """The bare program that the others are held against."""

    def __init__(self, path):
        self.name = "floor"
        self.path = path

    def start(self, directory, gearmand, nginx, slots):
        return Process(self.name, directory, [
            self.path, "--port", gearmand.port, "--http", f"127.0.0.1:{nginx.port}", "--path", "/job",
            "--slots", slots, "--function", BENCH_FUNCTION])

    def check_log(self, directory, jobs):
        pass


class Driveshaft:
    """Any program that takes driveshaft's command line."""

    def __init__(self, name, path, level):
        self.name = name
        self.path = path
        self.level = level

    def start(self, directory, gearmand, nginx, slots):
        directory = pathlib.Path(directory)
        jobs, log = directory / "jobs.json", directory / "log.xml"
        jobs.write_text(json.dumps({
            "gearman_servers_list": [f"127.0.0.1:{gearmand.port}"],
            "pools_list": {"bench": {"job_processing_uri": f"http://127.0.0.1:{nginx.port}/job",
                                     "worker_count": slots, "jobs_list": [BENCH_FUNCTION]}}}))
        log.write_text(LOGCONFIG.format(file=directory / "jobs.log", level=self.level))
        return Process(self.name, directory, [
            self.path, "--jobsconfig", jobs, "--logconfig", log, "--max_running_time", 3600, "--loop_timeout", 10,
            "--exporter_addr", f"127.0.0.1:{free_port()}"])

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
