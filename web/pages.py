"""The site for people: search, product, catalog. All of it works as plain links and forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.datastructures import CombinedMultiDict

from retrieval.common.products import category_steps
from retrieval.errors import QueryError
from retrieval.indexing.rejects import REJECTS_FILE, read_rejects
from retrieval.searching.facets import FACET_DEPTH, Facet, Facets, PriceRange
from retrieval.searching.results import Hit

from .addresses import photo_address, product_address
from .clients import client_of
from .map import HEIGHT, WIDTH, drawing
from .search_params import MAX_WORDS, SORTS, SearchParams, search
from .site import site
from .wording import in_words

PAGE = 24
SHOWN_REJECTS = 100
EXAMPLES = 12
# Of an address, in the order in which it is written.
LISTS = ("like", "unlike", "category", "brand", "attribute")
SINGLES = ("q", "minus", "photo", "crop", "balance", "in", "min_price", "max_price", "sort")

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Results:
    """A page of results.

    Attributes:
        good, weak: the hits of the page; the weak ones are shown below a line.
        facets: counted over the best FACET_DEPTH.
        priced: whether any of those has a price.
        prices: their prices in a few ranges.
    """

    good: list[Hit]
    weak: list[Hit]
    facets: tuple[Facet, ...]
    took_ms: float
    number: int
    more: bool
    priced: bool
    prices: tuple[PriceRange, ...]

    @property
    def shown_values(self) -> set[str]:
        """What the facets list: a filter that is not among them must be shown apart."""
        return {
            f"{facet.name}={value}" if facet.attribute else value
            for facet in self.facets
            for value, _ in facet.values
        }


@blueprint.get("/")
def index() -> str | Response:
    """The search page, or what a search found."""
    photo_id = request.args.get("photo", "")
    asked = _asked()
    if not (asked.words or any(asked.like) or photo_id):
        return render_template("start.html", asked=asked, photo=None, examples=_examples())
    photos = [site().uploads.get(photo_id)] if photo_id else []
    results = _results(asked, photos)
    liked, unliked = (
        [site().searcher.product(key, words=False) for key in keys if key]
        for keys in (asked.like, asked.unlike)
    )
    return render_template(
        "results.html",
        asked=asked,
        photo=photo_id,
        liked=liked,
        unliked=unliked,
        results=results,
        sort=_sort(),
        address=address,
    )


@blueprint.post("/")
def upload() -> Any:
    """Keeps a photo, and goes on to an address that searches by it."""
    file = request.files.get("image")
    # What stands in the address of the form holds, too.
    sent = CombinedMultiDict([request.form, request.args])
    values = {name: sent.get(name, "") for name in SINGLES if name not in ("photo", "crop")}
    lists = {name: sent.getlist(name) for name in LISTS}
    data = file.stream.read() if file is not None else b""
    kept = sent.get("photo", "")
    photo = site().uploads.add(data, client_of(request.remote_addr)) if data else kept
    crop = "" if data else sent.get("crop", "")
    query = {**lists, **values, "photo": photo, "crop": crop}
    if any(len(value) > MAX_WORDS for value in query.values() if isinstance(value, str)):
        raise QueryError(f"words of more than {MAX_WORDS} characters; shorten them")
    return redirect(url_for(".index", **_filled(query)), 303)


@blueprint.get("/products/<path:key>")
def product(key: str) -> str:
    """A product with all its photos, and what is like it."""
    return _product_page(key)


@blueprint.get("/product")
def product_by_id() -> str:
    """The same of any id: not all can stand in a path."""
    return _product_page(request.args.get("id", ""))


def _product_page(key: str) -> str:
    site().searcher.product(key, words=False)  # one that is not there is told as such
    similar = list(site().similar(key))
    product = site().searcher.product(key, similar=[hit.id for hit in similar])
    return render_template("product.html", product=product, similar=similar)


@blueprint.get("/catalog")
def catalog() -> str:
    """What is being searched: counts, generation, model, and what was left out."""
    return render_template(
        "catalog.html",
        manifest=site().searcher.generation.manifest,
        rejects=read_rejects(site().settings.index / REJECTS_FILE, SHOWN_REJECTS),
        drawing=drawing(site()),
        size=(WIDTH, HEIGHT),
    )


blueprint.add_app_template_global(photo_address)
blueprint.add_app_template_global(product_address)


@blueprint.app_template_global()
def photo_of(hit: Any, size: int = 320, position: int | None = None) -> str | None:
    """The address of the photo of a hit or card: the one that matched, else the first."""
    if not hit.images:
        return None
    if position is None:
        matched = getattr(hit, "image", None)
        position = hit.images.index(matched) if matched in hit.images else 0
    key = hit.key if hasattr(hit, "key") else hit.id
    return photo_address(key, position, size)


@blueprint.app_template_filter()
def money(price: float | None) -> str:
    return "" if price is None else f"{price:,.2f}"


@blueprint.app_template_filter()
def listed(value: Any) -> str:
    """A value of a column; of several all, of objects theirs: `Weight 7 kg, Height 9 cm`."""
    if isinstance(value, list):
        return ", ".join(map(listed, value))
    return " ".join(map(listed, value.values())) if isinstance(value, dict) else str(value)


@blueprint.app_template_filter()
def steps(label: str) -> str:
    """A category as people read it: `Men/Tops` -> with angles between."""
    return " \u203a ".join(category_steps(label))


def address(**changes: Any) -> str:
    """The address of this search with some of it changed; page 1 unless `page` is given."""
    now: dict[str, Any] = {name: request.args.get(name, "") for name in SINGLES}
    now |= {name: request.args.getlist(name) for name in LISTS}
    return url_for("pages.index", **_filled({**now, **changes}))


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], None, [""])}


def _asked() -> SearchParams:
    values: dict[str, Any] = {n: request.args[n] for n in SINGLES if request.args.get(n)}
    values |= {
        name: request.args.getlist(name) for name in ("q", "minus", *LISTS) if name in request.args
    }
    try:
        return SearchParams.model_validate(
            {k: v for k, v in values.items() if k not in ("photo", "sort")}
        )
    except ValidationError as error:
        raise QueryError(in_words(error)) from None


def _sort() -> str:
    sort = request.args.get("sort", "best")
    if sort not in SORTS:
        raise QueryError(f"sort is one of {', '.join(SORTS)}")
    return sort


def _page_number() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10_000):
        raise QueryError("page is a number from 1")
    return int(text[:9])


def _results(asked: SearchParams, photos: Sequence[bytes]) -> Results:
    number, sort = _page_number(), _sort()
    best = search(site(), asked, photos, limit=FACET_DEPTH, offset=0, facets=True)
    start = (number - 1) * PAGE
    if sort == "best" and start + PAGE > FACET_DEPTH:
        hits = list(search(site(), asked, photos, limit=PAGE, offset=start))
        reachable = best.total
    else:
        ordered = _sorted(list(best), sort)
        hits = ordered[start : start + PAGE]
        reachable = best.total if sort == "best" else len(ordered)
    counted = best.facets or Facets()
    return Results(
        good=[hit for hit in hits if not hit.weak],
        weak=[hit for hit in hits if hit.weak],
        facets=counted.fields,
        took_ms=best.took_ms,
        number=number,
        more=start + PAGE < reachable,
        priced=any(hit.price is not None for hit in best),
        prices=counted.prices,
    )


def _sorted(hits: list[Hit], sort: str) -> list[Hit]:
    if sort == "best":
        return hits
    # What is weak would stand among what is good for its price alone.
    sign = -1 if sort == "-price" else 1
    good = [hit for hit in hits if not hit.weak] or hits
    priced = [hit for hit in good if hit.price is not None]
    return sorted(priced, key=lambda hit: (sign * (hit.price or 0), hit.rank)) + [
        hit for hit in good if hit.price is None
    ]


def _examples() -> list[Any]:
    """Products spread over the catalog, each with a photo to start from."""
    generation = site().searcher.generation
    picked = generation.sample_products(EXAMPLES, with_all_of=("images",)).tolist()
    cards = generation.cards(picked)
    return [cards[product] for product in picked]
