#!/usr/bin/env python3
"""Make the sample catalog again, or any number of other products for training.

Needs Python 3.11 and the packages of `rendering/requirements.txt`.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent))


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same catalog.")
@click.option("--count", type=int, help="Number of products; all designs of the sample by default.")
@click.option("--split", type=click.Choice(["sample", "training"]), default="sample")
@click.option("--size", default=512, show_default=True, help="Edge of the square photos, px.")
@click.option("--samples", default=4, show_default=True, help="Light paths a pixel.")
@click.option("--threads", default=2, show_default=True, help="Render threads.")
@click.option("--only", multiple=True, help="Render only these kinds, such as `vase`.")
@click.option("--tables-only", is_flag=True, help="Write the tables, render nothing.")
def main(
    out: Path,
    seed: int,
    count: int | None,
    split: str,
    size: int,
    samples: int,
    threads: int,
    only: tuple[str, ...],
    tables_only: bool,
) -> None:
    """Render products like studio photos, with a table of what they are."""
    from rendering import tables
    from rendering.plan import plan
    from rendering.shoot import Progress, render_product
    from rendering.studio import configure

    products = plan(split, seed, count)
    if only:
        products = [p for p in products if p.kind.key in only]
    (out / "images").mkdir(parents=True, exist_ok=True)
    if not tables_only:
        configure(size, samples, threads)
        missing = sum(not (out / n).exists() for p in products for n in p.image_names)
        progress = Progress(missing, time.monotonic())
        click.echo(f"{len(products)} products, {missing} photos to take", err=True)
        for product in products:
            render_product(product, out, progress)
    rows = tables.write_catalog(products, out)
    if split == "sample":
        tables.write_paraphrases(rows, out)
        tables.write_queries(rows, out)
        tables.write_license(out)
    click.echo(f"{len(rows)} products in {out / 'catalog.csv'}", err=True)


if __name__ == "__main__":
    csv.field_size_limit(1_000_000)
    main()
