"""Plots of an evaluation, as SVG that follows the colours of the page it stands in."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from retrieval.evaluation.metrics import Ints

DEPTH = 50
SHOWN_CLASSES = 30
MAX_NAME = 34
# Told apart also by people who see red and green alike (Okabe and Ito, 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
# Matplotlib draws in this colour what is then left to the page.
INK = "#010203"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "retrieval",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def recall_curves(ranks: Mapping[str, Ints], title: str) -> str:
    """Share of queries answered within the first K, for K from 1 to DEPTH, a line a system."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        depths = np.arange(1, DEPTH + 1)
        for colour, (name, rank) in zip(_colours(len(ranks)), ranks.items(), strict=True):
            shares = (rank[None] <= depths[:, None]).mean(axis=1)
            axes.plot(depths, shares, color=colour, label=_short(name), linewidth=2)
        axes.set_xscale("log")
        ticks = [1, 2, 5, 10, 20, 50]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(0, 1)
        axes.set_yticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
        axes.grid(alpha=0.25)
        axes.set_xlabel("within the first K")
        axes.set_title(title, fontsize=11, loc="left")
        if len(ranks) > 1:
            axes.legend(frameon=False, loc="upper left")
        return _svg(figure, f"Recall at K, {title}")


def category_bars(categories: Mapping[str, Mapping[str, Any]], measure: str = "R@10") -> str:
    """A measure by category with its 95 % interval, the best on top."""
    listed = sorted(categories.items(), key=lambda item: item[1][measure])[-SHOWN_CLASSES:]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(6.6, 0.9 + 0.28 * len(listed)), layout="constrained")
        axes = figure.add_subplot()
        values = np.array([measures[measure] for _, measures in listed])
        bounds = np.array([measures["intervals"][measure] for _, measures in listed])
        errors = np.abs(bounds.T - values)
        axes.barh(range(len(listed)), values, color=COLOURS[0], alpha=0.8, height=0.7)
        axes.errorbar(
            values, range(len(listed)), xerr=errors, fmt="none", ecolor=INK, elinewidth=1, capsize=2
        )
        names = [f"{_short(name)} ({measures['queries']})" for name, measures in listed]
        axes.set_yticks(range(len(listed)), names)
        axes.set_xlim(0, 1)
        axes.set_xticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
        axes.set_xlabel(f"{measure}, text to image")
        return _svg(figure, f"{measure} by category")


def confusion_plot(counts: npt.NDArray[np.int64], classes: Sequence[str]) -> str:
    """Which classes are taken for which: rows are the truth and sum to one."""
    listed = np.asarray(counts[:SHOWN_CLASSES, :SHOWN_CLASSES], dtype=np.float64)
    shares = listed / np.maximum(counts[:SHOWN_CLASSES].sum(axis=1, keepdims=True), 1)
    names = [_short(name) for name in classes[:SHOWN_CLASSES]]
    size = 2.2 + 0.27 * len(names)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(size + 1, size), layout="constrained")
        axes = figure.add_subplot()
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=9)
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.set_xlabel("taken for")
        axes.set_ylabel("is")
        if len(names) <= 12:
            for row, column in np.ndindex(*shares.shape):
                share = shares[row, column]
                if share >= 0.005:
                    ink = "#ffffff" if share > 0.55 else "#222222"
                    axes.text(
                        column, row, f"{share:.0%}", ha="center", va="center", color=ink, fontsize=8
                    )
        bar = figure.colorbar(picture, ax=axes, shrink=0.7)
        bar.set_ticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
        return _svg(figure, "Confusion of zero-shot classes")


def latency_bars(latencies: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Median latency with the 95th percentile as a whisker; a group of bars a kind of work."""
    kinds = ["text", "image", "search", "query"]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.0), layout="constrained")
        axes = figure.add_subplot()
        width = 0.8 / len(latencies)
        for number, (name, times) in enumerate(latencies.items()):
            at = np.arange(len(kinds)) + number * width
            middle = np.array([times[kind]["p50"] for kind in kinds])
            above = np.array([times[kind]["p95"] for kind in kinds]) - middle
            colour = COLOURS[number % len(COLOURS)]
            axes.bar(at, middle, width * 0.9, color=colour, label=_short(name))
            axes.errorbar(at, middle, yerr=[above * 0, above], fmt="none", ecolor=INK, capsize=3)
        middle_of_group = (len(latencies) - 1) * width / 2
        axes.set_xticks(np.arange(len(kinds)) + middle_of_group, kinds)
        axes.set_yscale("log")
        axes.set_ylabel("ms, one at a time")
        axes.grid(axis="y", alpha=0.25)
        if len(latencies) > 1:
            figure.legend(frameon=False, loc="outside upper left", ncols=3)
        return _svg(figure, "Latency: median and 95th percentile")


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def _short(name: str) -> str:
    # A dollar would start a formula.
    name = name.replace("$", r"\$")
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "\u2026"


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = svg.replace(INK, "currentColor")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
