"""The square that a model sees of a photo: fit, pad, resize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Fit = Literal["letterbox", "crop", "squash"]
WantedFit = Literal["model", "letterbox", "crop", "squash"]
DEFAULT_FIT: Fit = "letterbox"
# An RGB image and (width, height) -> uint8 (height, width, 3).
Resize = Callable[[Image.Image, tuple[int, int]], npt.NDArray[np.uint8]]


def chosen_fit(own: Fit, wanted: WantedFit | None) -> Fit:
    """How photos are fitted, by a model that was trained with `own` and a setting."""
    return own if wanted == "model" else wanted or DEFAULT_FIT


def fit_square(
    pixels: Image.Image,
    size: int,
    fit: Fit,
    resize: Resize | None = None,
) -> npt.NDArray[np.uint8]:
    """The square that a model sees, as uint8 of shape (3, size, size), values 0 to 255.

    `letterbox` shows the photo whole on white, `crop` keeps its centre (as CLIP is trained),
    `squash` ignores its proportions. `resize` is Pillow's, bicubic, unless another is given.
    """
    resize = resize or resize_by(Image.Resampling.BICUBIC)
    if fit == "squash":
        square = resize(pixels, (size, size))
    elif fit == "crop":
        # Cropped before it is scaled: a photo of 1 x 8,000 would else grow to 64 million pixels.
        edge = min(pixels.size)
        left, top = (pixels.width - edge) // 2, (pixels.height - edge) // 2
        square = resize(pixels.crop((left, top, left + edge, top + edge)), (size, size))
    else:
        scale = size / max(pixels.size)
        # An edge of a very long photo must not vanish: at least one pixel stays.
        width = max(1, round(pixels.width * scale))
        height = max(1, round(pixels.height * scale))
        left, top = (size - width) // 2, (size - height) // 2
        square = np.full((size, size, 3), 255, np.uint8)
        square[top : top + height, left : left + width] = resize(pixels, (width, height))
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def resize_by(resample: Image.Resampling) -> Resize:
    """Pillow's way to resize."""
    return lambda pixels, size: np.asarray(pixels.resize(size, resample))
