"""Rendered products (`samples/render.py --split training`) as a Parquet set to train with."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NAME = "renders"


def attribute_phrases(row: dict[str, str]) -> list[str]:
    """What somebody would ask for who wants this kind of thing in this colour or material."""
    color, material, kind = row["color_family"], row["material"], row["kind"]
    return [
        f"{color} {kind}",
        f"{material} {kind}",
        f"{color} {material} {kind}",
        f"a {kind} made of {material}, {color}",
    ]


def write_set(folder: Path, path: Path) -> None:
    """Writes the catalog of rendered products in `folder` as `image`, `captions`, `category`."""
    with (folder / "catalog.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = [(folder / row["image"].split("|")[0]).read_bytes() for row in rows]
    captions = [[row["title"], row["description"], *attribute_phrases(row)] for row in rows]
    categories = [row["category"] for row in rows]
    table = pa.table({"image": pictures, "captions": captions, "category": categories})
    pq.write_table(table, path)
