// SPDX-License-Identifier: MIT
// The daemon's status as it changes: by events, or by asking where those cannot be had. A page that nobody sees asks
// for nothing.

const SILENT_AFTER = 5000; // ms; events come every second
const POLL_EVERY = 5000;
const TRY_EVENTS_EVERY = 60000;
const LONGEST_PAUSE = 10000;
const REFUSALS = 2; // in a row: once may be a daemon that was about to be there again

// Calls on_status(status) for each, and on_state("live" | "polling" | "lost") when that changes.
export function follow(on_status, on_state) {
  let source = null;
  let timer = 0;
  let pause = 500;
  let events_from = 0; // do not ask for events before
  let refusals = 0; // of events, in a row
  let state = "";
  let turn = 0; // what was begun in an earlier turn is over

  function be(now) {
    if (state !== now) on_state((state = now));
  }

  function got(status, how) {
    pause = 500;
    be(how);
    on_status(status);
  }

  function stop() {
    turn++;
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function again(after) {
    stop();
    timer = setTimeout(start, after);
  }

  function failed() {
    be("lost");
    events_from = refusals = 0; // who comes back may have room for one more
    again(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }

  async function poll() {
    const mine = turn;
    try {
      const answer = await fetch("/api/v1/status", { signal: AbortSignal.timeout(SILENT_AFTER) });
      if (!answer.ok) throw new Error(answer.status);
      const status = await answer.json();
      if (mine !== turn) return;
      got(status, "polling");
      again(Date.now() < events_from ? POLL_EVERY : 0);
    } catch {
      if (mine === turn) failed();
    }
  }

  function watch() {
    clearTimeout(timer);
    timer = setTimeout(failed, SILENT_AFTER);
  }

  function listen() {
    let opened = false;
    const opens = () => {
      opened = true;
      refusals = 0;
    };
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", opens);
    source.addEventListener("status", (event) => {
      watch();
      got(JSON.parse(event.data), "live");
    });
    // Refused, as too many listen, or gone: asking tells which.
    source.addEventListener("error", () => {
      if (!opened && ++refusals >= REFUSALS) events_from = Date.now() + TRY_EVENTS_EVERY;
      stop();
      poll();
    });
    watch();
  }

  function start() {
    stop();
    if (document.hidden) return;
    if (Date.now() >= events_from) listen();
    else poll();
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  addEventListener("online", start);
  start();
}
