"""int8 is written only where the user's own catalog is searched as well by it."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.adaptation import int8 as quantization
from retrieval.adaptation.int8 import QuantizeReport, quantize
from retrieval.common.progress import Quiet
from retrieval.encoders import STARTER, load_encoder
from retrieval.encoders.openvino.cache import META
from retrieval.errors import EncoderError, SourceError
from retrieval.settings import load_settings
from tests.support.commands import run
from tests.support.shop import SAMPLES

PRODUCTS = 100


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of some products of the sample catalog."""
    folder = tmp_path_factory.mktemp("shelf")
    with (SAMPLES / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[: 5 * PRODUCTS : 5]
    (folder / "images").symlink_to((SAMPLES / "images").resolve())
    with (folder / "shelf.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "shelf.csv"


@pytest.fixture(scope="module")
def shelf_index(shelf: Path, starter: str) -> Path:
    retrieval.build(shelf, shelf.parent / "index", model=starter)
    return shelf.parent / "index"


@pytest.fixture(scope="module")
def quantized(shelf_index: Path) -> tuple[QuantizeReport, Path]:
    """Both towers in int8, however little that gains on this machine."""
    out = shelf_index.parent / "int8"
    settings = load_settings(index=shelf_index)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantization, "LEAST_SPEEDUP", 0)
        return quantize(settings, out, Quiet(), keep=0.5), out


def test_a_model_that_passes_makes_an_index_that_finds_the_same(
    quantized: tuple[QuantizeReport, Path], shelf: Path, shelf_index: Path, tmp_path: Path
) -> None:
    report, out = quantized
    assert report.name == f"int8:{out}"
    assert all(one.refused is None for one in report.towers.values())
    # It was int8 that ran: vectors near those of before, and not the same.
    assert all(0.9 < one.neighbour_overlap.cosine < 0.99999 for one in report.towers.values())
    built = retrieval.build(shelf, tmp_path / "index", model=report.name)
    assert built.embedded > PRODUCTS
    catalog = retrieval.open(tmp_path / "index")
    before = retrieval.open(shelf_index)
    assert catalog.warm().backend == "openvino int8"
    for words in ("blue glass vase", "wooden chair", "desk lamp"):
        found = [hit.id for hit in catalog.search(words, limit=3)]
        assert found[0] in [hit.id for hit in before.search(words, limit=3)]


def test_an_index_and_its_int8_model_move_together(
    quantized: tuple[QuantizeReport, Path], shelf: Path, tmp_path: Path
) -> None:
    """The name is stored relative to the index: a copy on another machine must find the copy."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    shutil.copytree(quantized[1], here / "model")
    retrieval.build(shelf, here / "index", model=f"int8:{here / 'model'}")
    here.rename(there)
    assert retrieval.open(there / "index").search("a lamp", limit=1).total


def test_its_vectors_are_never_mixed_with_those_of_the_model_it_was_made_of(
    quantized: tuple[QuantizeReport, Path],
) -> None:
    report, _ = quantized
    assert report.name is not None
    ours, theirs = (load_encoder(name, load_settings()) for name in (report.name, STARTER))
    assert ours.fingerprint != theirs.fingerprint
    assert (ours.details.precision, theirs.details.precision) == ("int8", "float")


def test_what_loses_too_many_neighbours_is_not_written(shelf_index: Path, tmp_path: Path) -> None:
    out = tmp_path / "int8"
    told = run("quantize", out, "--index", shelf_index, "--keep", "1")
    assert told.exit_code == 0 and "must" in told.output and "nothing was written" in told.output
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_what_was_there(
    shelf_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "int8"
    out.mkdir()
    (out / META).write_text("mine")

    def fails(*_: Any) -> None:
        raise EncoderError("no")

    monkeypatch.setattr(quantization, "quantize_images", fails)
    with pytest.raises(EncoderError):
        quantize(load_settings(index=shelf_index), out, Quiet(), keep=0)
    assert [path.name for path in tmp_path.iterdir()] == ["int8"]
    assert (out / META).read_text() == "mine"


def test_a_folder_that_is_no_model_is_not_replaced(shelf_index: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"dear to me")
    with pytest.raises(SourceError, match="holds no model"):
        quantize(load_settings(index=shelf_index), tmp_path / "photos", Quiet())
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_without_nncf_one_line_says_how_to_get_it(
    shelf_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(EncoderError, match="pip install nncf"):
        quantize(load_settings(index=shelf_index), tmp_path / "int8", Quiet())


def test_too_few_photos_cannot_judge(index: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it takes 100"):
        quantize(load_settings(index=index), tmp_path / "int8", Quiet())


def test_an_int8_model_cannot_be_made_int8_again(
    quantized: tuple[QuantizeReport, Path], shelf: Path, tmp_path: Path
) -> None:
    retrieval.build(shelf, tmp_path / "index", model=quantized[0].name)
    with pytest.raises(EncoderError, match="int8"):
        quantize(load_settings(index=tmp_path / "index"), tmp_path / "again", Quiet())


@pytest.mark.parametrize("damage", ["gone", "meta", "tower"])
def test_a_damaged_model_is_told_in_one_line(
    quantized: tuple[QuantizeReport, Path], tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    if damage != "gone":
        shutil.copytree(quantized[1], folder)
    if damage == "meta":
        (folder / META).write_text("{")
    if damage == "tower":
        (folder / "image.xml").write_text("<net")
        shutil.rmtree(folder / "compiled", ignore_errors=True)
    with pytest.raises(EncoderError, match="model int8:"):
        load_encoder(f"int8:{folder}", load_settings())


def test_it_runs_by_openvino_alone(quantized: tuple[QuantizeReport, Path]) -> None:
    with pytest.raises(EncoderError, match="OpenVINO alone"):
        load_encoder(str(quantized[0].name), load_settings(backend="torch"))


def test_its_report_can_be_read_by_programs(quantized: tuple[QuantizeReport, Path]) -> None:
    told = json.loads(json.dumps(quantized[0].as_dict()))
    assert set(told["towers"]) == {"images", "texts"}
    assert told["photos"] >= PRODUCTS and told["model"] == STARTER
    assert {"overlap", "cosine", "least"} == set(told["towers"]["images"]["neighbour_overlap"])
