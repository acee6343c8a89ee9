# SPDX-License-Identifier: MIT
"""Workloads of every size and content in the three request formats."""
import base64
import hashlib
import json
import os
import re

import pytest

from behaviours import answer, contract
from clients import Client, complete, run
from driveshaft import jobs_file, pool

FORMATS = ["json", "multipart", "urlencoded"]
CONTENT_TYPES = {"json": "application/json", "multipart": "multipart/form-data",
                 "urlencoded": "application/x-www-form-urlencoded"}
FIELDS = ["function_name", "job_handle", "unique", "workload"]

each_format = pytest.mark.parametrize("request_format", FORMATS)


def start(rig, uri, functions, **settings):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(uri, functions, **settings)}))
    return server


def digest(workload):
    return complete(f"{len(workload)} {hashlib.sha256(workload).hexdigest()}")


@each_format
@pytest.mark.parametrize("size", [0, 1, 1 << 20, 64 << 20], ids=["0", "1", "1MiB", "64MiB"])
@pytest.mark.parametrize("content", ["binary", "text"])
def test_workloads_of_any_size_arrive_whole(rig, web, request_format, size, content):
    unit = "Größe \\ \"x\"\n".encode() if content == "text" else os.urandom(1 << 16)
    workload = (unit * (size // len(unit) + 1))[:size] if content == "binary" else unit * (size // len(unit))
    server = start(rig, web.uri(), ["digest"], request_format=request_format)
    with Client(server, timeout=120) as client:
        assert client.run("digest", workload) == digest(workload)


@each_format
def test_all_byte_values_survive(rig, web, request_format):
    server = start(rig, web.uri(), ["base64"], request_format=request_format)
    with Client(server) as client:
        for workload in [bytes(range(256)), bytes(reversed(range(256))) * 9, *[bytes([value]) for value in range(256)]]:
            assert client.run("base64", workload) == complete(base64.b64encode(workload))


@each_format
@pytest.mark.parametrize("text", ["", "plain", 'quotes " and \\ back', "a=b&c=d+e%20f;g", "\0\x01\x1f\x7f",
                                  "ü€😀\u2028", "\r\n--boundary--\r\n", '{"gearman_ret":0}', "@/etc/passwd",
                                  "a\r\nb\nc\r"])
def test_text_arrives_as_text(rig, web, request_format, text):
    server = start(rig, web.uri(), ["about"], request_format=request_format)
    about = json.loads(run(server, "about", text, unique="u&=\"").data)
    assert about["workload"] == text
    assert about["unique"] == "u&=\""
    assert about["server"]["REQUEST_METHOD"] == "POST"
    assert about["server"]["CONTENT_TYPE"].startswith(CONTENT_TYPES[request_format])


@each_format
@pytest.mark.parametrize("text", ["Ünïcode results ✓", 'with "quotes" \\ and\nlines', "", "x" * 1_000_000],
                         ids=["Unicode", "escapes", "empty", "1 MB"])
def test_results_come_back_as_they_were(rig, web, request_format, text):
    server = start(rig, web.uri(), ["echo"], request_format=request_format)
    assert run(server, "echo", text) == complete(text)


def test_a_result_may_be_as_large_as_max_response_size(rig):
    text = "x" * ((64 << 20) - 100)
    endpoint = rig.endpoint(answer(contract(text)))
    server = start(rig, endpoint.uri(), ["f"])
    assert run(server, "f") == complete(text)


def test_json_is_the_object_of_four_fields(rig):
    endpoint = rig.endpoint(answer())
    server = start(rig, endpoint.uri(), ["Sum"])
    with Client(server) as client:
        handle = client.submit("Sum", "[1,2]", unique="57a7b604")
        client.result(handle)
    request = endpoint.requests[0]
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"function_name": "Sum", "job_handle": handle.decode(), "unique": "57a7b604",
                                        "workload": "[1,2]"}


def test_json_carries_bytes_that_are_no_text_as_base64(rig):
    endpoint = rig.endpoint(answer())
    server = start(rig, endpoint.uri(), ["f"])
    for workload in (b"\xff", b"ab\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"):
        run(server, "f", workload)
        sent = json.loads(endpoint.requests[-1].body)
        assert sent["workload_encoding"] == "base64"
        assert base64.b64decode(sent["workload"], validate=True) == workload


def multipart_parts(request):
    """[(headers, body)] of a multipart request, read strictly."""
    boundary = re.fullmatch(r'multipart/form-data; boundary="?([^"]+)"?', request.headers["content-type"])[1].encode()
    parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary)
    assert parts[0] == b"" and parts[-1] in (b"--\r\n", b"--"), "no multipart body from its first to its last byte"
    assert all(b"\r\n\r\n" in part for part in parts[1:-1]), "the boundary stands inside a part"
    return boundary, [tuple(part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)) for part in parts[1:-1]]


def test_multipart_has_the_four_fields_in_order_and_nothing_else(rig):
    endpoint = rig.endpoint(answer())
    server = start(rig, endpoint.uri(), ["f"], request_format="multipart")
    run(server, "f", bytes(range(256)), unique="u")
    _, parts = multipart_parts(endpoint.requests[0])
    assert [head for head, _ in parts] == [b'Content-Disposition: form-data; name="%s"' % name.encode()
                                           for name in FIELDS]
    assert [body for _, body in parts][::3] == [b"f", bytes(range(256))]


def test_a_workload_that_holds_the_boundary_stays_one_field(rig):
    endpoint = rig.endpoint(answer())
    server = start(rig, endpoint.uri(), ["f"], request_format="multipart")
    run(server, "f", "to learn the boundary")
    boundary, _ = multipart_parts(endpoint.requests[0])
    hostile = b'x\r\n--%s\r\nContent-Disposition: form-data; name="workload"\r\n\r\nforged\r\n--%s--\r\n' % (
        boundary, boundary)
    run(server, "f", hostile)
    _, parts = multipart_parts(endpoint.requests[1])
    assert [body for _, body in parts][3] == hostile


def test_a_pool_may_choose_its_format_against_the_general_one(rig, web):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"general": pool(web.uri(run="about"), ["f1"]),
                                        "own": pool(web.uri(run="about"), ["f2"], request_format="urlencoded")},
                             request_format="multipart"))
    types = [json.loads(run(server, name).data)["server"]["CONTENT_TYPE"] for name in ("f1", "f2")]
    assert types[0].startswith("multipart/form-data")
    assert types[1].startswith("application/x-www-form-urlencoded")
