"""Classification by the names of classes alone (Radford et al., 2021): how well they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.products import category_steps
from retrieval.encoders import Encoder, Vectors, normalise
from retrieval.errors import SourceError

TEMPLATES = (
    "{}",
    "a photo of {}",
    "a product photo of {}",
    "{} on a white background",
    "a picture of {} from a shop's catalog",
    "a close-up of {}",
    "{} for sale",
)
TOP = 5
MAX_CLASSES = 1_000


@dataclass(frozen=True)
class ZeroShot:
    """What was guessed of each labelled photo.

    Attributes:
        classes: names, the most frequent first.
        truth: (n,) the class of each photo; guesses: (n, k) classes, the likeliest first.
    """

    classes: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    guesses: npt.NDArray[np.int64]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the first guess was right."""
        return np.asarray(self.guesses[:, 0] == self.truth)

    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes): photos of the row's class that were taken for the column's."""
        size = len(self.classes)
        flat = np.bincount(self.truth * size + self.guesses[:, 0], minlength=size * size)
        return flat.reshape(size, size)

    def as_dict(self) -> dict[str, Any]:
        top = (self.guesses == self.truth[:, None]).any(axis=1)
        return {
            "accuracy": round(float(self.right.mean()), 5),
            "top5": round(float(top.mean()), 5),
            "photos": len(self.truth),
            "classes": len(self.classes),
            "per_class": {
                name: {
                    "photos": int((self.truth == i).sum()),
                    "accuracy": round(float(self.right[self.truth == i].mean()), 5),
                }
                for i, name in enumerate(self.classes)
            },
            "confusion": self.confusion().tolist(),
        }


def read_templates(path: Path) -> tuple[str, ...]:
    """One template a line, with `{}` where the name goes; raises SourceError."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{path} cannot be read ({error})") from None
    templates = tuple(line for line in lines if line)
    wrong = next((line for line in templates if "{}" not in line), None)
    if not templates or wrong is not None:
        fault = f"{wrong!r} has no" if wrong is not None else "no line has a"
        raise SourceError(f"{path}: {fault} {{}} for the name of the class to stand in")
    return templates


def classify(
    photos: Vectors,
    labels: Sequence[str | None],
    encoder: Encoder,
    templates: Sequence[str] = TEMPLATES,
) -> ZeroShot | None:
    """Guesses the label of each photo that has one; None where there are not two to tell apart.

    A class is the mean of the vectors of its name in all templates. Photos without a label are
    left out.
    """
    named = [i for i, label in enumerate(labels) if label]
    counts = Counter(str(labels[i]) for i in named)
    if not 2 <= len(counts) <= MAX_CLASSES:
        return None
    classes = tuple(sorted(counts, key=lambda name: (-counts[name], name)))
    number = {name: i for i, name in enumerate(classes)}
    names = spoken(classes)
    prompts = [template.replace("{}", name) for name in names for template in templates]
    vectors = encoder.encode_texts(prompts).reshape(len(classes), len(templates), -1)
    scores = photos[named] @ normalise(vectors.mean(axis=1)).T
    guesses = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    truth = np.array([number[str(labels[i])] for i in named], dtype=np.int64)
    return ZeroShot(classes, truth, guesses.astype(np.int64))


def spoken(labels: Sequence[str]) -> list[str]:
    """Labels as one would say them, no underscores; of a path (`Men/Tops/Jackets`) the last step.

    Where that does not tell two labels apart, the steps that do go before it: `men jackets`.
    """
    steps = [_steps(label) for label in labels]
    names = [parts[-1] for parts in steps]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [i for i, other in enumerate(names) if other == name]
        shared = set.intersection(*(set(steps[i]) for i in alike))
        for i in alike:
            own = [part for part in steps[i][:-1] if part not in shared]
            names[i] = " ".join([*own, name])
    return names


def _steps(label: str) -> list[str]:
    return [step.replace("_", " ").lower() for step in category_steps(label)] or [label]
