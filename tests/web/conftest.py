"""The application over the drawn shop, and a real server of the samples with a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.settings import load_settings
from web import create_app


@pytest.fixture
def app(index: Path) -> Any:
    made = create_app(load_settings(index=index, upload_bytes=2_000_000, upload_pixels=4_000_000))
    made.extensions["site"].warm()
    return made


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


class Server:
    """`retrieval serve` in a process of its own."""

    def __init__(self, index: Path) -> None:
        command = [sys.executable, "-m", "retrieval", "serve", "--port", "0", "--index", str(index)]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "RETRIEVAL_RATE_LIMIT": "100000/minute"},
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://\S+:(\d+)/", line)
            if found:
                self.address = f"http://127.0.0.1:{found[1]}"
                break
        else:
            raise AssertionError("the server ended before it listened")
        # Its log must be read, or the pipe fills and it stops.
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


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
