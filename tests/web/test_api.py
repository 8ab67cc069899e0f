"""What programs are promised: keys, statuses, problems, headers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

import retrieval
from retrieval.errors import SettingsError
from retrieval.settings import load_settings
from tests.support.shop import Shop, draw_product
from web import create_app


def png(shape: str = "mug", colour: str = "red", size: tuple[int, int] = (120, 120)) -> io.BytesIO:
    buffer = io.BytesIO()
    draw_product(shape, colour, size).save(buffer, "PNG")
    buffer.seek(0)
    return buffer


def send(client: Any, photo: bytes, name: str) -> Any:
    """Posts a photo; encoded in memory, as the test client's own temporary files stay open."""
    sent = FileStorage(io.BytesIO(photo), filename=name)
    boundary, body = encode_multipart({"image": sent})
    content_type = f'multipart/form-data; boundary="{boundary}"'
    return client.post("/api/v1/search", data=body, content_type=content_type)


def problem(response: Any, status: int) -> str:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    assert {"type", "title", "status", "detail"} == set(response.get_json(force=True))
    return str(response.get_json(force=True)["detail"])


def test_search_answers_as_the_command_line_does(client: Any, catalog: Any) -> None:
    made = client.get("/api/v1/search?q=red+mug&limit=3").get_json()
    assert {"query", "mode", "took_ms", "total", "generation", "results"} <= set(made)
    here = catalog.search(text="red mug", limit=3).as_dict()
    assert [hit["id"] for hit in made["results"]] == [hit["id"] for hit in here["results"]]
    assert made["results"][0]["score"] == here["results"][0]["score"]


def test_facets_are_told_where_they_are_asked_for(client: Any, catalog: Any) -> None:
    answer = client.get("/api/v1/search?q=mug&category=mugs&facets=1").get_json()
    here = catalog.search("mug", where={"category": "mugs"}, facets=True)
    assert answer["facets"] == here.facets.as_list()
    counts = {entry["field"]: entry.get("values") for entry in answer["facets"]}
    assert len(counts["category"]) == 4, "the other categories stay to be chosen"
    assert "facets" not in client.get("/api/v1/search?q=mug").get_json()
    typed = client.get("/api/v1/search?q=mug&where=category%3Dmugs&facets=1").get_json()
    assert "category" not in {entry["field"] for entry in typed["facets"]}, "never lifted"


def test_no_path_of_the_server_is_told(client: Any, shop: Shop, index: Path) -> None:
    told = client.get("/api/v1/search?q=mug").get_data(as_text=True)
    told += client.get("/api/v1/products/P-003").get_data(as_text=True)
    told += client.get("/?q=mug").get_data(as_text=True)
    assert str(shop.folder) not in told and str(index) not in told and "images/P-" not in told


def test_filters_minus_and_pages_are_taken(client: Any) -> None:
    made = client.get("/api/v1/search?q=mug&category=mugs&category=boxs&max_price=20").get_json()
    assert {hit["category"] for hit in made["results"]} <= {"mugs", "boxs"}
    assert all(hit["price"] <= 20 for hit in made["results"]) and made["results"]
    first = client.get("/api/v1/search?q=mug&limit=5").get_json()["results"]
    second = client.get("/api/v1/search?q=mug&limit=5&offset=5").get_json()["results"]
    assert not {hit["id"] for hit in first} & {hit["id"] for hit in second}
    assert client.get("/api/v1/search?q=mug&minus=red&mode=vector").status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("search?q=mug&catgory=mugs", 422, "there is no 'catgory'; did you mean category?"),
        (
            "search?q=mug&colour=red",
            422,
            "no 'colour'; columns of the catalog are asked for by where=",
        ),
        ("products/P-003/similar?page=2", 422, "no 'page'; one of limit, offset"),
        ("search?q=mug&mode=fuzzy", 400, "mode 'fuzzy': one of vector, lexical, hybrid"),
        ("search?q=mug&in=pages", 400, "in 'pages': one of"),
    ],
)
def test_a_filter_that_is_misspelt_is_refused_rather_than_passed_over(
    client: Any, asked: str, status: int, said: str
) -> None:
    assert said in problem(client.get(f"/api/v1/{asked}"), status)


def test_a_link_to_the_site_may_carry_what_others_add_to_it(client: Any) -> None:
    assert client.get("/?q=mug&utm_source=letter").status_code == 200


def test_a_photo_finds_itself_and_what_is_like_it(client: Any, shop: Shop) -> None:
    photo = io.BytesIO((shop.folder / "images/P-004.png").read_bytes())
    made = client.post("/api/v1/search", data={"image": (photo, "x.png"), "limit": "3"}).get_json()
    assert made["results"][0]["id"] == "P-004"
    similar = client.get("/api/v1/products/P-004/similar?limit=4").get_json()
    assert len(similar["results"]) == 4 and "P-004" not in {h["id"] for h in similar["results"]}


def test_a_product_has_an_etag_that_spares_it_being_sent_again(client: Any) -> None:
    first = client.get("/api/v1/products/P-003")
    assert first.get_json()["title"] and first.headers["ETag"]
    again = client.get("/api/v1/products/P-003", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/api/v1/search", 400, "nothing is asked"),
        ("/api/v1/search?q=mug&mode=psychic", 400, "one of vector, lexical, hybrid"),
        ("/api/v1/search?q=mug&limit=0", 422, "limit"),
        ("/api/v1/search?q=mug&limit=many", 422, "limit"),
        ("/api/v1/search?q=mug&min_price=nan", 422, "min_price"),
        ("/api/v1/search?like=NOPE", 404, "no product 'NOPE'"),
        ("/api/v1/products/NOPE", 404, "no product 'NOPE'"),
        ("/api/v1/nothing", 404, ""),
        (f"/api/v1/search?q={'x' * 2001}", 422, "at most 2000"),
    ],
)
def test_errors_are_problems_that_say_what_is_wrong(
    client: Any, address: str, status: int, said: str
) -> None:
    assert said in problem(client.get(address), status)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"GIF89a" + b"\0" * 50, "not an image"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "not an image",
        ),
        (b"PK\x03\x04" + b"\0" * 100, "not an image"),
        (b"%PDF-1.7 " + b"x" * 100, "not an image"),
        (b"x" * 2_500_000, "2,000,000 bytes"),
    ],
)
def test_hostile_uploads_are_refused_with_a_reason(client: Any, data: bytes, said: str) -> None:
    for name in ("photo.jpg", "../../etc/passwd", "a\0b.png", "\u202egnp.exe"):
        assert said in problem(send(client, data, name), 422)
    assert client.get("/api/v1/search?q=mug").status_code == 200


def test_too_large_a_request_and_too_large_a_picture_are_refused(client: Any) -> None:
    problem(send(client, b"x" * 4_000_000, "x.jpg"), 413)
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert "20000 x 20000 pixels" in problem(send(client, bomb.getvalue(), "x.png"), 422)


def test_a_polyglot_is_kept_as_a_picture_alone(client: Any, app: Any) -> None:
    hidden = png().getvalue() + b"<?php system($_GET['c']); ?><script>alert(1)</script>"
    answer = client.post("/", data={"image": (io.BytesIO(hidden), "x.php")})
    kept = answer.headers["Location"].partition("photo=")[2]
    served = client.get(f"/uploads/{kept}")
    assert served.content_type == "image/jpeg" and b"script" not in served.data
    assert b"Exif" not in served.data and app.extensions["site"].uploads.get(kept)


@pytest.mark.parametrize("name", ["..%2f..%2fCURRENT", "a" * 32, "A" * 32, "%00", "x"])
def test_uploads_are_found_by_their_id_alone(client: Any, name: str) -> None:
    assert client.get(f"/uploads/{name}").status_code == 404


def test_the_description_is_openapi_3_1_and_lists_every_promised_route(client: Any) -> None:
    described = client.get("/openapi.json").get_json()
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == {
        "/api/v1/search",
        "/api/v1/products/{product_id}",
        "/api/v1/products/{product_id}/similar",
        "/api/v1/product",
        "/api/v1/product/similar",
        "/api/v1/uploads/{photo_id}",
        "/healthz",
        "/metrics",
    }
    assert set(described["paths"]["/api/v1/search"]) == {"get", "post"}
    names = {one["name"] for one in described["paths"]["/api/v1/search"]["get"]["parameters"]}
    promised = "q minus like mode category brand min_price max_price in limit offset"
    assert set(promised.split()) <= names
    page = client.get("/docs", follow_redirects=True)
    assert page.status_code == 200 and "swagger" in page.get_data(as_text=True)


def test_health_tells_what_is_live_and_metrics_count(client: Any, index: Path) -> None:
    health = client.get("/healthz").get_json()
    manifest = retrieval.open(index).generation.manifest
    assert health["ready"] and health["generation"] == 1 and health["products"] == 20
    assert health["fingerprint"] == manifest.fingerprint
    client.get("/api/v1/search?q=mug")
    metrics = client.get("/metrics").get_data(as_text=True)
    assert 'retrieval_requests_total{route="/api/v1/search",status="200"} 1.0' in metrics
    assert "retrieval_generation 1.0" in metrics


def test_it_is_not_ready_before_the_model_is(index: Path) -> None:
    from retrieval.settings import load_settings

    response = create_app(load_settings(index=index)).test_client().get("/healthz")
    assert response.status_code == 503 and response.get_json()["live"]


def test_a_client_that_asks_too_much_is_told_to_wait(index: Path) -> None:
    from retrieval.settings import load_settings

    app = create_app(load_settings(index=index, rate_limit="3/minute"))
    client = app.test_client()
    answers = [client.get("/api/v1/products/P-001") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[-1].content_type == "application/problem+json"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert all(client.get("/metrics").status_code == 200 for _ in range(5)), "monitoring goes on"


def test_answers_are_compressed_and_hold_their_policy(client: Any) -> None:
    sent = client.get("/api/v1/search?q=mug", headers={"Accept-Encoding": "gzip"})
    assert sent.headers["Content-Encoding"] == "gzip"
    page = client.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in page.headers


def test_a_new_generation_is_served_without_a_restart(client: Any, shop: Shop, index: Path) -> None:
    shop.add("NEW-1", "plate", "purple", title="A brand new plate")
    retrieval.build(shop.write(), index)
    made = client.get("/api/v1/search?q=NEW-1").get_json()
    assert made["generation"] == 2 and made["results"][0]["id"] == "NEW-1"


def test_who_has_no_token_changes_nothing(client: Any, index: Path) -> None:
    address = "/api/v1/uploads/" + "0" * 32
    assert "RETRIEVAL_TOKEN" in problem(client.delete(address), 403)
    app = create_app(load_settings(index=index, token="secret é"))
    guarded = app.test_client()
    problem(guarded.delete(address), 401)
    problem(guarded.delete(address, headers={"Authorization": "Bearer secret"}), 401)
    problem(guarded.delete(address, headers={"Authorization": "Basic c2VjcmV0"}), 401)
    assert "secret" not in str(app.extensions["site"].settings)


def test_an_uploaded_photo_is_forgotten_on_demand(index: Path) -> None:
    app = create_app(load_settings(index=index, token="secret"))
    site = app.extensions["site"]
    photo = site.uploads.add(png().read())
    client = app.test_client()
    allowed = {"Authorization": "Bearer secret"}
    assert client.delete(f"/api/v1/uploads/{photo}", headers=allowed).status_code == 204
    assert client.get(f"/uploads/{photo}").status_code == 404
    problem(client.delete(f"/api/v1/uploads/{photo}", headers=allowed), 404)


def test_other_sites_may_ask_only_where_they_are_named(client: Any, index: Path) -> None:
    origin = {"Origin": "https://shop.example"}
    assert "Access-Control-Allow-Origin" not in client.get("/healthz", headers=origin).headers
    said = client.get("/api/v1/search?q=mug", headers=origin).headers
    assert "Access-Control-Allow-Origin" not in said
    app = create_app(load_settings(index=index, cors_origins="https://shop.example, https://b"))
    opened = app.test_client()
    said = opened.get("/api/v1/search?q=mug", headers=origin).headers
    assert said["Access-Control-Allow-Origin"] == "https://shop.example"
    assert said["Cross-Origin-Resource-Policy"] == "cross-origin"
    other = opened.get("/api/v1/search?q=mug", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Origin" not in opened.get("/", headers=origin).headers


def test_an_answer_that_takes_too_long_is_given_up(index: Path) -> None:
    app = create_app(load_settings(index=index, request_seconds=1e-6))
    answer = app.test_client().get("/api/v1/search?q=mug")
    assert "longer" in problem(answer, 503) and answer.headers["Retry-After"]
    assert answer.get_json(force=True)["type"].endswith(":Overtime")


def test_metrics_tell_where_the_time_goes(client: Any) -> None:
    client.get("/api/v1/search?q=red+mug")
    client.get("/api/v1/search?q=red+mug")
    send(client, png().read(), "mug.png")
    told = client.get("/metrics").get_data(as_text=True)
    values = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    for stage, least in (("decode", 1), ("encode", 3), ("search", 3), ("catalog", 3)):
        assert float(values[f'retrieval_stage_seconds_count{{stage="{stage}"}}']) >= least
    assert float(values['retrieval_text_vectors_total{known="yes"}']) >= 1
    assert float(values["retrieval_batch_items_count"]) >= 2
    assert float(values['retrieval_batch_items_bucket{le="1"}']) >= 2


def test_a_site_that_may_ask_may_show_the_photos(index: Path) -> None:
    app = create_app(load_settings(index=index, cors_origins="https://shop.example/"))
    opened = app.test_client()
    origin = {"Origin": "https://shop.example"}
    found = opened.get("/api/v1/search?q=mug", headers=origin).get_json()["results"][0]
    shown = opened.get(found["image"])
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    asked = {**origin, "Access-Control-Request-Method": "DELETE"}
    allowed = opened.options("/api/v1/search", headers=asked).headers
    assert "DELETE" not in allowed.get("Access-Control-Allow-Methods", "")
    with pytest.raises(SettingsError, match="https://shop"):
        create_app(load_settings(index=index, cors_origins="shop.example"))


def test_only_a_refusal_tells_to_wait(client: Any) -> None:
    assert "Retry-After" not in client.get("/api/v1/search?q=mug").headers


def test_the_docs_are_one_click_away(client: Any) -> None:
    assert client.get("/docs").headers["Location"] == "/docs/swagger"
    assert client.get("/docs/swagger").status_code == 200
