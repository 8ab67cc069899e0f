"""Whatever its id is, a product has a page, a photo and an answer of its own."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import retrieval
from retrieval.client import Client
from retrieval.common.ids import fits_a_path
from retrieval.errors import NotFound, ServerError
from retrieval.settings import load_settings
from retrieval_web import create_app
from tests.support.server import Server
from tests.support.shop import COLOURS, SHAPES, Shop

IDS = [
    "plain", "two words", "A/7", "/A-100", "//A", "a//b", "A-100/", ".", "..", "a/../b", "...",
    "plain/similar", "similar", "similar/similar", "A%2F7", "100%", "a?b=c", "a#b", "a;b", "a\\b",
    "a&b=c", "+1", "\u00e9t\u00e9", "\u6905\u5b50", "\u043a\u0440\u0435\u0441\u043b\u043e",
    "\u0643\u0631\u0633\u064a", "\U0001f6cb", "a\tb", "<b>", "'\"", "~", "id=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def odd_index(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    folder = tmp_path_factory.mktemp("ids")
    shop = Shop(folder / "shop")
    for number, key in enumerate(IDS):
        name = f"P-{number}"
        shape, colour = SHAPES[number % 4], list(COLOURS)[number % 5]
        shop.add(name, shape, colour, title=f"Thing number {number}")
        shop.rows[name]["id"] = key
    report = retrieval.build(shop.write(), folder / "index", model=tiny_model)
    assert report.products == len(IDS)
    return folder / "index"


@pytest.fixture(scope="module")
def odd_server(odd_index: Path) -> Iterator[Server]:
    made = Server(odd_index)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def pages(odd_index: Path) -> Any:
    return create_app(load_settings(index=odd_index)).test_client()


@pytest.mark.parametrize("key", IDS)
def test_the_client_gets_what_it_asks_for(odd_server: Server, key: str) -> None:
    with Client(odd_server.address) as catalog:
        product = catalog.product(key)
        assert product.id == key
        assert key not in [hit.id for hit in catalog.similar(key, limit=50)]
        photo = requests.get(product.images[0], timeout=60)
        assert photo.status_code == 200 and photo.headers["content-type"] == "image/webp"


def test_links_of_the_site_lead_to_their_products(odd_server: Server) -> None:
    """As a browser goes there: it takes steps up out of a path before it asks."""
    for number, key in enumerate(IDS):
        address = f"{odd_server.address}/?{urllib.parse.urlencode({'q': f'number {number}'})}"
        found = requests.get(address, timeout=60).text
        link = re.search(rf'<h3><a href="([^"]*)">Thing number {number}</a>', found)
        assert link is not None, key
        plain = re.sub("%2e", ".", unescape(link[1]), flags=re.IGNORECASE)
        page = requests.get(urllib.parse.urljoin(odd_server.address + "/", plain), timeout=60).text
        assert f"<h1>Thing number {number}</h1>" in page, key


def test_the_older_addresses_stay(pages: Any) -> None:
    for key in ("plain", "A/7", "two words", "\u6905\u5b50"):
        quoted = urllib.parse.quote(key)
        assert pages.get(f"/products/{quoted}").status_code == 200
        assert pages.get(f"/api/v1/products/{quoted}").get_json()["id"] == key
        assert pages.get(f"/api/v1/product?id={quoted}").get_json()["id"] == key
        assert pages.get(f"/api/v1/product/similar?id={quoted}&limit=2").status_code == 200
    assert pages.get("/product?id=nobody").status_code == 404
    assert pages.get("/api/v1/product").status_code == 422


@given(key=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_an_id_in_a_path_survives_what_browsers_do_to_it(key: str) -> None:
    if not fits_a_path(key):
        return
    path = "/products/" + urllib.parse.quote(key)
    joined = urllib.parse.urljoin("http://shop.example/", path)
    sent = requests.Request("GET", joined).prepare().path_url
    assert urllib.parse.unquote(sent) == f"/products/{key}"


@pytest.mark.parametrize(
    "body", ["[]", "{}", '"text"', "null", '{"results": [1]}', '{"id": "a"}', "<html>", ""]
)
def test_an_answer_of_another_kind_is_an_error_of_the_client(body: str) -> None:
    class Other(requests.Session):
        def request(self, *_: Any, **__: Any) -> requests.Response:  # type: ignore[override]
            answer = requests.Response()
            answer.status_code, answer._content = 200, body.encode()
            return answer

    with Client("http://127.0.0.1:9", session=Other()) as catalog:
        for ask in (catalog.product, catalog.similar, catalog.search):
            with pytest.raises(ServerError, match="same version"):
                ask("plain")


def test_nobody_is_not_found(odd_server: Server) -> None:
    with Client(odd_server.address) as catalog:
        for key in ("nobody", "/nobody", "nobody/similar", "../nobody"):
            for ask in (catalog.product, catalog.similar):
                with pytest.raises(NotFound, match="nobody"):
                    ask(key)
