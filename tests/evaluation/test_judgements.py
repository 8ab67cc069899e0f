"""Logs of searches and TREC files: read as they are meant, written so that others read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import QueryError, SourceError
from retrieval.evaluation.judgements import (
    read_judgements,
    read_run,
    write_qrels,
    write_run,
)
from retrieval.evaluation.searches import judge_run, judge_searches
from tests.support.commands import answer, run


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_each_row_of_a_log_is_a_click_and_clicks_become_grades(tmp_path: Path) -> None:
    log = ["red mug,A"] * 6 + ["red mug,B"] * 3 + ["red mug,C", "lamp,D"]
    read = read_judgements(write(tmp_path / "log.csv", "query,product_id", *log))
    by_text = {read.queries[query]: judged for query, judged in read.relevance.items()}
    assert by_text == {"red mug": {"A": 3, "B": 2, "C": 1}, "lamp": {"D": 3}}


def test_counts_and_relevance_are_taken_as_they_stand(tmp_path: Path) -> None:
    counted = write(tmp_path / "a.csv", "query,sku,clicks", "mug,A,90", "mug,B,31", "mug,C,0")
    assert list(read_judgements(counted).relevance.values()) == [{"A": 3, "B": 2, "C": 0}]
    graded = write(tmp_path / "b.csv", "search,id,relevance", "mug,A,2", "mug,B,0", "mug,C,-1")
    assert list(read_judgements(graded).relevance.values()) == [{"A": 2, "B": 0, "C": -1}]
    shares = read_judgements(write(tmp_path / "d.csv", "query,id,relevance", "mug,A,0.4"))
    assert list(shares.relevance.values()) == [{"A": 0.4}]
    with pytest.raises(SourceError, match="whole numbers"):
        write_qrels(tmp_path / "qrels", shares.relevance)
    lines = [json.dumps({"query": "mug", "product_id": "A", "relevance": 1})]
    assert list(read_judgements(write(tmp_path / "c.jsonl", *lines)).relevance.values()) == [
        {"A": 1}
    ]


def test_a_broken_row_of_a_log_costs_itself_alone(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "query,id,clicks", "mug,A,2", ",B,1", "mug,,1", "mug,C,many")
    read = read_judgements(log)
    assert list(read.relevance.values()) == [{"A": 3}]
    assert [reject.row for reject in read.rejects] == [3, 4, 5]


def test_qrels_and_topics_are_read(tmp_path: Path) -> None:
    qrels = write(tmp_path / "qrels", "1 0 A 2", "1 0 B 0", "2 0 C 1", "3 0 C 1", "broken")
    topics = write(tmp_path / "topics.tsv", "1\tred mug", "2\ta lamp")
    read = read_judgements(qrels, topics)
    assert read.relevance == {"1": {"A": 2, "B": 0}, "2": {"C": 1}}
    assert read.queries == {"1": "red mug", "2": "a lamp"}
    assert len(read.rejects) == 2
    lines = ['{"qid": "1", "query": "red mug"}', '{"qid": "2"}', '{"qid": "3", "query": null}']
    partly = read_judgements(qrels, write(tmp_path / "topics.jsonl", *lines))
    assert partly.queries == {"1": "red mug"} and list(partly.relevance) == ["1"]
    table = write(tmp_path / "topics.csv", "qid,query", "1,red mug", "2,a lamp", "3,a vase")
    assert read_judgements(qrels, table).queries["3"] == "a vase"


def test_what_is_written_trecs_own_tool_reads_and_measures_alike(tmp_path: Path) -> None:
    qrels, run_file = tmp_path / "qrels", tmp_path / "run"
    write_qrels(qrels, {"q1": {"A": 1, "B": 2}, "q2": {"C": 1}})
    write_run(run_file, {"q1": ["C", "B", "A"], "q2": ["A", "B"]})
    with qrels.open() as lines:
        judged = pytrec_eval.parse_qrel(lines)
    with run_file.open() as lines:
        found = pytrec_eval.parse_run(lines)
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(found)
    assert {q: v["recip_rank"] for q, v in theirs.items()} == {"q1": 0.5, "q2": 0.0}
    ours = judge_run("run", read_run(run_file), read_judgements(qrels))
    assert ours.measures["run"].by_query["MRR"].tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("a.csv", ["what,id", "mug,A"], "no column `query`"),
        ("a.csv", ["query,what", "mug,A"], "no column `product_id`"),
        ("a.csv", ["query,id", ","], "no usable row"),
        ("qrels", ["1 0 A many"], "no usable judgement"),
    ],
)
def test_files_that_are_no_judgements_are_told(
    tmp_path: Path, name: str, lines: list[str], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        read_judgements(write(tmp_path / name, *lines))


def test_runs_that_cannot_be_read_or_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2: not"):
        read_run(write(tmp_path / "run", "1 Q0 A 1 2.5 x", "1 Q0 A"))
    with pytest.raises(SourceError, match="white space"):
        write_run(tmp_path / "out", {"q1": ["A B"]})
    with pytest.raises(SourceError, match="cannot be read"):
        read_run(tmp_path / "none")
    with pytest.raises(SourceError, match="query-id<TAB>text"):
        read_judgements(write(tmp_path / "qrels", "1 0 A 1"), write(tmp_path / "topics", "1 mug"))


def test_searches_are_judged_in_each_mode(catalog: Any, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "query,id", "P-003,P-003", "P-007,P-007", "mug,gone")
    judged = judge_searches(catalog, read_judgements(log), Quiet())
    shown = judged.as_dict()
    assert shown["queries"] == 3 and shown["unknown_products"] == 1
    assert shown["systems"]["lexical"]["R@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert shown["systems"]["hybrid"]["R@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert set(shown["difference"]) == {"hybrid - vector", "hybrid - lexical"}


def test_unasked_queries_and_judgements_of_nothing_are_refused(
    catalog: Any, tmp_path: Path
) -> None:
    with pytest.raises(QueryError, match="--topics FILE"):
        judge_searches(catalog, read_judgements(write(tmp_path / "qrels", "1 0 A 1")), Quiet())
    nothing = read_judgements(write(tmp_path / "qrels", "1 0 A 0"))
    with pytest.raises(QueryError, match="nothing is right"):
        judge_searches(catalog, nothing, Quiet())
    with pytest.raises(QueryError, match="nothing is right"):
        judge_run("run", {}, nothing)
    others = read_judgements(write(tmp_path / "log.csv", "query,id", "mug,1042", "vase,1043"))
    with pytest.raises(
        QueryError, match=r"none of the 2 products .* are these its ids: 1042, 1043"
    ):
        judge_searches(catalog, others, Quiet())


def test_the_command_judges_writes_and_reads_again(index: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "query,id", "P-003,P-003", "red mug,P-000", ",P-001")
    made = answer(
        run(
            "evaluate",
            "--index",
            index,
            "--judgements",
            log,
            "--write-run",
            tmp_path / "run",
            "--write-qrels",
            tmp_path / "qrels",
            "--json",
        ),
        3,
    )
    assert made["rejected"] == 1
    again = answer(
        run(
            "evaluate",
            "--judgements",
            tmp_path / "qrels",
            "--read-run",
            tmp_path / "run",
            "--json",
        )
    )
    ours = made["judgements"]["systems"]["hybrid"]
    assert again["judgements"]["systems"]["run"] == ours
    shown = run("evaluate", "--index", index, "--judgements", log)
    assert "hybrid - lexical" in shown.stdout and "2 searches" in shown.stdout


def test_what_the_environment_says_of_models_is_no_flag(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: str
) -> None:
    monkeypatch.setenv("RETRIEVAL_MODEL", tiny_model)
    log = write(tmp_path / "log.csv", "query,id", "P-003,P-003")
    answer(run("evaluate", "--index", index, "--judgements", log, "--json"))
    refused = run("evaluate", "--judgements", log, "--read-run", log, "--write-run", "x")
    assert refused.exit_code == 2 and "leave out --write-run" in refused.stderr


def test_the_samples_own_queries_judge_the_starter(samples_index: Path) -> None:
    """The descriptions written apart from the catalog's find their product among the first ten."""
    paraphrases = Path(__file__).resolve().parents[2] / "samples" / "paraphrases.csv"
    judged = judge_searches(
        retrieval.open(samples_index), read_judgements(paraphrases), Quiet()
    ).as_dict()
    assert judged["queries"] == 150 and judged["unknown_products"] == 0
    assert judged["systems"]["hybrid"]["R@10"] >= 0.97
