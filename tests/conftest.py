"""Fixtures: a model built from a config, a catalog of drawn products, and an index of it."""

from __future__ import annotations

import atexit
import csv
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import retrieval
from retrieval.encoders import STARTER, Encoder, load_encoder
from retrieval.settings import Settings, load_settings
from tests.models import write_model

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
# Models are made ready for this machine once a run, and never in the cache of who runs it. They
# take some hundred MB: left behind by every run, they filled a disk.
if "RETRIEVAL_CACHE" not in os.environ:
    os.environ["RETRIEVAL_CACHE"] = tempfile.mkdtemp(prefix="retrieval-cache-")
    atexit.register(shutil.rmtree, os.environ["RETRIEVAL_CACHE"], ignore_errors=True)
CACHE = Path(os.environ["RETRIEVAL_CACHE"])
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 150, 60),
    "blue": (40, 60, 200),
    "yellow": (230, 200, 40),
    "purple": (130, 40, 160),
}
SHAPES = ("mug", "plate", "box", "bottle")


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Indexes and models take gigabytes: a run that passed keeps none of them."""
    yield
    if not request.session.testsfailed:
        shutil.rmtree(tmp_path_factory.getbasetemp(), ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and no `retrieval.toml` of the folder, reaches a test."""
    for name in os.environ:
        if name.startswith("RETRIEVAL_") and name != "RETRIEVAL_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a small model with random weights: right in form, quick, knows nothing."""
    return f"local-dir:{write_model(tmp_path_factory.mktemp('model'), seed=0)}"


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another such model: the same config, other weights."""
    return f"local-dir:{write_model(tmp_path_factory.mktemp('other'), seed=1)}"


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: str) -> Encoder:
    return load_encoder(tiny_model, Settings())


@pytest.fixture
def settings(tmp_path: Path, tiny_model: str) -> Settings:
    return load_settings(index=tmp_path / "index", model=tiny_model, batch_size=4)


@pytest.fixture(scope="session")
def samples_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the sample catalog by the bundled model; not to be changed."""
    index = tmp_path_factory.mktemp("samples") / "index"
    report = retrieval.build(SAMPLES / "catalog.csv", index, model=STARTER)
    assert report.rejects == []
    return index


def draw_product(shape: str, colour: str, size: tuple[int, int] = (120, 120), seed: int = 0) -> Any:
    """A drawn photo; the seed shifts and textures it, so that no two are the same."""
    chance = random.Random(f"{shape} {colour} {seed}")
    image = Image.new("RGB", size, (250, 250, 250))
    draw = ImageDraw.Draw(image)
    left, top = chance.randint(5, 25), chance.randint(5, 25)
    box = (left, top, size[0] - chance.randint(5, 25), size[1] - chance.randint(5, 25))
    if shape == "plate":
        draw.ellipse(box, fill=COLOURS[colour])
    elif shape == "bottle":
        draw.rectangle((box[0] + 25, box[1], box[2] - 25, box[3]), fill=COLOURS[colour])
    else:
        draw.rectangle(box, fill=COLOURS[colour])
    if shape == "mug":
        draw.arc((box[2] - 20, box[1] + 10, box[2] + 10, box[3] - 10), 270, 90, width=6, fill=0)
    for _ in range(60):
        at = (chance.randrange(size[0]), chance.randrange(size[1]))
        draw.ellipse((*at, at[0] + 5, at[1] + 5), fill=tuple(chance.choices(range(256), k=3)))
    return image


class Shop:
    """A catalog on disk that a test can change: rows of a CSV, and photos beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "catalog.csv"
        self.rows: dict[str, dict[str, str]] = {}
        self.made = 0
        (folder / "images").mkdir(parents=True)

    def add(self, key: str, shape: str, colour: str, **values: str) -> None:
        name = f"images/{key}.png"
        self.made += 1
        draw_product(shape, colour, seed=self.made).save(self.folder / name)
        self.rows[key] = {
            "id": key,
            "title": f"{colour.title()} {shape}",
            "description": f"A {shape} in {colour}, number {key}.",
            "image": name,
            "category": f"{shape}s",
            "brand": "Acme",
            "price": str(9 + self.made),
            "colour": colour,
            **values,
        }

    def write(self) -> Path:
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        with self.path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, names)
            writer.writeheader()
            writer.writerows(self.rows.values())
        return self.path


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Shop]:
    def make(count: int = 20, name: str = "shop") -> Shop:
        shop = Shop(tmp_path / name)
        for number in range(count):
            shape = SHAPES[number % len(SHAPES)]
            colour = list(COLOURS)[(number // len(SHAPES)) % len(COLOURS)]
            shop.add(f"P-{number:03d}", shape, colour)
        shop.write()
        return shop

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture
def index(shop: Shop, tmp_path: Path, tiny_model: str) -> Path:
    """An index of `shop`."""
    folder = tmp_path / "index"
    retrieval.build(shop.path, folder, model=tiny_model)
    return folder


@pytest.fixture
def catalog(index: Path) -> Iterator[Any]:
    yield retrieval.open(index)


@pytest.fixture
def watched(tiny_encoder: Encoder) -> Any:
    from tests.indexing import Watched

    return Watched(tiny_encoder)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
