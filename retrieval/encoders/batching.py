"""Joins concurrent queries into one forward pass, and remembers the vectors of words.

While one pass runs, those who come wait together; when it ends, the first of them runs a pass
for all. Who comes alone waits for nobody. Two passes never fight over the same cores.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from retrieval.common.deadline import seconds_left
from retrieval.common.vectors import Vectors
from retrieval.encoders.adapter import AdaptedEncoder
from retrieval.encoders.base import Encoder, EncoderDetails, ModelInput
from retrieval.errors import Overtime

JOINED_AT_MOST = 64
REMEMBERED_TEXTS = 10_000


@dataclass
class Counts:
    """What was done so far.

    Attributes:
        remembered: texts whose vector was known; missed: those that were not.
        passes: forward passes by the number of items in them.
    """

    remembered: int = 0
    missed: int = 0
    passes: Counter[int] = field(default_factory=Counter)


@dataclass(eq=False)
class _Waiting:
    items: Sequence[Any]
    result: Vectors | None = None
    error: BaseException | None = None


class _Joiner:
    """One side of a model: texts, or photos."""

    def __init__(self, encode: Callable[[Sequence[Any]], Vectors], counts: Counts) -> None:
        self._encode = encode
        self._counts = counts
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._pass_lock = threading.Lock()

    def __call__(self, items: Sequence[Any]) -> Vectors:
        mine = _Waiting(items)
        with self._queue_lock:
            self._queue.append(mine)
        self._wait_for_turn(mine)
        try:
            while mine.result is None and mine.error is None:
                self._run(self._taken())
        finally:
            self._pass_lock.release()
        if mine.error is not None:
            raise mine.error
        assert mine.result is not None
        return mine.result

    def _wait_for_turn(self, mine: _Waiting) -> None:
        """Takes the lock on passes; who has no time left leaves the queue, and raises Overtime."""
        try:
            while not self._pass_lock.acquire(timeout=seconds_left() or -1):
                pass
        except Overtime:
            with self._queue_lock, contextlib.suppress(ValueError):
                self._queue.remove(mine)
            raise

    def _taken(self) -> list[_Waiting]:
        with self._queue_lock:
            taken = [self._queue.pop(0)]
            count = len(taken[0].items)
            while self._queue and count + len(self._queue[0].items) <= JOINED_AT_MOST:
                count += len(self._queue[0].items)
                taken.append(self._queue.pop(0))
        return taken

    def _run(self, taken: list[_Waiting]) -> None:
        items = [item for waiting in taken for item in waiting.items]
        try:
            vectors = self._encode(items)
        except Exception as error:
            if len(taken) > 1:  # one query must not fail for another's sake
                for waiting in taken:
                    self._run([waiting])
            else:
                taken[0].error = error
            return
        except BaseException as stopped:
            for waiting in taken:  # whoever had joined must not wait for what never comes
                waiting.error = stopped
            raise
        self._counts.passes[len(items)] += 1
        start = 0
        for waiting in taken:
            waiting.result = vectors[start : start + len(waiting.items)]
            start += len(waiting.items)


@dataclass(eq=False)
class JoiningEncoder:
    """Implements `retrieval.encoders.base.Encoder`: a model that many threads ask at once."""

    base: Encoder
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.name = self.base.name
        self.backend = self.base.backend
        self.image_size = self.base.image_size
        self.dim = self.base.dim
        self.details: EncoderDetails = self.base.details
        self.fingerprint = self.base.fingerprint
        self._texts = _Joiner(self.base.encode_texts, self.counts)
        self._images = _Joiner(self.base.encode_images, self.counts)
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._known_lock = threading.Lock()

    def prepare(self, pixels: Image.Image) -> ModelInput:
        return self.base.prepare(pixels)

    def encode_images(self, inputs: Sequence[ModelInput]) -> Vectors:
        return self._images(inputs) if inputs else self.base.encode_images(inputs)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return self.base.encode_texts(texts)
        vectors = self._remembered(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if missing:
            made = dict(zip(missing, self._texts(missing), strict=True))
            self._remember(made)
            vectors |= made
        return np.stack([vectors[text] for text in texts])

    def cost(self) -> dict[str, dict[str, int]]:
        return self.base.cost()

    def _remembered(self, texts: Sequence[str]) -> dict[str, Vectors]:
        with self._known_lock:
            known = {text: self._known[text] for text in texts if text in self._known}
            for text in known:
                self._known.move_to_end(text)
            self.counts.remembered += len(known)
            self.counts.missed += len(texts) - len(known)
        return known

    def _remember(self, made: dict[str, Vectors]) -> None:
        with self._known_lock:
            self._known.update(made)
            while len(self._known) > REMEMBERED_TEXTS:
                self._known.popitem(last=False)


def without_memory(encoder: Encoder) -> Encoder:
    """The encoder as it is without joining and remembering: for measuring what a pass costs."""
    if isinstance(encoder, AdaptedEncoder):
        return AdaptedEncoder(without_memory(encoder.base), encoder.adapter)
    return encoder.base if isinstance(encoder, JoiningEncoder) else encoder
