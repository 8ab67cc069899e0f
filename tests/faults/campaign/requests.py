"""Many requests of every kind: no error, and memory that stays where the warm-up left it."""

from __future__ import annotations

import io
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import requests
from PIL import Image

from tests.faults.campaign.hostile import warm
from tests.faults.campaign.rows import Row
from tests.faults.campaign.world import World
from tests.support.server import Server
from tests.support.trees import resident_mb

PART = "requests"
CLIENTS = 8
SAMPLES = 40
WARM_UP = 0.4
# A leak of a kilobyte a request is a megabyte in a thousand.
STEEPEST_MB = 1.0
NOISE_MB = 8.0  # that a heap moves by though nothing is kept
VOCABULARY = ("red", "blue", "green", "mug", "box", "bottle", "deluxe", "new", "tall", "round")


def run(world: World, size: int) -> list[Row]:
    """Sends `size` requests, GET and POST mixed, and weighs the server between them."""
    server = Server(world.before.new_index)
    try:
        warm(server.address)
        weighed: list[tuple[int, float]] = []
        failures: Counter[str] = Counter()
        local = threading.local()

        def send(number: int) -> None:
            if not hasattr(local, "session"):
                local.session = requests.Session()
            failure = asked(local.session, server.address, request(number, world.seed))
            if failure:
                failures[failure] += 1

        with (
            world.told("requests", size) as task,
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            step = max(1, size // SAMPLES)
            for start in range(0, size, step):
                numbers = range(start, min(size, start + step))
                list(clients.map(send, numbers))
                weighed.append((numbers.stop, resident_mb(server.process.pid)))
                task.advance(len(numbers))
    finally:
        server.stop()
    return [summary(size, weighed, failures)]


def request(number: int, seed: int) -> dict[str, Any]:
    """The request of a number: each is another, and every run sends the same ones."""
    chance = random.Random(f"{seed} {number}")
    words = " ".join(chance.sample(VOCABULARY, chance.randrange(1, 4))) + f" {chance.random():.3f}"
    key = f"P-{chance.randrange(7, 16):02d}"
    search, photo = "/api/v1/search", {"image": ("photo.jpg", drawn(chance))}
    kinds: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("GET", search, {"params": {"q": words}}),
        ("GET", search, {"params": {"q": words, "facets": 1, "max_price": 30}}),
        ("GET", search, {"params": {"like": key, "category": "mugs"}}),
        ("GET", f"/api/v1/products/{key}/similar", {}),
        ("GET", f"/api/v1/products/{key}", {}),
        ("GET", f"/photos/320/0/{key}", {}),
        ("GET", "/", {"params": {"q": words}}),
        ("GET", f"/products/{key}", {}),
        ("GET", "/metrics", {}),
        ("POST", search, {"files": photo}),
        ("POST", search, {"files": photo, "data": {"q": words}}),
        ("POST", "/", {"files": photo, "data": {"q": words}}),
    )
    method, path, options = kinds[number % len(kinds)]
    return {"method": method, "path": path, **options}


def drawn(chance: random.Random) -> bytes:
    """A photo that nobody sent before."""
    pixels = np.frombuffer(chance.randbytes(12 * 9 * 3), np.uint8).reshape(9, 12, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((640, 480)).save(buffer, "JPEG")
    return buffer.getvalue()


def asked(session: requests.Session, address: str, sent: dict[str, Any]) -> str:
    """Empty where it was answered well."""
    options = {name: value for name, value in sent.items() if name not in ("method", "path")}
    try:
        answer = session.request(sent["method"], address + sent["path"], timeout=60, **options)
    except requests.RequestException as error:
        return f"{sent['method']} {sent['path']}: {type(error).__name__}"
    return "" if answer.ok else f"{sent['method']} {sent['path']}: HTTP {answer.status_code}"


def slope(weighed: list[tuple[int, float]]) -> float:
    """MB a thousand requests: the median of all slopes between two samples (Theil and Sen)."""
    counts, sizes = np.array(weighed, dtype=np.float64).T
    later, earlier = np.triu_indices(len(counts), 1)[::-1]
    return (
        float(np.median((sizes[later] - sizes[earlier]) / (counts[later] - counts[earlier]))) * 1e3
    )


def summary(size: int, weighed: list[tuple[int, float]], failures: Counter[str]) -> Row:
    """Whether memory is flat after the warm-up: it grows neither steeply nor by much."""
    after = [sample for sample in weighed if sample[0] > WARM_UP * size]
    steepness, grown = slope(after), after[-1][1] - after[0][1]
    errors = sum(failures.values())
    told = (
        f"{errors} errors; {after[0][1]:.0f} MB after the warm-up, {after[-1][1]:.0f} MB at the "
        f"end, {steepness:+.2f} MB a thousand requests"
    )
    missed = [f"{count} times {failure}" for failure, count in failures.most_common()]
    if steepness > STEEPEST_MB and grown > NOISE_MB:
        missed.append(f"memory grows by {steepness:.2f} MB a thousand requests")
    return Row(PART, "GET and POST, mixed", size, told, 0, tuple(missed))
