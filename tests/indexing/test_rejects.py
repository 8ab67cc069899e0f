"""The file of what was left out is that of the last run, whoever started it, however it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.errors import SourceError
from retrieval.indexing.rejects import REJECTS_FILE, kept_rejects, read_rejects, write_rejects
from retrieval.sources import Reject
from tests.support.shop import Shop


def test_a_build_replaces_what_an_earlier_run_left_out(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    file = tmp_path / "i" / REJECTS_FILE
    write_rejects(file, [Reject(7, "old", "image", "", "of an earlier run")])
    shop.rows["P-002"]["image"] = "images/none.png"
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    assert [(reject.row, reject.key) for reject in read_rejects(file, 10)] == [(4, "P-002")]
    shop.rows["P-002"]["image"] = "images/P-002.png"
    retrieval.build(shop.write(), tmp_path / "i")
    assert file.read_text() == ""


def test_a_build_that_fails_leaves_why(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    for row in shop.rows.values():
        row.update(title="", description="", image="")
    with pytest.raises(SourceError, match="no usable row"):
        retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    rejects = read_rejects(tmp_path / "i" / REJECTS_FILE, 100)
    assert {reject.key for reject in rejects} == set(shop.rows)


@pytest.mark.parametrize("content", [None, "[]\n", "{\n", '{"row": 1}\n', "7\n", b"\xff\n"])
def test_a_file_that_is_another_programs_is_passed_over(content: Any, tmp_path: Path) -> None:
    if content is not None:
        file = tmp_path / REJECTS_FILE
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_rejects(tmp_path / REJECTS_FILE, 10) == []


def test_ids_with_line_separators_are_read_as_they_were_written(tmp_path: Path) -> None:
    rejects = [
        Reject(None, "a\u2028b\r", "image", "\x85", "one\x0bline"),
        Reject(2, None, "", "", ""),
    ]
    write_rejects(tmp_path / REJECTS_FILE, rejects)
    assert read_rejects(tmp_path / REJECTS_FILE, 10) == rejects
    assert read_rejects(tmp_path / REJECTS_FILE, 1) == rejects[:1]


def test_a_run_without_an_index_or_rejects_makes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "i" / REJECTS_FILE
    with pytest.raises(KeyboardInterrupt), kept_rejects(file, tmp_path / "i"):
        raise KeyboardInterrupt
    assert not (tmp_path / "i").exists()
    with pytest.raises(KeyboardInterrupt), kept_rejects(file, tmp_path / "i") as rejects:
        rejects.append(Reject(1, "A", "row", "", "empty"))
        raise KeyboardInterrupt
    assert read_rejects(file, 10) == rejects
