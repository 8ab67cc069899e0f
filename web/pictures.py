"""Photos of products, and those that were uploaded: never by a path, always by what they are."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, request

from .site import site
from .thumbnails import SIZES

KEPT_SECONDS = 3_600

blueprint = Blueprint("pictures", __name__)


@blueprint.get("/photos/<int:size>/<int:position>/<path:key>")
def photo(key: str, position: int, size: int) -> Response:
    """The photo of a product at a position, at most `size` pixels a side, as WebP."""
    return _photo(key, position, size)


@blueprint.get("/photos/<int:size>/<int:position>")
def photo_by_id(position: int, size: int) -> Response:
    """The same of any id: not all can stand in a path."""
    return _photo(request.args.get("id", ""), position, size)


def _photo(key: str, position: int, size: int) -> Response:
    images = site().searcher.product(key, words=False).images
    if size not in SIZES or position >= len(images):
        abort(404)
    path = Path(images[position])
    thumbnails = site().thumbnails
    etag = thumbnails.key(path, size)
    response = Response(content_type="image/webp")
    response.set_etag(etag)
    response.cache_control.public = True
    response.cache_control.max_age = KEPT_SECONDS
    if request.if_none_match.contains_weak(etag):
        response.status_code = 304
        return response
    response.set_data(thumbnails.get(path, size))
    return response


@blueprint.get("/uploads/<photo_id>")
def upload(photo_id: str) -> Response:
    """An uploaded photo; private to who has its address."""
    response = Response(site().uploads.get(photo_id), content_type="image/jpeg")
    response.set_etag(photo_id)  # it is the hash of its pixels
    response.cache_control.private = True
    response.cache_control.max_age = KEPT_SECONDS
    return response
