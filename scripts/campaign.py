"""What `scripts/campaign` runs once all is installed: the parts of tests/faults/campaign."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
# Name of a part (and of its module) -> size by day and by night.
PARTS = {
    "kills": (8, 200),
    "flips": (5, 300),
    "disk": (3, 20),
    "hostile": (11, 100),
    "slow": (300, 300),
    "requests": (1_200, 20_000),
}


@click.command()
@click.option("--quick", is_flag=True, help="Minutes in place of a night.")
@click.option("--only", metavar="PARTS", help=f"Some of {','.join(PARTS)}, split by commas.")
@click.option("--seed", default=1, show_default=True, help="Another one: other moments and bytes.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Markdown, too."
)
def main(quick: bool, only: str | None, seed: int, out: Path | None) -> None:
    """Try to break the product, and print what came of it as a table.

    Exit codes: 0 every goal was met; 1 an answer was silently wrong, or another goal was missed;
    2 wrong usage.
    """
    names = list(PARTS) if only is None else only.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise click.UsageError(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    # Within the command: processes that are to be killed import this file anew.
    prepare()
    from retrieval.cli.progress import for_this_terminal
    from retrieval.errors import one_line
    from tests.faults.campaign.rows import Row, misses, table
    from tests.faults.campaign.world import World

    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    os.environ["RETRIEVAL_CACHE"] = str(folder / "cache")
    world = World(folder, seed, for_this_terminal())
    rows, began = [], time.monotonic()
    try:
        for name in names:
            part = importlib.import_module(f"tests.faults.campaign.{name}")
            size = PARTS[name][0 if quick else 1]
            try:
                made = part.run(world, size)
            except Exception as error:  # hours of other parts are not lost for it
                traceback.print_exception(error)
                told = f"the part itself failed: {type(error).__name__}: {one_line(error)}"
                made = [Row(name, "all", size, told, 0, (told,))]
            rows += made
            click.echo(table(made), err=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = table(rows)
    click.echo(result)
    missed = misses(rows)
    if missed:
        click.echo(f"\n{missed}", err=True)
    click.echo(f"{time.monotonic() - began:.0f} s", err=True)
    if out is not None:
        out.write_text(f"{result}\n" + (f"\n```\n{missed}\n```\n" if missed else ""), "utf-8")
    sys.exit(0 if all(row.met for row in rows) else 1)


def prepare() -> None:
    """The checkout importable, here and in processes that are started; settings of none but it."""
    sys.path.insert(0, str(ROOT))
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    for name in [name for name in os.environ if name.startswith("RETRIEVAL_")]:
        del os.environ[name]
    os.environ.update(
        PYTHONPATH=os.pathsep.join(path),
        RETRIEVAL_PRECISION="f32",  # answers are compared exactly
        RETRIEVAL_RATE_LIMIT="1000000000/minute",
    )


if __name__ == "__main__":
    main()
