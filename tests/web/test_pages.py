"""Pages work as plain links and forms, and nothing of a catalog is ever taken for HTML."""

from __future__ import annotations

import html
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import retrieval
from retrieval.errors import EncoderError
from retrieval.settings import load_settings
from retrieval_web import create_app
from retrieval_web.clients import BehindProxies, Proxies
from tests.support.shop import COLOURS, Shop
from tests.web.test_api import png


def text(response: Any, status: int = 200) -> str:
    page = str(response.get_data(as_text=True))
    assert response.status_code == status, page
    assert response.content_type.startswith("text/html")
    return page


def test_the_start_page_has_examples_that_work(client: Any) -> None:
    page = text(client.get("/"))
    assert 'type="search"' in page and page.count('class="card"') == 12
    assert "P-000" in text(client.get("/?like=P-001"))


def test_a_search_shows_why_each_product_was_found(client: Any) -> None:
    page = text(client.get("/?q=Red+mug"))
    assert "Red mug" in page and "<meter" in page and "More like this" in page


def test_a_photo_is_kept_and_its_address_searches_by_it_again(client: Any, shop: Shop) -> None:
    photo = (shop.folder / "images/P-004.png").read_bytes()
    sent = {"image": (io.BytesIO(photo), "x.png"), "q": "", "minus": ""}
    answer = client.post("/", data=sent)
    assert answer.status_code == 303
    first = text(client.get(answer.headers["Location"]))
    assert first.count('class="card"') == 20
    assert first.index("/products/P-004") < first.index("/products/P-005")
    cropped = text(client.get(answer.headers["Location"] + "&crop=10,10,50,50"))
    assert "10,10,50,50" in cropped
    said = text(client.get(answer.headers["Location"] + "&in=texts"))
    assert 'class="said"' in said


def test_a_photo_stays_when_words_are_added(client: Any) -> None:
    first = client.post("/", data={"image": (png(), "x.png"), "q": ""})
    kept = first.headers["Location"].partition("photo=")[2]
    second = client.post("/", data={"photo": kept, "q": "blue", "like": ["P-001"]})
    assert f"photo={kept}" in second.headers["Location"]
    assert "q=blue" in second.headers["Location"] and "like=P-001" in second.headers["Location"]
    assert "Your photo" in text(client.get(second.headers["Location"]))


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/?photo=" + "0" * 32, 404, "upload it again"),
        ("/?q=mug&sort=beauty", 400, "sort is one of"),
        ("/?q=mug&page=0", 400, "page is a number"),
        ("/?q=mug&page=9999999999", 400, "page is a number"),
        ("/?q=mug&min_price=abc", 400, "min_price"),
        ("/?like=NOPE", 404, "no product"),
        ("/products/NOPE", 404, "no product"),
        ("/nothing/here", 404, "Not Found"),
    ],
)
def test_what_cannot_be_shown_is_a_page_that_says_so(
    client: Any, address: str, status: int, said: str
) -> None:
    page = text(client.get(address), status)
    assert said.lower() in page.lower() and "Search the catalog" in page


@pytest.mark.parametrize("crop", ["1,2,3", "a,b,c,d", "0,0,0,0", "-1,0,50,50", "99.5,0,50,50"])
def test_a_crop_that_is_none_is_told(client: Any, crop: str) -> None:
    kept = client.post("/", data={"image": (png(), "x.png")}).headers["Location"]
    text(client.get(f"{kept}&crop={crop}"), 400)


def test_facets_narrow_down_add_up_and_can_be_taken_back(client: Any) -> None:
    page = text(client.get("/?q=mug&category=mugs"))
    assert page.count('class="card"') == 5 and "(chosen, remove)" in page
    assert "category=mugs&amp;category=plates" in page
    both = text(client.get("/?q=mug&category=mugs&category=plates"))
    assert both.count('class="card"') == 10
    nothing = text(client.get("/?q=mug&category=mugs&max_price=1"))
    assert "Nothing found" in nothing and "Search without filters" in nothing


def test_less_like_a_product_pushes_it_and_its_kind_away(client: Any) -> None:
    page = text(client.get("/?like=P-000"))
    assert "Less like" in page
    pushed = text(client.get("/?like=P-000&unlike=P-004"))
    assert "not like" in pushed and pushed.count('class="card"') == 18
    found = client.get("/api/v1/search?like=P-000&unlike=P-004").get_json()
    assert "P-004" not in {hit["id"] for hit in found["results"]}
    text(client.get("/?like=P-000&unlike=NOPE"), 404)


def test_attributes_with_few_values_are_facets(client: Any) -> None:
    page = text(client.get("/?q=mug"))
    assert "<h2>Colour</h2>" in page and "attribute=colour%3Dred" in page
    red = text(client.get("/?q=mug&attribute=colour%3Dred&attribute=colour%3Dblue"))
    assert red.count('class="card"') == 8 and "(chosen, remove)" in red
    text(client.get("/?q=mug&attribute=colour"), 400)
    found = client.get("/api/v1/search?q=mug&attribute=colour%3Dred").get_json()["results"]
    assert {hit["attributes"]["colour"] for hit in found} == {"red"}


@pytest.mark.parametrize("sort", ["price", "-price"])
def test_prices_order_and_pages_neither_repeat_nor_skip(
    tmp_path: Path, tiny_model: str, sort: str
) -> None:
    prices = {f"n{number}": (number * 37) % 60 + 1 for number in range(60)}
    rows = [f"{key},red mug {key},{price}\n" for key, price in prices.items()]
    client = words_only(tmp_path, tiny_model, "".join(rows), "id,title,price\n")
    shown: list[tuple[str, float]] = []
    for number, count in ((1, 24), (2, 24), (3, 12)):
        page = text(client.get(f"/?q=mug&sort={sort}&page={number}"))
        cards = re.findall(r'<h3><a href="/products/(\w+)">.*?<b>([\d.]+)</b>', page, re.DOTALL)
        assert len(cards) == page.count('class="card"') == count
        shown += [(key, float(price)) for key, price in cards]
    wanted = sorted(prices.items(), key=lambda one: one[1], reverse=sort == "-price")
    assert shown == wanted


def test_html_in_a_catalog_is_shown_as_text(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    shop.add("X&<\"'>", "mug", "red", title=evil, brand=evil, category=f"a/{evil}", finish=evil)
    retrieval.build(shop.write(), tmp_path / "evil", model=tiny_model)
    client = create_app(load_settings(index=tmp_path / "evil")).test_client()
    pages = [client.get("/?q=alert"), client.get("/?like=P-001"), client.get("/")]
    found = client.get("/api/v1/search?q=alert").get_json()["results"][0]
    from urllib.parse import quote

    pages.append(client.get("/products/" + quote(found["id"])))
    pages.append(client.get("/", query_string={"q": evil, "minus": evil, "category": evil}))
    for page in pages:
        shown = text(page)
        assert "<script>alert" not in shown and "<img src=x" not in shown
    assert client.get(found["image"]).content_type == "image/webp"


@pytest.mark.parametrize(
    "words",
    [
        "\u0645\u0631\u062d\u0628\u0627",
        "\U0001f6cb\ufe0f \U0001f44d\U0001f3fd",
        "x" * 2000,
        "' OR 1=1 --",
        "\0",
        "*",
    ],
)
def test_any_words_are_answered(client: Any, words: str) -> None:
    assert client.get("/", query_string={"q": words}).status_code in (200, 400)
    assert client.get("/api/v1/search", query_string={"q": words}).status_code in (200, 400)


def test_a_product_page_shows_all_of_it_and_what_is_like_it(client: Any) -> None:
    page = text(client.get("/products/P-003"))
    for part in ("P-003", "Article number", "Similar products", "Colour", "More like this"):
        assert part in page


def test_the_catalog_page_tells_what_is_live_and_what_was_left_out(
    client: Any, index: Path
) -> None:
    (index / "rejects.jsonl").write_text(
        '{"row": 7, "key": "B-1", "field": "image", "value": "", "reason": "no <such> file"}\n'
    )
    page = text(client.get("/catalog"))
    assert "recall 1.000" in page and "no &lt;such&gt; file" in page


def test_thumbnails_are_small_kept_and_not_sent_twice(client: Any, index: Path) -> None:
    first = client.get("/photos/320/0/P-003")
    with Image.open(io.BytesIO(first.data)) as image:
        assert image.format == "WEBP" and max(image.size) <= 320
    assert list((index / "cache" / "thumbnails").glob("*.webp"))
    again = client.get("/photos/320/0/P-003", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    for address in ("/photos/321/0/P-003", "/photos/320/9/P-003", "/photos/320/0/NOPE"):
        assert client.get(address).status_code == 404


def test_a_photo_whose_file_is_gone_costs_itself_alone(client: Any, shop: Shop) -> None:
    (shop.folder / "images" / "P-003.png").unlink()
    assert client.get("/photos/320/0/P-003").status_code == 422
    assert text(client.get("/products/P-003"))


def words_only(tmp_path: Path, tiny_model: str, rows: str, header: str = "id,title\n") -> Any:
    table = tmp_path / "words.csv"
    table.write_text(header + rows, encoding="utf-8")
    retrieval.build(table, tmp_path / "words", model=tiny_model)
    return create_app(load_settings(index=tmp_path / "words")).test_client()


def test_a_catalog_without_photos_prices_or_categories_is_served(
    tmp_path: Path, tiny_model: str
) -> None:
    client = words_only(tmp_path, tiny_model, "n1,a red mug\nn2,a blue plate\n")
    page = text(client.get("/?q=mug"))
    assert "no photo" in page and "min_price" not in page
    kept = client.post("/", data={"image": (png(), "x.png"), "q": ""}).headers["Location"]
    assert "Nothing found" in text(client.get(kept))
    text(client.get("/?like=n1&in=images"))
    assert text(client.get("/")) and text(client.get("/products/n1"))


def test_ids_with_slashes_are_reached(tmp_path: Path, tiny_model: str) -> None:
    client = words_only(tmp_path, tiny_model, "a/b,a red mug\na//b,a blue plate\n")
    assert "red mug" in text(client.get("/products/a/b"))
    assert client.get("/api/v1/products/a//b").get_json()["title"] == "a blue plate"


def test_what_an_upload_says_beside_its_pixels_is_dropped(client: Any) -> None:
    picture = Image.new("RGB", (60, 40), "red")
    for kind, comment in (("JPEG", b"SECRET-PLACE"), ("GIF", b"S" * 100_000)):
        file = io.BytesIO()
        picture.save(file, kind, comment=comment)
        sent = {"image": (io.BytesIO(file.getvalue()), "x")}
        kept = client.post("/", data=sent).headers["Location"].partition("photo=")[2]
        assert b"SECRET" not in client.get(f"/uploads/{kept}").data
        assert client.get(f"/uploads/{kept}").status_code == 200


def test_an_old_upload_is_not_shown_any_more(client: Any, index: Path) -> None:
    kept = client.post("/", data={"image": (png(), "x.png")}).headers["Location"]
    (file,) = (index / "cache" / "uploads").glob("*.jpg")
    os.utime(file, (0, 0))
    assert "upload it again" in text(client.get(kept), 404)


def test_the_form_keeps_filters_order_and_scope(client: Any) -> None:
    page = text(client.get("/?q=mug&min_price=1&max_price=500&sort=price&in=images&category=mugs"))
    form = page[page.index('<form class="search"') : page.index("</form>")]
    for name in ("min_price", "max_price", "sort", "in", "category"):
        assert f'name="{name}"' in form
    photo = client.post("/", data={"image": (png(), "x.png"), "q": "mug", "category": "mugs"})
    shown = text(client.get(photo.headers["Location"]))
    without = re.search(r'href="([^"]*)" aria-label="Search without your photo"', shown)
    assert without and "category=mugs" in without[1] and "photo=" not in without[1]


def test_a_filter_that_no_facet_lists_can_be_taken_back(client: Any) -> None:
    page = text(client.get("/?q=mug&category=MUGS"))
    assert "Without MUGS" in page


def test_a_page_of_prices_that_has_nothing_is_not_offered(client: Any) -> None:
    address = "/?q=red+mug&sort=price"
    for _ in range(12):
        page = text(client.get(address))
        assert 'class="card"' in page
        following = re.search(r'rel="next" href="([^"]*)"', page)
        if not following:
            break
        address = following[1].replace("&amp;", "&")
    else:
        raise AssertionError("pages without end")


def test_a_model_that_is_gone_is_no_fault_of_the_visitor(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> Any:
        raise EncoderError("the model's files are gone; bring them back")

    monkeypatch.setattr("retrieval.searching.query_encoder.QueryEncoder.of", gone)
    assert "bring them back" in text(client.get("/?q=something"), 503)


def counts_of(page: str, heading: str) -> dict[str, int]:
    """Value -> count of the facet under a heading."""
    part = page.partition(f"<h2>{heading}</h2>")[2].partition("</ul>")[0]
    found = re.findall(r"<span>([^<]*)</span> <small>(\d+)</small>", part)
    return {value: int(count) for value, count in found}


def test_facets_count_what_the_other_filters_leave(client: Any) -> None:
    page = text(client.get("/?q=mug&category=mugs"))
    assert counts_of(page, "Category") == {"mugs": 5, "plates": 5, "boxs": 5, "bottles": 5}
    assert counts_of(page, "Colour") == dict.fromkeys(COLOURS, 1)
    both = text(client.get("/?q=mug&category=mugs&attribute=colour%3Dred"))
    assert counts_of(both, "Category") == dict.fromkeys(("mugs", "plates", "boxs", "bottles"), 1)
    assert counts_of(both, "Colour") == dict.fromkeys(COLOURS, 1)


def test_what_is_clearly_matched_leads_the_facets(samples_index: Path) -> None:
    """Not the largest category, which weak matches fill: who asks for a bottle wants no toy."""
    client = create_app(load_settings(index=samples_index)).test_client()
    page = text(client.get("/?q=green+bottle"))
    kinds = counts_of(page, "Category")
    assert next(iter(kinds)) == "Bottles" and max(kinds.values()) > kinds["Bottles"]
    assert next(iter(counts_of(page, "Color family"))) == "green"


def test_every_price_range_leads_to_as_many_as_it_says(client: Any) -> None:
    page = text(client.get("/?q=mug"))
    ranges = counts_of(page, "Price")
    assert len(ranges) > 1 and sum(ranges.values()) == 20
    links = re.findall(r'href="(/\?[^"]*(?:min|max)_price[^"]*)"', page)
    assert len(links) == len(ranges)
    for link, count in zip(links, ranges.values(), strict=True):
        narrowed = text(client.get(link.replace("&amp;", "&")))
        assert narrowed.count('class="card"') == count, link
        assert counts_of(narrowed, "Price") == ranges, "the other ranges stay to be chosen"


def test_a_product_page_says_what_words_it_goes_by(client: Any) -> None:
    page = text(client.get("/products/P-003"))
    words = re.findall(r'href="/\?q=([^"]+)"', page.partition("Goes by")[2].partition("</ul>")[0])
    assert words and all(text(client.get(f"/?q={word}")) for word in words)


def test_the_map_shows_every_product_without_scripts(client: Any, shop: Shop) -> None:
    page = text(client.get("/catalog"))
    assert page.count("<circle") == len(shop.rows)
    assert all(f'href="/products/{key}"' in page for key in shop.rows)


@pytest.mark.parametrize("typed", ["19,90", "19.90 €", "€ 19,90", "19.9"])
def test_prices_are_taken_as_people_type_them(client: Any, typed: str) -> None:
    page = text(client.get("/", query_string={"q": "mug", "max_price": typed}))
    assert page.count('class="card"') == 10


def test_a_slip_leads_back_to_the_search_it_was_made_in(client: Any) -> None:
    came = {"Referer": "http://localhost/?q=mug&category=mugs"}
    page = text(client.get("/?q=mug&max_price=abc", headers=came), 400)
    assert 'href="http://localhost/?q=mug&amp;category=mugs"' in page
    elsewhere = {"Referer": "https://evil.example/"}
    assert "evil" not in text(client.get("/?q=mug&max_price=abc", headers=elsewhere), 400)


def test_a_page_beyond_the_last_says_so(client: Any) -> None:
    page = text(client.get("/?q=mug&page=99"))
    assert "There is no page 99" in page and "No product meets" not in page


def test_an_order_by_price_is_called_so(client: Any) -> None:
    assert "Cheapest first" in text(client.get("/?q=P-000&sort=price"))


def test_facets_stand_in_one_order(client: Any) -> None:
    for address in ("/?q=mug", "/?q=mug&category=mugs", "/?q=mug&attribute=colour%3Dred"):
        headings = re.findall(r"<h2>(Category|Colour|Price)</h2>", text(client.get(address)))
        assert headings == ["Category", "Colour", "Price"], address


def behind(app: Any, proxies: str | None) -> Any:
    """A client of the site as `serve --trusted-proxy` has it, asked from 127.0.0.1."""
    from werkzeug.test import Client, TestResponse

    served = BehindProxies(app, Proxies(proxies))

    def asked_from_here(environ: Any, start_response: Any) -> Any:
        return served({**environ, "REMOTE_ADDR": "127.0.0.1"}, start_response)

    return Client(asked_from_here, TestResponse)


SHOWN = re.compile(r'(?:href|src|srcset|action|data-photo)="(/[^"]*)"')


@pytest.mark.parametrize("prefix", ["/shop", "/a/b/c", "/shop/", "/x-1_2.3~"])
def test_below_a_path_every_address_leads_below_it(app: Any, prefix: str) -> None:
    below = behind(app, "127.0.0.1")
    headers, path = {"X-Forwarded-Prefix": prefix}, prefix.rstrip("/")
    kept = below.post("/", data={"image": (png(), "x.png")}, headers=headers)
    photo = kept.headers["Location"].removeprefix(path)
    assert kept.headers["Location"].startswith(path + "/?photo=")
    for page in ("/", "/?q=mug", photo, "/?like=P-001", "/products/P-003", "/catalog", "/nothing"):
        shown = SHOWN.findall(below.get(page, headers=headers).get_data(as_text=True))
        assert len(shown) > 3 and all(link.startswith(path + "/") for link in shown), page
        for link in {html.unescape(link.split(" ")[0]) for link in shown[:12]}:
            answer = below.get(link.removeprefix(path), headers=headers)
            assert answer.status_code in (200, 302), link
            answer.close()
    hit = below.get("/api/v1/search?q=mug", headers=headers).get_json()["results"][0]
    assert all(image.startswith(path + "/photos/") for image in hit["images"])
    product = below.get("/api/v1/products/P-003", headers=headers).get_json()
    assert product["images"][0].startswith(path + "/photos/")
    described = below.get("/openapi.json", headers=headers).get_json()
    assert described["servers"] == [{"url": path}]
    assert below.get("/docs", headers=headers).headers["Location"] == path + "/docs/swagger"
    assert f'"{path}/openapi.json"' in below.get("/docs/swagger", headers=headers).text


@pytest.mark.parametrize(
    ("proxies", "prefix"),
    [
        (None, "/shop"),
        ("10.0.0.1", "/shop"),
        ("127.0.0.1", "//evil.example"),
        ("127.0.0.1", "https://evil.example"),
        ("127.0.0.1", "/<script>"),
        ("*", "shop"),
        ("127.0.0.1", '/"onload="x'),
    ],
)
def test_a_path_of_who_is_not_trusted_or_that_is_none_counts_for_nothing(
    app: Any, proxies: str | None, prefix: str
) -> None:
    here = behind(app, proxies)
    for page in ("/", "/?q=mug", "/products/P-003"):
        sent = {"X-Forwarded-Prefix": prefix, "X-Forwarded-Host": "h.example"}
        assert here.get(page, headers=sent).text == here.get(page).text or page == "/?q=mug"
        assert prefix not in here.get(page, headers=sent).text
    assert here.get("/docs", headers=sent).headers["Location"] == "/docs/swagger"


def test_our_form_is_taken_behind_a_proxy_that_says_its_name(app: Any) -> None:
    """Over plain HTTP browsers say no more than whose page it was."""
    sent = {"Origin": "http://shop.lan", "X-Forwarded-Host": "shop.lan"}
    assert behind(app, "127.0.0.1").post("/", data={"q": "mug"}, headers=sent).status_code == 303
    assert behind(app, None).post("/", data={"q": "mug"}, headers=sent).status_code == 403
    host = {"Origin": "http://shop.lan", "Host": "shop.lan"}
    assert behind(app, None).post("/", data={"q": "mug"}, headers=host).status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/?q=red+mug",
        "/products/P-003",
        "/catalog",
        "/photos/320/0/P-003",
        "/docs/swagger",
        "/api/v1/products/P-003",
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
def test_what_a_browser_has_is_not_sent_again(client: Any, address: str, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    first = client.get(address, headers=headers)
    tag = first.headers["ETag"]
    first.close()
    bare = tag.removeprefix("W/").strip('"').partition(":")[0]
    marks = [tag, f'W/"{bare}"', f'"{bare}-gzip"', f'"other", W/"{bare}:br"']
    for mark in marks:
        again = client.get(address, headers={**headers, "If-None-Match": mark})
        assert again.status_code == 304 and again.data == b"", mark
    other = client.get(address, headers={**headers, "If-None-Match": 'W/"other"'})
    assert other.status_code == 200
    other.close()


def test_a_page_that_says_something_else_is_sent(client: Any) -> None:
    tags = [client.get(f"/?q={words}").headers["ETag"] for words in ("mug", "plate", "red mug")]
    assert len(set(tags)) == 3


@pytest.mark.parametrize("address", ["/", "/?q=mug", "/products/P-003", "/catalog", "/nothing"])
def test_pages_say_what_they_are(client: Any, address: str) -> None:
    page = client.get(address).get_data(as_text=True)
    described = re.search(r'<meta name="description" content="([^"]+)">', page)
    assert described and 20 < len(html.unescape(described[1])) < 200


def test_the_interface_is_listed_without_scripts(client: Any) -> None:
    page = client.get("/docs", follow_redirects=True).get_data(as_text=True)
    listed = page.partition("<noscript>")[2].partition("</noscript>")[0]
    described = client.get("/openapi.json").get_json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in listed
            assert html.escape(operation["description"].replace("`", ""))[:30] in listed
    for field in ("max_price", "image", "offset", "photo_id"):
        assert f"<code>{field}</code>" in listed
    assert 'href="/openapi.json"' in listed
    assert 'new URL("/openapi.json"' in page, "and with scripts it is tried out"


def test_what_stands_in_the_address_of_the_form_holds(client: Any) -> None:
    kept = client.post("/?category=mugs&max_price=50", data={"q": "red"}).headers["Location"]
    assert "category=mugs" in kept and "max_price=50" in kept and "q=red" in kept
