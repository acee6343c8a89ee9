# SPDX-License-Identifier: MIT
"""Requests to /api/v1. Every answer is validated against docs/openapi.yaml."""
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
    """The schema of the answer at this path with this status. `path` has no query."""
    paths = openapi()["paths"]
    known = path if path in paths else "/pools/{name}/history" if path.endswith("/history") else "/pools/{name}"
    answer = paths[known]["get"]["responses"][str(status)]
    if "$ref" in answer:
        answer = openapi()["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return answer["content"]["application/json"]["schema"]


# The schema of settings stays open: docs/configuration.md describes the keys of the jobs file.
OPEN = {"Settings"}
SCHEMAS = "#/components/schemas/"
BASES = "#/components/bases/"


def closed(schema, is_open=False):
    """Returns the schema, changed so that a field which it does not describe is an error. The shipped schema accepts such
    fields, because clients must expect new ones, but in tests each field has to be described. A schema that others use
    with allOf stays open; those that use it are closed."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "allOf" in made:
        made["allOf"] = [{"$ref": one["$ref"].replace(SCHEMAS, BASES)} for one in made["allOf"]]
    if ("properties" in made or "allOf" in made) and not is_open:
        made["unevaluatedProperties"] = False
    return made


@functools.cache
def components():
    schemas = openapi()["components"]["schemas"]
    return {"schemas": {name: closed(schema, name in OPEN) for name, schema in schemas.items()},
            "bases": {name: closed(schema, is_open=True) for name, schema in schemas.items()}}


def check(path, status, value):
    schema = {**closed(schema_of(path, status)), "components": components()}
    jsonschema.Draft202012Validator(schema).validate(value)


def get(daemon, path, status=200):
    """Gets a path under /api/v1, checks the answer, and returns it."""
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
