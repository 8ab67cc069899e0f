"""Under which licence a model's weights are given, and how dear it is: by its name alone.

Where no plain statement of the owner is known the licence is None; docs/models.md names sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Speed = Literal["light", "middle", "heavy"]
# GFLOPs for one photo: light runs on any CPU, middle on one with patience, heavy wants a GPU.
MOST_LIGHT, MOST_MIDDLE = 15.0, 60.0
# Width and depth of a photo's transformer, by the letter that names its size.
_SIZES = {
    "t": (192, 12), "s": (384, 12), "m": (512, 12), "b": (768, 12), "l": (1024, 24),
    "so400m": (1152, 27), "h": (1280, 32), "g": (1408, 40), "gopt": (1536, 40),
    "bigg": (1664, 48), "e": (1792, 56),
}  # fmt: skip
_TRANSFORMER = re.compile(
    r"(?:vit|pe-core|eva0[12])-(so400m|gopt|bigg|[tsmblhge])(?:-plus)?-(\d+)(?=-|$)", re.IGNORECASE
)
_OTHERS: tuple[tuple[str, Speed], ...] = (
    (r"starter$|RN50$|RN50-quickgelu$|MobileCLIP2?-S[0-2]$", "light"),
    (r"RN101|RN50x4$|convnext_base", "middle"),
    (r"RN50x(16|64)|convnext_(large|xxlarge)", "heavy"),
)


@dataclass(frozen=True)
class Licence:
    """Of a model's weights.

    Attributes:
        name: as its owner calls it; None where none is stated plainly.
        commercial: it may be used in a shop; None where that is not clear.
    """

    name: str | None
    commercial: bool | None


UNCLEAR = Licence(None, None)
MIT, APACHE = Licence("MIT", True), Licence("Apache-2.0", True)
APPLE = Licence("Apple, research only", False)
NON_COMMERCIAL = Licence("CC-BY-NC-4.0", False)
# The first that fits a name counts.
_LICENCES: tuple[tuple[str, Licence], ...] = (
    (r"starter$", APACHE),
    (r"mobileclip|.*/(datacompdr|dfn)|hf-hub:apple/", APPLE),
    (r".*metaclip|nllb-clip|hf-hub:(jinaai/jina-clip-v2|visheratin/)", NON_COMMERCIAL),
    (r".*clipa.*/|hf-hub:UCSC-VLAA/.*clipa", APACHE),
    (r".*siglip.*/webli$|hf-hub:timm/vit.*siglip|pe-core-.*/meta$|hf-hub:marqo/", APACHE),
    (r"(?!.*roberta).*/(datacomp|commonpool|laion2b_|laion400m_|merged2b_)", MIT),
)


def licence_of(model: str) -> Licence:
    """The licence of a model by the name that `--model` takes; of a folder of one's own none."""
    for pattern, licence in _LICENCES:
        if re.match(pattern, model, re.IGNORECASE):
            return licence
    return UNCLEAR


def speed_of(model: str, image_size: int | None) -> Speed | None:
    """How dear a photo is to a model of open_clip's, by its architecture; None where unknown."""
    architecture = model.partition("/")[0]
    transformer = _TRANSFORMER.search(architecture)
    if transformer is None or image_size is None:
        fitting = (speed for pattern, speed in _OTHERS if re.match(pattern, architecture))
        return next(fitting, None)
    width, depth = _SIZES[transformer[1].lower()]
    gflops = gflops_of_photo(width, depth, int(transformer[2]), image_size)
    return "light" if gflops <= MOST_LIGHT else "middle" if gflops <= MOST_MIDDLE else "heavy"


def gflops_of_photo(width: int, depth: int, patch: int, image_size: int) -> float:
    """Of a transformer over patches, two FLOPs a multiplication."""
    tokens = (image_size // patch) ** 2 + 1
    weights = 12 * width**2 * depth
    return (2 * tokens * weights + 4 * tokens**2 * width * depth) / 1e9
