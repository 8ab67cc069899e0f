"""Towers of an export -> int8 (NNCF's post-training quantization), calibrated on given items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.encoders.base import ModelInput
from retrieval.encoders.openvino.cache import IMAGE_MODEL, TEXT_MODEL
from retrieval.encoders.openvino.encoder import OpenVinoEncoder
from retrieval.encoders.openvino.runtime import openvino, quiet
from retrieval.errors import EncoderError, one_line

IMAGES_A_STEP = 8


def quantize_images(encoder: OpenVinoEncoder, inputs: Sequence[ModelInput], folder: Path) -> None:
    """Writes the image tower into `folder`, calibrated on photos as the encoder prepares them.

    Raises:
        EncoderError: NNCF is not installed, or cannot do it.
    """
    starts = range(0, len(inputs), IMAGES_A_STEP)
    items = [np.stack(inputs[start : start + IMAGES_A_STEP]) for start in starts]
    _quantize(encoder.folder / IMAGE_MODEL, items, folder / IMAGE_MODEL)


def quantize_texts(encoder: OpenVinoEncoder, texts: Sequence[str], folder: Path) -> None:
    """Writes the text tower into `folder`, calibrated on texts; raises as `quantize_images`."""
    items = [tokens for text in texts for tokens in encoder.batches_of_tokens([text])]
    _quantize(encoder.folder / TEXT_MODEL, items, folder / TEXT_MODEL)


def _quantize(source: Path, items: list[Any], target: Path) -> None:
    ov = openvino()  # first: it keeps the telemetry out, which NNCF would import, too
    try:
        with quiet():
            import nncf  # type: ignore[import-untyped]
    except ImportError:
        raise EncoderError(
            "int8 needs NNCF, which is not installed; run `pip install nncf`"
        ) from None
    model = ov.Core().read_model(str(source))
    attends = any(op.get_type_name() == "ScaledDotProductAttention" for op in model.get_ops())
    try:
        with quiet():
            quantized = nncf.quantize(
                model,
                nncf.Dataset(items),
                subset_size=len(items),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER if attends else None,
            )
            ov.save_model(quantized, str(target), compress_to_fp16=True)
    except Exception as error:
        reason = one_line(error, 200)
        raise EncoderError(f"NNCF cannot make {source.stem}s int8: {reason}") from error
