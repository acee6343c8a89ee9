# SPDX-License-Identifier: MIT
"""The Debian package: made from the binary under test, installed in a scratch root, run, upgraded, purged."""
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from behaviours import reverse
from clients import complete, run
from documents import anchors, links
from driveshaft import build_folder, jobs_file, pool
from processes import free_port, wait_until
from scratch_root import ScratchRoot

CPACK_CONFIG = build_folder() / "CPackConfig.cmake"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.skipif(not CPACK_CONFIG.exists() or not shutil.which("dpkg-deb"), reason="needs cpack's configuration "
                       "beside the binary, and dpkg-deb"),
]

JOBS, LOG, PID_FILE = "/etc/driveshaft/jobs.json", "/var/log/driveshaft/driveshaft.log", "/run/driveshaft.pid"
CONTROL_SOCKET = "/run/driveshaft-control.sock"


def make_package(directory, **env):
    subprocess.run(["cpack", "--config", CPACK_CONFIG, "-B", directory], check=True, capture_output=True, timeout=300,
                   env={**os.environ, **env})
    return next(directory.glob("driveshaft_*.deb"))


def with_version(package, version, directory):
    """The same package with another version."""
    tree = directory / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = [f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    made = directory / f"driveshaft_{version}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, made], check=True, stdout=subprocess.DEVNULL)
    return made


@pytest.fixture
def scratch(rig, tmp_path):
    root = rig.start(ScratchRoot(tmp_path))
    if not root.usable:
        pytest.skip(f"this machine makes no scratch root: {root.log().strip()}")
    root.run("dpkg", "--purge", "driveshaft")  # the package that the machine has, if any
    return root


def install(scratch, package):
    """Installs the package, as `apt install ./driveshaft.deb` does if all dependencies are installed."""
    inside = f"/root/{package.name}"
    shutil.copy(package, scratch.path(inside))
    return scratch.run("apt-get", "install", "-y", "--no-install-recommends", inside)


def start_installed(scratch):
    scratch.run("/usr/bin/driveshaft", "--daemonize", "--user", "driveshaft", "--pid_file", PID_FILE, "--jobsconfig", JOBS,
                "--logconfig", "/etc/driveshaft/logconfig.xml", "--exporter_addr", f"127.0.0.1:{free_port()}",
                "--control_socket", CONTROL_SOCKET)
    return int(scratch.path(PID_FILE).read_text())


def stop_installed(scratch):
    pid = int(scratch.path(PID_FILE).read_text())
    scratch.run("kill", pid)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the daemon ends")


@pytest.mark.root
def test_it_is_installed_runs_jobs_is_upgraded_and_purged(rig, scratch, tmp_path):
    package = make_package(tmp_path)
    assert "driveshaft" not in scratch.path("/etc/passwd").read_text()
    install(scratch, package)
    user = next(line for line in scratch.path("/etc/passwd").read_text().splitlines() if line.startswith("driveshaft:"))
    uid = int(user.split(":")[2])
    assert user.endswith(":/usr/sbin/nologin")
    logs = scratch.path("/var/log/driveshaft").stat()
    assert (logs.st_uid, logs.st_mode & 0o7777) == (uid, 0o750)
    assert "driveshaft 1." in scratch.run("driveshaft", "--version")

    # The shipped jobs file is valid, and takes no job.
    assert "would run\n" in scratch.run("driveshaft", "--check", "--jobsconfig", JOBS, "--exporter_addr", "")
    shipped = json.loads(scratch.path(JOBS).read_text())
    assert {settings["worker_count"] for settings in shipped["pools_list"].values()} == {0}
    if shutil.which("systemd-analyze"):
        scratch.run("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/driveshaft.service")

    server = rig.gearmand()
    config = json.dumps(jobs_file([server], {"Regular": pool(rig.endpoint(reverse).uri(), ["reverse"])}))
    scratch.path(JOBS).write_text(config)
    pid = start_installed(scratch)
    try:
        assert os.stat(f"/proc/{pid}").st_uid == uid
        assert run(server, "reverse", "ab") == complete("ba")
        wait_until(lambda: "Finished job" in scratch.path(LOG).read_text(), "the job's lines")
        if scratch.path("/usr/sbin/logrotate").exists():
            rotate_logs(scratch, server)

        install(scratch, with_version(package, "9.0.0-1", tmp_path))
        assert scratch.run("dpkg-query", "-W", "-f=${Version} ${Status}", "driveshaft") == "9.0.0-1 install ok installed"
        assert scratch.path(JOBS).read_text() == config, "the administrator's own stays"
        assert os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
        assert "has taken over" in scratch.run("driveshaft", "upgrade", "--control_socket", CONTROL_SOCKET)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the old version ends")
        pid = int(scratch.path(PID_FILE).read_text())
        assert os.readlink(f"/proc/{pid}/exe").endswith("/usr/bin/driveshaft")
        assert run(server, "reverse", "cd") == complete("dc")
    finally:
        stop_installed(scratch)

    scratch.run("apt-get", "remove", "-y", "driveshaft")
    assert not scratch.path("/usr/bin/driveshaft").exists()
    assert scratch.path(JOBS).read_text() == config and scratch.path(LOG).exists(), "a removal keeps what was made"
    scratch.run("apt-get", "purge", "-y", "driveshaft")
    assert not [path for path in ("/etc/driveshaft", "/var/log/driveshaft", "/usr/lib/systemd/system/driveshaft.service",
                                  "/etc/logrotate.d/driveshaft") if os.path.lexists(scratch.path(path))]
    assert "driveshaft" not in scratch.path("/etc/passwd").read_text()
    assert scratch.run("find", "/etc", "/usr/share", "/var/lib/systemd", "/var/lib/dpkg/info", "-xdev", "-name",
                       "*driveshaft*") == ""


@pytest.mark.root
def test_the_log_of_the_original_which_ran_as_root_is_given_to_the_user(scratch, tmp_path):
    folder = scratch.path("/var/log/driveshaft")
    folder.mkdir()
    (folder / "driveshaft.log").write_text("old\n")
    elsewhere = scratch.path("/root/elsewhere")
    elsewhere.write_text("")
    (folder / "link").symlink_to("/root/elsewhere")
    install(scratch, make_package(tmp_path))
    uid = next(int(line.split(":")[2]) for line in scratch.path("/etc/passwd").read_text().splitlines()
               if line.startswith("driveshaft:"))
    assert {path.lstat().st_uid for path in (folder, folder / "driveshaft.log", folder / "link")} == {uid}
    assert elsewhere.stat().st_uid == 0
    start_installed(scratch)
    stop_installed(scratch)
    assert "old\n" in (folder / "driveshaft.log").read_text()
    assert " starts, pid " in (folder / "driveshaft.log").read_text()
    scratch.run("apt-get", "purge", "-y", "driveshaft")


def rotate_logs(scratch, server):
    scratch.run("logrotate", "--force", "/etc/logrotate.d/driveshaft")
    assert run(server, "reverse", "ef") == complete("fe")
    wait_until(lambda: scratch.path(LOG).exists() and "fe" in scratch.path(LOG).read_text(), "lines in the new log")
    assert "ab" in scratch.path(LOG + ".1").read_text()


@pytest.mark.skipif(not shutil.which("lintian"), reason="needs lintian")
def test_lintian_finds_no_error_in_it(tmp_path):
    package = make_package(tmp_path)
    done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", package], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_and_paths_of_its_documents_lead_somewhere(tmp_path):
    package, root = make_package(tmp_path), tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    docs = root / "usr/share/doc/driveshaft"
    documents = {path: path.read_text() for path in docs.rglob("*.md")}
    documents[docs / "changelog.gz"] = gzip.decompress((docs / "changelog.gz").read_bytes()).decode()
    assert len(documents) >= 6
    count = 0
    for path, text in documents.items():
        for link, name, anchor in links(text):
            count += 1
            target = (root / name[1:] if name.startswith("/") else path.parent / name) if name else path
            assert target.exists(), f"{path.name}: {link}"
            assert not anchor or anchor in anchors(documents[target.resolve()]), f"{path.name}: {link}"
    assert count > 30
    man = gzip.decompress((root / "usr/share/man/man1/driveshaft.1.gz").read_bytes()).decode()
    for text in (*documents.values(), man):
        assert "/usr/local/" not in text
        for named in re.findall(r"/usr/share/(?:doc/)?driveshaft/[\w./-]+\w", text):
            assert (root / named[1:]).exists(), named


@pytest.mark.parametrize("env, who", [
    ({"DEBEMAIL": "maintainer@packages.example", "DEBFULLNAME": "A Maintainer"}, "A Maintainer <maintainer@packages.example>"),
    ({"DEBEMAIL": "", "DEBFULLNAME": ""}, "The Driveshaft authors <nobody@driveshaft.invalid>")])
def test_it_names_who_made_it_and_when(tmp_path, env, who):
    package, root = make_package(tmp_path, SOURCE_DATE_EPOCH="1796694245", **env), tmp_path / "root"
    maintainer = subprocess.run(["dpkg-deb", "-f", package, "Maintainer"], capture_output=True, text=True, check=True).stdout
    assert maintainer.strip() == who
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    changelog = gzip.decompress((root / "usr/share/doc/driveshaft/changelog.Debian.gz").read_bytes()).decode()
    assert changelog.splitlines()[-1] == f" -- {who}  Tue, 08 Dec 2026 01:44:05 +0000"
    version = subprocess.run(["dpkg-deb", "-f", package, "Version"], capture_output=True, text=True, check=True).stdout
    assert changelog.startswith(f"driveshaft ({version.strip()}) ")
    man = gzip.decompress((root / "usr/share/man/man1/driveshaft.1.gz").read_bytes()).decode()
    assert ".Dd December 8, 2026\n" in man


def test_it_recommends_certificates_of_authorities(tmp_path):
    """Without these certificates no https:// endpoint can be verified."""
    recommends = subprocess.run(["dpkg-deb", "-f", make_package(tmp_path), "Recommends"], capture_output=True, text=True,
                                check=True).stdout
    assert {"ca-certificates", "logrotate"} <= {name.strip() for name in recommends.split(",")}


def test_it_depends_on_what_the_binary_is_linked_with(tmp_path):
    depends = subprocess.run(["dpkg-deb", "-f", make_package(tmp_path), "Depends"], capture_output=True, text=True,
                             check=True).stdout
    for library in ("libc6 (>=", "liblog4cxx", "libboost-json", "libprometheus-cpp-core", "libssl3", "adduser"):
        assert library in depends
