"""Shop texts: titles, descriptions and held-out paraphrases, true of the model they describe."""

from __future__ import annotations

import numpy as np

from .kind import Kind
from .palette import color_word, material_word, split

BRANDS: dict[str, tuple[str, ...]] = {
    "home": ("Norrvik", "Casa Brell", "Linden & Loom", "Hallgate", "Ovanie", "Maison Tesk"),
    "kitchen": ("Tavola Rossi", "Pellmere", "Kuprello", "Ovanie", "Brisket & Bay"),
    "garden": ("Greenholt", "Fernlow", "Terravane"),
    "tools": ("Hardbeck", "Ironbeck", "Stahlun"),
    "tech": ("Voltaro", "Kyno", "Lumetic", "Octavine"),
    "toys": ("Tumblekin", "Bop & Bear", "Holzli"),
    "wear": ("Marlow Row", "Fjordane", "Atelier Sev", "Pikkero"),
    "sport": ("Runalto", "Ridgelo", "Corvex"),
    "music": ("Cadenza Works", "Tonella", "Octavine"),
    "office": ("Papermoor", "Inkfold", "Deskmoor"),
}

NAMES = (
    "Halden",
    "Brisa",
    "Orrin",
    "Tove",
    "Lumi",
    "Marsh",
    "Aldera",
    "Fenn",
    "Koti",
    "Sorrel",
    "Vesper",
    "Juno",
    "Arden",
    "Bexley",
    "Calla",
    "Dorset",
    "Elin",
    "Faro",
    "Greta",
    "Hollis",
    "Isola",
    "Jarvi",
    "Kestrel",
    "Lark",
    "Mira",
    "Nolan",
    "Oslin",
    "Pernille",
    "Quill",
    "Rowan",
    "Saga",
    "Tarn",
    "Ulla",
    "Vito",
    "Wilder",
    "Ysolde",
    "Zora",
    "Anselm",
    "Birch Hill",
    "Cove",
    "Darby",
    "Esker",
    "Finch",
    "Gable",
    "Heron",
    "Ingrid",
    "Joren",
    "Kelda",
    "Lowell",
    "Moss",
    "Nara",
    "Otto",
    "Piper",
    "Rhea",
    "Sten",
    "Tilda",
    "Uma",
    "Varde",
    "Wren",
    "Alba",
    "Bruno",
    "Cleo",
    "Dune",
    "Ember",
    "Flint",
    "Gala",
    "Hugo",
    "Iris",
    "Jolie",
    "Kai",
    "Leto",
    "Milo",
    "Nessa",
    "Onda",
    "Pax",
    "Runa",
    "Silas",
    "Thea",
    "Umber",
    "Vela",
    "Willa",
    "Yara",
    "Zeno",
    "Amble",
    "Brook",
    "Cairn",
    "Delph",
    "Eyre",
    "Fable",
    "Grove",
    "Hearth",
    "Inlet",
    "Juniper",
    "Knoll",
    "Linnet",
    "Meadow",
)


def finish_phrase(finish: str) -> str:
    """How a finish is said: "walnut", "blue glass", "white ceramic"."""
    family, variant = split(finish)
    material, color = material_word(finish), color_word(finish)
    if family in {"wood", "metal", "terracotta", "cork", "concrete", "jute", "granite", "card"}:
        return material
    if family == "rattan":
        return "black rattan" if variant == "black" else "natural rattan"
    if family == "marble":
        return f"{variant or 'white'} marble"
    if variant in {"rainbow", "pastel"}:
        return f"{variant}-coloured {material}"
    if family == "frosted":
        return "frosted glass" if variant == "clear" else f"frosted {color} glass"
    return f"{color} {material}"


def _title_case(text: str) -> str:
    small = {"in", "of", "with", "and", "the", "for", "a"}
    words = text.split(" ")
    return " ".join(
        w if (i and w in small) or not w[:1].islower() else w[0].upper() + w[1:]
        for i, w in enumerate(words)
    )


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _article(phrase: str) -> str:
    return (
        f"an {phrase}" if phrase[:1].lower() in "aeiou" and phrase[:3] != "uni" else f"a {phrase}"
    )


def _plural(noun: str) -> bool:
    return noun.endswith("s") and not noun.endswith(("ss", "us", "glass"))


def title(kind: Kind, finishes: tuple[str, ...], name: str, facts: list[str], pick: int) -> str:
    """One of several title patterns; not every title states colour and material."""
    noun = kind.nouns[pick % len(kind.nouns)]
    color, material = color_word(finishes[kind.color_from]), material_word(finishes[0])
    phrase = finish_phrase(finishes[0])
    if kind.color_from:
        phrase = _together(finishes)
    options = [
        f"{name} {noun}, {phrase}",
        f"{name} {noun}",
        f"{phrase} {noun} {name}",
        f"{name} {material} {noun}",
        f"{noun} {name}, {color}",
        f"{name} {noun} in {phrase}",
        f"{name} {noun} with {_bare(facts[0])}" if facts else f"{name} {noun}",
    ]
    return _title_case(options[(pick // 3) % len(options)])


def _bare(fact: str) -> str:
    for article in ("a ", "an "):
        if fact.startswith(article):
            return fact[len(article) :]
    return fact


def _accent(finishes: tuple[str, ...]) -> str:
    if len(finishes) < 2 or finish_phrase(finishes[1]) == finish_phrase(finishes[0]):
        return ""
    return finish_phrase(finishes[1])


def _together(finishes: tuple[str, ...]) -> str:
    """Main and second finish in one phrase: "oak and grey wool", "red and black enamel"."""
    main, accent = finish_phrase(finishes[0]), _accent(finishes)
    if not accent:
        return main
    material = material_word(finishes[0])
    if material == material_word(finishes[1]) and main != material:
        return f"{color_word(finishes[0])} and {accent}"
    return f"{main} and {accent}"


def description(
    kind: Kind, finishes: tuple[str, ...], name: str, facts: list[str], rng: np.random.Generator
) -> str:
    """Two sentences: what it is and is made of, then what it is good for."""
    noun = kind.nouns[int(rng.integers(len(kind.nouns)))]
    phrase, both = finish_phrase(finishes[0]), _together(finishes)
    color = color_word(finishes[kind.color_from])
    accent = _accent(finishes)
    features = " and ".join(facts[:2]) if facts else "a clean outline"
    last = facts[-1] if facts else "a clean outline"
    plural = _plural(noun)
    subject = noun if plural else _article(noun)
    this = f"these {noun}" if plural else f"this {noun}"
    have = "have" if plural else "has"
    colored = _color_noun(color, phrase, noun)
    colored = colored if plural else _article(colored)
    say = [
        f"{_upper_first(subject)} in {both}, with {features}.",
        f"Made of {both}, {this} {have} {features}.",
        f"{_upper_first(features)} give {this} in {both} {'their' if plural else 'its'} character.",
        f"{name} {'are' if plural else 'is'} {colored} with {features}"
        f"{', finished with ' + accent if accent else ''}.",
        f"Our {name} {noun} in {both}: {features}.",
        f"{_upper_first(both)} and a simple idea: {subject} with {last}.",
        f"{_upper_first(this)} in {phrase} {'come' if plural else 'comes'} with {features}"
        f"{', and with ' + accent + ' for contrast' if accent else ''}.",
        f"We like the {name} for its {both} and for {last}.",
        f"{_upper_first(colored)}, easy to recognise by {features}.",
        f"Here {'are' if plural else 'is'} {subject} with {features}, in {both}.",
    ]
    opening = say[int(rng.integers(len(say)))]
    return f"{opening} {kind.uses[int(rng.integers(len(kind.uses)))]}"


def _color_noun(color: str, phrase: str, noun: str) -> str:
    return f"{phrase} {noun}" if color in phrase else f"{color} {noun} of {phrase}"


COLOR_SAID = {
    "navy": "dark blue",
    "teal": "blue-green",
    "sage": "soft grey-green",
    "charcoal": "dark grey",
    "cream": "off-white",
    "rust": "reddish brown",
    "mustard": "dark yellow",
    "coral": "pinkish orange",
    "burgundy": "wine red",
    "forest green": "deep green",
    "olive": "brownish green",
    "mint": "pale green",
    "turquoise": "bright blue-green",
    "sky blue": "light blue",
    "lilac": "pale purple",
    "magenta": "strong pink",
    "tan": "light brown",
    "cognac": "reddish brown",
    "sand": "sandy beige",
    "amber": "orange-brown",
    "clear": "colourless",
    "silver": "silvery",
    "gold": "golden",
    "copper": "reddish metallic",
    "natural": "straw-coloured",
    "terracotta": "brick orange",
}
MATERIAL_SAID = {
    "stoneware": "fired clay",
    "ceramic": "glazed pottery",
    "stainless steel": "shiny metal",
    "coated steel": "painted metal",
    "enamelled steel": "enamel",
    "cast iron": "iron",
    "cotton": "cloth",
    "linen": "woven cloth",
    "velvet": "soft velvet",
    "canvas": "sturdy cloth",
    "lacquered wood": "glossy painted wood",
    "rattan": "wicker",
    "jute": "straw-like fibre",
}
_UNCOUNTED = (
    "seating",
    "storage",
    "tableware",
    "stemware",
    "furniture",
    "eyewear",
    "headwear",
    "jewellery",
    "luggage",
    "shoes",
    "cubes",
    "pins",
    "rattles",
    "wax",
    "cups",
    "paper",
)
_VERBS = (
    "holds",
    "pours",
    "brews",
    "keeps",
    "shows",
    "tells",
    "wakes",
    "stirs",
    "beats",
    "flattens",
    "grinds",
    "browns",
    "drains",
    "boils",
    "drives",
    "turns",
    "tightens",
    "cuts",
    "gives",
    "digs",
    "carries",
    "measures",
    "joins",
    "takes",
    "plays",
)


def _wanted(role: str) -> str:
    """A role from `Kind.para` as the object of "looking for"."""
    first = role.split(" ")[0]
    if first in _VERBS:
        return f"something that {role}"
    if first == "cut":
        return f"a tool to {role}"
    if first == "play":
        return f"an instrument to {role}"
    if first in {"for", "worn", "wrapped", "used"}:
        return f"something {role}"
    if first in {"a", "an", "what", "where", "something", "two"}:
        return role
    if any(word in role.split(" ") for word in _UNCOUNTED):
        return role
    return _article(role)


def paraphrase(
    kind: Kind, finishes: tuple[str, ...], facts: list[str], rng: np.random.Generator
) -> str:
    """The product said again in other words, for evaluation on texts it was not indexed with."""
    role = _wanted(kind.para[int(rng.integers(len(kind.para)))])
    noun = kind.nouns[-1]
    color = color_word(finishes[kind.color_from])
    shade = COLOR_SAID.get(color, color)
    materials = list(dict.fromkeys(material_word(f) for f in finishes[:2]))
    materials = [MATERIAL_SAID.get(m, m) for m in materials]
    made = " and ".join(materials)
    shade = "" if shade == materials[0] else shade
    detail = facts[int(rng.integers(len(facts)))] if facts else "plain lines"
    other = facts[int(rng.integers(len(facts)))] if facts else "plain lines"
    also = f" and {other}" if other != detail else ""
    one = noun if _plural(noun) else _article(noun)
    comma = f", {shade}" if shade else ""
    say = [
        f"{_upper_first(role)}{comma}, made from {made}; you can see {detail}{also}.",
        f"I want {role}{comma}, in {made}, and it should have {detail}.",
        f"{_upper_first(noun)}{comma}, {made}, recognisable by {detail}{also}.",
        f"{_upper_first(role)}: {made}{comma}, {detail}{also}.",
        f"Photo of {one} made of {made}{comma}, with {detail}.",
    ]
    return say[int(rng.integers(len(say)))]


def dimensions(size: tuple[float, float, float], flat: bool) -> str:
    """Width x depth x height in cm from a bounding box, or length x width for flat things."""

    def show(value: float) -> str:
        rounded = round(value, 1) if value < 20 else round(value)
        return f"{rounded:g}"

    w, d, h = size
    parts = sorted((w, d), reverse=True) if flat else [w, d, h]
    return " x ".join(show(v) for v in parts) + " cm"
