// SPDX-License-Identifier: MIT
// Charts, drawn by dygraphs. A chart that is not in view is not drawn.
import { el } from "./dom.js";

// The legend's plug-in sets a style attribute, which the page's policy forbids; the keys below say the same.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Set(); // charts there are

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const in_view = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.target.chart?.seen(entry.isIntersecting);
});
dark.addEventListener("change", () => drawn.forEach((chart) => chart.recolor()));

// One chart. `series` are {label, color: 1…3, unit}; rows are [Date, value, …]. A spark has no axes.
export class Chart {
  #node;
  #series;
  #graph = null;
  #rows = [];
  #seen = false;
  #spark;
  #format;

  constructor(node, series, { spark = false, format = String } = {}) {
    this.#node = node;
    this.#series = series;
    this.#spark = spark;
    this.#format = format;
    node.chart = this;
    drawn.add(this);
    in_view.observe(node);
  }

  show(rows) {
    this.#rows = rows;
    this.#draw();
  }

  seen(now) {
    this.#seen = now;
    this.#draw();
  }

  recolor() {
    this.#graph?.updateOptions(this.#colors());
  }

  destroy() {
    in_view.unobserve(this.#node);
    drawn.delete(this);
    this.#graph?.destroy();
    this.#graph = null;
    this.#node.chart = null;
  }

  #colors() {
    return {
      colors: this.#series.map((one) => color(`--chart-${one.color}`)),
      gridLineColor: color("--line"),
      axisLineColor: color("--line"),
    };
  }

  #draw() {
    if (!this.#seen || document.hidden || this.#rows.length < 2) return;
    if (this.#graph) {
      this.#graph.updateOptions({ file: this.#rows });
      return;
    }
    this.#graph = new Dygraph(this.#node, this.#rows, {
      labels: ["time", ...this.#series.map((one) => one.label)],
      ...this.#colors(),
      interactionModel: {},
      highlightCircleSize: 0,
      strokeWidth: 1.5,
      includeZero: true,
      fillGraph: this.#spark,
      fillAlpha: 0.2,
      // A value between two seconds that have none is no line, and would be a speck.
      pointSize: this.#spark ? 1 : 2.5,
      connectSeparatedPoints: false,
      drawGapEdgePoints: true,
      axes: this.#spark
        ? { x: { drawAxis: false, drawGrid: false }, y: { drawAxis: false, drawGrid: false } }
        : { x: { pixelsPerLabel: 80 }, y: { axisLabelFormatter: this.#format, axisLabelWidth: 62, pixelsPerLabel: 30 } },
    });
  }
}

// What the colours mean.
export function key(series) {
  return el("p", { class: "key" }, ...series.map((one) => {
    const mark = el("i", { "data-color": one.color, "aria-hidden": "true" });
    return el("span", {}, mark, one.label);
  }));
}
