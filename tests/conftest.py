"""Fixtures: a model built from a config, a catalog of drawn products, and an index of it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.encoders import STARTER, Encoder, load_encoder
from retrieval.settings import Settings, load_settings
from tests.support.models import write_model
from tests.support.shop import COLOURS, SAMPLES, SHAPES, Shop

# Models are made ready for this machine once a run, and never in the cache of who runs it. They
# take some hundred MB: left behind by every run, they filled a disk.
if "RETRIEVAL_CACHE" not in os.environ:
    os.environ["RETRIEVAL_CACHE"] = tempfile.mkdtemp(prefix="retrieval-cache-")
    atexit.register(shutil.rmtree, os.environ["RETRIEVAL_CACHE"], ignore_errors=True)
CACHE = Path(os.environ["RETRIEVAL_CACHE"])


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
    from tests.support.indexing import Watched

    return Watched(tiny_encoder)
