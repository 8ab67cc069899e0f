"""`retrieval search`: what people script against, and what they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import answer, main, run
from tests.support.shop import Shop


def test_search_answers_with_the_promised_keys(index: Path, shop: Shop) -> None:
    photo = shop.folder / "images" / "P-003.png"
    found = answer(
        run("search", "red", "bottle", "--image", photo, "--where", "price<100", "--index", index,
            "--weights", "text=0,image=1", "--minus", "plate", "--limit", 3, "--json")
    )  # fmt: skip
    assert {"query", "mode", "took_ms", "total", "generation", "results"} <= set(found)
    assert found["query"]["text"] == ["red bottle"], "words need no quotes"
    assert len(found["results"]) == 3
    more = answer(run("search", "--like", "P-003", "--index", index, "--offset", 2, "--json"))
    assert more["results"][0]["rank"] == 3


@pytest.mark.parametrize("mode", ["vector", "lexical", "hybrid"])
def test_search_shows_a_table(index: Path, mode: str) -> None:
    result = run("search", "red mug", "--index", index, "--mode", mode, "--limit", 2)
    assert result.exit_code == 0
    assert "P-000" in result.stdout
    assert f"1 to 2 of {8 if mode == 'lexical' else 20}, {mode}" in result.stderr


@pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated:DeprecationWarning")
def test_search_shows_photos_where_it_is_asked_to(index: Path) -> None:
    plain = run("search", "red mug", "--index", index, "--limit", 1, "--mode", "lexical")
    shown = run(
        "search", "red mug", "--index", index, "--limit", 1, "--mode", "lexical", "--pictures"
    )
    assert len(shown.stdout.splitlines()) > len(plain.stdout.splitlines())


def test_nothing_found_is_said(index: Path) -> None:
    result = run("search", "zebra", "--index", index, "--mode", "lexical")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing matches" in result.stderr


def test_titles_are_shown_as_they_are_and_not_as_markup(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    shop.rows["P-000"]["title"] = "[red]Mug[/red] :smile: [/"
    run("index", shop.write(), "--index", tmp_path / "i", "--model", tiny_model)
    result = run("search", "P-000", "--index", tmp_path / "i", "--mode", "lexical")
    assert "[red]Mug[/red]" in result.stdout.replace("\n", "")


def test_the_index_is_named_by_the_environment_too(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_INDEX", str(index))
    assert answer(run("search", "mug", "--mode", "lexical", "--json"))["total"] == 5


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--limit", "0", "x"], 2),
        ([], 2),
        (["x", "--where", "nonsense"], 2),
        (["x", "--weights", "foo=1"], 2),
        (["--like", "nobody"], 1),
        (["x", "--where", "flavour=sweet"], 2),
    ],
)
def test_wrong_usage_and_what_is_not_there_have_codes_of_their_own(
    index: Path, options: list[str], code: int
) -> None:
    assert main("search", *options, "--index", index).returncode == code
