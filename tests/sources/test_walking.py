"""Of a folder every photo of the user's is taken, once, and nothing that a program keeps there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import SourceError
from retrieval.settings import Settings
from retrieval.sources import ProductRecord, Source, open_source
from retrieval.sources.walking import kept_by_programs


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a photo, as far as a walk can tell")


def read(folder: Path) -> tuple[list[str], Source]:
    source = open_source(folder, Settings())
    return [item.key for item in source if isinstance(item, ProductRecord)], source


@pytest.mark.parametrize(
    "thrown_away",
    [
        "#recycle", ".Trash-1000/files", "@eaDir/red.jpg", "$Recycle.Bin/S-1-5", "__MACOSX",
        "System Volume Information", ".Trashes/501", ".@__thumb", "#snapshot/daily", "@Recycle",
        ".stversions", "lost+found", "files_trashbin/files", ".zfs/snapshot", ".AppleDouble",
    ],
)  # fmt: skip
def test_what_was_thrown_away_is_no_product(tmp_path: Path, thrown_away: str) -> None:
    put(tmp_path / "mugs/red.jpg", tmp_path / "mugs" / thrown_away / "old.jpg")
    put(tmp_path / thrown_away / "older.jpg")
    assert read(tmp_path)[0] == ["mugs/red.jpg"]


@given(st.sampled_from("trash bin snapshots recycled thumbs tmp sync deleted eaDir".split()))
def test_a_folder_that_a_user_may_call_so_is_read(name: str) -> None:
    assert not kept_by_programs(name)


def test_a_source_may_be_a_folder_of_what_was_thrown_away(tmp_path: Path) -> None:
    put(tmp_path / "#recycle/old.jpg")
    assert read(tmp_path / "#recycle")[0] == ["old.jpg"]


def index_with_files(folder: Path) -> Path:
    put(folder / "CURRENT", folder / "catalog.db", folder / "generations/1/manifest.json")
    put(folder / "cache/uploads/visitor.jpg", folder / "cache/thumbnails/small.webp")
    return folder


def half_made(folder: Path) -> Path:
    """As a first run leaves it that was killed: a catalog, and no generation."""
    put(folder / "cache/uploads/visitor.jpg")
    with sqlite3.connect(folder / "catalog.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.close()
    return folder


def linked(folder: Path) -> Path:
    index = index_with_files(folder.parents[2] / "elsewhere" / "index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(index)
    return folder


def uploads_linked(folder: Path) -> Path:
    index = index_with_files(folder.parents[2] / "elsewhere" / "index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(index / "cache" / "uploads")
    return folder


def without_its_catalog(folder: Path) -> Path:
    index_with_files(folder)
    (folder / "catalog.db").unlink()
    return folder


@pytest.mark.parametrize(
    "make", [index_with_files, half_made, linked, uploads_linked, without_its_catalog]
)
def test_what_visitors_sent_to_an_index_is_no_product(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    shop = tmp_path / "shop"
    put(shop / "mug.jpg", shop / "generations/grandmother.jpg")
    index = make(shop / "indexes" / "any")
    keys, source = read(shop)
    assert keys == ["mug.jpg", "generations/grandmother.jpg"]
    assert [folder.name for folder in source.indexes_passed_over] == [index.name], "and it is said"


def test_an_index_in_the_folder_of_the_photos_themselves(tmp_path: Path) -> None:
    index_with_files(tmp_path)
    put(tmp_path / "mug.jpg", tmp_path / "tea/pot.jpg", tmp_path / "tea/cache/cup.jpg")
    assert read(tmp_path)[0] == ["mug.jpg", "tea/pot.jpg", "tea/cache/cup.jpg"]


def test_an_indexs_own_files_are_no_source(tmp_path: Path) -> None:
    index = index_with_files(tmp_path / "index")
    with pytest.raises(SourceError, match="part of an index"):
        read(index / "cache" / "uploads")


def test_a_catalog_of_another_program_hides_no_photos(tmp_path: Path) -> None:
    put(tmp_path / "album/catalog.db", tmp_path / "album/mug.jpg")
    assert read(tmp_path)[0] == ["album/mug.jpg"]


@pytest.mark.parametrize(
    ("link", "target", "keys"),
    [
        ("shop/tea", "disk", ["tea/cup.jpg"]),
        ("shop/a/b/tea", "disk", ["a/b/tea/cup.jpg"]),
        ("disk/round", "disk", []),
        ("shop/all", "shop", []),
        ("shop/up", ".", ["up/disk/cup.jpg"]),
        ("shop/same", "shop/mugs", []),
    ],
)
def test_links_are_followed_and_never_in_a_circle(
    tmp_path: Path, link: str, target: str, keys: list[str]
) -> None:
    put(tmp_path / "shop/mugs/red.jpg", tmp_path / "disk/cup.jpg")
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / target)
    assert sorted(read(tmp_path / "shop")[0]) == sorted(["mugs/red.jpg", *keys])


def test_many_links_among_folders_are_walked_once_each(tmp_path: Path) -> None:
    """Each path on its own would be more than anybody can wait for."""
    for number in range(12):
        put(tmp_path / f"disk/{number}/photo.jpg")
        for other in range(12):
            (tmp_path / f"disk/{number}/to-{other}").symlink_to(tmp_path / f"disk/{other}")
    (tmp_path / "shop").mkdir()
    for number in range(12):
        (tmp_path / f"shop/{number}").symlink_to(tmp_path / f"disk/{number}")
    assert len(read(tmp_path / "shop")[0]) == 12


def test_one_folder_that_cannot_be_listed_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a/mug.jpg", tmp_path / "b/cup.jpg")
    listed = os.scandir

    def scandir(folder: Path) -> object:
        if Path(folder).name == "a":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    keys, source = read(tmp_path)
    assert keys == ["b/cup.jpg"]
    (hidden,) = source.out_of_sight
    assert hidden.certain and hidden.holds("a/mug.jpg", []) and not hidden.holds("ab.jpg", [])
    with pytest.raises(SourceError, match="make it readable"):
        read(tmp_path / "a")
