# SPDX-License-Identifier: MIT
"""The images, run as compose.yaml says: `./dev image test` builds them and runs this."""
import json
import os
import signal
import types
import urllib.error
import urllib.request

import pytest

from behaviours import Gate
from clients import Client, complete
from containers import BASE, SERVICES, Container, buildah
from fakes import FakeEndpoint
from processes import wait_until
from servers import accepts

GEARMAND = types.SimpleNamespace(host="127.0.0.1", port=4730)


def get(path, port=8888):
    """(status, body) of a page of the daemon; status 0 when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def daemon_of(port=8888):
    """The process id of the daemon."""
    return json.loads(get("/api/v1/status", port)[1])["daemon"]["pid"]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Starts containers, and ends them with the module, the first one last."""
    containers = []

    def start(service, **options):
        containers.append(Container(tmp_path_factory.mktemp(service), service, **options))
        return containers[-1].start()
    yield start
    for container in reversed(containers):
        container.send_all(signal.SIGKILL)
        container.wait()


@pytest.fixture(scope="module")
def gearmand(started):
    gearmand = started("gearmand")
    wait_until(lambda: accepts("127.0.0.1", 4730), "gearmand listens", 60)
    return gearmand


@pytest.fixture(scope="module")
def driveshaft(started, gearmand):
    """The daemon of compose.yaml, between its gearmand and its endpoint."""
    endpoint = started("endpoint")
    wait_until(lambda: accepts("127.0.0.1", 9000) or not endpoint.running(), "php-fpm listens", 60)
    assert endpoint.running(), endpoint.log()
    container = started("driveshaft")
    wait_until(lambda: get("/readyz")[0] == 200 or not container.running(), "it is ready", 60)
    assert container.running(), container.log()
    return container


def health(container):
    """Runs the health check of its image, and returns the exit code."""
    kind, *words = container.settings["Healthcheck"]["Test"]
    assert kind == "CMD"
    return container.run(*words)


def test_jobs_of_the_client_show_on_the_page(started, driveshaft):
    client = started("client")
    wait_until(lambda: json.loads(get("/api/v1/pools/Demo")[1])["total"]["completed"] >= 200, "two bursts of jobs", 60)
    assert "100 of 100 results right" in client.log()
    status, page = get("/")
    assert status == 200 and "<title>" in page
    status = json.loads(get("/api/v1/status")[1])
    assert status["well"], status["problems"]
    assert health(driveshaft) == 0


def test_gearmand_is_well_too(gearmand):
    assert health(gearmand) == 0


def test_it_runs_as_nobody_and_writes_nothing(driveshaft):
    pid = daemon_of()
    assert pid in driveshaft.processes()
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status") if ":\t" in line)
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    root = next(line for line in open(f"/proc/{pid}/mountinfo") if line.split()[4] == "/")
    assert "ro" in root.split()[5].split(",")


def test_the_log_is_on_stdout(driveshaft):
    wait_until(lambda: "Finished job" in driveshaft.log_path.read_text(), "lines of jobs")
    assert "Finished job" not in driveshaft.stderr_path.read_text()


def test_it_has_nothing_to_build_with_and_is_small(driveshaft):
    folders = [driveshaft.root / folder for folder in ("usr/bin", "usr/local/bin")]
    assert not {path.name for folder in folders for path in folder.iterdir()} & {"cc", "c++", "gcc", "g++", "cmake", "ninja", "make"}
    assert not list((driveshaft.root / "usr/include").glob("*")) and not list((driveshaft.root / "var/lib/apt/lists").glob("*_*"))
    assert (driveshaft.root / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000
    base = buildah("mount", buildah("from", "--pull-never", BASE))
    added = size(driveshaft.root) - size(base)
    print(f"{added / 1e6:.1f} MB over the base")
    assert added < 40e6


def size(root):
    """Bytes in its files, each counted once; of apt's lists and caches a base may have any."""
    seen = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not os.path.join(folder, name).endswith(("/var/lib/apt", "/var/cache"))]
        for name in names:
            stat = os.lstat(os.path.join(folder, name))
            seen[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(seen.values())


def test_sigterm_drains(started, gearmand, tmp_path):
    """With a jobs file and options of its own, beside the other."""
    tmp_path.chmod(0o755)  # for the user of the image
    gate = Gate()
    endpoint = FakeEndpoint(gate).start()
    (tmp_path / "jobs.json").write_text(json.dumps({"gearman_servers_list": ["gearmand"], "pools_list": {"Slow": {
        "job_processing_uri": endpoint.uri(), "worker_count": 1, "jobs_list": ["Slow"]}}}))
    container = started("driveshaft", name="draining", volumes={"/etc/driveshaft": tmp_path}, command=[
        *SERVICES["driveshaft"]["command"], "--exporter_addr", "0.0.0.0:8889"])
    wait_until(lambda: get("/readyz", 8889)[0] == 200 or not container.running(), "it is ready", 60)
    assert container.running(), container.log()
    with Client(GEARMAND) as client:
        running, waiting = client.submit("Slow"), client.submit("Slow")
        wait_until(lambda: endpoint.running == 1, "the job runs")
        os.kill(daemon_of(8889), signal.SIGTERM)
        wait_until(lambda: json.loads(get("/api/v1/status", 8889)[1])["daemon"]["state"] == "draining", "it drains")
        gate.open()
        assert client.result(running) == complete("done")
        assert client.job_status(waiting)[:2] == (True, False)
    assert container.wait() == 0
    endpoint.stop()


def test_the_health_check_fails_without_gearmand(driveshaft, gearmand):
    """The last one: gearmand does not come back."""
    gearmand.send_all(signal.SIGTERM)
    wait_until(lambda: get("/readyz")[0] == 503, "it is not ready")
    wait_until(lambda: health(driveshaft) == 8, "the health check sees it, as of the last second")
    assert get("/healthz")[0] == 200, "which restarts nothing"
