"""Figures that people choose a model by must be the field's own, and say how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.encoders import normalise
from retrieval.evaluation.intervals import compare, estimate, summarise
from retrieval.evaluation.metrics import (
    FULL,
    FULL_DEPTH,
    MEASURES,
    NEVER,
    SAME_CATEGORY_AT,
    Measures,
    join,
    judged_queries,
    measure_run,
    measure_vectors,
    same_category,
)

# Names of pytrec_eval, which runs trec_eval's own C code.
TREC = {
    "R@1": "success_1",
    "R@5": "success_5",
    "R@10": "success_10",
    "MRR": "recip_rank",
    "nDCG@10": "ndcg_cut_10",
}
DOCUMENTS = [f"d{number:02d}" for number in range(24)]


def trec_eval(judgements: dict, run: dict) -> list[dict[str, float]]:
    wanted = {"success", "recip_rank", "ndcg_cut", "P", "num_rel"}
    found = pytrec_eval.RelevanceEvaluator(judgements, wanted).evaluate(run)
    return [found[query] for query in judged_queries(judgements)]


# Few distinct scores, exact in single precision: most documents tie with others.
scores = st.integers(0, 6).map(lambda n: n / 4)
runs = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from(DOCUMENTS), scores, min_size=1),
    min_size=3,
    max_size=3,
)
judgements_ = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 3), min_size=1),
    min_size=1,
)


@settings(max_examples=300, deadline=None)
@given(judgements_, runs)
def test_runs_are_measured_as_trec_eval_does_ties_included(judgements: dict, run: dict) -> None:
    ours = measure_run(judgements, run)
    theirs = trec_eval(judgements, run)
    for name in MEASURES:
        expected = [query[TREC[name]] for query in theirs]
        assert ours.by_query[name].tolist() == pytest.approx(expected, abs=1e-9), name


@settings(max_examples=300, deadline=None)
@given(judgements_.filter(judged_queries), runs)
def test_a_first_page_counts_as_full_where_trec_eval_finds_as_much_right_as_there_can_be(
    judgements: dict, run: dict
) -> None:
    """As many as are right at all, at most five: judged apart, by cutting the run there."""
    for query in judged_queries(judgements):
        depth = min(FULL_DEPTH, sum(g > 0 for g in judgements[query].values()))
        order = sorted(run[query], key=lambda d: (run[query][d], d), reverse=True)[:depth]
        cut = {query: {document: float(depth - i) for i, document in enumerate(order)}}
        (theirs,) = trec_eval({query: judgements[query]}, cut)
        ours = measure_run({query: judgements[query]}, {query: run[query]})
        assert ours.by_query[FULL].tolist() == [float(round(theirs["P_5"] * 5) == depth)]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_vectors_are_measured_as_a_run_of_them_would_be(data: st.DataObject) -> None:
    """Copies of vectors tie; the order of the gallery decides, which trec_eval is told by names."""
    seed = data.draw(st.integers(0, 2**16))
    chance = np.random.default_rng(seed)
    distinct = normalise(chance.normal(size=(6, 8)))
    gallery = distinct[chance.integers(0, 6, size=30)]
    queries = normalise(chance.normal(size=(5, 8)))
    relevant = [
        np.sort(chance.choice(30, size=data.draw(st.integers(1, 14)), replace=False))
        for _ in queries
    ]
    ours = measure_vectors(queries, gallery, relevant)
    cosines = np.round(queries @ gallery.T, 6)
    # Ranks of scores stand in for them: trec_eval reads single precision.
    levels = np.unique(cosines, return_inverse=True)[1].reshape(cosines.shape)
    names = [f"d{99 - number}" for number in range(30)]  # later names come first among equals
    judgements = {f"q{i}": {names[j]: 1 for j in rows} for i, rows in enumerate(relevant)}
    run = {f"q{i}": dict(zip(names, map(float, levels[i]), strict=True)) for i in range(5)}
    theirs = trec_eval(judgements, run)
    for name in MEASURES:
        expected = [query[TREC[name]] for query in theirs]
        assert ours.by_query[name].tolist() == pytest.approx(expected, abs=1e-9), name


def test_a_model_that_tells_nothing_apart_gets_what_chance_gives() -> None:
    same = np.ones((200, 4), dtype=np.float32) / 2
    measured = measure_vectors(same, same, [np.array([i]) for i in range(200)])
    assert measured.by_query["R@10"].mean() == pytest.approx(10 / 200)


def test_a_query_that_found_nothing_counts_as_a_miss() -> None:
    measured = measure_run({"q1": {"a": 1}, "q2": {"a": 1}}, {"q1": {"a": 1.0}})
    assert measured.by_query["R@1"].tolist() == [1.0, 0.0]
    assert measured.rank.tolist() == [1, NEVER]
    assert summarise(measure_run({"q2": {"a": 1}}, {}))["median_rank"] is None


def of_hits(hits: np.ndarray) -> Measures:
    values = hits.astype(np.float64)
    return Measures(dict.fromkeys(MEASURES, values), np.where(hits, 1, 50).astype(np.int64))


def test_a_95_percent_interval_holds_the_truth_about_that_often() -> None:
    chance = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        found = estimate(of_hits(chance.random(200) < 0.3), seed=trial)["R@10"]
        held += found.low <= 0.3 <= found.high
    assert 88 <= held <= 100


def test_copies_of_a_query_do_not_make_a_figure_surer() -> None:
    hits = np.random.default_rng(1).random(100) < 0.4
    once = estimate(of_hits(hits))["R@1"]
    copied = of_hits(np.repeat(hits, 9))
    told = estimate(copied, clusters=np.repeat(np.arange(100), 9))["R@1"]
    untold = estimate(copied)["R@1"]
    assert told.high - told.low == pytest.approx(once.high - once.low, rel=0.15)
    assert untold.high - untold.low < 0.5 * (once.high - once.low)


def test_the_interval_of_the_median_rank_holds_it() -> None:
    ranks = np.random.default_rng(2).integers(1, 400, size=301)
    measured = Measures(dict.fromkeys(MEASURES, np.zeros(301)), ranks)
    found = estimate(measured)["median_rank"]
    assert found.low <= found.value == np.median(ranks) <= found.high
    assert found.high - found.low < 120


def test_no_difference_is_not_significant_and_a_plain_one_is() -> None:
    chance = np.random.default_rng(3)
    hits = chance.random(300) < 0.3
    same = compare(of_hits(hits), of_hits(hits))["R@10"]
    assert (same.value, same.p, same.significant) == (0.0, 1.0, False)
    better = compare(of_hits(hits | (chance.random(300) < 0.2)), of_hits(hits))["R@10"]
    assert better.low > 0 and better.p < 0.001 and better.significant


def test_chance_is_called_significant_about_as_rarely_as_it_should_be() -> None:
    chance = np.random.default_rng(4)
    called = 0
    for trial in range(60):
        one, other = (of_hits(chance.random(80) < 0.5) for _ in range(2))
        called += compare(one, other, seed=trial)["R@1"].p < 0.05
    assert called <= 9


def test_different_queries_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="must be the same"):
        compare(of_hits(np.ones(3) > 0), of_hits(np.ones(4) > 0))


def test_nothing_measured_is_said_to_be_nothing() -> None:
    assert summarise(join([])) == {"queries": 0}


def test_neighbours_of_the_same_category_are_counted_without_a_products_own_photos() -> None:
    angles = np.array([0.0, 0.01, 0.02, 0.03, 1.0, 1.01])
    photos = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    owners = np.array([0, 0, 1, 2, 3, 4])
    labels = ["mug", "mug", "mug", "lamp", "lamp", None]
    found = same_category(photos, owners, labels)
    assert found is not None and len(found) == 5, "a photo without a label asks nothing"
    # With six photos all others are neighbours: of the first, one mug among four.
    assert found[0] == pytest.approx(1 / 4) and found[2] == pytest.approx(2 / 5)
    asked = same_category(photos, owners, labels, np.array([2, 5]))
    assert asked is not None and asked.tolist() == [found[2]]
    assert same_category(photos, owners, ["mug"] * 6) is None


@given(st.integers(7, 40), st.integers(2, 4), st.integers(0, 10_000))
def test_neighbours_of_the_same_category_are_those_of_a_plain_sort(
    count: int, classes: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    photos = normalise(chance.normal(size=(count, 8)))
    labels = [str(label) for label in chance.integers(0, classes, count)]
    labels[:2] = ["0", "1"]
    found = same_category(photos, np.arange(count), labels)
    assert found is not None
    for row in range(count):
        near = sorted(set(range(count)) - {row}, key=lambda i: -float(photos[row] @ photos[i]))
        same = [labels[i] == labels[row] for i in near[:SAME_CATEGORY_AT]]
        assert found[row] == pytest.approx(np.mean(same))
