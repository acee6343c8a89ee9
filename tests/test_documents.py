# SPDX-License-Identifier: MIT
"""The documents may only name things that exist: pages and headings, commands, options, keys of the jobs file.
test_monitoring.py checks the metrics, test_workflows.py the verbs of ./dev, and test_tutorial.py the documents that are
followed step by step."""
import json
import re
from pathlib import Path

import pytest

from documents import anchors, links, prose
from driveshaft import run_binary

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
GUIDES = sorted((DOCS / "guides").glob("*.md"))

pytestmark = pytest.mark.once


def named(page):
    return str(page.relative_to(ROOT))


def broken_links(page, text):
    for link, name, anchor in links(text):
        target = page.parent / name if name else page
        if not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(target.read_text()):
            yield f"{link}: there is no such heading"


def test_a_broken_link_is_found():
    page = DOCS / "tutorial.md"
    assert list(broken_links(page, "[a](configuration.md) [b](#x) [c](nowhere.md) [d](../README.md#nothing)\n# X\n")) == [
        "#x: there is no such heading", "nowhere.md: there is no such file", "../README.md#nothing: there is no such heading"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    assert not list(broken_links(page, page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page):
    """Checks each line of a block and each span of code that begins with driveshaft and a word."""
    known = set(re.findall(r"\bdriveshaft ([a-z][a-z-]+)", run_binary("--help").stdout))
    commands = set(re.findall(r"(?:^ {4,}|^|`|sudo )driveshaft ([a-z][a-z-]+)\b(?![/.:])", page.read_text(), re.M))
    assert not commands - known


def options_of_the_program():
    return set(re.findall(r"\bFl Fl ([\w-]+)", (DOCS / "driveshaft.1").read_text()))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_exist(page):
    """Checks all options with _ in their names. Of the programs in the documents only driveshaft and GoogleTest have them."""
    assert not set(re.findall(r"--([a-z]+_[a-z_]+)", page.read_text())) - options_of_the_program() - {"gtest_filter"}


def keys_of_the_jobs_file(schema=None):
    schema = json.loads((DOCS / "jobs.schema.json").read_text()) if schema is None else schema
    if isinstance(schema, list):
        return set().union(*map(keys_of_the_jobs_file, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})) | set().union(set(), *map(keys_of_the_jobs_file, schema.values()))


# Keys of requests, answers, letters and log lines.
OTHER_KEYS = {"function_name", "job_handle", "unique", "workload", "workload_encoding", "gearman_ret", "response_string", "status",
              "data", "data_base64", "warning", "X-Shop", "Authorization", "time", "level"}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_keys_exist(page):
    """Checks each span of code that shows a key with a value, as "retry": {…}."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(page.read_text()))
    keys = {key for span in spans for key in re.findall(r'"([\w-]+)": ?[^ ]', span)}
    assert not keys - keys_of_the_jobs_file() - OTHER_KEYS


def jobs_files():
    for page in PAGES:
        for block in re.findall(r"^```json[^\n]*\n(\{\s+\"gearman_servers_list.*?)^```", page.read_text(), re.M | re.S):
            if "ca_file" not in block:  # such blocks name files that do not exist here
                yield pytest.param(block, id=f"{named(page)}-{page.read_text().count(chr(10), 0, page.read_text().index(block))}")


@pytest.mark.parametrize("block", jobs_files())
def test_jobs_files_are_good_and_have_no_unknown_key(tmp_path, block):
    path = tmp_path / "jobs.json"
    path.write_text(block)
    done = run_binary("--check", "--jobsconfig", path)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "unknown key" not in said, said


QUESTIONS = ["How many slots do I need?", "What happens to running jobs at a restart?", "Why does this job fail?",
             "How do I run failed jobs again?"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_plain_question_finds_its_heading(question):
    found = [named(page) for page in GUIDES if re.search(rf"^#+ {re.escape(question)}$", page.read_text(), re.M)]
    assert len(found) == 1, found


def test_the_readme_leads_to_every_guide_and_to_the_tutorial():
    named_there = {name for _, name, _ in links((ROOT / "README.md").read_text())}
    assert {named(guide) for guide in GUIDES} | {"docs/tutorial.md"} <= named_there


def test_the_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert re.search(r"^    \./dev demo\b", readme, re.M) and re.search(r"^    \./dev test\b", readme, re.M)


def test_the_reference_of_the_jobs_file_stays_short():
    words = (DOCS / "configuration.md").read_text().split()
    assert len(words) < 2500
