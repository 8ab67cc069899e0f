#!/usr/bin/env python3
"""Draws what searches find, a row a search: `scripts/contact_sheet.py --out sheet.jpg QUERY...`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageDraw, ImageFont

import retrieval
from retrieval.searching.results import Hit

CELL = 200
TEXT = 40
MARGIN = 14
QUERY = 250
LINE = 22


@click.command()
@click.option("--index", default="indexes/default", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--columns", default=5, show_default=True)
@click.argument("queries", nargs=-1)
def main(index: str, out: Path, columns: int, queries: tuple[str, ...]) -> None:
    """Each of QUERIES is words, `@photo.jpg`, `@photo.jpg + words`, or `words - words`."""
    catalog = retrieval.open(index)
    rows = [(query, list(catalog.search(limit=columns, **parse(query)))) for query in queries]
    sheet = Image.new("RGB", (QUERY + columns * (CELL + MARGIN), len(rows) * height()), "white")
    for number, (query, hits) in enumerate(rows):
        draw_row(sheet, number * height(), query, hits)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, quality=82)


def height() -> int:
    return CELL + TEXT + MARGIN


def parse(query: str) -> dict[str, Any]:
    """What a query asks, as the arguments of `search`."""
    words, _, minus = query.partition(" - ")
    asked: dict[str, Any] = {"minus": minus or None}
    if words.startswith("@"):
        photo, _, words = words[1:].partition(" + ")
        asked["image"] = photo
    return {**asked, "text": words or None}


def draw_row(sheet: Image.Image, top: int, query: str, hits: list[Hit]) -> None:
    draw = ImageDraw.Draw(sheet)
    asked = parse(query)
    said = [asked["text"], asked["minus"] and f"without {asked['minus']}"]
    words = "\n".join(textwrap.fill(line, LINE) for line in said if line)
    if "image" in asked:
        small = CELL - 50
        sheet.paste(thumbnail(asked["image"], small), (MARGIN, top + MARGIN))
        words = f"+ {words}" if words else ""
        draw.text((MARGIN, top + small + 2 * MARGIN), words, "black", font(19))
    else:
        draw.multiline_text((MARGIN, top + CELL // 2 - 20), words, "black", font(19), spacing=6)
    for column, hit in enumerate(hits):
        left = QUERY + column * (CELL + MARGIN)
        if hit.image:
            sheet.paste(thumbnail(hit.image, CELL), (left, top + MARGIN))
        draw.text((left, top + CELL + MARGIN + 4), shortened(hit.title), "#333333", font(13))


def shortened(title: str) -> str:
    return title if len(title) <= 30 else title[:29] + "\u2026"


def thumbnail(path: str, size: int) -> Image.Image:
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((size, size))
    square = Image.new("RGB", (size, size), "white")
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return square


def font(size: int) -> Any:
    return ImageFont.load_default(size)


if __name__ == "__main__":
    main()
