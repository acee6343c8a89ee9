# SPDX-License-Identifier: MIT
"""The page in a real browser, with the real daemon, a real gearmand and real jobs."""
import json
import signal
import socket

import pytest

import api
from behaviours import Gate, answer, contract, in_turn, reverse
from browser import Browser, missing
from clients import Client, run
from driveshaft import jobs_file, pool
from packets import Kind
from processes import let_pass, wait_until

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=f"{missing()}: ./dev test integration installs it"),
    pytest.mark.once]  # test_api.py has the daemon's side


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with open(tmp_path_factory.mktemp("browser") / "browser.log", "wb") as log:
        browser = Browser(log)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium):
    """With each page comes the claim that nothing in it went wrong: no exception, nothing that the policy forbids."""
    yield chromium
    assert chromium.faults() == []


def start(rig, behave=reverse, functions=("f",), worker_count=4, **options):
    server = rig.gearmand()
    config = jobs_file([server], {"Regular": pool(rig.endpoint(behave).uri(), functions, worker_count)})
    return server, rig.driveshaft(config, **options), config


def is_live(browser):
    browser.shows("#link", "live")


def test_a_healthy_daemon_and_what_it_does_as_it_does_it(rig, browser):
    gate = Gate()
    server, daemon, _ = start(rig, gate)
    browser.open_page(daemon)
    is_live(browser)
    browser.shows("#summary", "All is well: 1 pool, 0 of 4 slots busy")
    browser.shows("#pools th", "Regular")
    browser.shows("#servers", server.address)
    browser.shows("#servers .chip", "connected")
    assert browser.axe() == []
    with Client(server) as client:
        handles = [client.submit("f") for _ in range(6)]
        browser.shows("#pools", "4 of 4")
        browser.shows("#summary", "2 jobs wait")
        gate.open()
        for handle in handles:
            client.result(handle)
    browser.shows("#pools", "0 of 4")
    browser.has("() => document.querySelectorAll('#pools .spark canvas').length > 0", "the chart is drawn")
    assert browser.eval(code="() => document.title") == "Driveshaft"


def test_an_endpoint_that_is_down(rig, browser):
    endpoint = rig.endpoint(reverse)
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"])}))
    browser.open_page(daemon)
    browser.shows("#summary", "All is well")
    endpoint.stop()
    with Client(server) as client:
        client.submit_background("f", "x")
    browser.shows("#summary", f"Regular: endpoint {endpoint.uri()}: cannot connect: Connection refused")
    assert browser.eval(code="() => document.getElementById('verdict').dataset.level") == "bad"
    browser.shows("#pools .chip", "down")
    browser.shows("#pools", "1 held")
    browser.has("() => document.getElementById('said').textContent.includes('cannot connect')", "it is spoken")
    assert browser.eval(code="() => document.title") == "(1) Driveshaft"
    assert browser.axe() == []


def test_a_server_that_is_down(rig, browser):
    one, two = rig.gearmand("one"), rig.gearmand("two")
    daemon = rig.driveshaft(jobs_file([one, two], {"Regular": pool(rig.endpoint(reverse).uri(), ["f"])}))
    browser.open_page(daemon)
    browser.shows("#summary", "All is well")
    two.stop()
    browser.shows("#summary", f"gearmand {two.address}: ")
    browser.shows("#servers tr:nth-child(2) .chip", "down")
    browser.shows("#servers tr:nth-child(1) .chip", "connected")
    assert browser.eval(code="() => document.getElementById('verdict').dataset.level") == "warning"
    assert browser.axe() == []
    two.start()
    browser.shows("#summary", "All is well")


def test_a_jobs_file_that_is_rejected(rig, browser):
    _, daemon, config = start(rig)
    daemon.expect_errors("jobs file .* is rejected")
    browser.open_page(daemon)
    browser.shows("#summary", "All is well")
    broken = json.loads(json.dumps(config))
    broken["pools_list"]["Regular"]["worker_count"] = "ten"
    daemon.reload(broken, result="rejected")
    browser.shows("#summary", "pools_list.Regular.worker_count: expected a whole number")
    config["pools_list"]["Regular"]["worker_count"] = 7
    daemon.reload(config)
    browser.shows("#summary", "All is well: 1 pool, 0 of 7 slots busy")


def test_a_drain(rig, browser):
    gate = Gate()
    server, daemon, _ = start(rig, gate)
    browser.open_page(daemon)
    is_live(browser)
    with Client(server) as client:
        handle = client.submit("f")
        browser.shows("#pools", "1 of 4")
        daemon.send(signal.SIGTERM)
        browser.shows("#summary", "shutting down: no more jobs are taken, 1 job still runs")
        browser.shows("#pools th", "finishing its last jobs")
        gate.open()
        client.result(handle)
    assert daemon.wait() == 0
    browser.shows("#link", "lost")


def test_a_daemon_that_goes_and_comes_back(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    is_live(browser)
    assert not browser.visible(selector="#lost")
    daemon.stop()
    browser.shows("#lost", "The daemon does not answer. What is shown is of")
    assert browser.axe() == []
    daemon.start()
    is_live(browser)
    wait_until(lambda: not browser.visible(selector="#lost"), "it is found again")
    browser.shows("#about", "up for")


def test_without_events_it_asks(rig, browser):
    server, daemon, _ = start(rig)
    listeners = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(128)]
    for listener in listeners:
        listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert listener.recv(12) == b"HTTP/1.1 200"
    browser.open_page(daemon)
    browser.shows("#link", "every 5 s")
    browser.shows("#summary", "All is well")
    run(server, "f", "ab")
    browser.has("() => Number(document.querySelector('#pools td:nth-child(4) span').textContent) > 0", "the job is seen")
    for listener in listeners:
        listener.close()


def test_a_pools_own_page(rig, browser):
    gate = Gate(then=in_turn(answer(contract("no such order", 3)), answer(status="500 Oops", body=b"<b>broken</b>"),
                             answer()))
    server, daemon, _ = start(rig, gate, functions=["f", "g"])
    daemon.expect_failed_jobs()
    gate.open()
    with Client(server) as client:
        for unique in (b"first", b"second"):
            client.run("f", b"s3cret workload", unique=unique)
        assert client.told() == [(Kind.WORK_WARNING, b"no such order")]
    gate.close()
    browser.open_page(daemon)
    browser.shows("#pools th", "Regular")
    browser.click(selector="#pools a")
    browser.shows("#pool h2", "Regular")
    with Client(server) as client:
        handle = client.submit("g", b"s3cret workload", unique=b"running-now")
        browser.shows("[aria-labelledby=t-running-jobs] tbody", handle.decode())
        browser.shows("[aria-labelledby=t-running-jobs] tbody", "running-now")
        gate.open()
        client.result(handle)
    failures = browser.text(selector="[aria-labelledby=t-failures] tbody")
    for text in ("first", "gearman_ret 3", "no such order", "second", "HTTP 500", "<b>broken</b>"):
        assert text in failures
    browser.shows(".settings", "request_format")
    browser.has("() => document.querySelectorAll('#pool .chart canvas').length >= 2", "charts are drawn")
    assert "s3cret" not in browser.eval(code="() => document.documentElement.outerHTML")
    assert browser.axe() == []


def test_names_with_markup_are_text(rig, browser):
    server = rig.gearmand()
    name = "<img src=x onerror=alert(1)>/ü"
    daemon = rig.driveshaft(jobs_file([server], {name: pool(rig.endpoint(reverse).uri(), ["<b>f</b>"])}))
    browser.open_page(daemon)
    browser.shows("#pools th", name)
    browser.click(selector="#pools a")
    browser.shows("#pool h2", name)
    browser.shows("[aria-labelledby=t-functions] tbody", "<b>f</b>")


def test_dark_and_light_follow_the_system(rig, browser):
    _, daemon, _ = start(rig)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    browser.open_page(daemon, scheme="dark")
    browser.shows("#summary", "All is well")
    dark = browser.eval(code=ground)
    assert browser.axe() == [], "contrast in the dark"
    browser.scheme(scheme="light")
    assert browser.eval(code=ground) != dark
    assert browser.axe() == []
    browser.click(selector="#pools a")
    browser.shows(".settings", "request_format")
    browser.scheme(scheme="dark")
    assert browser.axe() == []


@pytest.mark.parametrize("width", [320, 375, 800, 1090, 1290])
def test_no_screen_needs_sideways_scrolling(rig, browser, width):
    """With everything that is ever shown in a row: long reasons, three quantiles, a queue that grows."""
    server = rig.gearmand()
    endpoint = rig.endpoint(in_turn(answer(), answer(status="500 " + "Oops" * 30)))
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri("/a-script-of-some-length.php"), ["f"]),
                                                 "Off": pool(endpoint.uri(), ["off"], 0)}))
    daemon.expect_failed_jobs()
    run(server, "f", "x")
    run(server, "f", "x", unique=b"u" * 60)
    api.wait_for_status(daemon, lambda status: status["pools"][0]["queued"] == 0, "the queue is known")
    with Client(server) as client:
        client.submit_many("off", ["x"] * 1234, background=True)
    api.wait_for_status(daemon, lambda status: status["pools"][0]["queue_trend"] == 1234, "the queue has grown")
    too_wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    browser.open_page(daemon, width=width, height=700)
    browser.shows("#pools", "1,234 more than a minute ago")
    assert browser.eval(code=too_wide) <= 0
    assert browser.axe() == []
    browser.click(selector="#pools tr:nth-child(2) a")
    browser.shows("[aria-labelledby=t-failures] tbody", "uuuu")
    assert browser.eval(code=too_wide) <= 0
    assert browser.axe() == []


def test_by_keyboard(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.shows("#pools th", "Regular")

    def tab_to(name, key="Tab"):
        for _ in range(20):
            browser.press(key=key)
            if browser.focused() == name:
                return
        raise AssertionError(f"{name} is not reached by Tab")
    browser.press(key="Tab")
    assert browser.focused() == "Skip to the content"
    browser.press(key="Enter")
    assert browser.focused() == "main"
    tab_to("Regular")
    browser.press(key="Enter")
    browser.shows("#pool h2", "Regular")
    assert browser.focused() == "pool-title"
    tab_to("24 hours")
    browser.press(key="Enter")
    browser.has("() => [...document.querySelectorAll('.spans button')].map((b) => b.ariaPressed).join() === 'false,true'",
                "the day is chosen")
    tab_to("← All pools", key="Shift+Tab")
    browser.press(key="Enter")
    browser.shows("#pools th", "Regular")
    assert browser.focused() == "main"


def test_landmarks_and_names(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.shows("#pools th", "Regular")
    assert browser.eval(code="""() => ["header", "main", "footer nav[aria-label]", "section[aria-labelledby]",
        "html[lang]", "h1", "table[aria-labelledby] th[scope=col]", "th[scope=row]", ".spark[role=img][aria-label]",
        "[role=status]", "[role=alert]"].filter((one) => !document.querySelector(one))""") == []


def test_a_page_that_nobody_sees_asks_for_nothing(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon, "/#/pool/Regular")
    browser.shows(".settings", "request_format")
    be = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    browser.eval(code=be, argument=True)
    let_pass(0.5)  # what was under way
    before = browser.requests()
    let_pass(3)
    assert browser.requests() == before
    browser.eval(code=be, argument=False)
    wait_until(lambda: browser.requests() > before, "it asks again")


def test_going_to_and_fro_leaves_nothing_behind(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.shows("#pools th", "Regular")

    def to_and_fro(times):
        for _ in range(times):
            browser.eval(code="() => { location.hash = '#/pool/Regular'; }")
            browser.shows(".settings", "request_format")
            browser.has("() => document.querySelector('#pool .chart canvas')", "charts are drawn")
            browser.eval(code="() => { location.hash = '#/'; }")
            browser.shows("#pools th", "Regular")
    to_and_fro(3)
    before = browser.memory()
    to_and_fro(12)
    after = browser.memory()
    assert after["Nodes"] < before["Nodes"] + 300
    assert after["JSEventListeners"] < before["JSEventListeners"] + 60
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 2_000_000


def test_it_asks_no_more_than_it_says(rig, browser):
    """One connection for events; nothing else on the first page."""
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.has("() => document.querySelectorAll('#pools .spark canvas').length > 0", "the chart is drawn")
    before = browser.requests()
    let_pass(3)
    assert browser.requests() == before
