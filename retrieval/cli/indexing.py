"""`retrieval index` and `retrieval models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import rich.table

from retrieval.cli.common import REJECTED, common_options, console, model_options, note, print_json
from retrieval.cli.progress import for_this_terminal
from retrieval.encoders import STARTER, list_models, machine_backend
from retrieval.encoders.adapter import shown_name
from retrieval.errors import SourceError
from retrieval.indexing.building import index_source, preview_source
from retrieval.indexing.indexer import IndexReport
from retrieval.indexing.rejects import REJECTS_FILE
from retrieval.settings import Settings
from retrieval.sources import Reject, Source, open_source, parse_map, unread_tables

SHOWN_REJECTS = 10
STARTER_ADVICE = (
    "made with the bundled starter model, which is small; real catalogs are served better by "
    "--model ViT-B-32/laion2b_s34b_b79k or MobileCLIP2-S0/dfndr2b (`retrieval models` lists all)"
)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Model [default: the index's own, else starter].")
@click.option("--map", "mapping", metavar="FIELD=COLUMN,...", help="Which column is what.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; no model, nothing written.")
@click.option("--prune", is_flag=True, help="Drop products that SOURCE does not have.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write what was left out, as JSON lines [default: INDEX/rejects.jsonl].",
)
@model_options
@common_options
def index(
    source: Path,
    settings: Settings,
    as_json: bool,
    mapping: str | None,
    dry_run: bool,
    prune: bool,
    rejects: Path | None,
) -> None:
    """Index SOURCE: a CSV, TSV, JSONL or Parquet file, or a folder of images.

    Columns are id, title, description, image, category, brand and price, by these or by usual
    other names; every other column is kept as an attribute. `image` may hold several paths,
    split by |, relative to the file. Run it again after a change: only what changed is embedded.
    """
    progress = for_this_terminal()
    opened = open_source(source, settings, _map_option(mapping))
    _show_mapping(opened)
    run = preview_source if dry_run else index_source
    report = run(opened, settings, progress, prune=prune, rejects_file=rejects)
    if as_json:
        print_json(report.as_dict())
    else:
        _show_report(report, rejects or (None if dry_run else settings.index / REJECTS_FILE))
    if report.model == STARTER and not dry_run:
        note(STARTER_ADVICE)
    if report.rejected:
        raise click.exceptions.Exit(REJECTED)


@click.command()
@common_options
def models(settings: Settings, as_json: bool) -> None:
    """List the models that --model takes."""
    entries = list_models()
    if as_json:
        print_json({"models": entries, "backend": machine_backend(settings)})
        return
    table = rich.table.Table("name", "dimensions", "image size", box=None, pad_edge=False)
    for entry in entries:
        name = f"{entry['name']}  (bundled)" if entry["bundled"] else entry["name"]
        table.add_row(name, _or_dash(entry["dim"]), _or_dash(entry["image_size"]))
    console().print(table)
    note(f"on this machine they are run by {machine_backend(settings)}")


def _map_option(mapping: str | None) -> dict[str, str]:
    try:
        return parse_map(mapping)
    except SourceError as error:
        raise click.UsageError(str(error)) from None


def _show_mapping(source: Source) -> None:
    fields = [f"{field} <- {' + '.join(columns)}" for field, columns in source.mapping.items()]
    note(f"columns: {', '.join(fields)}")
    unread = unread_tables(source.path)
    if unread:
        note(
            f"photos go by their names: {unread[0].name} beside them is not read; index it instead?"
        )
    if source.attributes:
        note(f"kept as attributes: {', '.join(source.attributes)}")


def _show_report(report: IndexReport, file: Path | None) -> None:
    verb = "would be " if report.dry_run else ""
    table = rich.table.Table.grid(padding=(0, 2))
    for name, value in _summary(report):
        table.add_row(name, value)
    console().print(table)
    if report.beside:
        note(f"{report.beside} products that the source does not have are kept; --prune drops them")
    if report.kept_away:
        note(
            f"{report.kept_away} products stay away, as they were removed by their ids and their "
            "rows have not changed since"
        )
    for reject in report.rejects[:SHOWN_REJECTS]:
        note(f"{verb}rejected: {describe(reject)}")
    if len(report.rejects) > SHOWN_REJECTS:
        more = f"{len(report.rejects) - SHOWN_REJECTS} more"
        note(f"... and {more}" + (f", all in {file}" if file else "; --rejects FILE keeps all"))


def _summary(report: IndexReport) -> list[tuple[str, str]]:
    changes = (
        f"{report.added} new, {report.updated} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed"
    )
    rows = [
        ("products", f"{report.products}  ({changes})"),
        ("photos", str(report.images)),
        ("texts", str(report.texts)),
        ("embedded", f"{report.embedded}  ({report.reused} needed no embedding)"),
        ("rejected", str(report.rejected)),
    ]
    if not report.dry_run:
        rate = f", {report.images_per_second} photos/s" if report.images_per_second else ""
        rows.append(("time", f"{report.seconds:.1f} s{rate}"))
        model = shown_name(report.model, adapted=report.adapted)
        rows.append(("generation", f"{report.generation}  ({model})"))
    return rows


def describe(reject: Reject) -> str:
    """A reject as one line."""
    where = f"row {reject.row}" if reject.row is not None else "index"
    name = f" ({reject.key})" if reject.key else ""
    value = f" {reject.value!r}" if reject.value else ""
    return f"{where}{name}, {reject.field}{value}: {reject.reason}"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)
