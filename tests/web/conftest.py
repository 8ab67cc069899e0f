"""The application over the drawn shop, and a real server of the samples with a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.settings import load_settings
from retrieval_web import create_app
from tests.support.server import Server


@pytest.fixture
def app(index: Path) -> Any:
    made = create_app(load_settings(index=index, upload_bytes=2_000_000, upload_pixels=4_000_000))
    made.extensions["site"].warm()
    return made


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


@pytest.fixture(scope="session")
def server(samples_index: Path) -> Iterator[Server]:
    made = Server(samples_index)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: the site is not looked at in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()
