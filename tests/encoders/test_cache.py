"""No home, a full disk, another processor: a model is run all the same, and it is said how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.encoders import load_encoder, loading
from retrieval.encoders.names import parse_model_name
from retrieval.encoders.openvino import cache
from retrieval.errors import EncoderError
from retrieval.settings import Settings, load_settings
from tests.conftest import CACHE


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    """Forgets what is told and made once a process."""
    loading._tell_once.cache_clear()
    cache.run_folder.cache_clear()
    yield
    if cache.run_folder_made():
        shutil.rmtree(cache.run_folder())
    cache.run_folder.cache_clear()


def below_a_file(tmp_path: Path, _: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "home").write_text("no folder")
    return Settings(cache=tmp_path / "home" / "cache")


def read_only(tmp_path: Path, patch: pytest.MonkeyPatch) -> Settings:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    patch.setattr(cache.tempfile, "TemporaryFile", refuse)
    return Settings(cache=tmp_path / "cache")


def no_home(_: Path, patch: pytest.MonkeyPatch) -> Settings:
    def unknown(*_: Any) -> None:
        raise RuntimeError("Could not determine home directory.")

    patch.delenv("RETRIEVAL_CACHE")
    patch.setattr(cache, "user_cache_path", unknown)
    return Settings()


WITHOUT_A_CACHE = [below_a_file, read_only, no_home]


@pytest.mark.parametrize("without", WITHOUT_A_CACHE)
def test_photos_are_indexed_without_a_cache(
    without: Callable[..., Settings],
    tmp_path: Path,
    tiny_model: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = load_encoder(tiny_model, Settings(cache=CACHE)).encode_texts(["mug"])
    settings = without(tmp_path, monkeypatch)
    for _ in range(2):
        encoder = load_encoder(tiny_model, settings, bulk=True)
        assert encoder.backend.startswith("openvino")
        np.testing.assert_allclose(encoder.encode_texts(["mug"]), expected, atol=0.02)
    told = [one.getMessage() for one in caplog.records if "RETRIEVAL_CACHE" in one.getMessage()]
    assert len(told) == 1 and "for this run alone" in told[0]


@pytest.mark.parametrize("without", WITHOUT_A_CACHE)
def test_one_search_without_a_cache_is_run_by_torch(
    without: Callable[..., Settings],
    tmp_path: Path,
    tiny_model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = load_encoder(tiny_model, Settings(cache=CACHE))
    encoder = load_encoder(tiny_model, without(tmp_path, monkeypatch))
    assert encoder.backend.startswith("torch")
    assert encoder.fingerprint == expected.fingerprint, "it answers from the same index"
    assert not cache.run_folder_made()


def test_a_model_made_ready_by_others_is_used_where_nothing_can_be_written(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(CACHE, tmp_path / "cache")
    settings = read_only(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert load_encoder(tiny_model, settings).backend.startswith("openvino")


def test_a_disk_that_fills_up_costs_speed_alone(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval.encoders.openvino.conversion.export_model", full)
    assert load_encoder(tiny_model, Settings(cache=tmp_path), bulk=True).backend.startswith("torch")
    with pytest.raises(EncoderError, match="no room"):
        load_encoder(tiny_model, load_settings(cache=tmp_path, backend="openvino"))


def test_another_processor_does_not_take_what_was_made_for_this_one(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home on a share: what runs on the one machine stops the other by an unknown instruction."""
    name, settings = parse_model_name(tiny_model), Settings(cache=CACHE)
    here = cache.export_folder(name, settings)
    assert here == cache.export_folder(name, settings)
    monkeypatch.setattr(cache, "processor", lambda: ["x86_64", "another", "sse2"])
    assert cache.export_folder(name, settings) != here


@pytest.mark.parametrize("kind", ["raises", "nan", "nothing"])
def test_what_does_not_run_here_is_made_anew(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from retrieval.encoders.openvino.encoder import OpenVinoEncoder

    settings = Settings(cache=tmp_path)
    folder = cache.export_folder(parse_model_name(tiny_model), settings)
    shutil.copytree(
        cache.export_folder(parse_model_name(tiny_model), Settings(cache=CACHE)), folder
    )
    (folder / "old").touch()
    works = OpenVinoEncoder.encode_texts

    def fails(self: OpenVinoEncoder, texts: Any) -> Any:
        if not (self.folder / "old").exists():
            return works(self, texts)
        if kind == "raises":
            raise RuntimeError("unsupported instruction")
        return works(self, texts) * (np.nan if kind == "nan" else 0)

    monkeypatch.setattr(OpenVinoEncoder, "encode_texts", fails)
    assert load_encoder(tiny_model, settings).backend.startswith("openvino")
    assert not (folder / "old").exists(), "made anew"


def test_a_folder_of_a_run_is_gone_when_it_ends() -> None:
    code = "from retrieval.encoders.openvino.cache import run_folder; print(run_folder())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() and not Path(done.stdout.strip()).exists()
