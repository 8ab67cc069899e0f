"""An index or its photos were moved: it says so, is told where they are, and embeds nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import SourceError
from retrieval.indexing import relocating
from retrieval.indexing.relocating import find_photos
from retrieval.settings import load_settings
from tests.support.commands import answer, main, run
from tests.support.damage import problems
from tests.support.models import no_model
from tests.support.shop import Shop


def index_moved(index: Path, shop: Path) -> tuple[Path, Path]:
    new = index.parent / "far" / "away" / "index"
    new.parent.mkdir(parents=True)
    return index.rename(new), shop


def photos_moved(index: Path, shop: Path) -> tuple[Path, Path]:
    return index, shop.rename(index.parent / "shop of today")


def both_moved_apart(index: Path, shop: Path) -> tuple[Path, Path]:
    return index_moved(index, shop)[0], photos_moved(index, shop)[1]


def above_the_photos(index: Path, shop: Path) -> tuple[Path, Path]:
    (index.parent / "disk" / "year").mkdir(parents=True)
    shop.rename(index.parent / "disk" / "year" / "shop")
    return index, index.parent / "disk"


def in_other_case(index: Path, shop: Path) -> tuple[Path, Path]:
    for photo in (shop / "images").iterdir():
        photo.rename(photo.with_name(photo.name.upper()))
    (shop / "images").rename(shop / "Images")
    return index, shop.rename(index.parent / "moved")


def without_their_folder(index: Path, shop: Path) -> tuple[Path, Path]:
    """Names alone are left to go by, and what they hold."""
    (shop / "images").rename(index.parent / "flat")
    shutil.rmtree(shop)
    return index, index.parent / "flat"


@pytest.mark.parametrize(
    "move",
    [
        index_moved,
        photos_moved,
        both_moved_apart,
        above_the_photos,
        in_other_case,
        without_their_folder,
    ],
)
def test_photos_are_found_again_and_nothing_is_embedded(
    index: Path,
    shop: Shop,
    move: Callable[[Path, Path], tuple[Path, Path]],
) -> None:
    before = [hit.score for hit in retrieval.open(index).search(like="P-004")]
    index, folder = move(index, shop.folder)
    options = ("--index", index, "--json")
    told = run("search", "mug", "--mode", "lexical", *options)
    assert "0 of 20 photos" in told.stderr and "--photos-at" in told.stderr
    with no_model():
        made = answer(run("index", "--photos-at", folder, *options))
    assert (made["images"], made["embedded"], made["photos_unreachable"]) == (20, 0, 0)
    assert made["generation"] == 2
    catalog = retrieval.open(index)
    hits = catalog.search(like="P-004")
    assert [hit.score for hit in hits] == before
    for hit in hits:
        assert Path(hit.image or "").is_file()
        assert Path(hit.image or "").stem.upper() == hit.id, "of each its own"
    assert problems(load_settings(index=index)) == []
    assert "photos" not in run("search", "mug", "--mode", "lexical", *options).stderr


def test_a_name_that_several_products_use_is_told_by_its_bytes(
    tmp_path: Path, shop: Shop, tiny_model: str
) -> None:
    """Numbered photos are what many shops have: 1.png shows another thing in each folder."""
    for number, row in enumerate(shop.rows.values()):
        name = f"images/{number}/front/1.png"
        (shop.folder / name).parent.mkdir(parents=True)
        (shop.folder / row["image"]).rename(shop.folder / name)
        row["image"] = name
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    for number in range(20):  # where the product's own folder is called otherwise today
        (shop.folder / f"images/{number}").rename(shop.folder / f"images/new {19 - number}")
    report = find_photos(shop.folder, load_settings(index=tmp_path / "i"), Quiet())
    assert (report.photos_unreachable, report.updated) == (0, 20)
    hit = retrieval.open(tmp_path / "i").search("P-003", mode="lexical")[0]
    assert Path(hit.image or "").parts[-3] == "new 16"


def test_another_shops_photos_are_not_taken(index: Path, shop: Shop, tmp_path: Path) -> None:
    other = Shop(tmp_path / "other")
    other.made = 500
    other.fill(20)
    shop.folder.rename(tmp_path / "gone")
    with pytest.raises(SourceError, match="none of the 20 photos"):
        find_photos(other.folder, load_settings(index=index), Quiet())
    assert retrieval.open(index).generation.manifest.generation == 1


def test_a_photo_that_is_nowhere_costs_itself_alone(
    index: Path, shop: Shop, tmp_path: Path
) -> None:
    moved = shop.folder.rename(tmp_path / "moved")
    (moved / "images" / "P-007.png").unlink()
    options = ("--index", index, "--rejects", tmp_path / "r.jsonl", "--json")
    made = answer(run("index", "--photos-at", moved, *options), 3)
    assert (made["images"], made["photos_unreachable"], made["updated"]) == (20, 1, 19)
    assert "P-007" in (tmp_path / "r.jsonl").read_text()
    assert "19 of 20" in run("verify", "--index", index).stderr
    assert "19 of 20" not in run("verify", "--index", index).stdout


def test_a_dry_run_writes_nothing(index: Path, shop: Shop, tmp_path: Path) -> None:
    moved = shop.folder.rename(tmp_path / "moved")
    made = answer(run("index", "--photos-at", moved, "--dry-run", "--index", index, "--json"))
    assert (made["updated"], made["generation"], made["dry_run"]) == (20, None, True)
    assert retrieval.open(index).photos_there() == (0, 20)


def test_stopped_half_way_it_is_taken_up_again(
    index: Path, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shop.folder.rename(tmp_path / "moved")
    settings = load_settings(index=index)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(relocating, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            find_photos(moved, settings, Quiet())
    report = find_photos(moved, settings, Quiet())
    assert (report.updated, report.generation) == (0, 2)
    assert retrieval.open(index).photos_there() == (20, 20)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["index"], 2, "Give a SOURCE"),
        (["index", "shop", "--photos-at", "shop"], 2, "Give a SOURCE"),
        (["index", "--photos-at", "no-such"], 1, "is no folder"),
        (["index", "--photos-at", "shop", "--index", "none"], 1, "there is no index"),
        (["index", "--photos-at", "shop/images/P-000.png"], 1, "is no folder"),
    ],
)
def test_what_makes_no_sense_is_told(
    index: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    assert index.parent == tmp_path, "a shop lies beside it"
    done = main(*arguments, cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
