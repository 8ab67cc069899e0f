"""Nobody is led to sell by a model whose licence forbids it, nor waits for one without warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.cli.indexing import STARTER_ADVICE
from retrieval.encoders import list_models
from retrieval.encoders.licences import gflops_of_photo, licence_of, speed_of
from tests.support.commands import answer, run


@pytest.mark.parametrize(
    "name",
    ["MobileCLIP2-S0/dfndr2b", "MobileCLIP-B/datacompdr_lt", "ViT-H-14-quickgelu/dfn5b",
     "ViT-B-32-quickgelu/metaclip_400m", "ViT-H-14-worldwide/metaclip2_worldwide",
     "nllb-clip-base-siglip/mrl", "hf-hub:apple/MobileCLIP-S2-OpenCLIP"],
)  # fmt: skip
def test_what_may_not_be_used_in_a_shop_is_told(name: str) -> None:
    assert licence_of(name).commercial is False


@pytest.mark.parametrize(
    ("name", "licence"),
    [("ViT-B-32-256/datacomp_s34b_b86k", "MIT"), ("PE-Core-L-14-336/meta", "Apache-2.0"),
     ("hf-hub:Marqo/marqo-ecommerce-embeddings-B", "Apache-2.0"), ("starter", "Apache-2.0"),
     ("ViT-B-16-SigLIP2-256/webli", "Apache-2.0"), ("ViTamin-L/datacomp1b", "MIT"),
     ("ViT-L-14-CLIPA/datacomp1b", "Apache-2.0"), ("EVA02-B-16/merged2b_s8b_b131k", "MIT")],
)  # fmt: skip
def test_what_may_be_used_is_told_with_its_licence(name: str, licence: str) -> None:
    assert (licence_of(name).name, licence_of(name).commercial) == (licence, True)


@pytest.mark.parametrize(
    "name", ["ViT-B-32/openai", "local-dir:/models/mine", "hf-hub:some/body", "RN50/yfcc15m",
             "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"]
)  # fmt: skip
def test_what_nobody_states_is_not_made_up(name: str) -> None:
    assert licence_of(name).commercial is None


@pytest.mark.parametrize(
    ("shape", "counted"),
    [((768, 12, 32, 256), 11.5), ((768, 12, 16, 256), 46.8), ((1024, 24, 14, 336), 384),
     ((768, 12, 32, 224), 8.8), ((1024, 24, 14, 224), 162)],
)  # fmt: skip
def test_work_for_a_photo_is_what_was_counted(
    shape: tuple[int, int, int, int], counted: float
) -> None:
    assert gflops_of_photo(*shape) == pytest.approx(counted, rel=0.05)


def test_all_that_is_advised_may_be_used_in_a_shop_and_stands_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    advised = [word for word in STARTER_ADVICE.split() if "/" in word]
    assert len(advised) == 4
    for name in advised:
        assert licence_of(name).commercial and f"`{name}`" in page


def test_models_are_listed_with_licence_and_speed() -> None:
    listed = {one["name"]: one for one in answer(run("models", "--json"))["models"]}
    assert listed["ViT-B-32-256/datacomp_s34b_b86k"]["licence"] == "MIT"
    assert [listed[name]["speed"] for name in (
        "starter", "ViT-B-32-256/datacomp_s34b_b86k", "ViT-B-16-SigLIP2-256/webli",
        "PE-Core-L-14-336/meta",
    )] == ["light", "light", "middle", "heavy"]  # fmt: skip
    assert "not in a shop" in run("models").stdout
    known = [one for one in list_models() if speed_of(one["name"], one["image_size"])]
    assert len(known) > 0.8 * len(listed)
