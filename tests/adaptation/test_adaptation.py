"""An adapter is adopted only where held-out products gain, and can always be taken back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrieval
from retrieval.adaptation import adapt, fitting, remove
from retrieval.adaptation.pairs import Pairs, folds, make_pairs, why_unfit
from retrieval.common.adapter import Adapter
from retrieval.common.progress import Quiet
from retrieval.encoders import Encoder, normalise
from retrieval.encoders.adapter import AdaptedEncoder
from retrieval.errors import IndexDamaged, IndexMismatch
from retrieval.evaluation import intervals
from retrieval.indexing.maintenance import rebuild, rollback, verify
from retrieval.settings import load_settings
from retrieval.storage import open_storage
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from tests.support.commands import answer, run
from tests.support.pairs import DIM, pairs_of, wide_pairs, with_vectors
from tests.support.shop import SAMPLES, Shop


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    chance = np.random.default_rng(5)
    sides = ("images", "texts")
    return Adapter(
        {side: (0.3 * chance.normal(size=(64, 64))).astype(np.float32) for side in sides},  # type: ignore[misc]
        {side: np.zeros(64, dtype=np.float32) for side in sides},  # type: ignore[misc]
    )


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the steps and of the draws: enough to gain, where how much is not asked."""
    monkeypatch.setattr(fitting, "STEPS", 60)
    # Its default was taken from STEPS when it was defined.
    monkeypatch.setattr(fitting, "by_contrast", partial(fitting.by_contrast, steps=60))
    monkeypatch.setattr(intervals, "RESAMPLES", 200)
    monkeypatch.setattr(intervals, "FLIPS", 2_000)


def adopt(index: Path, adapter: Adapter) -> int:
    """Adopts an adapter as `adapt` does when its judgement is good."""
    with open_storage(index, load_settings(index=index)).writing() as catalog:
        encoder = catalog.active_encoder()
        assert encoder is not None
        catalog.set_adapter(encoder.fingerprint, adapter)
    return rebuild(load_settings(index=index), Quiet()).generation


def judged(pairs: Pairs, index: Path, **options: Any) -> Any:
    by = retrieval.open(index).generation.manifest.fingerprint
    pairs = replace(pairs, fingerprint=by)
    return adapt(load_settings(index=index), Quiet(), pairs=pairs, dry_run=True, **options)


@pytest.mark.parametrize("fit", ["contrast", "closed"])
def test_both_ways_of_fitting_find_products_never_seen(fit: str) -> None:
    from retrieval.evaluation.metrics import measure_vectors

    pairs = pairs_of(400)
    seen = np.arange(400) < 300
    if fit == "closed":
        made = fitting.closed_form(pairs, seen)
    else:
        made = fitting.by_contrast(pairs, seen, steps=60).adapter
    own = [np.array([i]) for i in np.flatnonzero(~seen)]

    def recall(photos: Any, texts: Any) -> float:
        return float(measure_vectors(texts[~seen], photos, own).by_query["R@10"].mean())

    before = recall(pairs.photos, pairs.texts)
    after = recall(made.apply("images", pairs.photos), made.apply("texts", pairs.texts))
    assert after > before + 0.1


def test_a_gain_is_measured_on_held_out_products_and_reported(index: Path) -> None:
    report = judged(pairs_of(), index)
    assert report.held_out == 300 and report.method in ("contrastive", "closed form")
    gain = report.difference["text_to_image"]["R@10"]
    assert gain["low"] > 0 and "held-out products are found better" in report.reason
    assert report.after["text_to_image"]["R@10"] > report.before["text_to_image"]["R@10"]
    assert set(report.candidates) == {"contrastive", "closed form"}
    assert not report.adopted and "dry run" in report.reason


@pytest.mark.usefixtures("few_steps")
def test_what_cannot_be_learnt_is_not_adopted(index: Path) -> None:
    """Texts that say nothing of their photos: an adapter can only learn them by heart."""
    pairs = pairs_of(200)
    shuffled = pairs.texts[np.random.default_rng(1).permutation(200)]
    report = judged(with_vectors(pairs, texts=shuffled), index)
    assert report.reason.startswith("not adapted") and not report.adopted
    assert retrieval.open(index).generation.manifest.generation == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda _: pairs_of(20), "20 products have a photo and a text; at least 100"),
        (lambda p: with_vectors(p, texts=p.texts[[0] * 300]), "titles are only 1 different"),
        (lambda p: with_vectors(p, photos=p.photos[[0] * 300]), "photos are only 1 different"),
        (lambda p: with_vectors(p, photos=p.photos[np.arange(300) % 50]), "only 50 different"),
        (lambda _: pairs_of(300, categories=1), "all products are of one category"),
        (
            lambda p: with_vectors(p, photos=normalise(p.photos[[0] * 300] + 0.001 * p.photos)),
            "near copies of one another",
        ),
    ],
)
def test_bad_data_is_declined_and_it_says_why(index: Path, broken: Any, said: str) -> None:
    report = judged(broken(pairs_of()), index)
    assert said in report.reason and report.reason.startswith("not adapted")
    assert report.before == {} and not report.adopted


@pytest.mark.usefixtures("few_steps")
def test_one_category_may_be_forced_but_must_still_gain(index: Path) -> None:
    assert "found better" in judged(pairs_of(categories=1), index, force=True).reason
    assert "20 products" in judged(pairs_of(20), index, force=True).reason


def test_near_copies_are_never_on_both_sides_of_a_split() -> None:
    pairs = pairs_of(200)
    photos = pairs.photos.copy()
    photos[100:] = normalise(photos[:100] + 0.02 * np.random.default_rng(0).normal(size=(100, DIM)))
    split = folds(with_vectors(pairs, photos=photos), 5)
    assert np.array_equal(split[:100], split[100:])
    sizes = np.bincount(split)
    assert len(sizes) == 5 and sizes.max() - sizes.min() <= 4
    assert why_unfit(with_vectors(pairs, photos=photos)) is None


def test_a_product_without_title_is_asked_for_by_its_first_text() -> None:
    vectors = normalise(np.random.default_rng(0).normal(size=(4, DIM)))
    products = np.array([0, 0, 1, 1])
    titles = np.array([True, False, False, False])
    pairs = make_pairs(vectors, vectors, products, products, titles, np.array(["a"] * 4), "m")
    assert pairs.asks.tolist() == [True, False, True, False]


def test_twenty_products_are_declined_by_the_command_and_nothing_changes(index: Path) -> None:
    before = (index / "CURRENT").read_bytes(), sorted((index / "generations").iterdir())
    made = answer(run("adapt", "--index", index, "--json"))
    assert made["adopted"] is False and "at least 100" in made["reason"]
    assert {"before", "after", "held_out", "seconds", "adopted"} <= set(made)
    assert ((index / "CURRENT").read_bytes(), sorted((index / "generations").iterdir())) == before
    assert "not adapted: 20 products" in run("adapt", "--index", index).stdout


def test_queries_go_through_the_adapter_that_made_the_generation(
    index: Path, shop: Shop, adapter: Adapter, tiny_encoder: Encoder
) -> None:
    opened = retrieval.open(index)
    plain = opened.search(text="Red mug", mode="vector", scope="images")
    number = adopt(index, adapter)
    adapted = opened.search(text="Red mug", mode="vector", scope="images")
    assert adapted.generation == number and opened.generation.manifest.adapter
    assert [hit.score for hit in adapted] != [hit.score for hit in plain]
    photo = shop.folder / "images/P-004.png"
    assert opened.search(image=photo)[0].id == "P-004"
    assert opened.search(image=photo)[0].score == pytest.approx(1, abs=2e-3)
    expected = AdaptedEncoder(tiny_encoder, adapter)
    assert opened.warm().fingerprint == expected.fingerprint
    assert expected.fingerprint != tiny_encoder.fingerprint
    query = expected.encode_texts(["Red mug"])[0]
    best = opened.generation.nearest("images", query, 1).scores[0]
    assert adapted[0].score == pytest.approx(best, abs=1e-5)


def test_rollback_takes_the_adapter_back_and_rebuild_brings_it_again(
    index: Path, adapter: Adapter
) -> None:
    opened = retrieval.open(index)
    plain = [hit.score for hit in opened.search(text="box", mode="vector")]
    adopt(index, adapter)
    changed = [hit.score for hit in opened.search(text="box", mode="vector")]
    rollback(load_settings(index=index))
    assert [hit.score for hit in opened.search(text="box", mode="vector")] == plain
    rebuild(load_settings(index=index), Quiet())
    assert [hit.score for hit in opened.search(text="box", mode="vector")] == changed
    assert remove(load_settings(index=index), Quiet()) is not None
    assert [hit.score for hit in opened.search(text="box", mode="vector")] == plain
    assert remove(load_settings(index=index), Quiet()) is None
    assert "no adapter" in run("adapt", "--remove", "--index", index).stdout


def test_products_that_come_later_are_adapted_too_and_old_ones_not_embedded_again(
    index: Path, shop: Shop, adapter: Adapter
) -> None:
    adopt(index, adapter)
    shop.add("NEW-1", "plate", "purple")
    report = retrieval.build(shop.write(), index)
    assert report.added == 1 and report.embedded == 2
    opened = retrieval.open(index)
    assert opened.generation.manifest.adapter
    found = opened.search(image=shop.folder / "images/NEW-1.png")[0]
    assert found.id == "NEW-1" and found.score == pytest.approx(1, abs=2e-3)


def test_an_adapted_index_verifies_and_damage_to_it_is_found(index: Path, adapter: Adapter) -> None:
    settings = load_settings(index=index)
    number = adopt(index, adapter)
    assert verify(settings, Quiet()).ok
    file = index / "generations" / str(number) / "adapter.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    found = verify(settings, Quiet())
    assert any("adapter.safetensors" in problem.text for problem in found.problems)
    assert verify(settings, Quiet(), repair=True).ok


def test_a_generation_by_another_adapter_than_the_catalogs_is_found(
    index: Path, adapter: Adapter
) -> None:
    settings = load_settings(index=index)
    adopt(index, adapter)
    engine = open_catalog(index / CATALOG_FILE)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE adapter SET data = zeroblob(10)")
    engine.dispose()
    found = verify(settings, Quiet())
    assert any("adapt" in problem.text for problem in found.problems)


def test_bytes_that_are_no_adapter_are_refused(adapter: Adapter) -> None:
    assert Adapter.from_bytes(adapter.to_bytes()).to_bytes() == adapter.to_bytes()
    with pytest.raises(IndexDamaged, match="retrieval adapt"):
        Adapter.from_bytes(b"nonsense")


def test_another_model_drops_the_adapter_that_was_not_made_for_it(
    index: Path, shop: Shop, adapter: Adapter, other_model: str
) -> None:
    adopt(index, adapter)
    retrieval.build(shop.path, index, model=other_model)
    opened = retrieval.open(index)
    assert not opened.generation.manifest.adapter
    assert opened.search(image=shop.folder / "images/P-004.png")[0].id == "P-004"


def test_a_catalog_of_another_model_is_no_measure_of_what_is_lost(
    index: Path, make_shop: Any, tmp_path: Path, other_model: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    retrieval.build(make_shop(name="other").path, elsewhere, model=other_model)
    with pytest.raises(IndexMismatch, match="index it with the same model"):
        adapt(load_settings(index=index), Quiet(), elsewhere=[elsewhere])


def test_pairs_of_another_model_are_refused(index: Path) -> None:
    with pytest.raises(IndexMismatch, match="another model"):
        adapt(load_settings(index=index), Quiet(), pairs=pairs_of())


def test_chains_of_near_copies_stay_together() -> None:
    """A chain whose ends are unlike: each link is near, and all must be split alike."""
    angles = np.linspace(0, np.pi / 2, 150)
    chain = np.zeros((150, DIM), dtype=np.float32)
    chain[:, 0], chain[:, 1] = np.cos(angles), np.sin(angles)
    texts = normalise(np.random.default_rng(0).normal(size=(150, DIM)))
    every = np.arange(150)
    asks = np.ones(150, dtype=np.bool_)
    made = make_pairs(chain, texts, every, every, asks, np.array(["a"] * 150), "m")
    assert len(np.unique(made.groups)) == 1


@pytest.mark.usefixtures("few_steps")
def test_unknown_categories_are_no_category(index: Path) -> None:
    pairs = pairs_of(300)
    blank = np.where(np.arange(300) < 285, "", pairs.categories)
    report = judged(replace(pairs, categories=blank), index)
    assert report.before["same category@5"] < 0.5
    one = np.where(np.arange(300) < 20, "", "c1")
    assert "one category" in judged(replace(pairs, categories=one), index).reason


def test_an_index_without_photos_is_declined(tmp_path: Path, tiny_model: str) -> None:
    table = tmp_path / "words.csv"
    table.write_text("id,title\n" + "".join(f"{i},thing {i}\n" for i in range(120)))
    retrieval.build(table, tmp_path / "i", model=tiny_model)
    made = answer(run("adapt", "--index", tmp_path / "i", "--json"))
    assert "0 products have a photo and a text" in made["reason"]


@pytest.mark.usefixtures("few_steps")
def test_an_adapter_whose_publishing_failed_does_not_come_later(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("no space left")

    settings = load_settings(index=index)
    by = retrieval.open(index).generation.manifest.fingerprint
    pairs = replace(wide_pairs(), fingerprint=by)
    with monkeypatch.context() as broken:
        broken.setattr("retrieval.adaptation.adapting.publish", fail)
        with pytest.raises(OSError, match="no space"):
            adapt(settings, Quiet(), pairs=pairs)
    rebuild(settings, Quiet())
    assert not retrieval.open(index).generation.manifest.adapter
    made = adapt(settings, Quiet(), pairs=pairs)
    assert made.adopted and retrieval.open(index).generation.manifest.adapter
    again = adapt(settings, Quiet(), pairs=pairs, dry_run=True)
    assert "the index keeps the adapter that it has" in again.reason


def test_an_adapter_that_is_live_though_not_in_the_catalog_can_be_removed(
    index: Path, adapter: Adapter
) -> None:
    settings = load_settings(index=index)
    number = adopt(index, adapter)
    remove(settings, Quiet())
    rollback(settings, number)
    assert retrieval.open(index).generation.manifest.adapter
    assert remove(settings, Quiet()) is not None
    assert not retrieval.open(index).generation.manifest.adapter


def test_pairs_of_a_file_may_be_learnt_from(index: Path, shop: Shop) -> None:
    lines = [f"images/{key}.png,{row['title']} {key}" for key, row in shop.rows.items()]
    file = shop.folder / "pairs.csv"
    file.write_text("\n".join(["image,text", *lines]))
    made = answer(run("adapt", file, "--index", index, "--json"))
    assert made["products"] == 20 and "at least 100" in made["reason"]
    file.write_text("\n".join(["image,text", *lines, "images/gone.png,a gone thing"]))
    partly = run("adapt", file, "--index", index, "--json")
    assert answer(partly, 3)["products"] == 20
    assert "row 22, image 'images/gone.png': no such file" in partly.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_the_samples_gain_on_held_out_products_and_lose_nothing_when_taken_back(
    samples_index: Path, tmp_path: Path
) -> None:
    """The whole of it: stored vectors, five folds, judgement, publication, search, rollback."""
    index = tmp_path / "index"
    shutil.copytree(samples_index, index)
    made = answer(run("adapt", "--index", index, "--elsewhere", samples_index, "--json"), 0)
    assert made["adopted"] and made["held_out"] == 529 and made["generation"] == 2
    assert made["difference"]["text_to_image"]["R@10"]["low"] > 0
    assert made["difference"]["neighbours"]["same category@5"]["high"] >= 0
    assert str(samples_index) in made["elsewhere"]
    opened = retrieval.open(index)
    photo = SAMPLES / opened.search(text="chair", where={"category": "Chairs"})[0].images[0]
    photo = SAMPLES / "images" / photo.name
    assert opened.search(image=photo)[0].category == "Chairs"
    shown = answer(run("evaluate", "--index", index, "--compare", "starter", "--json"))
    assert shown["adapted"] and not shown["compare"][0]["adapted"]
    assert any("held out" in warning for warning in shown["warnings"])
    assert shown["compare"][0]["throughput"]["images_per_second"] is None
    listed = answer(run("rollback", "--index", index, "--json"))
    assert listed["current"] == 1
    assert [row["adapted"] for row in listed["generations"]] == [False, True]
