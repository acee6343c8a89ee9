# SPDX-License-Identifier: MIT
"""`driveshaft init`: writes a first jobs file."""
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from driveshaft import binary, run_binary
from processes import free_port
from servers import Gearmand

SCHEMA = Path(__file__).parent.parent / "docs" / "jobs.schema.json"
ALONE = ["unshare", "--mount", "--propagation", "private", "--net", "bash", "-c"]


@pytest.fixture
def alone(tmp_path):
    """Runs a bash script with an empty /run and its own network, so that it does not find the servers of this machine."""
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let this user make a network")

    def run(script, timeout=60):
        script = f"set -e; ip link set lo up; mount -t tmpfs none /run; {script}"
        return subprocess.run([*ALONE, script], cwd=tmp_path, capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "D": str(binary())})
    return run


def test_if_nothing_is_found_the_file_is_valid_and_the_output_says_what_to_change(alone, tmp_path):
    done = alone("$D init shop/jobs && $D --check --jobsconfig shop/jobs/jobs.json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "no gearmand was found here" in done.stdout and "no php-fpm was found (" in done.stdout
    assert "\n  driveshaft --check=online --jobsconfig shop/jobs/jobs.json\n  driveshaft --jobsconfig shop/jobs/jobs.json --control_socket shop/jobs/control.sock --exporter_addr 127.0.0.1:8888\n" in done.stdout
    assert done.stdout.endswith("would run\n") and "note:" not in done.stdout
    folder = tmp_path / "shop" / "jobs"
    assert (folder / "jobs.schema.json").read_text() == SCHEMA.read_text()
    written = json.loads((folder / "jobs.json").read_text())
    assert (folder / written["$schema"]).exists()
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(written, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("port", [4730, None], ids=["at its usual port", "at another one"])
def test_it_finds_a_gearmand_and_a_php_fpm(rig, alone, tmp_path, port):
    fpm, port = rig.php_fpm(), port or free_port()
    done = alone(f"mkdir /run/php; ln -s {fpm.socket_path} /run/php/php-fpm.sock; ln -s php-fpm.sock /run/php/same.sock; "
                 f"{shlex.join(Gearmand.program())} -L 127.0.0.1 -p {port} & server=$!; "
                 f"trap 'kill $server; wait' EXIT; until (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done; "
                 "$D init && $D --check=online --jobsconfig jobs.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"127.0.0.1:{port}, where a gearmand answers\n" in done.stdout
    assert "php-fpm listens on /run/php/php-fpm.sock: put the path of your script" in done.stdout
    written = json.loads((tmp_path / "jobs.json").read_text())
    assert written["gearman_servers_list"] == [f"127.0.0.1:{port}"]
    assert written["pools_list"]["Example"]["job_processing_uri"].startswith("fcgi+unix://%2Frun%2Fphp%2Fphp-fpm.sock/")
    assert done.stdout.endswith("would run\n"), "both answer"


def test_the_commands_that_it_prints_start_and_control_a_daemon(alone):
    done = alone("$D init > said; driveshaft() { $D \"$@\"; }; eval \"$(grep '^  driveshaft --jobsconfig' said)\" 2> log & "
                 "until [ -S control.sock ] && $D status > /dev/null || [ $? = 8 ]; do sleep 0.1; done; "
                 "eval \"$(grep '^  driveshaft pause' said)\"; $D drain --control_socket control.sock; wait")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.startswith("pool Example is paused")


@pytest.mark.parametrize("name", ["jobs.json", "jobs.schema.json"])
def test_a_file_that_is_there_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    done = run_binary("init", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"driveshaft: {tmp_path}/{name} is there already, and is not overwritten; move it away, or name " \
                          "another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_a_link_is_not_followed_and_the_same_schema_may_stay(tmp_path):
    (tmp_path / "jobs.schema.json").write_text(SCHEMA.read_text())
    (tmp_path / "jobs.json").symlink_to(tmp_path / "elsewhere")
    assert run_binary("init", tmp_path).returncode == 1
    (tmp_path / "jobs.json").unlink()
    assert run_binary("init", tmp_path).returncode == 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_exits_1_and_a_wrong_command_line_2(tmp_path):
    (tmp_path / "file").touch()
    done = run_binary("init", tmp_path / "file" / "folder")
    assert done.returncode == 1 and "name a folder that can be written" in done.stderr
    assert run_binary("init", "a", "b").returncode == 2
    shown = run_binary("init", "--help")
    assert shown.returncode == 0 and shown.stdout.startswith("driveshaft init [FOLDER]\n")
