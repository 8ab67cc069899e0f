"""Texts and photos -> vectors of one shared space."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from retrieval.encoders.base import Encoder, EncoderDetails, Square, Vectors, normalise
from retrieval.encoders.names import STARTER, parse_model_name

if TYPE_CHECKING:
    from retrieval.settings import Settings

__all__ = [
    "STARTER",
    "Encoder",
    "EncoderDetails",
    "Square",
    "Vectors",
    "list_models",
    "load_encoder",
    "normalise",
    "parse_model_name",
]


def load_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder of a model; takes seconds, as it imports torch and reads the weights.

    Raises:
        EncoderError: the name is unknown, or its files cannot be had; says which and how to.
    """
    parse_model_name(name)  # a wrong name is told before torch's seconds are spent
    from retrieval.encoders.openclip import OpenClipEncoder

    return OpenClipEncoder(name, settings)


@dataclass(frozen=True)
class ModelEntry:
    """A row of `retrieval models`; `dim` and `image_size` are None where no config says them."""

    name: str
    pretrained: str | None
    bundled: bool
    dim: int | None
    image_size: int | None


def list_models() -> list[dict[str, Any]]:
    """The bundled model, then every pair of architecture and tag that open_clip knows."""
    import open_clip

    starter = open_clip.get_model_config(parse_model_name(STARTER).architecture)
    entries = [_entry(STARTER, None, starter)]
    for architecture, tag in open_clip.list_pretrained():
        config = open_clip.get_model_config(architecture)
        entries.append(_entry(f"{architecture}/{tag}", tag, config))
    return [asdict(entry) for entry in entries]


def _entry(name: str, tag: str | None, config: dict[str, Any] | None) -> ModelEntry:
    config = config or {}
    size = config.get("vision_cfg", {}).get("image_size")
    return ModelEntry(
        name=name,
        pretrained=tag,
        bundled=name == STARTER,
        dim=config.get("embed_dim"),
        image_size=size if isinstance(size, int) or size is None else int(size[0]),
    )
