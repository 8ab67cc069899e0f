"""What tests read of an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.shop import Shop


def ids(result: Any) -> list[str]:
    return [hit.id for hit in result]


def photo(shop: Shop, key: str) -> Path:
    return shop.folder / shop.rows[key]["image"]
