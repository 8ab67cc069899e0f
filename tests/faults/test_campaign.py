"""The campaign itself: each of its judges can tell good from bad, or its table means nothing."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from retrieval.common.progress import Quiet
from retrieval.errors import IndexDamaged
from tests.faults.campaign import disk, flips, hostile, kills, requests, slow
from tests.faults.campaign.photos import KINDS, hostile_photos
from tests.faults.campaign.rows import Row, misses, skipped, table
from tests.faults.campaign.world import World
from tests.faults.commands import Command
from tests.faults.states import Before, answers
from tests.support.damage import generation
from tests.support.server import Server

SMALL = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> World:
    made = World(tmp_path_factory.mktemp("campaign"), seed=1, progress=Quiet())
    vars(made)["model"] = tiny_model
    return made


@pytest.fixture(scope="module")
def before(world: World) -> Before:
    return world.before


def told(index: Path) -> dict[str, tuple[str, Any]]:
    return flips.answers_of(index)


def classes(index: Path, right: dict[str, Any]) -> dict[str, str]:
    return {name: flips.classified(value, right[name]) for name, value in told(index).items()}


@pytest.fixture(scope="module")
def right(world: World, before: Before) -> dict[str, Any]:
    with world.copied(before.new_index, "whole") as index:
        return {name: value[1] for name, value in told(index).items()}


def test_an_index_that_nobody_harmed_is_right_in_all(
    world: World, before: Before, right: dict[str, Any]
) -> None:
    with world.copied(before.new_index, "harmless") as index:
        assert set(classes(index, right).values()) == {flips.RIGHT}


def test_answers_of_another_catalog_are_told_as_silently_wrong(
    world: World, before: Before, right: dict[str, Any]
) -> None:
    """All files of the old state in place of the new: whole, consistent, and wrong."""
    with world.copied(before.old_index, "swapped") as index:
        made = classes(index, right)
    assert made["exact words"] == made["words"] == flips.SILENT


def test_an_error_counts_as_refused_only_with_advice(tmp_path: Path) -> None:
    def fail(error: Exception) -> Any:
        raise error

    def class_of(error: Exception) -> str:
        return flips.asked(lambda: fail(error), tmp_path)[0]

    assert class_of(IndexDamaged("it is damaged; run `retrieval verify`")) == flips.REFUSED
    assert class_of(IndexDamaged("it is damaged")) == flips.RAW
    assert class_of(IndexDamaged("two\nlines; run `retrieval verify`")) == flips.RAW
    assert class_of(ValueError("run `retrieval verify`")) == flips.RAW


def test_a_wrong_answer_beside_which_damage_is_told_is_not_silent(tmp_path: Path) -> None:
    def answer() -> int:
        print("note: texts.faiss is damaged; run `retrieval verify`", file=sys.stderr)
        return 1

    assert flips.asked(answer, tmp_path)[0] == flips.REFUSED
    assert flips.asked(lambda: 1, tmp_path) == (flips.RIGHT, "1")


def test_a_process_that_dies_of_an_index_is_a_raw_error_and_another_follows(
    world: World, before: Before
) -> None:
    with world.copied(before.new_index, "deadly") as index, flips.Worker() as worker:
        os.kill(worker._process.pid or 0, signal.SIGKILL)
        assert {kind for kind, _ in worker.ask(index).values()} == {flips.RAW}
        assert {kind for kind, _ in worker.ask(index).values()} == {flips.RIGHT}


def test_a_flip_changes_one_byte_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(200))
    times = path.stat().st_mtime_ns
    place = flips.flip(path, random.Random(3))
    data = path.read_bytes()
    assert data[place] != 0 and sum(map(bool, data)) == 1 and path.stat().st_mtime_ns == times


def test_a_flip_that_verify_does_not_tell_of_misses_the_goal() -> None:
    def made(kind: str, content: bool) -> dict[str, Any]:
        bad = ["byte 7: words"] if kind in (flips.SILENT, flips.RAW) else []
        return {"classes": {"words": kind}, "bad": bad, "where": "byte 7", "content": content}

    told_of = flips.summary(Path("a.npy"), [made(flips.RIGHT, False), made(flips.REFUSED, False)])
    assert told_of.met and told_of.silent == 0
    untold = flips.summary(Path("a.npy"), [made(flips.RIGHT, True)])
    assert not untold.met and untold.silent == 0
    wrong = flips.summary(Path("a.npy"), [made(flips.SILENT, False), made(flips.RAW, False)])
    assert wrong.silent == 1 and len(wrong.missed) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index", "rebuild", "rollback", "adapt"])
def test_a_command_killed_at_any_moment_loses_nothing(world: World, name: str) -> None:
    chance = random.Random(name)
    command = world.commands[name]
    seconds = kills.calm_seconds(world, command)
    with world.copied(command.start, "known") as index:
        known = kills.problems_of(index)
    for _ in range(SMALL):
        with world.copied(command.start, "killed") as index:
            kill = kills.killed(command, index, chance.random() * seconds, known)
        assert (kill.silent, kill.failed) == ([], []) and kill.answers


def test_a_reader_that_sees_a_third_state_is_told(before: Before) -> None:
    command = Command("none", before.old_index, len, {}, before.old, before.old)
    kill = kills.Kill()
    kills.judge_answers(command, list(enumerate(answers(before.old_index))), kill)
    assert kill.silent == []
    kills.judge_answers(command, list(enumerate(answers(before.new_index))), kill)
    assert kill.silent


def test_a_command_that_loses_the_state_before_it_is_told(world: World, before: Before) -> None:
    def nothing(index: Path, ready: object = None) -> None: ...

    command = Command("none", before.new_index, nothing, {}, before.new, before.old)
    with world.copied(before.new_index, "lost") as index:
        kill = kills.Kill()
        kills.look(command, index, kill, frozenset())
        assert kill.silent == ["after the same command again, answers are of no state"]
        (generation(kills.load_settings(index=index)) / "snapshot.db").write_bytes(b"")
        kill = kills.Kill()
        kills.look(command, index, kill, frozenset())
        assert "IndexDamaged" in kill.failed[0]


@pytest.mark.parametrize(
    ("code", "text", "ended"),
    [
        (0, "", disk.DONE),
        (1, "error: the disk of indexes/a is full; make room\n", disk.TOLD),
        (1, "error: [Errno 28] No space left on device\n", disk.TOLD),
        (1, "error: database or disk is full; make room\n", disk.TOLD),
        (1, "error: something went wrong\n", disk.ILL_TOLD),
        (1, "Traceback (most recent call last):\nerror: no space left\n", disk.ILL_TOLD),
        (-7, "", disk.SIGNAL),
        (135, "", disk.SIGNAL),
        (None, "", disk.SIGNAL),
    ],
)
def test_how_a_command_on_a_full_disk_ended(code: int | None, text: str, ended: str) -> None:
    assert disk.classified(code, text) == ended


@pytest.mark.slow
def test_a_rebuild_on_a_full_disk_says_so(world: World) -> None:
    reason = disk.why_not(world.folder / "disk")
    if reason:
        pytest.skip(reason)
    least, most = disk.room_needed(world, world.commands["rebuild"])
    assert least < most
    ended, wrong, silent = disk.tried(world, world.commands["rebuild"], (least + most) // 2)
    assert (ended, wrong, silent) == (disk.TOLD, (), False)


def test_hostile_photos_are_made_alike_each_time_and_of_every_kind() -> None:
    some = hostile_photos(2, seed=1)
    assert some == hostile_photos(2, seed=1) != hostile_photos(2, seed=2)
    assert [kind for kind, _, _ in some] == list(KINDS)[:2]


def test_a_photo_over_its_budget_misses_the_goal() -> None:
    over = hostile.over("by HTTP", [("scans", 0.1, ""), ("strips", 9.0, "")])
    assert over.missed == ("strips: 9.0 s",)
    assert hostile.over("by HTTP", [("scans", 0.1, "")]).met
    assert not hostile.over("by HTTP", [("scans", 0.1, "scans: HTTP 500")]).met


def test_a_run_that_publishes_nothing_or_ends_badly_is_told(tmp_path: Path) -> None:
    assert "exit code 1" in hostile.ill(1, "error: no", tmp_path)
    assert "exit code -9" in hostile.ill(-9, "", tmp_path)
    assert hostile.ill(3, "", tmp_path) == "nothing was published"
    (tmp_path / "CURRENT").write_text("1")
    assert hostile.ill(3, "", tmp_path) == ""


def test_a_p95_of_three_times_its_calm_value_misses_the_goal() -> None:
    calm = [0.010] * 100
    assert slow.summary("slow", 300, calm, [0.029] * 100, 300).met
    assert not slow.summary("slow", 300, calm, [0.031] * 100, 300).met
    assert not slow.summary("slow", 300, calm, [0.010] * 99 + [slow.GIVES_UP_S], 300).met


def test_memory_that_grows_with_requests_misses_the_goal() -> None:
    def weighed(a_request_mb: float) -> list[tuple[int, float]]:
        # The heap moves up and down by a few MB as well.
        return [(n, 300 + n * a_request_mb + n // 500 % 2 * 3) for n in range(500, 20_001, 500)]

    assert requests.slope(weighed(0.002)) == pytest.approx(2.0, abs=0.3)
    assert requests.summary(20_000, weighed(0.0), Counter()).met
    assert not requests.summary(20_000, weighed(0.002), Counter()).met
    assert not requests.summary(20_000, weighed(0.0), Counter({"GET /: HTTP 500": 1})).met


def test_requests_are_answered_and_slow_clients_held(before: Before) -> None:
    """Each kind of request is one that a server answers; a slow client is one that it waits for."""
    server = Server(before.new_index)
    try:
        hostile.warm(server.address)
        with requests.requests.Session() as session:
            wrong = [
                requests.asked(session, server.address, requests.request(number, seed=1))
                for number in range(12)
            ]
            assert wrong == [""] * 12
            missing = {"method": "GET", "path": "/api/v1/products/none"}
            assert requests.asked(session, server.address, missing).endswith("HTTP 404")
        if slow.can_bind(slow.GOOD_ADDRESS):
            with slow.slow_clients(server.address, ["127.0.0.3"] * 8) as held:
                assert max(slow.good_waits(server.address, 1)) < slow.GIVES_UP_S
            assert held == [8]
        assert hostile.sent(server, ("broken", ".jpg", b"\xff\xd8\xff"))[2] == ""
    finally:
        server.stop()


def test_a_table_has_no_empty_cell_and_says_what_was_skipped() -> None:
    rows = [
        Row("kills", "index", 4, "4 at work"),
        Row("flips", "a|b", 4, "1 silently wrong", 1, ("byte 7 of a|b: words",)),
        skipped("disk", "index", "only root may"),
    ]
    lines = table(rows).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert all(len(line) == 6 and all(line) for line in cells)
    assert cells[2][-1] == "met" and cells[3][-1] == "missed 1 times"
    assert cells[4][-1] == "skipped" and "only root may" in lines[4]
    assert misses(rows) == "flips, a|b: byte 7 of a|b: words"
    assert [row.met for row in rows] == [True, False, True]


def test_the_vectors_of_others_are_told_as_silently_wrong(
    world: World, before: Before, right: dict[str, Any]
) -> None:
    """The vectors in another order: files of the right form and size, that hold what is wrong."""
    import numpy as np

    with world.copied(before.new_index, "turned") as index:
        folder = generation(kills.load_settings(index=index))
        for name in ("images.vectors.npy", "texts.vectors.npy"):
            vectors = np.load(folder / name)
            np.save(folder / name, vectors[::-1])
        made = classes(index, right)
    # As soon as the engine notices by itself, it refuses: either way nobody takes it for right.
    assert made["like another"] in (flips.SILENT, flips.REFUSED)
    assert made["exact words"] in (flips.RIGHT, flips.REFUSED)
