"""The command `retrieval`: thin; each command calls the engine and shows what it answers."""

from __future__ import annotations

import click

from retrieval import __version__
from retrieval.cli import adapting, benching, evaluating, indexing, maintenance, searching, serving
from retrieval.cli.common import run_main

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="retrieval")
def cli() -> None:
    """Search a product catalog by words, by photo, or by both.

    Start with `retrieval index SOURCE`, then `retrieval search "what you look for"`.
    """


for command in (
    indexing.index,
    searching.search,
    evaluating.evaluate,
    adapting.adapt,
    maintenance.rebuild,
    maintenance.verify,
    maintenance.generations,
    maintenance.rollback,
    serving.serve,
    indexing.models,
    benching.bench,
):
    cli.add_command(command)


def main() -> None:
    """Entry point; exits with 0, 1 (error), 2 (usage), 3 (rows were rejected) or 130 (stopped)."""
    run_main(cli)
