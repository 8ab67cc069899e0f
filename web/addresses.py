"""Where this server shows a product and its photos, whatever its id is."""

from __future__ import annotations

from flask import url_for

from retrieval.common.ids import fits_a_path


def product_address(key: str) -> str:
    """The page of a product."""
    if fits_a_path(key):
        return url_for("pages.product", key=key)
    return url_for("pages.product_by_id", id=key)


def photo_address(key: str, position: int, size: int = 640) -> str:
    """Where this server shows a photo of a product."""
    if fits_a_path(key):
        return url_for("pictures.photo", key=key, position=position, size=size)
    return url_for("pictures.photo_by_id", id=key, position=position, size=size)
