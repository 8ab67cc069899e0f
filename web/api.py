"""`/api/v1`: JSON, described in `/openapi.json`."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import Any

from flask import Response, has_request_context, jsonify, request
from flask_openapi3 import APIBlueprint, FileStorage, Tag
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import UnsupportedMediaType

from retrieval.common.progress import Quiet
from retrieval.errors import ImageError, QueryError
from retrieval.indexing.maintenance import remove

from .addresses import photo_address
from .problems import ProblemDetails
from .search_params import Described, SearchParams, search
from .site import site
from .wording import shown

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class MatchedOut(BaseModel):
    """Why a product was found."""

    kind: str
    image: str | None = None
    field: str | None = None
    text: str | None = None
    cosine: float | None = None


class HitOut(BaseModel):
    """A product on a page of results."""

    rank: int
    id: str
    title: str
    score: float
    image: str | None
    matched: MatchedOut
    category: str | None
    brand: str | None
    price: float | None
    description: str
    attributes: dict[str, Any]
    images: list[str]
    strength: float | None
    weak: bool


class ValueOut(BaseModel):
    """A value, and how many of the best products have it."""

    value: str
    count: int


class RangeOut(BaseModel):
    """From one sum to another, both included; null is without a bound."""

    low: float | None = Field(None, alias="from")
    high: float | None = Field(None, alias="to")
    count: int


class FacetOut(BaseModel):
    """What a search can be narrowed down by: values, or of a number its ranges."""

    field: str
    values: list[ValueOut] | None = None
    ranges: list[RangeOut] | None = None


class ResultOut(BaseModel):
    """A page of results; photos are named by where this server shows them."""

    query: dict[str, Any]
    mode: str
    took_ms: float
    stages_ms: dict[str, float]
    total: int
    generation: int
    results: list[HitOut]
    facets: list[FacetOut] | None = Field(None, description="where `facets=1` asked for them")


class ProductOut(BaseModel):
    """All that is known of a product."""

    id: str
    title: str
    description: str
    category: str | None
    brand: str | None
    price: float | None
    attributes: dict[str, Any]
    images: list[str]
    words: list[str] = Field(description="words that it goes by")


class ProductPath(Described):
    """The id of a product, as its source names it."""

    product_id: str = Field(max_length=1_000)


class UploadPath(Described):
    """The id of an uploaded photo, as its address says it."""

    photo_id: str = Field(max_length=100)


class Strict(Described):
    """Refuses parameters that it does not know.

    Passed over in silence, a filter that is misspelt would answer with all that it was to keep out.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def known(cls, parameters: dict[str | None, Any]) -> dict[str | None, Any]:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = {str(key)[:100] for key in parameters} - set(names)
        if not unknown:
            return parameters
        name = min(unknown)
        if near := difflib.get_close_matches(name, names, 1):
            hint = f"did you mean {near[0]}?"
        elif "where" in names:
            hint = "columns of the catalog are asked for by where=NAME=VALUE"
        else:
            hint = f"one of {', '.join(names)}"
        raise PydanticCustomError(
            "unknown", "there is no '{name}'; {hint}", {"name": name, "hint": hint}
        )


class Page(Strict):
    """Which page."""

    limit: int = Field(20, ge=1, le=200)
    offset: int = Field(0, ge=0, le=1_000_000)


class ProductQuery(Strict):
    """A product by its id, whatever stands in it."""

    id: str = Field(max_length=1_000, description="id of the product")


class SimilarQuery(ProductQuery, Page):
    """A product by its id, and which page of what is like it."""


class SearchQuery(Strict, SearchParams):
    """A search by words or by likeness."""


class NoParameters(Strict):
    """Where an address takes none."""


class PhotoSearchForm(SearchQuery):
    """A search by photo: the same fields, and the photo itself."""

    image: list[FileStorage] = Field([], max_length=8, description="photos; several are averaged")

    @model_validator(mode="before")
    @classmethod
    def as_sent(cls, parameters: dict[str | None, Any]) -> dict[str | None, Any]:
        """The fields as text: the library reads each as JSON, and `1984` is then no word."""
        sent = request.form if has_request_context() else {}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in sent and name != "image":
                values = request.form.getlist(key)
                parameters[key] = values if field.default == [] else values[0]
        return parameters


_ERRORS: Any = {
    code: {
        "description": what,
        "content": {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}},
    }
    for code, what in (
        ("400", "the query makes no sense"),
        ("401", "the bearer token is missing or wrong"),
        ("403", "this server has no token, so nobody may"),
        ("404", "there is no such product"),
        ("413", "the photo is too large"),
        ("415", "the body is no form"),
        ("422", "a parameter is of the wrong form, or the photo cannot be read"),
        ("429", "too many requests"),
        ("503", "the index cannot be read just now"),
    )
}
blueprint = APIBlueprint(
    "api",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="search")],
    abp_responses={
        code: response for code, response in _ERRORS.items() if code not in ("401", "403", "415")
    },
)


@blueprint.before_request
def _forms_alone() -> None:
    """What is sent in another form would be passed over, and nothing, or all, be found."""
    if request.endpoint != "api.search_by_photo" or request.mimetype in FORMS:
        return
    if request.mimetype or request.content_length or "Transfer-Encoding" in request.headers:
        raise UnsupportedMediaType(
            f"a search is sent as a form, not as {request.mimetype[:100] or 'bytes'}: "
            "multipart/form-data, photos as parts called image (curl -F image=@photo.jpg -F "
            "q=mug), or in the address, with GET"
        )


@blueprint.before_request
def _refuse_what_ends_the_form_reader() -> None:
    """The library reads fields as JSON, and dies of a number without end or of nesting."""
    for value in request.form.values():
        try:
            json.loads(value)
        except json.JSONDecodeError:
            continue
        except (ValueError, RecursionError):
            raise QueryError(f"{shown(value)} is too long for a field; shorten it") from None


@blueprint.get(
    "/search",
    description="Words, ids of products to be like, and conditions, in the address. The best come "
    "first, `limit` of them from `offset` on, each with why it was found and how strongly.",
    responses={"200": ResultOut},
)
def search_by_words(query: SearchQuery) -> Response:
    """Search by words, or by likeness to products."""
    return jsonify(with_addresses(search(site(), query).as_dict()))


@blueprint.post(
    "/search",
    description="The same fields as in an address, and photos, as a form. Fields may also stand "
    "in the address; one that stands in both with two values is refused. Nothing is kept.",
    responses={"200": ResultOut, "415": _ERRORS["415"]},
)
def search_by_photo(query: SearchQuery, form: PhotoSearchForm) -> Response:
    """Search by a photo, by words, or by both."""
    # Of a part without a filename the form makes whatever it reads in it: text, number, list.
    files = request.files.getlist("image")
    if form.image and not files:
        raise ImageError("image is no file; send it as a part with a filename")
    photos = [site().uploads.clean(file.stream.read())[0] for file in files]
    asked = _of_both(query, form)
    return jsonify(with_addresses(search(site(), asked, photos).as_dict()))


def _of_both(query: SearchQuery, form: PhotoSearchForm) -> PhotoSearchForm:
    """The form, and what stands in the address beside it; raises QueryError where they differ."""
    in_address = {name: getattr(query, name) for name in query.model_fields_set}
    for name in in_address.keys() & form.model_fields_set:
        if in_address[name] != getattr(form, name):
            known = SearchQuery.model_fields[name].alias or name
            raise QueryError(f"{known} stands in the address and in the form; send it once")
    return form.model_copy(update=in_address)


@blueprint.get(
    "/products/<path:product_id>/similar",
    description="By its photos and its texts; the product itself is left out.",
    responses={"200": ResultOut},
)
def similar(path: ProductPath, query: Page) -> Response:
    """Products like this one."""
    return _similar(path.product_id, query)


@blueprint.get(
    "/product/similar",
    description="As below `/products/`, for ids that cannot stand in a path, too.",
    responses={"200": ResultOut},
)
def similar_by_id(query: SimilarQuery) -> Response:
    """Products like this one, whatever its id is."""
    return _similar(query.id, query)


def _similar(key: str, page: Page) -> Response:
    result = site().search(like=key, limit=page.limit, offset=page.offset)
    return jsonify(with_addresses(result.as_dict()))


@blueprint.get(
    "/products/<path:product_id>",
    description="All that is known of a product, with the words that it goes by and the addresses "
    "of its photos. Its ETag changes when it does.",
    responses={"200": ProductOut},
)
def product(path: ProductPath, query: NoParameters) -> Response:  # noqa: ARG001 - refuses any
    """One product."""
    return _product(path.product_id)


@blueprint.get(
    "/product",
    description="As below `/products/`, for ids that cannot stand in a path, too.",
    responses={"200": ProductOut},
)
def product_by_id(query: ProductQuery) -> Response:
    """One product, whatever its id is."""
    return _product(query.id)


def _product(key: str) -> Response:
    details = site().searcher.product(key)
    images = [photo_address(details.id, position) for position in range(len(details.images))]
    response = jsonify({**vars(details), "images": images})
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    return response.make_conditional(request)  # type: ignore[return-value]


@blueprint.delete(
    "/products/<path:product_id>",
    description="Needs the token. The product is gone at once, and stays away until its source "
    "brings it again with a change.",
    responses={"204": None, "401": _ERRORS["401"], "403": _ERRORS["403"]},
    security=[{"token": []}],
)
def remove_product(path: ProductPath, query: NoParameters) -> tuple[str, int]:  # noqa: ARG001
    """Remove a product."""
    remove(site().settings, Quiet(), [path.product_id])
    # Whoever asks next sees it gone: not the generation that was live before.
    site().searcher.refresh()
    return "", 204


@blueprint.delete(
    "/uploads/<photo_id>",
    description="Needs the token. Photos are kept for a week otherwise.",
    responses={"204": None, "401": _ERRORS["401"], "403": _ERRORS["403"]},
    security=[{"token": []}],
)
def forget_upload(path: UploadPath, query: NoParameters) -> tuple[str, int]:  # noqa: ARG001
    """Forget a photo that a visitor uploaded on the site."""
    site().uploads.forget(path.photo_id)
    return "", 204


def with_addresses(result: dict[str, Any]) -> dict[str, Any]:
    """A result with addresses in place of paths: those of the server are nobody's business."""
    for hit in result["results"]:
        addresses = {path: photo_address(hit["id"], i) for i, path in enumerate(hit["images"])}
        hit["images"] = [addresses[path] for path in hit["images"]]
        hit["image"] = addresses.get(hit["image"])
        if "image" in hit["matched"]:
            hit["matched"]["image"] = addresses.get(hit["matched"]["image"])
    return result
