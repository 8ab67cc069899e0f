"""No parameter holds the server: each of 100,000 characters costs a tenth of a second at most."""

from __future__ import annotations

import html
import io
import urllib.parse
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from tests.support.shapes import SHAPES, slow

HTTP = (
    "q like mode category attribute where min_price weights balance crop limit facets page sort "
    "photo bogus"
).split()


# The server that ours runs in takes no longer head of a request.
LONGEST_ADDRESS = 250_000


@pytest.mark.parametrize("name", HTTP)
def test_a_long_parameter_is_answered_at_once(client: Any, name: str) -> None:
    """What the client of the test takes to write the request counts for nothing."""
    client.get("/api/v1/search?q=mug")  # what is made once is made now
    sent = {shape: urllib.parse.urlencode({"q": "mug", name: shape}) for shape in SHAPES.values()}

    def ask(method: str, path: str, shape: str) -> None:
        environ = create_environ(path, method=method)
        if method == "GET":
            fits = len(sent[shape]) <= LONGEST_ADDRESS
            environ["QUERY_STRING"] = sent[shape] if fits else "q=mug"
        else:
            part = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{shape}\r\n'
            body = (part + "--x--\r\n").encode()
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["CONTENT_TYPE"] = "multipart/form-data; boundary=x"
        _, status, _ = run_wsgi_app(client.application, environ)
        assert int(status[:3]) < 500

    assert slow(lambda shape: ask("GET", "/api/v1/search", shape)) == {}
    assert slow(lambda shape: ask("POST", "/api/v1/search", shape)) == {}
    assert slow(lambda shape: ask("GET", "/", shape)) == {}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/products/{}", "/api/v1/products/{}/similar", "/products/{}", "/photos/320/0/{}"],
)
def test_a_long_id_is_answered_at_once(client: Any, path: str) -> None:
    def ask(text: str) -> None:
        environ = create_environ("/")
        environ["PATH_INFO"] = path.format(text.encode().decode("latin-1"))
        _, status, _ = run_wsgi_app(client.application, environ)
        assert 300 <= int(status[:3]) < 500

    assert slow(ask) == {}


@pytest.mark.parametrize("words", ["1984", "12.5", "true", "null", '["red"]', '{"a": 1}', "007"])
def test_words_sent_by_a_form_are_words(client: Any, words: str) -> None:
    """The library that reads forms takes each field for JSON, and so 1984 for no text."""
    answer = client.post("/api/v1/search", data={"q": words, "limit": "2"})
    assert answer.status_code == 200
    assert answer.get_json()["query"]["text"] == [words]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("min_price", "fifty", "'fifty' is not a price; give a number such as 49.90"),
        ("max_price", "12 apples", "'12 apples' is not a price"),
        ("max_price", "-5", "'-5.0' is less than 0"),
        ("min_price", "1.299k", "may be either of two prices"),
        ("balance", "half", "'half' is not a whole number"),
        ("balance", "101", "'101' is more than 100"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said_in_words(
    client: Any, name: str, value: str, told: str
) -> None:
    api = client.get("/api/v1/search", query_string={"q": "mug", name: value})
    site = client.get("/", query_string={"q": "mug", name: value})
    assert (api.status_code, site.status_code) == (422, 400)
    assert api.get_json()["detail"].startswith(f"{name}: ") and told in api.get_json()["detail"]
    page = html.unescape(site.get_data(as_text=True))
    assert told in page and "Input should" not in page


@pytest.mark.parametrize(
    ("typed", "price"), [("49,90", 49.9), ("1.299 \u20ac", 1299), ("2k", 2000), ("1.299", 1.299)]
)
def test_prices_are_read_as_people_type_them(client: Any, typed: str, price: float) -> None:
    answer = client.get("/api/v1/search", query_string={"q": "mug", "min_price": typed}).get_json()
    assert answer["query"]["where"] == [f"price>={float(price)}"]
