"""The image head: ImageNet's classes as hidden units, a trained linear map in those left over."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from training.teachers import efficientnet_lite

THRESHOLD = 3.5
SLOPE = 2.0
ANIMALS = 398
ANIMAL_UNITS = 60
LIFT = 6.0


def merged_classes(
    weight: torch.Tensor, bias: torch.Tensor, classes: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Classifier rows merged into `count`, by nearness of weights (n, 1280) and words (n, 384)."""
    centre, size = weight.mean(0), torch.ones(len(weight))

    def nearness(
        w: torch.Tensor, c: torch.Tensor, all_w: torch.Tensor, all_c: torch.Tensor
    ) -> torch.Tensor:
        directions = (
            functional.normalize(w - centre, dim=-1)
            @ functional.normalize(all_w - centre, dim=-1).T
        )
        return directions + c @ all_c.T

    scores = nearness(weight, classes, weight, classes).fill_diagonal_(-9)
    while len(weight) > count:
        first, second = sorted(divmod(int(scores.argmax()), len(weight)))
        share = size[second] / (size[first] + size[second])
        weight[first].lerp_(weight[second], share)
        bias[first].lerp_(bias[second], share)
        classes[first] = functional.normalize(classes[first].lerp(classes[second], share), dim=-1)
        size[first] += size[second]
        kept = torch.arange(len(weight)) != second
        weight, bias, classes, size = weight[kept], bias[kept], classes[kept], size[kept]
        scores = scores[kept][:, kept]
        row = nearness(weight[first : first + 1], classes[first : first + 1], weight, classes)[0]
        row = row - 0.3 * (size + size[first] - 1).log()
        row[first] = -9
        scores[first], scores[:, first] = row, row
    return weight, bias, classes


@torch.no_grad()
def start_from_imagenet(visual: nn.Module, classes: np.ndarray) -> int:
    """Loads the ImageNet trunk and makes the two-layer head a ConSE of its own.

    Returns the units that it took.

    A unit is a class's logit above THRESHOLD, the output the sum of the classes' text vectors by
    those: what a linear head fitted to some shops' photos forgets, this one starts with. The 398
    animal classes, of little use to shops, share ANIMAL_UNITS units; the units left over are
    silent.
    """
    teacher = efficientnet_lite(0)
    state = {k: v for k, v in teacher.state_dict().items() if not k.startswith("classifier")}
    visual.trunk.load_state_dict(state)
    first, second = visual.head.mlp.fc1, visual.head.mlp.fc2
    rows = (
        teacher.classifier.weight.detach(),
        teacher.classifier.bias.detach(),
        torch.from_numpy(classes).float(),
    )
    animals = merged_classes(*(x[:ANIMALS].clone() for x in rows), ANIMAL_UNITS)
    # The mean of several classes' logits is lower than the best of them.
    animals[1].add_(0.5)
    weight, bias, vectors = (
        torch.cat([a, x[ANIMALS:]]) for a, x in zip(animals, rows, strict=True)
    )
    units, width = len(weight), vectors.shape[1]
    for part in (first.weight, first.bias, second.weight):
        part.zero_()
    first.weight[:units].copy_(weight * SLOPE)
    first.bias[:units].copy_((bias - THRESHOLD) * SLOPE)
    second.weight[:width, :units].copy_(vectors.T / SLOPE)
    return units


@torch.no_grad()
def add_linear(
    head: nn.Module, units: int, weight: torch.Tensor, sample: torch.Tensor, share: float
) -> None:
    """Puts the linear map `weight` (d, 1280) beside the first `units` hidden units.

    Those units' part of the output is scaled to `share` of the map's mean length.

    GELU is the identity far above nought: a unit holds one principal direction of the map's outputs
    on `sample` (n, 1280), lifted by LIFT of its standard deviations; the last unit, a constant,
    takes the lift out again. Only the least of the directions find no unit.
    """
    first, second = head.mlp.fc1, head.mlp.fc2
    outputs = sample @ weight.T
    classes = (
        functional.gelu(sample @ first.weight[:units].T + first.bias[:units])
        @ second.weight[:, :units].T
    )
    second.weight[:, :units].mul_(share * outputs.norm(dim=1).mean() / classes.norm(dim=1).mean())
    room = slice(units, first.out_features - 1)
    count = room.stop - room.start
    directions = torch.linalg.eigh(outputs.T @ outputs)[1].flip(1)[:, :count]
    along = outputs @ directions
    spread, middle = along.std(0) + 1e-4 * along.std(), along.mean(0)
    first.weight[room].copy_((weight.T @ directions / spread).T)
    first.bias[room].copy_(LIFT - middle / spread)
    second.weight[:, room].copy_(directions * spread)
    first.weight[-1].zero_()
    first.bias[-1] = LIFT
    constant = second.weight[:, room] @ (LIFT - middle / spread)
    second.weight[:, -1].copy_(-constant / functional.gelu(torch.tensor(LIFT)))
