"""Photos that are odd, slow or of other kinds cost an index themselves alone, and are told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import retrieval
from tests.faults.hostile_images import photo
from tests.support.commands import answer, run


def encoded(seed: str, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    photo(seed, (400, 300)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "mug.jpg").write_bytes(encoded("mug", "JPEG"))
    return folder


def test_a_photo_that_takes_too_long_does_not_hold_the_run(
    folder: Path, tmp_path: Path, tiny_model: str
) -> None:
    (folder / "slow.ppm").write_bytes(b"P3 4000 4000 255 " + b"7 " * 6_000_000)
    (folder / "teapot.png").write_bytes(encoded("teapot", "PNG"))
    report = retrieval.build(folder, tmp_path / "i", model=tiny_model, decode_seconds=0.3)
    assert [reject.key for reject in report.rejects] == ["slow.ppm"]
    assert "decode_seconds" in report.rejects[0].reason
    assert report.images == 2 and report.products == 3


def test_a_photo_cut_at_its_end_is_indexed_and_told(
    folder: Path, tmp_path: Path, tiny_model: str
) -> None:
    data = encoded("plate", "JPEG", quality=90)
    (folder / "plate.jpg").write_bytes(data[:-60])
    (folder / "endless.jpg").write_bytes(encoded("endless", "JPEG")[:-2])
    made = run("index", folder, "--index", tmp_path / "i", "--model", tiny_model)
    assert made.exit_code == 0, made.output
    assert "plate.jpg" in made.stderr and "incomplete" in made.stderr
    assert "endless" not in made.stderr
    hits = retrieval.open(tmp_path / "i").search(image=data)
    assert hits[0].id == "plate.jpg"
    again = answer(run("index", folder, "--index", tmp_path / "j", "--model", tiny_model, "--json"))
    assert (again["images"], again["incomplete"], again["rejected"]) == (3, 1, 0)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("jp2", "JPEG2000"), ("ppm", "PPM"), ("tga", "TGA"), ("ico", "ICO"), ("pcx", "PCX")],
)
def test_pictures_of_many_kinds_are_found_by_themselves(
    folder: Path, tmp_path: Path, tiny_model: str, suffix: str, kind: str
) -> None:
    path = folder / f"plate.{suffix}"
    path.write_bytes(encoded("plate", kind))
    report = retrieval.build(folder, tmp_path / "i", model=tiny_model)
    assert report.rejects == [] and report.passed_over == {}
    assert retrieval.open(tmp_path / "i").search(image=path)[0].id == path.name


def test_pictures_that_are_not_read_are_counted_by_kind(
    folder: Path, tmp_path: Path, tiny_model: str
) -> None:
    for number in range(3):
        (folder / f"{number}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "drawing.XCF").write_bytes(b"gimp xcf file\0")
    (folder / "notes.txt").write_text("no picture")
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    for extra in (("--dry-run",), ()):
        made = run("index", folder, *options, *extra)
        assert made.exit_code == 3, made.output
        assert "4 files passed over: 3 .svg, 1 .xcf" in made.stderr
    made = answer(run("index", folder, *options, "--json"), 3)
    assert made["passed_over"] == {".svg": 3, ".xcf": 1}


def test_a_folder_of_nothing_but_such_pictures_says_so(tmp_path: Path, tiny_model: str) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "mug.svg").write_text("<svg/>")
    with pytest.raises(retrieval.RetrievalError, match=r"1 file passed over: 1 \.svg"):
        retrieval.build(folder, tmp_path / "i", model=tiny_model)


@pytest.mark.parametrize(
    ("name", "data", "extra"),
    [
        ("cup.jxl", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "jxl"),
        ("cup.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "heif"),
        ("cup.raf", b"FUJIFILMCCD-RAW " + bytes(90), "raw"),
    ],
)
def test_what_an_extra_reads_names_it(
    folder: Path, tmp_path: Path, tiny_model: str, name: str, data: bytes, extra: str
) -> None:
    from retrieval.images.kinds import KINDS

    if next(kind for kind in KINDS if kind.extra == extra).is_read:
        pytest.skip(f"the extra [{extra}] is installed here")
    (folder / name).write_bytes(data)
    table = folder / "table.csv"
    table.write_text(f"id,title,image\n1,Cup,{name}\n2,Mug,mug.jpg\n", "utf-8")
    report = retrieval.build(table, tmp_path / "i", model=tiny_model)
    assert report.products == 2 and f"retrieval[{extra}]" in report.rejects[0].reason


@pytest.mark.parametrize("size", [(8_160, 6_120), (12_000, 9_000)], ids=["50", "108"])
def test_a_photo_of_a_phone_at_its_full_resolution_is_indexed(
    folder: Path, tmp_path: Path, tiny_model: str, size: tuple[int, int]
) -> None:
    Image.radial_gradient("L").resize(size).save(folder / "phone.jpg", quality=20)
    report = retrieval.build(folder, tmp_path / "i", model=tiny_model)
    assert report.rejects == [] and report.images == 2
