"""Photos and texts -> vectors: the naive loop, torch, and what runs here by default."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from retrieval.bench.measuring import Measurement, each_ms, in_turns
from retrieval.common.products import ProductRecord
from retrieval.common.vectors import neighbour_overlap
from retrieval.encoders import Encoder, load_encoder, model_before_int8
from retrieval.encoders.openclip import OpenClipEncoder
from retrieval.encoders.openvino.conversion import TextTower
from retrieval.encoders.resizing import resize_by_torch
from retrieval.images.decoding import decode_photo
from retrieval.images.model_input import fit_square
from retrieval.indexing.preparing import Prepared, SourceReader
from retrieval.settings import Settings

RANDOM = "random:"
NAIVE_PHOTOS = 64
ROUNDS = 3
QUERIES = 40
WORDS = ("red", "blue", "oak", "glass", "round", "tall", "mug", "chair", "lamp", "dress", "knife")


def random_model(architecture: str, folder: Path) -> str:
    """The name of a model with random weights: right for speed, and for nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    preprocess = dict(open_clip.get_model_preprocess_cfg(model))
    config = {"model_cfg": open_clip.get_model_config(architecture), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def bench_encoding(
    label: str, name: str, photos: Sequence[Path], settings: Settings
) -> Iterator[Measurement]:
    """One model, from JPEG files and from words to vectors.

    Args:
        label: what the model is called in the results.
    """
    plain = settings.model_copy(update={"device": "cpu", "precision": "f32"})
    fast = load_encoder(name, settings, bulk=True)
    naive = OpenClipEncoder(model_before_int8(name), plain)
    threads = torch.get_num_threads()
    few = photos[:NAIVE_PHOTOS]
    inputs = [fast.prepare(_decoded(path, fast.image_size)) for path in photos]
    near = neighbour_overlap(naive.encode_images(inputs), fast.encode_images(inputs))
    torch.set_num_threads(threads)
    yield from in_turns(
        "encode photos",
        label,
        "photos/s",
        {
            "naive torch loop, one by one": lambda: _rate(_naive(naive, few, 1), len(few)),
            "naive torch loop, batches of 32": lambda: _rate(_naive(naive, few, 32), len(few)),
            f"retrieval, file to vector ({fast.backend})": lambda: _rate(
                lambda: _embed(photos, fast, settings), len(photos)
            ),
            f"retrieval, forward only ({fast.backend})": lambda: _rate(
                lambda: fast.encode_images(inputs), len(photos)
            ),
        },
        baseline=("naive torch loop, one by one", "naive torch loop, batches of 32"),
        rounds=ROUNDS,
        notes={
            f"retrieval, file to vector ({fast.backend})": {
                "neighbours_kept": near.overlap,
                "least_cosine": near.least,
            }
        },
    )
    yield from _bench_texts(label, naive, load_encoder(name, settings))


def bench_decoding(photos: Sequence[Path], side: int) -> Iterator[Measurement]:
    """JPEG bytes -> what a model sees, by one thread."""
    small = [path.read_bytes() for path in photos[:NAIVE_PHOTOS]]
    large = [_enlarged(data) for data in small[:8]]
    slow, fast = _slow_square(side), _fast_square(side)
    for case, files in (("as they are", small), ("2,048 pixels", large)):
        yield from in_turns(
            "decode photos",
            case,
            "ms",
            {
                "Pillow and float transforms": partial(each_ms, slow, files),
                "retrieval": partial(each_ms, fast, files),
            },
            baseline=("Pillow and float transforms",),
        )


def _bench_texts(label: str, naive: OpenClipEncoder, fast: Encoder) -> Iterator[Measurement]:
    tower = "causal tower" if TextTower(naive.model).cuts else "tower without a causal mask"
    queries = (" ".join(words) for words in itertools.permutations(WORDS, 4))

    def ask(encoder: Encoder) -> Callable[[], float]:
        # No text comes twice: nothing that remembers could help.
        return lambda: each_ms(
            lambda text: encoder.encode_texts([text]), list(itertools.islice(queries, QUERIES))
        )

    yield from in_turns(
        "encode one query",
        f"{label}, {tower}",
        "ms",
        {"naive torch": ask(naive), f"retrieval ({fast.backend})": ask(fast)},
        baseline=("naive torch",),
    )


def _rate(work: Callable[[], Any], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def _naive(encoder: OpenClipEncoder, photos: Sequence[Path], batch: int) -> Callable[[], None]:
    """What the examples of open_clip do: open, transform, stack, encode."""
    config = open_clip.get_model_preprocess_cfg(encoder.model)
    transform = open_clip.image_transform(
        encoder.image_size, is_train=False, mean=config["mean"], std=config["std"]
    )

    def run() -> None:
        with torch.no_grad():
            for start in range(0, len(photos), batch):
                pixels = [transform(Image.open(path)) for path in photos[start : start + batch]]
                encoder.model.encode_image(torch.stack(pixels))

    return run


def _embed(photos: Sequence[Path], encoder: Encoder, settings: Settings) -> None:
    """As the indexer does it, without its database."""
    reader = SourceReader(photos[0].parent, settings, encoder)
    waiting: list[Any] = []
    for item in reader.stream(map(_record, photos), None, None):
        assert isinstance(item, Prepared)
        waiting += item.inputs.values()
        if len(waiting) >= settings.batch_size:
            encoder.encode_images(waiting)
            waiting = []
    encoder.encode_images(waiting)


def _record(path: Path) -> ProductRecord:
    return ProductRecord(path.name, path.parent, images=(path.name,))


def _decoded(path: Path, side: int) -> Image.Image:
    return decode_photo(path.read_bytes(), 10**9, side).pixels


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _enlarged(data: bytes) -> bytes:
    buffer = io.BytesIO()
    _opened(data).convert("RGB").resize((2048, 2048), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def _slow_square(side: int) -> Callable[[bytes], Any]:
    transform = open_clip.image_transform(side, is_train=False)
    return lambda data: transform(_opened(data))


def _fast_square(side: int) -> Callable[[bytes], Any]:
    resize = resize_by_torch("bicubic")
    return lambda data: fit_square(
        decode_photo(data, 10**9, side).pixels, side, "letterbox", resize
    )
