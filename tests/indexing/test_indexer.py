"""Only what changed is embedded; nothing good is lost; whatever stops a run, the next goes on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import retrieval
from retrieval.common.progress import Quiet
from retrieval.encoders import Encoder
from retrieval.errors import IndexLocked, SourceError
from retrieval.images.files import find_image
from retrieval.indexing.indexer import Indexer
from retrieval.settings import Settings, load_settings
from retrieval.sources import open_source
from retrieval.storage.folder.lock import writing
from tests.support.indexing import Watched, run
from tests.support.shop import Shop, draw_product


def age(folder: Path) -> None:
    """Makes all photos old enough to be trusted by their time of change."""
    for path in folder.rglob("*"):
        os.utime(path, ns=(10**18, 10**18))


def test_only_what_changed_is_touched(
    make_shop: Callable[..., Shop], settings: Settings, watched: Watched
) -> None:
    shop = make_shop(40)
    first = run(shop, settings, watched)
    assert (first.added, first.products, first.images, first.texts) == (40, 40, 40, 120)
    assert first.generation == 1
    watched.images = watched.texts = 0

    keys = list(shop.rows)
    for key in keys[:4]:
        shop.rows[key]["title"] += " deluxe"
    for seed, key in enumerate(keys[4:7]):
        draw_product("box", "purple", seed=1_000 + seed).save(shop.folder / shop.rows[key]["image"])
    for key in keys[7:10]:
        shop.rows[key]["price"] = "99"
    for key in keys[10:15]:
        del shop.rows[key]
    for key in ("N-1", "N-2", "N-3"):
        shop.add(key, "bottle", "yellow")

    second = run(shop, settings, watched, prune=True)
    assert (second.added, second.updated, second.removed) == (3, 10, 5)
    assert second.unchanged == 25
    assert second.products == 38
    assert watched.images == 3 + 3, "photos replaced and photos of new products"
    assert watched.texts == 4 + 3, "titles changed, new descriptions; the new titles were known"
    assert second.embedded == watched.images + watched.texts
    assert second.generation == 2

    third = run(shop, settings, watched)
    assert (third.added, third.updated, third.unchanged, third.embedded) == (0, 0, 38, 0)
    assert third.generation == 2, "nothing changed, so nothing is published"


def test_without_prune_nothing_is_dropped(shop: Shop, settings: Settings, watched: Watched) -> None:
    run(shop, settings, watched)
    del shop.rows["P-000"]
    assert run(shop, settings, watched).products == 20


def test_prune_keeps_what_the_source_has_but_in_a_broken_row(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    """A fault in today's export must not delete a product."""
    run(shop, settings, watched)
    for name in shop.rows["P-000"]:
        if name != "id":
            shop.rows["P-000"][name] = ""
    (shop.folder / shop.rows["P-001"]["image"]).unlink()
    shop.rows["P-001"].update(title="", description="")
    report = run(shop, settings, watched, prune=True)
    assert report.removed == 0
    assert report.products == 20
    assert {reject.key for reject in report.rejects} == {"P-000", "P-001"}


def test_a_source_without_a_usable_row_prunes_nothing(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    run(shop, settings, watched)
    shop.path.write_text("id,title\n")
    with pytest.raises(SourceError, match="nothing was changed"):
        source = open_source(shop.path, settings)
        Indexer(settings, Quiet()).run(source, watched, prune=True)  # type: ignore[arg-type]
    assert len(retrieval.open(settings.index).search("mug")) == 20


def test_one_photo_of_two_products_is_encoded_once(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    for key in list(shop.rows)[1:]:
        shop.rows[key]["image"] = shop.rows["P-000"]["image"]
    shutil.copy(shop.folder / shop.rows["P-000"]["image"], shop.folder / "images" / "copy.png")
    shop.rows["P-001"]["image"] = "images/copy.png"
    report = run(shop, settings, watched)
    assert watched.images == 1
    assert report.images == 20
    hits = retrieval.open(settings.index).search(image=shop.folder / "images" / "copy.png")
    assert len(hits) == 20, "both products show it"


def test_a_photo_that_was_only_touched_is_not_encoded_again(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    run(shop, settings, watched)
    age(shop.folder)
    watched.images = 0
    report = run(shop, settings, watched)
    assert (watched.images, report.updated, report.generation) == (0, 0, 1)


def test_a_changed_photo_of_the_same_size_and_time_within_the_clocks_tick_is_seen(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    """Written twice within the file system's tick: size and time alone would not tell."""
    path = shop.folder / "images" / "P-000.bmp"
    Image.new("RGB", (30, 30), "red").save(path)
    shop.rows["P-000"]["image"] = "images/P-000.bmp"
    now = path.stat().st_mtime_ns
    run(shop, settings, watched)
    Image.new("RGB", (30, 30), "blue").save(path)
    os.utime(path, ns=(now, now))
    assert run(shop, settings, watched).updated == 1


def test_a_renamed_photo_keeps_its_vector(shop: Shop, settings: Settings, watched: Watched) -> None:
    run(shop, settings, watched)
    watched.images = 0
    (shop.folder / "images" / "P-000.png").rename(shop.folder / "images" / "new.png")
    shop.rows["P-000"]["image"] = "images/new.png"
    report = run(shop, settings, watched)
    assert (watched.images, report.updated) == (0, 1)
    hit = retrieval.open(settings.index).search("P-000", mode="lexical")[0]
    assert Path(hit.image or "").name == "new.png"


def test_the_order_of_photos_is_kept(shop: Shop, settings: Settings, watched: Watched) -> None:
    shop.rows["P-000"]["image"] = "images/P-003.png|images/P-000.png"
    run(shop, settings, watched)
    hit = retrieval.open(settings.index).search("P-000", mode="lexical")[0]
    assert [Path(path).name for path in hit.images] == ["P-003.png", "P-000.png"]
    shop.rows["P-000"]["image"] = "images/P-000.png|images/P-003.png"
    run(shop, settings, watched)
    hit = retrieval.open(settings.index).search("P-000", mode="lexical")[0]
    assert [Path(path).name for path in hit.images] == ["P-000.png", "P-003.png"]


def test_a_failing_encoder_loses_nothing_done_before(
    make_shop: Callable[..., Shop], settings: Settings, watched: Watched
) -> None:
    shop = make_shop(30)
    calls = 0

    def fail_at_the_third() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise MemoryError("no memory left")

    watched.before = fail_at_the_third
    with pytest.raises(MemoryError):
        run(shop, settings, watched)
    done = watched.images
    assert done == 2 * settings.batch_size
    watched.before = lambda: None
    report = run(shop, settings, watched)
    assert watched.images == 30, "what was committed is not embedded again"
    assert report.products == 30


def test_ctrl_c_stops_at_once_and_the_next_run_goes_on(
    make_shop: Callable[..., Shop], settings: Settings, watched: Watched
) -> None:
    shop = make_shop(30)
    watched.before = lambda: (_ for _ in ()).throw(KeyboardInterrupt) if watched.images else None
    with pytest.raises(KeyboardInterrupt):
        run(shop, settings, watched)
    assert threading.active_count() < 5, "no thread is left decoding"
    watched.before = lambda: None
    assert run(shop, settings, watched).products == 30
    assert watched.images == 30


def test_the_second_indexer_says_who_holds_the_lock(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    with writing(settings.index), pytest.raises(IndexLocked) as caught:
        run(shop, settings, watched)
    assert f"process {os.getpid()}" in str(caught.value)
    run(shop, settings, watched)


def test_a_writer_can_wait_for_another(settings: Settings) -> None:
    entered = threading.Event()

    def hold() -> None:
        with writing(settings.index):
            entered.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    with writing(settings.index, timeout=20):
        pass
    thread.join()


def test_decoding_stays_a_bounded_way_ahead(
    make_shop: Callable[..., Shop], tiny_encoder: Encoder, tmp_path: Path
) -> None:
    """100,000 rows must never sit in memory as decoded photos."""
    shop = make_shop(80)
    settings = load_settings(index=tmp_path / "index", batch_size=2, decode_workers=2)
    watched = Watched(tiny_encoder)
    prepared: list[int] = []
    ahead: list[int] = []
    prepare = tiny_encoder.prepare

    class Counting(Watched):
        def prepare(self, pixels: Image.Image) -> Any:
            prepared.append(1)
            return prepare(pixels)

    watched = Counting(tiny_encoder)
    watched.before = lambda: ahead.append(len(prepared) - watched.images)
    run(shop, settings, watched)
    assert len(prepared) == 80
    assert max(ahead) <= 2 * 2 + 2 + 2 + 2, "queued, at work, in the batch"


def test_a_preview_says_what_a_run_does_and_writes_nothing(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    indexer = Indexer(settings, Quiet())
    before = indexer.preview(open_source(shop.path, settings))
    assert (before.added, before.images, before.texts) == (20, 20, 60)
    assert not settings.index.exists()
    run(shop, settings, watched)
    shop.rows["P-000"]["title"] = "Changed"
    shop.rows["P-001"]["image"] = "images/none.png"
    del shop.rows["P-002"]
    state = {path: path.stat().st_mtime_ns for path in settings.index.rglob("generations/**/*")}
    preview = indexer.preview(open_source(shop.write(), settings), prune=True)
    assert state == {p: p.stat().st_mtime_ns for p in settings.index.rglob("generations/**/*")}
    report = run(shop, settings, watched, prune=True)
    for name in ("added", "updated", "unchanged", "removed", "rejected"):
        assert getattr(preview, name) == getattr(report, name), name
    assert (report.updated, report.removed, report.rejected) == (2, 1, 1)


def test_photos_are_found_under_the_spellings_other_systems_leave(tmp_path: Path) -> None:
    names = ["Grün/é.png", "a b/c.png"]
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    for said, name in [
        ("Gru\u0308n\\e\u0301.png", names[0]),
        ("a%20b/c.png", names[1]),
        ("a b\\c.png", names[1]),
    ]:
        assert find_image(tmp_path, said).samefile(tmp_path / name)
    assert find_image(tmp_path, "none.png") == tmp_path / "none.png"


def test_products_of_words_alone_are_found(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    shop.rows["P-000"]["image"] = ""
    report = run(shop, settings, watched)
    assert (report.rejected, report.images) == (0, 19)
    hits = retrieval.open(settings.index).search(shop.rows["P-000"]["description"])
    hit = next(hit for hit in hits if hit.id == "P-000")
    assert hit.image is None and hit.matched.kind in ("text", "words")


@pytest.mark.parametrize("broken", ["P-001,a,b,c,d,e,f,g,h,i,j,k", 'P-001,"never closed'])
def test_prune_keeps_a_product_whose_row_is_torn(
    shop: Shop, settings: Settings, watched: Watched, broken: str
) -> None:
    run(shop, settings, watched)
    lines = shop.path.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("P-001"))
    lines[place] = broken
    del lines[place + 1]
    shop.path.write_text("\n".join(lines) + "\n")
    source = open_source(shop.path, settings)
    report = Indexer(settings, Quiet()).run(source, watched, prune=True)  # type: ignore[arg-type]
    assert (report.removed, report.products) == (1, 19)


def test_where_it_is_not_known_whose_a_broken_row_is_nothing_is_pruned(
    tmp_path: Path, settings: Settings, watched: Watched
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "title": "Mug"}\n{"id": "2", "title": "Cup"}\n')
    indexer = Indexer(settings, Quiet())
    indexer.run(open_source(path, settings), watched)  # type: ignore[arg-type]
    path.write_text('{"id": "1", "title": "Mug"}\n{"id": "2", "tit')
    report = indexer.run(open_source(path, settings), watched, prune=True)  # type: ignore[arg-type]
    assert (report.removed, report.products) == (0, 2)
    assert report.rejects[-1].field == "--prune"


def test_vectors_that_nothing_uses_are_dropped(
    shop: Shop, settings: Settings, watched: Watched
) -> None:
    run(shop, settings, watched)
    for key in shop.rows:
        shop.rows[key]["description"] += " Now better."
    run(shop, settings, watched)
    with sqlite3.connect(settings.index / "catalog.db") as connection:
        stored = connection.execute("SELECT count(*) FROM vector").fetchone()[0]
        used = connection.execute(
            "SELECT count(*) FROM vector WHERE content_hash IN "
            "(SELECT content_hash FROM image UNION SELECT content_hash FROM text)"
        ).fetchone()[0]
    connection.close()
    assert stored == used
