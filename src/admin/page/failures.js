// SPDX-License-Identifier: MIT
// Jobs that failed: a row each, and the last ones of all pools.
import { $, cell, el, keyed, seconds, text, time } from "./dom.js";

const NEWEST = 10;
const ASK_WITHIN = 5000; // ms

export const pool_link = (name) => `#/pool/${encodeURIComponent(name)}`;

export const failure_key = ({ server, handle, at }) => `${server} ${handle} ${at}`;

// `pool` is what shows the pool, where the row is not on its page.
export function failure_row(failure, pool = "") {
  const what = failure.http_status !== null ? `${failure.kind}, HTTP ${failure.http_status}`
    : failure.gearman_ret !== null ? `${failure.kind}, gearman_ret ${failure.gearman_ret}` : failure.kind;
  const answer = failure.answer && !failure.reason.includes(failure.answer) ? el("code", { class: "sub" }, failure.answer) : "";
  const node = el("tr", { role: "row" },
    el("th", { role: "rowheader", scope: "row" }, time(failure.at), el("span", { class: "sub" }, `after ${seconds(failure.took)}${failure.attempts > 1 ? `, ${failure.attempts} attempts` : ""}`)),
    cell("Function", "wide", el("div", {}, el("code", {}, failure.function), pool)),
    cell("Job", "wide", el("div", {}, el("code", {}, failure.handle), el("code", { class: "sub" }, failure.unique))),
    cell("Kind", "", what),
    cell("Reason", "wide", el("div", {}, failure.reason, answer)));
  return { node, update() {} };
}

// The overview's. It asks when more jobs have failed than those that it shows, and for nothing otherwise.
export class LastFailures {
  #kept = new Map();
  #shown = "";
  #asking = false;

  update(status, epoch) {
    const failed = status.pools.reduce((sum, { total }) => sum + total.refused + total.failed, 0);
    const wanted = `${epoch} ${failed}`;
    if (wanted === this.#shown) return;
    if (failed === 0) this.#show([], wanted);
    else this.#ask(status.at, wanted);
  }

  // An answer that is older than the status lacks what the status counts; the next status asks again.
  async #ask(at, wanted) {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const answer = await fetch(`/api/v1/failures?newest=${NEWEST}`, { signal: AbortSignal.timeout(ASK_WITHIN) });
      const said = answer.ok ? await answer.json() : null;
      if (said) this.#show(said.failures, said.at >= at ? wanted : "");
    } catch { /* that the daemon is lost is said elsewhere */ }
    this.#asking = false;
  }

  #show(failures, shown) {
    this.#shown = shown;
    const link = ({ pool }) => el("span", { class: "sub" }, el("a", { href: pool_link(pool) }, pool));
    keyed($("failures"), this.#kept, failures, failure_key, (one) => failure_row(one, link(one)));
    text($("failures-note"), failures.length ? "The newest of all pools; each pool's page has more." : "None since the start.");
  }
}
