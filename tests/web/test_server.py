"""Clients that mean harm, or are merely slow, and a server that is told to stop."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import SettingsError
from retrieval.settings import load_settings
from retrieval_web.clients import Proxies, client_of
from retrieval_web.connections import Stage
from retrieval_web.server import Server, connections_for, open_files, raise_open_files

WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HEADER = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = (
    b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b"
)
CHUNKS = BODY.replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked").replace(
    b"\r\n\r\n--b", b"\r\n\r\n5\r\n--b"
)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Running:
    """A server in a thread, of the application or of another in its place."""

    def __init__(self, app: Any, index: Path, **changes: Any) -> None:
        self.clock = Clock()
        self.left: list[int] = []
        settings = load_settings(index=index, **changes)
        self.server = Server(app, settings, host="127.0.0.1", port=0, threads=2, clock=self.clock)
        self.address = self.server.listens[0]
        self._thread = threading.Thread(target=lambda: self.left.append(self.server.run()))
        self._thread.start()
        self._open: list[socket.socket] = []

    def connect(self, client: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection(self.address, 60, (client, 0))
        self._open.append(made)
        return made

    def send(self, data: bytes, client: str = "127.0.0.1") -> socket.socket:
        made = self.connect(client)
        made.sendall(data)
        return made

    def answers(self, client: str = "127.0.0.2") -> bool:
        """Whether a client that behaves is answered; the server has turned once by then."""
        with socket.create_connection(self.address, 60, (client, 0)) as made:
            made.sendall(WHOLE)
            return made.recv(100).startswith(b"HTTP/1.1 200")

    def at(self, stage: Stage) -> int:
        """How many connections of this address are at a stage."""
        those = [one for one in self.server.crowd if one.client == "127.0.0.1"]
        return sum(one.stage is stage for one in those)

    def end(self) -> int:
        self.server.stop()
        self._thread.join()
        for made in self._open:
            made.close()
        return self.left[0]


@pytest.fixture
def run(app: Any, index: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(application: Any = None, **changes: Any) -> Running:
        made.append(Running(application or app, index, **changes))
        return made[-1]

    yield start
    for one in made:
        if not one.left:
            one.end()


def all_of(connection: socket.socket) -> bytes:
    """What came until the other side hung up."""
    parts = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts += part
    return parts


def is_open(connection: socket.socket) -> bool:
    return not select.select([connection], [], [], 0)[0]


@pytest.mark.parametrize(
    "part", [b"", b"G", HEADER, BODY, CHUNKS, b"\r\n\r\n", WHOLE[:-2]], ids=lambda part: part[:9]
)
def test_who_sends_nothing_more_is_hung_up_on(run: Any, part: bytes) -> None:
    running = run()
    slow = running.send(part)
    assert running.answers()
    running.clock.now += 15
    assert running.answers() and is_open(slow), "a slow line is no crime"
    running.clock.now += 30
    assert running.answers()
    assert not all_of(slow).startswith(b"HTTP/1.1 200"), "and the other side is told, or hung up on"


@pytest.mark.parametrize("start", [HEADER, BODY, CHUNKS, b"", WHOLE + HEADER], ids=lambda s: s[:9])
def test_a_byte_a_second_is_not_enough(run: Any, start: bytes) -> None:
    running = run()
    slow = running.send(start)
    if start.startswith(WHOLE):
        assert slow.recv(10_000).startswith(b"HTTP/1.1 200")
    for _ in range(90):
        running.clock.now += 1
        try:
            slow.sendall(b"\n" if not start else b"x")
        except OSError:
            break
        assert running.answers()
    else:
        pytest.fail("it is kept for as long as it trickles")


def test_a_slow_upload_that_goes_on_is_taken(run: Any) -> None:
    running = run()
    slow = running.send(BODY)
    for _ in range(30):
        running.clock.now += 4
        slow.sendall(b"x" * 33_000)
        assert running.answers() and is_open(slow)
    slow.sendall(b"x" * (1_000_003 - 30 * 33_000))
    assert slow.recv(100).startswith(b"HTTP/1.1 4")


def test_who_does_not_read_its_answer_is_hung_up_on(run: Any) -> None:
    body = b"x" * 40_000_000  # more than the system keeps on its way

    def large(_: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    large.config = {"MAX_CONTENT_LENGTH": 1_000}  # type: ignore[attr-defined]
    running = run(large)
    slow = running.send(WHOLE)
    assert slow.recv(10).startswith(b"HTTP/1.1")
    running.clock.now += 15
    while not running.at(Stage.SENDING):
        assert running.answers()
    running.clock.now += 15_000
    assert running.answers() and not running.at(Stage.SENDING)


@pytest.mark.parametrize("part", [b"", HEADER, BODY, CHUNKS, b"x"], ids=lambda part: part[:9])
def test_a_client_with_many_connections_locks_nobody_out(run: Any, part: bytes) -> None:
    running = run(client_connections=8, connections=32)
    held = [running.send(part, "127.0.0.3") for _ in range(100)]
    assert running.answers("127.0.0.2")
    assert running.answers("127.0.0.3"), "others may share its address"
    assert len(running.server.crowd) <= 10
    assert sum(map(is_open, held)) <= 8


def test_many_clients_with_many_connections_lock_nobody_out(run: Any) -> None:
    running = run(client_connections=8, connections=16)
    for number in range(10, 20):
        for _ in range(8):
            running.send(HEADER, f"127.0.0.{number}")
    assert all(running.answers(f"127.0.0.{number}") for number in (2, 3, 10, 15, 19))
    assert len(running.server.crowd) <= 17


class Gate:
    """The application behind a gate that a test opens."""

    def __init__(self, app: Any) -> None:
        self.config = app.config
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self._app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.entered.release()
        self.opened.wait(60)
        return self._app(environ, start_response)


@pytest.fixture
def gate(app: Any) -> Iterator[Gate]:
    made = Gate(app)
    yield made
    made.opened.set()


def test_who_is_being_answered_is_never_given_up_for_others(run: Any, gate: Gate) -> None:
    running = run(gate, client_connections=4)
    asked = [running.send(WHOLE) for _ in range(4)]
    while running.at(Stage.ANSWERING) < 4:
        time.sleep(0.01)
    late = [running.send(HEADER) for _ in range(20)]
    assert all(all_of(one) == b"" for one in late)
    gate.opened.set()
    assert all(one.recv(100).startswith(b"HTTP/1.1 200") for one in asked)


def test_a_trusted_proxy_may_have_as_many_as_it_likes(app: Any, index: Path) -> None:
    settings = load_settings(index=index, client_connections=2)
    server = Server(app, settings, host="127.0.0.1", port=0, threads=1, trusted_proxy="127.0.0.0/8")
    thread = threading.Thread(target=server.run)
    thread.start()
    held = [socket.create_connection(server.listens[0], 60) for _ in range(20)]
    for one in held:
        one.sendall(WHOLE)
    assert all(one.recv(100).startswith(b"HTTP/1.1 200") for one in held)
    server.stop()
    thread.join()
    for one in held:
        one.close()


def test_what_was_accepted_is_answered_before_it_stops(run: Any, gate: Gate) -> None:
    """In flight (two threads), queued, and with the system still."""
    running = run(gate)
    idle, part = running.send(b""), running.send(HEADER)
    asked = [running.send(WHOLE) for _ in range(20)]
    for _ in range(2):
        gate.entered.acquire()
    running.server.stop()
    gate.opened.set()
    answers = [all_of(one) for one in asked]
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert all(b"\r\nConnection: close\r\n" in answer for answer in answers)
    assert all_of(idle) == b"" and not all_of(part).startswith(b"HTTP/1.1 200")
    assert running.end() == 0
    with pytest.raises(ConnectionRefusedError):
        running.connect()


def test_a_request_whose_rest_comes_while_it_stops_is_answered(run: Any, gate: Gate) -> None:
    running = run(gate)
    begun = running.send(WHOLE[:20])
    held = running.send(WHOLE)
    gate.entered.acquire()
    running.server.stop()
    begun.sendall(WHOLE[20:])
    gate.opened.set()
    assert all(all_of(one).startswith(b"HTTP/1.1 200") for one in (begun, held))
    assert running.end() == 0


def test_an_answer_without_end_does_not_keep_it_from_stopping(run: Any, gate: Gate) -> None:
    running = run(gate, stop_seconds=0.1)
    for _ in range(5):
        running.send(WHOLE)
    gate.entered.acquire()
    assert running.end() == 5, "it tells how many it left"


def large(path: bytes, *headers: bytes, size: int = 3_500_000) -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n" % path
    return head + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + b"x" * size


@pytest.mark.parametrize(
    ("request_", "status", "machine"),
    [
        (large(b"/api/v1/search", b"Content-Length: 3500000"), 413, True),
        (large(b"/", b"Content-Length: 3500000"), 413, False),
        (large(b"/api/v1/search?q=1", b"Content-Length: 99999999999", size=0), 413, True),
        (large(b"/", b"Content-Length: 3500000", b"Expect: 100-continue", size=0), 413, False),
        (
            large(b"/api/v1/search", b"Transfer-Encoding: chunked", b"", b"35B60E", size=3_520_014)
            + b"\r\n0\r\n\r\n",
            413,
            True,
        ),
        (b"GET /api/v1/search?q=%s HTTP/1.1\r\n\r\n" % (b"x" * 300_000), 431, True),
        (b"GET /api/ HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 300_000), 431, True),
        (b"GET /api/v1/search HTTP/1.1\r\nno header\r\n\r\n", 400, True),
        (b"POST /api/v1/search HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, True),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, False),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)
def test_what_is_refused_is_told_in_words_of_our_own(
    run: Any, request_: bytes, status: int, machine: bool
) -> None:
    running = run()
    connection = running.connect()
    with contextlib.suppress(ConnectionError):
        connection.sendall(request_)
    head, _, body = all_of(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status) or head.startswith(b"HTTP/1.0 %d" % status)
    assert b"waitress" not in body and b"max_body" not in body
    assert b"\r\nX-Content-Type-Options: nosniff" in head, "as every answer"
    if machine:
        assert b"application/problem+json" in head and json.loads(body)["status"] == status
    else:
        assert b"text/html" in head and b"Search the catalog" in body
    assert running.answers()


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:9::9]", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_client_is_its_address_or_its_network(address: str | None, client: str) -> None:
    assert client_of(address) == client


def test_proxies_are_addresses_networks_or_all() -> None:
    assert "10.9.9.9" in Proxies("10.0.0.0/8") and "11.0.0.1" not in Proxies("10.0.0.0/8, ::1")
    assert "::1" in Proxies("10.0.0.0/8, ::1") and "1.2.3.4" in Proxies("*")
    assert "127.0.0.1" not in Proxies(None) and "nobody" not in Proxies("127.0.0.1")
    for wrong in ("localhost", "127.0.0", "10.0.0.0/99", "", "proxy.example"):
        with pytest.raises(SettingsError, match="trusted proxy"):
            Proxies(wrong)


def test_a_low_limit_on_open_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (1_048_576, 1_048_576)}

    def set_to(_: int, pair: tuple[int, int]) -> None:
        if pair[0] > limits["now"][1]:
            raise ValueError("not allowed to raise maximum limit")
        limits["now"] = pair

    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", set_to)
    assert raise_open_files(1_000) is None and connections_for(1_000) == 1_000
    limits["now"] = (1_024, 1_048_576)
    assert raise_open_files(1_000) is None and open_files()[0] == 2_200
    limits["now"] = (256, 1_048_576)
    assert "was low: 256" in str(raise_open_files(1_000)) and open_files()[0] == 2_200
    limits["now"] = (256, 600)
    told = str(raise_open_files(1_000))
    assert "600" in told and "200 connections" in told and "ulimit -n 2200" in told
    assert connections_for(1_000) == 200
    limits["now"] = (64, 64)
    assert "ulimit" in str(raise_open_files(1_000)) and connections_for(1_000) == 8
