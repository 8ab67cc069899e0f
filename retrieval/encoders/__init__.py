"""Texts and photos -> vectors of one shared space."""

from __future__ import annotations

from retrieval.common.vectors import Vectors, normalise
from retrieval.encoders.base import Encoder, EncoderDetails, ModelInput
from retrieval.encoders.loading import (
    check_model_name,
    list_models,
    load_encoder,
    loading_message,
    machine_backend,
    model_before_int8,
)
from retrieval.encoders.names import STARTER, name_from_here, parse_model_name, portable_name

__all__ = [
    "STARTER",
    "Encoder",
    "EncoderDetails",
    "ModelInput",
    "Vectors",
    "check_model_name",
    "list_models",
    "load_encoder",
    "loading_message",
    "machine_backend",
    "model_before_int8",
    "name_from_here",
    "normalise",
    "parse_model_name",
    "portable_name",
]
