"""`retrieval rebuild`, `remove`, `verify`, `generations` and `rollback`."""

from __future__ import annotations

from typing import Any

import click
import rich.table

from retrieval.cli.common import ERROR, REJECTED, common_options, console, note, print_json
from retrieval.cli.moved import tell_of_photos_in
from retrieval.cli.progress import for_this_terminal
from retrieval.encoders.adapter import shown_name
from retrieval.indexing import maintenance
from retrieval.settings import INDEX_TYPES, Settings


@click.command()
@click.option(
    "--index-type",
    type=click.Choice(["auto", *INDEX_TYPES]),
    help="auto searches exactly while that is fast, then by compressed cells [default: as before].",
)
@common_options
def rebuild(settings: Settings, as_json: bool, index_type: str | None) -> None:
    """Derive the FAISS index again from the stored vectors and publish it; no model runs."""
    report = maintenance.rebuild(settings, for_this_terminal(), index_type)
    if as_json:
        print_json(report.as_dict())
    else:
        console().print(
            f"generation {report.generation}: {report.products} products, {report.vectors} "
            f"vectors, {report.index_type}, recall {report.recall:.3f}, {report.seconds:.1f} s"
        )
        for line in report.notes:
            note(line)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@common_options
def remove(settings: Settings, as_json: bool, ids: tuple[str, ...]) -> None:
    """Remove products by their ids; no model runs.

    They stay away until their source brings them again with a change.
    """
    report = maintenance.remove(settings, for_this_terminal(), ids)
    if as_json:
        print_json(report.as_dict())
    else:
        console().print(f"generation {report.generation}: removed {', '.join(report.removed)}")
        note("they stay away until their source brings them again with a change")
    for key in report.unknown:
        note(f"there is no product {key!r}")
    if report.unknown:
        raise click.exceptions.Exit(REJECTED)


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended without the model.")
@common_options
def verify(settings: Settings, as_json: bool, repair: bool) -> None:
    """Hold catalog, stored vectors and FAISS against each other."""
    report = maintenance.verify(settings, for_this_terminal(), repair=repair)
    tell_of_photos_in(settings)
    if as_json:
        print_json(report.as_dict())
    else:
        for done in report.repaired:
            console().print(f"repaired: {done}")
        for problem in report.problems:
            console().print(f"problem: {problem.text}")
        if report.ok:
            console().print("catalog, vectors and FAISS agree")
    if not report.ok:
        raise click.exceptions.Exit(ERROR)


@click.command()
@common_options
def generations(settings: Settings, as_json: bool) -> None:
    """List the published states of the index; the live one is marked."""
    listed = maintenance.list_generations(settings)
    if as_json:
        print_json(listed)
        return
    if not listed["generations"]:
        note(f"there is no index in {settings.index}; make one with `retrieval index SOURCE`")
        return
    names = ("created", "products", "vectors", "index_type", "recall", "model")
    table = rich.table.Table("", "generation", *names, box=None, pad_edge=False)
    for row in listed["generations"]:
        live = "live" if row["generation"] == listed["current"] else ""
        cells = [_cell(row, name) for name in names] if row["ok"] else ["damaged"]
        table.add_row(live, str(row["generation"]), *cells)
    console().print(table)


def _cell(row: dict[str, Any], name: str) -> str:
    return shown_name(str(row[name]), adapted=name == "model" and row["adapted"])


@click.command()
@click.argument("number", type=int, required=False)
@common_options
def rollback(settings: Settings, as_json: bool, number: int | None) -> None:
    """Make an earlier generation live again: NUMBER, or the one before the live one."""
    live = maintenance.rollback(settings, number)
    if as_json:
        print_json(maintenance.list_generations(settings))
    else:
        console().print(f"generation {live} is live")
        if maintenance.rolled_back_to(settings) is not None:
            note("the next `index` or `rebuild` publishes the catalog as it stands again")
