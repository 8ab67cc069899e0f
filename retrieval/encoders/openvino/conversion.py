"""A torch model -> OpenVINO's form, written once, and held against the model it was made of."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transformer import TextTransformer, text_global_pool
from PIL import Image
from torch import nn

from retrieval.common.vectors import NeighbourOverlap, neighbour_overlap
from retrieval.encoders.openclip import OpenClipEncoder
from retrieval.encoders.openvino.cache import IMAGE_MODEL, TEXT_MODEL, Export, write_meta
from retrieval.encoders.openvino.encoder import OpenVinoEncoder
from retrieval.encoders.openvino.runtime import bf16_runs_here, openvino, quiet
from retrieval.encoders.openvino.tokenizer import ClipTokenizer
from retrieval.errors import EncoderError, one_line

LARGEST_BATCH = 256
POOLS_AT_A_TOKEN = ("argmax", "eos", "first")
# What the check is made on; see samples/make_probes.py.
PROBES = Path(__file__).parent / "probes.jpg"
PROBE_SIDE = 192
# Below these the neighbours of a photo are others than the model would give. What differs as
# little as SAME_COSINE changes places only where the model itself cannot tell which comes first.
LEAST_COSINE = 0.995
LEAST_OVERLAP = 0.9
SAME_COSINE = 0.9999
# What is read, and one text that is longer than any context.
PHRASES = tuple(
    f"{article} {colour} {thing}{more}"
    for article, more in (("a", ""), ("the", " with two handles, made by hand"))
    for colour in ("red", "dark blue", "wooden", "glass")
    for thing in ("mug", "floor lamp", "dining chair", "summer dress", "screwdriver", "guitar")
)
PHRASES += (", ".join(PHRASES[:24]),)


def export_model(encoder: OpenClipEncoder, folder: Path, wanted: str) -> Export:
    """Writes both towers of a model into a folder, and what `openvino/cache.py` needs.

    Args:
        wanted: `auto` takes bf16 where the CPU has it and the neighbours stay; `bf16`, `f32`.

    Raises:
        EncoderError: it cannot be exported, or gives other vectors than the model.
    """
    try:
        with quiet():
            texts = TextTower(encoder.model)
            tokens = encoder.tokenizer(list(PHRASES[:2]))
            _write_images(encoder, folder / IMAGE_MODEL)
            _write_texts(texts, tokens, encoder.context, folder / TEXT_MODEL)
    except Exception as error:
        reason = one_line(error, 200)
        raise EncoderError(f"{type(error).__name__}: {reason}") from error
    tokenizer = None
    if isinstance(encoder.tokenizer.inner, open_clip.SimpleTokenizer):
        tokenizer = ClipTokenizer.carried_over(encoder.tokenizer.inner, encoder.context)
    if tokenizer is not None:
        tokenizer.save(folder)
    export = Export(
        details=encoder.details.as_dict(),
        own_fit=encoder.own_fit,
        dim=encoder.dim,
        context=encoder.context,
        cuts=texts.cuts,
        start=None if tokenizer is None else tokenizer.start,
        end=None if tokenizer is None else tokenizer.end,
        cost=encoder.cost(),
    )
    export = _checked(encoder, folder, export, wanted)
    write_meta(folder, export)
    return export


class _ImageTower(nn.Module):
    """Pixels, uint8 (n, 3, s, s) -> vectors of length 1."""

    def __init__(self, encoder: OpenClipEncoder) -> None:
        super().__init__()
        self.model = _folded(encoder.model)
        self.mean, self.scale = encoder.mean, encoder.scale

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = (pixels.float() - self.mean) * self.scale
        return nn.functional.normalize(self.model.encode_image(seen), dim=-1)


class TextTower(nn.Module):
    """Tokens, int64 (n, length) -> vectors of length 1.

    open_clip's towers take texts of their full context. Where each token sees those before it
    alone, and the vector is that of the last one, what follows changes nothing and may be left
    out: then the tables are cut to what there is. For other towers that would be wrong.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.tower = getattr(model, "text", model)
        self.pool = getattr(self.tower, "pool_type", None) or getattr(
            self.tower, "text_pool_type", None
        )
        self.end = getattr(self.tower, "eos_id", None) or getattr(self.tower, "text_eos_id", None)
        self.cuts = (
            type(self.tower) in (open_clip.CLIP, TextTransformer)
            and getattr(self.tower, "attn_mask", None) is not None
            and getattr(self.tower, "cls_emb", None) is None
            and self.pool in POOLS_AT_A_TOKEN
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        if not self.cuts:
            return nn.functional.normalize(self.model.encode_text(tokens), dim=-1)
        tower, length = self.tower, tokens.shape[1]
        x = tower.token_embedding(tokens) + tower.positional_embedding[:length]
        x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask[:length, :length]))
        x = text_global_pool(x, tokens, self.pool, self.end)
        projection = tower.text_projection
        if isinstance(projection, nn.Linear):
            x = projection(x)
        elif projection is not None:
            x = x @ projection
        return nn.functional.normalize(x, dim=-1)


def _folded(model: Any) -> Any:
    """The model with branches folded that were needed for its training only (MobileCLIP)."""
    from timm.utils.model import reparameterize_model

    return reparameterize_model(model)


def _write_images(encoder: OpenClipEncoder, path: Path) -> None:
    tower = _ImageTower(encoder).eval()
    size = encoder.image_size
    example = torch.zeros((2, 3, size, size), dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    exported = torch.export.export(tower, (example,), dynamic_shapes=({0: batch},))
    _write(exported, [-1, 3, size, size], path)


def _write_texts(tower: TextTower, tokens: torch.Tensor, context: int, path: Path) -> None:
    shapes: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)}
    if tower.cuts:
        # The whole context must not be named here, and runs all the same.
        shapes[1] = torch.export.Dim("length", min=2, max=context - 1)
        tokens = tokens[:, : max(3, min(9, context - 1))]
    exported = torch.export.export(tower.eval(), (tokens,), dynamic_shapes=(shapes,))
    _write(exported, [-1, -1 if tower.cuts else context], path)


def _write(exported: Any, shape: list[int], path: Path) -> None:
    model = openvino().convert_model(exported)
    model.reshape(shape)
    openvino().save_model(model, str(path), compress_to_fp16=True)


def _checked(encoder: OpenClipEncoder, folder: Path, export: Export, wanted: str) -> Export:
    """With the precision to run in, and how near the vectors then are; raises EncoderError."""
    inputs = [encoder.prepare(picture) for picture in probes()]
    seen, read = encoder.encode_images(inputs), encoder.encode_texts(PHRASES)
    for precision in _precisions(wanted):
        fast = OpenVinoEncoder(encoder.name, folder, replace(export, precision=precision))
        overlaps = {
            "images": neighbour_overlap(seen, fast.encode_images(inputs)),
            "texts": neighbour_overlap(read, fast.encode_texts(PHRASES)),
        }
        if all(_is_near(near) for near in overlaps.values()):
            check = {side: asdict(near) for side, near in overlaps.items()}
            return replace(export, precision=precision, check=check)
    told = ", ".join(
        f"{side} have a cosine of {near.cosine} and keep {near.overlap:.0%} of their neighbours"
        for side, near in overlaps.items()
    )
    raise EncoderError(f"its vectors are not those of the model: {told}")


def _precisions(wanted: str) -> list[str]:
    """In the order in which they are tried."""
    if wanted != "auto":
        return [wanted]
    return ["bf16", "f32"] if bf16_runs_here() else ["f32"]


def _is_near(near: NeighbourOverlap) -> bool:
    if near.cosine >= SAME_COSINE:
        return True
    return near.cosine >= LEAST_COSINE and near.overlap >= LEAST_OVERLAP


def probes() -> list[Image.Image]:
    """The photos of PROBES: products of the sample catalog, cut out of one sheet."""
    with Image.open(PROBES) as sheet:
        whole = sheet.convert("RGB")
    return [
        whole.crop((left, top, left + PROBE_SIDE, top + PROBE_SIDE))
        for top in range(0, whole.height, PROBE_SIDE)
        for left in range(0, whole.width, PROBE_SIDE)
    ]
