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
from tests.support.kept_models import keep_models
from tests.support.models import write_model
from tests.support.shop import SAMPLES, Shop
from tests.support.templates import is_worker, model_of_the_run, template

# Models are made ready for this machine once a run, and never in the cache of who runs it: the
# workers of pytest-xdist inherit the folder. They take some hundred MB: left behind by every run,
# they filled a disk.
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What the workers shared goes last, when none of them is left to use it."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and not is_worker() and not session.testsfailed:
        shutil.rmtree(factory.getbasetemp(), ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and no `retrieval.toml` of the folder, reaches a test."""
    for name in os.environ:
        if name.startswith("RETRIEVAL_") and name != "RETRIEVAL_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def kept_models(request: pytest.FixtureRequest) -> Iterator[None]:
    """Models are loaded once, but where loading is what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("loads_models") is None:
            keep_models(patch)
        yield


def tiny(factory: pytest.TempPathFactory, name: str, seed: int) -> str:
    def make(folder: Path) -> None:
        make_ready(f"local-dir:{write_model(folder, seed)}")

    return f"local-dir:{model_of_the_run(factory, name, make)}"


def make_ready(name: str) -> None:
    """Exports and compiles a model, for all workers: none of them then waits for another."""
    for bulk in (False, True):
        load_encoder(name, Settings(), bulk=bulk)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a small model with random weights: right in form, quick, knows nothing."""
    return tiny(tmp_path_factory, "tiny", seed=0)


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another such model: the same config, other weights."""
    return tiny(tmp_path_factory, "other", seed=1)


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of the bundled model, made ready for this machine."""
    model_of_the_run(tmp_path_factory, STARTER, lambda _: make_ready(STARTER))
    return STARTER


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: str) -> Encoder:
    return load_encoder(tiny_model, Settings())


@pytest.fixture
def settings(tmp_path: Path, tiny_model: str) -> Settings:
    return load_settings(index=tmp_path / "index", model=tiny_model, batch_size=4)


@pytest.fixture(scope="session")
def samples_index(tmp_path_factory: pytest.TempPathFactory, starter: str) -> Path:
    """An index of the sample catalog by the bundled model, one for all; not to be changed."""

    def make(folder: Path) -> None:
        report = retrieval.build(SAMPLES / "catalog.csv", folder / "index", model=starter)
        assert report.rejects == []

    return template(tmp_path_factory, "samples", make) / "index"


@pytest.fixture(scope="session")
def indexed_shop(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """A `shop` and its `index` side by side, to be copied; not to be changed."""

    def make(folder: Path) -> None:
        shop = Shop(folder / "shop").fill(20)
        retrieval.build(shop.path, folder / "index", model=tiny_model)

    return template(tmp_path_factory, "indexed", make)


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Shop]:
    return lambda count=20, name="shop": Shop(tmp_path / name).fill(count)


@pytest.fixture
def shop(indexed_shop: Path, tmp_path: Path) -> Shop:
    return Shop.copied(indexed_shop / "shop", tmp_path / "shop")


@pytest.fixture
def index(indexed_shop: Path, shop: Shop, tmp_path: Path) -> Path:
    """An index of `shop`; a copy, as only how it is made takes a second."""
    assert shop.folder.parent == tmp_path, "it finds its photos beside it"
    return Path(shutil.copytree(indexed_shop / "index", tmp_path / "index"))


@pytest.fixture
def made(index: Path) -> Settings:
    """Settings of an index that was made."""
    return load_settings(index=index)


@pytest.fixture
def catalog(index: Path) -> Iterator[Any]:
    yield retrieval.open(index)


@pytest.fixture
def watched(tiny_encoder: Encoder) -> Any:
    from tests.support.indexing import Watched

    return Watched(tiny_encoder)
