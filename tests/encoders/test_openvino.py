"""The fast path gives the vectors of the model, from one export a machine, or says why not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.encoders import Encoder, load_encoder, loading_message, parse_model_name
from retrieval.encoders.openvino.cache import META, export_folder, read_export
from retrieval.encoders.openvino.tokenizer import TOKENIZER_FILE, ClipTokenizer
from retrieval.errors import EncoderError
from retrieval.settings import Settings, load_settings
from tests.conftest import CACHE
from tests.support.shop import draw_product

pytestmark = pytest.mark.loads_models
TEXTS = ["red mug", "x", "a walnut chair with armrests and brass legs", "mug " * 90, ""]


@pytest.fixture(scope="module")
def fast(tiny_model: str) -> Encoder:
    return load_encoder(tiny_model, Settings(backend="openvino", cache=CACHE))


@pytest.fixture(scope="module")
def slow(tiny_model: str) -> Encoder:
    return load_encoder(tiny_model, Settings(backend="torch", precision="f32"))


def inputs(encoder: Encoder, count: int) -> Any:
    return [encoder.prepare(draw_product("mug", "red", seed=seed)) for seed in range(count)]


def test_its_vectors_are_those_of_the_model(fast: Encoder, slow: Encoder) -> None:
    assert fast.backend.startswith("openvino") and slow.backend == "torch cpu fp32"
    assert fast.fingerprint == slow.fingerprint and fast.dim == slow.dim
    made, theirs = fast.encode_texts(TEXTS), slow.encode_texts(TEXTS)
    assert np.einsum("nd,nd->n", made, theirs).min() > 0.999
    photos = inputs(slow, 21)
    # Pillow and torch round in another way.
    assert np.abs(np.stack(inputs(fast, 21)).astype(int) - np.stack(photos)).max() <= 2
    cosines = np.einsum("nd,nd->n", fast.encode_images(photos), slow.encode_images(photos))
    assert cosines.min() > 0.995
    assert fast.cost() == slow.cost()
    assert fast.encode_images([]).shape == fast.encode_texts([]).shape == (0, fast.dim)


def test_torch_in_bf16_gives_the_vectors_of_float32(tiny_model: str, slow: Encoder) -> None:
    """They share a fingerprint, so an index may hold both."""
    half = load_encoder(tiny_model, Settings(backend="torch", precision="bf16"))
    assert half.backend == "torch cpu bf16" and half.fingerprint == slow.fingerprint
    photos = inputs(slow, 8)
    for made, theirs in (
        (half.encode_images(photos), slow.encode_images(photos)),
        (half.encode_texts(TEXTS), slow.encode_texts(TEXTS)),
    ):
        assert made.dtype == np.float32
        assert np.einsum("nd,nd->n", made, theirs).min() > 0.99
        assert not np.array_equal(made, theirs)


def test_a_text_gives_the_same_whatever_stands_beside_it(fast: Encoder) -> None:
    together = fast.encode_texts(TEXTS * 9)
    for number, text in enumerate(TEXTS):
        alone = fast.encode_texts([text])[0]
        assert alone @ together[number] > 0.9999 and alone @ together[-len(TEXTS) + number] > 0.9999


def test_many_threads_get_each_its_own(fast: Encoder) -> None:
    photos = inputs(fast, 8)
    expected = fast.encode_images(photos)
    wrong = []

    def ask(number: int) -> None:
        for _ in range(10):
            made = fast.encode_images(photos[number : number + 1])[0]
            if made @ expected[number] < 0.999:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.usefixtures("fast")
def test_an_export_runs_without_torch(tiny_model: str) -> None:
    code = (
        "import sys; from retrieval.encoders import load_encoder; "
        "from retrieval.settings import Settings; "
        f"e = load_encoder({tiny_model!r}, Settings()); v = e.encode_texts(['red mug']); "
        "assert v.shape == (1, e.dim), v.shape; "
        "unwanted = ('torch', 'open_clip', 'openvino_telemetry'); "
        "print([name for name in unwanted if sys.modules.get(name)])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]", "a search by words must not pay for torch"


def test_a_model_that_changed_is_exported_anew(tmp_path: Path) -> None:
    from tests.support.models import write_model

    (tmp_path / "model").mkdir()
    name, settings = f"local-dir:{tmp_path / 'model'}", Settings(cache=tmp_path / "cache")
    write_model(tmp_path / "model", seed=3)
    assert "once" in loading_message(name, settings)
    first = load_encoder(name, settings)
    assert loading_message(name, settings) == f"loading {name}"
    write_model(tmp_path / "model", seed=4)
    second = load_encoder(name, settings)
    assert first.fingerprint != second.fingerprint
    assert first.encode_texts(["mug"])[0] @ second.encode_texts(["mug"])[0] < 0.99


def test_what_drifts_is_refused_once_and_torch_goes_on(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(cache=tmp_path)
    monkeypatch.setattr("retrieval.encoders.openvino.conversion.LEAST_COSINE", 1.1)
    monkeypatch.setattr("retrieval.encoders.openvino.conversion.SAME_COSINE", 1.1)
    encoder = load_encoder(tiny_model, settings)
    assert encoder.backend.startswith("torch cpu")
    export = read_export(export_folder(parse_model_name(tiny_model), settings))
    assert export is not None and "not those of the model" in str(export.refused)
    monkeypatch.setattr(
        "retrieval.encoders.openvino.conversion.export_model", None
    )  # not tried again
    assert load_encoder(tiny_model, settings).backend == encoder.backend
    with pytest.raises(EncoderError, match="--backend torch"):
        load_encoder(tiny_model, load_settings(cache=tmp_path, backend="openvino"))


@pytest.mark.parametrize("damage", ["meta", "model", "half"])
def test_a_damaged_export_is_made_again(
    tmp_path: Path, tiny_model: str, fast: Encoder, damage: str
) -> None:
    settings = Settings(cache=tmp_path)
    before = fast.encode_texts(["red mug"])
    folder = export_folder(parse_model_name(tiny_model), settings)
    sound = export_folder(parse_model_name(tiny_model), Settings(cache=CACHE))
    shutil.copytree(sound, folder)
    if damage == "meta":
        (folder / META).write_text("{")
    elif damage == "model":
        (folder / "text.bin").write_bytes(b"")
    else:
        (folder / "image.xml").unlink()
    after = load_encoder(tiny_model, settings)
    assert after.backend.startswith("openvino")
    np.testing.assert_allclose(after.encode_texts(["red mug"]), before, atol=1e-3)


@pytest.fixture(scope="module")
def tokenizers(fast: Any, slow: Any, tiny_model: str) -> tuple[ClipTokenizer, Any]:
    assert fast.backend != slow.backend
    folder = export_folder(parse_model_name(tiny_model), Settings(cache=CACHE))
    meta = json.loads((folder / META).read_text())
    assert (folder / TOKENIZER_FILE).is_file()
    return ClipTokenizer.load(folder, meta["start"], meta["end"], meta["context"]), slow.tokenizer


@given(text=st.text(max_size=60))
def test_any_text_has_the_tokens_that_the_model_was_trained_on(
    tokenizers: tuple[ClipTokenizer, Any], text: str
) -> None:
    ours, theirs = tokenizers
    np.testing.assert_array_equal(ours([text]), theirs([text]).numpy())
    assert ours.count(text) == theirs.count(text)
