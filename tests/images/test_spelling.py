"""A catalog that came from another system finds its photos, and never another product's."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.images import spelling
from retrieval.images.files import find_image

STEPS = st.text("aZäİßé9 -_%#+.", min_size=1, max_size=8).filter(lambda name: name.strip(". "))


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Photos\\Red-Mug.JPG", "photos/red-mug.jpg"),
        ("photos/Red-Mug.jpg", "Photos/RED-MUG.JPG"),
        ("ÉTÉ/Théière.jpg", "e\u0301te\u0301/the\u0301ie\u0300re.jpg"),
        ("a%20b\\C.PNG", "A b/c.png"),
        (".\\Fotos\\..\\Fotos\\Tasse.Jpeg", "fotos/tasse.jpeg"),
    ],
)
def test_case_and_separators_of_windows(tmp_path: Path, written: str, name: str) -> None:
    photo = put(tmp_path / name)
    assert find_image(tmp_path, written).samefile(photo)


def test_of_two_names_that_differ_in_case_neither_is_guessed(tmp_path: Path) -> None:
    put(tmp_path / "mug.jpg")
    put(tmp_path / "MUG.jpg")
    assert find_image(tmp_path, "MUG.jpg").name == "MUG.jpg", "to the letter"
    assert find_image(tmp_path, "Mug.jpg") == tmp_path / "Mug.jpg"


def test_a_folder_is_listed_once_for_many_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        put(tmp_path / f"photos/p-{number}.jpg")
    listings: list[str] = []
    listed = os.listdir
    monkeypatch.setattr(
        spelling.os, "listdir", lambda folder: listings.append(folder) or listed(folder)
    )
    for number in range(50):
        assert find_image(tmp_path, f"Photos/P-{number}.JPG").exists()
    assert len(listings) <= 2


@pytest.mark.parametrize(
    "form",
    ["file://{}", "file://localhost{}", "FILE://{}", "file:{}", "file://127.0.0.1{}"],
)
@pytest.mark.parametrize("name", ["photo 0.jpg", "100% wool.jpg", "a#b?c.jpg", "grün/é.jpg"])
def test_addresses_of_files(tmp_path: Path, form: str, name: str) -> None:
    photo = put(tmp_path / name)
    for path in (urllib.parse.quote(str(photo)), str(photo)):
        assert find_image(tmp_path / "elsewhere", form.format(path)).samefile(photo), path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEPS, min_size=1, max_size=3))
def test_any_path_is_found_by_its_address(tmp_path: Path, steps: list[str]) -> None:
    photo = put(tmp_path.joinpath(*[f"{step}." for step in steps[:-1]], f"{steps[-1]}.jpg"))
    assert find_image(tmp_path / "no such", photo.as_uri()).samefile(photo)
