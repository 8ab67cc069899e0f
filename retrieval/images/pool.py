"""A few processes that decode photos which may take long, and a place in their queue a client.

A thread that decodes cannot be stopped; a process can. One is ended when its photo took the
processor time that it may take, when the request's time is up, or when its client is gone.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from multiprocessing import spawn
from pathlib import Path
from typing import IO, Any

from PIL import Image

from retrieval.common.asker import Asker, current_asker
from retrieval.common.deadline import seconds_left
from retrieval.errors import ImageError, Overtime
from retrieval.images.decoding import Photo
from retrieval.images.worker import HEAD, IDLE_SECONDS, write

# Places in the queue, with those whose photo is being decoded.
PLACES = 16
PLACES_A_CLIENT = 4
# On a machine with much else to do a photo takes longer than its processor time.
WALL_TIMES = 10.0
_LOOKS_EVERY = 0.1
_READ_AT_ONCE = 1 << 20
_MOST_HEAD = 1 << 16
_IDLE_HERE = IDLE_SECONDS - 10
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
_START += "from retrieval.images.worker import main; main()"


@dataclass(frozen=True)
class Limits:
    """What a photo may be and take, and the settings that say so.

    Attributes:
        max_pixels, pixels_setting: as of `retrieval.images.decoding.decode_photo`.
        seconds: of processor time that decoding may take where it is not sure to be short.
        memory: bytes that it may take then.
    """

    max_pixels: int
    seconds: float
    memory: int
    pixels_setting: str = "max_image_pixels"
    seconds_setting: str = "decode_seconds"


class DecodingPool:
    """Processes, started when they are needed; safe to share between threads.

    It may be left without a word: its processes end with it.
    """

    def __init__(self, processes: int) -> None:
        self._most = processes
        self._start_over()
        _pools.add(self)

    def _start_over(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[_Process] = []
        self._busy: list[_Process] = []
        self._waiting: list[tuple[str, object]] = []
        self._running: list[str] = []
        self._closed = weakref.finalize(self, _end_all, self._idle)

    def decode(
        self, data: bytes, limits: Limits, side: int | None = None, most: int | None = None
    ) -> Photo:
        """A photo, decoded in a process.

        Args:
            side: as of `retrieval.images.decoding.decode_photo`.
            most: pixels a side that its picture is made smaller to; None leaves it.

        Raises:
            ImageError: it cannot be read, or not within `limits`.
            Overtime: there is no place for it just now, its request's time is up, or who asked
                for it is gone.
        """
        asker = current_asker()
        key = asker.key if asker else ""
        self._take_place(key, asker)
        try:
            process = self._process()
            try:
                return process.decode(data, limits, side, most, asker)
            finally:
                self._take_back(process)
        finally:
            with self._changed:
                self._running.remove(key)
                self._changed.notify_all()

    def close(self) -> None:
        """Ends all processes: photos that are being decoded are given up."""
        with self._changed:
            _end_all(self._idle)
            for process in self._busy:
                process.stop()

    def _take_place(self, key: str, asker: Asker | None) -> None:
        place = (key, object())
        with self._changed:
            if asker is not None:
                keys = self._running + [waiting for waiting, _ in self._waiting]
                if len(keys) >= PLACES:
                    raise Overtime("many photos are being read just now; try again in a moment")
                if keys.count(key) >= PLACES_A_CLIENT:
                    raise Overtime("your other photos are being read; try again in a moment")
            self._waiting.append(place)
            try:
                while not self._is_next(place):
                    self._changed.wait(_LOOKS_EVERY)
                    _look_up(asker)
                self._running.append(key)
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()

    def _is_next(self, place: tuple[str, object]) -> bool:
        """Whether a process is free for it: the first that waits of who has the fewest running."""
        if len(self._running) >= self._most:
            return False
        return place is min(self._waiting, key=lambda waiting: self._running.count(waiting[0]))

    def _take_back(self, process: _Process) -> None:
        with self._changed:
            self._busy.remove(process)
            if not process.ends:
                self._idle.append(process)
        if process.ends:
            process.end()

    def _process(self) -> _Process:
        with self._changed:
            while self._idle:
                process = self._idle.pop()
                if process.is_ready():
                    self._busy.append(process)
                    return process
                process.end()
        process = _Process()
        with self._changed:
            self._busy.append(process)
        return process


class _Process:
    """One process; `ends` tells that it takes no further photo."""

    def __init__(self) -> None:
        # Not of `multiprocessing`: that would run the user's own script in it again.
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            # Large pictures are given back as soon as they are done with.
            "MALLOC_MMAP_THRESHOLD_": "1048576",
        }
        path = [str(Path(entry).resolve()) for entry in sys.path]
        try:
            self._process = subprocess.Popen(
                [os.fsdecode(spawn.get_executable()), "-P", "-c", _START, json.dumps(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise ImageError(
                f"no process can be started to decode it ({error.strerror}); try again"
            ) from None
        self._used = time.monotonic()
        self.ends = False

    def is_ready(self) -> bool:
        """Whether it waits for a photo, and will for a moment."""
        return self._process.poll() is None and time.monotonic() - self._used < _IDLE_HERE

    def stop(self) -> None:
        """Stops it, whatever it does; who waits for its answer is told that there is none."""
        self._process.kill()

    def end(self) -> None:
        """Stops it, and puts it away."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was not written yet
                    continue
        self._process.wait()

    def decode(
        self, data: bytes, limits: Limits, side: int | None, most: int | None, asker: Asker | None
    ) -> Photo:
        assert self._process.stdin is not None and self._process.stdout is not None
        head = {
            "max_pixels": limits.max_pixels,
            "setting": limits.pixels_setting,
            "side": side,
            "most": most,
            "seconds": limits.seconds,
            "memory": limits.memory,
        }
        self.ends = True  # unless all goes as it should
        try:
            write(self._process.stdin, head, data)
            answer, pixels = self._answer(self._process.stdout, limits, asker)
        except (BrokenPipeError, EOFError):
            raise self._why_it_ended(limits) from None
        self._used = time.monotonic()
        self.ends = bool(answer["ends"])
        if "error" in answer:
            raise ImageError(" ".join(str(answer["error"]).split())[:500])
        width, height = (int(side) for side in answer["size"])
        picture = Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)
        return Photo(
            picture,
            int(answer["width"]),
            int(answer["height"]),
            str(answer["content_hash"]),
            str(answer["file_hash"]),
            None if answer["incomplete"] is None else str(answer["incomplete"]),
        )

    def _answer(
        self, stream: IO[bytes], limits: Limits, asker: Asker | None
    ) -> tuple[dict[str, Any], bytearray]:
        until = time.monotonic() + WALL_TIMES * limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)

            def read(count: int) -> bytearray:
                data = bytearray(count)
                view, place = memoryview(data), 0
                while place < count:
                    while not selector.select(_LOOKS_EVERY):
                        _look_up(asker)
                        if time.monotonic() > until:
                            raise _too_long(limits)
                    part = os.read(stream.fileno(), min(count - place, _READ_AT_ONCE))
                    if not part:
                        raise EOFError
                    view[place : place + len(part)] = part
                    place += len(part)
                view.release()
                return data

            head, body = HEAD.unpack(read(HEAD.size))
            if head > _MOST_HEAD or body > 3 * limits.max_pixels + _MOST_HEAD:
                raise EOFError
            return json.loads(read(head)), read(body)

    def _why_it_ended(self, limits: Limits) -> ImageError:
        self._process.kill()
        code = self._process.wait()
        if code == -signal.SIGPROF:
            return _too_long(limits)
        return ImageError("damaged: its decoder failed; export it again")


def _too_long(limits: Limits) -> ImageError:
    return ImageError(
        f"takes longer to decode than the {limits.seconds:g} s allowed; "
        f"export it again as a plain JPEG, or raise {limits.seconds_setting}"
    )


def _look_up(asker: Asker | None) -> None:
    """Raises Overtime where nobody waits for the answer any more."""
    seconds_left()
    if asker is not None and asker.is_gone():
        raise Overtime("who asked is gone")


def _end_all(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()


_pools: weakref.WeakSet[DecodingPool] = weakref.WeakSet()
# Of the parent: dropped, they would warn that they still run.
_of_parents: list[list[_Process]] = []


def _forget_after_a_fork() -> None:
    """The processes are the parent's: a child starts its own."""
    for pool in list(_pools):
        pool._closed.detach()
        _of_parents.append(pool._idle + pool._busy)
        pool._start_over()


os.register_at_fork(after_in_child=_forget_after_a_fork)
