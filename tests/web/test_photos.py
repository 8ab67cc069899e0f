"""Photos of visitors and of the catalog, as the site reads them."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage

from tests.support.shop import Shop


def sent(client: Any, photo: bytes) -> Any:
    data = {"image": FileStorage(io.BytesIO(photo), filename="photo.jpg")}
    return client.post("/api/v1/search", data=data)


def encoded(kind: str, size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def grown(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


BECAME: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "a file without end": grown,
    "a link to itself": lambda path: path.symlink_to(path),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("what", BECAME)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_photo_that_became_something_else_holds_nobody(
    client: Any, shop: Shop, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = client.get("/api/v1/products/P-004").get_json()["images"][0]
    photo = shop.folder / "images/P-004.png"
    photo.unlink()
    monkeypatch.chdir(photo.parent)  # a socket's path may not be long
    BECAME[what](Path(photo.name))
    statuses: list[int] = []
    thread = threading.Thread(
        target=lambda: statuses.append(client.get(picture).status_code), daemon=True
    )
    thread.start()
    thread.join(60)
    assert statuses == [422]


def test_a_phones_photo_is_searched_by(client: Any) -> None:
    answer = sent(client, encoded("JPEG", (4_600, 3_400), quality=30))  # 4 megapixels are allowed
    assert answer.status_code == 200 and answer.get_json()["results"]


def test_a_photo_that_is_too_large_names_the_setting_that_decides(client: Any) -> None:
    answer = sent(client, encoded("PNG", (2_500, 2_000), "L"))
    assert answer.status_code == 422
    told = answer.get_json()["detail"]
    assert "4,000,000" in told and "upload_pixels" in told and "max_image_pixels" not in told


@pytest.mark.parametrize("kind", ["JPEG2000", "TIFF", "TGA", "PPM", "AVIF"])
def test_visitors_may_search_by_photos_of_many_kinds(client: Any, kind: str) -> None:
    answer = sent(client, encoded(kind, (300, 200)))
    assert answer.status_code == 200 and answer.get_json()["results"]


def test_a_visitors_photo_cut_at_its_end_is_searched_by(client: Any) -> None:
    assert sent(client, encoded("JPEG", (300, 200))[:-2]).status_code == 200
