# SPDX-License-Identifier: MIT
"""Compares the files for containers with the program: Dockerfile, compose.yaml and packaging/kubernetes may only name ports,
paths, options, keys and metrics that exist. No image is built here; tests/image runs the images."""
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest
import yaml

from behaviours import Gate, reverse
from clients import Client, complete, run
from driveshaft import jobs_file, pool, run_binary
from processes import wait_until
from prometheus import Prometheus, promtool

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / "packaging/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
GOODBYE = 10  # seconds that remain after a drain, as in packaging/driveshaft.service


def options():
    """The options of the command line with their defaults: {"--jobsconfig": None, "--loop_timeout": "10", …}."""
    found = re.findall(r"^  (--\w+)(?: \S+)?(?: \(=(\S+)\))?", run_binary("--help").stdout, re.M)
    return {name: default or None for name, default in found}


def given(arguments):
    """The options in a command line: {"--jobsconfig": "/…"}. Checks that each option exists."""
    words = list(itertools.chain.from_iterable(word.split("=", 1) for word in arguments))
    settings = dict(zip(words[::2], words[1::2], strict=True))
    assert settings.keys() <= options().keys()
    return settings


def port_of_the_page():
    return int(options()["--exporter_addr"].rpartition(":")[2])


def seconds(settings, name):
    return int(settings.get(name) or options()[name])


def seconds_of_a_drain(settings):
    return int(settings.get("--shutdown_timeout") or 2 * seconds(settings, "--loop_timeout"))


def port_of_an_endpoint(uri):
    parts = urllib.parse.urlsplit(uri)
    return parts.port or {"http": 80, "https": 443, "fcgi": 9000}[parts.scheme]


def check(text, tmp_path, **elsewhere):
    """Runs --check on a jobs file. `elsewhere` has the contents of files that it names."""
    for path, content in elsewhere.items():
        (tmp_path / Path(path).name).write_text(content)
        text = text.replace(path, str(tmp_path / Path(path).name))
    (tmp_path / "jobs.json").write_text(text)
    done = run_binary("--check", "--jobsconfig", tmp_path / "jobs.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unknown key" not in done.stdout + done.stderr


# --- Dockerfile

def instructions(dockerfile):
    """[(instruction, rest of the line)] of a Dockerfile. Continued lines are joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [tuple(line.split(" ", 1)) for line in joined if line.strip()]


def last_stage(dockerfile=ROOT / "Dockerfile"):
    """{instruction: its last value} of the stage that becomes the image."""
    found = instructions(dockerfile)
    begin = max(at for at, (instruction, _) in enumerate(found) if instruction == "FROM")
    return dict(found[begin:])


def test_the_image_says_of_the_program_what_is_true():
    image = last_stage()
    assert image["FROM"] == "debian:13-slim"
    assert int(image["EXPOSE"]) == port_of_the_page()
    settings = given(json.loads(image["CMD"]))
    assert set(settings) == {"--jobsconfig", "--shutdown_timeout"}
    assert seconds_of_a_drain(settings) >= seconds(settings, "--max_running_time"), "every running job may finish"
    assert image["STOPSIGNAL"] == "SIGTERM"
    health = json.loads(image["HEALTHCHECK"].partition("CMD ")[2])
    assert health == ["driveshaft", "status"] and "\ndriveshaft status " in run_binary("--help").stdout
    user, group = image["USER"].split(":")
    assert int(user) > 0 and int(group) > 0, "numbers, and not root's"
    packages = next(rest for instruction, rest in reversed(instructions(ROOT / "Dockerfile")) if instruction == "RUN")
    assert not re.search(r"g\+\+|cmake|-dev\b", packages), "nothing to build with"


def test_the_entry_point_runs_the_program_with_what_follows(tmp_path):
    """The log is on stdout."""
    shell = json.loads(last_stage()["ENTRYPOINT"])
    (tmp_path / "driveshaft").write_text('#!/bin/sh\necho "$$" "$@" >&2\n')
    (tmp_path / "driveshaft").chmod(0o755)
    child = subprocess.Popen([*shell, "--jobsconfig", "/a b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    out, err = child.communicate(timeout=20)
    assert (out, err) == (f"{child.pid} --jobsconfig /a b\n", "")


def test_the_builder_is_sent_all_that_is_built_from(tmp_path):
    """.dockerignore excludes everything else."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not {"build", ".git"} & set(kept)
    source, build = tmp_path / "source", tmp_path / "build"
    source.mkdir()
    for name in kept:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    each_source_named = "-DCMAKE_UNITY_BUILD=OFF"
    done = subprocess.run(["cmake", "-G", "Ninja", each_source_named, "-B", build, source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    read = {path for file in ("build.ninja", "cmake_install.cmake")
            for path in re.findall(rf'{re.escape(str(source))}/[^\s":|]+', (build / file).read_text())}
    assert len(read) > 100
    assert [path for path in read if not Path(path).exists()] == []


# --- compose.yaml

def mounts(service):
    """The mounts of a service of compose.yaml: {path in the container: path here}."""
    return {inside: ROOT / here for here, inside, _ in (one.split(":") for one in COMPOSE["services"][service]["volumes"])}


def from_inside(service, path):
    """The file here that a container of the service has at `path`."""
    for inside, here in mounts(service).items():
        if Path(path).is_relative_to(inside):
            return here / Path(path).relative_to(inside)
    raise AssertionError(f"{service} has no {path}")


def compose_jobs_file():
    settings = given(COMPOSE["services"]["driveshaft"]["command"])
    return from_inside("driveshaft", settings["--jobsconfig"]).read_text()


def test_what_compose_builds_and_mounts_is_there():
    for name, service in COMPOSE["services"].items():
        if "build" in service:
            assert (ROOT / service["build"] / "Dockerfile").exists(), name
        for here in mounts(name).values() if "volumes" in service else ():
            assert here.exists(), f"{name}: {here}"
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()
        for published in service.get("ports", ()):
            assert published.startswith("127.0.0.1:"), "the page and the others have no password"


def test_the_jobs_file_of_compose_is_right(tmp_path):
    text = compose_jobs_file()
    check(text, tmp_path)
    jobs = json.loads(text)
    services = COMPOSE["services"]
    assert set(jobs["gearman_servers_list"]) <= services.keys()
    assert last_stage(ROOT / services["gearmand"]["build"] / "Dockerfile")["EXPOSE"] == "4730"
    (demo,) = jobs["pools_list"].values()
    uri = urllib.parse.urlsplit(demo["job_processing_uri"])
    assert uri.hostname in services
    script = from_inside(uri.hostname, uri.path).read_text()
    for function in demo["jobs_list"]:
        assert f"'{function}' => " in script
    fpm = (ROOT / services["endpoint"]["build"] / "php-fpm.conf").read_text()
    assert f"\nlisten = {port_of_an_endpoint(demo['job_processing_uri'])}\n" in fpm
    assert f"\npm.max_children = {demo['worker_count']}\n" in fpm


def test_compose_runs_driveshaft_as_its_image_wants():
    driveshaft = COMPOSE["services"]["driveshaft"]
    assert driveshaft["build"] == "." and driveshaft["read_only"] is True
    assert driveshaft["ports"] == [f"127.0.0.1:{port_of_the_page()}:{port_of_the_page()}"]
    settings = given(driveshaft["command"])
    assert int(driveshaft["stop_grace_period"].rstrip("s")) > seconds_of_a_drain(settings) + GOODBYE - 1


def test_the_client_of_compose_submits_what_the_pool_runs():
    client = COMPOSE["services"]["client"]
    words = shlex.split(client["command"][-1])
    script, server, mode = words[words.index("php") + 1:][:3]
    host, port = server.split(":")
    assert host in COMPOSE["services"] and port == "4730"
    assert f"'{mode}'" in from_inside("client", script).read_text()


def test_prometheus_and_grafana_of_compose_find_what_ships(tmp_path):
    services = COMPOSE["services"]
    assert services["prometheus"]["profiles"] == services["grafana"]["profiles"] == ["monitoring"]
    config = yaml.safe_load(from_inside("prometheus", "/etc/prometheus/prometheus.yml").read_text())
    rules = [from_inside("prometheus", path) for path in config["rule_files"]]
    assert rules == [ROOT / "packaging/prometheus/driveshaft.rules.yml"]
    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == [f"driveshaft:{port_of_the_page()}"]
    assert given(services["driveshaft"]["command"])["--exporter_host"] == "driveshaft", "it answers to that name"
    config["rule_files"] = [str(path) for path in rules]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    promtool("check", "config", tmp_path / "prometheus.yml")

    provisioning = "/etc/grafana/provisioning"
    (source,) = yaml.safe_load(from_inside("grafana", f"{provisioning}/datasources/driveshaft.yaml").read_text())["datasources"]
    url = urllib.parse.urlsplit(source["url"])
    assert services[url.hostname]["ports"] == [f"127.0.0.1:{url.port}:{url.port}"]
    (provider,) = yaml.safe_load(from_inside("grafana", f"{provisioning}/dashboards/driveshaft.yaml").read_text())["providers"]
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(provider["options"]["path"])
    assert json.loads(from_inside("grafana", home).read_text())["uid"] == "driveshaft"


# --- packaging/kubernetes

def objects():
    """The objects of the base and its components, by kind. Checks that a kustomization names every file."""
    found, files = {}, set()
    for kustomization in KUBERNETES.rglob("kustomization.yaml"):
        listed = yaml.safe_load(kustomization.read_text())
        files |= {kustomization}
        for name in listed["resources"]:
            files |= {kustomization.parent / name}
            for one in yaml.safe_load_all((kustomization.parent / name).read_text()):
                found[one["kind"]] = one
        for generator in listed.get("configMapGenerator", ()):
            assert generator["options"]["disableNameSuffixHash"], "with another name it is another object, never read again"
            data = {name: (kustomization.parent / name).read_text() for name in generator["files"]}
            files |= {kustomization.parent / name for name in generator["files"]}
            found["ConfigMap"] = {"kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
    assert files == {path for path in KUBERNETES.rglob("*") if path.is_file()}
    return found


OBJECTS = objects()
POD = OBJECTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
JOBS = json.loads(OBJECTS["ConfigMap"]["data"]["jobs.json"])
(POOL,) = JOBS["pools_list"]


def volume(name):
    (found,) = (one for one in POD["spec"]["volumes"] if one["name"] == name)
    return found


def mount_path(name):
    (found,) = (one for one in CONTAINER["volumeMounts"] if one["name"] == name)
    assert "subPath" not in found, "such a file never changes in a running pod"
    return found["mountPath"]


def test_components_named_in_the_kustomization_are_there():
    named = re.findall(r"^#   - (\S+)$", (KUBERNETES / "kustomization.yaml").read_text(), re.M)
    assert {KUBERNETES / name for name in named} == {path.parent for path in KUBERNETES.glob("components/*/kustomization.yaml")}


def test_the_pod_is_what_the_image_is():
    image = last_stage()
    security = POD["spec"]["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == image["USER"] and security["runAsNonRoot"] is True
    assert security["fsGroup"] == security["runAsGroup"], "by which it may read its secrets"
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": port_of_the_page()}]


def test_the_pod_has_time_to_drain():
    settings = given(CONTAINER["args"])
    assert POD["spec"]["terminationGracePeriodSeconds"] > seconds_of_a_drain(settings) + GOODBYE
    assert seconds_of_a_drain(settings) >= seconds(settings, "--max_running_time"), "every running job may finish"


def test_the_pod_mounts_what_the_program_is_told_to_read(tmp_path):
    settings = given(CONTAINER["args"])
    jobs = Path(settings["--jobsconfig"])
    assert volume("jobs")["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
    assert str(jobs.parent) == mount_path("jobs") and jobs.name in OBJECTS["ConfigMap"]["data"]
    secret = JOBS["signing_secret_file"]
    assert str(Path(secret).parent) == mount_path("secrets")
    key, value = re.search(r'secret generic (?:\w+) --from-literal=(\w+)="(\w+)', (KUBERNETES / "deployment.yaml").read_text()).groups()
    assert key == Path(secret).name
    check(OBJECTS["ConfigMap"]["data"]["jobs.json"], tmp_path, **{secret: value + "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"})


def test_selectors_select_the_pod():
    labels = POD["metadata"]["labels"]
    for kind, path in {"Deployment": "selector/matchLabels", "Service": "selector", "NetworkPolicy": "podSelector/matchLabels",
                       "PodDisruptionBudget": "selector/matchLabels", "PodMonitor": "selector/matchLabels"}.items():
        found = OBJECTS[kind]["spec"]
        for step in path.split("/"):
            found = found[step]
        assert found == labels, kind


def test_the_network_policy_lets_pass_what_the_jobs_file_needs():
    policy = OBJECTS["NetworkPolicy"]["spec"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [port_of_the_page()]
    out = {(rule["to"][0]["podSelector"]["matchLabels"].get("app.kubernetes.io/name"), port["port"])
           for rule in policy["egress"] for port in rule["ports"]}
    uri = JOBS["pools_list"][POOL]["job_processing_uri"]
    assert out == {(None, 53), *((server, 4730) for server in JOBS["gearman_servers_list"]),
                   (urllib.parse.urlsplit(uri).hostname, port_of_an_endpoint(uri))}


def test_the_pod_answers_to_the_names_of_its_service():
    """Kubernetes replaces $(NAME) by the container's variable NAME."""
    (variable,) = CONTAINER["env"]
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    given_names = given(CONTAINER["args"])["--exporter_host"].replace(f"$({variable['name']})", "jobs").split(",")
    service = OBJECTS["Service"]["metadata"]["name"]
    assert given_names == [service, f"{service}.jobs", f"{service}.jobs.svc", f"{service}.jobs.svc.cluster.local"]
    done = run_binary("--version", "--exporter_host", ",".join(given_names))
    assert done.returncode == 0, done.stderr


def test_probes_and_scrapes_ask_for_pages_that_there_are(rig):
    daemon = rig.driveshaft(jobs_file([rig.gearmand()], {"P": pool("http://127.0.0.1:1/", ["f"])}))
    asked = [CONTAINER["livenessProbe"]["httpGet"], CONTAINER["readinessProbe"]["httpGet"],
             *OBJECTS["PodMonitor"]["spec"]["podMetricsEndpoints"]]
    ports = {port["name"] for port in CONTAINER["ports"]}
    assert [daemon.get(one["path"])[0] for one in asked] == [200] * 3
    assert {one["port"] for one in asked} | {OBJECTS["Service"]["spec"]["ports"][0]["targetPort"]} == ports


# --- scaling the endpoint

def scaled_object():
    (trigger,) = OBJECTS["ScaledObject"]["spec"]["triggers"]
    return trigger


def triggers_of_the_manual():
    """The triggers in the YAML blocks for KEDA in docs/guides/scaling.md."""
    blocks = re.findall(r"^```yaml\n(triggers:.*?)^```$", (ROOT / "docs/guides/scaling.md").read_text(), re.M | re.S)
    return {one["type"]: one["metadata"] for block in blocks for one in yaml.safe_load(block)["triggers"]}


def test_what_is_scaled_is_the_endpoint_of_the_jobs_file():
    target = OBJECTS["ScaledObject"]["spec"]["scaleTargetRef"]["name"]
    assert target == urllib.parse.urlsplit(JOBS["pools_list"][POOL]["job_processing_uri"]).hostname
    asked = re.search(r'function=~"([^"]+)"', scaled_object()["metadata"]["query"])[1]
    assert asked.split("|") == JOBS["pools_list"][POOL]["jobs_list"]


def test_the_scalers_see_one_figure_over_all_gearmands_and_daemons(rig, tmp_path):
    """KEDA accepts only an answer with one element. Every daemon sees every queue, but each job has to count once."""
    one, two = rig.gearmand("one"), rig.gearmand("two")
    gate = Gate(reverse)
    config = jobs_file([one, two], {POOL: pool(rig.endpoint(gate).uri(), JOBS["pools_list"][POOL]["jobs_list"], 1)})
    daemons = [rig.driveshaft(config, name=name) for name in ("first", "second")]
    prometheus = rig.start(Prometheus(tmp_path, daemons))
    with Client(one) as client_of_one, Client(two) as client_of_two:
        handles = [(client_of_one, client_of_one.submit("Sum", "x")) for _ in range(4)]
        handles += [(client_of_two, client_of_two.submit("Reverse", "x")) for _ in range(3)]
        queries = [scaled_object()["metadata"]["query"], triggers_of_the_manual()["prometheus"]["query"]]
        for query in queries:
            wait_until(lambda: prometheus.value(query) == 7, f"seven jobs wait or run, by {query}")
        assert len(prometheus.query(queries[0].removeprefix("sum"))) > 1, "the sum is what makes it one"

        api = triggers_of_the_manual()["metrics-api"]
        url = urllib.parse.urlsplit(api["url"])
        assert (url.hostname, url.port) == (OBJECTS["Service"]["metadata"]["name"], OBJECTS["Service"]["spec"]["ports"][0]["port"])
        assert url.path == f"/api/v1/pools/{POOL}"
        for daemon in daemons:
            wait_until(lambda: json.loads(daemon.get(url.path)[1])[api["valueLocation"]] == 5, "five wait, two run")
        gate.open()
        assert all(client.result(handle) == complete("x") for client, handle in handles)


# --- a mounted ConfigMap

class Mounted:
    """A folder as the kubelet mounts a ConfigMap or a Secret: each file is a link into `..data`, which is a link to a folder
    whose name is a time. An update makes a new folder, changes `..data` in one step, and removes the old folder."""

    def __init__(self, folder, **files):
        self.folder = folder
        self._count = 0
        folder.mkdir()
        self.update(**files)
        for name in files:
            (folder / name).symlink_to(f"..data/{name}")

    def update(self, **files):
        old = os.readlink(self.folder / "..data") if self._count else None
        self._count += 1
        new = self.folder / f"..2026_11_25_01_00_00.{self._count}"
        new.mkdir()
        for name, text in files.items():
            (new / name).write_text(text)
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if old:
            shutil.rmtree(self.folder / old)


def test_an_updated_config_map_and_secret_are_read_again(rig, tmp_path):
    server = rig.gearmand()
    endpoint = rig.endpoint(reverse)
    secrets = Mounted(tmp_path / "secrets", token="one\n")
    config = jobs_file([server], {"P": pool(endpoint.uri(), ["f"], headers={"X-Token": {"file": str(tmp_path / "secrets/token")}})})
    jobs = Mounted(tmp_path / "etc", **{"jobs.json": json.dumps(config)})
    daemon = rig.driveshaft(config, jobsconfig=jobs.folder / "jobs.json")

    def token_of_a_job():
        assert run(server, "f", "ab") == complete("ba")
        return endpoint.requests[-1].headers["x-token"]
    assert token_of_a_job() == "one"
    config["pools_list"]["P"]["worker_count"] = 9
    jobs.update(**{"jobs.json": json.dumps(config)})
    wait_until(lambda: daemon.metric("driveshaft_slots", pool="P") == 9, "the new jobs file holds")
    reloads = daemon.metric("driveshaft_config_reloads_total", result="ok")
    secrets.update(token="two\n")
    wait_until(lambda: daemon.metric("driveshaft_config_reloads_total", result="ok") > reloads, "the secret is read again")
    assert token_of_a_job() == "two"
    daemon.expect_errors("jobs file .* is rejected")
    jobs.update(**{"jobs.json": "{"})
    wait_until(lambda: daemon.metric("driveshaft_config_reloads_total", result="rejected") == 1, "a broken one is refused")
    jobs.update(**{"jobs.json": json.dumps(config)})
    wait_until(lambda: daemon.metric("driveshaft_config_last_reload_successful") == 1, "and a good one ends that")
