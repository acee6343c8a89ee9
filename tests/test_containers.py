# SPDX-License-Identifier: MIT
"""What runs Driveshaft in containers, held against the program: Dockerfile, compose.yaml name
ports, paths, options, keys and metrics that exist. tests/image runs the images; this needs no builder."""
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import yaml

from driveshaft import run_binary
from prometheus import promtool

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
GOODBYE = 10  # seconds for it after a drain, as packaging/driveshaft.service has them


def options():
    """Of the command line, with their defaults: {"--jobsconfig": None, "--loop_timeout": "10", …}."""
    found = re.findall(r"^  (--\w+)(?: \S+)?(?: \(=(\S+)\))?", run_binary("--help").stdout, re.M)
    return {name: default or None for name, default in found}


def given(arguments):
    """What a command line gives, every option of which must be one: {"--jobsconfig": "/…"}."""
    words = list(itertools.chain.from_iterable(word.split("=", 1) for word in arguments))
    settings = dict(zip(words[::2], words[1::2], strict=True))
    assert settings.keys() <= options().keys()
    return settings


def port_of_the_page():
    return int(options()["--exporter_addr"].rpartition(":")[2])


def seconds_of_a_drain(settings):
    return 2 * int(settings.get("--loop_timeout") or options()["--loop_timeout"])


def port_of_an_endpoint(uri):
    parts = urllib.parse.urlsplit(uri)
    return parts.port or {"http": 80, "https": 443, "fcgi": 9000}[parts.scheme]


def check(text, tmp_path, **elsewhere):
    """--check of a jobs file; `elsewhere` are contents of files that it names."""
    for path, content in elsewhere.items():
        (tmp_path / Path(path).name).write_text(content)
        text = text.replace(path, str(tmp_path / Path(path).name))
    (tmp_path / "jobs.json").write_text(text)
    done = run_binary("--check", "--jobsconfig", tmp_path / "jobs.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unknown key" not in done.stdout + done.stderr


# --- Dockerfile

def instructions(dockerfile):
    """[(instruction, rest of the line)] of a Dockerfile, lines that go on joined."""
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
    assert set(settings) == {"--jobsconfig"}
    assert image["STOPSIGNAL"] == "SIGTERM"
    health = json.loads(image["HEALTHCHECK"].partition("CMD ")[2])
    assert health == ["driveshaft", "status"] and "\ndriveshaft status " in run_binary("--help").stdout
    user, group = image["USER"].split(":")
    assert int(user) > 0 and int(group) > 0, "numbers, and not root's"
    packages = next(rest for instruction, rest in reversed(instructions(ROOT / "Dockerfile")) if instruction == "RUN")
    assert not re.search(r"g\+\+|cmake|-dev\b", packages), "nothing to build with"


def test_the_entry_point_runs_the_program_with_what_follows(tmp_path):
    """And its log is on stdout."""
    shell = json.loads(last_stage()["ENTRYPOINT"])
    (tmp_path / "driveshaft").write_text('#!/bin/sh\necho "$$" "$@" >&2\n')
    (tmp_path / "driveshaft").chmod(0o755)
    child = subprocess.Popen([*shell, "--jobsconfig", "/a b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    out, err = child.communicate(timeout=20)
    assert (out, err) == (f"{child.pid} --jobsconfig /a b\n", "")


def test_the_builder_is_sent_all_that_is_built_from(tmp_path):
    """.dockerignore leaves out everything else."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not {"build", ".git"} & set(kept)
    source, build = tmp_path / "source", tmp_path / "build"
    source.mkdir()
    for name in kept:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    done = subprocess.run(["cmake", "-G", "Ninja", "-B", build, source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    read = {path for file in ("build.ninja", "cmake_install.cmake")
            for path in re.findall(rf'{re.escape(str(source))}/[^\s":|]+', (build / file).read_text())}
    assert len(read) > 100
    assert [path for path in read if not Path(path).exists()] == []


# --- compose.yaml

def mounts(service):
    """{path in the container: path here} of a service of compose.yaml."""
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
