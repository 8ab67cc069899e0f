"""Writes the trained towers as an open_clip folder and reads it back the way a user would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import load_file, save_file

from training.model import CONFIG

LIMIT = 40_000_000


def export(state: dict[str, torch.Tensor], folder: Path, card: str) -> None:
    """Replaces `folder` by config, float16 weights and card; raises ValueError above LIMIT bytes.

    The new folder is checked with open_clip before it takes the old one's place.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    (fresh / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    half = {
        k: v.half().contiguous() if v.is_floating_point() else v.contiguous()
        for k, v in state.items()
    }
    save_file(half, fresh / "open_clip_model.safetensors", metadata={"format": "pt"})
    (fresh / "open_clip_model.safetensors").chmod(0o644)
    (fresh / "MODEL_CARD.md").write_text(card)
    size = sum(p.stat().st_size for p in fresh.iterdir())
    if size > LIMIT:
        raise ValueError(f"the model takes {size} bytes, more than {LIMIT}")
    check(fresh)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        Path(folder).replace(old)
    Path(fresh).replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path):
    """Model in eval mode, preprocessing and tokenizer, as open_clip reads an exported folder."""
    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    return model.eval(), preprocess, open_clip.get_tokenizer(name)


def check(folder: Path) -> None:
    """Raises ValueError unless open_clip loads all of `folder` and gives unit vectors."""
    model, preprocess, tokenizer = load(folder)
    stored, loaded = load_file(folder / "open_clip_model.safetensors"), model.state_dict()
    if set(stored) != set(loaded):
        raise ValueError(f"keys differ: {sorted(set(stored) ^ set(loaded))[:5]}")
    wrong = [k for k, v in stored.items() if not torch.equal(v.float(), loaded[k].float())]
    if wrong:
        raise ValueError(f"weights that open_clip did not load: {wrong[:5]}")
    from PIL import Image

    picture = preprocess(Image.new("RGB", (300, 100), "red"))[None]
    if picture.shape != (1, 3, 224, 224) or abs(float(picture[0, 0, 0, 0]) - 1.0) > 1e-3:
        raise ValueError("the preprocessing does not put the photo whole on white")
    with torch.inference_mode():
        image = model.encode_image(picture, normalize=True)
        text = model.encode_text(tokenizer(["a red rectangle", ""]), normalize=True)
    for vectors in (image, text):
        norms = vectors.norm(dim=-1).numpy()
        if not np.allclose(norms, 1.0, atol=1e-3):
            raise ValueError(f"vectors are not of unit length: {norms}")
