"""Which column of a source is the title, which the photo: good guesses, and `--map`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.errors import SourceError

FIELDS = tuple(field.name for field in PRODUCT_FIELDS)

# In order of preference: names that shops, marketplaces and open data sets use.
ALIASES: dict[str, list[str]] = {
    "id": (
        "id product_id sku item_id uniq_id pid asin article_number article_no article_id handle "
        "product_code item_code code part_number part_no mpn gtin ean upc item_number uid uuid key"
    ).split(),
    "title": (
        "title name product_name product_title item_name display_name product_display_name label "
        "heading"
    ).split(),
    "description": (
        "description desc product_description long_description body_html body full_description "
        "short_description details product_details about summary caption text"
    ).split(),
    "image": (
        "image images image_path image_paths image_file image_files img imgs photo photos picture "
        "pictures image_url image_urls img_url photo_url image_link image_src main_image file "
        "file_name filename file_path filepath path additional_image_link additional_images "
        "thumbnail"
    ).split(),
    "category": (
        "category categories category_name product_category product_category_tree product_type "
        "category_path department master_category type collection group"
    ).split(),
    "brand": "brand brand_name manufacturer vendor maker designer label_name".split(),
    "price": (
        "price selling_price sale_price discounted_price retail_price unit_price list_price "
        "variant_price price_usd price_eur amount msrp cost"
    ).split(),
}


def guess_mapping(columns: Iterable[str]) -> dict[str, list[str]]:
    """The columns of each field that could be guessed; only `image` may have several.

    Numbered columns (`image_1`, `image 2`, `photo3`) belong together.
    """
    names = {column: normal_name(column) for column in columns}
    mapping: dict[str, list[str]] = {}
    taken: set[str] = set()
    for field in FIELDS:
        chosen: list[str] = []
        for alias in ALIASES[field]:
            for column, name in names.items():
                numbered = field == "image" and re.fullmatch(rf"{alias}_?\d+", name)
                if column not in taken and (name == alias or numbered):
                    chosen.append(column)
        if chosen:
            mapping[field] = chosen if field == "image" else chosen[:1]
            taken.update(mapping[field])
    if "image" in mapping:
        mapping["image"] = _photos_only(mapping["image"], names)
    return mapping


def apply_map(
    guessed: Mapping[str, list[str]], wanted: Mapping[str, str], columns: Iterable[str]
) -> dict[str, list[str]]:
    """The guesses with the user's choices over them; `wanted` maps field -> column or "".

    Raises:
        SourceError: an unknown field, or a column that the source does not have.
    """
    columns = list(columns)
    mapping = {field: list(names) for field, names in guessed.items()}
    for field, column in wanted.items():
        if field not in FIELDS:
            raise SourceError(f"--map: there is no field {field!r}; fields: {', '.join(FIELDS)}")
        chosen = [part for part in column.split("+") if part]
        missing = [part for part in chosen if part not in columns]
        if missing:
            raise SourceError(
                f"--map: the source has no column {missing[0]!r}; columns: {', '.join(columns)}"
            )
        for other in mapping:
            mapping[other] = [name for name in mapping[other] if name not in chosen]
        mapping[field] = chosen
    return {field: mapping[field] for field in FIELDS if mapping.get(field)}


def check_mapping(mapping: Mapping[str, list[str]], columns: Iterable[str]) -> None:
    """Raises SourceError where no column could be a title, a description or a photo."""
    if not any(mapping.get(field) for field in ("title", "description", "image")):
        listed = ", ".join(_printable(column) for column in list(columns)[:12])
        raise SourceError(
            f"no column looks like a title, a description or an image (columns: {listed}); "
            "name them with --map title=COLUMN,image=COLUMN"
        )


def find_column(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """The column that goes by the first of `names` that any has, however it is written."""
    by_name = {normal_name(column): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), None)


def parse_map(text: str | None) -> dict[str, str]:
    """`title=name,image=photo` -> {"title": "name", "image": "photo"}; raises SourceError."""
    wanted: dict[str, str] = {}
    for part in filter(None, (text or "").split(",")):
        field, equals, column = part.partition("=")
        if not equals:
            raise SourceError(f"--map: {part!r} is not FIELD=COLUMN")
        wanted[field.strip()] = column.strip()
    return wanted


def _photos_only(columns: list[str], names: Mapping[str, str]) -> list[str]:
    """Leaves out a guess such as `path` or `thumbnail` where a column says `image` plainly."""
    plain = [c for c in columns if re.match(r"(image|img|photo|picture|main_image)", names[c])]
    without_small = [c for c in plain or columns if "thumbnail" not in names[c]]
    return without_small or plain or columns


def normal_name(column: str) -> str:
    """A column's name in lower case, words joined by `_`: `Product Name` -> `product_name`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _printable(column: str) -> str:
    # Control characters would reach the terminal, or break the line.
    return column.encode("unicode_escape", "surrogatepass").decode()[:40]
