"""A disk that is not mounted costs nothing: no vector, no product, and nothing is embedded anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import SourceError
from retrieval.indexing.indexer import Indexer
from retrieval.settings import Settings
from retrieval.sources import open_source
from tests.support.commands import answer
from tests.support.commands import run as command
from tests.support.indexing import Watched, run
from tests.support.shop import Shop, draw_product


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("away"))


def unmounted(folder: Path) -> None:
    """Its mount point is still there, with nothing in it."""
    moved(folder)
    folder.mkdir()


def linked_to_nothing(folder: Path) -> None:
    moved(folder)
    folder.symlink_to(folder.parent / "not" / "mounted")


def became_a_file(folder: Path) -> None:
    moved(folder)
    folder.write_text("no folder any more")


def emptied_files(folder: Path) -> None:
    """As a copy leaves them that was stopped."""
    shutil.copytree(folder, folder.with_name("away"))
    for photo in folder.iterdir():
        photo.write_bytes(b"")


def torn_files(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("away"))
    for photo in folder.iterdir():
        photo.write_bytes(photo.read_bytes()[:60])


AWAY = [moved, unmounted, linked_to_nothing, became_a_file, emptied_files, torn_files]


def bring_back(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name("away").rename(folder)


@pytest.mark.parametrize("take_away", AWAY)
@pytest.mark.parametrize("prune", [False, True])
def test_photos_that_are_away_today_stay_in_the_index(
    shop: Shop,
    settings: Settings,
    watched: Watched,
    take_away: Callable[[Path], None],
    prune: bool,
) -> None:
    run(shop, settings, watched)
    watched.images = 0
    photos = shop.folder / "images"
    take_away(photos)
    shop.rows["P-004"]["price"] = "3"  # written again, with the photo that nobody can see
    report = run(shop, settings, watched, prune=prune)
    assert (report.images, report.photos_unreachable, report.removed) == (20, 20, 0)
    assert report.rejected == 20, "and it is said of each"
    seen = retrieval.open(settings.index).search(like="P-004", scope="images")
    assert seen.total == 19
    bring_back(photos)
    back = run(shop, settings, watched, prune=prune)
    assert (back.images, back.photos_unreachable, back.embedded) == (20, 0, 0)
    assert watched.images == 0, "nothing is embedded anew"


@pytest.mark.parametrize("how", ["open", "stat"])
def test_a_disk_with_errors_costs_no_vector(
    shop: Shop, settings: Settings, watched: Watched, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    run(shop, settings, watched)
    owner: Any = {"open": os, "stat": Path}[how]
    working: Any = getattr(owner, how)

    def failing(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).endswith(".png"):
            raise OSError(5, "Input/output error")
        return working(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, how, failing)
        for photo in (shop.folder / "images").iterdir():
            os.utime(photo, ns=(10**18, 10**18))  # else it would be trusted unread
        report = run(shop, settings, watched)
    assert (report.images, report.photos_unreachable) == (20, 20)


@pytest.mark.parametrize(
    "written",
    ["images/P-003.png", "images\\P-003.png", "./images/P-003.png", "images/P%2D003.png",
     "file://{shop}/images/P-003.png"],
)  # fmt: skip
def test_however_its_path_is_written_a_photo_is_known_while_it_is_away(
    shop: Shop, settings: Settings, watched: Watched, written: str
) -> None:
    shop.rows = {"P-003": shop.rows["P-003"]}
    shop.rows["P-003"]["image"] = written.format(shop=shop.folder)
    assert run(shop, settings, watched).images == 1
    moved(shop.folder / "images")
    assert run(shop, settings, watched).images == 1


def test_a_photo_that_the_source_names_no_more_is_dropped(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    run(shop, settings, watched)
    moved(shop.folder / "images")
    shop.rows["P-003"]["image"] = "images/another.png"
    shop.rows["P-004"]["image"] = ""
    assert run(shop, settings, watched).images == 18


def folder_of_photos(folder: Path) -> Path:
    for number, name in enumerate(["tea/cup", "tea/pot", "tea/deep/can", "more/mug"]):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_product("mug", "red", seed=number).save(path)
    return folder


def moved_and_linked(folder: Path) -> None:
    moved(folder)
    folder.with_name("away").rename(folder.parents[1] / "disk")
    folder.symlink_to(folder.parents[1] / "disk")


def one_of_it_linked_to_nothing(folder: Path) -> None:
    linked_to_nothing(folder / "deep")
    shutil.rmtree(folder / "away")


def one_of_it_unmounted(folder: Path) -> None:
    unmounted(folder / "deep")
    shutil.rmtree(folder / "away")


def linked_within(folder: Path) -> None:
    """What is walked by another path is there twice at worst, never gone."""
    (folder.parent / "real").mkdir()
    folder.rename(folder.parent / "real" / "tea")
    folder.symlink_to(folder.parent / "real" / "tea")


@pytest.mark.parametrize(
    "change",
    [
        moved_and_linked,
        linked_to_nothing,
        unmounted,
        one_of_it_linked_to_nothing,
        one_of_it_unmounted,
        linked_within,
    ],
)
def test_what_lies_behind_a_folder_is_not_pruned_for_its_link(
    tmp_path: Path, settings: Settings, watched: Watched, change: Callable[[Path], None]
) -> None:
    source = folder_of_photos(tmp_path / "photos")
    indexer = Indexer(settings, Quiet())
    indexer.run(open_source(source, settings), watched)  # type: ignore[arg-type]
    change(source / "tea")
    shutil.rmtree(source / "away", ignore_errors=True)
    shutil.rmtree(source / "tea" / "away", ignore_errors=True)
    preview = indexer.preview(open_source(source, settings), prune=True)
    report = indexer.run(open_source(source, settings), watched, prune=True)  # type: ignore[arg-type]
    keys = {card.key for card in retrieval.open(settings.index).generation.scan()}
    assert {"tea/cup.png", "tea/pot.png", "tea/deep/can.png", "more/mug.png"} <= keys
    away = report.photos_unreachable
    assert away == {"linked_to_nothing": 3, "unmounted": 3, "moved_and_linked": 0,
                    "linked_within": 0}.get(change.__name__, 1)  # fmt: skip
    assert report.rejected == bool(away), "one line for each folder"
    assert (preview.removed, preview.products) == (report.removed, report.products)


def test_a_folder_that_is_gone_is_pruned(
    tmp_path: Path, settings: Settings, watched: Watched
) -> None:
    source = folder_of_photos(tmp_path / "photos")
    indexer = Indexer(settings, Quiet())
    indexer.run(open_source(source, settings), watched)  # type: ignore[arg-type]
    shutil.rmtree(source / "tea" / "deep")
    report = indexer.run(open_source(source, settings), watched, prune=True)  # type: ignore[arg-type]
    assert (report.removed, report.products, report.rejected) == (1, 3, 0)


def test_another_model_waits_for_photos_that_are_away(
    shop: Shop, tmp_path: Path, tiny_model: str, other_model: str
) -> None:
    index = tmp_path / "i"
    retrieval.build(shop.path, index, model=tiny_model)
    moved(shop.folder / "images")
    for yes in (False, True):
        with pytest.raises(SourceError, match="20 photos cannot be read today"):
            retrieval.build(shop.path, index, model=other_model, yes=yes)
    kept = retrieval.build(shop.path, index)
    assert (kept.model, kept.images, kept.embedded) == (tiny_model, 20, 0)
    bring_back(shop.folder / "images")
    assert retrieval.build(shop.path, index, model=other_model).images == 20


def test_many_photos_that_are_gone_for_good_are_left_out_when_asked_to(
    shop: Shop, tmp_path: Path, tiny_model: str, other_model: str
) -> None:
    index = tmp_path / "i"
    retrieval.build(shop.path, index, model=tiny_model)
    for number in range(15):
        (shop.folder / f"images/P-{number:03d}.png").unlink()
    with pytest.raises(SourceError, match=r"15 of 20 photos are gone.*--yes"):
        retrieval.build(shop.path, index, model=other_model)
    assert len(retrieval.open(index).search(like="P-003", scope="images")) == 19
    report = retrieval.build(shop.path, index, model=other_model, yes=True)
    assert (report.products, report.images, report.model) == (20, 5, other_model)


def test_a_forgotten_map_costs_no_photo(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    index = tmp_path / "i"
    renamed = {"image": "shot at"}
    for row in shop.rows.values():
        row.update({renamed.get(name, name): value for name, value in row.items()})
        del row["image"]
    shop.write()
    retrieval.build(shop.path, index, model=tiny_model, map={"image": "shot at"})
    with pytest.raises(SourceError, match="names no photo, and the index has 20 photos"):
        retrieval.build(shop.path, index)
    assert retrieval.build(shop.path, index, yes=True).images == 0


def test_words_of_other_products_need_no_photo(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    retrieval.build(shop.path, tmp_path / "i", model=tiny_model)
    (tmp_path / "words.csv").write_text("id,title\nX,Lamp\n")
    report = retrieval.build(tmp_path / "words.csv", tmp_path / "i")
    assert (report.products, report.images) == (21, 20)


def test_photos_that_are_away_are_counted_for_programs_and_for_people(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    arguments = ("index", shop.path, "--index", tmp_path / "i", "--model", tiny_model)
    assert answer(command(*arguments, "--json"))["photos_unreachable"] == 0
    moved(shop.folder / "images")
    assert answer(command(*arguments, "--json"), 3)["photos_unreachable"] == 20
    assert "20 cannot be read today" in command(*arguments).stdout
