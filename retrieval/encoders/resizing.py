"""Resizing by torch's vector kernels: as Pillow does but for rounding, in an eighth of the time."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from retrieval.images.model_input import Resize, resize_by

# Torch takes seconds and half a gigabyte to import: fewer photos are done before it is there.
RESIZED_BEFORE_TORCH = 1_000


def resize_by_torch(mode: str) -> Resize:
    """`mode` is `bicubic` or `bilinear`."""
    import torch
    from torch.nn.functional import interpolate

    def resize(pixels: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        whole = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
        made = interpolate(whole, (size[1], size[0]), mode=mode, antialias=True)
        return np.asarray(made[0].permute(1, 2, 0).numpy())

    return resize


class BulkResize:
    """Pillow's way for the first photos; torch's for the rest, imported beside them."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._resize: Resize = resize_by(Image.Resampling[mode.upper()])
        self._left = RESIZED_BEFORE_TORCH
        if "torch" in sys.modules:
            self._hasten()
            self._left = 0
        self._lock = threading.Lock()

    def __call__(self, pixels: Image.Image, size: tuple[int, int]) -> npt.NDArray[Any]:
        if self._left > 0:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    threading.Thread(target=self._hasten, name="torch", daemon=True).start()
        return self._resize(pixels, size)

    def _hasten(self) -> None:
        self._resize = resize_by_torch(self._mode)
