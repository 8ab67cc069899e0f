"""Two ways to fit an adapter to pairs: one closed form, one by contrast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import normalize

from retrieval.adaptation.pairs import Pairs
from retrieval.common.adapter import Adapter

Mask = npt.NDArray[np.bool_]

RIDGE = 1.0
STEPS = 300
PATIENCE = 60
CHECK_EVERY = 10
BATCH = 1_024
ROWS_AT_ONCE = 8_192
RATE = 3e-4
NOISE = 0.5
# How dear it is to move the catalog's vectors: what keeps the model's general knowledge. Chosen
# on one catalog with the loss on another in view: 0 loses there, 30 gains half as much here.
STAY = 10.0
FIRST_SCALE = 20.0


@dataclass(frozen=True)
class FittedAdapter:
    """An adapter, the steps it took, and what the judge gave it (higher is better)."""

    adapter: Adapter
    steps: int
    score: float


Judge = Callable[[Adapter], float]
Tick = Callable[[int], None]


def closed_form(pairs: Pairs, train: Mask) -> Adapter:
    """Ridge regression of each side onto the mean of both: one solve, no steps.

    Args:
        train: (products,) which products may be learnt from.
    """
    texts, photos = _rows_of_pairs(pairs, train)
    dim = pairs.photos.shape[1]
    mean_x = pairs.photos[photos].mean(axis=0, dtype=np.float64)
    mean_y = pairs.texts[texts].mean(axis=0, dtype=np.float64)
    xx, yy, xy = np.zeros((dim, dim)), np.zeros((dim, dim)), np.zeros((dim, dim))
    for start in range(0, len(photos), ROWS_AT_ONCE):  # all at once would be gigabytes
        part = slice(start, start + ROWS_AT_ONCE)
        x, y = pairs.photos[photos[part]] - mean_x, pairs.texts[texts[part]] - mean_y
        xx += x.T @ x
        yy += y.T @ y
        xy += x.T @ y
    penalty = RIDGE * len(photos) / dim * np.eye(dim)
    image_map = np.linalg.solve(xx + penalty, xy - xx) / 2
    text_map = np.linalg.solve(yy + penalty, xy.T - yy) / 2
    return Adapter(
        {"images": image_map.astype(np.float32), "texts": text_map.astype(np.float32)},
        {
            "images": (-mean_x - mean_x @ image_map).astype(np.float32),
            "texts": (-mean_y - mean_y @ text_map).astype(np.float32),
        },
    )


def by_contrast(
    pairs: Pairs,
    train: Mask,
    judge: Judge | None = None,
    steps: int = STEPS,
    tick: Tick = lambda _: None,
    seed: int = 0,
) -> FittedAdapter:
    """Residual maps trained with the symmetric contrastive loss of CLIP (Radford et al., 2021).

    Products of one group are right answers to each other. Without a judge exactly `steps` are
    made; with one, those after which it was pleased best, and it stops where it no longer is.

    Args:
        train: (products,) which products may be learnt from.
        judge: scores an adapter by products that are not learnt from.
        tick: is told how many steps were made, or saved.
    """
    generator = torch.Generator().manual_seed(seed)
    chance = np.random.default_rng(seed)
    texts, photos = _rows_of_pairs(pairs, train)
    dim = pairs.photos.shape[1]
    x, y = torch.from_numpy(pairs.photos), torch.from_numpy(pairs.texts)
    groups = torch.from_numpy(pairs.groups[pairs.photo_products[photos]])
    maps = torch.zeros(2, dim, dim, requires_grad=True)
    shifts = torch.zeros(2, dim, requires_grad=True)
    scale = torch.tensor(float(np.log(FIRST_SCALE)), requires_grad=True)
    optimiser = torch.optim.Adam([maps, shifts, scale], lr=RATE)
    best = FittedAdapter(_adapter(maps, shifts), 0, judge(_adapter(maps, shifts)) if judge else 0.0)
    for step in range(1, steps + 1):
        batch = chance.permutation(len(photos))[:BATCH]
        sides = []
        moved = torch.zeros(())
        for side, (vectors, rows) in enumerate(((x, photos), (y, texts))):
            taken = vectors[torch.from_numpy(rows[batch])]
            noise = torch.randn(taken.shape, generator=generator) * (NOISE / dim**0.5)
            change = (taken + noise) @ maps[side] + shifts[side]
            sides.append(normalize(taken + noise + change, dim=-1))
            moved = moved + change.square().sum(dim=1).mean()
        loss = _contrast(sides[0] @ sides[1].T * scale.exp(), groups[batch]) + STAY * moved
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if judge and step % CHECK_EVERY == 0:
            tick(CHECK_EVERY)
            adapter = _adapter(maps, shifts)
            score = judge(adapter)
            if score > best.score:
                best = FittedAdapter(adapter, step, score)
            elif step - best.steps >= PATIENCE:
                tick(steps - step)
                break
    return best if judge else FittedAdapter(_adapter(maps, shifts), steps, 0.0)


def _contrast(scores: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    right = (groups[:, None] == groups[None]).float()
    wanted = right / right.sum(dim=1, keepdim=True)
    there = -(wanted * scores.log_softmax(dim=1)).sum(dim=1).mean()
    back = -(wanted * scores.T.log_softmax(dim=1)).sum(dim=1).mean()
    return (there + back) / 2


def _adapter(maps: torch.Tensor, shifts: torch.Tensor) -> Adapter:
    images, texts = maps.detach().clone().numpy()
    image_shift, text_shift = shifts.detach().clone().numpy()
    return Adapter({"images": images, "texts": texts}, {"images": image_shift, "texts": text_shift})


def _rows_of_pairs(pairs: Pairs, train: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Every text of a product with each of its photos: rows of texts (p,) and of photos (p,)."""
    photos_of: dict[int, list[int]] = {}
    for photo, product in enumerate(pairs.photo_products.tolist()):
        photos_of.setdefault(product, []).append(photo)
    rows = [
        (text, photo)
        for text, product in enumerate(pairs.text_products.tolist())
        if train[product]
        for photo in photos_of.get(product, ())
    ]
    both = np.array(rows, dtype=np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]
