"""Clients that send a byte now and then, beside others that just search."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.campaign.hostile import warm
from tests.faults.campaign.rows import Row, skipped
from tests.faults.campaign.world import World
from tests.support.server import Server

PART = "slow"
GOOD, EACH = 8, 30
GOOD_ADDRESS = "127.0.0.2"
TIMES_CALM = 3.0
GIVES_UP_S = 20.0
PHASE_S = 90.0  # no good client begins another search after that
BYTE_EVERY_S = 1.0
WORDS = ("red mug", "blue box", "green bottle", "deluxe", "new")
# What a slow client has sent before it goes on a byte at a time.
STARTS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n",
    # Asks, and never reads.
    b"GET /catalog HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
)


def run(world: World, size: int) -> list[Row]:
    """The good ones' p95 beside `size` slow clients, of one address and of as many."""
    if not can_bind(GOOD_ADDRESS):
        return [skipped(PART, "slow clients", f"{GOOD_ADDRESS} is no address of this machine")]
    ways = {
        "of one address": ["127.0.0.3"] * size,
        "of an address each": [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(size)],
    }
    rows = []
    with world.told("slow clients", 1 + len(ways)) as task:
        server = Server(world.before.new_index)
        try:
            warm(server.address)
            good_waits(server.address, 5)
            calm = good_waits(server.address)
            task.advance()
            for way, addresses in ways.items():
                with slow_clients(server.address, addresses) as held:
                    beside = good_waits(server.address)
                rows.append(summary(f"{size} slow clients {way}", size, calm, beside, held[0]))
                task.advance()
        finally:
            stopped = stop(server)
    return [*rows, stopped]


def stop(server: Server) -> Row:
    """Whether it stops when it is told to, after all that."""
    missed: tuple[str, ...] = ()
    try:
        told = f"it ended with {server.stop()}"
    except subprocess.TimeoutExpired as error:
        told = f"it was still there {error.timeout:.0f} s after it was told to stop"
        missed = (told,)
        server.process.kill()
        server.ended()
    return Row(PART, "stopped afterwards", 1, told, 0, missed)


def can_bind(address: str) -> bool:
    with socket.socket() as one:
        try:
            one.bind((address, 0))
        except OSError:
            return False
    return True


def good_waits(address: str, each: int = EACH) -> list[float]:
    """What searches of GOOD clients took in seconds, each by a new connection; GIVES_UP_S where
    there was no answer."""
    waits: list[float] = []
    ends = time.monotonic() + PHASE_S

    def ask(client: int) -> None:
        for number in range(each):
            if time.monotonic() > ends:
                return
            waits.append(wait(address, WORDS[(client + number) % len(WORDS)]))

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(GOOD)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return waits


def wait(address: str, words: str) -> float:
    began = time.monotonic()
    host = urllib.parse.urlsplit(address).netloc
    connection = http.client.HTTPConnection(
        host, timeout=GIVES_UP_S, source_address=(GOOD_ADDRESS, 0)
    )
    try:
        connection.request("GET", f"/api/v1/search?{urllib.parse.urlencode({'q': words})}")
        answer = connection.getresponse()
        answer.read()
        return time.monotonic() - began if answer.status == 200 else GIVES_UP_S
    except (OSError, http.client.HTTPException):
        return GIVES_UP_S
    finally:
        connection.close()


@contextmanager
def slow_clients(address: str, sources: list[str]) -> Iterator[list[int]]:
    """Connections that go on a byte at a time, opened anew where the server hangs up; a list of
    how many of them were open when each round of bytes was sent, the most first."""
    host = urllib.parse.urlsplit(address)
    target = (host.hostname or "", host.port or 0)
    held: dict[int, socket.socket] = {}
    most = [0]
    ends = threading.Event()
    opened = threading.Event()

    def trickle() -> None:
        while not ends.is_set():
            for number, source in enumerate(sources):
                if ends.is_set():
                    return
                try:
                    if number not in held:
                        held[number] = opened_slowly(target, source, STARTS[number % len(STARTS)])
                    elif number % len(STARTS) in (1, 2):
                        held[number].send(b"x")
                except BlockingIOError:  # it does not read just now
                    continue
                except OSError:
                    with contextlib.suppress(KeyError):
                        held.pop(number).close()
            most[0] = max(most[0], len(held))
            opened.set()
            ends.wait(BYTE_EVERY_S)

    thread = threading.Thread(target=trickle)
    thread.start()
    opened.wait(PHASE_S)
    try:
        yield most
    finally:
        ends.set()
        thread.join()
        for connection in held.values():
            connection.close()


def opened_slowly(target: tuple[str, int], source: str, start: bytes) -> socket.socket:
    connection = socket.create_connection(target, timeout=2, source_address=(source, 0))
    if start.startswith(b"GET /catalog"):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.setblocking(False)
    if start:
        connection.send(start)
    return connection


def p95(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=20)[-1]


def summary(what: str, size: int, calm: list[float], beside: list[float], held: int) -> Row:
    """Whether those who just search were served about as before."""
    quiet, busy = p95(calm), p95(beside)
    lost = sum(seconds >= GIVES_UP_S for seconds in beside)
    told = (
        f"{GOOD} good ones: p95 {1000 * quiet:.0f} ms calm, {1000 * busy:.0f} ms beside them "
        f"({busy / quiet:.1f} times), {lost} of {len(beside)} without an answer; "
        f"{held} connections held"
    )
    missed = []
    if busy >= TIMES_CALM * quiet or lost:
        missed.append(f"p95 {busy / quiet:.1f} times its calm value, {lost} without an answer")
    return Row(PART, what, size, told, 0, tuple(missed))
