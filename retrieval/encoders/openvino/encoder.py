"""The fast path on a CPU: a model's export, run by OpenVINO. Torch is not needed for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from retrieval.common.vectors import Vectors, normalise
from retrieval.encoders.base import EncoderDetails, ModelInput
from retrieval.encoders.long_texts import encode_split
from retrieval.encoders.openvino.cache import IMAGE_MODEL, TEXT_MODEL, Export
from retrieval.encoders.openvino.runtime import compiled, run
from retrieval.encoders.openvino.tokenizer import ClipTokenizer, Tokens
from retrieval.encoders.resizing import BulkResize
from retrieval.images.model_input import WantedFit, chosen_fit, fit_square, resize_by

SPECIAL_TOKENS = 2
IMAGES_A_REQUEST = 8
TEXTS_A_REQUEST = 16


class OpenVinoEncoder:
    """Implements `retrieval.encoders.base.Encoder`; safe to share between threads.

    Its vectors are those of the torch model but for rounding, and carry its fingerprint.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        export: Export,
        fit: WantedFit | None = None,
        *,
        bulk: bool = False,
    ) -> None:
        """Compiles both towers, or takes them as they were compiled before.

        Args:
            fit: as in the settings.
            bulk: many photos will be encoded.
        """
        self.name = name
        self._fit = chosen_fit(export.own_fit, fit)
        preprocess = {**export.details["preprocess"], "fit": self._fit}
        self.details = EncoderDetails(**{**export.details, "preprocess": preprocess})
        self.fingerprint = self.details.fingerprint()
        self.backend = f"openvino {'int8' if export.quantized else export.precision}"
        self.dim = export.dim
        self.image_size = int(export.details["preprocess"]["size"])
        self.folder, self.export = folder, export
        self._images = compiled(folder / IMAGE_MODEL, export.precision, bulk=bulk)
        self._texts = compiled(folder / TEXT_MODEL, export.precision, bulk=bulk)
        self._tokenize, self._count = _tokenizer(name, folder, export)
        mode = export.details["preprocess"]["interpolation"]
        self._resize = BulkResize(mode) if bulk else resize_by(Image.Resampling[mode.upper()])

    def prepare(self, pixels: Image.Image) -> ModelInput:
        return fit_square(pixels, self.image_size, self._fit, self._resize)

    def encode_images(self, inputs: Sequence[ModelInput]) -> Vectors:
        if not len(inputs):
            return np.empty((0, self.dim), dtype=np.float32)
        starts = range(0, len(inputs), IMAGES_A_REQUEST)
        batches = (np.stack(inputs[start : start + IMAGES_A_REQUEST]) for start in starts)
        return normalise(run(self._images, batches))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        if not len(texts):
            return np.empty((0, self.dim), dtype=np.float32)
        limit = max(1, self.export.context - SPECIAL_TOKENS)
        return encode_split(texts, self._count, limit, self._encode_parts)

    def cost(self) -> dict[str, dict[str, int]]:
        assert self.export.cost is not None
        return self.export.cost

    def batches_of_tokens(self, texts: Sequence[str]) -> Iterator[Tokens]:
        """What the text tower sees of texts that fit its context, in the order given."""
        tokens = self._tokenize(texts)
        return self._text_batches(tokens, _lengths(tokens))

    def _encode_parts(self, parts: Sequence[str]) -> Vectors:
        """Texts that fit, the short ones with one another: a batch is as long as its longest."""
        tokens = self._tokenize(parts)
        lengths = _lengths(tokens)
        order = np.argsort(lengths, kind="stable")
        made = normalise(run(self._texts, self._text_batches(tokens[order], lengths[order])))
        vectors = np.empty_like(made)
        vectors[order] = made
        return vectors

    def _text_batches(self, tokens: Tokens, lengths: npt.NDArray[np.int64]) -> Iterator[Tokens]:
        for start in range(0, len(tokens), TEXTS_A_REQUEST):
            batch = tokens[start : start + TEXTS_A_REQUEST]
            if self.export.cuts:
                batch = batch[:, : lengths[start : start + TEXTS_A_REQUEST].max()]
            yield np.ascontiguousarray(batch)


def _lengths(tokens: Tokens) -> npt.NDArray[np.int64]:
    """(n,) tokens of each row, without what follows its end."""
    return np.array([np.flatnonzero(row)[-1] + 1 for row in tokens], dtype=np.int64)


def _tokenizer(
    name: str, folder: Path, export: Export
) -> tuple[Callable[[Sequence[str]], Tokens], Callable[[str], int]]:
    """Texts -> tokens, and how many a text has."""
    if export.start is not None and export.end is not None:
        made = ClipTokenizer.load(folder, export.start, export.end, export.context)
        return made, made.count
    from retrieval.encoders.openclip import OpenClipTokenizer

    theirs = OpenClipTokenizer(export.base or name)
    return (lambda texts: theirs(texts).numpy()), theirs.count
