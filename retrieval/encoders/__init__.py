"""Texts and photos -> vectors of one shared space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrieval.encoders.base import Encoder, EncoderDetails, Square, Vectors, normalise
from retrieval.encoders.names import STARTER, name_from_here, parse_model_name, portable_name
from retrieval.errors import EncoderError

if TYPE_CHECKING:
    from retrieval.settings import Settings

__all__ = [
    "STARTER",
    "Encoder",
    "EncoderDetails",
    "Square",
    "Vectors",
    "check_model_name",
    "list_models",
    "load_encoder",
    "name_from_here",
    "normalise",
    "parse_model_name",
    "portable_name",
]


def load_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder of a model; takes seconds, as it imports torch and reads the weights.

    Raises:
        EncoderError: the name is unknown, or its files cannot be had; says which and how to.
    """
    parse_model_name(name)  # a wrong name is told before torch's seconds are spent
    from retrieval.encoders.openclip import OpenClipEncoder

    return OpenClipEncoder(name, settings)


def check_model_name(name: str) -> None:
    """Raises EncoderError where no model can have this name, or its folder is not one."""
    folder = parse_model_name(name).folder
    if folder is not None and not (folder / "open_clip_config.json").is_file():
        raise EncoderError(f"model {name}: {folder} has no open_clip_config.json; check the path")


def list_models() -> list[dict[str, Any]]:
    """The bundled model, then every pair of architecture and tag that open_clip knows.

    Each has `name`, `pretrained`, `bundled`, `dim` and `image_size`; the last two are None where
    no config on this machine says them.
    """
    from retrieval.encoders.openclip import known_models

    return known_models()
