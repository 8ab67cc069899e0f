"""Photos of visitors: how many, whose go first, and who may read them."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retrieval.errors import NotFound
from retrieval.images.pool import DecodingPool, Limits
from retrieval.settings import load_settings
from retrieval_web import create_app, uploads
from retrieval_web.uploads import Uploads

LIMITS = Limits(max_pixels=1_000_000, seconds=4.0, memory=1_000_000_000)


def photo(number: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (number % 256, number // 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Uploads]:
    monkeypatch.setattr(uploads, "MAX_STORED", 100)

    def make(**limits: int) -> Uploads:
        return Uploads(tmp_path / "uploads", 1_000_000, LIMITS, DecodingPool(1), **limits)

    return make


@pytest.fixture
def passing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each photo is stored a second after the one before."""
    whole, seconds = uploads.write_whole, iter(range(10_000))

    def write(path: Path, *args: Any, **options: Any) -> None:
        whole(path, *args, **options)
        moment = path.stat().st_mtime - 20_000 + next(seconds)
        os.utime(path, (moment, moment))

    monkeypatch.setattr(uploads, "write_whole", write)


def is_kept(store: Uploads, key: str) -> bool:
    try:
        return bool(store.get(key))
    except NotFound:
        return False


@pytest.mark.usefixtures("passing_time")
def test_who_sends_many_throws_out_its_own(made: Any) -> None:
    store = made()
    mine = store.add(photo(0), "10.0.0.1")
    theirs = [store.add(photo(number), "10.0.0.2") for number in range(1, 60)]
    assert is_kept(store, mine)
    assert [is_kept(store, key) for key in theirs] == [False] * 49 + [True] * 10


@pytest.mark.usefixtures("passing_time")
@pytest.mark.parametrize("clients", [11, 20, 50])
def test_of_many_who_send_many_the_greediest_pay(made: Any, clients: int) -> None:
    store = made()
    mine = store.add(photo(0), "10.0.0.1")
    for number in range(1, 5 * clients):
        store.add(photo(number), f"10.1.0.{number % clients}")
    assert is_kept(store, mine)
    assert len(list((store._folder).glob("*.jpg"))) <= 100


@pytest.mark.usefixtures("passing_time")
def test_bytes_are_limited_as_numbers_are(made: Any) -> None:
    size = len(Uploads.clean(made(), photo(1, 200))[0])
    store = made(store_bytes=40 * size)
    mine = store.add(photo(0, 200), "10.0.0.1")
    for number in range(1, 90):
        store.add(photo(number, 200), f"10.1.0.{number % 12}")
    kept = [path.stat().st_size for path in store._folder.glob("*.jpg")]
    assert is_kept(store, mine) and sum(kept) <= 40 * size and len(kept) > 20
    for number in range(100, 130):
        store.add(photo(number, 200), "10.2.0.1")
    assert is_kept(store, mine)


def test_one_photo_of_two_clients_outlives_either(made: Any) -> None:
    store = made()
    both = {store.add(photo(3), client) for client in ("10.0.0.1", "2001:db8::/64")}
    (key,) = both
    for number in range(10, 40):
        store.add(photo(number), "10.0.0.1")
    assert is_kept(store, key)
    store.forget(key)
    assert not is_kept(store, key)


def test_photos_of_a_former_version_are_found_and_age(made: Any) -> None:
    store = made()
    key = store.add(photo(1))
    (path,) = store._folder.glob("*.jpg")
    path.rename(path.with_name(f"{key}.jpg"))
    assert is_kept(store, key)
    os.utime(path.with_name(f"{key}.jpg"), (0, 0))
    store.add(photo(2))
    assert len(list(store._folder.glob("*.jpg"))) == 1 and not is_kept(store, key)


def test_processes_over_one_folder_know_a_client_alike(made: Any) -> None:
    here, there = made(), made()
    here.add(photo(1), "10.0.0.1")
    there.add(photo(2), "10.0.0.1")
    there.add(photo(3), "10.0.0.2")
    names = [path.stem.partition("-")[2] for path in here._folder.glob("*.jpg")]
    assert len(names) == 3 and len(set(names)) == 2
    assert not any("10.0.0" in path.name for path in here._folder.iterdir())


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_nobody_else_may_read_them_whatever_the_umask(made: Any, umask: Any, mask: int) -> None:
    umask(mask)
    store = made()
    store._folder.chmod(0o755)  # as a former version left it
    store.add(photo(mask))
    assert stat.S_IMODE(store._folder.stat().st_mode) == 0o700
    files = list(store._folder.iterdir())
    assert len(files) == 2, "the photo and the key"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_a_killed_server_left_half_written_is_removed(made: Any) -> None:
    store = made()
    left = store._folder / ".0123.jpg.77"
    left.write_bytes(b"half")
    store.add(photo(1))
    assert left.exists(), "another process may be writing it"
    os.utime(left, (0, 0))
    store.add(photo(2))
    assert not left.exists()


def test_a_folder_that_cannot_be_made_costs_uploads_alone(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    store = Uploads(tmp_path / "uploads", 1_000, LIMITS, DecodingPool(1))
    with pytest.raises(Exception, match="cannot be kept here just now"):
        store.add(photo(1))


@settings(max_examples=60, deadline=None)
@given(
    origin=st.sampled_from(
        ["https://elsewhere.example", "null", "http://localhost.evil.example", "http://evil:80"]
    )
    | st.from_regex(r"https?://[a-z]{1,9}\.example(:[0-9]{2,4})?", fullmatch=True),
    site=st.sampled_from(["cross-site", "same-site", None, "nonsense"]),
    referer=st.booleans(),
    method=st.sampled_from(["POST", "PUT", "DELETE", "PATCH"]),
)
def test_what_another_site_sends_is_refused(
    guarded: Any, origin: str, site: str | None, referer: bool, method: str
) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    headers |= {"Referer": f"{origin}/page?q=1"} if referer and origin != "null" else {}
    if not headers or origin == "null" or not referer:
        headers["Origin"] = origin
    answer = guarded.open("/", method=method, headers=headers)
    assert answer.status_code == 403 and "another site" in answer.get_data(as_text=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Any:
    import retrieval

    folder = tmp_path_factory.mktemp("guarded")
    (folder / "words.csv").write_text("id,title\nn1,a red mug\n")
    retrieval.build(folder / "words.csv", folder / "index", model=tiny_model)
    settings_ = load_settings(
        index=folder / "index", cors_origins="https://shop.example", rate_limit="100000/minute"
    )
    return create_app(settings_).test_client()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"User-Agent": "curl/8"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost:443"},
        {"Referer": "http://localhost/?q=mug"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"},
        {"Sec-Fetch-Site": "cross-site", "Referer": "https://shop.example/search"},
    ],
    ids=str,
)
def test_our_own_pages_programs_and_sites_that_may_are_answered(
    guarded: Any, headers: dict[str, str]
) -> None:
    answer = guarded.post("/", data={"q": "mug"}, headers=headers)
    assert answer.status_code == 303
    assert guarded.post("/api/v1/search", data={"q": "mug"}, headers=headers).status_code == 200
