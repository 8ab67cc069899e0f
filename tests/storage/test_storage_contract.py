"""What any engine's storage keeps of generations: drafts, the live one, earlier ones, one writer.

Whatever happens on the way, a reader has one generation, whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.common.adapter import Adapter
from retrieval.common.progress import Quiet
from retrieval.errors import GenerationGone, IndexDamaged, IndexLocked, IndexMissing, NotFound
from retrieval.storage.base import Generation
from retrieval.storage.entities import Calibration, Modality
from retrieval.storage.filters import filters_from
from tests.storage.conftest import Engine
from tests.support.storage import DIM, ENCODER, MadeUp, drawn, make_live, map_of, write

CALIBRATION = {"text>images": Calibration(0.25, 31.5), "image>images": Calibration(0.75, 12.25)}
ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from tests.storage.conftest import ENGINES
from tests.support.storage import MadeUp, write
with ENGINES[sys.argv[1]].at(Path(sys.argv[2])).writing(create=True) as catalog:
    write(catalog, [MadeUp("a", "A")])
    print("writing", flush=True)
    sys.stdin.read()
"""
EXTRAS = {"loss.json": b'{"loss": 0.5}', "empty": b"", "bytes": bytes(range(256))}


def lamp(number: int = 1, title: str = "Lamp") -> MadeUp:
    return MadeUp(
        f"lamp-{number}",
        f"{title} {number}",
        attributes={"colour": "red" if number % 2 else "blue"},
        photos={f"lamp-{number}.jpg": None},
    )


def titles(generation: Generation) -> list[str]:
    return [card.title for card in generation.scan()]


def told(generation: Generation) -> list[Any]:
    """What a generation answers to one question of each kind."""
    products = generation.product_ids(["lamp-1", "lamp-2", "nobody"])
    red = generation.condition(filters_from("colour=red"))
    answers: list[Any] = [
        generation.manifest,
        titles(generation),
        products.tolist(),
        generation.cards(products.tolist()),
        generation.allows(red, products).tolist(),
        generation.count(red, with_any_of=("images",)),
        generation.field_names(),
        generation.typed_id("LAMP-1"),
        generation.sample_products(5, with_all_of=("images",)).tolist(),
        generation.document_frequency(["lamp"]),
        generation.lexical(["lamp"], every=True, condition=red).products.tolist(),
        generation.values(products[:1], "colour").names,
        generation.value_counts("colour", red),
        generation.extra("loss.json"),
    ]
    modalities: tuple[Modality, ...] = ("images", "texts")
    for modality in modalities:
        rows = generation.rows_of(modality, products)
        query = drawn("query")
        answers += [
            rows.ids.tolist(),
            rows.vectors.tolist(),
            generation.scores(modality, query[None], rows.ids).tolist(),
            generation.nearest(modality, query, 5, red).ids.tolist(),
            generation.sample_vectors(modality, 5).tolist(),
        ]
    return answers


# Whether anything is there


def test_where_nothing_was_indexed_nothing_is_open(make_storage: Any) -> None:
    storage = make_storage()
    assert not storage.exists()
    assert storage.generations() == []
    for ask in (storage.current, storage.live_manifest):
        with pytest.raises(IndexMissing):
            ask()
    with pytest.raises(IndexMissing), storage.reading():
        pass
    with pytest.raises(IndexMissing), storage.writing():
        pass
    assert not storage.exists(), "asking makes nothing"


def test_what_was_indexed_and_not_published_is_not_live(make_storage: Any) -> None:
    storage = make_storage()
    with storage.writing(create=True) as catalog:
        write(catalog, [lamp()])
    assert storage.exists()
    assert storage.generations() == []
    for ask in (storage.current, storage.live_manifest):
        with pytest.raises(IndexMissing):
            ask()
    with storage.reading() as catalog:
        assert catalog.counts()["products"] == 1
    assert titles(make_live(storage)) == ["Lamp 1"]
    assert titles(make_storage().current()) == ["Lamp 1"], "as another process opens it"


# Drafts


def test_a_draft_answers_before_it_is_published_and_nobody_else_sees_it(make_storage: Any) -> None:
    storage = make_storage()
    live = make_live(storage, [lamp(1)])
    with storage.writing() as catalog:
        write(catalog, [lamp(1, "Lantern"), lamp(2)])
        with catalog.draft(Quiet()) as draft:
            assert titles(draft) == ["Lantern 1", "Lamp 2"]
            assert draft.manifest.calibration == {}
            assert draft.manifest.generation > live.manifest.generation
            assert len(draft.nearest("images", drawn("query"), 5)) == 2
            assert storage.current() is live
            assert [state.number for state in storage.generations()] == [live.manifest.generation]
            before = told(draft)
            manifest = draft.publish({}, map_of())
    current = storage.current()
    assert titles(live) == ["Lamp 1"]
    assert current.manifest == manifest == storage.live_manifest()
    assert told(current)[1:] == before[1:]


class Stopped(Exception):
    """What a body raises."""


@pytest.mark.parametrize("raises", [False, True])
def test_a_draft_that_nobody_publishes_is_gone(make_storage: Any, raises: bool) -> None:
    storage = make_storage()
    live = make_live(storage, [lamp(1)])
    with storage.writing() as catalog:
        write(catalog, [lamp(2)])
        try:
            with catalog.draft(Quiet()) as draft:
                assert draft.count() == 2
                if raises:
                    raise Stopped
        except Stopped:
            assert raises
    assert storage.current() is live
    assert [state.number for state in storage.generations()] == [1]
    after = make_live(storage)
    assert after.manifest.generation > live.manifest.generation
    assert titles(after) == ["Lamp 1", "Lamp 2"]


def test_what_was_measured_comes_back(make_storage: Any) -> None:
    storage = make_storage()
    with storage.writing(create=True) as catalog:
        write(catalog, [lamp(1), lamp(2)])
        with catalog.draft(Quiet()) as draft:
            ids = draft.sample_products(10)
            manifest = draft.publish(CALIBRATION, map_of(ids), EXTRAS)
    for generation in (storage.current(), make_storage().current()):
        assert generation.manifest == manifest
        assert generation.manifest.calibration == CALIBRATION
        for name, data in EXTRAS.items():
            assert generation.extra(name) == data
        assert generation.extra("nothing") is None
        catalog_map = generation.catalog_map()
        assert catalog_map is not None
        assert np.array_equal(catalog_map.ids, ids)
        assert np.array_equal(catalog_map.places, map_of(ids).places)
        assert catalog_map.places.dtype == np.float32
    assert make_live(storage).extra("loss.json") is None, "extras are one generation's own"


def test_the_map_before_is_the_live_one_of_the_same_model_and_adapter(make_storage: Any) -> None:
    storage = make_storage()

    def before() -> Any:
        with storage.writing(create=True) as catalog, catalog.draft(Quiet()) as draft:
            return draft.map_before()

    with storage.writing(create=True) as catalog:
        write(catalog, [lamp(1), lamp(2)])
    assert before() is None
    with storage.writing() as catalog, catalog.draft(Quiet()) as draft:
        drawn_map = map_of(draft.sample_products(10))
        draft.publish({}, drawn_map)
    found = before()
    assert np.array_equal(found.ids, drawn_map.ids)
    assert np.array_equal(found.places, drawn_map.places)
    zeros = np.zeros((DIM, DIM), dtype=np.float32)
    adapter = Adapter(
        dict.fromkeys(("images", "texts"), zeros), dict.fromkeys(("images", "texts"), zeros[0])
    )
    with storage.writing() as catalog:
        catalog.set_adapter(ENCODER.fingerprint, adapter)
    assert before() is None
    with storage.writing() as catalog:
        catalog.set_adapter(ENCODER.fingerprint, None)
    assert before() is not None
    with storage.writing() as catalog:
        write(catalog, [lamp(1), lamp(2)], replace(ENCODER, fingerprint="0" * 16))
    assert before() is None


@pytest.mark.parametrize("anew", [False, True])
def test_an_index_that_is_changed_answers_as_one_that_is_built(
    make_storage: Any, anew: bool
) -> None:
    storage = make_storage()
    make_live(storage, [lamp(number) for number in range(60)], index_type="hnsw")
    with storage.writing() as catalog:
        catalog.remove([f"lamp-{number}" for number in range(0, 60, 7)])
        write(catalog, [lamp(number) for number in range(60, 64)])
        with catalog.draft(Quiet(), anew=anew) as draft:
            assert draft.manifest.galleries["images"].index_type == "hnsw", "as the live one was"
            matches = draft.nearest("images", drawn("lamp-63.jpg"), 100)
            assert len(matches) == draft.count() == 55
            assert matches.products[0] == draft.product_ids(["lamp-63"])[0]
            assert draft.count(or_among=matches.products) == 55


# Which generation is live


def test_the_live_generation_is_one_object_until_another_is_live(make_storage: Any) -> None:
    storage = make_storage()
    first = make_live(storage, [lamp(1)])
    assert storage.current() is first
    assert storage.newer(first) is None
    with storage.writing() as catalog:
        write(catalog, [lamp(2)])
        assert storage.current() is first
    second = make_live(storage)
    assert second is not first
    assert storage.current() is second
    assert storage.newer(first) is second
    assert storage.newer(second) is None


def test_generations_of_two_encoders_are_open_at_once(make_storage: Any) -> None:
    other = replace(ENCODER, fingerprint="0" * 16, name="another", dim=8)
    storage = make_storage()
    first = make_live(storage, [lamp(1), lamp(2)])
    before = told(first)
    with storage.writing() as catalog:
        write(catalog, [lamp(1)], other)
        assert len(catalog.incomplete(other.fingerprint)) == 1
    second = make_live(storage, [lamp(1), lamp(2)], other)
    assert (second.manifest.fingerprint, second.manifest.dim) == (other.fingerprint, 8)
    assert second.sample_vectors("images", 10).shape == (2, 8)
    assert len(second.nearest("images", drawn("query", 8), 5)) == 2
    assert told(first) == before
    third = make_live(storage)
    assert third.manifest.fingerprint == first.manifest.fingerprint
    assert told(third)[1:] == before[1:], "its vectors were kept"


def test_other_processes_see_what_was_published(make_storage: Any) -> None:
    writer, reader = make_storage(), make_storage()
    make_live(writer, [lamp(1)])
    first = reader.current()
    assert titles(first) == ["Lamp 1"]
    make_live(writer, [lamp(1, "Lantern")])
    second = reader.newer(first)
    assert second is not None
    assert titles(second) == ["Lantern 1"]
    assert reader.current() is second


def test_an_earlier_generation_goes_on_answering_its_own_rows(make_storage: Any) -> None:
    storage = make_storage()
    first = make_live(storage, [lamp(1), lamp(2)], extras=EXTRAS)
    before = told(first)
    second = make_live(storage, [lamp(1, "Lantern"), lamp(3)])
    with storage.writing() as catalog:
        catalog.remove(["lamp-2"])
    third = make_live(storage)
    assert told(first) == before
    assert titles(second) == ["Lantern 1", "Lamp 2", "Lamp 3"]
    assert titles(third) == ["Lantern 1", "Lamp 3"]
    assert second.nearest("images", drawn("lamp-2.jpg"), 1).scores[0] > 0.99
    assert third.nearest("images", drawn("lamp-2.jpg"), 1).scores[0] < 0.99


@pytest.mark.parametrize("threads", [1, 6])
def test_a_generation_that_was_dropped_says_so_or_answers_right(
    make_storage: Any, threads: int
) -> None:
    storage = make_storage(keep_generations=2)
    first = make_live(storage, [lamp(1), lamp(2)], extras=EXTRAS)
    expected = told(storage.current())
    reader = make_storage(keep_generations=2)
    held = reader.current()
    for number in range(3, 6):
        make_live(storage, [lamp(number)])
    started = threading.Barrier(threads)

    def ask(_: int) -> Any:
        started.wait()
        try:
            return told(held)
        except GenerationGone:
            return None

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(ask, range(threads)))
    for answer in filter(None, answers):
        assert answer == expected
    newer = reader.newer(held)
    assert newer is not None
    assert newer.count() == 5
    assert first.manifest.generation < newer.manifest.generation
    with contextlib.suppress(GenerationGone):
        assert held.extra("loss.json") == EXTRAS["loss.json"]


# Earlier ones


def test_an_earlier_generation_is_made_live_again(make_storage: Any) -> None:
    storage = make_storage()
    first = make_live(storage, [lamp(1)])
    second = make_live(storage, [lamp(1, "Lantern")])
    with storage.writing():
        storage.switch(first.manifest.generation)
    assert titles(storage.current()) == ["Lamp 1"]
    assert storage.live_manifest() == first.manifest
    assert titles(second) == ["Lantern 1"]
    assert titles(make_storage().current()) == ["Lamp 1"]
    third = make_live(storage)
    assert third.manifest.generation > second.manifest.generation, "a number means one thing"
    assert titles(third) == ["Lantern 1"], "the catalog was not rolled back"
    live = [state.number for state in storage.generations() if state.live]
    assert live == [third.manifest.generation]


def test_only_what_is_there_can_be_made_live(make_storage: Any) -> None:
    storage = make_storage()
    live = make_live(storage, [lamp(1)])
    with storage.writing():
        for number in (0, 2, 99, -1):
            with pytest.raises(NotFound):
                storage.switch(number)
    assert storage.current() is live


def test_the_list_of_generations_tells_which_is_live_and_which_is_damaged(
    engine: Engine, make_storage: Any
) -> None:
    storage = make_storage()
    manifests = [make_live(storage, [lamp(number)]).manifest for number in range(3)]
    numbers = [manifest.generation for manifest in manifests]
    states = storage.generations()
    assert [state.number for state in states] == numbers == sorted(numbers)
    assert [state.live for state in states] == [False, False, True]
    assert [state.manifest for state in states] == manifests
    assert [state.problem for state in states] == [None] * 3
    engine.damage(storage, numbers[1])
    states = storage.generations()
    assert [state.number for state in states] == numbers
    assert states[1].manifest is None
    assert states[1].problem is not None
    assert "\n" not in states[1].problem
    assert [state.problem is None for state in states] == [True, False, True]
    live = storage.current()
    with storage.writing():
        with pytest.raises(IndexDamaged):
            storage.switch(numbers[1])
        assert storage.current() is live
        storage.switch(numbers[0])
    assert titles(storage.current()) == ["Lamp 0"]


def test_a_live_generation_that_is_damaged_is_told_and_published_over(
    engine: Engine, make_storage: Any
) -> None:
    storage = make_storage()
    make_live(storage, [lamp(1)])
    engine.damage(storage, 1)
    for ask in (make_storage().current, storage.live_manifest):
        with pytest.raises(IndexDamaged):
            ask()
    assert titles(make_live(make_storage())) == ["Lamp 1"]


def test_a_damaged_one_does_not_take_the_place_of_the_last_good_one(
    engine: Engine, make_storage: Any
) -> None:
    writer, reader = make_storage(), make_storage()
    make_live(writer, [lamp(1)])
    good = reader.current()
    make_live(writer, [lamp(2)])
    engine.damage(writer, 2)
    assert reader.current() is good
    assert titles(good) == ["Lamp 1"]


@pytest.mark.parametrize("keep", [2, 4])
def test_as_many_generations_are_kept_as_was_asked_for(make_storage: Any, keep: int) -> None:
    storage = make_storage(keep_generations=keep)
    numbers = [make_live(storage, [lamp(n)]).manifest.generation for n in range(keep + 2)]
    assert [state.number for state in storage.generations()] == numbers[-keep:]
    assert all(state.problem is None for state in storage.generations())
    with storage.writing():
        with pytest.raises(NotFound):
            storage.switch(numbers[0])
        storage.switch(numbers[-keep])
    assert [state.number for state in storage.generations()] == numbers[-keep:]


# One writer


def test_one_writes_at_a_time(make_storage: Any) -> None:
    storage, other = make_storage(), make_storage(lock_timeout=0)

    def writes() -> bool:
        try:
            with other.writing(create=True) as catalog:
                return bool(catalog.revision() >= 0)
        except IndexLocked:
            return False

    with ThreadPoolExecutor(1) as pool:
        with storage.writing(create=True) as catalog:
            write(catalog, [lamp(1)])
            assert not pool.submit(writes).result()
            assert not writes(), "nor the same thread"
            with other.reading() as beside:
                assert beside.counts()["products"] == 1
        assert pool.submit(writes).result()
    assert writes()


def test_another_process_writes_until_it_is_killed(
    engine: Engine, make_storage: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, engine.name, str(tmp_path / "index")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        with pytest.raises(IndexLocked), make_storage(lock_timeout=0).writing():
            pass
        process.kill()
        process.wait()
    with make_storage(lock_timeout=0).writing() as catalog:
        assert catalog.counts()["products"] == 1, "what had returned is there"


def test_who_failed_lets_others_write(make_storage: Any) -> None:
    storage = make_storage()
    with pytest.raises(Stopped), storage.writing(create=True) as catalog:
        write(catalog, [lamp(1)])
        raise Stopped
    with make_storage().writing() as catalog:
        assert catalog.counts()["products"] == 1, "what has returned is there"


def test_indexes_do_not_lock_each_other(make_storage: Any) -> None:
    with make_storage("one").writing(create=True), make_storage("two").writing(create=True):
        pass


# Killed on the way


class Killed(BaseException):
    """The process is no more: nothing that it would have done is done."""


class Killer:
    """Raises at the n-th change of a file, and at each after it, as nothing comes after a kill."""

    STEPS = (
        (os, "replace"), (os, "rename"), (shutil, "rmtree"),
        (Path, "replace"), (Path, "rename"), (Path, "write_bytes"), (Path, "write_text"),
    )  # fmt: skip

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, self.at = 0, -1
        for owner, name in self.STEPS:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            self.steps += 1
            if 0 <= self.at < self.steps:
                raise Killed
            return function(*args, **options)

        return step

    def kills(self, at: int, action: Callable[[], object]) -> bool:
        self.steps, self.at = 0, at
        try:
            action()
        except Killed:
            return True
        finally:
            self.at = -1
        return False


def test_killed_between_steps_of_publishing_the_old_or_the_new_is_live_whole(
    make_storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = make_storage(keep_generations=2)
    for number in range(2):
        make_live(storage, [lamp(1, f"Made {number}")])
    killer = Killer(monkeypatch)
    at, killed, live = 0, True, "Made 1"
    while killed:
        title = f"Killed at {at}"
        with storage.writing() as catalog:
            write(catalog, [lamp(1, title)])

            def publish() -> None:
                with catalog.draft(Quiet()) as draft:
                    draft.publish(CALIBRATION, map_of(), EXTRAS)

            killed = killer.kills(at, publish)
        reader = make_storage(keep_generations=2)
        current = reader.current()
        found = titles(current)[0].removesuffix(" 1")
        assert found in ((live, title) if killed else (title,))
        if found == title:
            assert current.extra("bytes") == EXTRAS["bytes"]
            assert current.manifest.calibration == CALIBRATION
        assert len(current.nearest("images", drawn("lamp-1.jpg"), 5)) == 1
        assert [state.live for state in reader.generations()].count(True) == 1
        assert all(state.problem is None for state in reader.generations())
        with reader.reading() as catalog:
            assert catalog.counts()["products"] == 1
        live = found
        at += 1
    assert at > 3, "there was something to kill"
    assert titles(make_live(storage, [lamp(1, "After")])) == ["After 1"]
    assert len(storage.generations()) == 2, "nothing of the killed is left over"


def test_killed_while_switching_one_of_both_is_live(
    make_storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = make_storage()
    numbers = [make_live(storage, [lamp(n)]).manifest.generation for n in range(2)]
    killer = Killer(monkeypatch)
    at, killed = 0, True
    while killed:
        with storage.writing():
            storage.switch(numbers[1])
            killed = killer.kills(at, lambda: storage.switch(numbers[0]))
        assert make_storage().live_manifest().generation in numbers
        at += 1
    assert storage.live_manifest().generation == numbers[0]


# Photos


@pytest.mark.parametrize("stored", ["photo.jpg", "../shop/ä b#?.jpg", "a/../../x/y.jpg"])
def test_a_stored_path_of_a_photo_leads_there_from_here(
    make_storage: Any, tmp_path: Path, stored: str
) -> None:
    storage = make_storage()
    place = Path(os.path.normpath(f"{storage.base}/{stored}"))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"photo")
    assert Path(storage.photo_path(stored)).read_bytes() == b"photo"
    assert ".." not in storage.photo_path(stored)
    assert place.is_relative_to(tmp_path)


def test_what_is_closed_leaves_its_generations_readable(make_storage: Any) -> None:
    storage = make_storage()
    generation = make_live(storage, [lamp(1), lamp(2)])
    before = told(generation)
    storage.close()
    assert told(generation) == before
    assert titles(storage.current()) == ["Lamp 1", "Lamp 2"]
