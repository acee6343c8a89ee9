# SPDX-License-Identifier: MIT
"""docs/jobs.schema.json accepts and rejects the same files as --check, so that the messages of an editor are right."""
import json
import re
from pathlib import Path

import jsonschema
import pytest

from driveshaft import run_binary

pytestmark = pytest.mark.once
ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "docs" / "jobs.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
CORPUS = sorted((ROOT / "tests/fuzz/corpus/jobs_file").iterdir())

# Values that the daemon rejects and a schema cannot reject: a schema sees values and not their text, it counts characters and
# not bytes, and its patterns cannot decode a URI or parse an IPv6 address.
BEYOND_A_SCHEMA = {
    "bad_exponent.json": "a number too large for any type: JSON readers make it infinity, or an error, as they like",
    "a document root without the script": "a schema cannot compare two keys",
    "half of a surrogate pair": "JSON readers may let it pass",
    "a name twice in an object": "readers keep the last one",
    "a function of 512 characters, 1024 bytes": "a length is in characters",
    "an IPv6 address that is none": "only its characters are looked at",
    "a URI with an IPv6 address that is none": "only its characters are looked at",
    "a Unix socket's path of 200 bytes": "its bytes are percent-encoded",
    "a user name with an encoded colon": "it is percent-encoded",
    "a host with an encoded space": "it is percent-encoded",
    "a header twice": "names that differ in case alone are two names",
    "a file that is not there": "it is looked for nowhere",
    "headers of both levels, too many": "a schema cannot add them up",
    "two Authorizations": "one of them is in the URI",
    "a function twice": "it is no name twice to a schema",
    "a host of 254 characters": "the pattern bounds no part of a URI",
    "a file for TLS that is not there": "it looks at no files",
    "a time beyond its range": "a pattern does not reckon",
    "a size beyond its range": "a pattern does not reckon",
    "a window of half a second": "a pattern does not reckon",
}


def file_of(uri="http://h/j", servers=("h",), functions=("f",), in_pool={}, **top):
    return {"gearman_servers_list": list(servers), **top,
            "pools_list": {"P": {"job_processing_uri": uri, "worker_count": 1, "jobs_list": list(functions), **in_pool}}}


MORE = {
    "a schema named": file_of(**{"$schema": "jobs.schema.json"}),
    "a name twice in an object": '{"gearman_servers_list": ["h"], "pools_list": {}, "pools_list": {}}',
    "a function of 512 characters": file_of(functions=["n" * 512]),
    "a function of 512 characters, 1024 bytes": file_of(functions=["é" * 512]),
    "an IPv6 address that is none": file_of(servers=["[1:::2]"]),
    "a URI with an IPv6 address that is none": file_of("http://[1:::2]/"),
    "a Unix socket's path of 200 bytes": file_of("http+unix://%2F" + "n" * 200 + "/"),
    "a user name with an encoded colon": file_of("http://a%3Ab:c@h/"),
    "a host with an encoded space": file_of("http://a%20b/"),
    "a host of 254 characters": file_of("http://" + "h" * 254),
    "a pool that is none": {"gearman_servers_list": ["h"], "pools_list": {"P": None}},
    "a pool without a name": {"gearman_servers_list": ["h"], "pools_list": {"": file_of()["pools_list"]["P"]}},
    "a pool's name with a control character": {"gearman_servers_list": ["h"],
                                               "pools_list": {"P\n": file_of()["pools_list"]["P"]}},
    "no servers": file_of(servers=[]),
    "only servers": {"gearman_servers_list": ["h"]},
    "a header twice": file_of(headers={"X-A": "1", "x-a": "1"}),
    "headers": file_of(headers={"X-A": "1", "X_A!": "a \t b"}),
    "two Authorizations": file_of("http://u:p@h/", headers={"Authorization": "x"}),
    "a file that is not there": file_of(headers={"X-A": {"file": "/nowhere/to/be/found"}}),
    "headers of both levels, too many": file_of(headers={f"X-{number}": "1" for number in range(50)},
                                                in_pool={"headers": {"X-more": "1"}}),
    "headers that a pool takes away": file_of("http://u:p@h/", headers={"Authorization": "x"},
                                              in_pool={"headers": {"authorization": None, "X-A": "1"}}),
    "51 headers": file_of(headers={f"X-{number}": "1" for number in range(51)}),
    **{f"a header named {name!r}": file_of(headers={name: "1"})
       for name in ("", "X A", "X:", "é", "hOsT", "Content-length", "Webhook-Id", "Webhook", "driveshaft-", "TE", "TEX",
                    "Accept-encoding", "accept-language", "n" * 100, "n" * 101, "X\n")},
    **{f"a header of {value!r}"[:30]: file_of(headers={"X-A": value})
       for value in ("", " ", " a", "a ", "a\n", "a\r\nb", "ü", "a\0", "v" * 8192, "v" * 8193, None, 1, [], {},
                     {"file": ""}, {"file": "relative"}, {"file": "/a\n"}, {"file": 1}, {"path": "/a"})},
    "a secret's file with a relative path": file_of(signing_secret_file="secret"),
    "null": "null",
    "a time beyond its range": file_of(endpoint_connect_timeout="2h"),
    "a size beyond its range": file_of(max_response_size="2G"),
    "a window of half a second": file_of(breaker={"window": "500ms"}),
    "a window with a unit": file_of(breaker={"window": "1.5m"}),
    "a window of nothing": file_of(breaker={"window": "0s"}),
    "delays with units": file_of(retry={"initial_delay": "0ms", "max_delay": "1d", "attempt_timeout": "10s"}),
    "a delay without a unit": file_of(retry={"initial_delay": "1"}),
    "a function's time with a unit": file_of(functions=[{"function": "f", "max_running_time": "1.5h"}]),
    "a function's time of nothing": file_of(functions=[{"function": "f", "max_running_time": "0h"}]),
    "a file for TLS that is not there": file_of("https://h/", in_pool={"endpoint_tls": {"ca_file": "/nowhere/ca.pem"}}),
    "a server as an object": file_of(servers=[{"address": "h:1"}, "g", {"address": "[::1]", "tls": True}]),
    "a server as an object without an address": file_of(servers=[{"tls": True}]),
    "a server as an object with a bad address": file_of(servers=[{"address": "h:0"}]),
    "a server as an object with an unknown key": file_of(servers=[{"address": "h", "tsl": True}]),
    "a server as an array": file_of(servers=[["h"]]),
    "a pool with tls for http": file_of("http://h/", in_pool={"endpoint_tls": {}}),
    "a pool with tls without a scheme": file_of("h", in_pool={"endpoint_tls": {}}),
    "a pool with tls for a Unix socket": file_of("http+unix://%2Fs/", in_pool={"endpoint_tls": {}}),
    "a document root of FastCGI": file_of("fcgi://h/srv/x.php", in_pool={"fastcgi_document_root": "/srv/"}),
    "a document root for http": file_of("http://h/srv/x.php", in_pool={"fastcgi_document_root": "/srv"}),
    "no document root for http": file_of("http://h/srv/x.php", in_pool={"fastcgi_document_root": ""}),
    "a relative document root": file_of("fcgi://h/srv/x.php", in_pool={"fastcgi_document_root": "srv"}),
    "a document root with a control character": file_of("fcgi://h/a", in_pool={"fastcgi_document_root": "/\n"}),
    "a pool with tls for FastCGI": file_of("fcgi://h/x.php", in_pool={"endpoint_tls": {}}),
    "a document root without the script": file_of("fcgi://h/srv/x.php", in_pool={"fastcgi_document_root": "/var"}),
    "functions with settings": file_of(functions=["f", {"function": "g"}, {"function": "h", "max_concurrency": 1.0,
                                                  "max_running_time": 0.5, "job_processing_uri": "https://h/"}]),
    "a pool with tls for a function": file_of(functions=[{"function": "f", "job_processing_uri": "HTTPS://h/"}],
                                              in_pool={"endpoint_tls": {"verify": False}}),
    "a document root for a function": file_of(functions=[{"function": "f", "job_processing_uri": "fcgi://h/srv/x.php"}],
                                              in_pool={"fastcgi_document_root": "/srv"}),
    "a pool with tls for no function": file_of(functions=["f", {"function": "g", "job_processing_uri": "http://h/"}],
                                               in_pool={"endpoint_tls": {"verify": False}}),
    "a function twice": file_of(functions=["f", {"function": "f"}]),
    **{f"a function as {entry}"[:60]: file_of(functions=[entry])
       for entry in ({}, {"max_concurrency": 1}, {"function": ""}, {"function": None}, {"function": "f\n"},
                     {"function": "n" * 513}, {"function": "f", "max_concurency": 1},
                     *({"function": "f", key: value} for key in ("max_concurrency", "max_running_time", "job_processing_uri")
                       for value in (None, 0, -1, 1, 1.5, 1_000_000, 1_000_001, 1e9, 1e9 + 1, "1", "", "ftp://h/", [], {}, True)))},
    "half of a surrogate pair": r'{"gearman_servers_list": ["h"], "pools_list": {}, "x": "\ud83d"}',
}

TLS = [None, False, True, {}, {"verify": False}, {"verify": "no"}, {"server_name": "h.example"}, {"server_name": "::1"},
       {"server_name": "a b"}, {"server_name": ""}, {"server_name": 1}, {"ca": "/a"}, {"ca_file": "a.pem"}, {"ca_file": ""},
       {"ca_file": "/a\0"}, {"ca_file": None}, {"certificate_file": "/a"}, {"key_file": "/a"}, [], "true", 1]
for number, tls in enumerate(TLS):
    MORE[f"tls {number} of a pool"] = file_of("HTTPS://h/", in_pool={"endpoint_tls": tls})
    MORE[f"tls {number} of a server"] = file_of(servers=[{"address": "h", "tls": tls}])

URIS = """h h/ h:8080 h:8080/job.php h? h?x=1 h# http://h http://h: http://h:/ http://h:0/ http://h:65535/ http://h:65536/
 http://h:00080/ http://h:8x/ HTTP://H/ Https://h/x?y#z https://u:p@h/ https://u:p%40@h:443/ https://u:p@@h/ http://@h/
 http://u@/ http:///x http:// http: http:h http:/h ftp://h ftp://h/ ftp:h h/ftp://x u@ftp://x //h/ /h ?x #x http://[::1]/
 http://[::1]:81/ http://[::1 http://::1/ http://[::1]x/ [::1]:80/x http://h/% http://h/%4 http://h/%zz http://h/%41 http://h/x#%
 http://h/?ids[]=1|2&ü http://ü/ http://h\\x/ http://a_b.c-d/ http://a!b/ http://a(b)/ http://a~b/ http://%68/ http://h//x
 http+unix://%2Frun%2Fa.sock/x http+unix://%2frun http+unix:///run/a.sock http+unix://run http+unix://%2Frun:1/
 http+unix://u:p@%2Frun/x http+unix:%2Frun HTTP+UNIX://%2Fx?y http+tcp://h/ https:h https+unix://%2Fx http+unix://%2Fa%zz/
 http://u:p%@h/ http://u%41:p@h/ http://h/a@b http://h/a:b localhost:8080@h/ :80 h:80:81 http://u[:p@h/ http://h/{}
 fcgi://h fcgi://h/ fcgi://h/x.php FCGI://h:9001/a/b.php?x=1#y fcgi://[::1]/x fcgi://[::1]:0/x fcgi://h/x/ fcgi://h/x?/ fcgi://h/?x
 fcgi://u:p@h/x fcgi://u@h/x fcgi:///x fcgi:h/x fcgi+unix://%2Fs/x.php fcgi+unix://%2Fs fcgi+unix://%2Fs/ fcgi+unix://s/x
 Fcgi+Unix://%2Fs%2Ft/x?y fcgi+unix://%2Fs:1/x fcgi://h/a%2F fcgi://h/a%2Fb fcgi://h/a%00 fcgi://h/a%1f fcgi://h/a?%00
 fcgi://h/%ff fcgi://h/ü.php fcgi://h/x#/ fcgi://h/a%7f fcgi+http://h/x""".split()
URIS += ["", " ", "http://h/a b", "http://h/\n", "h\n", "http://h/\x7f", "http://h/x#a b", "http://h/x#\n"]

SERVERS = """h H h:1 h:0 h:65535 h:65536 h:004730 h: h:x :1 a.b a_b a-b a/b a@b ü h:1:2 [::1] [::1]:4730 [::1]: [::1]x ::1 fe80::2
 fe80::2%eth0 [fe80::1%eth0]:9 fe80::1% 1:2 ::ffff:1.2.3.4 1.2.3.4 [h] http://h 2001:db8::1 [] :: -""".split()
SERVERS += ["", " ", "h ", "h\n", "h:1\n", "::1\n", "a\0", "h" * 253, "h" * 254]

FORMER = {"connections": "gearmand_connections", "connect_timeout": "endpoint_connect_timeout", "tls": "endpoint_tls"}
for former, name in FORMER.items():
    value = {} if name == "endpoint_tls" else 2
    MORE[f"{name} by both names"] = file_of("https://h/", in_pool={former: value, name: value})
    MORE[f"{name} by its former name"] = file_of("https://h/", in_pool={former: value})
    MORE[f"{name} by both names, at the top level"] = file_of(**{former: 2, name: 2})
    MORE[f"{name} by one name at the top level and by the other in a pool"] = \
        file_of("https://h/", in_pool={name: value}, **({} if name == "endpoint_tls" else {former: 3}))
MORE["the former name of a pool's tls, for http"] = file_of("http://h/", in_pool={"tls": {}})

VALUES = [None, True, False, 0, -1, 1, 1.0, 1.5, 0.0001, 64, 65, 3600, 3600.5, 1_000_000, 1_000_001, 2**31 - 1, 2**31, 1e308,
          "", "1", "5s", "500ms", "0.5m", "0s", "5 s", "5s\n", "5 parsecs", "1.s", ".5s", "-1s", "64k", "64KiB", "1GB", "0M",
          "1.5M", "7B", "1T", "1M\n", "json", "JSON", "multipart", "warning", "drop", "http://h/", [], [1], ["f"], ["f", ""], ["f", None],
          ["a\tb"], ["f", "f"], [[]], {}, {"a": 1}]


def up_to_object(path):
    """Shortens the path of a key in such an object to the object: a schema may report a missing or unknown key at either."""
    for name in ("endpoint_tls", "tls", "retry", "breaker"):
        if name in path:
            return tuple(path[:path.index(name) + 1])
    return tuple(path)


def refused(path, text):
    """The paths of the keys for which --check prints errors: ("pools_list", "P", "worker_count"); () is the whole file."""
    path.write_bytes(text)
    done = run_binary("--check", "--jobsconfig", path)
    assert done.returncode in (0, 1), done.stderr
    paths = set()
    for line in done.stderr.splitlines():
        said = line.removeprefix(f"{path}: ")
        if said.startswith("warning: "):
            continue
        key = re.match(r"(\w+(?:\.\w+)*)(?:\[\d+\])*: ", said)
        paths.add(up_to_object(key[1].split(".")) if key else ())
    assert bool(paths) == (done.returncode == 1), done.stderr
    return paths


def refused_by_schema(config):
    return {up_to_object([str(part) for part in error.absolute_path if not isinstance(part, int)])
            for error in VALIDATOR.iter_errors(config)}


def same_verdicts(tmp_path, config):
    """Compares the verdicts of schema and --check for each key: only whether the value is valid, not the messages."""
    ours, schemas = refused(tmp_path / "jobs.json", json.dumps(config).encode()), refused_by_schema(config)
    differ = {path: ("only --check refuses" if path in ours else "only the schema refuses") for path in ours ^ schemas}

    def value(path):
        found = config
        for part in path:
            found = found[part]
        return found
    assert not {path: (value(path), why) for path, why in differ.items()}


def test_the_schema_is_valid():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


CASES = {**{path.name: path.read_bytes() for path in CORPUS},
         "examples/jobs.json": (ROOT / "examples/jobs.json").read_bytes(),
         **{name: (file if isinstance(file, str) else json.dumps(file)).encode() for name, file in MORE.items()}}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_good_to_the_schema_if_it_is_good_to_the_daemon(tmp_path, name):
    try:
        schema_says = VALIDATOR.is_valid(json.loads(CASES[name]))
    except ValueError:  # text that is not JSON, which every parser rejects
        schema_says = False
    daemon_says = not refused(tmp_path / "jobs.json", CASES[name])
    if name in BEYOND_A_SCHEMA:
        assert (daemon_says, schema_says) == (False, True), "it need not be among the exceptions"
    else:
        assert schema_says == daemon_says


def test_exceptions_name_what_there_is():
    assert not BEYOND_A_SCHEMA.keys() - CASES.keys()


def test_the_documented_files_are_good_to_the_schema():
    for page in ROOT / "README.md", *(ROOT / "docs").rglob("*.md"):
        for block in re.findall(r"```json[^\n]*\n(\{\s+\"gearman_servers_list.*?)```", page.read_text(), re.S):
            VALIDATOR.validate(json.loads(block))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_keys_at_the_top_level(tmp_path, value):
    config = {key: value for key in SCHEMA["properties"] if key != "$schema" and key not in FORMER}
    if value in ([], {}) or not isinstance(value, dict):  # the members of pools_list are tested below
        same_verdicts(tmp_path, config)
        same_verdicts(tmp_path, file_of(**{former: value for former in FORMER if former in SCHEMA["properties"]}))


@pytest.mark.parametrize("key", SCHEMA["definitions"]["pool"]["properties"])
def test_values_of_keys_in_a_pool(tmp_path, key):
    good = file_of()["pools_list"]["P"]
    pools = {f"{key}_{i}": {**good, key: value} for i, value in enumerate(VALUES)}
    same_verdicts(tmp_path, {"gearman_servers_list": ["h"], "pools_list": pools})


def test_uris(tmp_path):
    pools = {f"P{i}": file_of(uri)["pools_list"]["P"] for i, uri in enumerate(URIS)}
    same_verdicts(tmp_path, {"gearman_servers_list": ["h"], "pools_list": pools})


@pytest.mark.parametrize("server", SERVERS, ids=ascii)
def test_servers(tmp_path, server):
    same_verdicts(tmp_path, file_of(servers=[server]))
