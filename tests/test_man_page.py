# SPDX-License-Identifier: MIT
"""The man page as it is displayed. (If a quote begins an argument of a macro and is not escaped, it is not displayed.)"""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, SCHEMA = DOCS / "driveshaft.1", DOCS / "jobs.schema.json"
WIDE = 1000  # so that no line is broken, and no word hyphenated

RENDERERS = {
    "man": ["man", "-l", PAGE],
    "mandoc": ["mandoc", "-T", "utf8", "-O", f"width={WIDE}", PAGE],
    "groff": ["groff", "-mdoc", "-Tutf8", "-P-c", f"-rLL={WIDE}n", PAGE],
}


def rendered(name):
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": str(WIDE), "MANPAGER": "cat"}
    done = subprocess.run(RENDERERS[name], env=env, capture_output=True, text=True, check=True, timeout=30)
    return " ".join(re.sub(".\b", "", done.stdout).split())  # a backspace marks bold text


@pytest.mark.once
@pytest.mark.parametrize("name", RENDERERS)
def test_json_in_it_is_what_the_schema_says(name):
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    text = rendered(name)
    defaults = {json.dumps(definition["default"]) for definition in json.loads(SCHEMA.read_text())["definitions"].values()
                if "default" in definition}
    assert any(default.count('"') > 2 for default in defaults)
    assert [default for default in defaults if f"Default: ‘{default}’." not in text] == []
    assert 'or ‘{"file": "/path"}’, which' in text
    assert '"gearman_servers_list": ["localhost"],' in text
