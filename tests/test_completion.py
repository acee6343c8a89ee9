# SPDX-License-Identifier: MIT
"""Completion for bash: it offers the commands and options that the program accepts."""
import re
import subprocess
from pathlib import Path

import pytest

from driveshaft import binary, run_binary

COMPLETION = Path(__file__).parent.parent / "packaging" / "bash-completion" / "driveshaft"
# Calls the function as bash does when Tab is pressed behind the last word.
TRY = 'source "$0"; program=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ' \
      '_driveshaft "$program" "${@: -1}" "${@: -2:1}"; printf "%s\\n" "${COMPREPLY[@]}"'


def offered(*words):
    done = subprocess.run(["bash", "-c", TRY, COMPLETION, binary(), "driveshaft", *words],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_it_offers_every_command():
    commands = set(re.findall(r"^driveshaft ([a-z-]+)(?: |$)", run_binary("--help").stdout, re.M)) - {"takes"}
    assert {"status", "top", "probe", "pause", "cancel"} <= commands
    assert set(offered("")) == commands
    assert offered("pau") == ["pause"]


def test_it_offers_every_option_of_the_daemon():
    options = re.findall(r"^  (--\w+)", run_binary("--help").stdout, re.M)
    assert offered("-") == sorted(options)
    assert offered("--check", "--jobs") == ["--jobsconfig"]


@pytest.mark.parametrize("command, some", [
    ("status", {"--json"}), ("failures", {"--pool", "--follow"}), ("pause", {"--for", "--reason", "--control_socket"}),
    ("init", {"--help"}), ("cancel", {"--requeue", "--older-than"}), ("probe", {"--workload", "--ca-file"})])
def test_each_command_accepts_the_options_that_are_offered(command, some):
    options = offered(command, "--")
    assert some <= set(options)
    for option in options:
        assert "unknown option" not in run_binary(command, option, "x").stderr


def test_it_offers_files_and_values(tmp_path):
    (tmp_path / "jobs.json").touch()
    assert offered("--jobsconfig", f"{tmp_path}/jo") == [f"{tmp_path}/jobs.json"]
    assert offered("log-level", "Main", "w") == ["warn"]
    (tmp_path / "folder").mkdir()
    assert offered("init", f"{tmp_path}/") == [f"{tmp_path}/folder"]
    assert offered("--check", "=") == offered("--check", "=", "on") == ["online"]
    assert offered("--log_format", "") == ["json", "text"]
