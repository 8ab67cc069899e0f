"""The benchmark measures what it says, and what it publishes is what it measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from retrieval.bench import growing, peers, serving
from retrieval.bench.goals import hold_against_goals
from retrieval.bench.machine import describe_machine
from retrieval.bench.measuring import Measurement, in_turns
from retrieval.bench.reporting import GROWTH, RESULTS, SPEED, TABLES, write_results
from retrieval.bench.synthetic import clip_like
from retrieval.cli import cli
from retrieval.common.progress import Quiet
from retrieval.encoders import load_encoder
from retrieval.errors import SourceError
from retrieval.settings import load_settings
from tests.support.shop import draw_product


def test_ratios_are_of_medians_against_the_best_baseline() -> None:
    values = {"slow": [9.0, 10, 11], "slower": [20.0, 20, 20], "fast": [1.0, 2, 99]}
    turns: list[str] = []

    def method(name: str) -> Any:
        left = iter(values[name])
        return lambda: (turns.append(name), next(left))[1]

    methods = {name: method(name) for name in values}
    made = in_turns("s", "c", "ms", methods, baseline=("slow", "slower"), rounds=3)
    assert turns == ["slow", "slower", "fast"] * 3, "other load must fall on all alike"
    assert [one.ratio for one in made] == [None, None, 5.0]
    assert (made[2].low, made[2].median, made[2].high) == (1, 2, 99)
    rates = {"a": lambda: 10.0, "b": lambda: 40.0}
    assert in_turns("s", "c", "photos/s", rates, baseline=("a",))[1].ratio == 4


def test_made_up_vectors_lie_as_real_ones_do() -> None:
    cloud = clip_like(4_000, queries=100)
    photos = cloud.photos.astype(np.float32)
    again = clip_like(4_000, queries=100)
    np.testing.assert_array_equal(cloud.photos, again.photos)
    for rows in (photos, cloud.photo_queries, cloud.text_queries):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=2e-3)
    own = (cloud.photo_queries * cloud.text_queries).sum(axis=1)
    others = cloud.text_queries @ photos.T
    assert 0.25 < np.median(own) < 0.45, "a text is near its photo, and far from it"
    assert np.median(others) < np.median(own) - 0.08
    gap = np.linalg.norm(photos.mean(axis=0) - cloud.text_queries.mean(axis=0))
    assert 0.4 < gap < 0.6, "texts lie off the cloud of the photos"


def test_searches_are_measured_with_their_recall(tmp_path: Path) -> None:
    made = CliRunner().invoke(
        cli, ["bench", "search", "--sizes", "3000", "--out", str(tmp_path), "--json"]
    )
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert json.loads((tmp_path / RESULTS).read_text()) == found
    ours = [
        one
        for one in found["measurements"]
        if one["suite"].startswith("search") and one["method"].startswith("retrieval")
    ]
    assert len(ours) == 4 and all(one["notes"]["recall@20"] == 1 for one in ours)
    assert all(one["low"] <= one["median"] <= one["high"] for one in found["measurements"])
    assert "### Search under a filter" in (tmp_path / TABLES).read_text()
    assert found["machine"]["cores"] >= 1 and found["machine"]["packages"]["openvino"]


def test_encoding_is_measured_beside_the_naive_loop(tmp_path: Path, tiny_model: str) -> None:
    for number in range(24):
        draw_product("mug", "red", (300, 200), number).save(tmp_path / f"{number}.jpg")
    options = ["--photos", str(tmp_path), "--model", tiny_model, "--out", str(tmp_path / "out")]
    made = CliRunner().invoke(cli, ["bench", "encode", *options, "--json"])
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)["measurements"]
    ours = next(one for one in found if "file to vector" in one["method"])
    assert ours["ratio"] > 0 and ours["notes"]["least_cosine"] > 0.99
    assert {one["suite"] for one in found} == {"decode photos", "encode photos", "encode one query"}
    assert (tmp_path / "out" / SPEED).stat().st_size > 5_000
    few = CliRunner().invoke(cli, ["bench", "encode", "--photos", str(tmp_path / "out")])
    assert few.exit_code != 0


def test_catalogs_grow_are_rebuilt_opened_and_searched(starter: str, tmp_path: Path) -> None:
    # The made-up vectors have 512 components: the bundled model's, whose name is stored.
    settings = load_settings()
    encoder = load_encoder(starter, settings)
    found = list(growing.bench_growth([1_000, 2_000], encoder, settings, Quiet()))
    assert len(found) == 2 * 9 and all(one.median > 0 for one in found)
    assert {one.notes.get("recall") for one in found} == {None, 1.0}
    write_results(tmp_path, describe_machine(), found, hold_against_goals(found))
    assert (tmp_path / GROWTH).stat().st_size > 5_000


def test_the_server_is_measured_by_the_number_of_clients(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SECONDS", 0.7)
    monkeypatch.setattr(serving, "CLIENTS", (1, 4))
    found = list(serving.bench_serving(index))
    assert [one.case for one in found if one.method == "retrieval"] == ["1 clients", "4 clients"]
    assert all(one.median > 1 and one.notes["p50_ms"] <= one.notes["p99_ms"] for one in found)


def test_goals_are_met_or_missed_by_what_was_measured() -> None:
    def one(case: str, ratio: float, recall: float) -> Measurement:
        notes = {"recall@20": recall}
        return Measurement("search", case, "retrieval (x)", "ms", 1, 1, 1, ratio, notes)

    found = [one("100,000 x 512, text-like queries", 9.0, 0.9), one("x", 1.0, 1.0)]
    goals = {goal.what: goal for goal in hold_against_goals(found)}
    assert goals["search 100,000 (texts)"].met is True
    assert goals["recall at 100,000"].met is False
    assert goals["search 1,000,000 (texts)"].reached is None


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    made = CliRunner().invoke(cli, ["bench", "encode", "--photos", str(tmp_path / "none")])
    assert "no such folder" in str(made.exception)


def test_peers_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    made = CliRunner().invoke(cli, ["bench", "peers", "--json"])
    assert made.exit_code == 0 and "none of clip-retrieval, rclip" in made.stderr
    assert peers.find_peers([f"rclip={sys.executable}"]) == {"rclip": Path(sys.executable)}
    for wrong in ("rclip=/no/such/program", f"others={sys.executable}", "rclip"):
        with pytest.raises(SourceError, match="--peer"):
            peers.find_peers([wrong])


def test_a_peer_that_fails_is_not_taken_for_a_fast_one(tmp_path: Path) -> None:
    shelf = tmp_path / "photos"
    shelf.mkdir()
    for number in range(3):
        draw_product("mug", "red", (300, 200), number).save(shelf / f"{number}.jpg")
    with pytest.raises(SourceError, match="ended with 2"):
        peers._rclip(Path(sys.executable), shelf, tmp_path / "rclip")()
    with pytest.raises(SourceError, match="1 of 3 photos"):
        peers._all_there(1, shelf)
