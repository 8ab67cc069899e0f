"""`retrieval index`: what it reports, what it refuses, and how it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from retrieval.storage.folder.lock import writing
from tests.support.commands import answer, process, run
from tests.support.models import no_model
from tests.support.shop import Shop, read_json_lines


def test_index_reports_the_promised_keys(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    made = answer(
        run("index", shop.path, "--index", tmp_path / "i", "--model", tiny_model, "--json")
    )
    assert {
        "products", "images", "texts", "embedded", "reused", "rejected", "removed", "seconds",
        "images_per_second", "generation", "model",
    } <= set(made)  # fmt: skip
    assert (made["products"], made["generation"], made["model"]) == (20, 1, tiny_model)
    del shop.rows["P-000"]
    again = answer(run("index", shop.write(), "--index", tmp_path / "i", "--prune", "--json"))
    assert (again["removed"], again["embedded"], again["generation"]) == (1, 0, 2)


def test_the_mapping_is_shown_before_indexing(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    result = run(
        "index", shop.path, "--index", tmp_path / "i", "--model", tiny_model, "--map", "title=brand"
    )
    assert "title <- brand" in result.stderr
    assert "kept as attributes: title, colour" in result.stderr
    assert "products    20" in result.stdout


def test_rejected_rows_give_exit_code_3_and_a_file(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    shop.rows["P-002"]["image"] = "images/none.png"
    shop.rows["P-004"]["price"] = "cheap"
    shop.write()
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    result = run("index", shop.path, *options, "--rejects", tmp_path / "rejects.jsonl")
    assert result.exit_code == 3
    rejects = read_json_lines(tmp_path / "rejects.jsonl")
    assert [(r["row"], r["key"], r["field"]) for r in rejects] == [
        (6, "P-004", "price"),
        (4, "P-002", "image"),
    ] or [(r["row"], r["key"], r["field"]) for r in rejects] == [
        (4, "P-002", "image"),
        (6, "P-004", "price"),
    ]
    assert all(r["reason"] for r in rejects)
    assert "row 4 (P-002), image 'images/none.png': no such file" in result.stderr
    answer(run("index", shop.path, *options, "--json"), 3)
    assert len(read_json_lines(tmp_path / "i" / "rejects.jsonl")) == 2
    shop.rows["P-002"]["image"] = "images/P-002.png"
    shop.rows["P-004"]["price"] = "5"
    answer(run("index", shop.write(), *options, "--json"), 0)
    assert (tmp_path / "i" / "rejects.jsonl").read_text() == ""


def test_rejects_are_written_also_where_the_run_fails(tmp_path: Path, tiny_model: str) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes("id,title\n1,red mug,groß\n2,gr\u00fcn\n".encode("latin-1"))
    done = run(
        "index", source, "--index", tmp_path / "i", "--model", tiny_model, "--rejects",
        tmp_path / "rejects.jsonl",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "row 2, row: the row has 3 cells" in str(done.exception)
    assert [reject["row"] for reject in read_json_lines(tmp_path / "rejects.jsonl")] == [2, 3]


def test_a_dry_run_needs_no_model_and_writes_nothing(shop: Shop, tmp_path: Path) -> None:
    with no_model():
        made = answer(run("index", shop.path, "--index", tmp_path / "i", "--dry-run", "--json"))
    assert (made["added"], made["dry_run"], made["generation"]) == (20, True, None)
    assert not (tmp_path / "i").exists()


def test_products_that_a_source_lacks_are_told_of(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    """A second catalog indexed into the first one's index would show up among its results."""
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    assert "are kept" not in run("index", shop.path, *options).stderr
    shop.rows["P-001"] |= {"image": "images/none.png", "title": "", "description": ""}
    faulty = run("index", shop.write(), *options)
    assert faulty.exit_code == 3 and "are kept" not in faulty.stderr, "it is there, with a fault"
    other = tmp_path / "other.csv"
    other.write_text("id,title\nX-1,lamp\n")
    told = "20 products that the source does not have are kept; --prune drops them"
    assert told in run("index", other, *options, "--dry-run").stderr
    assert told in run("index", other, *options).stderr
    assert "are kept" not in run("index", other, *options, "--prune").stderr


def test_a_table_in_a_folder_of_photos_is_pointed_to(shop: Shop, tmp_path: Path) -> None:
    photos = ("index", shop.path.parent, "--dry-run", "--index", tmp_path / "i")
    assert f"{shop.path.name} beside them is not read" in run(*photos).stderr


def test_the_second_writer_is_told_of_the_first(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    with writing(tmp_path / "i"):
        done = process("index", shop.path, "--index", tmp_path / "i", "--model", tiny_model)
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr


def batches(index: Path) -> int:
    """How many batches an indexer has committed so far."""
    try:
        connection = sqlite3.connect(f"file:{index}/catalog.db?mode=ro", uri=True)
        with contextlib.closing(connection):
            rows = connection.execute("SELECT value FROM state").fetchall()
    except sqlite3.Error:
        return 0
    return int(rows[0][0]) if rows else 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(
    tmp_path: Path, tiny_model: str, sent: signal.Signals
) -> None:
    shop = Shop(tmp_path / "shop")
    for number in range(60):
        name = f"images/n{number}.jpg"
        Image.new("RGB", (700, 700), (number * 4, number, 0)).save(shop.folder / name)
        shop.rows[f"N-{number}"] = {"id": f"N-{number}", "title": f"n {number}", "image": name}
    arguments = ("index", shop.write(), "--index", tmp_path / "i", "--model", tiny_model)
    started = subprocess.Popen(
        [sys.executable, "-m", "retrieval", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RETRIEVAL_BATCH_SIZE": "1"},
        # Where the tests themselves run in the background, Ctrl-C is ignored, and inherited so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Most of its work is still before it: a batch is one photo.
    while batches(tmp_path / "i") < 1:
        assert started.poll() is None
        time.sleep(0.001)
    started.send_signal(sent)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    made = answer(run(*arguments, "--json"))
    assert made["products"] == 60
    assert made["embedded"] < 2 * 60, "the first run's work was kept"
