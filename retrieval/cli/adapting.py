"""`retrieval adapt`."""

from __future__ import annotations

from pathlib import Path

import click

from retrieval import adaptation
from retrieval.adaptation.adapting import DIRECTIONS, AdaptReport
from retrieval.adaptation.pair_files import read_training_pairs
from retrieval.cli.common import common_options, console, note, print_json
from retrieval.cli.evaluating import measures_table, tell_rejects
from retrieval.cli.progress import for_this_terminal
from retrieval.evaluation.metrics import SHARE
from retrieval.indexing.maintenance import list_generations
from retrieval.settings import Settings
from retrieval.sources import Reject


@click.command()
@click.argument("pairs", required=False, type=click.Path(path_type=Path))
@click.option(
    "--elsewhere",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Another index by the same model: say what is lost there; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Measure, and change nothing.")
@click.option("--force", is_flag=True, help="Also where all products are of one category.")
@click.option("--remove", is_flag=True, help="Publish the catalog without its adapter.")
@common_options
def adapt(
    pairs: Path | None,
    settings: Settings,
    as_json: bool,
    elsewhere: tuple[Path, ...],
    dry_run: bool,
    force: bool,
    remove: bool,
) -> None:
    """Fit a small adapter to the catalog, and adopt it if products held out are found better.

    It learns from the stored vectors of the products' photos and texts, or from PAIRS, a table
    with columns `image` and `text`; of the catalog not one photo is read again. `rollback` takes
    it back for the time being, --remove for good.
    """
    progress = for_this_terminal()
    if remove:
        generation = adaptation.remove(settings, progress)
        if as_json:
            print_json({"removed": generation is not None, **list_generations(settings)})
        elif generation is None:
            console().print("there was no adapter")
        else:
            console().print(f"generation {generation} is live, without an adapter")
        return
    embedded_pairs = None
    rejects: list[Reject] = []
    if pairs is not None:
        embedded_pairs, rejects = read_training_pairs(pairs, settings, progress)
    report = adaptation.adapt(
        settings, progress, pairs=embedded_pairs, elsewhere=elsewhere, dry_run=dry_run, force=force
    )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)
    tell_rejects(rejects)


def show_report(report: AdaptReport) -> None:
    """Before and after, here and elsewhere."""
    out = console()
    if report.before:
        _show_change(f"{report.held_out} products, held out", report.before, report.after)
    for name, measures in report.elsewhere.items():
        out.print()
        _show_change(f"elsewhere: {name}", measures["before"], measures["after"])
    if report.before:
        out.print()
        if not report.elsewhere:
            note("what is lost on other catalogs was not measured; --elsewhere INDEX does")
    out.print(report.reason)
    if report.adopted:
        out.print(f"generation {report.generation} is live, adapted ({report.seconds:.0f} s)")
        note("`retrieval rollback` takes it back, `retrieval adapt --remove` for good")


def _show_change(heading: str, before: dict[str, object], after: dict[str, object]) -> None:
    out = console()
    out.print(heading)
    for name in DIRECTIONS:
        rows = [("before", before[name]), ("after", after[name])]
        out.print(measures_table(name.replace("_", " "), rows))  # type: ignore[arg-type]
    if SHARE in before:
        out.print(f"a photo's neighbours, {SHARE}: {before[SHARE]:.1%} -> {after[SHARE]:.1%}")
