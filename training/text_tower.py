"""Distils MiniLM into the open_clip text tower.

The same text, nearly the same vector, a fifth of the work.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch.nn import functional

from training.corpus import is_held_out
from training.model import (
    CONTEXT,
    EMBED_DIM,
    TEACHER_DIM,
    build,
    text_forward,
    trim,
    widened,
)
from training.teachers import SentenceTeacher

log = logging.getLogger(__name__)
# Weight of the similarities within a batch beside the texts' own cosines.
RELATIONAL = 60


def tokenize(texts: list[str]) -> torch.Tensor:
    """open_clip's BPE ids, int32 (n, CONTEXT), zero after the end token."""
    tokenizer = SimpleTokenizer(context_length=CONTEXT)
    parts = [tokenizer(texts[i : i + 4096]).int() for i in range(0, len(texts), 4096)]
    return torch.cat(parts) if parts else torch.zeros((0, CONTEXT), dtype=torch.int32)


def word_pieces() -> list[str]:
    """The written form of every BPE token, in id order."""
    tokenizer = SimpleTokenizer(context_length=CONTEXT)
    pieces = []
    for index in range(tokenizer.vocab_size):
        token = tokenizer.decoder[index].replace("</w>", "")
        raw = bytearray(tokenizer.byte_decoder.get(c, 32) for c in token)
        pieces.append(raw.decode("utf-8", errors="ignore").strip() or "a")
    return pieces


@torch.no_grad()
def start_from_words(model: torch.nn.Module, teacher: SentenceTeacher, targets: np.ndarray) -> None:
    """Sets `model`'s text tower to the mean of its words' teacher vectors.

    From which training departs.

    Token embeddings are the teacher's vectors of the written tokens in the leading principal
    directions of `targets`; the last block's attention is all but uniform with identity values; the
    blocks before it add nothing, so that the last one can be trained alone first, at a tenth of the
    cost.
    """
    width = model.token_embedding.weight.shape[1]
    sample = torch.from_numpy(targets[:: max(1, len(targets) // 50_000)]).float()
    basis = torch.linalg.eigh(sample.T @ sample)[1][:, -width:]
    vectors = torch.from_numpy(teacher.encode(word_pieces())).float() @ basis
    model.token_embedding.weight.copy_(vectors * 0.8 / vectors.std())
    model.token_embedding.weight[-2:].zero_()
    model.positional_embedding.zero_()
    model.text_projection.zero_()
    model.text_projection[:, :TEACHER_DIM].copy_(basis.T)
    for block in model.transformer.resblocks:
        for layer in (block.attn.out_proj, block.mlp.c_proj):
            layer.weight.zero_()
            layer.bias.zero_()
    attention = model.transformer.resblocks[-1].attn
    attention.in_proj_weight[: 2 * width].mul_(0.3)
    attention.in_proj_weight[2 * width :].copy_(torch.eye(width))
    attention.out_proj.weight.copy_(torch.eye(width))


def batches(lengths: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Shuffled row numbers in batches of texts of like length."""
    order = rng.permutation(len(lengths))
    chunks = [order[i : i + size * 50] for i in range(0, len(order), size * 50)]
    parts = []
    for chunk in chunks:
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        parts += [chunk[i : i + size] for i in range(0, len(chunk) - size // 2, size)]
    for index in rng.permutation(len(parts)):
        yield parts[index]


def distil(
    phrases: list[str], targets: np.ndarray, folder: Path, minutes: float, epochs: int = 4,
    batch: int = 512, rate: float = 1e-3, device: str = "cpu", checkpoint_every: float = 300.0,
    start: Path | None = None, skip: int = 0,
) -> Path:  # fmt: skip
    """Trains the text tower on `phrases` against `targets` (n, 384).

    Returns the checkpoint written in `folder`.

    Stops after `epochs` or `minutes`, whichever comes first; the learning rate follows whichever is
    nearer its end, so a short run is a whole one. Loss: one minus the cosine, plus the squared
    error of the similarities within the batch (relational distillation), which is what a search
    ranks by.
    """
    path = folder / "text_tower.pt"
    torch.manual_seed(0)
    model = build()
    unseen = np.array([is_held_out(p) for p in phrases])
    ids = tokenize(phrases)
    if start is not None:
        model.load_state_dict(torch.load(start, weights_only=True), strict=False)
    else:
        start_from_words(model, SentenceTeacher(device), targets)
    model.to(device)
    log.info("start: %s", agreement(model, ids[unseen], targets[unseen]))
    rows, lengths = np.flatnonzero(~unseen), ids.argmax(-1).numpy()
    names = (
        "token_embedding",
        "positional_embedding",
        "transformer",
        "ln_final",
        "text_projection",
    )
    weights = [p for n, p in model.named_parameters() if n.split(".")[0] in names]
    others = [p for p in weights if p is not model.token_embedding.weight]
    # A word's own vector is touched by few steps, so it takes longer ones.
    groups = [
        {"params": [model.token_embedding.weight], "scale": 20.0},
        {"params": others, "scale": 1.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    rng, begin, saved, step = np.random.default_rng(0), time.time(), time.time(), 0
    total = epochs * len(rows) // batch
    for _ in range(epochs):
        for part in batches(lengths[rows], batch, rng):
            done = max(step / total, (time.time() - begin) / (60 * minutes))
            if done >= 1:
                break
            for group in optimiser.param_groups:
                decay = 0.02 + 0.98 * math.cos(done * math.pi / 2) ** 2
                group["lr"] = group["scale"] * rate * min(1.0, (step + 1) / 100) * decay
            chosen = rows[part]
            wanted = widened(targets[chosen], EMBED_DIM).to(device)
            with torch.autocast(device.split(":")[0], torch.bfloat16):
                got = text_forward(model, trim(ids[chosen].long().to(device)), skip)
            loss = _loss(got, wanted)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            step += 1
            if step % 50 == 0:
                log.info(
                    "step %d of %d, %.0f s, loss %.4f",
                    step,
                    total,
                    time.time() - begin,
                    loss.item(),
                )
            if time.time() - saved > checkpoint_every:
                log.info("step %d: %s", step, agreement(model, ids[unseen], targets[unseen]))
                torch.save(_text_state(model, names), path)
                saved = time.time()
    log.info("end, step %d: %s", step, agreement(model, ids[unseen], targets[unseen]))
    torch.save(_text_state(model, names), path)
    return path


def _loss(got: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    cosine = 1 - (got * wanted).sum(-1).mean()
    return cosine + RELATIONAL * functional.mse_loss(got @ got.T, wanted @ wanted.T)


def _text_state(model: torch.nn.Module, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    return {k: v.cpu() for k, v in model.state_dict().items() if k.split(".")[0] in names}


def embed(model: torch.nn.Module, ids: torch.Tensor, batch: int = 512) -> torch.Tensor:
    """Unit vectors (n, EMBED_DIM) of token ids, float32 on the CPU."""
    order, result = ids.argmax(-1).argsort(), torch.zeros(len(ids), EMBED_DIM)
    device = model.text_projection.device
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for rows in order.split(batch):
            result[rows] = text_forward(model, trim(ids[rows].long().to(device))).cpu()
    return result


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of two equally long vectors without ties worth speaking of."""
    ranks = [np.argsort(np.argsort(x)).astype(np.float64) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def agreement(
    model: torch.nn.Module, ids: torch.Tensor, targets: np.ndarray, count: int = 5000
) -> dict[str, float]:
    """Mean cosine to the teacher, and Spearman's correlation over the pairs of `count` phrases.

    Evenly drawn.
    """
    rows = np.linspace(0, len(ids) - 1, min(count, len(ids))).astype(int)
    got, wanted = embed(model, ids[rows]).numpy(), widened(targets[rows], EMBED_DIM).numpy()
    upper = np.random.default_rng(0).integers(0, len(rows), (2, 1_000_000))
    upper = upper[:, upper[0] != upper[1]]
    first, second = ((v[upper[0]] * v[upper[1]]).sum(-1) for v in (got, wanted))
    return {
        "cosine": round(float((got * wanted).sum(-1).mean()), 4),
        "spearman": round(spearman(first, second), 4),
    }
