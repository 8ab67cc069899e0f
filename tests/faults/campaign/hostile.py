"""Hostile photos, by HTTP and by index: none takes more than its share, and others are answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.faults.campaign.photos import hostile_photos
from tests.faults.campaign.rows import Row
from tests.faults.campaign.world import World
from tests.support.server import Server
from tests.support.shop import draw_product
from tests.support.trees import processor_seconds, seconds_until_quiet

PART = "hostile"
BUDGET_S = 5.0  # of processor time, for one photo
# Where a machine is busy, so much waits for its turn: what is judged is processor time.
GIVES_UP_S = 300.0
SENDERS = 4
OTHERS = 2
OTHERS_WAIT_S = 10.0
Photos = list[tuple[str, str, bytes]]


def run(world: World, size: int) -> list[Row]:
    photos = hostile_photos(size, world.seed)
    with world.told("hostile photos", 2 * size) as task:
        server = Server(world.before.new_index)
        try:
            warm(server.address)
            by_http = []
            for photo in photos:
                by_http.append(sent(server, photo))
                task.advance()
            together = beside_others(server, photos)
        finally:
            server.stop()
        calm = indexing_seconds(world, None)[0]
        by_index = []
        for photo in photos:
            by_index.append(indexed(world, photo, calm))
            task.advance()
    return [over("by HTTP", by_http), together, over("by index", by_index)]


def warm(address: str) -> None:
    while not requests.get(f"{address}/healthz", timeout=60).ok:
        time.sleep(0.2)
    requests.get(f"{address}/api/v1/search", params={"q": "mug"}, timeout=60)


def sent(server: Server, photo: tuple[str, str, bytes]) -> tuple[str, float, str]:
    """(kind, processor seconds, what went wrong) of one photo that nothing stands beside."""
    kind = photo[0]
    pid = server.process.pid
    before = processor_seconds(pid)
    told = posted(server.address, photo)
    seconds = seconds_until_quiet(pid, before, GIVES_UP_S)
    return kind, seconds, told


def posted(address: str, photo: tuple[str, str, bytes]) -> str:
    """Searches by it; empty where the answer is one, or a refusal that says why."""
    kind, suffix, data = photo
    files = {"image": (f"photo{suffix}", data)}
    try:
        answer = requests.post(f"{address}/api/v1/search", files=files, timeout=GIVES_UP_S)
    except requests.RequestException as error:
        return f"{kind}: {type(error).__name__}"
    if answer.status_code >= 500 and answer.status_code != 503:  # to come later, it may be told
        return f"{kind}: HTTP {answer.status_code}"
    return "" if answer.ok or answer.json().get("detail") else f"{kind}: no word why"


def beside_others(server: Server, photos: Photos) -> Row:
    """All photos at once, and clients that search by words meanwhile."""
    with others(server.address) as waits, ThreadPoolExecutor(SENDERS) as senders:
        wrong = [
            text
            for text in senders.map(lambda photo: posted(server.address, photo), photos)
            if text
        ]
    longest = max(waits, default=GIVES_UP_S)
    missed = list(wrong)
    if longest > OTHERS_WAIT_S:
        missed.append(f"somebody else waited {longest:.1f} s")
    told = f"{len(waits):,} answers to {OTHERS} others, the slowest after {longest:.2f} s"
    return Row(PART, f"by HTTP, {SENDERS} at once", len(photos), told, 0, tuple(missed))


@contextmanager
def others(address: str) -> Iterator[list[float]]:
    """Clients that search without pause; what each answer took, or GIVES_UP_S for none."""
    waits: list[float] = []
    ends = threading.Event()

    def ask() -> None:
        while not ends.is_set():
            began = time.monotonic()
            try:
                answer = requests.get(
                    f"{address}/api/v1/search", params={"q": "red box"}, timeout=GIVES_UP_S
                )
                waits.append(time.monotonic() - began if answer.ok else GIVES_UP_S)
            except requests.RequestException:
                waits.append(GIVES_UP_S)
            time.sleep(0.05)

    clients = [threading.Thread(target=ask) for _ in range(OTHERS)]
    for client in clients:
        client.start()
    try:
        yield waits
    finally:
        ends.set()
        for client in clients:
            client.join()


def indexed(world: World, photo: tuple[str, str, bytes], calm: float) -> tuple[str, float, str]:
    """(kind, processor seconds more than without it, what went wrong)."""
    seconds, told = indexing_seconds(world, photo)
    return photo[0], max(0.0, seconds - calm), f"{photo[0]}: {told}" if told else ""


def indexing_seconds(world: World, photo: tuple[str, str, bytes] | None) -> tuple[float, str]:
    """Processor seconds of `retrieval index` of two good photos and this one, and what is wrong."""
    folder, index = world.folder / "hostile", world.folder / "hostile-index"
    folder.mkdir()
    try:
        for number, colour in enumerate(("red", "blue")):
            draw_product("mug", colour).save(folder / f"good-{number}.png")
        if photo is not None:
            (folder / f"hostile{photo[1]}").write_bytes(photo[2])
        command = [sys.executable, "-m", "retrieval", "index", str(folder), "--index", str(index)]
        child = subprocess.Popen(
            [*command, "--model", world.model, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stopper = threading.Timer(GIVES_UP_S, child.kill)
        stopper.start()
        assert child.stdout is not None
        told = child.stdout.read()
        child.stdout.close()
        _, status, usage = os.wait4(child.pid, 0)
        stopper.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime, ill(child.returncode, told, index)
    finally:
        for made in (folder, index):
            shutil.rmtree(made, ignore_errors=True)


def ill(code: int, told: str, index: Path) -> str:
    """What is wrong with a run that met a hostile photo; empty where nothing is."""
    if code not in (0, 3) or "Traceback" in told:
        return f"exit code {code}: {told.strip()[-200:]!r}"
    return "" if (index / "CURRENT").exists() else "nothing was published"


def over(what: str, made: list[tuple[str, float, str]]) -> Row:
    """Which of them took more than the budget."""
    costs = sorted((seconds, kind) for kind, seconds, _ in made)
    missed = [text for _, _, text in made if text]
    missed += [f"{kind}: {seconds:.1f} s" for seconds, kind in costs if seconds > BUDGET_S]
    told = (
        f"{sum(seconds > BUDGET_S for seconds, _ in costs)} over {BUDGET_S:.0f} s of processor "
        f"time; the median {costs[len(costs) // 2][0]:.2f} s, the most {costs[-1][0]:.2f} s "
        f"({costs[-1][1]})"
    )
    return Row(PART, what, len(made), told, 0, tuple(missed))
