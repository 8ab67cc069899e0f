"""Measures an exported model on catalogs, by what `retrieval evaluate` runs."""

from __future__ import annotations

from pathlib import Path

from retrieval.common.progress import Quiet
from retrieval.evaluation.evaluating import evaluate
from retrieval.evaluation.metrics import SHARE
from retrieval.settings import load_settings


def measure_catalog(model_folder: Path, catalog: Path) -> dict[str, float]:
    """Titles against photos both ways, and photo to photo and zero-shot by category; 0 to 1.

    The same as `retrieval evaluate CATALOG --model local-dir:FOLDER` prints; photos in float32.
    """
    settings = load_settings(
        index=model_folder / "no-index", model=f"local-dir:{model_folder}", precision="f32"
    )
    found = evaluate(settings, Quiet(), pairs=catalog).as_dict()
    measured = {
        f"{heading} {measure}": found[direction][measure]
        for direction, heading in (
            ("text_to_image", "text to image"),
            ("image_to_text", "image to text"),
        )
        for measure in ("R@1", "R@10", "MRR")
    }
    if found[SHARE] is not None:
        measured[f"photo to photo, {SHARE}"] = found[SHARE]
    if found["zero_shot"] is not None:
        classes = found["zero_shot"]["classes"]
        measured[f"zero-shot accuracy, {classes} classes"] = found["zero_shot"]["accuracy"]
    return {"photos": found["images"], **measured}
