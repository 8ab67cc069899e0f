"""`retrieval evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import rich.table

from retrieval.cli.common import REJECTED, common_options, console, model_options, note, print_json
from retrieval.cli.indexing import SHOWN_REJECTS, describe
from retrieval.cli.progress import for_this_terminal
from retrieval.common.progress import Progress
from retrieval.encoders.adapter import shown_name
from retrieval.evaluation.evaluating import FLATTERED
from retrieval.evaluation.evaluating import evaluate as run_evaluation
from retrieval.evaluation.judgements import read_judgements, read_run, write_qrels, write_run
from retrieval.evaluation.metrics import CUTOFFS, FULL, MEASURES, SHARE
from retrieval.evaluation.searches import SearchEvaluation, judge_run, judge_searches
from retrieval.evaluation.zero_shot import TEMPLATES, read_templates
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings
from retrieval.sources import Reject

SIGNIFICANCE = (
    "differences with 95 % intervals and p of a paired randomisation test; * where p is below 0.05 "
    "after Holm's correction over all measures of a comparison"
)
PERCENTAGES = (*(f"R@{k}" for k in CUTOFFS), FULL)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("pairs", required=False, type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Model [default: the index's own, else starter].")
@click.option("--compare", multiple=True, metavar="NAME", help="Another model; may be repeated.")
@click.option(
    "--queries",
    type=click.Choice(["titles", "descriptions"]),
    default="titles",
    show_default=True,
    help="Without PAIRS: which texts of the catalog ask for their photos.",
)
@click.option("--judgements", type=_FILE, metavar="FILE", help="Searches and what was right.")
@click.option("--topics", type=_FILE, metavar="FILE", help="What the queries of qrels are.")
@click.option("--read-run", type=_FILE, metavar="FILE", help="Judge this TREC run instead.")
@click.option("--write-run", type=_FILE, metavar="FILE", help="Write our ranking as a TREC run.")
@click.option("--write-qrels", type=_FILE, metavar="FILE", help="Write the judgements as qrels.")
@click.option("--templates", type=_FILE, metavar="FILE", help="Prompts of zero-shot classes.")
@click.option("--report", type=_FILE, metavar="FILE", help="Write an HTML report, plots included.")
@model_options
@common_options
def evaluate(
    pairs: Path | None,
    settings: Settings,
    as_json: bool,
    compare: tuple[str, ...],
    queries: str,
    templates: Path | None,
    report: Path | None,
    **options: Any,
) -> None:
    """Measure how well photos and texts find each other.

    PAIRS is a table with columns `image`, `text` and, for zero-shot classification, `label`.
    Without it the titles (or descriptions) of the index's own products ask for their photos.
    With --judgements whole searches are judged: by a table of `query` and `product_id`, one row
    a click (or with a column `clicks` or `relevance`), or by TREC qrels and --topics.
    """
    progress = for_this_terminal()
    source = click.get_current_context().get_parameter_source("queries")
    if pairs is not None and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--queries is for the catalog's own texts; PAIRS brings its own")
    if options["judgements"] is None:
        _only_with_judgements(options)
        evaluation = run_evaluation(
            settings,
            progress,
            pairs=pairs,
            compare_with=compare,
            queries=queries.removesuffix("s"),
            templates=read_templates(templates) if templates else TEMPLATES,
        )
        if report is not None:
            from retrieval.evaluation.report import write_report

            with progress.task("writing the report"):
                write_report(report, evaluation)
        _show(evaluation.as_dict(), evaluation.rejects, as_json, report)
        return
    if pairs is not None or compare or report is not None:
        raise click.UsageError("--judgements is for the index as it stands; leave out the rest")
    _check_judging(options)
    judged = _judge(settings, progress, options)
    if as_json:
        print_json({"judgements": judged.as_dict(), "rejected": len(judged.judgements.rejects)})
    else:
        _show_systems(judged)
    if (
        not options["read_run"]
        and Searcher(settings.index, settings).generation.adapter() is not None
    ):
        note(f"warning: {FLATTERED}")
    tell_rejects(judged.judgements.rejects)


def _only_with_judgements(options: dict[str, Any]) -> None:
    for name in ("topics", "read_run", "write_run", "write_qrels"):
        if options[name] is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --judgements")


def _check_judging(options: dict[str, Any]) -> None:
    source = click.get_current_context().get_parameter_source("model")
    if source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--judgements is for the index as it stands; leave out --model")
    if options["read_run"] is not None and options["write_run"] is not None:
        raise click.UsageError("--read-run makes no search; leave out --write-run")


def _judge(settings: Settings, progress: Progress, options: dict[str, Any]) -> SearchEvaluation:
    judgements = read_judgements(options["judgements"], options["topics"])
    if options["write_qrels"]:
        write_qrels(options["write_qrels"], judgements.relevance)
    if options["read_run"]:
        path = options["read_run"]
        return judge_run(path.name, read_run(path), judgements)
    searcher = Searcher(settings.index, settings)
    with progress.task(f"loading {searcher.generation.manifest.model}"):
        searcher.warm()
    judged = judge_searches(searcher, judgements, progress)
    if options["write_run"]:
        write_run(options["write_run"], judged.rankings["hybrid"])
    return judged


def _show(
    document: dict[str, Any], rejects: list[Reject], as_json: bool, report: Path | None
) -> None:
    if as_json:
        print_json(document)
    else:
        show_evaluation(document)
    for warning in document["warnings"]:
        note(f"warning: {warning}")
    if report is not None:
        note(f"report: {report}")
    tell_rejects(rejects)


def tell_rejects(rejects: Sequence[Reject]) -> None:
    """Says what was left out, and ends with the exit code for that; nothing where nothing was."""
    for reject in rejects[:SHOWN_REJECTS]:
        note(f"rejected: {describe(reject)}")
    if len(rejects) > SHOWN_REJECTS:
        note(f"... and {len(rejects) - SHOWN_REJECTS} more")
    if rejects:
        raise click.exceptions.Exit(REJECTED)


def show_evaluation(document: dict[str, Any]) -> None:
    """What was measured, as tables."""
    models = [document, *document["compare"]]
    out = console()
    out.print(
        f"{document['texts']} texts and {document['images']} photos ({document['queries']}); "
        "in brackets 95 % intervals"
    )
    for name, heading in (("text_to_image", "text to image"), ("image_to_text", "image to text")):
        out.print()
        out.print(measures_table(heading, [(_label(model), model[name]) for model in models]))
        for other in document["compare"]:
            out.print(_difference_line(_label(document), other, name))
    if document["zero_shot"]:
        out.print()
        out.print(_zero_shot_table(models))
    if document[SHARE] is not None:
        out.print()
        shares = ", ".join(f"{_label(model)} {model[SHARE]:.1%}" for model in models)
        out.print(f"a photo's neighbours, {SHARE}: {shares}")
    out.print()
    out.print(_costs_table(document, models))
    if "by_category" in document["text_to_image"]:
        note("by category, and the worst misses: --report FILE, or --json")
    if document["compare"]:
        note(SIGNIFICANCE)


def measures_table(heading: str, rows: list[tuple[str, dict[str, Any]]]) -> rich.table.Table:
    """A row a system: measures with their intervals; then those that count duplicates as right."""
    judged = any(FULL in measures for _, measures in rows)
    names = [*MEASURES, *([FULL] if judged else []), "median_rank"]
    headings = [name.replace("_", " ") for name in names]
    table = rich.table.Table(heading, *headings, box=None, pad_edge=False)
    for label, measures in rows:
        table.add_row(label, *(_cell(measures, name) for name in names))
        aware = measures.get("duplicate_aware")
        if aware is not None and aware != {k: v for k, v in measures.items() if k in aware}:
            table.add_row("  duplicates right", *(_cell(aware, name) for name in names))
    return table


def _show_systems(judged: SearchEvaluation) -> None:
    document = judged.as_dict()
    rows = list(document["systems"].items())
    console().print(measures_table(f"{document['queries']} searches", rows))
    for name, changes in document["difference"].items():
        console().print(f"{name}: {_changes(changes)}")
    if document["difference"]:
        note(SIGNIFICANCE)
    if document["unknown_products"]:
        names = ", ".join(judged.unknown[:5])
        note(f"{document['unknown_products']} judged products are not in the index: {names}")


def _label(model: dict[str, Any]) -> str:
    return shown_name(model["model"], adapted=model["adapted"])


def _cell(measures: dict[str, Any], name: str) -> str:
    value = measures.get(name)
    if value is None:
        return "-"
    low, high = measures["intervals"][name]
    if name == "median_rank":
        return f"{value:g} ({low:g} to {'-' if high is None else f'{high:g}'})"
    if name in PERCENTAGES:
        return f"{value:.1%} ({low:.1%} to {high:.1%})"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _difference_line(first: str, other: dict[str, Any], direction: str) -> str:
    return f"{first} - {_label(other)}: {_changes(other['difference'][direction])}"


def _changes(changes: dict[str, Any]) -> str:
    parts = []
    for name in ("R@1", "R@10", "MRR"):
        change = changes[name]
        mark = "*" if change["significant"] else ""
        parts.append(
            f"{name} {change['value']:+.3f}{mark} ({change['low']:+.3f} to {change['high']:+.3f}, "
            f"p {change['p']:.4f})"
        )
    return ", ".join(parts)


def _zero_shot_table(models: list[dict[str, Any]]) -> rich.table.Table:
    table = rich.table.Table(
        "zero-shot", "classes", "top 1", "top 5", "least understood", box=None, pad_edge=False
    )
    for model in models:
        result = model["zero_shot"]
        classes = sorted(result["per_class"].items(), key=lambda item: item[1]["accuracy"])
        worst = [f"{name} {measures['accuracy']:.0%}" for name, measures in classes[:3]]
        table.add_row(
            _label(model),
            str(result["classes"]),
            f"{result['accuracy']:.1%}",
            f"{result['top5']:.1%}",
            ", ".join(worst),
        )
    return table


def _costs_table(document: dict[str, Any], models: list[dict[str, Any]]) -> rich.table.Table:
    table = rich.table.Table("cost", *map(_label, models), box=None, pad_edge=False)
    for name in document["latency_ms"]:
        latencies = [model["latency_ms"].get(name) for model in models]
        shape = "p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, first {first:.1f}"
        table.add_row(
            f"{name}, ms", *("-" if times is None else shape.format(**times) for times in latencies)
        )
    table.add_row("loading", *(f"{model['load_seconds']:.1f} s" for model in models))
    for side in ("image", "text"):
        cells = [
            f"{model['flops'][side] / 1e9:.2f} GFLOP, "
            f"{model['parameters'][side] / 1e6:.1f} M parameters"
            for model in models
        ]
        table.add_row(f"{side} tower", *cells)
    rates = [model["throughput"]["images_per_second"] for model in models]
    if any(rates):
        table.add_row("photos/s, from file", *("stored" if r is None else f"{r:g}" for r in rates))
    table.add_row(
        "index, recall@20",
        *(
            f"{model['index']['type']}: texts {model['index']['texts']['recall@20']:.3f}, "
            f"images {model['index']['images']['recall@20']:.3f}"
            for model in models
        ),
    )
    table.add_row("peak memory, in all", f"{document['peak_memory_mb']:,.0f} MiB")
    return table
