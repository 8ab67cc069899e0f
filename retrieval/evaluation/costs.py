"""What an answer costs: latency, memory, arithmetic."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from retrieval.encoders import Encoder

REPEATS = 50
PERCENTILES = (50, 95, 99)


def latency(run: Callable[[int], object], repeats: int = REPEATS) -> dict[str, float]:
    """Milliseconds of `run(0)`, `run(1)`, ...: `first`, then p50, p95 and p99 of the others.

    What loading a model costs before its first query is told apart, as `load_seconds`.
    """
    times = []
    for number in range(repeats + 1):
        started = time.perf_counter()
        run(number)
        times.append((time.perf_counter() - started) * 1000)
    percentiles = np.percentile(times[1:], PERCENTILES)
    named = {f"p{p}": round(float(v), 3) for p, v in zip(PERCENTILES, percentiles, strict=True)}
    return {"first": round(times[0], 3), **named}


def encoder_latency(encoder: Encoder, texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Latency of one text, and of one photo that is decoded already, at a time."""
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, size=(480, 640, 3), dtype=np.uint8)
    photo = Image.fromarray(noise, "RGB")
    return {
        "text": latency(lambda i: encoder.encode_texts([texts[i % len(texts)]])),
        "image": latency(lambda _: encoder.encode_images([encoder.prepare(photo)])),
    }


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
