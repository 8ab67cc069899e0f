"""The starter model's shape, as open_clip builds it, and its text tower's forward pass."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from open_clip import CLIP
from torch import nn
from torch.nn import functional

EMBED_DIM = 512
TEACHER_DIM = 384
CONTEXT = 48
CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "mlp",
            "image_size": 224,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": 49408,
            "width": 256,
            "heads": 4,
            "layers": 2,
        },
    },
    "preprocess_cfg": {
        "size": 224,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "longest",
        "fill_color": 255,
    },
}


def build() -> CLIP:
    """An untrained model of that shape, float32."""
    return CLIP(**copy.deepcopy(CONFIG["model_cfg"]))


def text_forward(model: nn.Module, ids: torch.Tensor, skip: int = 0) -> torch.Tensor:
    """`model.encode_text(ids, normalize=True)` for ids cut to fewer than the context's columns.

    (n, t) -> (n, 512).

    Attention is causal and the text is read at its end token, so padding columns never matter, a
    batch costs only its own longest text, and the last block is computed for the end tokens alone.
    The first `skip` blocks are left out, which changes nothing while they are at
    `start_from_words`' values.
    """
    rows, ends = torch.arange(len(ids), device=ids.device), ids.argmax(-1)
    x = model.token_embedding(ids) + model.positional_embedding[: ids.shape[1]]
    blocks = model.transformer.resblocks[skip:]
    for block in blocks[:-1]:
        x = x + _attend(block, x, x, None)
        x = x + block.mlp(block.ln_2(x))
    seen = torch.arange(ids.shape[1], device=ids.device)[None] <= ends[:, None]
    last = x[rows, ends][:, None]
    last = last + _attend(blocks[-1], last, x, seen[:, None, None])
    last = last + blocks[-1].mlp(blocks[-1].ln_2(last))
    return functional.normalize(
        (model.ln_final(last[:, 0]) @ model.text_projection).float(), dim=-1
    )


def _attend(
    block: nn.Module, queries: torch.Tensor, x: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """A residual block's attention from `queries` to `x`; causal where there is no mask."""
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    width, heads = weight.shape[1], block.attn.num_heads
    query = functional.linear(block.ln_1(queries), weight[:width], bias[:width])
    keys, values = functional.linear(block.ln_1(x), weight[width:], bias[width:]).chunk(2, -1)
    query, keys, values = (
        y.unflatten(-1, (heads, -1)).transpose(1, 2) for y in (query, keys, values)
    )
    # Written out: on a CPU the gradient of torch's own takes seven times as long for short texts.
    scores = (query @ keys.transpose(-1, -2)) * query.shape[-1] ** -0.5
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).tril()
    mixed = scores.masked_fill(~mask, float("-inf")).softmax(-1).to(values.dtype) @ values
    return block.attn.out_proj(mixed.transpose(1, 2).flatten(2))


def trim(ids: torch.Tensor) -> torch.Tensor:
    """Token ids without the columns in which every row is padding."""
    return ids[:, : int(ids.argmax(-1).max()) + 1]


def widened(vectors: np.ndarray, width: int) -> torch.Tensor:
    """Teacher vectors (n, 384) as float32 (n, width).

    The same angles, in a space with room to spare.
    """
    return functional.pad(torch.from_numpy(vectors).float(), (0, width - vectors.shape[1]))
