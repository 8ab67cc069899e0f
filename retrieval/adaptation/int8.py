"""A model made int8 for one catalog, and kept only where that catalog is searched as well by it.

Post-training quantization of each tower, calibrated on the catalog's own photos and titles. What
it does to a search cannot be told beforehand: some towers keep nine in ten of the neighbours,
others half. So each is held against the model that it was made of, on the catalog itself.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from retrieval.common.progress import Progress
from retrieval.common.vectors import NeighbourOverlap, neighbour_overlap, spread_evenly
from retrieval.encoders import Vectors, load_encoder, name_from_here
from retrieval.encoders.names import INT8
from retrieval.encoders.openvino.cache import COMPILED, IMAGE_MODEL, META, TEXT_MODEL, write_meta
from retrieval.encoders.openvino.encoder import OpenVinoEncoder
from retrieval.encoders.openvino.int8 import quantize_images, quantize_texts
from retrieval.errors import EncoderError, SourceError
from retrieval.evaluation.embedding import read_inputs
from retrieval.evaluation.intervals import Difference, compare
from retrieval.evaluation.metrics import Measures, measure_vectors
from retrieval.evaluation.sets import EvaluationSet, photos_with_texts
from retrieval.settings import Settings
from retrieval.storage import open_storage

PRECISION, MODEL = "int8", "model"
CALIBRATED_ON = 300
JUDGED_ON = 2_000
LEAST_PHOTOS = 100
LEAST_KEPT = 0.9
# Less than this is not worth another fingerprint.
LEAST_SPEEDUP = 1.1
ROUNDS = 3
FILES = {"images": IMAGE_MODEL, "texts": TEXT_MODEL}


@dataclass(frozen=True)
class TowerCheck:
    """One tower in int8 beside the same tower as it was, on the catalog.

    Attributes:
        neighbour_overlap: of its vectors to those of before.
        recall: title to photo and photo to title, R@10: int8 less before.
        speedup: of a forward pass.
        refused: why it stays as it was, or None.
    """

    neighbour_overlap: NeighbourOverlap
    recall: dict[str, Difference]
    speedup: float
    refused: str | None

    def as_dict(self) -> dict[str, Any]:
        recall = {name: difference.as_dict() for name, difference in self.recall.items()}
        return {**asdict(self), "recall": recall}


@dataclass
class QuantizeReport:
    """What `quantize` found and did.

    Attributes:
        towers: `images` and `texts`.
        name: the new model's, as `--model` takes it; None where no tower passed, and nothing
            was written.
    """

    model: str
    photos: int
    texts: int
    towers: dict[str, TowerCheck] = field(default_factory=dict)
    name: str | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        towers = {side: tower.as_dict() for side, tower in self.towers.items()}
        return {**vars(self), "towers": towers}


def quantize(
    settings: Settings, out: Path, progress: Progress, *, keep: float = LEAST_KEPT
) -> QuantizeReport:
    """Makes the model of `settings.index` int8, as far as the catalog is searched as well by it.

    Args:
        out: folder to write the new model to.
        keep: share of a photo's, and of a title's, ten nearest neighbours that must stay.

    Raises:
        IndexMissing: there is no index.
        SourceError: it has too few photos with titles to judge by, or `out` is a folder of
            something else.
        EncoderError: its model does not run by OpenVINO, or NNCF is not there.
    """
    started = time.perf_counter()
    if out.exists() and any(out.iterdir()) and not (out / META).exists():
        raise SourceError(f"{out} is there and holds no model; name a folder that is not there yet")
    generation = open_storage(settings.index, settings).current()
    evaluation_set = photos_with_texts(generation, settings.index, "title")
    if len(evaluation_set.photos) < LEAST_PHOTOS:
        raise SourceError(
            f"{settings.index} has {len(evaluation_set.photos)} photos with titles; "
            f"it takes {LEAST_PHOTOS} to judge by"
        )
    model = name_from_here(generation.manifest.model, settings.index)
    fitted = settings.model_copy(update={"fit": generation.manifest.fit})
    with progress.task(f"loading {model}"):
        before = load_encoder(model, fitted, bulk=True)
    if not isinstance(before, OpenVinoEncoder) or before.export.quantized:
        raise EncoderError(f"{model} is run by {before.backend}; int8 is made of OpenVINO's form")
    judge = _Judge(evaluation_set, before, fitted, progress, keep)
    report = QuantizeReport(model, len(judge.sample.photos), len(judge.sample.texts))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        report.towers = judge.towers(partial)
        passed = tuple(side for side, tower in report.towers.items() if tower.refused is None)
        if passed:
            _finish(before, partial, passed)
            shutil.rmtree(out, ignore_errors=True)
            (partial / MODEL).replace(out)
            report.name = f"{INT8}{out}"
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    report.seconds = round(time.perf_counter() - started, 1)
    return report


class _Judge:
    """Photos and titles of the catalog, and what the model makes of them as it is."""

    def __init__(
        self,
        evaluation_set: EvaluationSet,
        before: OpenVinoEncoder,
        settings: Settings,
        progress: Progress,
        keep: float,
    ) -> None:
        rows = spread_evenly(len(evaluation_set.photos), JUDGED_ON).tolist()
        sample = evaluation_set.only(rows, [evaluation_set.photo_keys[row] for row in rows])
        readable, self._squares = read_inputs(sample, before, settings, progress)
        self.sample = sample.only(readable, [sample.photo_keys[row] for row in readable])
        self._before, self._progress, self._keep = before, progress, keep
        self._runs: dict[str, tuple[Callable[[OpenVinoEncoder], Vectors], str]] = {
            "images": (lambda encoder: encoder.encode_images(self._squares), "photos"),
            "texts": (lambda encoder: encoder.encode_texts(self.sample.texts), "titles"),
        }
        with progress.task("embedding as it is", total=2) as task:
            self._vectors: dict[str, Vectors] = {}
            for side, (run, _) in self._runs.items():
                self._vectors[side] = run(before)
                task.advance()
        self._measured = self._measure(self._vectors)

    def towers(self, folder: Path) -> dict[str, TowerCheck]:
        """Each tower in int8, written to `folder` below its name."""
        checks: dict[str, TowerCheck] = {}
        for side, (run, items) in self._runs.items():
            trial = folder / side
            _copy_export(self._before.folder, trial)
            with self._progress.task(f"making the tower of {items} int8"):
                self._quantize(side, trial)
            with self._progress.task(f"embedding {items} in int8"):
                export = replace(self._before.export, quantized=(side,))
                after = OpenVinoEncoder(self._before.name, trial, export, bulk=True)
                checks[side] = self._check(side, run(after), self._speedup(run, after))
        return checks

    def _quantize(self, side: str, trial: Path) -> None:
        if side == "images":
            chosen = spread_evenly(len(self._squares), CALIBRATED_ON)
            quantize_images(self._before, [self._squares[row] for row in chosen], trial)
        else:
            chosen = spread_evenly(len(self.sample.texts), CALIBRATED_ON)
            quantize_texts(self._before, [self.sample.texts[row] for row in chosen], trial)

    def _check(self, side: str, vectors: Vectors, speedup: float) -> TowerCheck:
        near = neighbour_overlap(self._vectors[side], vectors)
        recall = self._recall({**self._vectors, side: vectors})
        lost = [name for name, change in recall.items() if change.significant and change.value < 0]
        refused = None
        if near.overlap < self._keep:
            refused = f"{near.overlap:.0%} of the neighbours stay, {self._keep:.0%} must"
        elif lost:
            points = -100 * recall[lost[0]].value
            refused = f"{lost[0]} loses {points:.1f} points of R@10"
        elif speedup < LEAST_SPEEDUP:
            refused = f"{speedup:.2f} times as fast, which is not worth it"
        return TowerCheck(near, recall, speedup, refused)

    def _recall(self, vectors: dict[str, Vectors]) -> dict[str, Difference]:
        """R@10 by these vectors less that by those of before."""
        clusters = dict(zip(self._measured, self.sample.clusters(), strict=True))
        return {
            name: compare(after, self._measured[name], clusters[name])["R@10"]
            for name, after in self._measure(vectors).items()
        }

    def _measure(self, vectors: dict[str, Vectors]) -> dict[str, Measures]:
        """Both ways; in the order of `EvaluationSet.clusters`."""
        photos = self.sample.photos_of_texts(duplicates=True)
        texts = self.sample.texts_of_photos(duplicates=True)
        return {
            "title to photo": measure_vectors(vectors["texts"], vectors["images"], photos),
            "photo to title": measure_vectors(vectors["images"], vectors["texts"], texts),
        }

    def _speedup(self, run: Callable[[OpenVinoEncoder], Vectors], after: OpenVinoEncoder) -> float:
        """The best of ROUNDS, in turns: whatever else the machine does slows both."""
        best = [float("inf"), float("inf")]
        for _ in range(ROUNDS):
            for place, encoder in enumerate((self._before, after)):
                started = time.perf_counter()
                run(encoder)
                best[place] = min(best[place], time.perf_counter() - started)
        return round(best[0] / best[1], 3)


def _copy_export(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(COMPILED))


def _finish(before: OpenVinoEncoder, partial: Path, passed: Sequence[str]) -> None:
    """Puts the towers that passed, and the others as they were, together in `partial`."""
    digest = hashlib.sha256(before.details.weights.encode())
    model = partial / MODEL
    _copy_export(before.folder, model)
    for side in passed:
        for file in sorted((partial / side).glob(f"{Path(FILES[side]).stem}.*")):
            shutil.copy2(file, model / file.name)
            digest.update(file.read_bytes())
    details = {**before.export.details, "weights": digest.hexdigest(), "precision": PRECISION}
    write_meta(
        model,
        replace(before.export, details=details, base=before.name, quantized=tuple(passed)),
    )
