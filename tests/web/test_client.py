"""A served catalog asked by the client: the same answers as the local one gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from retrieval.client import Client
from retrieval.errors import ImageError, NotFound, QueryError, ServerError
from tests.support.server import Server
from tests.support.shop import SAMPLES

VASE = SAMPLES / "images" / "vase-vs-2277-blu.jpg"


@pytest.fixture(scope="module")
def remote(server: Server) -> Iterator[Client]:
    with Client(server.address + "/") as made:
        yield made


@pytest.fixture(scope="module")
def local(samples_index: Path) -> Any:
    import retrieval

    return retrieval.open(samples_index)


@pytest.mark.parametrize(
    "asked",
    [
        {"text": "blue glass vase", "limit": 7},
        {"text": ["walnut chair", "with armrests"], "minus": ["metal", "plastic"]},
        {"text": "chair", "where": {"category": "Chairs", "price": {"<": 300}}, "offset": 2},
        {"text": "lamp", "where": ["price<100", "brand!=Tarn"]},
        {"like": "VS-2277-BLU", "unlike": ["VS-2277-GRE"], "text": "slim"},
        {"text": "vase", "weights": {"text": 0.3}, "mode": "vector", "scope": "texts"},
    ],
    ids=str,
)
def test_it_answers_as_the_catalog_itself(remote: Client, local: Any, asked: Any) -> None:
    here, there = local.search(**asked), remote.search(**asked)
    assert [(hit.id, hit.score, hit.weak) for hit in here] == [
        (hit.id, hit.score, hit.weak) for hit in there
    ]
    assert here.total == there.total and here.query == there.query and len(here) > 0
    assert there[0].matched.kind == here[0].matched.kind


@pytest.mark.parametrize(
    "asked",
    [
        {"where": {"category": "Chairs", "material": ["oak", "walnut"]}},
        {"where": {"price": {">=": 50, "<=": 400}}, "within": ["category!=Sofas"]},
        {"where": ["price<300", "brand!=Tarn"], "limit": 3, "offset": 5},
    ],
    ids=str,
)
def test_facets_are_those_of_the_catalog_itself(remote: Client, local: Any, asked: Any) -> None:
    here, there = (at.search("chair", facets=True, **asked) for at in (local, remote))
    assert here.facets == there.facets and here.facets.fields
    assert [hit.id for hit in here] == [hit.id for hit in there]
    assert remote.search("chair", **asked).facets is None


@pytest.mark.parametrize("photo", [VASE, str(VASE), VASE.read_bytes(), "picture"], ids=type)
def test_photos_are_sent_whatever_they_are(remote: Client, photo: Any) -> None:
    image = Image.open(VASE) if photo == "picture" else photo
    found = remote.search(image=image, limit=3)
    assert found[0].id == "VS-2277-BLU" and found[0].images[0].startswith(remote.address)
    both = remote.search("green", image=[image, image], limit=3)
    assert both.query["text"] == ["green"] and len(both.query["image"]) == 2


def test_a_product_is_told_whole(remote: Client, local: Any) -> None:
    there, here = remote.product("VS-2277-BLU"), local.product("VS-2277-BLU")
    assert (there.title, there.price, there.words) == (here.title, here.price, here.words)
    assert len(there.images) == len(here.images) and len(there.words) > 2
    similar = remote.similar("VS-2277-BLU", limit=3)
    assert [hit.id for hit in similar] == [hit.id for hit in local.similar("VS-2277-BLU", limit=3)]
    assert remote.health()["ready"] is True


def test_errors_are_those_of_the_catalog(remote: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        remote.product("nobody")
    with pytest.raises(QueryError, match="nothing is asked"):
        remote.search()
    with pytest.raises(QueryError, match="shade"):
        remote.search("chair", where={"shade of a thing": "1"})
    for name in ("a<b", "a=b", 'say "x"=', ">="):
        with pytest.raises(QueryError, match="no product has") as refused:
            remote.search("chair", where={name: "1"})
        assert repr(name) in str(refused.value), "it arrives as it was asked"
        with pytest.raises(QueryError, match="no product has"):
            remote.search("chair", where={name: {"!=": "1"}}, facets=True)
    with pytest.raises(ImageError, match="not an image"):
        remote.search(image=b"no picture")
    with pytest.raises(ImageError, match=r"none\.png"):
        remote.search(image=tmp_path / "none.png")
    with pytest.raises(ServerError, match="RETRIEVAL_TOKEN"):
        remote.forget_upload("0" * 32)


def test_a_server_that_is_not_there_is_told() -> None:
    with Client("http://127.0.0.1:9", timeout=2) as nobody:
        with pytest.raises(ServerError, match="retrieval serve"):
            nobody.search("chair")
        with pytest.raises(ServerError, match="retrieval serve"):
            nobody.health()


@pytest.mark.parametrize(
    ("address", "path", "whole"),
    [
        ("http://h", "/photos/1", "http://h/photos/1"),
        ("http://h/shop", "/shop/photos/1", "http://h/shop/photos/1"),
        ("http://h/shop/", "/photos/1", "http://h/shop/photos/1"),
        ("http://h:1/a/b", "/a/b/photos/1", "http://h:1/a/b/photos/1"),
        ("http://h/shop", "/shopping/1", "http://h/shop/shopping/1"),
    ],
)
def test_photos_of_a_server_below_a_path_are_below_it_once(
    address: str, path: str, whole: str
) -> None:
    with Client(address) as made:
        assert made._absolute(path) == whole
