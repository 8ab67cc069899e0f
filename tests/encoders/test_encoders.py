"""Any open_clip model; texts of any length; vectors that say what made them."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retrieval.common.vectors import normalise
from retrieval.encoders import Encoder, list_models, load_encoder, parse_model_name
from retrieval.encoders.base import EncoderDetails
from retrieval.encoders.long_texts import split_text
from retrieval.errors import EncoderError
from retrieval.settings import Settings, load_settings
from tests.support.shop import draw_product

pytestmark = pytest.mark.loads_models


def test_vectors_have_length_one_and_stand_in_order(tiny_encoder: Encoder) -> None:
    photos = [draw_product("mug", colour) for colour in ("red", "green", "blue")]
    inputs = [tiny_encoder.prepare(photo) for photo in photos]
    together = tiny_encoder.encode_images(inputs)
    assert together.shape == (3, tiny_encoder.dim)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, square in zip(together, inputs, strict=True):
        np.testing.assert_allclose(tiny_encoder.encode_images([square])[0], row, atol=1e-4)
    texts = ["red mug", "green mug"]
    vectors = tiny_encoder.encode_texts(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(tiny_encoder.encode_texts(texts[1:])[0], vectors[1], atol=1e-4)


def test_batches_do_not_change_the_vectors(tiny_model: str) -> None:
    small = load_encoder(tiny_model, Settings(batch_size=2))
    large = load_encoder(tiny_model, Settings(batch_size=64))
    assert small.fingerprint == large.fingerprint
    inputs = [small.prepare(draw_product("box", "red", seed=seed)) for seed in range(5)]
    np.testing.assert_allclose(small.encode_images(inputs), large.encode_images(inputs), atol=1e-4)


def test_nothing_to_encode_gives_no_rows(tiny_encoder: Encoder) -> None:
    assert tiny_encoder.encode_texts([]).shape == (0, tiny_encoder.dim)
    assert tiny_encoder.encode_images([]).shape == (0, tiny_encoder.dim)


def test_the_end_of_a_long_text_counts(tiny_encoder: Encoder) -> None:
    """Models cut at their context: words behind it would never be found."""
    start = "a plain cotton towel " * 40
    one, other = tiny_encoder.encode_texts([start + "with anchors", start + "with lemons"])
    assert np.abs(one - other).max() > 1e-4
    np.testing.assert_allclose(np.linalg.norm([one, other], axis=1), 1, atol=1e-5)


@given(
    text=st.text(st.sampled_from("ab \n"), max_size=200),
    limit=st.integers(1, 12),
)
def test_split_parts_fit_and_keep_every_word(text: str, limit: int) -> None:
    def count(part: str) -> int:
        return sum(1 + len(word) // 3 for word in part.split())

    parts = split_text(text, count, limit)
    assert all(count(part) <= limit or len(part) == 1 for part, _ in parts)
    assert "".join("".join(part.split()) for part, _ in parts) == "".join(text.split())
    assert all(tokens >= 1 for _, tokens in parts)
    if count(text) <= limit:
        assert [part for part, _ in parts] == [text]


def test_a_fingerprint_names_what_made_the_vectors(tiny_model: str, other_model: str) -> None:
    first = load_encoder(tiny_model, Settings())
    again = load_encoder(tiny_model, Settings(batch_size=3))
    other_weights = load_encoder(other_model, Settings())
    other_fit = load_encoder(tiny_model, Settings(fit="crop"))
    assert first.fingerprint == again.fingerprint
    assert len({e.fingerprint for e in (first, other_weights, other_fit)}) == 3
    assert first.details.preprocess["fit"] == "letterbox"


def test_every_detail_changes_the_fingerprint() -> None:
    details = EncoderDetails({"w": 1}, "ab", {"size": 64}, "open_clip 3", "float", "split")
    changes = {
        "model": {"w": 2}, "weights": "ac", "preprocess": {"size": 65}, "library": "open_clip 4",
        "precision": "int8", "text": "cut",
    }  # fmt: skip
    prints = {details.fingerprint()}
    for name, value in changes.items():
        prints.add(EncoderDetails(**{**details.as_dict(), name: value}).fingerprint())
    assert len(prints) == 1 + len(changes)


def test_a_copy_of_a_model_elsewhere_has_the_same_fingerprint(
    tiny_model: str, tiny_encoder: Encoder, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model.removeprefix("local-dir:"), copy)
    elsewhere = load_encoder(f"local-dir:{copy}", Settings(backend="torch"))
    assert elsewhere.fingerprint == tiny_encoder.fingerprint


@pytest.mark.parametrize("name", ["", "ViT-B-32", "/tag", "ViT-B-32/", "local-dir:", "hf-hub:"])
def test_what_is_no_name_is_told(name: str) -> None:
    with pytest.raises(EncoderError, match="starter"):
        parse_model_name(name)


def test_unknown_tags_list_the_known_ones() -> None:
    with pytest.raises(EncoderError, match="laion2b_s34b_b79k"):
        load_encoder("ViT-B-32/no-such-tag", Settings())


def test_unknown_architectures_say_where_to_look() -> None:
    with pytest.raises(EncoderError, match="retrieval models"):
        load_encoder("No-Such/thing", Settings())


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("hf-hub:laion/some-model", "laion/some-model"),
    ],
)
def test_a_missing_download_says_what_to_bring(
    name: str,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In one line, which tells why: not beside forty of the hub's about its retries."""

    def no_network(*_: object, **__: object) -> None:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        try:
            raise OSError("no route to host")
        except OSError as error:
            raise RuntimeError("An error happened. Please check your connection.") from error

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", no_network)
    with pytest.raises(EncoderError) as caught:
        load_encoder(name, Settings())
    message = str(caught.value)
    assert not caplog.records
    assert "(no route to host)" in message
    assert repository in message
    assert "open_clip_model.safetensors" in message
    assert "local-dir:" in message
    assert "\n" not in message


def test_folders_that_are_no_models_are_told(tmp_path: Path, tiny_model: str) -> None:
    name = f"local-dir:{tmp_path}"
    with pytest.raises(EncoderError, match=r"open_clip_config\.json"):
        load_encoder(name, Settings())
    source = Path(tiny_model.removeprefix("local-dir:"))
    shutil.copy(source / "open_clip_config.json", tmp_path)
    with pytest.raises(EncoderError, match="weights"):
        load_encoder(name, Settings())
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(name, Settings())


def test_a_device_that_is_not_there_is_told(tiny_model: str) -> None:
    with pytest.raises(EncoderError, match="--device"):
        load_encoder(tiny_model, Settings(device="nonsense"))


def test_the_models_own_preprocessing_is_used(tmp_path: Path, tiny_model: str) -> None:
    shutil.copytree(tiny_model.removeprefix("local-dir:"), tmp_path / "m")
    path = tmp_path / "m" / "open_clip_config.json"
    config = json.loads(path.read_text())
    wide = Image.new("RGB", (200, 100), "red")
    prints = set()
    # Both back ends read it; by torch it costs no export.
    for mode, corner, backend in (
        ("shortest", 0, "torch"),
        ("longest", 255, "openvino"),
        ("squash", 0, "torch"),
    ):
        config["preprocess_cfg"]["resize_mode"] = mode
        path.write_text(json.dumps(config))
        wanted = load_settings(fit="model", backend=backend)
        encoder = load_encoder(f"local-dir:{tmp_path / 'm'}", wanted)
        assert encoder.prepare(wide)[1, 2, 32] == corner
        prints.add(encoder.fingerprint)
    assert len(prints) == 3


def test_the_list_of_models_starts_with_the_bundled_one() -> None:
    models = list_models()
    assert models[0]["name"] == "starter" and models[0]["bundled"]
    known = {model["name"]: model for model in models}
    assert known["ViT-B-32/laion2b_s34b_b79k"] == {
        "name": "ViT-B-32/laion2b_s34b_b79k",
        "pretrained": "laion2b_s34b_b79k",
        "bundled": False,
        "dim": 512,
        "image_size": 224,
        "licence": "MIT",
        "speed": "light",
    }


def test_a_row_of_zeros_stays_one() -> None:
    assert normalise(np.zeros((1, 3))).tolist() == [[0, 0, 0]]
