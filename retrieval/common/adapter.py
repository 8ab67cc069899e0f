"""A small map on top of a model, fitted to one catalog, and what it does to the fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from retrieval.common.vectors import Vectors, normalise
from retrieval.errors import IndexDamaged

Side = Literal["images", "texts"]


@dataclass(frozen=True)
class Adapter:
    """One residual affine map a side: v -> normalise(v + v M + b).

    Attributes:
        maps: side -> M, float32 (d, d).
        shifts: side -> b, float32 (d,).
    """

    maps: dict[Side, npt.NDArray[np.float32]]
    shifts: dict[Side, npt.NDArray[np.float32]]

    def apply(self, side: Side, vectors: npt.NDArray[Any]) -> Vectors:
        """Vectors (n, d) of the model, as the adapted index holds them: float32, length 1."""
        vectors = np.asarray(vectors, dtype=np.float32)
        return normalise(vectors + vectors @ self.maps[side] + self.shifts[side])

    def to_bytes(self) -> bytes:
        """As safetensors; equal adapters make equal bytes."""
        tensors = {f"{side}.map": value for side, value in self.maps.items()}
        tensors |= {f"{side}.shift": value for side, value in self.shifts.items()}
        return save(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> Adapter:
        """Raises IndexDamaged where the bytes are not those of an adapter."""
        try:
            tensors = load(data)
            sides: tuple[Side, ...] = ("images", "texts")
            return cls(
                {side: tensors[f"{side}.map"] for side in sides},
                {side: tensors[f"{side}.shift"] for side in sides},
            )
        except (SafetensorError, KeyError, ValueError) as error:
            raise IndexDamaged(
                f"the adapter cannot be read ({error}); run `retrieval adapt` again, or "
                "`retrieval adapt --remove`"
            ) from None

    def fingerprint(self, base: str) -> str:
        """Identifies vectors of the model with this fingerprint, adapted."""
        return hashlib.sha256(base.encode() + self.to_bytes()).hexdigest()[:16]


def fingerprint_of(base: str, adapter: Adapter | None) -> str:
    """Of the vectors that a model with fingerprint `base` makes, adapted or not."""
    return base if adapter is None else adapter.fingerprint(base)
