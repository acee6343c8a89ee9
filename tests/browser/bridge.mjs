// SPDX-License-Identifier: MIT
// Drives Chromium for tests/browser.py: a command in JSON a line comes in, {"value"} or {"error"} in JSON goes out.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";

const modules = createRequire(join(process.argv[2], "package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  // Root needs the first; containers have little in /dev/shm.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--js-flags=--expose-gc"],
});
let context = null;
let page = null;
let devtools = null;
let faults = [];
let requests = 0;

const commands = {
  // A fresh page, with nothing of the last one.
  async open({ url, width = 1280, height = 800, scheme = "light", password }) {
    await context?.close();
    faults = [];
    requests = 0;
    context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce",
      ignoreHTTPSErrors: url.startsWith("https:"), // it does not know the authority of the tests
      // Shown when it is asked for, as by somebody who types it into the browser's own dialog.
      ...(password && { httpCredentials: { username: "somebody", password } }) });
    page = await context.newPage();
    page.setDefaultTimeout(15000);
    devtools = await context.newCDPSession(page);
    await devtools.send("Performance.enable");
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", () => requests++);
    page.on("console", (message) => {
      // That a daemon which is gone cannot be reached is what some tests are about.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
    });
    await page.goto(url);
  },
  eval: ({ code, argument }) => page.evaluate(`(${code})(${JSON.stringify(argument ?? null)})`),
  text: ({ selector }) => page.locator(selector).first().innerText(),
  texts: ({ selector }) => page.locator(selector).allInnerTexts(),
  visible: ({ selector }) => page.locator(selector).first().isVisible(),
  click: ({ selector }) => page.locator(selector).first().click(),
  fill: ({ selector, text }) => page.locator(selector).first().fill(text),
  choose: ({ selector, value }) => page.locator(selector).first().selectOption(value).then(() => null),
  reload: () => page.reload().then(() => null),
  press: ({ key }) => page.keyboard.press(key),
  resize: ({ width, height }) => page.setViewportSize({ width, height }),
  scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
  screenshot: ({ path, full }) => page.screenshot({ path, fullPage: full }).then(() => null),
  faults: async () => faults,
  requests: async () => requests,
  // What there is after a collection: {Nodes, JSEventListeners, JSHeapUsedSize, …}
  async memory() {
    await page.evaluate("gc()");
    const { metrics } = await devtools.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  },
  // Problems that matter, of axe-core: [{id, impact, help, nodes}]
  async axe() {
    const result = await page.evaluate(`${axe}; axe.run()`);
    return result.violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, impact, help, nodes }) => (
      { id, impact, help, nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`) }));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](options)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
