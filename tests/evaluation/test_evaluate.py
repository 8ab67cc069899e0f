"""What `retrieval evaluate` says of a model and an index, and of what it could not use."""

from __future__ import annotations

import csv
import html.parser
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

import retrieval
from retrieval.common.progress import Quiet
from retrieval.encoders import Encoder
from retrieval.errors import SourceError
from retrieval.evaluation.embedding import embed
from retrieval.evaluation.evaluating import evaluate
from retrieval.evaluation.index_loss import PhotosInMemory, index_loss
from retrieval.evaluation.metrics import measure_vectors
from retrieval.evaluation.sets import read_pairs
from retrieval.evaluation.zero_shot import classify, read_templates, spoken
from retrieval.settings import load_settings
from tests.support.commands import answer, run
from tests.support.models import CONFIG
from tests.support.shop import COLOURS, SHAPES, Shop, draw_product


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Twenty drawn photos, each with its name and its kind; one photo has two texts."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    rows = []
    for shape in SHAPES:
        for colour in COLOURS:
            name = f"{colour}-{shape}.png"
            draw_product(shape, colour).save(folder / name)
            rows.append({"image": name, "text": f"a {colour} {shape}", "label": shape})
    rows.append({"image": "red-mug.png", "text": "something red to drink from", "label": "mug"})
    return write(folder / "pairs.csv", rows)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_command_prints_the_promised_keys(pairs: Path, tiny_model: str) -> None:
    made = answer(run("evaluate", pairs, "--model", tiny_model, "--json"))
    assert made["pairs"] == 21 and made["images"] == 20 and made["texts"] == 21
    assert made["model"] == tiny_model
    for direction in ("text_to_image", "image_to_text"):
        assert {"R@1", "R@5", "R@10", "MRR", "median_rank", "nDCG@10"} <= set(made[direction])
        low, high = made[direction]["intervals"]["R@10"]
        assert 0 <= low <= made[direction]["R@10"] <= high <= 1
    assert {"accuracy", "top5"} <= set(made["zero_shot"])
    assert 0 < made["same category@5"] <= 1
    for kind in ("text", "image", "search", "query"):
        assert {"first", "p50", "p95", "p99"} == set(made["latency_ms"][kind])
    assert made["flops"]["image"] > 0 and made["flops"]["text"] > 0
    assert made["throughput"]["images_per_second"] > 0
    assert made["peak_memory_mb"] > 50


def test_recall_is_what_counting_by_hand_gives(
    pairs: Path, tiny_encoder: Encoder, tmp_path: Path
) -> None:
    settings = load_settings(index=tmp_path / "none", model=tiny_encoder.name)
    made = evaluate(settings, Quiet(), pairs=pairs).models[0]
    embedded = made.embedded
    cosines = np.round(embedded.texts @ embedded.photos.T, 6)
    hits = 0
    for text, photo in embedded.evaluation_set.links:
        better = (cosines[text] > cosines[text, photo]).sum()
        hits += better < 5
    assert made.directions["text_to_image"].as_dict()["R@5"] == pytest.approx(hits / 21, abs=1e-5)


def test_any_of_several_photos_is_right_and_equal_texts_are_no_error(
    tiny_encoder: Encoder, tmp_path: Path
) -> None:
    for name in "abcd":
        draw_product("mug", "red", seed=ord(name)).save(tmp_path / f"{name}.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "copy.png")
    given = read_pairs(
        write(
            tmp_path / "p.csv",
            [
                {"image": "a.png|b.png", "text": "two photos"},
                {"image": "c.png", "text": "same words"},
                {"image": "d.png", "text": "same words"},
                {"image": "copy.png", "text": "other words"},
                {"image": "copy.png", "text": "other  words"},
            ],
        )
    )
    given = embed(given, tiny_encoder, load_settings(index=tmp_path / "i"), Quiet()).evaluation_set
    assert given.texts == ("two photos", "same words", "same words", "other words")

    def photos(rows: Any) -> list[list[str]]:
        return [[given.photos[row] for row in found] for found in rows]

    assert photos(given.photos_of_texts(duplicates=False)) == [
        ["a.png", "b.png"],
        ["c.png"],
        ["d.png"],
        ["copy.png"],
    ]
    # Equal words may mean either photo; a copy of a photo is as good as the photo.
    assert photos(given.photos_of_texts(duplicates=True)) == [
        ["a.png", "b.png", "copy.png"],
        ["c.png", "d.png"],
        ["c.png", "d.png"],
        ["a.png", "copy.png"],
    ]
    assert given.texts_of_photos(duplicates=True)[2].tolist() == [1, 2]


def test_a_broken_photo_or_row_costs_itself_alone(pairs: Path, tiny_model: str) -> None:
    rows = rows_of(pairs)
    rows[3]["image"] = "missing.png"
    rows[5]["text"] = ""
    (pairs.parent / "bad.png").write_bytes(b"no image")
    rows.append({"image": "bad.png", "text": "a bad photo", "label": "mug"})
    write(pairs, rows)
    result = run("evaluate", pairs, "--model", tiny_model, "--json")
    made = answer(result, 3)
    assert made["rejected"] == 3 and made["pairs"] == 19
    assert "no such file" in result.stderr and "not an image" in result.stderr


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"photo": "a.png", "what": "x"}], "no column of texts"),
        ([{"what": "a.png", "text": "x"}], "no column of photos"),
        ([{"image": "", "text": "x"}], "no usable row"),
        ([{"image": "gone.png", "text": "x"}], "not one of 1 photos can be read"),
    ],
)
def test_a_file_that_nothing_can_be_evaluated_by_is_told(
    tmp_path: Path, tiny_model: str, rows: list[dict[str, str]], said: str
) -> None:
    result = run("evaluate", write(tmp_path / "p.csv", rows), "--model", tiny_model)
    assert result.exit_code == 1 or isinstance(result.exception, SourceError)
    assert said in str(result.exception)


def test_a_catalog_is_evaluated_by_itself_without_reading_a_photo(index: Path, shop: Shop) -> None:
    shutil.rmtree(shop.folder / "images")
    made = answer(run("evaluate", "--index", index, "--json"))
    assert made["images"] == 20 and made["rejected"] == 0
    assert made["throughput"]["images_per_second"] is None
    assert set(made["text_to_image"]["by_category"]) == {f"{shape}s" for shape in SHAPES}
    assert made["index"]["texts"]["R@10_exact"] == made["index"]["texts"]["R@10_index"]
    described = answer(run("evaluate", "--index", index, "--queries", "descriptions", "--json"))
    assert described["queries"] == "descriptions of the catalog"


def test_another_model_on_the_same_catalog_is_compared_with_it(
    index: Path, other_model: str
) -> None:
    made = answer(run("evaluate", "--index", index, "--compare", other_model, "--json"))
    (other,) = made["compare"]
    assert other["model"] == other_model and other["fingerprint"] != made["fingerprint"]
    change = other["difference"]["text_to_image"]["R@10"]
    expected = made["text_to_image"]["R@10"] - other["text_to_image"]["R@10"]
    assert change["value"] == pytest.approx(expected, abs=1e-4)
    assert change["low"] <= change["value"] <= change["high"] and 0 < change["p"] <= 1


def test_a_model_compared_with_itself_differs_in_nothing(index: Path, tiny_model: str) -> None:
    made = answer(run("evaluate", "--index", index, "--compare", tiny_model, "--json"))
    changes = made["compare"][0]["difference"]["image_to_text"]
    assert all(one["value"] == 0 and not one["significant"] for one in changes.values())


def test_a_photo_that_is_gone_is_left_out_of_a_comparison(
    index: Path, shop: Shop, other_model: str
) -> None:
    (shop.folder / "images" / "P-003.png").unlink()
    made = answer(run("evaluate", "--index", index, "--compare", other_model, "--json"), 3)
    assert made["rejected"] == 1 and made["images"] == 19
    assert made["compare"][0]["text_to_image"]["queries"] == made["text_to_image"]["queries"] == 19


def test_latency_is_that_of_the_model_and_not_of_a_memory(index: Path) -> None:
    made = answer(run("evaluate", "--index", index, "--json"))
    latency = made["latency_ms"]
    assert latency["text"]["p50"] > 0.1, "twenty titles are asked fifty times: none is remembered"
    assert latency["query"]["p50"] > latency["search"]["p50"]


def test_without_pairs_or_index_it_says_what_to_do(tmp_path: Path) -> None:
    result = run("evaluate", "--index", tmp_path / "none")
    assert "make one with `retrieval index" in str(result.exception)


@pytest.mark.parametrize(
    "options",
    [
        ["--read-run", "x"],
        ["--topics", "x"],
        ["--judgements", "x", "--model", "starter"],
        ["--judgements", "x", "--report", "x.html"],
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str]) -> None:
    assert run("evaluate", *options).exit_code == 2


def test_flops_are_those_of_the_layers(tiny_encoder: Encoder) -> None:
    """Counted by hand for the vision tower: patches, attention, both layers of each block."""
    vision = CONFIG["model_cfg"]["vision_cfg"]  # type: ignore[index]
    width, tokens = 64, (64 // 8) ** 2 + 1
    patches = 2 * (tokens - 1) * width * 3 * 8 * 8
    block = 2 * tokens * width * (3 * width) + 2 * 2 * tokens * tokens * width
    block += 2 * tokens * width * width + 2 * 2 * tokens * width * 4 * width
    expected = patches + vision["layers"] * block + 2 * width * 64
    assert tiny_encoder.cost()["flops"]["image"] == pytest.approx(expected, rel=0.01)


def test_parameters_are_all_of_the_models(tiny_encoder: Encoder) -> None:
    model = open_clip.create_model(tiny_encoder.name)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert sum(tiny_encoder.cost()["parameters"].values()) == total
    assert torch.is_inference_mode_enabled() is False


def test_an_approximate_index_is_told_apart_from_the_model() -> None:
    """Text-like queries lie off the cloud of photos: a narrow graph loses more of them."""
    chance = np.random.default_rng(0)
    photos = chance.normal(size=(3_000, 32)).astype(np.float32)
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    texts = photos + 0.25 * chance.normal(size=photos.shape).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    relevant = [np.array([i]) for i in range(3_000)]
    ids = np.arange(3_000)
    exact = index_loss(PhotosInMemory(photos, "flat", 10), ids, texts, photos, relevant)
    assert exact["texts"]["recall@20"] == exact["images"]["recall@20"] == 1.0
    narrow = PhotosInMemory(photos, "ivf-sq8", 10)
    narrow.gallery.index.search_effort = 1
    lossy = index_loss(narrow, ids, texts, photos, relevant)
    assert lossy["texts"]["recall@20"] < 0.9
    assert lossy["texts"]["R@10_index"] < lossy["texts"]["R@10_exact"]
    assert lossy["texts"]["R@10_exact"] == exact["texts"]["R@10_exact"]
    picked = np.linspace(0, 2_999, 500).astype(int)
    measured = measure_vectors(texts[picked], photos, [relevant[i] for i in picked])
    by_measure = measured.by_query["R@10"].mean()
    assert exact["texts"]["R@10_exact"] == pytest.approx(by_measure, abs=0.01)


class Names:
    """An encoder whose texts are told apart by their last word alone."""

    def encode_texts(self, texts: list[str]) -> Any:
        words = ["mug", "plate", "box"]
        return np.eye(3, dtype=np.float32)[[words.index(text.split()[-1]) for text in texts]]


def test_zero_shot_counts_what_is_right_by_class() -> None:
    photos = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    labels = ["mug", "plate", "plate", None, "box"]
    made = classify(photos, labels, Names(), ["{}", "a {}"])  # type: ignore[arg-type]
    assert made is not None
    shown = made.as_dict()
    assert shown["accuracy"] == 0.75 and shown["photos"] == 4
    assert shown["per_class"]["plate"] == {"photos": 2, "accuracy": 0.5}
    assert made.classes == ("plate", "box", "mug")
    assert made.confusion().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert classify(photos, ["mug"] * 5, Names()) is None  # type: ignore[arg-type]


def test_labels_are_spoken_and_templates_read(tmp_path: Path) -> None:
    labels = ["Men/Tops/Tees", "Women/Tops/Tees", "Men/Tops/Hoodies & Sweatshirts", "table_lamps"]
    assert spoken(labels) == ["men tees", "women tees", "hoodies & sweatshirts", "table lamps"]
    file = tmp_path / "t.txt"
    file.write_text("a {}\n\nthe {}, seen from above\n")
    assert read_templates(file) == ("a {}", "the {}, seen from above")
    file.write_text("a photo\n")
    with pytest.raises(SourceError, match="'a photo' has no"):
        read_templates(file)


class Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.pictures = 0
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not str(value).startswith(("data:", "#")):
                self.outside.append(str(value))
            self.pictures += tag == "img" and name == "src"


def test_the_report_stands_alone_and_shows_titles_as_text(
    pairs: Path, tiny_model: str, other_model: str, tmp_path: Path
) -> None:
    rows = rows_of(pairs)
    rows[0]["text"] = "<script>alert(1)</script> $mug$ \u0645\u0631\u062d\u0628\u0627"
    rows[1]["label"] = "a <b>$bold$</b> label"
    write(pairs, rows)
    target = tmp_path / "reports" / "r.html"
    options = ["--model", tiny_model, "--compare", other_model, "--report", target]
    shown = run("evaluate", pairs, *options)
    assert shown.exit_code == 0, shown.output
    page = target.read_text("utf-8")
    links = Links()
    links.feed(page)
    assert links.outside == [] and "script" not in links.tags and "b" in links.tags
    assert links.pictures > 10 and page.count("<svg") == 5
    assert "&lt;script&gt;" in page and "<b>$bold" not in page
    assert "http" not in page.replace("http://www.w3.org/", "")


def test_the_summary_for_people_has_intervals_and_costs(pairs: Path, tiny_model: str) -> None:
    shown = run("evaluate", pairs, "--model", tiny_model).stdout
    assert "text to image" in shown and " to " in shown and "GFLOP" in shown
    assert "zero-shot" in shown and "recall@20" in shown


def test_vectors_that_an_index_holds_are_not_made_again(
    index: Path, shop: Shop, tiny_encoder: Encoder
) -> None:
    """Pairs of the catalog's own texts and photos: their texts at least are known."""
    settings = load_settings(index=index)
    rows = [{"image": f"images/{key}.png", "text": row["title"]} for key, row in shop.rows.items()]
    given = read_pairs(write(shop.folder / "pairs.csv", rows))
    embedded = embed(given, tiny_encoder, settings, Quiet())
    assert embedded.texts_per_second is None and embedded.images_per_second
    assert len(embedded.photos) == 20
    found = retrieval.open(index).search(image=shop.folder / rows[3]["image"])
    assert found[0].id == "P-003"
