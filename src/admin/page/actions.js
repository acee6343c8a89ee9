// SPDX-License-Identifier: MIT
// What the page has the daemon do. A dialog says what will happen, asks for the token once, and shows in words why something was
// not done. The token is kept for this tab, and sent with actions alone.
import { $, el, number, text } from "./dom.js";

const KEPT_AS = "driveshaft-token";
const ANSWERS_WITHIN = 15000; // ms
const RERUNS_WITHIN = 35000;
const MOST_LETTERS = 10000; // of one run
const TIMES = [["", "until it is resumed"], ["600", "for 10 minutes"], ["3600", "for an hour"], ["28800", "for 8 hours"]];

let allowed = false;
let wanted = null; // what the dialog is about

// Whether the daemon takes actions from this page.
export function allow(is_so) {
  allowed = is_so;
}

// A button that opens the dialog. `about()` says what for, as ask() has it, when it is pressed.
export function act_button(about) {
  const button = el("button", { type: "button", class: "act", hidden: "" });
  button.addEventListener("click", () => ask(about()));
  return button;
}

// `label`: what is shown; `name`: what it is called where that is not seen beside it. Null: there is nothing to do.
export function show_button(button, label, name = label) {
  button.hidden = !allowed || label === null;
  if (button.hidden) return;
  text(button, label);
  button.setAttribute("aria-label", name);
}

export function pause(pool, running, then, of = "") {
  const reason = el("input", { id: "action-reason", maxlength: "80", autocomplete: "off" });
  const time = el("select", { id: "action-time" }, ...TIMES.map(([value, name]) => el("option", { value }, name)));
  return {
    title: of ? `Pause the function ${of} of ${pool}?` : `Pause the pool ${pool}?`,
    says: `No more of its jobs are taken: they wait at gearmand.${running > 0 ? ` ${running === 1 ? "The one that runs" : `The ${running} that run`} now may finish.` : ""}`,
    verb: "Pause",
    fields: [el("label", {}, "How long ", time), el("label", {}, "Reason, for all to see ", reason)],
    action: "pause",
    body: () => ({ pool, ...(of && { function: of }), ...(time.value && { for: Number(time.value) }), ...(reason.value && { reason: reason.value }) }),
    then,
  };
}

export function resume(pool, then, of = "") {
  return {
    title: of ? `Resume the function ${of} of ${pool}?` : `Resume the pool ${pool}?`,
    says: "Its jobs are taken again.",
    verb: "Resume",
    fields: [],
    action: "resume",
    body: () => ({ pool, ...(of && { function: of }) }),
    then,
  };
}

export function cancel(job, then) {
  const requeue = el("input", { type: "checkbox", id: "action-requeue" });
  return {
    title: `Cancel the job ${job.handle}?`,
    says: `Its request, of the function ${job.function}, is cut off, and the job fails. The endpoint may work on.`,
    verb: "Cancel the job",
    fields: [el("label", {}, requeue, " Have gearmand give it to another worker instead")],
    action: "cancel",
    body: () => ({ handles: [job.handle], ...(requeue.checked && { requeue: true }) }),
    then,
  };
}

// `letters`: those of the pool, as the API has them.
export function rerun_letters(pool, letters, then) {
  const count = letters.queued ?? letters.queued_known.jobs;
  const all = Math.min(count, MOST_LETTERS);
  const limits = [1, 10, 100, 1000].filter((limit) => limit < all);
  const limit = el("select", { id: "action-limit" }, el("option", { value: MOST_LETTERS }, all < count ? `the first ${number(all)}` : "all of them"),
    ...limits.map((value) => el("option", { value }, value === 1 ? "the first one" : `the first ${number(value)}`)));
  return {
    title: `Run the dead letters of ${pool} again?`,
    says: `${letters.function} has ${letters.queued === null ? "at least " : ""}${number(count)} dead ${count === 1 ? "letter" : "letters"}, which may be of other pools, too. ` +
      "Their jobs are submitted again; those that fail become dead letters again. A dead letter is removed once gearmand has taken its job. This may take 20 seconds.",
    verb: "Run again",
    fields: [el("label", {}, "Which ", limit)],
    action: "rerun-letters",
    within: RERUNS_WITHIN,
    body: () => ({ pool, limit: Number(limit.value) }),
    then,
  };
}

function say_error(words) {
  text($("action-error"), words);
}

function ask(about) {
  wanted = about;
  text($("action-title"), about.title);
  text($("action-says"), about.says);
  text($("action-do"), about.verb);
  $("action-fields").replaceChildren(...about.fields);
  $("action-token").value = "";
  $("action-token-field").hidden = sessionStorage.getItem(KEPT_AS) !== null;
  $("action-do").disabled = false;
  say_error("");
  $("action").showModal();
}

function ask_for_token(words) {
  sessionStorage.removeItem(KEPT_AS);
  $("action-token-field").hidden = false;
  $("action-token").focus();
  say_error(words);
}

async function send(about, token) {
  const answer = await fetch(`/api/v1/control/${about.action}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(about.body()),
    signal: AbortSignal.timeout(about.within ?? ANSWERS_WITHIN),
  });
  const said = await answer.json().catch(() => ({}));
  return { status: answer.status, done: said.done, error: said.error ?? `The daemon answers with HTTP status ${answer.status}.` };
}

async function act(about) {
  const token = sessionStorage.getItem(KEPT_AS) ?? $("action-token").value.trim();
  if (!token) return ask_for_token("An action needs the daemon's admin token.");
  if (/[^!-~]/.test(token)) return ask_for_token("A token has neither spaces nor letters beyond ASCII.");
  $("action-do").disabled = true;
  say_error("");
  let outcome = null;
  try {
    outcome = await send(about, token);
  } catch { /* no answer */ }
  $("action-do").disabled = false;
  const { status = 0, done = "", error = "" } = outcome ?? {};
  if (status !== 401 && status !== 0) sessionStorage.setItem(KEPT_AS, token);
  if (status === 200) {
    if (about === wanted) $("action").close();
    text($("done"), `Done: ${done}.`);
    return about.then();
  }
  const words = status === 0 ? "The daemon has not answered. Look whether it was done before you try again." : `It is not done: ${error}.`;
  if (about !== wanted) return text($("done"), words); // the dialog was left meanwhile
  if (status === 401) return ask_for_token("The daemon does not take this token. Its --admin_token_file has the right one.");
  say_error(words);
}

$("action-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!$("action-do").disabled) act(wanted);
});
$("action-leave").addEventListener("click", () => $("action").close());
$("action").addEventListener("close", () => (wanted = null));
