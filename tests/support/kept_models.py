"""Models that stay in memory between tests: to compile one again takes a third of a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrieval.encoders.openvino import encoder
from retrieval.encoders.openvino.tokenizer import TOKENIZER_FILE, ClipTokenizer

# By file as it stands: a model that was changed, damaged or replaced is read anew.
_kept: dict[tuple[Any, ...], Any] = {}


def keep_models(patch: pytest.MonkeyPatch) -> None:
    """Whatever loads a model, by whatever name it knows `load_encoder`, finds its parts loaded.

    All else of loading is the real thing, and so is what a model makes: parts have no state.
    """
    patch.setattr(encoder, "compiled", _kept_by_file(encoder.compiled, _tower))
    patch.setattr(
        ClipTokenizer, "load", staticmethod(_kept_by_file(ClipTokenizer.load, _tokenizer))
    )


def _tower(path: Path, *_: Any, **__: Any) -> list[Path]:
    return [path, path.with_suffix(".bin")]


def _tokenizer(folder: Path, *_: Any, **__: Any) -> list[Path]:
    return [folder / TOKENIZER_FILE]


def _kept_by_file(load: Callable[..., Any], files: Callable[..., list[Path]]) -> Callable[..., Any]:
    def kept(*asked: Any, **options: Any) -> Any:
        try:
            stats = [path.stat() for path in files(*asked)]
        except OSError:
            return load(*asked, **options)
        times = [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats]
        key = (load.__name__, *asked, *sorted(options.items()), *times)
        if key not in _kept:
            _kept[key] = load(*asked, **options)
        return _kept[key]

    return kept
