"""Names of colours and materials, as a shop uses them, with the values they are rendered with.

A finish is written `family:variant`, for example `wood:oak`, `glass:blue` or `fabric:navy`.
"""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[float, float, float]

COLORS: dict[str, str] = {
    "white": "#f1efea",
    "cream": "#ecdfc2",
    "beige": "#d3bd98",
    "sand": "#cdb184",
    "grey": "#8c8e90",
    "light grey": "#bfc1c2",
    "charcoal": "#3a3c40",
    "black": "#17181a",
    "red": "#c3202a",
    "burgundy": "#6b1526",
    "coral": "#f0694f",
    "orange": "#ef7a15",
    "rust": "#a8461c",
    "yellow": "#f4c310",
    "mustard": "#c9921a",
    "green": "#2b8a46",
    "forest green": "#1f4b33",
    "olive": "#6d7238",
    "sage": "#9bb095",
    "mint": "#a5dcc2",
    "teal": "#11807f",
    "turquoise": "#28b7bd",
    "sky blue": "#79b8e4",
    "blue": "#1d58c0",
    "navy": "#17264f",
    "purple": "#67379c",
    "lilac": "#bca2d8",
    "pink": "#ef9bb4",
    "magenta": "#c92a7c",
    "brown": "#6b4226",
    "tan": "#b3793f",
    "cognac": "#94501f",
}
"""sRGB hex values of the colours that plastic, fabric, ceramic and paint come in."""

BASIC: dict[str, str] = {
    "cream": "beige",
    "sand": "beige",
    "light grey": "grey",
    "charcoal": "grey",
    "burgundy": "red",
    "coral": "orange",
    "rust": "orange",
    "mustard": "yellow",
    "forest green": "green",
    "olive": "green",
    "sage": "green",
    "mint": "green",
    "teal": "green",
    "turquoise": "blue",
    "sky blue": "blue",
    "navy": "blue",
    "lilac": "purple",
    "magenta": "pink",
    "tan": "brown",
    "cognac": "brown",
    "amber": "orange",
    "smoke": "grey",
    "rose": "pink",
}
"""The plain colour word under which a shopper would filter a named shade."""


@dataclass(frozen=True)
class Wood:
    dark: str
    light: str
    color: str
    grain: float = 1.0


WOODS: dict[str, Wood] = {
    "oak": Wood("#a67c4c", "#cfa976", "light brown"),
    "walnut": Wood("#3d2414", "#6f462a", "dark brown"),
    "pine": Wood("#d3a463", "#ecc98d", "light brown", 0.8),
    "beech": Wood("#cc9a6b", "#dfb588", "light brown", 0.5),
    "birch": Wood("#dcc19a", "#ecdab8", "beige", 0.4),
    "ash": Wood("#c9b391", "#e0d0b4", "beige", 1.0),
    "cherry": Wood("#85401f", "#ab5f36", "reddish brown", 0.7),
    "mahogany": Wood("#4c180f", "#78301e", "reddish brown", 0.8),
    "teak": Wood("#80511f", "#a9753a", "brown", 1.0),
    "bamboo": Wood("#cda459", "#e4c583", "light brown", 0.6),
    "black-stained ash": Wood("#151413", "#2b2927", "black", 1.0),
    "maple": Wood("#d7b286", "#ebd0a8", "beige", 0.4),
    "ebony": Wood("#120d0b", "#2a1d17", "black", 0.5),
    "acacia": Wood("#5d371c", "#a06c3c", "brown", 1.4),
}

GLASS: dict[str, tuple[str, str]] = {
    "clear": ("#fbfdfc", "clear"),
    "blue": ("#3f77d8", "blue"),
    "green": ("#4fae6b", "green"),
    "amber": ("#dd8a2a", "amber"),
    "smoke": ("#85827f", "grey"),
    "pink": ("#eda0b0", "pink"),
    "purple": ("#9168c4", "purple"),
    "turquoise": ("#55c3c6", "turquoise"),
    "red": ("#d03a3a", "red"),
}
"""Tint of a few millimetres of glass, and the colour word."""

METALS: dict[str, tuple[str, float, str]] = {
    "steel": ("#b9bbbd", 0.28, "silver"),
    "chrome": ("#d9dadb", 0.07, "silver"),
    "aluminium": ("#c3c5c8", 0.38, "silver"),
    "brass": ("#c9a866", 0.22, "gold"),
    "gold": ("#dfbd74", 0.15, "gold"),
    "copper": ("#c08163", 0.2, "copper"),
    "bronze": ("#7d5a34", 0.3, "bronze"),
    "iron": ("#232324", 0.55, "black"),
    "gunmetal": ("#47494d", 0.32, "grey"),
}
"""Base colour, roughness and the colour word."""

MATERIAL_WORDS: dict[str, str] = {
    "plastic": "plastic",
    "rubber": "rubber",
    "leather": "leather",
    "fabric": "cotton",
    "wool": "wool",
    "linen": "linen",
    "velvet": "velvet",
    "canvas": "canvas",
    "felt": "felt",
    "denim": "denim",
    "ceramic": "ceramic",
    "stoneware": "stoneware",
    "porcelain": "porcelain",
    "paint": "painted wood",
    "lacquer": "lacquered wood",
    "enamel": "enamelled steel",
    "coated": "coated steel",
    "marble": "marble",
    "terracotta": "terracotta",
    "cork": "cork",
    "rattan": "rattan",
    "paper": "paper",
    "card": "cardboard",
    "concrete": "concrete",
    "wax": "wax",
    "foam": "foam",
    "silicone": "silicone",
    "jute": "jute",
    "granite": "granite",
}

FIXED_COLOR: dict[str, str] = {
    "terracotta": "terracotta",
    "cork": "light brown",
    "concrete": "grey",
    "jute": "beige",
    "granite": "grey",
    "card": "brown",
}


def split(finish: str) -> tuple[str, str]:
    family, _, variant = finish.partition(":")
    return family, variant


def color_word(finish: str) -> str:
    """The colour a shop would print for a finish."""
    family, variant = split(finish)
    if family == "wood":
        return WOODS[variant].color
    if family in {"glass", "frosted"}:
        return GLASS[variant][1]
    if family == "metal":
        return METALS[variant][2]
    if family == "rattan":
        return "black" if variant == "black" else "natural"
    if family == "marble":
        return variant or "white"
    if variant in {"rainbow", "pastel"}:
        return "multicolour"
    return FIXED_COLOR.get(family, variant)


def material_word(finish: str) -> str:
    family, variant = split(finish)
    if family == "wood":
        return variant
    if family in {"glass", "frosted"}:
        return "glass"
    if family == "metal":
        return {"steel": "stainless steel", "iron": "cast iron"}.get(variant, variant)
    return MATERIAL_WORDS[family]


def basic_color(word: str) -> str:
    """One of a dozen plain colour words for any colour word used here."""
    for ending in ("brown",):
        if word.endswith(ending):
            return ending
    extra = {"natural": "brown", "terracotta": "orange", "silver": "silver", "bronze": "brown"}
    return BASIC.get(word, extra.get(word, word))


def rgb(hex_value: str) -> Rgb:
    """Linear RGB, 0..1, of an sRGB hex value."""
    channels = [int(hex_value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return (linear[0], linear[1], linear[2])


def mix(a: Rgb, b: Rgb, t: float) -> Rgb:
    return tuple(x * (1 - t) + y * t for x, y in zip(a, b, strict=True))  # type: ignore[return-value]
