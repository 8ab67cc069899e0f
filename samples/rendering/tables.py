"""The tables beside the photos: catalog, held-out paraphrases, attribute queries, licence."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import wording
from .palette import WOODS, basic_color, color_word, material_word
from .plan import Product

COLUMNS = (
    "id",
    "title",
    "description",
    "image",
    "category",
    "brand",
    "price",
    "color",
    "material",
    "dimensions",
    "kind",
    "color_family",
    "second_material",
    "style",
)

LICENSE = """CC0-1.0

The pictures and tables in this folder were made by the authors of this project with the script
`samples/render.py`. They show products that do not exist, by brands that were invented.

To the extent possible under law, the authors give up all copyright and related rights in them,
everywhere in the world, under the terms of the Creative Commons CC0 1.0 Universal dedication
(SPDX: CC0-1.0). Use, change and share them for any purpose without asking and without naming us.
They come as they are, without any warranty.
"""


GROUPS = {
    "chair": "Chairs|Armchairs",
    "lamp": "Lamps|Lanterns",
    "vase": "Vases",
    "shelf": "Shelving",
    "clock": "Clocks",
    "toy": "Toys|Games",
    "bag": "Bags",
    "hat": "Hats",
    "tool": "Tools|Garden",
    "table": "Coffee tables|Dining tables|Desks|Nightstands",
    "seat": "Chairs|Armchairs|Stools|Benches|Ottomans|Sofas",
    "cabinet": "Cabinets|Nightstands",
    "tableware": "Plates|Bowls|Mugs|Jugs|Teapots|Glasses|Cutlery",
    "kitchen tool": "Utensils|Knives|Cutting boards|Mills",
    "cookware": "Cookware|Kettles",
    "musical instrument": "Instruments",
    "office supplies": "Stationery",
    "container": "Jars|Bottles|Jugs|Vases|Plant pots|Baskets",
    "electronics": "Audio|Computers|Phones|Tablets|Cameras",
}
"""What a shopper calls a group of products, with the categories it may mean."""


@dataclass(frozen=True)
class Row:
    product: Product
    values: dict[str, str]
    facts: list[str]


def _rows(products: list[Product], out: Path) -> list[Row]:
    rows: list[Row] = []
    titles: set[str] = set()
    for product in products:
        if not all((out / name).exists() for name in product.image_names):
            continue
        draft = product.build()
        points = np.concatenate([p.verts for p in draft.parts])
        w, d, h = (float(v) for v in np.ptp(points, axis=0))
        rng = np.random.default_rng(product.text_seed)
        main = product.finishes[0]
        pick = int(rng.integers(1000))
        title = wording.title(product.kind, product.finishes, product.name, draft.facts, pick)
        if title in titles:
            phrase = wording.finish_phrase(main)
            title = f"{product.brand} {product.name} {product.kind.nouns[0]}, {phrase}"
        titles.add(title)
        second = product.finishes[1] if len(product.finishes) > 1 else ""
        values = {
            "id": product.id,
            "title": title,
            "description": wording.description(
                product.kind, product.finishes, product.name, draft.facts, rng
            ),
            "image": "|".join(product.image_names),
            "category": product.kind.category,
            "brand": product.brand,
            "price": product.price,
            "color": color_word(product.finishes[product.kind.color_from]),
            "material": material_word(main),
            "dimensions": wording.dimensions((w, d, h), product.kind.flat),
            "kind": product.kind.key.replace("-", " "),
            "color_family": basic_color(color_word(product.finishes[product.kind.color_from])),
            "second_material": material_word(second) if second and second != main else "",
            "style": "; ".join(draft.facts),
        }
        rows.append(Row(product, values, draft.facts))
    return rows


def write_catalog(products: list[Product], out: Path) -> list[Row]:
    """Write `catalog.csv` with the products whose photos all exist, and return its rows."""
    rows = _rows(products, out)
    _write(out / "catalog.csv", COLUMNS, [r.values for r in rows])
    return rows


def write_paraphrases(rows: list[Row], out: Path, count: int = 150) -> None:
    """Write `paraphrases.csv`: other words for a spread of products, never in the catalog."""
    step = max(1, len(rows) // count)
    lines = []
    for row in rows[::step][:count]:
        product = row.product
        rng = np.random.default_rng(product.text_seed + 5)
        text = wording.paraphrase(product.kind, product.finishes, row.facts, rng)
        lines.append({"id": product.id, "description": text})
    _write(out / "paraphrases.csv", ("id", "description"), lines)


def write_queries(rows: list[Row], out: Path, count: int = 100) -> None:
    """Write `queries.csv`: attribute queries; a right answer fulfils every column that is filled.

    And `judgements.csv`: the right answers, as `retrieval evaluate --judgements` reads them.

    A cell may hold alternatives split by `|`. `right` counts the right answers in the catalog.
    Asked is only what tells products of a kind apart, those with five right answers first, and no
    more than twice of a kind and five times of a group.
    """
    asked: list[dict[str, str]] = []
    for query, wanted in _candidates(rows).items():
        right = _count(rows, wanted)
        topic = {k: v for k, v in wanted.items() if k in {"kind", "category"}}
        if 2 <= right < _count(rows, topic):
            asked.append({"query": query, **wanted, "right": str(right)})
    asked.sort(key=lambda line: -min(int(line["right"]), 5))
    chosen: list[dict[str, str]] = []
    used: dict[str, int] = {}
    for line in asked:
        topic_name = line.get("kind") or line["category"]
        used[topic_name] = used.get(topic_name, 0) + 1
        if used[topic_name] <= (2 if "kind" in line else 5):
            chosen.append(line)
    columns = ("query", "kind", "category", "color_family", "material", "right")
    kept = sorted(chosen[:count], key=lambda line: line["query"])
    _write(out / "queries.csv", columns, kept)
    judged = [
        {"query": line["query"], "product_id": row.product.id}
        for line in kept
        for row in rows
        if _is_right(row, {k: line[k] for k in columns[1:-1] if line.get(k)})
    ]
    _write(out / "judgements.csv", ("query", "product_id"), judged)


def _candidates(rows: list[Row]) -> dict[str, dict[str, str]]:
    """Queries by attribute, each with the columns that a right answer has to fulfil."""
    found: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda r: r.product.text_seed):
        v = row.values
        plain, material = v["color_family"], v["material"]
        spoken = material not in {"lacquered wood", "coated steel", "painted wood", "foam"}
        shown = plain not in {"clear", "multicolour", "silver"} and plain not in material
        wooden = plain == "brown" and material in WOODS
        topics = [(row.product.kind.nouns[0], {"kind": v["kind"]})]
        for group, categories in GROUPS.items():
            if v["category"] in categories.split("|"):
                topics.append((group, {"category": categories}))
        for noun, topic in topics:
            if material == "glass" and noun.endswith("glass"):
                spoken = False
            if shown and spoken and not wooden and "kind" in topic:
                wanted = {**topic, "color_family": plain, "material": material}
                found.setdefault(f"{plain} {material} {noun}", wanted)
            if spoken:
                found.setdefault(f"{material} {noun}", {**topic, "material": material})
            if shown and not wooden:
                found.setdefault(f"{plain} {noun}", {**topic, "color_family": plain})
    return found


def _count(rows: list[Row], wanted: dict[str, str]) -> int:
    return sum(_is_right(row, wanted) for row in rows)


def _is_right(row: Row, wanted: dict[str, str]) -> bool:
    return all(row.values[column] in said.split("|") for column, said in wanted.items())


def write_license(out: Path) -> None:
    (out / "LICENSE.txt").write_text(LICENSE, encoding="utf-8")


def _write(path: Path, columns: tuple[str, ...], lines: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
