"""Measures an exported model on a catalog, loaded and fed as a user of open_clip would."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from starter_training.export import load
from starter_training.measure import category_precision, recall_at


def embed_catalog(
    model_folder: Path, catalog: Path, batch: int = 64
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Unit vectors of photos and of titles, and the categories, of a CSV `title,image,category`."""
    model, preprocess, tokenizer = load(model_folder)
    with catalog.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images, texts = [], []
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            photos = [
                preprocess(Image.open(catalog.parent / r["image"].split("|")[0]).convert("RGB"))
                for r in part
            ]
            images.append(model.encode_image(torch.stack(photos), normalize=True).numpy())
            texts.append(
                model.encode_text(tokenizer([r["title"] for r in part]), normalize=True).numpy()
            )
    return np.concatenate(images), np.concatenate(texts), [r["category"] for r in rows]


def measure_catalog(model_folder: Path, catalog: Path) -> dict[str, float]:
    """R@1 and R@10 both ways, and how many of the five nearest photos share the category."""
    images, texts, categories = embed_catalog(model_folder, catalog)
    return {
        "products": len(images),
        "text_to_image_R@1": recall_at(texts, images, 1),
        "text_to_image_R@10": recall_at(texts, images),
        "image_to_text_R@10": recall_at(images, texts),
        "category_precision@5": category_precision(images, categories),
    }


def images_per_second(model_folder: Path, batch: int = 32, repeats: int = 12) -> dict[str, float]:
    """Speed of the image tower on ready pixels: torch float32, and OpenVINO where installed."""
    model, _, _ = load(model_folder)
    pixels = torch.rand(batch, 3, 224, 224) * 2 - 1
    speeds = {}
    with torch.inference_mode():
        model.encode_image(pixels)
        begin = time.perf_counter()
        for _ in range(max(1, repeats // 4)):
            model.encode_image(pixels)
        speeds["torch_float32"] = max(1, repeats // 4) * batch / (time.perf_counter() - begin)
    try:
        import openvino
    except ImportError:
        return speeds
    graph = openvino.convert_model(model.visual, example_input=pixels, input=[-1, 3, 224, 224])
    for precision in ("f32", "bf16"):
        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"}
        queue = openvino.AsyncInferQueue(openvino.Core().compile_model(graph, "CPU", options))
        for measured in (False, True):
            begin = time.perf_counter()
            for _ in range(repeats):
                queue.start_async({0: pixels.numpy()})
            queue.wait_all()
            if measured:
                speeds[f"openvino_{precision}"] = repeats * batch / (time.perf_counter() - begin)
    return speeds
