// SPDX-License-Identifier: MIT
// The backends of endpoints that have several.
import { attribute, cell, el, keyed, number, seconds, text } from "./dom.js";
import { endpoint_chip, endpoints, since } from "./overview.js";

export const BACKEND_COLUMNS = [["Backend"], ["State"], ["Running", "number"], ["Share", "number"], ["Attempts/s", "number"],
  ["Failures/s", "number"], ["p95", "number"], ["Connections", "number"], ["Weight", "number"]];

function backend_row({ backend: first, functions }) {
  const chip = el("span", { class: "chip" });
  const why = el("span", { class: "sub" });
  const values = BACKEND_COLUMNS.slice(2).map(() => el("span"));
  const of = functions ? [el("span", { class: "sub" }, `of ${functions.join(", ")}`)] : [];
  const node = el("tr", { role: "row" },
    el("th", { role: "rowheader", scope: "row" }, el("code", {}, first.name), ...of),
    cell("State", "wide", chip, why),
    ...values.map((value, i) => cell(BACKEND_COLUMNS[i + 2][0], "number", value)));
  return {
    node,
    update({ backend, at }) {
      attribute(chip, "data-state", backend.state);
      text(chip, endpoint_chip(backend));
      text(why, [since(backend.since, at), backend.why].filter(Boolean).join(": "));
      const drains = backend.state === "draining";
      const shown = [drains ? `${number(backend.running)} left` : `${number(backend.running)} of ${number(backend.limit)}`, backend.share === null ? "–" : `${number(backend.share * 100)}%`,
        number(backend.attempts_per_second), number(backend.failures_per_second), seconds(backend.p95),
        `${number(backend.connections)}, ${number(backend.idle_connections)} idle`,
        drains ? "–" : backend.weight === 0 ? "0: no jobs" : number(backend.weight)];
      shown.forEach((value, i) => text(values[i], value));
      values[3].className = backend.failures_per_second > 0 ? "bad" : "";
    },
  };
}

// A row for each of them in `body`; `kept` as in keyed(). Whether there are any.
export function show_backends(body, kept, pool) {
  const rows = endpoints(pool).filter(({ backends }) => backends.length > 1)
    .flatMap(({ backends, functions }) => backends.map((backend, i) => ({ backend, functions, i, at: pool.at })));
  // Two may look the same, as passwords and queries are not shown.
  keyed(body, kept, rows, ({ backend, functions, i }) => JSON.stringify([functions, backend.name, i]), backend_row);
  return rows.length > 0;
}
