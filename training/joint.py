"""Trains the image tower towards the text vectors, without losing the ImageNet classes."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from training.measure import recall_at, zero_shot
from training.model import widened
from training.pairs import TITLE, PictureSet, Sampler
from training.tail import Tail
from training.teachers import efficientnet_lite

log = logging.getLogger(__name__)
CHECKPOINT_EVERY = 600.0


@dataclass
class Plan:
    """Settings of one run; chosen by leaving whole sets out, never by a test catalog."""

    steps: int = 300
    minutes: float = 10.0
    batch: int = 1024
    head_rate: float = 1e-3
    stage_rate: float = 0.0
    keep: float = 2.0
    classes: float = 1.0
    soft: float = 0.05
    power: float = 0.5
    recall: float = 1.0
    bank: int = 0
    queue: int = 0
    seed: int = 0
    boost: dict[str, float] = field(default_factory=lambda: {"imagenet_sample": 3.0})


def conse(
    logits: torch.Tensor, classes: torch.Tensor, temperature: float = 2.0, top: int = 30
) -> torch.Tensor:
    """Convex combination of class text vectors: logits (n, 1000) -> unit (n, d).

    The method is ConSE, of Norouzi and others, 2014, with a temperature.
    """
    weights, index = (logits / temperature).softmax(-1).topk(top, -1)
    weights = weights / weights.sum(-1, keepdim=True)
    return functional.normalize((weights[:, :, None] * classes[index]).sum(1), dim=-1)


class Trainer:
    """One run of training over cached features, against fixed text vectors.

    `texts` (m, 384) are unit vectors of the texts that `sets` number, `classes` (1000, 384) of the
    class names.
    """

    def __init__(
        self,
        model: nn.Module,
        sets: list[PictureSet],
        texts: np.ndarray,
        classes: np.ndarray,
        device: str,
    ) -> None:
        self.model, self.sets, self.device = model.to(device).eval(), sets, device
        self.tail = Tail(model.visual)
        width = model.visual.head.mlp.fc2.out_features
        self.texts, self.classes = (widened(v, width).to(device) for v in (texts, classes))
        spread = np.concatenate(
            [np.asarray(s.features.pooled[::20], np.float32) for s in sets]
        ).std(0)
        self.scale = torch.from_numpy(spread + 1e-3).to(device)
        self.classifier = efficientnet_lite(0).classifier.to(device).requires_grad_(False)

    def _inputs(
        self, groups, maps: bool, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [
            getattr(self.sets[i].features, "maps" if maps else "pooled")[rows] for i, rows in groups
        ]
        logits = np.concatenate([self.sets[i].features.logits[rows] for i, rows in groups])
        x = torch.from_numpy(np.concatenate(parts)).to(self.device).float()
        x = self._augment(x.permute(0, 3, 1, 2), rng) if maps else x
        return x, torch.from_numpy(logits).to(self.device).float()

    @staticmethod
    def _augment(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Half of the maps mirrored, all cropped to one window, at least 5 of 7 cells a side."""
        mirrored = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)
        x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
        height, width = rng.integers(5, 8, 2) if rng.random() < 0.7 else (7, 7)
        top, left = rng.integers(0, 8 - height), rng.integers(0, 8 - width)
        x = x[:, :, top : top + height, left : left + width]
        return x.contiguous(memory_format=torch.channels_last)

    def fit_linear(self, plan: Plan) -> torch.Tensor:
        """Trains a linear head on the frozen trunk, apart from the model's own.

        Returns its weights (d, 1280).
        """
        head = nn.Linear(self.scale.numel(), self.texts.shape[1], bias=False).to(self.device)
        nn.init.normal_(head.weight, std=0.02)
        own, self.tail = self.tail, Tail(self.model.visual, head)
        self.fit(replace(plan, stage_rate=0.0), None, "linear")
        weight, self.tail = self.tail.head.weight.detach().clone(), own
        return weight

    def sample(self, count: int = 4000) -> torch.Tensor:
        """Pooled features of an even sample of all pictures, (about `count`, 1280)."""
        step = max(1, sum(len(s.texts) for s in self.sets) // count)
        parts = [np.asarray(s.features.pooled[::step], np.float32) for s in self.sets]
        return torch.from_numpy(np.concatenate(parts)).to(self.device)

    def fit(self, plan: Plan, folder: Path | None, name: str, share: float = 1.0) -> None:
        """Trains the tail in place and leaves the averaged weights in it.

        Writes `{name}.pt` into `folder`. With a `share` below 1 it goes but so far from the weights
        before to those after, which keeps more of what was known before (WiSE-FT, of Wortsman and
        others, 2022).
        """
        before = copy.deepcopy(self.tail.state_dict())
        partial = None if folder is None else folder / f"{name}.partial.pt"
        begin = saved = time.time()
        if partial is not None and partial.exists():
            reached = torch.load(partial, map_location=self.device, weights_only=True)
            begin -= reached.pop("seconds")
            self.tail.load_state_dict(reached)
        torch.manual_seed(plan.seed)
        rng = np.random.default_rng(plan.seed)
        sampler = Sampler(self.sets, plan.power, plan.seed, plan.boost)
        with torch.no_grad():
            # Columns of the first layer are trained in units of their inputs' spread.
            self.tail.first.mul_(self.scale)
        scales = nn.Parameter(torch.full((2,), math.log(20.0), device=self.device))
        optimiser, parameters = self._optimiser(plan, scales)
        average = copy.deepcopy(self.tail)
        queue = torch.zeros(0, self.texts.shape[1], device=self.device)
        queued = torch.zeros(0, self.texts.shape[1], device=self.device)
        for step in range(plan.steps):
            done = max(step / plan.steps, (time.time() - begin) / (60 * plan.minutes))
            if done >= 1:
                break
            for group in optimiser.param_groups:
                decay = 0.02 + 0.98 * math.cos(done * math.pi / 2) ** 2
                group["lr"] = group["full"] * min(1.0, (step + 1) / 30) * decay
            groups, numbers = sampler.draw(plan.batch)
            x, logits = self._inputs(groups, plan.stage_rate > 0, rng)
            features, said = self.tail.pooled(x), self.texts[numbers]
            got = self.tail.vectors(functional.dropout(features, 0.2), self.scale)
            bank = self.texts[rng.integers(0, len(self.texts), plan.bank)]
            loss = self._loss(plan, got, said, logits, scales, (queue, queued), bank)
            if plan.stage_rate:
                loss = loss + plan.recall * self._forgotten(features, logits)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            keep = min(0.98, (step + 1) / (step + 10))
            with torch.no_grad():
                for mean, now in zip(average.parameters(), self.tail.parameters(), strict=True):
                    mean.lerp_(now, 1 - keep)
            if plan.queue:
                queue = torch.cat([got.detach(), queue])[: plan.queue]
                queued = torch.cat([said, queued])[: plan.queue]
            if step % 20 == 0:
                log.info(
                    "%s step %d of %d, %.0f s, loss %.4f",
                    name,
                    step,
                    plan.steps,
                    time.time() - begin,
                    loss.item(),
                )
            if partial is not None and time.time() - saved > CHECKPOINT_EVERY:
                saved = time.time()
                torch.save(self._natural(average) | {"seconds": saved - begin}, partial)
        after = self._natural(average)
        self.tail.load_state_dict({k: v.lerp(after[k], share) for k, v in before.items()})
        self.tail.stages.write_back(self.model.visual.trunk)
        with torch.no_grad():
            self.model.logit_scale.copy_(scales[0])
        if partial is not None:
            state = {k: v.cpu() for k, v in self.model.state_dict().items()}
            torch.save(state, partial.with_name(f"{name}.pt"))
            partial.unlink(missing_ok=True)

    def _natural(self, tail: Tail) -> dict[str, torch.Tensor]:
        """The weights of `tail` as they are used outside of training: for unscaled features."""
        first = next(key for key, value in tail.named_parameters() if value is tail.first)
        return {k: v / self.scale if k == first else v for k, v in tail.state_dict().items()}

    def _optimiser(self, plan: Plan, scales: nn.Parameter):
        groups = [
            {
                "params": list(self.tail.head.parameters()),
                "full": plan.head_rate,
                "weight_decay": 0.02,
            },
            {"params": [scales], "full": 1e-3, "weight_decay": 0.0},
        ]
        if plan.stage_rate:
            stages = list(self.tail.stages.parameters())
            groups.append({"params": stages, "full": plan.stage_rate, "weight_decay": 0.0})
        return torch.optim.AdamW(groups), [p for group in groups for p in group["params"]]

    def _loss(self, plan: Plan, got, said, logits, scales, queue, bank) -> torch.Tensor:
        """Contrast both ways, equal captions being no negatives; ConSE and class distillation."""

        def wanted(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            target = ((a @ b.T - 1) / plan.soft).exp()
            target = target * (target > 0.01)
            return target / target.sum(1, keepdim=True)

        others, seen = torch.cat([said, bank]), torch.cat([got, queue[0]])
        temperature = scales.exp().clamp(max=100)
        to_text = (
            -(wanted(said, others) * (got @ others.T * temperature[0]).log_softmax(1)).sum(1).mean()
        )
        words = torch.cat([said, queue[1]])
        to_image = (
            -(wanted(said, words) * (said @ seen.T * temperature[0]).log_softmax(1)).sum(1).mean()
        )
        keep = 1 - (got * conse(logits, self.classes)).sum(1).mean()
        probabilities = (logits / 2).softmax(1)
        classes = (
            -(probabilities * (got @ self.classes.T * temperature[1]).log_softmax(1)).sum(1).mean()
        )
        return (to_text + to_image) / 2 + plan.keep * keep + plan.classes * classes

    def _forgotten(self, features: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """What the ImageNet classifier says of trained features, against what it said before.

        The method is Learning without Forgetting, of Li and Hoiem, 2016.
        """
        said = (self.classifier(features) / 2).log_softmax(1)
        return functional.kl_div(said, (logits / 2).softmax(1), reduction="batchmean")

    @torch.inference_mode()
    def embed(self, part: PictureSet, rows: np.ndarray) -> np.ndarray:
        """Unit vectors of the given pictures, as the whole image tower would give them (nearly.

        Cached maps).
        """
        result = []
        for chunk in np.array_split(rows, max(1, len(rows) // 128)):
            x = (
                torch.from_numpy(np.asarray(part.features.maps[chunk]))
                .to(self.device)
                .float()
                .permute(0, 3, 1, 2)
            )
            result.append(self.tail(x.contiguous(memory_format=torch.channels_last)).cpu().numpy())
        return np.concatenate(result)

    def validate(self, whole: tuple[str, ...] = ()) -> dict[str, float]:
        """R@10 of first captions on held-out pictures.

        Zero-shot accuracy where captions are a few labels.
        """
        texts, result = self.texts.cpu().numpy(), {}
        for part in self.sets:
            rows = (
                np.flatnonzero(part.held) if part.name not in whole else np.arange(len(part.texts))
            )
            rows = np.array([r for r in rows if part.texts[r][TITLE]], int)
            if len(rows) < 90:
                continue
            rows = rows[:: -(-len(rows) // 1000)]
            images, numbers = self.embed(part, rows), [part.texts[r][TITLE][0] for r in rows]
            labels = sorted(set(numbers))
            if len(labels) < 50:
                names = [str(n) for n in labels]
                result[part.name] = zero_shot(
                    images, [str(n) for n in numbers], names, texts[labels]
                )
            else:
                result[part.name] = recall_at(texts[numbers], images)
        return {k: round(v, 3) for k, v in result.items()}
