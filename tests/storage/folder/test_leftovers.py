"""What a killed run leaves is removed, hides nothing, and is told from a rollback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import rebuild, rollback, rolled_back_to
from retrieval.settings import Settings
from retrieval.storage.folder.generation_folders import Generations
from tests.support.commands import script
from tests.support.damage import problems, query
from tests.support.shop import Shop


def leave(settings: Settings, name: str = ".7.partial") -> Path:
    folder = settings.index / "generations" / name
    folder.mkdir()
    (folder / "images.faiss").write_bytes(b"half")
    return folder


def test_a_run_with_nothing_to_publish_removes_what_was_left(
    made: Settings, shop: Shop, tiny_model: str
) -> None:
    left = leave(made)
    assert retrieval.build(shop.path, made.index, model=tiny_model).generation == 1
    assert not left.exists()
    assert problems(made) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET value = value + 1",
        "UPDATE product SET row_hash = 'x' WHERE id = 1",
        "DELETE FROM vector WHERE id = 3",
        "UPDATE vector SET data = (SELECT data FROM vector AS v WHERE v.id = 2) WHERE id = 1",
        "DELETE FROM text WHERE id = 4",
    ],
)
def test_what_was_left_hides_no_other_fault(made: Settings, statement: str) -> None:
    leave(made)
    before = set(problems(made))
    assert len(before) == 1
    query(made, statement)
    assert set(problems(made)) > before


def killed_before_it_went_live(settings: Settings, shop: Shop, model: str) -> None:
    """Whole and renamed, and CURRENT as it was: what SIGKILL leaves between the two."""
    (settings.index / "CURRENT").rename(settings.index / "kept")
    (settings.index / "kept").touch()
    os.utime(settings.index / "kept", ns=(1, 1))
    (settings.index / "kept").rename(settings.index / "CURRENT")
    shop.rows["P-000"]["title"] = "Renamed thing"
    retrieval.build(shop.write(), settings.index, model=model)
    os.utime(settings.index / "CURRENT")
    (settings.index / "CURRENT").write_text("1\n")
    os.utime(settings.index / "CURRENT", ns=(1, 1))


def test_a_killed_run_is_no_rollback_for_the_nightly_rebuild(
    made: Settings, shop: Shop, tiny_model: str
) -> None:
    killed_before_it_went_live(made, shop, tiny_model)
    assert rolled_back_to(made) is None
    assert any("not published" in text for text in problems(made))
    assert " ok " in script("--index", made.index).stdout
    assert retrieval.open(made.index).search("renamed", mode="lexical").total == 1


def test_a_rollback_is_one_until_somebody_goes_on(made: Settings) -> None:
    rebuild(made, Quiet())
    rollback(made)
    assert rolled_back_to(made) == 1
    rollback(made, 2)
    assert rolled_back_to(made) is None
    rollback(made, 1)
    rebuild(made, Quiet())
    assert rolled_back_to(made) is None and not (made.index / ".rolled-back").exists()


def test_a_rollback_by_an_earlier_version_is_still_one(made: Settings) -> None:
    rebuild(made, Quiet())
    rollback(made)
    (made.index / ".rolled-back").unlink()  # which left no mark
    assert Generations(made.index).rolled_back_to() == 1
