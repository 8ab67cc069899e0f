"""Many who ask at once are answered together, each with what is theirs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from retrieval.encoders import Encoder
from retrieval.encoders.batching import JOINED_AT_MOST, JoiningEncoder


class Held:
    """An encoder whose passes wait until they are let go, and are recorded."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.passes: list[list[str]] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: Any) -> Any:
        self.passes.append(list(texts))
        self.started.set()
        assert self.go.wait(30)
        if any("broken" in text for text in texts):
            raise RuntimeError("this text breaks the model")
        return self._encoder.encode_texts(texts)


def ask_at_once(encoder: JoiningEncoder, held: Held, texts: list[str]) -> dict[str, Any]:
    """The first text's pass is held until all others wait behind it."""
    answers: dict[str, Any] = {}

    def ask(text: str) -> None:
        try:
            answers[text] = encoder.encode_texts([text])[0]
        except RuntimeError as error:
            answers[text] = error

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    threads[0].start()
    assert held.started.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(encoder._texts._queue) < len(texts) - 1:
        pass
    held.go.set()
    for thread in threads:
        thread.join()
    return answers


def test_queries_that_wait_are_joined_and_each_gets_its_own(tiny_encoder: Encoder) -> None:
    held = Held(tiny_encoder)
    encoder = JoiningEncoder(held)  # type: ignore[arg-type]
    texts = [f"a text of its own, number {number}" for number in range(12)]
    answers = ask_at_once(encoder, held, texts)
    assert len(held.passes) == 2 and len(held.passes[1]) == 11
    for text in texts:
        alone = tiny_encoder.encode_texts([text])[0]
        assert np.allclose(answers[text], alone, atol=1e-5)
    assert encoder.counts.passes == {1: 1, 11: 1}


def test_more_than_fit_are_done_in_several_passes(tiny_encoder: Encoder) -> None:
    held = Held(tiny_encoder)
    texts = [f"text {number}" for number in range(JOINED_AT_MOST + 10)]
    answers = ask_at_once(JoiningEncoder(held), held, texts)  # type: ignore[arg-type]
    assert len(answers) == len(texts) and max(map(len, held.passes)) <= JOINED_AT_MOST


def test_a_query_that_breaks_the_model_breaks_no_other(tiny_encoder: Encoder) -> None:
    held = Held(tiny_encoder)
    texts = ["first", "good", "broken", "better"]
    answers = ask_at_once(JoiningEncoder(held), held, texts)  # type: ignore[arg-type]
    assert isinstance(answers["broken"], RuntimeError)
    assert all(answers[text].shape == (64,) for text in ("first", "good", "better"))


def test_words_asked_again_are_not_embedded_again(tiny_encoder: Encoder) -> None:
    held = Held(tiny_encoder)
    held.go.set()
    encoder = JoiningEncoder(held)  # type: ignore[arg-type]
    first = encoder.encode_texts(["red mug", "blue mug", "red mug"])
    again = encoder.encode_texts(["blue mug", "red mug"])
    assert np.array_equal(again, first[[1, 0]]) and np.array_equal(first[0], first[2])
    assert held.passes == [["red mug", "blue mug"]] and encoder.counts.remembered == 2
    assert encoder.encode_texts([]).shape == (0, 64)
    assert encoder.encode_images([]).shape == (0, 64)


def test_the_oldest_words_are_forgotten(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.encoders.batching.REMEMBERED_TEXTS", 2)
    held = Held(tiny_encoder)
    held.go.set()
    encoder = JoiningEncoder(held)  # type: ignore[arg-type]
    for text in ("a", "b", "a", "c", "a", "b"):
        encoder.encode_texts([text])
    assert [one[0] for one in held.passes] == ["a", "b", "c", "b"]
