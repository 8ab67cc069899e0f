"""A small map on top of a model's vectors, fitted to one catalog; see `retrieval.adaptation`."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from retrieval.common.adapter import Adapter
from retrieval.common.vectors import Vectors
from retrieval.encoders.base import Encoder, EncoderDetails, ModelInput


def shown_name(model: str, *, adapted: bool) -> str:
    """What a model is called where people see whether it is adapted."""
    return f"{model} + adapter" if adapted else model


class AdaptedEncoder:
    """Implements `retrieval.encoders.base.Encoder`: a model, then an adapter."""

    def __init__(self, base: Encoder, adapter: Adapter) -> None:
        self.base = base
        self.adapter = adapter
        self.name = base.name
        self.backend = base.backend
        self.image_size = base.image_size
        self.dim = base.dim
        self.details: EncoderDetails = base.details
        self.fingerprint = adapter.fingerprint(base.fingerprint)

    def prepare(self, pixels: Image.Image) -> ModelInput:
        return self.base.prepare(pixels)

    def encode_images(self, inputs: Sequence[ModelInput]) -> Vectors:
        return self.adapter.apply("images", self.base.encode_images(inputs))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self.adapter.apply("texts", self.base.encode_texts(texts))

    def cost(self) -> dict[str, dict[str, int]]:
        cost = self.base.cost()
        size = self.dim * self.dim
        return {
            "flops": {side: count + 2 * size for side, count in cost["flops"].items()},
            "parameters": {
                side: count + size + self.dim for side, count in cost["parameters"].items()
            },
        }
