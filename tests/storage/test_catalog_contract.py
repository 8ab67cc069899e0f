"""What any engine's catalog keeps: primary keys for ever, batches whole, vectors as they were."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retrieval.common.adapter import Adapter
from retrieval.common.products import ProductRecord
from retrieval.common.progress import Quiet
from retrieval.common.text import text_hash
from retrieval.common.vectors import Vectors
from retrieval.errors import CatalogError, IndexMissing
from retrieval.storage.base import Catalog, Generation
from retrieval.storage.entities import MODALITIES, EncoderInfo, Modality
from tests.support.storage import (
    DIM,
    ENCODER,
    MadeUp,
    changes_of,
    drawn,
    make_live,
    photo_hash,
    write,
)

OTHER = EncoderInfo("e" * 16, "another", 8, {"preprocess": {"fit": "crop", "size": 32}})
FP = ENCODER.fingerprint


@pytest.fixture
def catalog(make_storage: Callable[..., Any]) -> Iterator[Catalog]:
    with make_storage().writing(create=True) as catalog:
        yield catalog


def chair(key: str = "chair", **changes: Any) -> MadeUp:
    made = MadeUp(
        key,
        f"Chair {key}",
        "Of oak",
        "Chairs",
        "Acme",
        10.0,
        {"colour": "red", "finish": "oiled"},
        photos={f"{key}-1.jpg": None, f"{key}-2.jpg": None},
    )
    return replace(made, **changes)


def rows(catalog: Catalog, modality: Modality, **options: Any) -> dict[int, tuple[int, Any]]:
    """Primary key -> product and vector."""
    return {
        row: (product, vector)
        for part in catalog.rows(modality, FP, **options)
        for row, product, vector in zip(
            part.ids.tolist(), part.products.tolist(), part.vectors, strict=True
        )
    }


def state(catalog: Catalog) -> Any:
    """All that can be told of a catalog without knowing what is in it."""
    every = catalog.products_with(())
    return (
        catalog.revision(),
        catalog.counts(),
        list(catalog.records(every)),
        [(*one, tuple(v)) for m in MODALITIES for one, v in sorted_rows(catalog, m)],
        catalog.active_encoder(),
    )


def sorted_rows(catalog: Catalog, modality: Modality) -> list[tuple[tuple[int, int], list[float]]]:
    return [((row, p), v.tolist()) for row, (p, v) in rows(catalog, modality).items()]


def fails(action: Callable[[], object]) -> bool:
    """Whether it raises; each engine has errors of its own for what must not happen."""
    try:
        action()
    except Exception:
        return True
    return False


def card(catalog: Catalog, key: str) -> Any:
    """The card of a product as the next generation would show it."""
    with catalog.draft(Quiet()) as draft:
        return draft.cards(draft.product_ids([key]).tolist()).popitem()[1]


# Primary keys


def test_what_shows_or_says_the_same_keeps_its_primary_key(catalog: Catalog) -> None:
    write(catalog, [chair("other"), chair()])
    before = card(catalog, "chair")
    changed = chair(
        description="Of ash",
        category="Stools",
        price=None,
        photos={"new.jpg": None, "chair-2.jpg": None, "chair-1.jpg": None},
    )
    write(catalog, [changed])
    after = card(catalog, "chair")
    assert after.id == before.id
    assert (after.description, after.category, after.price) == ("Of ash", "Stools", None)
    kept = {image.content_hash: image.id for image in before.images}
    assert [image.path for image in after.images] == ["new.jpg", "chair-2.jpg", "chair-1.jpg"]
    assert [kept.get(image.content_hash) for image in after.images] == [
        None, before.images[1].id, before.images[0].id,
    ]  # fmt: skip
    texts = {(text.field, text.content): text.id for text in after.texts}
    for text in before.texts:
        if (text.field, text.content) in texts:
            assert texts[text.field, text.content] == text.id
    assert [text.id for text in after.texts if text.field == "title"] == [before.texts[0].id]
    assert [text.id for text in after.texts if text.content == "Of ash"] != [before.texts[1].id]


def test_a_photo_that_moved_to_another_path_keeps_its_primary_key(catalog: Catalog) -> None:
    write(catalog, [chair()])
    before = card(catalog, "chair")
    changes, vectors = changes_of(catalog, [chair()])
    moved = tuple(replace(image, path=f"moved/{image.path}") for image in changes[0].images)
    catalog.write([replace(changes[0], images=moved)], vectors, FP)
    after = card(catalog, "chair")
    assert [image.id for image in after.images] == [image.id for image in before.images]
    assert [image.path for image in after.images] == ["moved/chair-1.jpg", "moved/chair-2.jpg"]


def test_the_same_photo_twice_is_two_rows_that_stay(catalog: Catalog) -> None:
    write(catalog, [chair()])
    changes, vectors = changes_of(catalog, [chair()])
    one = changes[0].images[0]
    twice = replace(changes[0], images=(one, replace(one, path="copy.jpg")))
    catalog.write([twice], vectors, FP)
    before = card(catalog, "chair")
    assert len({image.id for image in before.images}) == 2
    again = replace(twice, stored=catalog.stored(["chair"], FP)["chair"])
    catalog.write([again], {}, FP)
    assert {image.id for image in card(catalog, "chair").images} == {
        image.id for image in before.images
    }
    assert set(rows(catalog, "images")) == {image.id for image in before.images}


def test_a_primary_key_is_never_given_twice(catalog: Catalog) -> None:
    given: dict[str, set[int]] = {name: set() for name in ("products", *MODALITIES)}

    def take(name: str, numbers: set[int]) -> None:
        assert not given[name] & numbers
        given[name] |= numbers

    for number in range(4):
        products = [chair("chair"), chair(f"chair {number}")]
        write(catalog, products)
        take("products", set(catalog.products_with(()).tolist()))
        for modality in MODALITIES:
            take(modality, set(rows(catalog, modality)))
        if number % 2:
            catalog.remove([product.key for product in products])
        else:
            assert catalog.remove_except(set()) == 2
        assert catalog.counts() == {"products": 0, "images": 0, "texts": 0}


# Batches


def test_a_batch_that_fails_leaves_nothing_of_it(catalog: Catalog) -> None:
    write(catalog, [chair("old")])
    before = state(catalog)
    batch = [chair("new"), chair("old", title="Renamed", photos={}), chair("twin"), chair("twin")]
    changes, vectors = changes_of(catalog, batch)
    known = catalog.known_vectors(vectors, FP)
    assert fails(lambda: catalog.write(changes, vectors, FP)), "two products of one id"
    assert state(catalog) == before
    assert catalog.stored(["new", "twin"], FP) == {}
    assert catalog.known_vectors(vectors, FP) == known < vectors.keys()
    write(catalog, batch[:3])
    assert catalog.counts()["products"] == 3


def text_hashes(*products: MadeUp) -> list[str]:
    return [text_hash(content) for product in products for _, content in product.record.texts]


def test_an_id_is_given_to_one_product_only(catalog: Catalog) -> None:
    write(catalog, [chair()])
    before = state(catalog)
    changes, vectors = changes_of(catalog, [chair(title="As if it were new")])
    assert fails(lambda: catalog.write([replace(changes[0], stored=None)], vectors, FP))
    assert state(catalog) == before


def test_a_batch_of_thousands_is_one_batch(catalog: Catalog) -> None:
    products = [MadeUp(f"P{number}", f"Title {number % 7}") for number in range(2_500)]
    write(catalog, products)
    assert catalog.counts() == {"products": 2_500, "images": 0, "texts": 2_500}
    ids = [product.key for product in products]
    stored = catalog.stored([*ids, "nobody"], FP)
    assert list(stored) == ids or set(stored) == set(ids)
    assert len(catalog.stored(ids, None)) == 2_500
    catalog.remove(ids[:1_200])
    assert catalog.remove_except(set(ids[:2_400])) == 100
    assert catalog.counts()["products"] == 1_200


def test_writing_nothing_changes_nothing(catalog: Catalog) -> None:
    write(catalog, [chair()])
    before = state(catalog)
    catalog.write([], {}, FP)
    catalog.remove([])
    catalog.remove(["nobody"])
    assert catalog.remove_except({"chair", "nobody"}) == 0
    assert state(catalog) == before


def test_who_reads_beside_a_writer_sees_whole_batches(make_storage: Any) -> None:
    writer, reader = make_storage(), make_storage()
    make_live(writer, [chair("0"), chair("1")])
    done, seen = threading.Event(), []

    def watch() -> None:
        with reader.reading() as catalog:
            while True:
                last = done.is_set()
                counts = catalog.counts()
                seen.append((counts["products"], counts["images"], counts["texts"]))
                if last:
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with writer.writing() as catalog:
            for number in range(2, 30, 2):
                write(catalog, [chair(str(number)), chair(str(number + 1))])
            for number in range(0, 20, 2):
                catalog.remove([str(number), str(number + 1)])
    finally:
        done.set()
        thread.join()
    assert seen[-1][0] == 10
    assert all(
        images == texts - products == 2 * products and products % 2 == 0
        for products, images, texts in seen
    )


def test_what_was_written_is_read_at_once_by_others(make_storage: Any) -> None:
    writer, reader = make_storage(), make_storage()
    make_live(writer, [chair("first")])
    with writer.writing() as catalog, reader.reading() as beside:
        assert beside.counts()["products"] == 1
        write(catalog, [chair()])
        assert beside.counts()["products"] == 2
        assert list(beside.stored(["chair"], FP)) == ["chair"]
        assert beside.revision() == catalog.revision()


# What is stored


def test_what_is_stored_of_a_product_is_told(catalog: Catalog) -> None:
    catalog.register_encoder(OTHER)
    write(catalog, [chair(), MadeUp("bare", photos={"b.jpg": None})])
    stored = catalog.stored(["chair", "nobody", "bare"], FP)
    assert set(stored) == {"chair", "bare"}
    one = stored["chair"]
    assert one.row_hash == chair().record.row_hash
    assert [image.path for image in one.images] == ["chair-1.jpg", "chair-2.jpg"]
    assert [image.content_hash for image in one.images] == [
        photo_hash("chair-1.jpg"), photo_hash("chair-2.jpg"),
    ]  # fmt: skip
    assert sorted(one.text_hashes) == sorted(text_hashes(chair()))
    assert stored["bare"].text_hashes == ()
    image = one.images[0]
    assert (image.size, image.mtime_ns, image.width, image.height) == (1, 1, 64, 64)
    assert image.file_hash == photo_hash("chair-1.jpg")


def test_whether_there_are_vectors_is_told_for_each_encoder(catalog: Catalog) -> None:
    write(catalog, [chair()])
    catalog.register_encoder(OTHER)
    for fingerprint, has in (
        (FP, True),
        (OTHER.fingerprint, False),
        ("0" * 16, False),
        (None, False),
    ):
        one = catalog.stored(["chair"], fingerprint)["chair"]
        assert [image.has_vector for image in one.images] == [has, has]
        assert one.texts_have_vectors == has
    catalog.write([], {photo_hash("chair-2.jpg"): drawn("x", OTHER.dim)}, OTHER.fingerprint)
    one = catalog.stored(["chair"], OTHER.fingerprint)["chair"]
    assert [image.has_vector for image in one.images] == [False, True]
    titles = {text: drawn(text, OTHER.dim) for text in text_hashes(chair())}
    catalog.write([], titles, OTHER.fingerprint)
    assert catalog.stored(["chair"], OTHER.fingerprint)["chair"].texts_have_vectors


def test_vectors_come_back_as_halves(catalog: Catalog) -> None:
    catalog.register_encoder(ENCODER)
    made = {f"{number:064d}": drawn(str(number)) for number in range(1_500)}
    catalog.write([], made, FP)
    found = catalog.vectors([*made, "nobody's"], FP)
    assert found.keys() == made.keys()
    for key, vector in made.items():
        assert found[key].dtype == np.float32
        assert np.array_equal(found[key], vector.astype(np.float16).astype(np.float32))
    assert catalog.vectors(["nobody's"], FP) == {}
    assert catalog.vectors([], FP) == {}
    assert catalog.vectors(made, "0" * 16) == {}


def test_vectors_are_known_by_content_and_encoder(catalog: Catalog) -> None:
    catalog.register_encoder(ENCODER)
    catalog.register_encoder(OTHER)
    catalog.write([], {"a": drawn("a"), "b": drawn("b")}, FP)
    catalog.write([], {"b": drawn("b", OTHER.dim)}, OTHER.fingerprint)
    assert catalog.known_vectors(["a", "b", "c", "a"], FP) == {"a", "b"}
    assert catalog.known_vectors(iter(["a", "b", "c"]), OTHER.fingerprint) == {"b"}
    assert catalog.known_vectors(["a"], "0" * 16) == set()
    assert catalog.known_vectors([], FP) == set()
    assert catalog.vectors(["b"], OTHER.fingerprint)["b"].shape == (OTHER.dim,)


def test_a_vector_that_is_there_may_be_written_again(catalog: Catalog) -> None:
    write(catalog, [chair()])
    before = rows(catalog, "images")
    changes, vectors = changes_of(catalog, [chair("second", photos=chair().photos)])
    catalog.write(changes, vectors, FP)
    after = rows(catalog, "images")
    assert len(after) == 4
    for row, (_, vector) in before.items():
        assert np.array_equal(after[row][1], vector)


def test_products_that_lack_a_vector_are_found(catalog: Catalog) -> None:
    catalog.register_encoder(ENCODER)
    catalog.register_encoder(OTHER)
    products = [chair(), MadeUp("words", "Words"), MadeUp("bare"), MadeUp("p", photos={"p": None})]
    changes, vectors = changes_of(catalog, products)
    catalog.write(changes, {}, FP)
    numbers = {key: one.id for key, one in catalog.stored([p.key for p in products], FP).items()}
    lacking = sorted(number for key, number in numbers.items() if key != "bare")
    found = catalog.incomplete(FP)
    assert found.dtype == np.int64
    assert found.tolist() == lacking
    del vectors[photo_hash("chair-2.jpg")]
    catalog.write([], vectors, FP)
    assert catalog.incomplete(FP).tolist() == [numbers["chair"]]
    catalog.write([], {photo_hash("chair-2.jpg"): drawn("x")}, FP)
    assert catalog.incomplete(FP).tolist() == []
    assert catalog.incomplete(OTHER.fingerprint).tolist() == lacking


def test_products_come_back_as_the_records_that_they_were(catalog: Catalog) -> None:
    attributes = {"colour": "Red", "sizes": ["S", "M"], "new": True, "weight": 7.5, "n": 4}
    products = [
        chair(attributes=attributes),
        MadeUp("bare", photos={"b.jpg": None}),
        MadeUp("ä 🪑", "Größer, »schöner«", "zwei\nZeilen", price=0.0),
    ]
    write(catalog, products)
    every = catalog.products_with(())
    records = {record.key: record for record in catalog.records(every)}
    assert len(records) == 3
    for product in products:
        told, given = records[product.key], product.record
        assert comparable(told) == comparable(given)
        assert told.texts == given.texts
        assert told.images == given.images
        assert told.row_hash == given.row_hash
    some = catalog.records(np.array([every[1], 10**15], dtype=np.int64))
    assert [record.key for record in some] == ["bare"]
    assert list(catalog.records(every[:0])) == []


def comparable(record: ProductRecord) -> Any:
    return replace(record, base=chair().record.base)


def test_products_with_rows_of_a_kind(catalog: Catalog) -> None:
    products = [chair(), MadeUp("words", "Words"), MadeUp("bare"), MadeUp("p", photos={"p": None})]
    write(catalog, products)
    numbers = [catalog.stored([p.key], FP)[p.key].id for p in products]
    both, words, _, photo = numbers
    assert catalog.products_with(()).tolist() == sorted(numbers)
    assert catalog.products_with(("images",)).tolist() == sorted([both, photo])
    assert catalog.products_with(("texts",)).tolist() == sorted([both, words])
    assert catalog.products_with(("images", "texts")).tolist() == [both]


def test_rows_are_told_by_primary_key_with_the_vectors_of_the_model(catalog: Catalog) -> None:
    write(catalog, [chair("b"), chair("a")])
    write(catalog, [chair("b", title="Renamed", photos={"b-3.jpg": None, "b-1.jpg": None})])
    catalog.set_adapter(FP, adapter())
    for modality in MODALITIES:
        parts = list(catalog.rows(modality, FP))
        ids = np.concatenate([part.ids for part in parts])
        assert np.array_equal(ids, np.unique(ids))
        assert all(part.vectors.dtype == np.float32 for part in parts)
        assert sum(map(len, parts)) == catalog.counts()[modality]
    vectors = {photo_hash(f"b-{n}.jpg"): drawn(f"b-{n}.jpg") for n in (1, 3)}
    product = catalog.stored(["b"], FP)["b"].id
    theirs = rows(catalog, "images", products=np.array([product, 10**15], dtype=np.int64))
    assert {p for p, _ in theirs.values()} == {product}
    assert sorted(v.tolist() for _, v in theirs.values()) == sorted(
        as_half(v).tolist() for v in vectors.values()
    )
    (part,) = catalog.rows("texts", FP, np.array([product], dtype=np.int64))
    assert sorted(part.fields) == ["attributes", "description", "title"]
    assert [p.fields for p in catalog.rows("images", FP)] == [()]
    nobody = np.array([10**15], dtype=np.int64)
    assert sum(map(len, catalog.rows("images", FP, nobody))) == 0
    assert sum(map(len, catalog.rows("images", FP, nobody[:0]))) == 0


def as_half(vector: Vectors) -> Vectors:
    return vector.astype(np.float16).astype(np.float32)


def test_rows_without_a_vector_are_left_out(catalog: Catalog) -> None:
    catalog.register_encoder(ENCODER)
    changes, vectors = changes_of(catalog, [chair()])
    missing = vectors.pop(photo_hash("chair-1.jpg"))
    catalog.write(changes, vectors, FP)
    assert len(rows(catalog, "images")) == 1
    catalog.write([], {photo_hash("chair-1.jpg"): missing}, FP)
    assert len(rows(catalog, "images")) == 2
    assert list(catalog.rows("images", "0" * 16)) == []


def test_products_are_removed_with_all_that_is_theirs(catalog: Catalog) -> None:
    write(catalog, [chair("a"), chair("b"), chair("c")])
    kept = rows(catalog, "images", products=catalog.products_with(())[1:2])
    catalog.remove(["a", "nobody", "c"])
    assert catalog.counts() == {"products": 1, "images": 2, "texts": 3}
    assert set(rows(catalog, "images")) == set(kept)
    assert catalog.stored(["a", "b", "c"], FP).keys() == {"b"}


def test_what_would_be_removed_is_counted_first(catalog: Catalog) -> None:
    write(catalog, [chair("a"), chair("b"), chair("c")])
    for keep, gone in (({"a", "b", "c", "d"}, 0), ({"b", "d"}, 2), ({"b"}, 0), (set(), 1)):
        revision = catalog.revision()
        assert catalog.count_except(keep) == gone
        assert catalog.revision() == revision
        assert catalog.remove_except(keep) == gone
        assert catalog.count_except(keep) == 0
        assert (catalog.revision() > revision) == (gone > 0)


def test_vectors_that_nothing_has_any_more_are_dropped(catalog: Catalog) -> None:
    catalog.register_encoder(OTHER)
    shared = {"shared.jpg": None}
    write(catalog, [MadeUp("a", "A", photos=shared), MadeUp("b", "B", photos=shared)])
    catalog.write([], {photo_hash("shared.jpg"): drawn("s", OTHER.dim)}, OTHER.fingerprint)
    assert catalog.drop_unused_vectors() == 0
    catalog.remove(["a"])
    assert catalog.drop_unused_vectors() == 1
    known = catalog.known_vectors([photo_hash("shared.jpg"), text_hash("A"), text_hash("B")], FP)
    assert known == {photo_hash("shared.jpg"), text_hash("B")}
    catalog.remove(["b"])
    assert catalog.drop_unused_vectors() == 3, "of each encoder"
    assert catalog.drop_unused_vectors() == 0


# Encoders, adapters, and what counts as a change


def test_an_encoder_is_active_from_when_it_is_made_so(catalog: Catalog) -> None:
    assert catalog.active_encoder() is None
    catalog.register_encoder(ENCODER)
    catalog.register_encoder(OTHER)
    assert catalog.active_encoder() is None
    catalog.activate_encoder(FP)
    assert catalog.active_encoder() == ENCODER
    catalog.activate_encoder(OTHER.fingerprint)
    assert catalog.active_encoder() == OTHER
    catalog.register_encoder(ENCODER)
    assert catalog.active_encoder() == OTHER
    assert OTHER.fit == "crop"


def test_an_encoder_whose_folder_moved_is_the_same(catalog: Catalog) -> None:
    write(catalog, [chair()])
    moved = replace(ENCODER, name="local-dir:elsewhere")
    revision = catalog.revision()
    catalog.register_encoder(moved)
    assert catalog.active_encoder() == moved
    assert catalog.revision() > revision, "a search must learn where it is"
    assert len(catalog.known_vectors(text_hashes(chair()), FP)) == 3
    assert catalog.incomplete(FP).tolist() == []


def adapter(size: float = 0.1) -> Adapter:
    chance = np.random.default_rng(0)
    return Adapter(
        {side: (size * chance.normal(size=(DIM, DIM))).astype(np.float32) for side in MODALITIES},
        {side: (size * chance.normal(size=DIM)).astype(np.float32) for side in MODALITIES},
    )


def test_an_adapter_is_adopted_replaced_and_removed(catalog: Catalog) -> None:
    catalog.register_encoder(ENCODER)
    catalog.register_encoder(OTHER)
    assert catalog.adapter(FP) is None
    assert catalog.adapter("0" * 16) is None
    first, second = adapter(0.1), adapter(0.2)
    for adopted in (first, second, first):
        catalog.set_adapter(FP, adopted, {"pairs": 3})
        told = catalog.adapter(FP)
        assert told is not None
        assert told.to_bytes() == adopted.to_bytes()
    assert catalog.adapter(OTHER.fingerprint) is None
    catalog.set_adapter(FP, None)
    assert catalog.adapter(FP) is None


def test_the_revision_counts_what_a_search_could_tell(catalog: Catalog) -> None:
    def counted(action: Callable[[], object]) -> bool:
        before = catalog.revision()
        action()
        after = catalog.revision()
        assert after >= before
        return after > before

    def visible(products: Sequence[MadeUp], *, told: bool = True) -> Callable[[], None]:
        changes, vectors = changes_of(catalog, products)
        known = catalog.known_vectors(vectors, FP)
        fresh = {key: vector for key, vector in vectors.items() if key not in known}
        changes = [replace(change, visible=told) for change in changes]
        return lambda: catalog.write(changes, fresh, FP)

    assert not counted(lambda: catalog.register_encoder(ENCODER))
    assert counted(visible([chair()]))
    assert counted(lambda: catalog.activate_encoder(FP))
    assert not counted(lambda: catalog.activate_encoder(FP))
    assert not counted(lambda: catalog.register_encoder(ENCODER))
    assert not counted(lambda: catalog.register_encoder(OTHER))
    assert counted(visible([chair(price=11.0)]))
    assert not counted(visible([chair(price=11.0)], told=False))
    assert counted(lambda: catalog.set_adapter(FP, adapter()))
    assert counted(lambda: catalog.set_adapter(FP, None))
    assert not counted(lambda: catalog.set_adapter(FP, None))
    assert counted(visible([chair("b")]))
    assert not counted(lambda: catalog.remove(["nobody"]))
    assert counted(lambda: catalog.remove(["b"]))
    assert not counted(catalog.drop_unused_vectors)
    assert not counted(lambda: list(catalog.rows("images", FP)))
    assert counted(lambda: catalog.remove_except(set()))


def test_a_generation_records_the_revision_that_it_shows(make_storage: Any) -> None:
    storage = make_storage()
    generation = make_live(storage, [chair()])
    with storage.writing() as catalog:
        assert generation.manifest.revision == catalog.revision()
        catalog.remove(["chair"])
        assert generation.manifest.revision < catalog.revision()
    assert make_live(storage).manifest.revision > generation.manifest.revision


def test_vectors_go_through_the_adapter_when_they_are_published(make_storage: Any) -> None:
    storage = make_storage()
    plain = make_live(storage, [chair()])
    with storage.writing() as catalog:
        catalog.set_adapter(FP, adapter())
    adapted = make_live(storage)
    assert adapted.manifest.adapter
    assert adapted.manifest.fingerprint == adapter().fingerprint(FP)
    told = adapted.adapter()
    assert told is not None
    assert told.to_bytes() == adapter().to_bytes()
    for modality in MODALITIES:
        expected = adapter().apply(modality, of_all(plain, modality))
        assert np.allclose(of_all(adapted, modality), expected, atol=1e-3)
    with storage.writing() as catalog:
        catalog.set_adapter(FP, None)
    again = make_live(storage)
    assert again.manifest.fingerprint == plain.manifest.fingerprint
    assert np.array_equal(of_all(again, "images"), of_all(plain, "images"))


def of_all(generation: Generation, modality: Modality) -> Vectors:
    return generation.rows_of(modality, generation.sample_products(10_000)).vectors


# A draft needs all of it


def test_nothing_can_be_published_before_anything_was_indexed(catalog: Catalog) -> None:
    with pytest.raises(IndexMissing), catalog.draft(Quiet()):
        pass
    catalog.register_encoder(ENCODER)
    with pytest.raises(IndexMissing), catalog.draft(Quiet()):
        pass


def test_nothing_is_published_while_rows_lack_vectors(make_storage: Any) -> None:
    storage = make_storage()
    live = make_live(storage, [chair()])
    with storage.writing() as catalog:
        catalog.register_encoder(OTHER)
        catalog.activate_encoder(OTHER.fingerprint)
        with pytest.raises(CatalogError), catalog.draft(Quiet()):
            pass
        changes, vectors = changes_of(catalog, [chair("b")])
        catalog.activate_encoder(FP)
        missing = vectors.pop(photo_hash("b-1.jpg"))
        catalog.write(changes, vectors, FP)
        with pytest.raises(CatalogError), catalog.draft(Quiet()):
            pass
        assert storage.current() is live
        catalog.write([], {photo_hash("b-1.jpg"): missing}, FP)
    assert make_live(storage).manifest.products == 2


def test_a_catalog_that_is_whole_has_no_problems(make_storage: Any) -> None:
    storage = make_storage()
    make_live(storage, [chair("a"), chair("b"), MadeUp("bare")])
    with storage.writing() as catalog:
        assert catalog.verify(Quiet()) == []
        assert catalog.repair([]) == []


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        (["a"], ["a"]),
        (["c", "nobody", "a"], ["c", "a"]),
        (["b", "b"], ["b"]),
        ([], []),
        (["nobody", "A"], []),
    ],
)
def test_what_is_removed_to_be_remembered_is(
    catalog: Catalog, keys: list[str], known: list[str]
) -> None:
    write(catalog, [chair("a"), chair("b"), chair("c")])
    hashes = {key: one.row_hash for key, one in catalog.stored(["a", "b", "c"], FP).items()}
    revision = catalog.revision()
    assert catalog.removals() == {} and catalog.remove(keys, remember=True) == known
    assert catalog.removals() == {key: hashes[key] for key in known}
    assert catalog.stored(["a", "b", "c"], FP).keys() == {"a", "b", "c"} - set(known)
    assert (catalog.revision() > revision) == bool(known)
    assert catalog.remove(keys, remember=True) == [] and len(catalog.removals()) == len(known)


def test_what_is_written_again_is_no_removal_any_more(catalog: Catalog) -> None:
    write(catalog, [chair("a"), chair("b")])
    catalog.remove(["a", "b"], remember=True)
    write(catalog, [chair("a", price=3.0)])
    assert catalog.removals().keys() == {"b"}
    assert catalog.remove(["a"], remember=True) == ["a"] and catalog.removals().keys() == {"a", "b"}


def test_what_is_dropped_for_another_reason_may_come_again(catalog: Catalog) -> None:
    write(catalog, [chair("a"), chair("b"), chair("c")])
    catalog.remove(["a"])
    catalog.remove_except({"c"})
    assert catalog.removals() == {}
