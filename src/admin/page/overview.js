// SPDX-License-Identifier: MIT
// The first page: a row a pool, a row a server, a row each of the last failures.
import { $, attribute, cell, el, keyed, number, seconds, text } from "./dom.js";
import { Chart } from "./charts.js";
import { LastFailures, pool_link } from "./failures.js";

const KEPT = 15 * 60; // samples, a second each

// What became of a pool's jobs, second by second: from the daemon's memory first, then from what it says as it goes.
class Samples {
  rows = [];
  #at = 0;
  #ended = 0;

  async load(name) {
    const answer = await fetch(`/api/v1/pools/${encodeURIComponent(name)}/history`);
    if (!answer.ok) return;
    const history = await answer.json();
    const before = history.time.map((at, i) => [new Date(at * 1000), history.jobs[i]]);
    const last = before.at(-1)?.[0] ?? 0;
    this.rows = [...before, ...this.rows.filter(([at]) => at > last)].slice(-KEPT);
  }

  add(at, total) {
    const ended = total.completed + total.refused + total.failed;
    const passed = at - this.#at;
    if (this.#at && passed <= 0) return;
    if (this.#at && passed < 10 && ended >= this.#ended) this.rows.push([new Date(at * 1000), (ended - this.#ended) / passed]);
    this.#at = at;
    this.#ended = ended;
    if (this.rows.length > KEPT) this.rows.splice(0, this.rows.length - KEPT);
  }
}

// Where the queue of a server is unknown, those of the others.
export function waiting_jobs({ queued, queued_known: { jobs, servers, of } }) {
  return queued === null && servers > 0 ? `${number(jobs)} at ${servers} of ${of} servers` : number(queued);
}

// "paused until 14:05:00: migration"
export const paused_text = ({ until, reason }) =>
  `paused${until === null ? "" : ` until ${new Date(until * 1000).toLocaleTimeString()}`}${reason ? `: ${reason}` : ""}`;

// A pool that drains has no slots any more.
export const busy_slots = (pool) => (pool.state === "draining" ? `${number(pool.busy)} left` : `${number(pool.busy)} of ${number(pool.slots)}`);

// How many of the backends that are given jobs work.
function backends_at_work({ backends = [] }) {
  const given_jobs = backends.filter(({ weight }) => weight > 0);
  return { working: given_jobs.filter(({ state }) => state === "up" || state === "untried").length, all: given_jobs.length };
}

// Of an endpoint, or of one of its backends.
export function endpoint_chip(endpoint) {
  const state = { untried: "not tried yet", up: "up", down: "down", paused: "paused", failing: "failing", draining: "finishing its last jobs" }[endpoint.state];
  const { working, all } = backends_at_work(endpoint);
  return working > 0 && working < all ? `${state}, ${working} of ${all} backends` : state;
}

// 2: it is down, 1: it is paused or some of its backends do not work, 0: neither.
function endpoint_trouble(endpoint) {
  const { working, all } = backends_at_work(endpoint);
  return endpoint.state === "down" ? 2 : endpoint.state === "paused" || working < all ? 1 : 0;
}

// What the colour of its chip goes by.
export function endpoint_state(endpoint) {
  return endpoint_trouble(endpoint) === 1 ? "paused" : endpoint.state;
}

// The pool's own first, then those of functions.
export function endpoints(pool) {
  return [pool.endpoint, ...pool.function_endpoints];
}

// Of a pool's endpoints, the one that is worst off.
export function worst_endpoint(pool) {
  return endpoints(pool).reduce((worst, one) => (endpoint_trouble(one) > endpoint_trouble(worst) ? one : worst));
}

// What is unusual about its jobs.
export function endpoint_jobs(pool, { held, limit, full } = pool.endpoint) {
  return [held > 0 ? `${number(held)} held` : "", limit < pool.slots ? `${full ? "full: " : ""}given ${number(limit)} at once` : ""].filter(Boolean).join(", ");
}

export function since(at, now) {
  return at === null ? "" : `for ${seconds(Math.max(now - at, 0))}`;
}

function waiting_and_dead_letters(queue) {
  const letters = queue?.dead_letters ?? 0;
  return number(queue?.queued) + (letters > 0 ? ` and ${number(letters)} dead letter${letters > 1 ? "s" : ""}` : "");
}

export function queue_trend(trend) {
  if (!trend) return "";
  return `${number(Math.abs(trend))} ${trend > 0 ? "more" : "fewer"} than a minute ago`;
}

function pool_row(first) {
  const name = el("a", { href: pool_link(first.name) }, first.name);
  const state = el("span", { class: "sub" });
  const chip = el("span", { class: "chip" });
  const uri = el("span", { class: "sub" });
  const busy = el("span");
  const unusual = el("span", { class: "sub" });
  const fill = el("i");
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, fill);
  const jobs = el("span");
  const failures = el("span");
  const quantiles = el("span");
  const queued = el("span");
  const trend = el("span", { class: "sub" });
  const spark = el("div", { class: "spark", role: "img" });
  const node = el("tr", { role: "row" },
    el("th", { role: "rowheader", scope: "row" }, name, state),
    cell("Endpoint", "wide", el("div", {}, chip, uri)),
    cell("Slots busy", "", el("div", {}, busy, bar, unusual)),
    cell("Jobs/s", "number", jobs),
    cell("Failures/s", "number", failures),
    cell("p50 · p95 · p99", "number", quantiles),
    cell("Waiting", "number", el("div", {}, queued, trend)),
    cell("15 minutes", "", spark));
  const samples = new Samples();
  const chart = new Chart(spark, [{ label: "jobs/s", color: 1 }], { spark: true });
  let loading = 0;

  return {
    node,
    gone: () => chart.destroy(),
    update({ pool, at, epoch, hidden }) {
      node.hidden = hidden;
      text(state, pool.state === "draining" ? "finishing its last jobs" : pool.state === "paused" ? paused_text(pool.paused) : pool.slots === 0 ? "no slots: takes no jobs" : "");
      const endpoint = worst_endpoint(pool);
      const others = pool.function_endpoints.length;
      attribute(chip, "data-state", endpoint_state(endpoint));
      text(chip, endpoint_chip(endpoint));
      text(uri, [endpoint.why ? `${endpoint.uri}: ${endpoint.why}` : endpoint.uri, others ? `and ${number(others)} other${others > 1 ? "s" : ""}` : ""]
        .filter(Boolean).join(", "));
      text(busy, busy_slots(pool));
      text(unusual, endpoint_jobs(pool));
      fill.style.width = `${pool.slots ? Math.min(pool.busy / pool.slots, 1) * 100 : 0}%`;
      attribute(bar, "data-full", pool.slots > 0 && pool.busy >= pool.slots);
      text(jobs, number(pool.jobs_per_second));
      text(failures, number(pool.failures_per_second));
      failures.className = pool.failures_per_second > 0 ? "bad" : "";
      const { refused, failed } = pool.last_minute;
      attribute(failures, "title", `in the last minute ${number(refused)} refused by the endpoint, ${number(failed)} failed otherwise`);
      text(quantiles, pool.p50 === null ? "–" : [pool.p50, pool.p95, pool.p99].map(seconds).join(" · "));
      text(queued, waiting_jobs(pool));
      text(trend, queue_trend(pool.queue_trend));
      trend.className = pool.queue_trend > 0 ? "sub up" : "sub";
      samples.add(at, pool.total);
      if (loading !== epoch) {
        loading = epoch;
        samples.load(pool.name).then(() => chart.show(samples.rows)).catch(() => (loading = 0));
      }
      chart.show(samples.rows);
      const most = samples.rows.reduce((sum, [, jobs]) => Math.max(sum, jobs ?? 0), 0);
      attribute(spark, "aria-label", `Jobs a second in the last 15 minutes: ${number(pool.jobs_per_second)} now, at most ${number(most)}`);
    },
  };
}

function server_row(first) {
  const chip = el("span", { class: "chip" });
  const state = el("span", { class: "sub" });
  const cells = ["connections", "functions", "queued", "running", "others"].map(() => el("span"));
  const [connections, functions, queued, running, others] = cells;
  const node = el("tr", { role: "row" },
    el("th", { role: "rowheader", scope: "row" }, first.address),
    cell("State", "wide", el("div", {}, chip, state)),
    cell("Connections", "number", connections),
    cell("Functions", "number", functions),
    cell("Waiting", "number", queued),
    cell("Running", "number", running),
    cell("Other workers", "number", others));
  return {
    node,
    update({ server, at }) {
      attribute(chip, "data-state", server.state);
      text(chip, { up: "connected", connecting: "connecting", down: "down", unused: "not used", draining: "draining" }[server.state]);
      text(state, [since(server.since, at), server.why ?? server.queue_error ?? ""].filter(Boolean).join(": "));
      text(connections, `${server.connections.up} of ${server.connections.wanted}`);
      text(functions, number(server.queue?.functions.length));
      text(queued, waiting_and_dead_letters(server.queue));
      text(running, number(server.queue?.running));
      text(others, number(server.queue?.other_workers));
    },
  };
}

const pools = new Map();
const servers = new Map();
const last_failures = new LastFailures();

const FILTER_FROM = 9; // so many pools are too many to look through

// How much is the matter with each pool: 2 bad, 1 a warning. The others have no entry.
function troubles(status) {
  const found = new Map();
  const note = (name, trouble) => trouble > (found.get(name) ?? 0) && found.set(name, trouble);
  for (const { pool, level } of status.problems) note(pool, level === "bad" ? 2 : 1);
  for (const pool of status.pools) note(pool.name, endpoint_trouble(worst_endpoint(pool)));
  return found;
}

// By the name of the pool, or the address of one of its endpoints or of their backends.
function filter(listed) {
  const field = $("filter");
  $("filter-field").hidden = listed.length < FILTER_FROM && !field.value;
  const wanted = field.value.trim().toLowerCase();
  const has = (words) => words.toLowerCase().includes(wanted);
  const shown = new Set(listed.filter((pool) => has(pool.name) || endpoints(pool).some(({ uri, backends }) => has(uri) || backends.some((one) => has(one.name)))));
  text($("filtered"), wanted ? `${shown.size} of ${listed.length} pools` : "");
  return shown;
}

// The pools with problems come first. `epoch` changes when what was remembered may have a hole.
export function show_overview(status, epoch) {
  const names = new Set(); // of two pools of a name one only finishes what it runs
  const listed = status.pools.filter(({ name }) => !names.has(name) && names.add(name));
  const trouble = troubles(status);
  listed.sort((one, other) => (trouble.get(other.name) ?? 0) - (trouble.get(one.name) ?? 0));
  const shown = filter(listed);
  keyed($("pools"), pools, listed.map((pool) => ({ pool, at: status.at, epoch, hidden: !shown.has(pool) })), ({ pool }) => pool.name,
    ({ pool }) => pool_row(pool));
  keyed($("servers"), servers, status.servers.map((server) => ({ server, at: status.at })),
    ({ server }) => server.address, ({ server }) => server_row(server));
  last_failures.update(status, epoch);
}
