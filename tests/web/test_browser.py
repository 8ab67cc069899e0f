"""The real server in a real browser: what people see and do, by mouse and by keyboard."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

import retrieval
from retrieval.common.products import Reject
from tests.support.server import Server
from tests.support.shop import SAMPLES, Shop

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
PICTURES = Path(os.environ.get("RETRIEVAL_SCREENSHOTS", ""))


@pytest.fixture
def open_page(browser: Any, server: Server) -> Any:
    contexts = []

    def opened(address: str = "/", **options: Any) -> Any:
        context = browser.new_context(viewport=options.pop("viewport", DESKTOP), **options)
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
        page.on("pageerror", lambda fault: page.faults.append(str(fault)))
        page.goto(server.address + address)
        return page

    yield opened
    for context in contexts:
        context.close()


def keep(page: Any, name: str) -> None:
    """Keeps a screenshot where RETRIEVAL_SCREENSHOTS names a folder."""
    if PICTURES.name:
        page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_words_find_products_everywhere(
    open_page: Any, viewport: dict[str, int], scheme: str, scripts: bool
) -> None:
    page = open_page(viewport=viewport, color_scheme=scheme, java_script_enabled=scripts)
    page.fill("#q", "blue glass vase")
    page.press("#q", "Enter")
    page.wait_for_url("**/?q=blue*")
    assert "Vase" in page.locator(".card h3").first.inner_text()
    assert page.locator("meter").count() > 3
    wide = page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") if scripts else 0
    assert wide <= 0, "the page is wider than the screen"
    top = page.locator(".card").first.bounding_box()["y"]
    assert top < viewport["height"], "products are to be seen without scrolling"
    assert page.faults == []
    keep(page, f"results-{viewport['width']}-{scheme}-{'scripts' if scripts else 'plain'}")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_a_photo_then_words_then_a_facet(open_page: Any, scripts: bool) -> None:
    page = open_page(java_script_enabled=scripts)
    page.set_input_files("#image", SAMPLES / "images" / "vase-vs-2277-blu.jpg")
    if not scripts:
        page.click("button[type=submit] >> nth=0")
    page.wait_for_url("**photo=*")
    assert page.locator(".card h3").first.inner_text().startswith("Grove Decorative Vase")
    page.fill("#q", "green")
    page.press("#q", "Enter")
    page.wait_for_url("**q=green*")
    assert "photo=" in page.url and page.locator(".chip img").count() == 1
    keep(page, f"composed-{'scripts' if scripts else 'plain'}")
    page.click(".facets a >> text=Vases")
    page.wait_for_url("**category=Vases*")
    found = page.url
    page.goto(found)
    assert page.locator("[aria-current=true] >> text=Vases").count() == 1
    assert page.faults == []


def test_a_part_of_the_photo_is_searched_by_dragging_over_it(open_page: Any) -> None:
    page = open_page()
    page.set_input_files("#image", SAMPLES / "images" / "vase-vs-2277-blu.jpg")
    page.wait_for_url("**photo=*")
    page.click("summary >> text=Options")
    box = page.locator(".cropper").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_url("**crop=*")
    assert page.locator(".cropper .part").count() == 1 and page.faults == []


def test_scrolling_brings_more_and_never_the_same_twice(open_page: Any) -> None:
    page = open_page("/?q=wooden+things")
    before = page.locator(".card").count()
    for _ in range(4):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(400)
    titles = page.locator(".card h3 a").evaluate_all("all => all.map(a => a.href)")
    assert len(titles) > before and len(titles) == len(set(titles)) and page.faults == []


def test_the_keyboard_alone_reaches_a_product(open_page: Any) -> None:
    page = open_page("/?q=chair")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.card h3') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/*")
    assert page.locator("h1").count() == 1 and page.locator(".grid .card").count() == 12
    keep(page, "product")


def test_every_page_can_be_read_by_machines_that_read_aloud(open_page: Any) -> None:
    """What axe finds, as far as it needs no rules of its own: names, labels, one h1, languages."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for address in ("/", "/?q=blue+vase", "/?q=zzzz", "/catalog", "/products/VS-2277-BLU", "/no"):
        page = open_page(address, bypass_csp=True)
        found = axe.Axe().run(page)
        assert found.violations_count == 0, f"{address}: {found.generate_report()}"


def test_it_stops_cleanly_and_finishes_what_it_answers(index: Path) -> None:
    """An answer is held up in the middle: by a file it reads, which is a pipe here."""
    made = Server(index)
    for _ in range(3):
        with urllib.request.urlopen(f"{made.address}/api/v1/search?q=mug", timeout=60) as answer:
            assert answer.status == 200
    (index / "rejects.jsonl").unlink()
    os.mkfifo(index / "rejects.jsonl")
    with ThreadPoolExecutor() as asking:
        asked = asking.submit(requests.get, f"{made.address}/catalog", timeout=60)
        with (index / "rejects.jsonl").open("w") as held_up:  # waits for its reader
            made.process.terminate()
            assert not asked.done()
            reject = Reject(7, "B-1", "image", "b.jpg", "the last line")
            held_up.write(json.dumps(reject.as_dict()) + "\n")
        assert made.ended() == 0
        assert asked.result().status_code == 200 and "the last line" in asked.result().text


def test_twenty_generations_are_published_while_clients_search(index: Path, shop: Shop) -> None:
    made = Server(index)
    stop, faults, seen = threading.Event(), [], set()

    def ask(number: int) -> None:
        while not stop.is_set():
            try:
                address = f"{made.address}/api/v1/search?q=P-00{number % 10}&limit=5"
                with urllib.request.urlopen(address, timeout=60) as answer:
                    seen.add(json.load(answer)["generation"])
            except OSError as error:
                faults.append(repr(error))

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for client in clients:
        client.start()
    try:
        for number in range(20):
            shop.rows["P-001"]["title"] = f"Renamed {number}"
            retrieval.build(shop.write(), index)
    finally:
        stop.set()
        for client in clients:
            client.join()
        made.stop()
    assert faults == [], made.log
    assert len(seen) > 1, "no new generation was taken up"


def test_the_map_is_moved_enlarged_and_opens_products(open_page: Any) -> None:
    page = open_page("/catalog")
    whole = page.get_attribute(".map svg", "viewBox")
    page.click(".tools button >> text=+")
    assert page.get_attribute(".map svg", "viewBox") != whole
    page.click(".tools button >> text=All")
    assert page.get_attribute(".map svg", "viewBox") == whole
    page.focus(".map svg")
    for key in ("+", "+", "+", "+", "+", "ArrowLeft"):
        page.keyboard.press(key)
    title = page.locator(".near").inner_text()
    assert title, "who cannot see the map is told what lies at its middle"
    assert page.locator(".map image:not([hidden])").count() > 0, "near by, products are photos"
    box = page.locator(".map svg").bounding_box()
    before = page.get_attribute(".map svg", "viewBox")
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 150, steps=4)
    page.mouse.up()
    assert page.get_attribute(".map svg", "viewBox") != before and page.url.endswith("/catalog")
    page.keyboard.press("ArrowRight")
    title = page.locator(".near").inner_text()
    keep(page, "map")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/*")
    assert page.locator("h1").inner_text() == title and page.faults == []


def test_the_map_works_by_mouse_alone(open_page: Any) -> None:
    page = open_page("/catalog")
    point = page.locator(".map circle").nth(40)
    title = point.locator("xpath=../*[local-name()='title']").text_content()
    point.dispatch_event("click")
    page.wait_for_url("**/products/*")
    assert page.locator("h1").inner_text() == title
