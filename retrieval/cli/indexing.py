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
from retrieval.encoders.licences import licence_of
from retrieval.errors import SourceError
from retrieval.images.kinds import told_by_kind, told_passed_over
from retrieval.indexing.building import index_source, preview_source
from retrieval.indexing.rejects import REJECTS_FILE, write_rejects
from retrieval.indexing.relocating import find_photos
from retrieval.indexing.tally import IndexReport
from retrieval.settings import Settings
from retrieval.sources import Reject, Source, open_source, parse_map, unread_tables

SHOWN_REJECTS = 10
STARTER_ADVICE = (
    "made with the bundled starter model, which is small; real catalogs are served better by "
    "--model ViT-B-32-256/datacomp_s34b_b86k (MIT; English, on a CPU), "
    "hf-hub:Marqo/marqo-ecommerce-embeddings-B (Apache-2.0; product photos), "
    "ViT-B-16-SigLIP2-256/webli (Apache-2.0; other languages) or "
    "PE-Core-L-14-336/meta (Apache-2.0; on a GPU); `retrieval models` lists all"
)


@click.command()
@click.argument("source", type=click.Path(path_type=Path), required=False)
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
@click.option(
    "--photos-at",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The photos of the index lie below FOLDER now; no SOURCE, nothing is embedded.",
)
@click.option("--yes", is_flag=True, help="Publish also where many photos are lost for good.")
@model_options
@common_options
def index(
    source: Path | None,
    settings: Settings,
    as_json: bool,
    mapping: str | None,
    dry_run: bool,
    prune: bool,
    rejects: Path | None,
    photos_at: Path | None,
    yes: bool,
) -> None:
    """Index SOURCE: a CSV, TSV, JSONL or Parquet file, or a folder of images.

    Columns are id, title, description, image, category, brand and price, by these or by usual
    other names; every other column is kept as an attribute. `image` may hold several paths,
    split by |, relative to the file. Run it again after a change: only what changed is embedded.
    """
    progress = for_this_terminal()
    if (source is None) == (photos_at is None):
        raise click.UsageError("Give a SOURCE to index, or --photos-at FOLDER.")
    if source is None:
        assert photos_at is not None
        report = find_photos(photos_at, settings, progress, dry_run=dry_run)
        if rejects:
            write_rejects(rejects, report.rejects)
        return _tell(report, rejects, as_json=as_json)
    opened = open_source(source, settings, _map_option(mapping))
    _show_mapping(opened)
    if dry_run:
        report = preview_source(opened, settings, progress, prune=prune, rejects_file=rejects)
    else:
        report = index_source(
            opened, settings, progress, prune=prune, yes=yes, rejects_file=rejects
        )
    if report.model == STARTER and not dry_run:
        note(STARTER_ADVICE)
    licence = licence_of(report.model)
    if licence.commercial is False:
        note(f"the licence of {report.model} ({licence.name}) does not allow its use in a shop")
    file = rejects or (None if dry_run else settings.index / REJECTS_FILE)
    return _tell(report, file, as_json=as_json)


def _tell(report: IndexReport, file: Path | None, *, as_json: bool) -> None:
    """Prints what a run did; `file` lists what was left out."""
    if as_json:
        print_json(report.as_dict())
    else:
        _show_report(report, file)
    if report.rejected or report.passed_over:
        raise click.exceptions.Exit(REJECTED)


@click.command()
@common_options
def models(settings: Settings, as_json: bool) -> None:
    """List the models that --model takes."""
    entries = list_models()
    if as_json:
        print_json({"models": entries, "backend": machine_backend(settings)})
        return
    columns = ("name", "dimensions", "image size", "speed", "licence of the weights")
    table = rich.table.Table(*columns, box=None, pad_edge=False)
    for entry in entries:
        name = f"{entry['name']}  (bundled)" if entry["bundled"] else entry["name"]
        cells = [_or_dash(entry[column]) for column in ("dim", "image_size", "speed")]
        not_in_a_shop = "; not in a shop" if licence_of(entry["name"]).commercial is False else ""
        table.add_row(name, *cells, _or_dash(entry["licence"]) + not_in_a_shop)
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
    for folder in report.indexes_passed_over:
        note(f"{folder} is an index: passed over, what it keeps is no source")
    if report.beside:
        note(f"{report.beside} products that the source does not have are kept; --prune drops them")
    if len(report.taken) > 1 or report.passed_over:
        note(f"photos by kind: {told_by_kind(report.taken)}")
    if report.passed_over:
        note(told_passed_over(report.passed_over))
    _show_notes(report.notes)
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


def _show_notes(lines: list[str]) -> None:
    for line in lines[:SHOWN_REJECTS]:
        note(line)
    if len(lines) > SHOWN_REJECTS:
        note(f"... and {len(lines) - SHOWN_REJECTS} more")


def _summary(report: IndexReport) -> list[tuple[str, str]]:
    changes = (
        f"{report.added} new, {report.updated} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed"
    )
    rows = [
        ("products", f"{report.products}  ({changes})"),
        ("photos", str(report.images) + _unreachable(report)),
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


def _unreachable(report: IndexReport) -> str:
    count = report.photos_unreachable
    return f"  ({count} cannot be read today; what is known of them is kept)" if count else ""


def describe(reject: Reject) -> str:
    """A reject as one line."""
    where = f"row {reject.row}" if reject.row is not None else "index"
    name = f" ({reject.key})" if reject.key else ""
    value = f" {reject.value!r}" if reject.value else ""
    return f"{where}{name}, {reject.field}{value}: {reject.reason}"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)
