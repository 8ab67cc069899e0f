"""The main colour of a product in front of a plain background, by name.

Captions of many sets never name a colour, and a classifier of kinds has learnt to overlook it.
What the pixels say is added to them, so that a search for a red one finds red ones.
"""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

log = logging.getLogger(__name__)

# Each name with a few sRGB values that people call so.
NAMED = {
    "black": [(15, 15, 15), (35, 35, 38), (50, 48, 48)],
    "white": [(250, 250, 250), (232, 232, 232)],
    "grey": [(128, 128, 128), (165, 165, 165), (95, 95, 98), (195, 195, 198)],
    "red": [(200, 20, 30), (150, 15, 25), (225, 45, 45)],
    "orange": [(240, 120, 20), (225, 95, 25)],
    "yellow": [(245, 220, 40), (230, 190, 40)],
    "green": [(30, 130, 50), (90, 160, 60), (20, 80, 45), (130, 190, 90)],
    "olive": [(100, 100, 50)],
    "blue": [(30, 70, 180), (60, 120, 200), (20, 40, 110), (110, 160, 215)],
    "navy blue": [(25, 30, 70)],
    "turquoise": [(50, 180, 180), (20, 130, 140)],
    "purple": [(110, 50, 150), (140, 90, 180), (80, 30, 90)],
    "pink": [(240, 120, 170), (245, 170, 190), (220, 50, 120)],
    "brown": [(110, 65, 35), (140, 90, 50), (75, 45, 30)],
    "beige": [(220, 200, 165), (200, 175, 135), (235, 222, 200)],
    "gold": [(200, 160, 70), (175, 135, 50)],
}
SIDE = 48
PLAIN_SHARE, PLAIN_WITHIN = 0.7, 24
PRODUCT_BEYOND, LEAST_PRODUCT = 28, 0.06
LEAST_SHARE = 0.45
LIGHTNESS_WEIGHT = 0.6


def _lab(srgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of sRGB values 0 to 255, (..., 3)."""
    part = srgb.astype(np.float32) / 255
    linear = np.where(part > 0.04045, ((part + 0.055) / 1.055) ** 2.4, part / 12.92)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz, np.float32).T / np.array([0.9505, 1, 1.089], np.float32)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


_NAMES = sorted(NAMED)
_CENTRES = _lab(np.array([value for name in _NAMES for value in NAMED[name]]))
_OWNERS = np.array([i for i, name in enumerate(_NAMES) for _ in NAMED[name]])


def main_colour(picture: bytes) -> str | None:
    """None where the background is not plain, or no colour takes most of the product."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.float32)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(edge, 0)
    if (np.abs(edge - ground).max(1) < PLAIN_WITHIN).mean() < PLAIN_SHARE:
        return None
    product = np.abs(pixels - ground).max(2) > PRODUCT_BEYOND
    if product.mean() < LEAST_PRODUCT:
        return None
    weights = np.array([LIGHTNESS_WEIGHT, 1, 1], np.float32)
    distances = ((_lab(pixels[product])[:, None] - _CENTRES) ** 2 * weights).sum(-1)
    counts = np.bincount(_OWNERS[distances.argmin(1)], minlength=len(_NAMES))
    best = int(counts.argmax())
    return _NAMES[best] if counts[best] > LEAST_SHARE * counts.sum() else None


def colours_of(sets: list[Path], stored: Path) -> dict[str, list[str | None]]:
    """The main colour of every picture of Parquet sets, kept in `stored` from run to run."""
    known = json.loads(stored.read_text()) if stored.exists() else {}
    for path in sets:
        if path.stem not in known:
            pictures = pq.read_table(path, columns=["image"]).column(0).to_pylist()
            known[path.stem] = [main_colour(picture) for picture in pictures]
            log.info("colours of %s: %d pictures", path.stem, len(pictures))
            stored.write_text(json.dumps(known))
    return {path.stem: known[path.stem] for path in sets}
