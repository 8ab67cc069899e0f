"""Computes once what the frozen part of the image tower makes of every picture."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn

from training.forward import Forward
from training.tail import FROZEN_BLOCKS
from training.teachers import efficientnet_lite

log = logging.getLogger(__name__)
SIZE = 224


@dataclass(frozen=True)
class Features:
    """Of n pictures, float16: `maps` (n, 7, 7, 192), `pooled` (n, 1280), `logits` (n, 1000).

    `maps` are what enters the blocks that are trained, `logits` the ImageNet classifier's.
    """

    maps: np.ndarray
    pooled: np.ndarray
    logits: np.ndarray

    @classmethod
    def open(cls, folder: Path, name: str) -> Features:
        """Reads what `compute` wrote, mapped from disk."""
        return cls(
            *(
                np.load(folder / f"{name}.{part}.npy", mmap_mode="r")
                for part in ("maps", "pooled", "logits")
            )
        )


class _Parts(nn.Module):
    """EfficientNet-Lite0 from pixels 0..255 to (maps, pooled, logits)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = efficientnet_lite(0)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        net = self.net
        early = net.blocks[:5](net.bn1(net.conv_stem((pixels - 127.5) / 127.5)))
        maps = net.blocks[5][:FROZEN_BLOCKS](early)
        late = net.blocks[6](net.blocks[5][FROZEN_BLOCKS:](maps))
        pooled = net.global_pool(net.bn2(net.conv_head(late)))
        return maps, pooled, net.classifier(pooled)


def letterbox(data: bytes) -> np.ndarray:
    """An encoded picture as uint8 (3, 224, 224), seen whole on white."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    ratio = SIZE / max(picture.size)
    width, height = (max(1, round(side * ratio)) for side in picture.size)
    square = Image.new("RGB", (SIZE, SIZE), "white")
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    square.paste(resized, ((SIZE - width) // 2, (SIZE - height) // 2))
    return np.asarray(square).transpose(2, 0, 1)


def _batches(pictures: list[bytes], size: int) -> Iterator[tuple[int, tuple[np.ndarray]]]:
    def load(start: int) -> np.ndarray:
        return np.stack([letterbox(p) for p in pictures[start : start + size]]).astype(np.float32)

    starts = list(range(0, len(pictures), size))
    with ThreadPoolExecutor(2) as pool:
        ahead = [pool.submit(load, s) for s in starts[:4]]
        for index, start in enumerate(starts):
            batch = ahead.pop(0).result()
            if index + 4 < len(starts):
                ahead.append(pool.submit(load, starts[index + 4]))
            yield start, (batch,)


def compute(sets: list[Path], folder: Path, device: str, batch: int = 32) -> None:
    """Writes `{set}.maps.npy`, `.pooled.npy` and `.logits.npy` for sets that lack them."""
    todo = [p for p in sets if not (folder / f"{p.stem}.logits.npy").exists()]
    if not todo:
        return
    forward = Forward(
        _Parts(), (torch.zeros(2, 3, SIZE, SIZE),), device, dynamic=[[-1, 3, SIZE, SIZE]]
    )
    for path in todo:
        pictures = pq.read_table(path, columns=["image"]).column(0).to_pylist()
        shape = (len(pictures), 7, 7, 192)
        maps = np.lib.format.open_memmap(
            str(folder / f"{path.stem}.maps.npy"), "w+", np.float16, shape
        )
        pooled, logits = (np.zeros((len(pictures), width), np.float16) for width in (1280, 1000))
        for start, outputs in forward.stream(_batches(pictures, batch)):
            rows = slice(start, start + len(outputs[0]))
            maps[rows] = outputs[0].transpose(0, 2, 3, 1)
            pooled[rows], logits[rows] = outputs[1], outputs[2]
        maps.flush()
        np.save(folder / f"{path.stem}.pooled.npy", pooled)
        np.save(folder / f"{path.stem}.logits.npy", logits)
        log.info("features of %s: %d pictures", path.stem, len(pictures))
