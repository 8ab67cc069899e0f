"""What every encoder does, whatever runs it, and what identifies the vectors it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from retrieval.common.vectors import Vectors

ModelInput = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EncoderDetails:
    """Everything that changes a vector, and nothing that does not (device, batch size, path).

    Attributes:
        model: the model's config, as open_clip gives it.
        weights: hex SHA-256 over names, shapes and values of the weights.
        preprocess: size, fit, mean, std, interpolation.
        library: name and major version of what runs the model.
        precision: `float` for fp32, bf16 and fp16, whose vectors are interchangeable for ranking;
            `int8` for quantised weights, whose are not.
        text: how texts beyond the context are handled.
    """

    model: dict[str, Any]
    weights: str
    preprocess: dict[str, Any]
    library: str
    precision: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def fingerprint(self) -> str:
        """16 hex digits that differ where any detail differs."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Encoder(Protocol):
    """Turns texts and photos into L2-normalised float32 vectors of one shared space."""

    @property
    def name(self) -> str:
        """The name that was asked for, as `--model` takes it."""
        ...

    @property
    def dim(self) -> int:
        """The number of components of a vector."""
        ...

    @property
    def backend(self) -> str:
        """What runs it: `torch cpu fp32`, `openvino bf16`, ..."""
        ...

    @property
    def image_size(self) -> int:
        """Pixels a side of the square that it sees of a photo."""
        ...

    @property
    def details(self) -> EncoderDetails:
        """What the fingerprint is taken from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies the vectors this encoder makes; see `EncoderDetails.fingerprint`."""
        ...

    def prepare(self, pixels: Image.Image) -> ModelInput:
        """The model's input for an upright RGB image: uint8 (3, h, w). Safe in any thread."""
        ...

    def encode_images(self, inputs: Sequence[ModelInput]) -> Vectors:
        """Float32 (n, dim), each row of length 1, in the order given."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Float32 (n, dim), each row of length 1; a text of any length is seen whole."""
        ...

    def cost(self) -> dict[str, dict[str, int]]:
        """`flops` and `parameters` of the towers, each as {"image": n, "text": n}.

        Flops are of one photo and of one text as long as the context; a multiplication and an
        addition count as two.
        """
        ...
