"""All kinds of products: what `data/*.toml` says of them, and the functions that build them."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

from .kind import Kind
from .studio import Shot

FAMILIES = (
    "vessels",
    "tableware",
    "seating",
    "furniture",
    "lamps",
    "decor",
    "kitchen",
    "tools",
    "stationery",
    "toys",
    "electronics",
    "instruments",
    "clothing",
    "bags",
    "sport",
)
DATA = Path(__file__).with_name("data")


def _kind(entry: dict[str, Any], module: Any) -> Kind:
    finishes = entry.pop("finishes")
    by_design = finishes if isinstance(finishes[0], list) else [finishes]
    return Kind(
        build=getattr(module, entry.pop("builder")),
        finishes=tuple(tuple(options) for options in by_design),
        price=tuple(entry.pop("price")),
        shots=tuple(Shot(**shot) for shot in entry.pop("shots")),
        **entry,
    )


def _gather() -> tuple[Kind, ...]:
    kinds: list[Kind] = []
    for family in FAMILIES:
        module = importlib.import_module(f".{family}", __package__)
        with (DATA / f"{family}.toml").open("rb") as handle:
            kinds.extend(_kind(entry, module) for entry in tomllib.load(handle)["kind"])
    return tuple(kinds)


KINDS: tuple[Kind, ...] = _gather()
