"""An index that cannot be written to, and a disk that fills up while it is."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import CatalogError, DiskFull
from retrieval.indexing.maintenance import rebuild, verify
from retrieval.settings import Settings, load_settings
from retrieval.storage.folder import database
from tests.support.commands import main
from tests.support.damage import problems, query
from tests.support.shop import Shop


@pytest.fixture
def read_only(made: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As without the rights of root, who writes everywhere; the engine's own writes fail loudly."""
    monkeypatch.setattr(database, "can_write", lambda _: False)
    monkeypatch.setattr("retrieval.storage.folder.can_write", lambda _: False)
    return made


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_an_index_that_cannot_be_written_to_is_verified(read_only: Settings) -> None:
    before = stamps(read_only.index)
    assert problems(read_only) == []
    assert stamps(read_only.index) == before
    with pytest.raises(CatalogError, match="cannot be written to here"):
        verify(read_only, Quiet(), repair=True)


def test_faults_of_one_that_cannot_be_written_to_are_found(read_only: Settings) -> None:
    query(read_only, "UPDATE product SET brand = 'Acmf' WHERE id = 1")
    assert any("not as they were written" in text for text in problems(read_only))


def test_a_dry_run_writes_nothing_and_says_nothing_of_deleting(
    read_only: Settings, shop: Shop
) -> None:
    before = stamps(read_only.index)
    done = main("index", shop.path, "--dry-run", "--json", "--index", read_only.index)
    assert done.returncode == 0, done.stderr
    assert '"unchanged": 20' in done.stdout and "delete" not in done.stderr
    assert stamps(read_only.index) == before


FULL = {
    "system": OSError(errno.ENOSPC, "No space left on device"),
    "quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "faiss": RuntimeError("Error in virtual size_t: write error: No space left on device"),
}
STEPS = (
    "retrieval.storage.folder.publishing.write_snapshot",
    "retrieval.storage.folder.publishing.np.save",
    "retrieval.storage.folder.publishing.AnnIndex.save",
    "retrieval.storage.folder.publishing.write_map",
    "retrieval.storage.folder.generation_folders._sync",
)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", FULL)
def test_a_disk_that_is_full_is_told_and_the_old_generation_goes_on(
    made: Settings, monkeypatch: pytest.MonkeyPatch, step: str, name: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise FULL[name]

    with monkeypatch.context() as patch:
        patch.setattr(step, full)
        with pytest.raises(DiskFull, match=r"is full: a generation takes about .* MB"):
            rebuild(made, Quiet())
    assert list((made.index / "generations").glob(".*")) == []
    assert len(retrieval.open(made.index).search("mug", mode="lexical")) == 5
    assert problems(made) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here ({error})")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_small_disk_never_ends_the_process(made: Settings, small_disk: Path) -> None:
    shutil.copytree(made.index, small_disk / "index")
    settings = load_settings(index=small_disk / "index", keep_generations=100)
    with pytest.raises(DiskFull):  # each generation takes room, until one finds none
        for _ in range(20):
            rebuild(settings, Quiet())
    assert len(retrieval.open(settings.index).search("mug", mode="lexical")) == 5
