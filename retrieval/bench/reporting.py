"""Results as JSON, as tables to read, and as plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from retrieval.bench.goals import Goal
from retrieval.bench.measuring import Measurement, is_rate

RESULTS, TABLES, SPEED, GROWTH = "results.json", "results.md", "speed.png", "growth.png"
OURS, THEIRS = "#0072b2", "#9aa3ab"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")


def document(
    machine: dict[str, Any], measurements: Sequence[Measurement], goals: Sequence[Goal]
) -> dict[str, Any]:
    """All of a run, as `--json` prints it."""
    return {
        "machine": machine,
        "measurements": [measurement.as_dict() for measurement in measurements],
        "goals": [asdict(goal) for goal in goals],
    }


def write_results(
    folder: Path,
    machine: dict[str, Any],
    measurements: Sequence[Measurement],
    goals: Sequence[Goal],
) -> None:
    """Writes RESULTS, TABLES, and the plots that there is something for."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(machine, measurements, goals), indent=1, ensure_ascii=False)
    (folder / RESULTS).write_text(text + "\n", "utf-8")
    (folder / TABLES).write_text(tables(machine, measurements, goals), "utf-8")
    speed = _speed_plot(measurements)
    if speed is not None:
        speed.savefig(folder / SPEED, dpi=130)
    growth = _growth_plot(measurements)
    if growth is not None:
        growth.savefig(folder / GROWTH, dpi=130)


def tables(
    machine: dict[str, Any], measurements: Sequence[Measurement], goals: Sequence[Goal]
) -> str:
    """Markdown: the machine, the goals, and a table a suite."""
    lines = [
        f"Measured on {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB, {' '.join(machine['instructions'])}; load before "
        f"{machine['load']}. "
        + ", ".join(f"{k} {v}" for k, v in machine["packages"].items())
        + ".",
        "Ratios are against the baseline of the same case in the same run; more is better.",
    ]
    reached = [goal for goal in goals if goal.reached is not None]
    if reached:
        lines += ["", "| goal | wanted | reached | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {goal.what} | {goal.wanted} | {goal.reached} | {'met' if goal.met else 'missed'} |"
        for goal in reached
    ]
    for suite in dict.fromkeys(measurement.suite for measurement in measurements):
        lines += [
            "",
            f"### {suite.capitalize()}",
            "| case | method | median (low to high) | ratio | notes |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(measurement) for measurement in measurements if measurement.suite == suite]
    return "\n".join(lines) + "\n"


def _row(measurement: Measurement) -> str:
    value = f"{_number(measurement.median)} {measurement.unit}"
    if measurement.low != measurement.high:
        value += f" ({_number(measurement.low)} to {_number(measurement.high)})"
    ratio = "" if measurement.ratio is None else f"{measurement.ratio:.1f}x"
    notes = ", ".join(
        f"{name.replace('_', ' ')} {note}" for name, note in measurement.notes.items()
    )
    return f"| {measurement.case} | {measurement.method} | {value} | {ratio} | {notes} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _speed_plot(measurements: Sequence[Measurement]) -> Figure | None:
    """Rates of encoding, a group of bars a model."""
    rows = [row for row in measurements if row.suite == "encode photos" and is_rate(row.unit)]
    if not rows:
        return None
    figure = Figure(figsize=(8, 0.5 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    names = [f"{row.case}: {row.method}" for row in rows]
    colours = [OURS if row.method.startswith("retrieval") else THEIRS for row in rows]
    axes.barh(names, [row.median for row in rows], color=colours)
    for place, row in enumerate(rows):
        axes.annotate(f" {row.median:,.0f}", (row.median, place), va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("photos a second")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _growth_plot(measurements: Sequence[Measurement]) -> Figure | None:
    """Time and memory against the number of products, both axes by powers of ten."""
    rows = [row for row in measurements if row.case.endswith(" products")]
    if len({row.case for row in rows}) < 2:
        return None
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for colour, suite in zip(COLOURS * 3, dict.fromkeys(row.suite for row in rows), strict=False):
        of_suite = [row for row in rows if row.suite == suite]
        sizes = [int(row.case.split()[0].replace(",", "")) for row in of_suite]
        unit = of_suite[0].unit
        values = [row.median / (1000 if unit == "ms" else 1) for row in of_suite]
        axes = right if unit == "MB" else left
        axes.plot(sizes, values, marker="o", color=colour, label=suite)
    for axes, label in ((left, "seconds"), (right, "MB")):
        axes.set(xscale="log", yscale="log", xlabel="products", ylabel=label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, ncol=2, loc="upper left", bbox_to_anchor=(0, -0.16))
    return figure
