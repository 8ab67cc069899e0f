"""`retrieval quantize`."""

from __future__ import annotations

from pathlib import Path

import click
import rich.table

from retrieval.adaptation import int8 as quantization
from retrieval.adaptation.int8 import LEAST_KEPT, QuantizeReport
from retrieval.cli.common import common_options, console, note, print_json
from retrieval.cli.progress import for_this_terminal
from retrieval.settings import Settings


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--keep",
    type=click.FloatRange(0, 1),
    default=LEAST_KEPT,
    show_default=True,
    help="Share of the ten nearest neighbours that must stay.",
)
@common_options
def quantize(out: Path, settings: Settings, as_json: bool, keep: float) -> None:
    """Make the model of the index int8 and write it to OUT, if the catalog is found as well by it.

    Each tower is calibrated and judged on the catalog's own photos and titles: it must keep its
    neighbours, lose no recall that can be told from chance, and be faster. Use the new model by
    `retrieval index SOURCE --model int8:OUT`. Needs `pip install nncf`.
    """
    report = quantization.quantize(settings, out, for_this_terminal(), keep=keep)
    if as_json:
        print_json(report.as_dict())
        return
    _show(report)
    if report.name is None:
        note(f"nothing was written; {report.model} goes on as it is")
    else:
        note(f"use it by: retrieval index SOURCE --model {report.name}")


def _show(report: QuantizeReport) -> None:
    directions = next(iter(report.towers.values())).recall
    table = rich.table.Table(
        "tower", "neighbours kept", *(f"{name}, R@10" for name in directions), "speed", "", box=None
    )
    for side, tower in report.towers.items():
        recall = [f"{100 * change.value:+.1f} points" for change in tower.recall.values()]
        verdict = "int8" if tower.refused is None else f"as it was: {tower.refused}"
        kept = f"{tower.neighbour_overlap.overlap:.1%}"
        table.add_row(side, kept, *recall, f"{tower.speedup:.2f}x", verdict)
    console().print(table)
