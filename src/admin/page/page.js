// SPDX-License-Identifier: MIT
// The page: which part of it is shown, and what the daemon says of itself.
import { allow } from "./actions.js";
import { $, attribute, el, keyed, seconds, text, time } from "./dom.js";
import { pool_link } from "./failures.js";
import { follow } from "./live.js";
import { show_overview } from "./overview.js";
import { PoolPage } from "./pool.js";

let pool_page = null;
let status = null;
let epoch = 1; // of what is remembered of the daemon: another one after each gap
let started_at = 0;
let told = "";
let all_problems = false;
const problems = new Map();

const PROBLEMS_AT_FIRST = 3; // the summary is one of them: more would fill the screen of a phone

// What is said of a pool leads to its page, which has its failures.
function say(node, words, pool) {
  let link = node.querySelector("a");
  if (Boolean(pool) !== Boolean(link)) {
    node.replaceChildren();
    link = pool ? node.appendChild(el("a")) : null;
  }
  if (link) attribute(link, "href", pool_link(pool));
  text(link ?? node, words);
}

function problem_row(first) {
  const node = el("li", { "data-level": first.level });
  return {
    node,
    update({ problem, hidden }) {
      say(node, problem.text, problem.pool);
      attribute(node, "data-level", problem.level);
      node.hidden = hidden;
    },
  };
}

// Spoken only when something else is the matter, not with every figure that changes.
function tell(verdict) {
  const matter = verdict.problems.map((one) => `${one.level} ${one.pool} ${one.server} ${one.text.split(/\d/)[0]}`).join();
  if (matter !== told) text($("said"), verdict.summary);
  told = matter;
}

function show_verdict() {
  attribute($("verdict"), "data-level", status.level);
  say($("summary"), status.summary, status.problems[0]?.pool);
  const others = status.problems.slice(1);
  const listed = others.map((problem, i) => ({ problem, hidden: !all_problems && i + 1 >= PROBLEMS_AT_FIRST }));
  keyed($("problems"), problems, listed, ({ problem: one }) => `${one.pool}/${one.server}/${one.level}/${one.text.split(/\d/)[0]}`,
    ({ problem }) => problem_row(problem));
  const more = $("more-problems");
  const folded = status.problems.length - PROBLEMS_AT_FIRST;
  more.hidden = folded <= 0;
  attribute(more, "aria-expanded", all_problems);
  text(more, all_problems ? `Show the first ${PROBLEMS_AT_FIRST} only` : `and ${folded} more`);
  tell(status);
}

function show() {
  if (!status) return;
  show_verdict();
  const { daemon } = status;
  text($("about"), `${daemon.host}, version ${daemon.version}, up for ${seconds(status.at - daemon.started_at)}` +
    (daemon.state === "draining" ? ", shutting down" : ""));
  document.title = status.well ? "Driveshaft" : `(${status.problems.length}) Driveshaft`;
  if (!pool_page) show_overview(status, epoch);
}

follow((said) => {
  if (status && (said.daemon.started_at !== started_at || said.at - status.at > 10)) epoch++;
  status = said;
  started_at = said.daemon.started_at;
  allow(said.daemon.takes_actions);
  show();
}, (state) => {
  const chip = $("link");
  attribute(chip, "data-state", state);
  text(chip, { live: "live", polling: "every 5 s", lost: "lost" }[state]);
  const lost = $("lost");
  lost.hidden = state !== "lost";
  text(lost, state !== "lost" ? "" : status
    ? `The daemon does not answer. What is shown is of ${time(status.at)}; this page goes on asking.`
    : "The daemon does not answer; this page goes on asking.");
});

function route(first) {
  pool_page?.close();
  text($("done"), "");
  const [, name] = location.hash.match(/^#\/pool\/(.+)$/) ?? [];
  let decoded = null;
  try {
    decoded = name ? decodeURIComponent(name) : null;
  } catch { /* no name: the overview */ }
  const had = pool_page;
  pool_page = decoded === null ? null : new PoolPage(decoded);
  $("overview").hidden = pool_page !== null;
  if (!first && pool_page) $("pool-title").focus();
  else if (had) $("main").focus();
  show();
}

// Where the page is, is in the address: that a reader skipped to the content is not.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
$("more-problems").addEventListener("click", () => {
  all_problems = !all_problems;
  show();
});
$("filter").addEventListener("input", show);
addEventListener("hashchange", () => route(false));
route(true);
