"""Which products there are: every kind in several designs, every design in several finishes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from . import palette, wording
from .kind import Draft, Kind
from .kinds import KINDS
from .studio import Shot

OPEN_COLORS = {
    "plastic",
    "fabric",
    "linen",
    "velvet",
    "wool",
    "canvas",
    "felt",
    "paint",
    "enamel",
    "coated",
    "ceramic",
    "stoneware",
    "leather",
    "rubber",
    "silicone",
    "wax",
    "lacquer",
}
LIGHT_TONES = ("blush", "sky", "sage", "sand", "lilac", "butter", "clay", "teal", "slate")


@dataclass(frozen=True)
class Product:
    """One row of the catalog and all that is needed to render it again."""

    id: str
    kind: Kind
    design: int
    finishes: tuple[str, ...]
    model_seed: int
    name: str
    brand: str
    price: str
    shots: tuple[Shot, ...]
    image_names: tuple[str, ...]
    text_seed: int
    stretch: tuple[float, float] = (1.0, 1.0)

    def build(self) -> Draft:
        """The model, the same at every call."""
        draft = Draft(np.random.default_rng(self.model_seed), design=self.design)
        wide, tall = self.stretch
        with draft.frame(scale=(wide, wide, tall)):
            self.kind.build(draft, self.finishes)
        return draft


def _seed(*parts: object) -> int:
    digest = hashlib.sha256(":".join(str(p) for p in parts).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _finishes(kind: Kind, design: int, split: str, rng: np.random.Generator) -> list[str]:
    allowed = kind.finishes[design % len(kind.finishes)]
    start = (design * kind.per_design) % len(allowed)
    chosen = (allowed[start:] + allowed[:start])[: kind.per_design]
    return [_recolored(f, rng) for f in chosen] if split == "training" else list(chosen)


def _recolored(finish: str, rng: np.random.Generator) -> str:
    """Another colour or species of the same family of material."""
    parts = []
    for part in finish.split("|"):
        family, variant = palette.split(part)
        choices: list[str] = []
        if family in OPEN_COLORS:
            choices = list(palette.COLORS)
        elif family == "wood":
            choices = list(palette.WOODS)
        elif family in {"glass", "frosted"}:
            choices = list(palette.GLASS)
        elif family == "metal":
            choices = list(palette.METALS)
        if choices and rng.random() < 0.75:
            variant = choices[int(rng.integers(len(choices)))]
        parts.append(f"{family}:{variant}" if variant else family)
    return "|".join(parts)


def _scene(
    kind: Kind, shot: Shot, index: int, finish: str, rng: np.random.Generator, split: str
) -> Shot:
    """The first photo may stand in a scene, further ones are plain. Pale things get grey paper.

    Training photos are taken from more varied sides and distances.
    """
    if split == "training":
        turn = float(rng.uniform(-22, 22)) * (0.5 if shot.scene == "wall" else 1.0)
        lower = 0.0 if shot.scene == "wall" else -6.0
        shot = replace(
            shot,
            azimuth=shot.azimuth + turn,
            elevation=min(shot.elevation + float(rng.uniform(lower, 10)), 80.0),
            fill=float(rng.uniform(0.6, 0.86)),
        )
    pale = palette.color_word(finish.split("|")[0]) in {"white", "clear", "cream"}
    shot = replace(shot, main=palette.split(finish.split("|")[0])[0])
    scene = kind.scenes[int(rng.integers(len(kind.scenes)))]
    swing = float(rng.uniform(-7, 7))
    if scene != "wall":
        mirror = -1.0 if rng.random() < 0.3 and shot.focus is None else 1.0
        shot = replace(shot, azimuth=shot.azimuth * mirror + swing)
    if shot.scene == "wall" or scene == "wall":
        tone = ("white", "white", "grey", *LIGHT_TONES)[int(rng.integers(12))]
        return replace(shot, scene="wall", tone="slate" if pale and tone == "white" else tone)
    if scene == "studio" or index > 0:
        white = rng.random() < 0.8 and not pale
        return replace(shot, scene="studio", tone="white" if white else "grey")
    tone = LIGHT_TONES[int(rng.integers(len(LIGHT_TONES)))]
    return replace(shot, scene=scene, tone=tone, wood=_ground(scene, finish, rng))


def _ground(scene: str, finish: str, rng: np.random.Generator) -> str:
    """Wood to stand on, light under dark things and never the product's own."""
    own = palette.split(finish.split("|")[0])[1]
    color = palette.color_word(finish.split("|")[0])
    woods = ["oak", "beech", "pine", "birch"]
    if scene != "room" and color in {"white", "cream", "light brown", "beige", "yellow", "clear"}:
        woods = ["walnut", "acacia", "teak"]
    woods = [w for w in woods if w != own]
    return woods[int(rng.integers(len(woods)))]


def _price(kind: Kind, rng: np.random.Generator) -> str:
    low, high = kind.price
    value = low + (high - low) * float(rng.beta(1.6, 2.6))
    if value > 60:
        return f"{round(value / 10) * 10 - 1:.2f}"
    return f"{round(value) - (0.05 if rng.random() < 0.5 else 0.1):.2f}"


def _code(finish: str) -> str:
    family, variant = palette.split(finish.split("|")[0])
    word = variant or family
    if family in {"glass", "metal", "wood"} or not variant:
        return word.replace("-", "").replace(" ", "")[:3].upper()
    return (word.replace(" ", "")[:3] + family[:1]).upper()


def _of_design(kind: Kind, design: int, split: str, seed: int) -> list[Product]:
    model_seed = _seed(split, seed, kind.key, design)
    rng = np.random.default_rng(model_seed + 1)
    number = 1000 + model_seed % 9000
    brands = wording.BRANDS[kind.trade]
    brand = brands[int(rng.integers(len(brands)))]
    name = wording.NAMES[int(rng.integers(len(wording.NAMES)))]
    price = _price(kind, rng)
    products: list[Product] = []
    prefix = "" if split == "sample" else f"{split[0].upper()}{seed}-"
    for position, finish in enumerate(_finishes(kind, design, split, rng)):
        own = np.random.default_rng(_seed(split, seed, kind.key, design, finish))
        identifier = f"{prefix}{kind.code}-{number}-{_code(finish)}"
        if any(p.id == identifier for p in products):
            identifier += str(position)
        count = 1
        if split == "sample" and position == 0 and design == 0 and model_seed % 10 < 3:
            count = 3
        count = min(count, len(kind.shots))
        stretch = (1.0, 1.0)
        if split == "training":
            stretch = (float(own.uniform(0.88, 1.14)), float(own.uniform(0.88, 1.14)))
        shots = tuple(_scene(kind, kind.shots[i], i, finish, own, split) for i in range(count))
        stem = f"{kind.key}-{identifier.lower()}"
        names = tuple(f"images/{stem}{'' if i == 0 else f'-{i + 1}'}.jpg" for i in range(count))
        products.append(
            Product(
                identifier,
                kind,
                design,
                tuple(finish.split("|")),
                model_seed,
                name,
                brand,
                price,
                shots,
                names,
                _seed("text", split, seed, kind.key, design, finish),
                stretch,
            )
        )
    return products


def _twin(product: Product) -> Product:
    """A near-duplicate: the same thing listed again by another shop brand, seen a little turned."""
    others = [b for b in wording.BRANDS[product.kind.trade] if b != product.brand]
    shot = replace(
        product.shots[0], azimuth=product.shots[0].azimuth - 9, scene="studio", tone="grey"
    )
    if product.shots[0].scene == "wall":
        shot = replace(product.shots[0], tone="grey")
    identifier = product.id + "-B"
    return replace(
        product,
        id=identifier,
        brand=others[product.text_seed % len(others)],
        price=f"{float(product.price) * 0.9:.2f}",
        shots=(shot,),
        image_names=(f"images/{product.kind.key}-{identifier.lower()}.jpg",),
        text_seed=product.text_seed + 17,
    )


def plan(split: str, seed: int, count: int | None = None) -> list[Product]:
    """Products in an order that stays balanced wherever it is cut off.

    `count` is the number of products; None means the designs that the kinds list. More than these
    are made by going on with new designs.
    """
    products = list(_listed(split, seed))
    if count is None:
        return products
    further = _further(split, seed)
    while len(products) < count:
        products.append(next(further))
    return products[:count]


def _listed(split: str, seed: int) -> Iterator[Product]:
    """The designs that the kinds list: the first of every kind, then the second of every kind."""
    for design in range(max(kind.designs for kind in KINDS)):
        for kind in KINDS:
            if design >= kind.designs:
                continue
            family = _of_design(kind, design, split, seed)
            yield from family
            if split == "sample" and design == 0 and kind.twin:
                yield _twin(family[-1])


def _further(split: str, seed: int) -> Iterator[Product]:
    """New designs of every kind, without end."""
    for extra in itertools.count():
        for kind in KINDS:
            yield from _of_design(kind, kind.designs + extra, split, seed)
