"""Which back end runs a model here, and loads it."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.encoders.base import Encoder
from retrieval.encoders.names import ModelName, parse_model_name
from retrieval.encoders.openvino.cache import (
    META,
    Export,
    can_write,
    export_folder,
    export_folder_of_run,
    forget_export,
    read_export,
    run_folder_made,
    write_meta,
    writing_export,
)
from retrieval.errors import EncoderError, one_line
from retrieval.settings import Settings

log = logging.getLogger(__name__)


def load_encoder(name: str, settings: Settings, *, bulk: bool = False) -> Encoder:
    """The encoder of a model; takes seconds where torch is imported and weights are read.

    On a CPU the model is exported to OpenVINO the first time, which takes some seconds more, and
    runs without torch from then on.

    Args:
        bulk: many photos will be encoded.

    Raises:
        EncoderError: the name is unknown, or its files cannot be had; says which and how to. Or
            it cannot be exported, where the settings ask for that by name.
    """
    parsed = parse_model_name(name)  # a wrong name is told before torch's seconds are spent
    if parsed.quantized:
        return _quantized_encoder(name, settings, bulk=bulk)
    if _fast_path(settings):
        encoder = _fast_encoder(parsed, settings, bulk=bulk)
        if encoder is not None:
            return encoder
    from retrieval.encoders.openclip import OpenClipEncoder

    return OpenClipEncoder(name, settings)


def model_before_int8(name: str) -> str:
    """The model that a quantized one was made of; any other name as it is."""
    folder = parse_model_name(name).folder
    export = None if folder is None else read_export(folder)
    return name if export is None else export.base or name


def loading_message(name: str, settings: Settings) -> str:
    """What loading a model is called while people wait for it."""
    parsed = parse_model_name(name)
    if parsed.quantized:
        return f"loading {name}"
    if _fast_path(settings) and _ready(parsed, settings) is None:
        return f"making {name} ready for this machine, once"
    return f"loading {name}"


def machine_backend(settings: Settings) -> str:
    """What runs models on this machine: `openvino bf16`, `torch cuda`, ..."""
    if _fast_path(settings):
        from retrieval.encoders.openvino.runtime import bf16_runs_here

        bf16 = settings.precision == "bf16" or (settings.precision == "auto" and bf16_runs_here())
        return f"openvino {'bf16' if bf16 else 'f32'}"
    from retrieval.encoders.openclip import pick_device

    return f"torch {pick_device(settings.device).type}"


def _fast_path(settings: Settings) -> bool:
    if settings.backend == "torch" or settings.device not in ("auto", "cpu"):
        return False
    if settings.backend == "openvino" or settings.device == "cpu":
        return True
    # A GPU is faster. Torch can tell whether it can be used; only where there may be one is it
    # worth the seconds to ask.
    if sys.platform == "darwin" or Path("/dev/nvidiactl").exists():
        import torch

        return not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return True


def _fast_encoder(name: ModelName, settings: Settings, *, bulk: bool) -> Encoder | None:
    """By OpenVINO; None where the model cannot be run so, and torch may take its place."""
    ready = _ready(name, settings)
    if ready is not None:
        folder, export = ready
        if export.refused is not None:
            return _refused(name, export.refused, settings)
        encoder = _tried(name, folder, export, settings, bulk=bulk)
        if encoder is not None:
            return encoder
        forget_export(folder)  # a damaged one is made again
    place = _place_to_make(name, settings, bulk=bulk)
    if place is None:
        return _refused(name, "there is no folder to keep it in", settings)
    try:
        export = _made_ready(name.written, settings, place)
    except OSError as error:
        _tell_once(f"cannot be made ready for this machine in {place} ({one_line(error)})")
        return _refused(name, "there is no room to keep it", settings)
    if export.refused is not None:
        return _refused(name, export.refused, settings)
    encoder = _tried(name, place, export, settings, bulk=bulk)
    if encoder is None:
        return _refused(name, "it does not run on this processor", settings)
    return encoder


def _ready(name: ModelName, settings: Settings) -> tuple[Path, Export] | None:
    """A model that was made ready for this machine, wherever it may be kept."""
    for place in (export_folder, *([export_folder_of_run] if run_folder_made() else [])):
        with contextlib.suppress(OSError):
            folder = place(name, settings)
            export = read_export(folder)
            if export is not None:
                return folder, export
    return None


def _place_to_make(name: ModelName, settings: Settings, *, bulk: bool) -> Path | None:
    """Where to make a model ready: the user's cache, or a folder for this run, told once.

    None where torch is the better choice: for a single query it is sooner ready than an export
    that nobody can keep.
    """
    with contextlib.suppress(OSError):
        folder = export_folder(name, settings)
        # Not if a damaged one could not be removed: it would be taken for what was made.
        if read_export(folder) is None and can_write(folder.parent):
            return folder
    cannot = (
        "cannot be kept: the cache cannot be written to; set RETRIEVAL_CACHE to a folder that can"
    )
    if not bulk and settings.backend != "openvino":
        _tell_once(f"{cannot}. Until then it is run by torch")
        return None
    with contextlib.suppress(OSError):
        folder = export_folder_of_run(name, settings)
        _tell_once(f"{cannot}. It is made ready for this run alone")
        return folder
    return None


@functools.cache
def _tell_once(what: str) -> None:
    log.warning("a model made ready for this machine %s", what)


def _tried(
    name: ModelName, folder: Path, export: Export, settings: Settings, *, bulk: bool
) -> Encoder | None:
    """The encoder of an export, if it runs here: one photo and one text go through it."""
    from retrieval.encoders.openvino.encoder import OpenVinoEncoder

    try:
        encoder = OpenVinoEncoder(name.written, folder, export, settings.fit, bulk=bulk)
        square = np.zeros((3, encoder.image_size, encoder.image_size), np.uint8)
        made = np.concatenate([encoder.encode_images([square]), encoder.encode_texts(["a"])])
    except (RuntimeError, OSError, KeyError, ValueError):
        return None
    return encoder if np.isfinite(made).all() and made.any(axis=1).all() else None


def _refused(name: ModelName, reason: str, settings: Settings) -> Encoder | None:
    """Torch takes its place; raises EncoderError where the settings ask for OpenVINO by name."""
    if settings.backend == "openvino":
        raise EncoderError(
            f"model {name.written} cannot be run by OpenVINO ({reason}); use --backend torch"
        )
    return None


def _quantized_encoder(name: str, settings: Settings, *, bulk: bool) -> Encoder:
    """A model that `retrieval quantize` wrote; raises EncoderError."""
    check_model_name(name)
    if settings.backend == "torch" or settings.device not in ("auto", "cpu"):
        raise EncoderError(
            f"model {name} runs on a CPU by OpenVINO alone; leave --backend and --device out"
        )
    from retrieval.encoders.openvino.encoder import OpenVinoEncoder
    from retrieval.encoders.openvino.runtime import bf16_runs_here

    folder = parse_model_name(name).folder
    export = None if folder is None else read_export(folder)
    if folder is None or export is None:
        raise EncoderError(f"model {name} is damaged; make it again by `retrieval quantize`")
    if not bf16_runs_here():  # it may have been made on another machine
        export = replace(export, precision="f32")
    try:
        return OpenVinoEncoder(name, folder, export, settings.fit, bulk=bulk)
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        reason = one_line(error, 200)
        raise EncoderError(
            f"model {name} cannot be loaded ({reason}); make it again by `retrieval quantize`"
        ) from error


def _made_ready(name: str, settings: Settings, folder: Path) -> Export:
    """Exports a model; what cannot be is noted, so that it is not tried each time."""
    from retrieval.encoders.openclip import OpenClipEncoder
    from retrieval.encoders.openvino.conversion import export_model

    log.info("making model %s ready for this machine, once", name)
    encoder = OpenClipEncoder(
        name, settings.model_copy(update={"device": "cpu", "precision": "f32"})
    )
    with writing_export(folder) as partial:
        if partial is not None:
            try:
                return export_model(encoder, partial, settings.precision)
            except EncoderError as error:
                refused = Export(encoder.details.as_dict(), refused=str(error))
                log.warning("model %s runs on torch, which is slower: %s", name, error)
                write_meta(partial, refused)
                return refused
    made = read_export(folder)
    assert made is not None, "whoever held the lock wrote it"
    return made


def check_model_name(name: str) -> None:
    """Raises EncoderError where no model can have this name, or its folder is not one."""
    parsed = parse_model_name(name)
    file = META if parsed.quantized else "open_clip_config.json"
    if parsed.folder is not None and not (parsed.folder / file).is_file():
        raise EncoderError(f"model {name}: {parsed.folder} has no {file}; check the path")


def list_models() -> list[dict[str, Any]]:
    """The bundled model, then every pair of architecture and tag that open_clip knows.

    Each has `name`, `pretrained`, `bundled`, `dim`, `image_size`, `licence` (of its weights)
    and `speed` (`light`, `middle` or `heavy`, for one photo); what is not known is None.
    """
    from retrieval.encoders.openclip import known_models

    return known_models()
