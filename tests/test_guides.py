# SPDX-License-Identifier: MIT
"""The settings for nginx and gearmand that the guides show work as the guides say. test_tls.py tests the tunnel of
docs/guides/tls.md, and test_containers.py the settings for KEDA."""
import os
import re
import shlex
from pathlib import Path

import pytest

from clients import Client, complete, run, status
from driveshaft import jobs_file, pool, run_binary
from processes import Process, free_port, wait_until
from servers import EXAMPLES_DIR, accepts

GUIDES = Path(__file__).resolve().parent.parent / "docs/guides"

pytestmark = pytest.mark.once


def replaced(text, places):
    for written, ours in places.items():
        assert written in text, written
        text = text.replace(written, str(ours))
    return text


@pytest.fixture
def nginx(rig):
    """Starts nginx with the server block of the guide, before php-fpm. Returns the URI of the endpoint."""
    fpm, port = rig.php_fpm(), free_port()
    block = re.search(r"^```nginx\n(.*?)^```", (GUIDES / "nginx.md").read_text(), re.M | re.S)[1]
    block = replaced(block, {"127.0.0.1:8080": f"127.0.0.1:{port}", "/srv/app/public": EXAMPLES_DIR,
                             "/run/php/php-fpm.sock": fpm.socket_path, "include fastcgi_params": "include /etc/nginx/fastcgi_params"})
    temporary = "".join(f"{name}_temp_path {rig.directory}/{name};" for name in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
    conf = rig.directory / "nginx.conf"
    conf.write_text(f"""{"user root;" if os.geteuid() == 0 else ""}
daemon off;
pid {rig.directory}/nginx.pid;
events {{ worker_connections 256; }}
http {{
access_log off;
{temporary}
{block}
}}
""")
    rig.start(Process("nginx", rig.directory, ["nginx", "-p", rig.directory, "-c", conf, "-e", "stderr"]))
    wait_until(lambda: accepts("127.0.0.1", port), "nginx accepts connections")
    return f"http://127.0.0.1:{port}/job.php"


def test_an_endpoint_behind_the_nginx_of_the_guide_conforms(nginx):
    done = run_binary("probe", nginx, "--function", "Reverse", timeout=60)
    assert done.returncode == 0 and "ok    keep-alive" in done.stdout, done.stdout + done.stderr


def test_the_nginx_of_the_guide_takes_workloads_that_its_defaults_do_not(rig, nginx):
    server = rig.gearmand()
    rig.driveshaft(jobs_file([server], {"Regular": pool(nginx, ["Reverse"])}))
    assert run(server, "Reverse", "ab" * 4_000_000) == complete("ba" * 4_000_000)


def test_the_nginx_of_the_guide_serves_the_endpoint_alone(nginx):
    done = run_binary("probe", nginx.replace("/job.php", "/stream.php"), "--function", "Reverse", timeout=60)
    assert "HTTP status 404" in done.stdout


def test_the_queue_of_the_guide_survives_a_restart(rig):
    params = re.search(r'^    PARAMS="(.*)"$', (GUIDES / "gearmands.md").read_text(), re.M)[1]
    params = replaced(params, {"--listen=localhost --daemon --log-file=/var/log/gearman-job-server/gearmand.log ": "",
                               "/var/lib/gearman/queue.sqlite3": rig.directory / "queue.sqlite3"})
    server = rig.gearmand(options=shlex.split(params))
    with Client(server) as client:
        client.submit("reverse", "ab", background=True)
    server.kill()
    server.start()
    assert status(server, "reverse").total == 1
