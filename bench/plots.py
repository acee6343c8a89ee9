# SPDX-License-Identifier: MIT
"""Rounds of numbers → SVG files: each target's ratio beside its limit, the programs of each scenario side by side, and
how cost grows."""

import statistics

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  after the choice of what draws

from report import COLUMNS, targets
from scenarios import GROWTH

matplotlib.rcParams.update({
    "svg.hashsalt": "driveshaft", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False,
    "font.size": 9, "figure.facecolor": "white"})
COLORS = {"ours": "#0b6e99", "ours WARN": "#7fb6cf", "floor": "#888888", "php": "#777bb3", "php, kept": "#b3b5d6", "node": "#5a9e4b",
          "libgearman": "#c98a2b"}
SHOWN = ("jobs_s", "rtt_ms", "core_percent", "dispatcher_us", "rss_mb", "start_ms")  # at most this many of a scenario


def save(figure, path):
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def middle_and_spread(values):
    """As an error bar wants them."""
    middle = statistics.median(values)
    return middle, [[middle - min(values)], [max(values) - middle]]


def draw_targets(path, verdicts):
    """Every target on one scale: the share of its limit that is used up; 1 is the limit."""
    verdicts = list(reversed(verdicts))
    figure, axes = pyplot.subplots(figsize=(7, 0.32 * len(verdicts) + 0.8))
    for row, (target, ratios, reached) in enumerate(verdicts):
        used = [ratio / target.at_most if target.at_most is not None else target.at_least / ratio for ratio in ratios]
        middle, spread = middle_and_spread(used)
        axes.barh(row, middle, xerr=spread, height=0.6, color="#0b6e99" if reached else "#b3261e", ecolor="#555555")
        axes.annotate(f" {statistics.median(ratios):.2f} ({target.limit()})", (0, row), va="center", color="white",
                      fontsize=8)
    axes.axvline(1, color="#b3261e", linewidth=1)
    axes.set_yticks(range(len(verdicts)), [target.text for target, _, _ in verdicts])
    axes.set_xlabel("share of the limit that is used; left of the line is reached")
    save(figure, path)


def draw_scenario(path, scenario, measured):
    names = [name for name in SHOWN if all(name in rounds[0] for rounds in measured.values())]
    figure, every = pyplot.subplots(1, len(names), figsize=(3 * len(names), 0.4 * len(measured) + 1), squeeze=False)
    for axes, name in zip(every[0], names):
        for row, (program, rounds) in enumerate(reversed(measured.items())):
            middle, spread = middle_and_spread([numbers[name] for numbers in rounds])
            axes.barh(row, middle, xerr=spread, height=0.6, color=COLORS.get(program, "#333333"), ecolor="#555555")
            axes.annotate(f" {middle:,.{COLUMNS[name][1]}f}", (middle + spread[1][0], row), va="center", fontsize=8)
        axes.set_xlim(right=axes.get_xlim()[1] * 1.25)
        axes.set_yticks(range(len(measured)), list(reversed(measured)) if axes is every[0][0] else [])
        axes.set_title(COLUMNS[name][0], fontsize=9)
    figure.suptitle(f"{scenario.name}: {scenario.about}", fontsize=9)
    figure.tight_layout()
    save(figure, path)


def draw_growth(path, what, series, runs):
    figure, every = pyplot.subplots(1, 3, figsize=(10, 2.8))
    programs = [program for name, program in runs if name == next(iter(series.values())).name]
    for axes, number in zip(every, ("jobs_s", "dispatcher_us", "rss_mb")):
        for program in programs:
            points = [(value, [one[number] for one in runs[scenario.name, program]])
                      for value, scenario in series.items() if (scenario.name, program) in runs]
            values, measured = zip(*points)
            bars = [middle_and_spread(one) for one in measured]
            axes.errorbar(values, [middle for middle, _ in bars],
                          yerr=[[bar[side][0] for _, bar in bars] for side in (0, 1)],
                          marker="o", markersize=3, linewidth=1, label=program, color=COLORS.get(program, "#333333"))
        axes.set_xscale("log")
        if what == "size" and number != "rss_mb":
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xticks(list(series), [f"{value:,}" for value in series], fontsize=7)
        axes.minorticks_off()
        axes.set_title(COLUMNS[number][0], fontsize=9)
        axes.set_xlabel(what)
    every[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    save(figure, path)


def draw(directory, scenarios, runs):
    directory.mkdir(parents=True, exist_ok=True)
    drawn = {scenario.name for scenario in scenarios}
    verdicts = targets(runs)
    if verdicts:
        draw_targets(directory / "targets.svg", verdicts)
    for what, series in GROWTH.items():
        names = {scenario.name for scenario in series.values()}
        if names <= drawn:
            draw_growth(directory / f"growth-{what}.svg", what, series, runs)
            drawn -= names
    for scenario in scenarios:
        if scenario.name in drawn:
            measured = {program: rounds for (name, program), rounds in runs.items() if name == scenario.name}
            draw_scenario(directory / f"{scenario.name}.svg", scenario, measured)
