"""`retrieval search`: a table for people, with the photos where the terminal can show them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import rich.cells
import rich.table
import rich.text

from retrieval.cli.common import common_options, console, model_options, note, print_json
from retrieval.cli.moved import tell_of_photos
from retrieval.cli.progress import for_this_terminal
from retrieval.common.text import printable
from retrieval.encoders import loading_message, name_from_here
from retrieval.searching.results import Hit, SearchResult
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings

PHOTO_CELLS = 12
SHOWN_WORDS = 60


@click.command()
@click.argument("words", nargs=-1, metavar="[TEXT]")
@click.option("--text", "texts", multiple=True, help="One more text; may be given again.")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A photo to search by; may be given again.",
)
@click.option("--like", multiple=True, metavar="PRODUCT_ID", help="A product to search by.")
@click.option("--minus", multiple=True, metavar="TEXT", help="What is not wanted.")
@click.option("--unlike", multiple=True, metavar="PRODUCT_ID", help="A product to keep away from.")
@click.option(
    "--weights", metavar="text=1,image=1", help="How much text, image, like, minus count."
)
@click.option(
    "--in",
    "scope",
    type=click.Choice(["products", "images", "texts"]),
    default="products",
    show_default=True,
    help="Which vectors may answer.",
)
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="category=Chairs, price<100.")
@click.option("--mode", type=click.Choice(["vector", "lexical", "hybrid"]), help="How to search.")
@click.option("--limit", type=int, default=20, show_default=True)
@click.option("--offset", type=int, default=0, show_default=True)
@click.option("--pictures/--no-pictures", default=None, help="Show photos in the table.")
@model_options
@common_options
def search(
    settings: Settings,
    as_json: bool,
    words: tuple[str, ...],
    texts: tuple[str, ...],
    images: tuple[Path, ...],
    pictures: bool | None,
    **options: Any,
) -> None:
    """Find products by TEXT, by --image, by --like, or by all of them at once."""
    searcher = Searcher(settings.index, settings)
    tell_of_photos(searcher)
    spoken = (" ".join(words), *texts)
    if images or (any(spoken) and options["mode"] != "lexical"):
        model = name_from_here(searcher.generation.manifest.model, settings.index)
        with for_this_terminal().task(loading_message(model, settings)):
            searcher.warm()
    result = searcher.search(text=spoken, image=images or None, **options)
    if as_json:
        print_json(result.as_dict())
    else:
        show_results(result, pictures=sys.stdout.isatty() if pictures is None else pictures)


def show_results(result: SearchResult, *, pictures: bool) -> None:
    """A table of the page; matches no better than chance are dimmed, and said to be weak."""
    if not result.results:
        note("nothing matches" if result.total == 0 else "no results on this page")
        return
    if all(hit.weak for hit in result):
        note("nothing matches well; these come closest")
    console().print(_table(list(result), pictures and _has_size()))
    first, last = result[0].rank, result[-1].rank
    note(f"{first} to {last} of {result.total}, {result.mode}, {result.took_ms:.0f} ms")


def _table(hits: list[Hit], pictures: bool) -> rich.table.Table:
    # An id that is cut short can neither be copied nor searched for.
    key = rich.table.Column("id", no_wrap=True, min_width=max(map(_width, hits)))
    headings: list[rich.table.Column | str] = [
        "",
        *([""] if pictures else []),
        key,
        "title",
        "price",
        "match",
        "because of",
    ]
    table = rich.table.Table(*headings, box=None, pad_edge=False, expand=False)
    for hit in hits:
        price = "" if hit.price is None else f"{hit.price:,.2f}"
        cells: list[Any] = [str(hit.rank), hit.id, _title(hit), price, _strength(hit), _reason(hit)]
        if pictures:
            cells.insert(1, _picture(hit.image))
        table.add_row(*cells, style="dim" if hit.weak else "")
    return table


def _width(hit: Hit) -> int:
    return rich.cells.cell_len(printable(hit.id))


def _title(hit: Hit) -> rich.text.Text:
    title = rich.text.Text(_line(hit.title) or "-")
    under = _line(", ".join(filter(None, (hit.brand, hit.category))))
    return title.append(f"\n{under}", style="dim") if under else title


def _strength(hit: Hit) -> str:
    if hit.matched.kind == "id":
        return "exact"
    if hit.strength is None:
        return ""
    filled = round(hit.strength * 5)
    full, empty = "\u25a0\u25a1" if _can_write("\u25a0\u25a1") else "#-"
    bar = full * filled + empty * (5 - filled)
    return f"{bar} weak" if hit.weak else bar


def _reason(hit: Hit) -> str:
    matched = hit.matched
    if matched.image is not None:
        return f"photo {Path(matched.image).name}"
    if matched.text is not None:
        text = " ".join(matched.text.split())
        return text if len(text) <= SHOWN_WORDS else text[: SHOWN_WORDS - 1] + "\u2026"
    return "its id" if matched.kind == "id" else "its words"


def _line(text: str) -> str:
    return " ".join(printable(text).split())


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _has_size() -> bool:
    """Whether the terminal says how large it is; one of 0 x 0 (CI, `script`) divides by zero what
    draws pictures."""
    try:
        return all(os.get_terminal_size(sys.stdout.fileno()))
    except (OSError, ValueError):
        return not sys.stdout.isatty()


def _picture(path: str | None) -> Any:
    if path is None or not Path(path).is_file():
        return ""
    from textual_image.renderable import Image

    return Image(path, width=PHOTO_CELLS)
