# SPDX-License-Identifier: MIT
"""A real Prometheus, which scrapes driveshafts, and its `promtool`."""
import json
import subprocess
import urllib.parse
import urllib.request

import yaml

from processes import Process, free_port, wait_until


class Prometheus(Process):
    """Scrapes, and evaluates `rules`, twice a second. If a scrape takes longer, a value is missing: tests wait for values."""

    def __init__(self, directory, daemons, rules=(), name="prometheus", scrape=None):
        self.port = free_port()
        config = directory / f"{name}.yml"
        config.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "driveshaft", **(scrape or {}),
                                "static_configs": [{"targets": [f"127.0.0.1:{one.port}" for one in daemons]}]}],
        }))
        super().__init__(name, directory, [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / name}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])

    def start(self):
        super().start()
        wait_until(self._ready, "prometheus is ready")
        return self

    def api(self, path, **query):
        """The data of an answer of its HTTP API. Fails if the answer is an error."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {query}: {error.read().decode()}") from error

    def query(self, expression):
        """An instant query: [(labels, value)]."""
        return [(sample["metric"], float(sample["value"][1])) for sample in self.api("query", query=expression)["result"]]

    def value(self, expression):
        """The value of the only sample, or None if there is no sample."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def alerts(self):
        """The names of the alerts that fire or are pending."""
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"]}

    def _ready(self):
        assert self.running(), self.log()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


def promtool(*args, cwd=None):
    """Runs promtool, and returns its output. Fails with the output if promtool fails."""
    done = subprocess.run(["promtool", *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
