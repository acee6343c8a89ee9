# SPDX-License-Identifier: MIT
"""The page in a real browser, with the real daemon, a real gearmand and real jobs."""
import json
import signal
import socket

import pytest

import api
import many_pools
from behaviours import Gate, answer, contract, in_turn, reverse
from browser import Browser, missing
from certificates import Authority
from clients import Client, run, status
from driveshaft import jobs_file, pool
from packets import Kind
from processes import let_pass, wait_for_end, wait_until

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=f"{missing()}: ./dev test integration installs it"),
    pytest.mark.once]  # test_api.py tests the daemon's part with sanitizers


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with open(tmp_path_factory.mktemp("browser") / "browser.log", "wb") as log:
        browser = Browser(log)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium):
    """A browser. At the end each page is checked: it had no exception, and did nothing that the content security policy
    forbids."""
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
    browser.shows("#summary", f"Regular: {endpoint.uri()} has been down for ")
    browser.shows("#summary", "cannot connect: Connection refused")
    assert browser.eval(code="() => document.getElementById('verdict').dataset.level") == "bad"
    browser.shows("#pools .chip", "down")
    browser.shows("#pools", "1 held")
    browser.has("() => document.getElementById('said').textContent.includes('cannot connect')", "it is spoken")
    assert browser.eval(code="() => document.title") == "(1) Driveshaft"
    assert browser.axe() == []


def test_the_backends_of_an_endpoint(rig, browser):
    server = rig.gearmand()
    stays, goes = rig.endpoint(reverse), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {"Several": pool([stays.uri(), goes.uri()], ["f"]),
                                                 "One": pool(stays.uri(), ["g"])}))
    browser.open_page(daemon, "/#/pool/One")
    browser.shows("#t-functions", "Functions")
    browser.shows("#pool .settings", "job_processing_uri")
    assert not browser.visible(selector="#t-backends"), "the endpoint says all of one backend"
    browser.open_page(daemon, "/#/pool/Several")
    row = "section[aria-labelledby=t-backends] tbody tr:nth-child({})".format
    browser.shows(row(1), stays.uri())
    browser.shows(row(2), goes.uri())
    with Client(server) as client:
        for _ in range(4):
            client.run("f", "x")
        browser.shows(row(1) + " .chip", "up")
        browser.shows(row(1), "50%")
        browser.shows(row(2), "50%")
        goes.stop()
        wait_until(lambda: client.run("f", "x") and "down" in browser.text(selector=row(2) + " .chip"), "it is down")
    browser.shows(row(2), "cannot connect: Connection refused")
    browser.shows("#pool .title .chip", "endpoint up, 1 of 2 backends")
    assert browser.axe() == []
    browser.open_page(daemon, "/#/pool/Several", width=360, height=700)
    browser.shows(row(2), "cannot connect: Connection refused")
    assert browser.eval(code="() => document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert browser.axe() == []
    browser.open_page(daemon, width=1280, height=900)
    browser.shows("#summary", f"1 of 2 backends does not work: {goes.uri()} has been down")
    assert browser.eval(code="() => document.getElementById('verdict').dataset.level") == "warning"
    browser.shows("#pools .chip", "up, 1 of 2 backends")
    assert browser.axe() == []
    browser.open_page(daemon, "/#/pool/Several")
    goes.start()
    browser.shows(row(2) + " .chip", "up")
    browser.shows("#pool .title .chip", "endpoint up")


def test_a_backend_that_drains(rig, browser):
    gate = Gate(reverse)
    server = rig.gearmand()
    stays, goes = rig.endpoint(reverse), rig.endpoint(gate)
    daemon = rig.driveshaft(jobs_file([server], {"P": pool([stays.uri(), goes.uri()], ["f"])}))
    row = "section[aria-labelledby=t-backends] tbody tr:nth-child({})".format
    with Client(server) as client:
        handles = client.submit_many("f", ["x"] * 2)
        wait_until(lambda: goes.running == 1, "a job runs there")
        daemon.reload(jobs_file([server], {"P": pool(stays.uri(), ["f"])}))
        browser.open_page(daemon, "/#/pool/P")
        browser.shows(row(2), goes.uri())
        browser.shows(row(2) + " .chip", "finishing its last jobs")
        browser.shows(row(2), "1 left")
        browser.shows("#pool .title .chip", "endpoint up")
        assert browser.axe() == []
        gate.open()
        for handle in handles:
            client.result(handle)
    wait_until(lambda: not browser.visible(selector="#t-backends"), "it is gone")


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


def test_it_follows_an_upgrade(rig, browser):
    gate = Gate()
    control_socket = rig.directory / "control.sock"
    server, daemon, _ = start(rig, gate, control_socket=control_socket)
    browser.open_page(daemon)
    with Client(server) as client:
        job = client.submit("f")
        browser.shows("#pools", "1 of 4")
        old = daemon.upgrade(control_socket)
        browser.shows("#pools", "0 of 4")
        is_live(browser)
        gate.open()
        client.result(job)
    assert wait_for_end(old) == 0


def test_without_events_the_page_polls(rig, browser):
    server, daemon, _ = start(rig)
    listeners = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(128)]
    for listener in listeners:
        listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
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


def test_the_overview_has_the_last_failures_of_all_pools(rig, browser):
    server = rig.gearmand()
    refusing = rig.endpoint(answer(contract("no such order", 3)))
    broken = rig.endpoint(answer(status="500 Oops", body=b"<b>broken</b>"))
    daemon = rig.driveshaft(jobs_file([server], {"Orders": pool(refusing.uri(), ["f"]), "Mail/ü": pool(broken.uri(), ["g"])}))
    daemon.expect_failed_jobs()
    browser.open_page(daemon)
    browser.shows("#failures-note", "None since the start.")
    with Client(server) as client:
        for i in range(7):
            client.run("f", b"s3cret workload", unique=b"order-%d" % i)
            client.run("g", b"s3cret workload", unique=b"mail-%d" % i)
        client.told()
    browser.shows("#failures", "mail-6")
    rows = browser.eval(code="() => [...document.querySelectorAll('#failures tr')].map((row) => row.textContent)")
    assert len(rows) == 10
    assert "mail-6" in rows[0] and "order-6" in rows[1] and "order-2" in rows[9]
    assert all(text in rows[0] for text in ("g", "Mail/ü", "HTTP 500", "<b>broken</b>"))
    assert all(text in rows[1] for text in ("f", "Orders", "refused, gearman_ret 3", "no such order"))
    assert "s3cret" not in browser.eval(code="() => document.documentElement.outerHTML")
    assert browser.axe() == []
    before = browser.requests()
    let_pass(3)
    assert browser.requests() == before, "it asks when something has failed, not otherwise"
    browser.click(selector="#failures a")
    browser.shows("#pool h2", "Mail/ü")
    with Client(server) as client:
        client.run("f", "x", unique=b"meanwhile")
        client.told()
    browser.click(selector=".crumb a")
    browser.shows("#failures tr:first-child", "meanwhile")
    daemon.stop()
    daemon.start()
    browser.shows("#failures-note", "None since the start.")
    assert browser.text(selector="#failures") == ""


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


def shown_pools(browser):
    return browser.eval(code="() => [...document.querySelectorAll('#pools tr:not([hidden]) a')].map((a) => a.textContent)")


def test_among_fifty_pools_those_in_trouble_come_first_and_the_rest_is_found_by_a_filter(rig, browser):
    _, daemon = many_pools.start(rig)
    browser.open_page(daemon)
    browser.shows("#pools", "Pool-01")
    in_order = many_pools.IN_TROUBLE + many_pools.OTHERS
    assert shown_pools(browser) == in_order
    assert browser.axe() == []
    browser.eval(code="() => document.getElementById('filter').focus()")
    for key in "pool-1":
        browser.press(key=key)
    browser.shows("#filtered", "10 of 50 pools")
    assert shown_pools(browser) == many_pools.NAMES[9:19]
    for key in "7.php":
        browser.press(key=key)
    browser.shows("#filtered", "1 of 50 pools")
    assert shown_pools(browser) == ["Pool-17"], "addresses of endpoints are searched too"
    browser.click(selector="#pools tr:not([hidden]) a")
    browser.shows("#pool h2", "Pool-17")
    browser.click(selector=".crumb a")
    browser.shows("#filtered", "1 of 50 pools")
    browser.eval(code="""() => { const field = document.getElementById("filter"); field.value = ""; field.dispatchEvent(new Event("input")); }""")
    assert shown_pools(browser) == in_order


def test_a_few_pools_need_no_filter(rig, browser):
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.shows("#pools th", "Regular")
    assert not browser.visible(selector="#filter")


def test_many_problems_leave_room_on_a_phone_and_lead_to_their_pools(rig, browser):
    _, daemon = many_pools.start(rig)
    browser.open_page(daemon, width=375, height=667)
    browser.shows("#summary", "(and 11 more problems)")
    browser.shows("#more-problems", "and 9 more")
    listed = "() => [...document.querySelectorAll('#problems li:not([hidden])')].map((one) => one.textContent)"
    assert len(browser.eval(code=listed)) == 2
    assert browser.eval(code="() => document.getElementById('filter').getBoundingClientRect().bottom") < 500
    assert browser.axe() == []
    browser.click(selector="#more-problems")
    browser.shows("#more-problems", "Show the first 3 only")
    everything = browser.eval(code=listed)
    assert len(everything) == 11
    assert browser.eval(code="() => document.getElementById('more-problems').ariaExpanded") == "true"
    last = everything[-1].split(":")[0]
    assert last.startswith("Pool-")
    browser.click(selector="#problems li:last-child a")
    browser.shows("#pool h2", last)
    browser.click(selector="#more-problems")
    browser.click(selector="#problems li a")
    browser.shows("#pool h2", browser.eval(code=listed)[0].split(":")[0])


def test_a_row_that_is_moved_up_keeps_the_focus(rig, browser):
    server = rig.gearmand()
    good, gone = rig.endpoint(reverse), rig.endpoint(reverse)
    daemon = rig.driveshaft(jobs_file([server], {"A": pool(good.uri(), ["a"]), "B": pool(gone.uri(), ["b"])}))
    browser.open_page(daemon)
    browser.shows("#pools tr:nth-child(2)", "B")
    browser.eval(code="() => document.querySelector('#pools tr:nth-child(2) a').focus()")
    gone.stop()
    with Client(server) as client:
        client.submit_background("b", "x")
    browser.shows("#pools tr:nth-child(1) .chip", "down")
    assert shown_pools(browser) == ["B", "A"]
    assert browser.focused() == "B"


def test_a_chart_of_a_job_now_and_then_shows_points(rig, browser):
    """A duration without a neighbour before or after it makes no line, so it is shown as a dot."""
    server, daemon, _ = start(rig)
    run(server, "f", "ab")
    browser.open_page(daemon, "/#/pool/Regular")
    browser.has("""() => {
      const canvas = document.querySelector("[aria-label^='Duration'] canvas");
      if (!canvas) return false;
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const drawn = (x, y) => data[4 * (y * width + x) + 3] > 200;
      for (let y = 0; y + 3 < height; y++)
        for (let x = 0; x + 3 < width; x++)
          if ([0, 1, 2, 3].every((down) => [0, 1, 2, 3].every((right) => drawn(x + right, y + down)))) return true;
      return false;
    }""", "there is a dot of four by four pixels")


@pytest.mark.parametrize("width", [320, 375, 800, 1090, 1290])
def test_no_screen_needs_sideways_scrolling(rig, browser, width):
    """The rows have everything that can be shown: long reasons, three quantiles, a queue that grows."""
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
    browser.shows("#failures", "uuuu")
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
    let_pass(0.5)  # requests that are under way come to their end
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


def test_the_page_makes_no_more_requests_than_documented(rig, browser):
    """The first page has one connection for events and makes no other request."""
    _, daemon, _ = start(rig)
    browser.open_page(daemon)
    browser.has("() => document.querySelectorAll('#pools .spark canvas').length > 0", "the chart is drawn")
    before = browser.requests()
    let_pass(3)
    assert browser.requests() == before


# --- the page acts

TOKEN = "a-token-that-may-act"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def admin_token(rig):
    path = rig.directory / "admin_token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def start_with_token(rig, behave=reverse, **options):
    return start(rig, behave, functions=("f", "g"), admin_token_file=admin_token(rig), **options)


def test_a_pool_and_a_function_are_paused_and_resumed_on_the_page(rig, browser):
    _, daemon, _ = start_with_token(rig)
    browser.open_page(daemon, "/#/pool/Regular")
    browser.shows(".title button.act", "Pause …")
    browser.click(selector=".title button.act")
    browser.shows("#action-title", "Pause the pool Regular?")
    browser.shows("#action-says", "No more of its jobs are taken: they wait at gearmand.")
    assert browser.axe() == []
    browser.choose(selector="#action-time", value="600")
    browser.fill(selector="#action-reason", text="<b>deploy</b>")
    browser.click(selector="#action-do")
    browser.shows("#action-error", "An action needs the daemon's admin token.")
    browser.fill(selector="#action-token", text="a-token-that-is-wrong")
    browser.click(selector="#action-do")
    browser.shows("#action-error", "The daemon does not take this token.")
    assert browser.axe() == []
    browser.fill(selector="#action-token", text=TOKEN)
    browser.press(key="Enter")
    browser.shows("#done", "Done: pool Regular is paused for 600 s (<b>deploy</b>)")
    assert not browser.visible(selector="#action")
    browser.shows("#pool .title .chip", "<b>deploy</b>")
    browser.shows(".title button.act", "Resume …")
    assert browser.focused() == "Resume …", "where it was"
    assert browser.axe() == []

    browser.press(key="Enter")
    browser.shows("#action-title", "Resume the pool Regular?")
    assert not browser.visible(selector="#action-token"), "it is kept"
    browser.click(selector="#action-do")
    browser.shows("#done", "Done: pool Regular takes jobs again.")
    browser.shows(".title button.act", "Pause …")

    browser.reload()
    second = "[aria-labelledby=t-functions] tbody tr:nth-child(2)"
    browser.shows(f"{second} button.act", "Pause …")
    assert browser.eval(code="(one) => document.querySelector(one).ariaLabel", argument=f"{second} button.act") == "Pause the function g"
    browser.click(selector=f"{second} button.act")
    browser.shows("#action-title", "Pause the function g of Regular?")
    browser.click(selector="#action-do")
    browser.shows(second, "paused")
    browser.shows(f"{second} button.act", "Resume …")
    daemon.wait_for_line("control, token, 127.0.0.1: pool Regular, function g is paused", level="INFO")
    assert daemon.metric("driveshaft_control_actions_total", action="pause", outcome="done") == 2
    browser.open_page(daemon, "/#/pool/Regular")
    browser.click(selector=".title button.act")
    assert browser.visible(selector="#action-token"), "another tab knows no token"
    assert TOKEN not in daemon.log()


def test_dead_letters_are_run_again_on_the_page(rig, browser):
    broken = [True]
    endpoint = rig.endpoint(lambda request, sock: (answer(b"oops", status="500 Internal Server Error") if broken[0] else reverse)(request, sock))
    server = rig.gearmand()
    daemon = rig.driveshaft(jobs_file([server], {"Regular": pool(endpoint.uri(), ["f"], dead_letter_function="failed_jobs")}),
                            admin_token_file=admin_token(rig))
    daemon.expect_failed_jobs()
    daemon.expect_errors("control, .*: not done")
    browser.open_page(daemon, "/#/pool/Regular")
    browser.shows("#pool .facts", "Dead letters")
    button = "#pool .facts button.act"
    assert not browser.visible(selector=button), "there is none"
    with Client(server) as client:
        for job in client.submit_many("f", [str(number) for number in range(12)]):
            assert client.result(job).kind == "fail"
        browser.shows(button, "Run again …")
        browser.shows("#pool .facts", "12")
        browser.click(selector=button)
        browser.shows("#action-title", "Run the dead letters of Regular again?")
        browser.shows("#action-says", "failed_jobs has 12 dead letters, which may be of other pools, too. Their jobs are submitted again; those that fail become dead letters again.")
        assert browser.axe() == []
        browser.press(key="Escape")
        assert status(server, "failed_jobs").total == 12, "nothing was done"
        broken[0] = False
        browser.click(selector=button)
        browser.choose(selector="#action-limit", value="1")
        browser.fill(selector="#action-token", text=TOKEN)
        browser.click(selector="#action-do")
        browser.shows("#done", "Done: 1 dead letter of failed_jobs is run again, at least 11 are left.")
        browser.click(selector=button)
        browser.click(selector="#action-do")
        browser.shows("#done", "Done: 11 dead letters of failed_jobs are run again.")
        wait_until(lambda: status(server, "failed_jobs").total == status(server, "f").total == 0, "all have run")
        wait_until(lambda: not browser.visible(selector=button), "there is nothing more to do")
        assert browser.axe() == []
        daemon.wait_for_line("control, token, 127.0.0.1: 11 dead letters of failed_jobs are run again", level="INFO")

        client.submit_background("failed_jobs", "no letter")
        browser.shows(button, "Run again …")
        browser.click(selector=button)
        browser.click(selector="#action-do")
        browser.shows("#action-error", "It is not done: 0 dead letters of failed_jobs are run again, 1 is left; the first of those that have to stay: it is no dead letter")


def test_a_running_job_is_cancelled_on_the_page_of_a_phone_by_keyboard(rig, browser):
    gate = Gate()
    server, daemon, _ = start_with_token(rig, gate)
    daemon.expect_failed_jobs()
    daemon.expect_errors("control, .*: not done")
    browser.open_page(daemon, "/#/pool/Regular", width=375, height=667)
    with Client(server) as client:
        handle = client.submit("f")
        row = "[aria-labelledby=t-running-jobs] tbody button.act"
        browser.shows(row, "Cancel …")
        assert browser.eval(code="(one) => document.querySelector(one).ariaLabel", argument=row) == f"Cancel the job {handle.decode()}"
        browser.eval(code="(one) => document.querySelector(one).focus()", argument=row)
        browser.press(key="Enter")
        browser.shows("#action-title", f"Cancel the job {handle.decode()}?")
        assert browser.eval(code=TOO_WIDE) <= 0
        assert browser.axe() == []
        box = browser.eval(code="() => { const { left, right, bottom } = document.getElementById('action').getBoundingClientRect(); return [left, right, bottom]; }")
        assert 0 <= box[0] < box[1] <= 375 and box[2] <= 667, "all of it is seen"
        browser.press(key="Escape")
        wait_until(lambda: not browser.visible(selector="#action"), "it is left")
        assert browser.focused() == "Cancel …"
        assert daemon.metric("driveshaft_threads", status="busy") == 1
        browser.press(key="Enter")
        browser.fill(selector="#action-token", text=TOKEN)
        browser.press(key="Enter")
        browser.shows("#done", "Done: 1 job was cancelled.")
        assert client.result(handle).kind == "fail"
        browser.has("() => document.activeElement.id === 't-running-jobs'", "the focus stays near")
        browser.shows("[aria-labelledby=t-failures] tbody", "cancelled by an operator (token, 127.0.0.1)")

        gone = client.submit("f")
        browser.shows(row, "Cancel …")
        browser.click(selector=row)
        gate.open()
        client.result(gone)
        browser.click(selector="#action-do")
        browser.shows("#action-error", "It is not done: no job runs with the handle")
        browser.click(selector="#action-leave")
    assert browser.eval(code=TOO_WIDE) <= 0


def test_without_an_admin_token_the_page_has_no_buttons(rig, browser):
    gate = Gate()
    server, daemon, _ = start(rig, gate)
    browser.open_page(daemon, "/#/pool/Regular")
    with Client(server) as client:
        handle = client.submit("f")
        browser.shows("[aria-labelledby=t-running-jobs] tbody", handle.decode())
        is_live(browser)
        assert browser.eval(code="() => [...document.querySelectorAll('button.act')].filter((one) => one.checkVisibility()).length") == 0
        gate.open()
        client.result(handle)


def test_a_page_that_wants_a_password_works_in_a_browser_that_has_it(rig, browser):
    """Events and actions work as well."""
    path = rig.directory / "read_token"
    path.write_text("a-token-that-may-read\n")
    _, daemon, _ = start_with_token(rig, admin_read_token_file=path)
    browser.open_page(daemon, password="a-token-that-may-read")
    is_live(browser)
    browser.click(selector="#pools a")
    browser.shows(".settings", "request_format")
    browser.click(selector=".title button.act")
    browser.fill(selector="#action-token", text=TOKEN)
    browser.click(selector="#action-do")
    browser.shows("#done", "Done: pool Regular is paused")


def test_the_page_over_tls(rig, browser):
    own = Authority(rig.directory).issue("exporter")
    _, daemon, _ = start_with_token(rig, until=None, exporter_certificate_file=own.certificate, exporter_key_file=own.key)
    daemon.wait_for_line("^metrics on https://")
    browser.open(url=f"https://localhost:{daemon.port}/#/pool/Regular")
    is_live(browser)
    browser.click(selector=".title button.act")
    browser.fill(selector="#action-token", text=TOKEN)
    browser.click(selector="#action-do")
    browser.shows("#done", "Done: pool Regular is paused")
