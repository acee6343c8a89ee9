# SPDX-License-Identifier: MIT
"""The commands in .github/ and in the documents exist."""
import re
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in CI["jobs"].values() for step in job["steps"]]


def verbs():
    usage = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (\w+) ", usage, re.M))


@pytest.mark.parametrize("file", [".github/workflows/ci.yml", ".github/pull_request_template.md", "docs/releasing.md",
                                  "docs/containers.md", "CONTRIBUTING.md", "README.md", "Dockerfile"])
def test_commands_of_it_are_verbs_of_dev(file):
    named = set(re.findall(r"\./dev (\w+)", (ROOT / file).read_text()))
    assert named and named <= verbs()


def test_the_workflow_runs_what_keeps_a_change_out():
    run = " ".join(str(step.get("run")) for step in STEPS) + str(CI["jobs"]["nightly"]["strategy"])
    for command in ("./dev test", "./dev lint", "./dev image test", "./dev tsan", "./dev fuzz", "./dev package", "./dev image"):
        assert command in run
    assert CI["jobs"]["test"]["strategy"]["matrix"] == CI["jobs"]["package"]["strategy"]["matrix"]
    for name in ("package", "image"):
        assert set(CI["jobs"][name]["needs"]) == {"test", "lint", "image-test"}


def test_a_tag_must_be_the_version(tmp_path):
    """Runs the workflow's check, with the present version and with another one."""
    script = next(step["run"] for step in CI["jobs"]["package"]["steps"] if "GITHUB_REF_NAME#v" in step.get("run", ""))
    version = re.search(r"project\(driveshaft VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    (tmp_path / "CMakeLists.txt").write_text((ROOT / "CMakeLists.txt").read_text())

    def accepts(tag, heading):
        (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n")
        return subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag},
                              capture_output=True).returncode == 0
    dated = f"## [{version}] - 2027-01-31"
    assert accepts(f"v{version}", dated)
    assert not accepts("v0.9.9", dated)
    assert not accepts(f"v{version}", "## [Unreleased]")
    assert not accepts(f"v{version}", f"## [{version}]")


def test_the_changelog_begins_with_what_is_not_released_or_with_this_version():
    version = re.search(r"project\(driveshaft VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    newest = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert newest == "[Unreleased]" or re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", newest)


def test_forms_of_issues_are_valid():
    forms = list((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert forms
    for form in forms:
        content = yaml.safe_load(form.read_text())
        assert content["name"] and content["description"]
        fields = [field for field in content["body"] if field["type"] != "markdown"]
        assert len({field["id"] for field in fields}) == len(fields)
        assert all(field["attributes"]["label"] for field in fields)


def test_no_file_of_the_build_names_an_example_for_a_person_or_a_day():
    files = [ROOT / "CMakeLists.txt", ROOT / "docs/driveshaft.1", *(ROOT / "cmake").iterdir(),
             *(path for path in (ROOT / "packaging").rglob("*") if path.is_file() and path.suffix != ".json")]
    for path in files:
        text = path.read_text()
        assert not re.search(r"@example\.(org|com)|\b(19|20)\d\d-\d\d-\d\d\b|\b[A-Z][a-z]+ \d\d?, 20\d\d\b", text), path
