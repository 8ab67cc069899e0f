"""What is wrong with an index is found, and repaired without the model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import verify
from retrieval.settings import Settings
from retrieval.storage.entities import MODALITIES
from tests.support.damage import generation, problems, query
from tests.support.models import no_model
from tests.support.shop import Shop


def test_a_good_index_has_no_problems(made: Settings) -> None:
    assert problems(made) == []


def damage_file(settings: Settings, name: str) -> None:
    path = generation(settings) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def vector_of_another(settings: Settings) -> None:
    query(
        settings,
        "UPDATE vector SET data = (SELECT data FROM vector AS v WHERE v.id = 2) WHERE id = 1",
    )


DAMAGES: dict[str, tuple[Callable[[Settings], Any], str]] = {
    "faiss": (lambda s: damage_file(s, "images.faiss"), "images.faiss"),
    "vectors": (lambda s: damage_file(s, "texts.vectors.npy"), "texts.vectors.npy"),
    "snapshot": (lambda s: damage_file(s, "snapshot.db"), "snapshot.db"),
    "missing file": (lambda s: (generation(s) / "images.ids.npy").unlink(), "images.ids.npy"),
    "cut file": (
        lambda s: (generation(s) / "images.faiss").write_bytes(b"short"),
        "images.faiss",
    ),
    "manifest": (lambda s: (generation(s) / "manifest.json").write_text("{"), "manifest.json"),
    "no generation": (lambda s: shutil.rmtree(s.index / "generations"), "manifest.json"),
    "no current": (lambda s: (s.index / "CURRENT").unlink(), "CURRENT is missing"),
    "bad current": (lambda s: (s.index / "CURRENT").write_text("seven"), "CURRENT"),
    "dangling current": (lambda s: (s.index / "CURRENT").write_text("99"), "99"),
    "leftover": (
        lambda s: (s.index / "generations" / ".9.partial").mkdir(),
        "left by a killed run",
    ),
    "unpublished": (
        lambda s: query(s, "UPDATE state SET value = value + 1"),
        "not published",
    ),
    "other vector": (vector_of_another, "differ"),
    "changed title": (
        lambda s: query(s, "UPDATE product SET row_hash = 'x' WHERE id = 1"),
        "products are not those",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_repaired_without_the_model(made: Settings, name: str) -> None:
    damage, said = DAMAGES[name]
    damage(made)
    found = problems(made)
    assert any(said in problem for problem in found), found
    assert all("\n" not in problem for problem in found)

    with no_model():
        report = verify(made, Quiet(), repair=True)
    assert report.ok, report.problems
    assert report.repaired
    assert problems(made) == []
    assert len(retrieval.open(made.index).search("mug", mode="lexical")) == 5


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"\0" * 7, "7 bytes"),
        (np.full(64, np.nan, "<f2").tobytes(), "no numbers"),
        (np.zeros(64, "<f2").tobytes(), "length 0.000"),
    ],
)
def test_a_stored_vector_that_cannot_be_right_is_dropped_and_made_again(
    made: Settings, shop: Shop, tiny_model: str, blob: bytes, said: str
) -> None:
    query(made, "UPDATE vector SET data = ? WHERE id = 5", blob)
    for modality in MODALITIES:  # else the generation's copy would be taken
        (generation(made) / f"{modality}.vectors.npy").unlink()
    assert any(said in problem for problem in problems(made))
    report = verify(made, Quiet(), repair=True)
    assert any("dropped 1" in done for done in report.repaired)
    assert not report.ok, "the model has to make it again"
    assert any("retrieval index" in problem.text for problem in report.problems)
    again = retrieval.build(shop.path, made.index, model=tiny_model)
    assert again.embedded == 1
    assert problems(made) == []


def test_a_photo_without_vector_is_told(made: Settings) -> None:
    query(made, "DELETE FROM vector WHERE id = 1")
    assert any("have no vector" in problem for problem in problems(made))


def test_a_damaged_catalog_is_a_problem_not_a_crash(made: Settings) -> None:
    path = made.index / "catalog.db"
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(data)
    found = problems(made)
    assert any("restore a backup" in problem for problem in found)
