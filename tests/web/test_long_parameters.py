"""No parameter holds the server: each of 100,000 characters costs a tenth of a second at most."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.shapes import slow

HTTP = (
    "q minus like unlike mode in category brand attribute where min_price max_price weights "
    "balance crop limit offset facets page sort photo bogus"
).split()


@pytest.mark.parametrize("name", HTTP)
def test_a_long_parameter_is_answered_at_once(client: Any, name: str) -> None:
    client.get("/api/v1/search?q=mug")  # what is made once is made now

    def ask(text: str) -> None:
        fields = {"q": "mug", name: text}
        for answer in (
            client.get("/api/v1/search", query_string=fields),
            client.post("/api/v1/search", data=fields),
        ):
            assert answer.status_code < 500

    def visit(text: str) -> None:
        assert client.get("/", query_string={"q": "mug", name: text}).status_code < 500

    assert slow(ask) == {}
    assert slow(visit) == {}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/products/{}", "/api/v1/products/{}/similar", "/products/{}", "/photos/320/0/{}"],
)
def test_a_long_id_is_answered_at_once(client: Any, path: str) -> None:
    def ask(text: str) -> None:
        assert 300 <= client.get(path.format(text.replace("?", "%3F"))).status_code < 500

    assert slow(ask) == {}
