# SPDX-License-Identifier: MIT
"""/api/v1: every answer that a test sees is held against docs/openapi.yaml."""
import functools
import json
import urllib.parse
from pathlib import Path

import jsonschema
import yaml

from processes import wait_until

BASE = "/api/v1"


@functools.cache
def openapi():
    return yaml.safe_load((Path(__file__).parent.parent / "docs" / "openapi.yaml").read_text())


def schema_of(path, status):
    """The schema of that path's answer; `path` without its query."""
    paths = openapi()["paths"]
    known = path if path in paths else "/pools/{name}/history" if path.endswith("/history") else "/pools/{name}"
    answer = paths[known]["get"]["responses"][str(status)]
    if "$ref" in answer:
        answer = openapi()["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return answer["content"]["application/json"]["schema"]


def check(path, status, value):
    schema = {**schema_of(path, status), "components": openapi()["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def get(daemon, path, status=200):
    """The answer to a path under /api/v1, checked."""
    got, body, headers = daemon.get(BASE + path)
    assert got == status, body
    assert headers["content-type"] == "application/json"
    value = json.loads(body)
    check(path.partition("?")[0], status, value)
    return value


def pool(daemon, name):
    return get(daemon, "/pools/" + urllib.parse.quote(name, safe=""))


def wait_for_status(daemon, holds, what, timeout=20.0):
    """Waits for a status of which `holds(status)` is true, and returns it."""
    def fitting():
        status = get(daemon, "/status")
        return status if holds(status) else None
    return wait_until(fitting, what, timeout)
