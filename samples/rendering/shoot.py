"""Takes the photos of a product that are not there yet, and says how far it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .plan import Product
from .studio import encode_jpeg, take


@dataclass
class Progress:
    total: int
    started: float
    done: int = 0

    def step(self, name: str, size: int) -> None:
        self.done += 1
        spent = time.monotonic() - self.started
        left = spent / self.done * (self.total - self.done)
        print(
            f"[{self.done}/{self.total}] {name} {size / 1000:.0f} kB, {spent / self.done:.1f} s"
            f" a photo, {left / 60:.0f} min left",
            file=sys.stderr,
            flush=True,
        )


def render_product(product: Product, out: Path, progress: Progress) -> None:
    """Write the product's missing photos; each appears under its name only when complete."""
    for index, (shot, name) in enumerate(zip(product.shots, product.image_names, strict=True)):
        target = out / name
        if target.exists():
            continue
        with _quiet():
            image = take(product.build(), shot, product.text_seed + index)
        data = encode_jpeg(image)
        temporary = target.with_suffix(".part")
        temporary.write_bytes(data)
        temporary.replace(target)
        progress.step(target.name, len(data))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the renderer's own lines off the terminal."""
    sys.stdout.flush()
    saved = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(null)
