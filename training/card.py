"""The model card, written from what was measured."""

from __future__ import annotations

from training.model import CONFIG, CONTEXT, EMBED_DIM

TEXT = CONFIG["model_cfg"]["text_cfg"]


def _table(title: str, values: dict[str, float]) -> str:
    rows = "\n".join(f"| {k} | {v:.3f} |" for k, v in values.items() if k != "photos")
    return f"### {title}\n\n| measure | value |\n| --- | --- |\n{rows}\n"


def card(
    sets: dict[str, int],
    text: dict[str, float],
    held_out: dict[str, float],
    catalogs: dict[str, dict[str, float]],
    run: dict[str, object],
) -> str:
    """Markdown: purpose, training, data and their rights, the given numbers, limits."""
    pictures = "\n".join(f"| {name} | {count} |" for name, count in sorted(sets.items()))
    measured = "\n".join(
        _table(f"{name} ({v['photos']} photos)", v) for name, v in catalogs.items()
    )
    settings = "\n".join(f"- {key}: {value}" for key, value in run.items())
    return f"""# Starter model

A small two-tower model of pictures and English text in open_clip's format. It makes product
search work offline, on a CPU, from the first minute. **It is a starter**: any of open_clip's
pretrained models understands a real catalog better. Where a download is possible, use one of
those (`--model ViT-B-32/laion2b_s34b_b79k`, say).

```python
model, _, preprocess = open_clip.create_model_and_transforms("local-dir:FOLDER")
tokenizer = open_clip.get_tokenizer("local-dir:FOLDER")
```

## What it is
- Image tower: EfficientNet-Lite0 (timm `tf_efficientnet_lite0`), 224 px, the photo whole on
  white, pixels in [-1, 1], and a two-layer head.
- Text tower: {TEXT["layers"]} transformer layers of width {TEXT["width"]}, open_clip's own BPE,
  {CONTEXT} tokens.
- Vectors: {EMBED_DIM} numbers of unit length; float16 weights.

## How it was trained (`python -m training`)
1. The text tower learns all-MiniLM-L6-v2's sentence vectors on captions, WordNet's words and
   definitions, spans of both, and phrases made from word lists, so that words never seen with a
   picture lie near their synonyms.
2. The image tower is EfficientNet-Lite0 with its ImageNet weights. Part of its head is a ConSE
   of its own: a hidden unit for each class (animals share some), with the class's name in the
   teacher's vectors as the output. The other part holds a linear map trained by contrast
   between pictures and captions, in which equal captions are no negatives and a distance to the
   ConSE vector is kept small. Among the pictures are products rendered by the same code as the
   sample catalog (other designs, finishes and views), with their colour and material named.
   Where asked for (`--tail-minutes`; the run below says whether it was), the 1x1 convolutions of
   the last blocks are then trained with the head, towards the vectors that the text tower itself
   gives to the captions, held to what the ImageNet classifier said of the pictures before
   (learning without forgetting), and the weights kept lie a share of the way from those before
   to those after (WiSE-FT).

Settings of this run:
{settings}

## Data and rights
The weights were started or taught from: EfficientNet-Lite0 (Apache-2.0; trained on
ImageNet-1k), all-MiniLM-L6-v2 (Apache-2.0), WordNet 3.0 (WordNet licence; © 2006 Princeton
University). Pictures with captions, none of which is part of the project:

| set | pictures |
| --- | --- |
{pictures}

Most of these sets state no licence: product photos and titles scraped from shops by others.
Known: clothing CC0, magento2 and smartstore shop demo data (OSL/AFL, AGPL; not trained on where
the table leaves them out), saleor BSD-3, eshop, tailwind and fluent_emoji3d MIT,
tuxpaint_stamps GPL-2. Judge for yourself whether a model taught by such pictures fits your use.

## Numbers
Text tower against its teacher on {int(text.get("phrases", 0))} phrases never trained on:
Spearman of similarities {text["spearman"]:.3f}, mean cosine {text["cosine"]:.3f}.

Of WordNet's {int(text["names"])} names of artifacts, those with a word that no caption holds have
a synonym that shares no word with them among the ten nearest in {text["synonyms"]:.1%} of such
pairs (the teacher: {text["synonyms of the teacher"]:.1%}).

Pictures held out from training (R@10 of captions; accuracy where captions are a few labels;
sets of different sizes, so compare models by them, not sets):

| set | value |
| --- | --- |
{chr(10).join(f"| {k} | {v:.3f} |" for k, v in held_out.items())}

Catalogs that were never trained on, titles against photos: `retrieval evaluate CATALOG.csv --model
starter`, with `RETRIEVAL_PRECISION=f32`. `samples` is the catalog of this project; what it was
rendered by also rendered other products that the model learnt from, so it flatters.

{measured}
## Limits
- English only. Brands, model numbers, text on packages and counts are not seen.
- Knows the things that ImageNet or the sets above show; of everything else it knows the words
  alone.
- Fashion and consumer electronics are over-represented in what it has seen.
- Not for identifying people, nor for anything in which a wrong match does harm.
"""
