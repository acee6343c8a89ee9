# SPDX-License-Identifier: MIT
"""Things that web shops break. Each test breaks one, and within seconds `driveshaft status` says what is wrong and where to
look."""
import re
import signal
import urllib.parse

import pytest

import api
from behaviours import answer, contract, hang
from certificates import Authority
from clients import Client
from driveshaft import jobs_file, pool, run_binary
from processes import free_port
from servers import NginxTls, PhpFpm, PhpFpmNginx

pytestmark = pytest.mark.once

JOBS = 12  # enough for the verdict to judge the share of failed jobs


class Shop:
    """Starts the parts that a test needs, and the daemon."""

    def __init__(self, rig):
        self.rig, self.server, self.daemon = rig, rig.gearmand(), None

    def run(self, uri, function="Report", options=None, until="/healthz", **settings):
        config = jobs_file([self.server], {"Web": pool(uri, [function], **{"worker_count": 4, **settings})})
        self.daemon = self.rig.driveshaft(config, until=until, **(options or {}))
        self.daemon.expect_failed_jobs()
        self.daemon.expect_errors(".")
        with Client(self.server) as client:
            for number in range(JOBS):
                client.submit_background("Report", f"{number:020}")

    def answers(self, *args, **kwargs):
        self.run(self.rig.endpoint(answer(*args, **kwargs)).uri())

    def php(self, what, **limits):
        web = self.rig.start(PhpFpmNginx(self.rig.directory, **limits))
        self.run(web.uri(run=what))
        return web


def php_fpm_is_stopped(shop):
    web = shop.rig.start(PhpFpmNginx(shop.rig.directory))
    web.fpm.send(signal.SIGTERM)
    web.fpm.wait()
    shop.run(web.uri())


def php_fpm_taken_for_a_web_server(shop):
    fpm = shop.rig.start(PhpFpm(shop.rig.directory))
    shop.run(f"http+unix://{urllib.parse.quote(str(fpm.socket_path), safe='')}/job.php")


def the_port_of_php_fpm_taken_for_a_web_servers(shop):
    fpm = shop.rig.start(PhpFpm(shop.rig.directory))
    shop.run(f"http://127.0.0.1:{fpm.port}/job.php")


def gearmand_is_stopped(shop):
    shop.answers()
    shop.server.stop()


def the_jobs_file_is_broken(shop):
    shop.answers()
    shop.daemon.config_path.write_text("{")
    shop.daemon.send(signal.SIGHUP)


def the_certificate_has_expired(shop):
    ca = Authority(shop.rig.directory)
    nginx = shop.rig.start(NginxTls(shop.rig.directory, shop.rig.endpoint(answer()), ca.issue("web"), ca))
    shop.run(nginx.uri("localhost"), endpoint_tls=ca.trusted(ca.issue("us", days=0)))


def the_log_is_full(shop):
    shop.run(shop.rig.endpoint(answer()).uri(), options={"prefix": ["prlimit", "--fsize=600"]})


BROKEN = {
    "a dead database": (lambda shop: shop.answers(contract("no database", ret=1)),
                        "refused by the endpoint; the last of them, .* ago: .*no database"),
    "a 500 without a word": (lambda shop: shop.answers(b"", status="500 Oops"), "HTTP status 500: an empty body; PHP's error log"),
    "a wrong path": (lambda shop: shop.answers(b"", status="404 Not Found"), "HTTP status 404"),
    "a redirect to a login": (lambda shop: shop.answers(b"", status="302 Found", headers=["Location: https://shop.example/login?next=secret"]),
                              "it redirects to https://shop.example/login, and redirects are not followed: if that is a login page"),
    "a login page": (lambda shop: shop.answers(b"<html><title>Login</title></html>"), 'an HTML page, "Login"'),
    "an endpoint that hangs": (lambda shop: shop.run(shop.rig.endpoint(hang).uri(), max_running_time=1, worker_count=12),
                               "no complete response within max_running_time"),
    "a byte order mark": (lambda shop: shop.php("bom"), "byte order mark"),
    "a warning of PHP": (lambda shop: shop.php("warning"), "Warning: the cache is old"),
    "other output": (lambda shop: shop.php("debug"), 'it answered "debug'),
    "an empty answer": (lambda shop: shop.php("print_nothing"), "a script that prints nothing"),
    "a fatal error of PHP": (lambda shop: shop.php("crash"), "Fatal error: Uncaught Exception"),
    "a body that is too large": (lambda shop: shop.php("echo", most_bytes=20), "HTTP status 413"),
    "php-fpm is stopped": (php_fpm_is_stopped, "HTTP status 502.*does not reach php-fpm"),
    "nginx is stopped": (lambda shop: shop.run(f"http://127.0.0.1:{free_port()}/"), "cannot connect: Connection refused"),
    "php-fpm as a web server": (php_fpm_taken_for_a_web_server, "the connection broke|closed the connection"),
    "php-fpm's port as a web server's": (the_port_of_php_fpm_taken_for_a_web_servers, "if php-fpm itself listens there, the URI begins with fcgi://"),
    "gearmand is stopped": (gearmand_is_stopped, "gearmand 127.0.0.1:.*: .*no jobs are taken from it"),
    "a broken jobs file": (the_jobs_file_is_broken, "the jobs file on disk is rejected.*not valid JSON"),
    "no slots": (lambda shop: shop.run(shop.rig.endpoint(answer()).uri(), worker_count=0), "no pool takes jobs yet: set worker_count"),
    "a paused pool": (lambda shop: shop.run(shop.rig.endpoint(answer()).uri(), paused=True), "Web is paused in the jobs file; 12 jobs wait"),
    "another function's name": (lambda shop: shop.run(shop.rig.endpoint(answer()).uri(), function="Repotr"),
                                "no pool and no other worker serves Report: 12 jobs wait, .* is Repotr meant"),
    "an expired certificate": (the_certificate_has_expired, "the certificate .* ended .* ago: renew it"),
    "few descriptors": (lambda shop: shop.run(shop.rig.endpoint(answer()).uri(), worker_count=100,
                                              options={"prefix": ["prlimit", "--nofile=48:48"]}),
                        "133 file descriptors are needed, and 48 may be open"),
    "a log that is full": (the_log_is_full, "log lines are lost, .*File too large"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_status_says_what_is_broken(rig, what):
    break_it, says = BROKEN[what]
    shop = Shop(rig)
    break_it(shop)
    api.wait_for_status(shop.daemon, lambda status: any(re.search(says, one["text"]) for one in status["problems"]), says)
    done = run_binary("status", str(shop.daemon.port))
    assert done.returncode == 8 and re.search(says, done.stdout)
    if what == "a log that is full":
        shop.daemon.stop()
        shop.daemon.log_path.write_text("")
