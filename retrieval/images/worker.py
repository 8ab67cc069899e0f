"""A process that decodes photos, one after another, and may be ended at any moment.

It speaks over its standard input and output: lengths, then a head in JSON, then bytes. Whoever
started it never reads more into an answer than sizes, texts and pixels: a decoder that was taken
over by a photo must not take over the server as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import struct
import sys
import warnings
from typing import IO, Any

from PIL import Image

from retrieval.errors import ImageError
from retrieval.images.decoding import decode_photo

HEAD = struct.Struct(">IQ")
# It ends by itself after this long without a photo, or after one that left much memory behind.
IDLE_SECONDS = 60.0
KEPT_BYTES = 200_000_000


def main() -> None:
    """Answers until its input ends, or nothing came for a while."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    for number in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGPROF])
    warnings.simplefilter("ignore")  # of broken metadata, which do not keep a photo from being read
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not speak in between
    memory = None
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        request = _read(source)
        if request is None:
            return
        head, data = request
        if memory is None:
            memory = _used_bytes(virtual=True) + int(head["memory"])
            with contextlib.suppress(ValueError, OSError):  # a limit may stand already
                resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        # Ended by the kernel, also where nobody is left to do it.
        signal.setitimer(signal.ITIMER_PROF, head["seconds"])
        answer, pixels = _decoded(head, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        del data, request
        ends = _used_bytes() > KEPT_BYTES
        write(target, {**answer, "ends": ends}, pixels)
        if ends:
            return


def _decoded(head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        photo = decode_photo(data, head["max_pixels"], head["side"], setting=head["setting"])
        pixels, most = photo.pixels, head["most"]
        if most is not None:
            pixels.thumbnail((most, most), Image.Resampling.LANCZOS)
        answer = {
            "size": pixels.size,
            "width": photo.width,
            "height": photo.height,
            "content_hash": photo.content_hash,
            "file_hash": photo.file_hash,
            "incomplete": photo.incomplete,
        }
        return answer, pixels.tobytes()
    except ImageError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "too large to decode in memory; make it smaller"}, b""


def _used_bytes(*, virtual: bool = False) -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0 if virtual else 1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the most that it ever used
        return 1 << 32 if virtual else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def write(target: IO[bytes], head: dict[str, Any], body: bytes) -> None:
    """Writes a message."""
    text = json.dumps(head).encode()
    target.write(HEAD.pack(len(text), len(body)))
    target.write(text)
    target.write(body)
    target.flush()


def _read(source: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    lengths = source.read(HEAD.size)
    if len(lengths) < HEAD.size:
        return None
    head, body = HEAD.unpack(lengths)
    text, data = source.read(head), source.read(body)
    return (json.loads(text), data) if len(data) == body else None


if __name__ == "__main__":
    main()
