"""Models built from a config, in open_clip's format, to test with where no hub is reachable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

CONFIG = {
    "model_cfg": {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": 64,
            "layers": 2,
            "width": 64,
            "head_width": 32,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 32,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}


def write_model(folder: Path, seed: int) -> Path:
    """A ViT of two layers with random weights; returns its folder."""
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    cfg = CONFIG["model_cfg"]
    torch.manual_seed(seed)
    model = open_clip.CLIP(cfg["embed_dim"], cfg["vision_cfg"], cfg["text_cfg"])
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


@contextmanager
def no_model() -> Iterator[None]:
    """Whatever would run a model fails in it: loading one, and either encoder, however made.

    Modules know `load_encoder` by names of their own; what it makes is one of the two.
    """

    def ran(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was run")

    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "retrieval.encoders.loading.load_encoder",
            "retrieval.encoders.openclip.OpenClipEncoder.__init__",
            "retrieval.encoders.openvino.encoder.OpenVinoEncoder.__init__",
        ):
            patch.setattr(name, ran)
        yield
