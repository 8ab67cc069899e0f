"""The real server under uploads that mean harm: a clear answer each time, and it lives."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import threading
import urllib.parse
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.support.server import Server
from tests.support.shop import SAMPLES


def posted(server: Server, data: bytes, name: str = "photo.jpg") -> requests.Response:
    files = {"image": (name, data, "image/jpeg")}
    return requests.post(f"{server.address}/api/v1/search", files=files, timeout=60)


@pytest.fixture(autouse=True)
def lives_on(server: Server) -> Iterator[None]:
    """Whatever a test has sent, people are answered after it."""
    yield
    answer = requests.get(f"{server.address}/api/v1/search?q=blue+vase", timeout=60)
    assert answer.status_code == 200 and answer.json()["results"]


def test_fifty_megabytes_are_refused(server: Server) -> None:
    try:
        answer = posted(server, b"\xff\xd8" + b"x" * 50_000_000)
    except requests.ConnectionError:
        return  # told, and the door closed before all of it was through
    assert answer.status_code == 413


def test_a_picture_that_would_fill_the_memory_is_refused(server: Server) -> None:
    """A gigapixel in a few kilobytes, by its header alone."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    small = bytearray(buffer.getvalue())
    small[16:24] = (60_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(small[12:29]).to_bytes(4, "big")
    answer = posted(server, bytes(small), "bomb.png")
    assert answer.status_code == 422 and "60000 x 60000" in answer.json()["detail"]


def test_a_photo_cut_off_anywhere_is_refused_or_seen(server: Server) -> None:
    photo = (SAMPLES / "images" / "vase-vs-2277-blu.jpg").read_bytes()
    for length in (1, 2, 20, 300, len(photo) // 2, len(photo) - 1):
        assert posted(server, photo[:length]).status_code in (200, 422)


def test_uploads_that_never_end_do_not_keep_others_waiting(server: Server) -> None:
    host = urllib.parse.urlsplit(server.address)
    assert host.hostname is not None
    head = (
        b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    hanging = [socket.create_connection((host.hostname, host.port or 80)) for _ in range(20)]
    try:
        for connection in hanging:
            connection.sendall(head)
        answer = requests.get(f"{server.address}/api/v1/search?q=chair", timeout=20)
        assert answer.status_code == 200
    finally:
        for connection in hanging:
            connection.close()


def test_many_bad_uploads_at_once_are_each_answered(server: Server) -> None:
    bad = [b"", b"x" * 1000, b"<svg onload=alert(1)>", b"GIF89a", b"\xff\xd8\xff\xe0" + b"\0" * 99]
    statuses: list[int] = []

    def send(number: int) -> None:
        statuses.append(posted(server, bad[number % len(bad)], "../../x.jpg").status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [422] * 20


def test_a_port_that_is_taken_is_told_in_a_line(server: Server, samples_index: Path) -> None:
    port = server.address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "retrieval", "serve", "--port", port]
    made = subprocess.run(
        [*command, "--index", str(samples_index)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 1 and f"port {port}" in made.stderr and "--port" in made.stderr
    assert "Traceback" not in made.stderr
