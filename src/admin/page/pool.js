// SPDX-License-Identifier: MIT
// A pool's own page: figures, charts, functions, running jobs, failures, settings. It asks for what it shows, every two
// seconds while it is seen, and for the charts' history less often.
import { act_button, cancel, pause, rerun_letters, resume, show_button } from "./actions.js";
import { $, attribute, cell, el, keyed, number, seconds, text, time } from "./dom.js";
import { BACKEND_COLUMNS, show_backends } from "./backends.js";
import { Chart, key } from "./charts.js";
import { failure_key, failure_row } from "./failures.js";
import { busy_slots, paused_text, endpoint_chip, endpoint_jobs, endpoint_state, endpoints, queue_trend, since, waiting_jobs, worst_endpoint } from "./overview.js";

const EVERY = 2000;
const HISTORY_EVERY = { "15m": 5000, "24h": 60000 };

const JOB_STATES = { running: "running", held: "held", waiting: "waits for its next attempt", "dead-lettering": "becomes a dead letter" };

const FAILURES_AT_FIRST = 10;

const CHARTS = [
  { title: "Jobs and failures a second", columns: ["jobs", "failures"], format: number,
    series: [{ label: "jobs", color: 1 }, { label: "failures", color: 2 }] },
  { title: "Slots", columns: ["busy", "slots"], format: number,
    series: [{ label: "busy", color: 1 }, { label: "all", color: 3 }] },
  { title: "Duration of successful jobs", columns: ["p50", "p95", "p99"], format: seconds,
    series: [{ label: "p50", color: 1 }, { label: "p95", color: 3 }, { label: "p99", color: 2 }] },
  { title: "Waiting at the servers", columns: ["queued"], format: number, series: [{ label: "jobs", color: 1 }] },
];

function shown_setting(value) {
  if (Array.isArray(value)) return value.map(shown_setting).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function table(title, columns, body) {
  const id = `t-${title.toLowerCase().replaceAll(" ", "-")}`;
  const note = el("p", { class: "quiet" });
  const head = el("tr", { role: "row" }, ...columns.map(([name, className = ""]) =>
    el("th", { role: "columnheader", scope: "col", class: className }, name)));
  const node = el("section", { "aria-labelledby": id }, el("h2", { id, tabindex: "-1" }, title), note,
    el("table", { class: "rows", role: "table", "aria-labelledby": id },
      el("thead", { role: "rowgroup" }, head), body));
  return { node, note };
}

const body = () => el("tbody", { role: "rowgroup" });

// A pause of the jobs file ends there.
const resumable = (paused) => paused !== null && paused.since !== null;

// `of`: the function that it is for; the pool itself without one.
function pause_button(pool, of, then) {
  let one = null;
  const button = act_button(() => (resumable(one.paused) ? resume(pool, then, of) : pause(pool, of ? one.running : one.busy, then, of)));
  return {
    button,
    update(now, may) {
      one = now;
      const label = !may || (one.paused && !resumable(one.paused)) ? null : one.paused ? "Resume …" : "Pause …";
      show_button(button, label, `${one.paused ? "Resume" : "Pause"} the ${of ? `function ${of}` : `pool ${pool}`}`);
    },
  };
}

// How many dead letters wait, and the button that has their jobs run again. Not there for a pool that keeps none.
function dead_letters(pool, then) {
  let letters = null;
  const count = el("span");
  const button = act_button(() => rerun_letters(pool, letters, then));
  const node = el("div", { hidden: "" }, el("dt", {}, "Dead letters"), el("dd", {}, count, el("div", {}, button)));
  return {
    node,
    update(now) {
      letters = now;
      node.hidden = !letters;
      if (node.hidden) return;
      text(count, waiting_jobs(letters));
      attribute(count, "title", `in ${letters.function}`);
      show_button(button, letters.queued || letters.queued_known.jobs ? "Run again …" : null, `Run the dead letters of ${pool} again`);
    },
  };
}

function function_row(first, pool, then) {
  const columns = ["Running", "Waiting", "Completed", "Refused", "Failed"];
  const values = columns.map(() => el("span"));
  const name = el("code", {}, first.name);
  const note = el("span", { class: "sub" });
  const pausing = pause_button(pool, first.name, then);
  const node = el("tr", { role: "row" }, el("th", { role: "rowheader", scope: "row" }, name, note, el("div", {}, pausing.button)),
    ...values.map((value, i) => cell(columns[i], "number", value)));
  return {
    node,
    update(one) {
      pausing.update(one, !one.withdrawn);
      text(note, one.withdrawn ? "no longer in the jobs file" : one.paused ? paused_text(one.paused) : "");
      [one.running, one.queued, one.completed, one.refused, one.failed].forEach((value, i) => text(values[i], number(value)));
      if (one.max_concurrency !== null) text(values[0], `${number(one.running)} of ${number(one.max_concurrency)}`);
    },
  };
}

function job_row(first, then) {
  const button = act_button(() => cancel(first, then));
  const state = el("span");
  const age = el("span");
  const left = el("span");
  const node = el("tr", { role: "row" },
    el("th", { role: "rowheader", scope: "row" }, el("code", {}, first.handle), el("span", { class: "sub" }, first.server), el("div", {}, button)),
    cell("Function", "wide", el("code", {}, first.function)),
    cell("Unique", "wide", el("code", {}, first.unique)),
    cell("State", "", state),
    cell("Age", "number", age),
    cell("Time left", "number", left));
  return {
    node,
    update(job) {
      show_button(button, "Cancel …", `Cancel the job ${job.handle}`);
      text(state, [JOB_STATES[job.state], job.attempt > 1 ? `attempt ${job.attempt}` : ""].filter(Boolean).join(", "));
      text(age, seconds(job.age));
      text(left, seconds(Math.max(job.time_left, 0)));
      left.className = job.time_left < 0.1 * (job.age + job.time_left) ? "bad" : "";
    },
  };
}

export class PoolPage {
  #name;
  #timer = 0;
  #history_timer = 0;
  #span = "15m";
  #closed = new AbortController();
  #charts = [];
  #facts = new Map();
  #kept = { backends: new Map(), functions: new Map(), jobs: new Map(), failures: new Map() };
  #parts = {};
  #failures = [];
  #all_failures = false;
  #again = () => this.#ask(); // what an action has changed is shown at once

  constructor(name) {
    this.#name = name;
    const page = $("pool");
    page.replaceChildren(...this.#build());
    page.hidden = false;
    const shown = () => {
      clearTimeout(this.#timer);
      clearTimeout(this.#history_timer);
      if (document.hidden) return;
      this.#ask();
      this.#ask_history();
    };
    document.addEventListener("visibilitychange", shown, { signal: this.#closed.signal });
    shown();
  }

  close() {
    this.#closed.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#history_timer);
    this.#charts.forEach(({ chart }) => chart.destroy());
    $("pool").replaceChildren();
    $("pool").hidden = true;
  }

  #build() {
    const chip = el("span", { class: "chip" });
    const pausing = pause_button(this.#name, "", this.#again);
    const facts = el("dl", { class: "facts" });
    for (const [name, long] of [["Slots busy"], ["Jobs/s"], ["Failures/s"], ["p50"], ["p95"], ["p99"], ["Waiting"], ["Endpoint", true]]) {
      const value = el("dd");
      const note = el("dd", { class: "sub quiet" });
      this.#facts.set(name, { value, note });
      facts.append(el("div", long ? { class: "long" } : {}, el("dt", {}, name), value));
    }
    const letters = dead_letters(this.#name, this.#again);
    this.#facts.get("Waiting").value.parentNode.after(letters.node);
    const spans = el("div", { class: "spans", role: "group", "aria-label": "Stretch of time of the charts" },
      ...[["15m", "15 minutes"], ["24h", "24 hours"]].map(([span, label]) => {
        const button = el("button", { type: "button", "aria-pressed": span === this.#span }, label);
        button.addEventListener("click", () => {
          this.#span = span;
          for (const other of spans.children) attribute(other, "aria-pressed", other === button);
          this.#ask_history();
        });
        return button;
      }));
    const charts = el("div", { class: "charts" }, ...CHARTS.map((about) => {
      const node = el("div", { class: "chart", role: "img", "aria-label": about.title });
      this.#charts.push({ about, node, chart: new Chart(node, about.series, { format: about.format }) });
      return el("div", { class: "card" }, el("h3", {}, about.title), key(about.series), node);
    }));
    const backends = body();
    const of_backends = table("Backends", BACKEND_COLUMNS, backends).node;
    of_backends.hidden = true;
    const functions = body();
    const jobs = body();
    const failures = body();
    const running = table("Running jobs", [["Job"], ["Function"], ["Unique"], ["State"], ["Age", "number"], ["Time left", "number"]], jobs);
    const failed = table("Failures", [["When"], ["Function"], ["Job"], ["Kind"], ["Reason"]], failures);
    const more = el("button", { type: "button" });
    more.addEventListener("click", () => {
      this.#all_failures = !this.#all_failures;
      this.#show_failures();
    });
    failed.node.append(el("p", {}, more));
    const settings = el("dl", { class: "settings" });
    const loaded = el("p", { class: "quiet" });
    this.#parts = { chip, pausing, letters, backends, of_backends, functions, jobs, failures, running, failed, more, settings, loaded };
    return [
      el("p", { class: "crumb" }, el("a", { href: "#/" }, "← All pools")),
      el("div", { class: "title" }, el("h2", { tabindex: "-1", id: "pool-title" }, this.#name), chip, pausing.button),
      facts,
      of_backends,
      el("section", { "aria-label": "Charts" }, spans, charts),
      table("Functions", [["Function"], ["Running", "number"], ["Waiting", "number"], ["Completed", "number"],
        ["Refused", "number"], ["Failed", "number"]], functions).node,
      running.node,
      failed.node,
      el("section", { "aria-labelledby": "settings-title" }, el("h2", { id: "settings-title" }, "Configuration in force"),
        loaded, el("div", { class: "card" }, settings)),
    ];
  }

  async #get(path) {
    const url = `/api/v1/pools/${encodeURIComponent(this.#name)}${path}`;
    const signal = AbortSignal.any ? AbortSignal.any([this.#closed.signal, AbortSignal.timeout(5000)]) : this.#closed.signal;
    const answer = await fetch(url, { signal });
    return { found: answer.status !== 404, said: answer.ok ? await answer.json() : null };
  }

  // What fails is asked again: that the daemon is lost is said elsewhere.
  async #ask() {
    clearTimeout(this.#timer);
    try {
      const { found, said } = await this.#get("");
      if (this.#closed.signal.aborted) return;
      if (said) this.#show(said);
      if (!found) text(this.#parts.chip, "no such pool");
    } catch { /* as above */ }
    if (!this.#closed.signal.aborted && !document.hidden) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), EVERY);
    }
  }

  async #ask_history() {
    clearTimeout(this.#history_timer);
    const span = this.#span;
    try {
      const { said } = await this.#get(`/history?span=${span}`);
      if (said && span === this.#span && !this.#closed.signal.aborted) this.#draw(said);
    } catch { /* as above */ }
    if (!this.#closed.signal.aborted && !document.hidden && span === this.#span) {
      clearTimeout(this.#history_timer);
      this.#history_timer = setTimeout(() => this.#ask_history(), HISTORY_EVERY[span]);
    }
  }

  #draw(history) {
    for (const { about, node, chart } of this.#charts) {
      const columns = about.columns.map((column) => history[column]);
      chart.show(history.time.map((at, i) => [new Date(at * 1000), ...columns.map((column) => column[i])]));
      const last = about.series.map((one, i) => `${one.label} ${about.format(columns[i].at(-1))}`).join(", ");
      attribute(node, "aria-label", `${about.title}, ${this.#span === "15m" ? "15 minutes" : "24 hours"}; last: ${last}`);
    }
  }

  #show_failures() {
    const all = this.#failures;
    const listed = this.#all_failures ? all : all.slice(0, FAILURES_AT_FIRST);
    keyed(this.#parts.failures, this.#kept.failures, listed, failure_key, (one) => failure_row(one));
    text(this.#parts.failed.note, all.length === 0 ? "None since the start."
      : `The last ${all.length}, the newest first${listed.length < all.length ? `; ${listed.length} of them are shown` : ""}.`);
    this.#parts.more.hidden = all.length <= FAILURES_AT_FIRST;
    text(this.#parts.more, this.#all_failures ? `Show ${FAILURES_AT_FIRST} only` : `Show all ${all.length}`);
  }

  #show(pool) {
    const fact = (name, value) => text(this.#facts.get(name).value, value);
    text(this.#parts.chip, pool.state === "draining" ? "finishing its last jobs"
      : pool.state === "paused" ? paused_text(pool.paused) : `endpoint ${endpoint_chip(worst_endpoint(pool))}`);
    attribute(this.#parts.chip, "data-state", pool.state === "running" ? endpoint_state(worst_endpoint(pool)) : pool.state);
    fact("Slots busy", busy_slots(pool));
    fact("Jobs/s", number(pool.jobs_per_second));
    fact("Failures/s", number(pool.failures_per_second));
    for (const name of ["p50", "p95", "p99"]) fact(name, seconds(pool[name]));
    fact("Waiting", [waiting_jobs(pool), queue_trend(pool.queue_trend)].filter(Boolean).join(", "));
    fact("Endpoint", endpoints(pool).map((endpoint) => [
      `${endpoint.functions ? `${endpoint.functions.join(", ")}: ` : ""}${endpoint.uri} ${endpoint_chip(endpoint)} ${since(endpoint.since, pool.at)}`.trim(),
      endpoint.why, endpoint_jobs(pool, endpoint), `${endpoint.connections} connections, ${endpoint.idle_connections} of them idle`]
      .filter(Boolean).join("; ")).join(". "));
    this.#parts.of_backends.hidden = !show_backends(this.#parts.backends, this.#kept.backends, pool);
    this.#parts.pausing.update(pool, pool.state !== "draining");
    this.#parts.letters.update(pool.dead_letters);
    keyed(this.#parts.functions, this.#kept.functions, pool.functions, (one) => one.name, (one) => function_row(one, this.#name, this.#again));
    const in_jobs = this.#parts.jobs.contains(document.activeElement);
    keyed(this.#parts.jobs, this.#kept.jobs, pool.jobs, (one) => `${one.server} ${one.handle}`, (one) => job_row(one, this.#again));
    if (in_jobs && !this.#parts.jobs.contains(document.activeElement)) $("t-running-jobs").focus(); // its job has ended
    this.#failures = pool.failures;
    this.#show_failures();
    text(this.#parts.running.note, pool.busy === 0 ? "None." : pool.busy > pool.jobs.length
      ? `The oldest ${pool.jobs.length} of ${number(pool.busy)}.` : "");
    text(this.#parts.loaded, `The jobs file was loaded at ${time(pool.loaded_at)}. A job may run for ${seconds(pool.max_running_time)}.`);
    const settings = Object.entries(pool.settings).flatMap(([name, value]) =>
      [el("dt", {}, name), el("dd", {}, el("code", {}, shown_setting(value)))]);
    const said = JSON.stringify(pool.settings);
    if (this.#parts.said !== said) this.#parts.settings.replaceChildren(...settings);
    this.#parts.said = said;
  }
}
