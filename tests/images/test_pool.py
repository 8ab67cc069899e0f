"""A photo that takes too long is given up, and nobody else's photo waits for it."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from retrieval.common.asker import Asker, asked_by
from retrieval.common.deadline import time_limit
from retrieval.errors import ImageError, Overtime
from retrieval.images.decoding import decode_photo
from retrieval.images.pool import PLACES, PLACES_A_CLIENT, DecodingPool, Limits
from retrieval.images.reading import PhotoReader

LIMITS = Limits(40_000_000, seconds=10, memory=1_000_000_000)
HURRIED = Limits(40_000_000, seconds=0.3, memory=1_000_000_000)
PATIENCE_S = 60


def encoded(kind: str, size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize(size).save(buffer, kind)
    return buffer.getvalue()


SMALL = encoded("TIFF")
# Numbers as text: Pillow reads them one by one, which takes some ten seconds.
SLOW = b"P3 4000 4000 255 " + b"7 " * 6_000_000


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(1)
    yield pool
    pool.close()


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)


class Held:
    """A photo that is being decoded, and comes no further: its process is stopped."""

    def __init__(self, pool: DecodingPool, asker: Asker | None = None) -> None:
        pool.decode(SMALL, LIMITS)  # the process is there, and waits
        process = pool._idle[-1]
        self.pid = process._process.pid
        os.kill(self.pid, signal.SIGSTOP)
        self._asker = asker
        self.outcome: object = None
        self.thread = threading.Thread(target=self._decode, args=(pool,))
        self.thread.start()
        until(lambda: process.ends)  # it was given the photo

    def _decode(self, pool: DecodingPool) -> None:
        try:
            with asked_by(self._asker):
                self.outcome = pool.decode(SMALL, LIMITS)
        except (ImageError, Overtime) as error:
            self.outcome = error

    def go_on(self) -> object:
        os.kill(self.pid, signal.SIGCONT)
        self.thread.join()
        return self.outcome


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "JPEG2000", "AVIF"])
def test_a_photo_is_the_same_in_whichever_process_it_was_decoded(
    pool: DecodingPool, kind: str
) -> None:
    data = encoded(kind, (700, 500))
    there, here = pool.decode(data, LIMITS), decode_photo(data, LIMITS.max_pixels)
    assert np.array_equal(np.asarray(there.pixels), np.asarray(here.pixels))
    assert (there.content_hash, there.file_hash) == (here.content_hash, here.file_hash)
    assert (there.width, there.height) == (here.width, here.height)
    smaller = pool.decode(data, LIMITS, most=100)
    assert smaller.pixels.size == (100, 71) and smaller.width == 700


def test_a_photo_that_takes_too_long_costs_no_more_than_it_may(pool: DecodingPool) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(ImageError, match=r"longer to decode than the 0\.3 s.*decode_seconds"):
        pool.decode(SLOW, HURRIED)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # A process starts in a third of a second.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    assert pool.decode(SMALL, HURRIED).width == 60


def test_a_photo_that_takes_too_much_memory_is_refused(pool: DecodingPool) -> None:
    tight = Limits(40_000_000, seconds=10, memory=50_000_000)
    with pytest.raises(ImageError, match="memory"):
        pool.decode(encoded("TIFF", (6_000, 5_000)), tight)
    assert pool.decode(SMALL, tight).width == 60


def test_what_a_photo_is_refused_for_is_told_as_in_this_process(pool: DecodingPool) -> None:
    limits = Limits(2_000, 10, 1_000_000_000, "upload_pixels")
    with pytest.raises(ImageError, match=r"60 x 40 pixels.*2,000 allowed.*upload_pixels"):
        pool.decode(SMALL, limits)
    assert len(pool._idle) == 1, "the process goes on to the next photo"
    with pytest.raises(ImageError, match="damaged"):
        pool.decode(SMALL[: len(SMALL) // 2], LIMITS)


def test_a_process_that_dies_costs_its_photo_alone(pool: DecodingPool) -> None:
    held = Held(pool)
    os.kill(held.pid, signal.SIGKILL)
    held.thread.join()
    assert isinstance(held.outcome, ImageError) and "decoder failed" in str(held.outcome)
    assert pool.decode(SMALL, LIMITS).width == 60


def test_for_a_client_that_is_gone_nothing_is_decoded_any_more(pool: DecodingPool) -> None:
    gone = threading.Event()
    held = Held(pool, Asker("a", gone.is_set))
    gone.set()
    held.thread.join()
    assert isinstance(held.outcome, Overtime)
    assert is_gone(held.pid)


def test_a_photo_ends_with_the_time_of_its_request(pool: DecodingPool) -> None:
    pool.decode(SMALL, LIMITS)
    pid = pool._idle[-1]._process.pid
    os.kill(pid, signal.SIGSTOP)
    with time_limit(0.3), pytest.raises(Overtime):
        pool.decode(SMALL, LIMITS)
    assert is_gone(pid)
    assert pool.decode(SMALL, LIMITS).width == 60


def test_one_client_cannot_take_all_places(pool: DecodingPool) -> None:
    held = Held(pool, Asker("greedy"))
    outcomes: list[object] = []

    def ask(key: str) -> None:
        with asked_by(Asker(key)):
            outcomes.append((key, pool.decode(SMALL, LIMITS).width))

    def start(key: str) -> threading.Thread:
        waiting = len(pool._waiting)
        thread = threading.Thread(target=ask, args=(key,))
        thread.start()
        until(lambda: len(pool._waiting) > waiting)
        return thread

    threads = [start("greedy") for _ in range(PLACES_A_CLIENT - 1)]
    with asked_by(Asker("greedy")), pytest.raises(Overtime, match="your other photos"):
        pool.decode(SMALL, LIMITS)
    threads += [start("modest")]
    # A second process would be for who has none yet, though he came last.
    pool._most = 2
    until(lambda: outcomes)
    assert outcomes[0] == ("modest", 60)
    held.go_on()
    for thread in threads:
        thread.join()
    assert len(outcomes) == PLACES_A_CLIENT


def test_the_queue_is_bounded(pool: DecodingPool) -> None:
    held = Held(pool)
    threads = []
    for number in range(PLACES - 1):

        def ask(key: str = str(number)) -> None:
            with asked_by(Asker(key)):
                pool.decode(SMALL, LIMITS)

        threads.append(threading.Thread(target=ask))
        threads[-1].start()
    until(lambda: len(pool._waiting) == PLACES - 1)
    with asked_by(Asker("late")), pytest.raises(Overtime, match="many photos"):
        pool.decode(SMALL, LIMITS)
    held.go_on()
    for thread in threads:
        thread.join()
    assert not pool._waiting and not pool._running


def test_small_photos_need_no_process(pool: DecodingPool) -> None:
    held = Held(pool)
    reader = PhotoReader(LIMITS, pool)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        assert reader.read(encoded(kind, (1_600, 1_200)), 224).width == 1_600
    held.go_on()


def test_large_pictures_leave_no_memory_behind() -> None:
    pool = DecodingPool(2)
    reader = PhotoReader(LIMITS, pool)
    data = encoded("PNG", (6_000, 6_000))
    before = resident()
    for _ in range(3):
        assert reader.read(data, 1_600, 1_600).pixels.size == (1_600, 1_600)
    assert resident() - before < 60_000_000
    pool.close()


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_processes_end_with_the_pool() -> None:
    pool = DecodingPool(1)
    pool.decode(SMALL, LIMITS)
    pid = pool._idle[-1]._process.pid
    del pool
    until(lambda: is_gone(pid))


FORKS = """
import os, sys
from retrieval.images.pool import DecodingPool, Limits
pool = DecodingPool(1)
data, limits = open(sys.argv[1], "rb").read(), Limits(10**6, 10, 10**9)
assert pool.decode(data, limits).width == 60
child = os.fork()
assert pool.decode(data, limits).width == 60
if child == 0:
    pool.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert pool.decode(data, limits).width == 60
"""


def test_a_program_that_forks_decodes_on_in_both(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "small.tif")  # noqa: PTH118
    with open(path, "wb") as file:
        file.write(SMALL)
    done = subprocess.run(
        [sys.executable, "-c", FORKS, path],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
