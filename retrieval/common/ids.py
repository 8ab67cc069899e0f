"""Which ids of products can stand in the path of an address, and which need a form of their own."""

from __future__ import annotations

import re

# Signs that proxies, browsers or servers read as something else, and characters without a picture.
_SPECIAL = re.compile(r"[%?#\\;\x00-\x1f\x7f\u0080-\u00a0\u2028\u2029]")
# The last step of the address of what is like a product.
_ADDRESSES = ("similar",)


def fits_a_path(key: str) -> bool:
    """Whether an address whose path ends with `key` names this product and no other.

    `/A`, `a//b` and `..` are taken out of a path by browsers and proxies, `%2F` is read as a
    slash by some, and `A/similar` is what is like A. Such ids are given as `?id=` instead.
    """
    steps = key.split("/")
    return (
        all(step and step.strip(".") for step in steps)
        and not (len(steps) > 1 and steps[-1] in _ADDRESSES)
        and key.strip() == key
        and not _SPECIAL.search(key)
    )
