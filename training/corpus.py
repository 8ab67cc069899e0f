"""The phrases of the text tower: captions, a dictionary, and sentences made from word lists."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

# WordNet's lexicographer files whose nouns can stand in front of a shop's camera.
THINGS = {
    "04": "act",
    "05": "animal",
    "06": "artifact",
    "08": "body",
    "13": "food",
    "17": "object",
    "18": "person",
    "20": "plant",
    "27": "substance",
}
COLOURS = """white black grey gray silver gold beige cream ivory brown tan red crimson
maroon burgundy pink rose coral orange peach yellow mustard green olive mint teal turquoise
cyan blue navy indigo purple violet lavender multicolor transparent pastel dark light matte
glossy neon""".split()
MATERIALS = """wooden oak walnut pine bamboo rattan wicker metal steel iron brass copper
aluminium chrome glass crystal ceramic porcelain stoneware clay marble stone concrete
plastic acrylic silicone rubber leather suede cotton linen wool silk satin velvet denim
polyester nylon fleece felt canvas jute paper cardboard wax""".split()
QUALITIES = """small large mini big tall round square rectangular foldable portable
adjustable vintage modern classic rustic handmade printed striped checked floral plain
embroidered quilted padded waterproof wireless electric rechargeable digital analog
decorative kids baby men's women's unisex professional premium cheap lightweight heavy-duty
soft hard reusable disposable organic scented stackable folding wall-mounted""".split()
PLACES = """kitchen bathroom bedroom living-room office garden garage nursery hallway
balcony car school gym beach wedding party travel camping""".split()
FORMS = (
    "{c} {m} {n}",
    "{m} {n}",
    "{c} {n}",
    "{q} {n}",
    "{q} {c} {n}",
    "{n} in {c}",
    "{n} made of {m}",
    "{q} {m} {n}",
    "a photo of a {c} {n}",
    "a photo of a {n}",
    "{n} for the {p}",
    "{p} {n}",
    "{n} with {n2}",
    "set of {k} {n}s",
    "{n} and {n2}",
    "pack of {k} {c} {n}s",
    "{c} and {c2} {n}",
    "{q} {n} for {p}, {c}",
    "{n}, {m}, {c}",
    "This {q} {n} is made of {m} and comes in {c}.",
    "A {c} {n} that looks good in every {p}.",
    "{q} {n} with a {m} finish, ideal for the {p}.",
    "{n} ({c}, pack of {k})",
    "{q} {m} {n} - {k} cm",
    "buy {n} online",
    "{n} gift",
    "the {n} has a {m} body and a {c} {n2}",
    "{n} without {n2}",
    "{b} {c} {n}",
    "{b} {q} {n} {k}",
    "{b} {m} {n} for {p}",
    "{b} {n}",
    "a drawing of a {n}",
    "close-up of a {m} {n}",
)
SYLLABLES = """al be cor da el fi gra ho in ju ka lo mi no or pa qui ra sa to ul ve wi xa yo zen mar
lin tek os""".split()


@dataclass(frozen=True)
class Word:
    """One lemma of WordNet, its part of speech (n, v, a, s, r), file number, first definition."""

    lemma: str
    kind: str
    file: str
    definition: str
    named: bool


def wordnet(folder: Path) -> Iterator[Word]:
    """Words of the `data.*` files in `folder` (Debian: wordnet-base, /usr/share/wordnet)."""
    for kind in ("noun", "verb", "adj", "adv"):
        with (folder / f"data.{kind}").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("  "):
                    continue
                fields, _, gloss = line.partition(" | ")
                parts = fields.split()
                definition = re.split(r'; "|;|"', gloss.strip())[0].strip()
                for i in range(int(parts[3], 16)):
                    lemma = re.sub(r"\(\w+\)$", "", parts[4 + 2 * i]).replace("_", " ")
                    yield Word(lemma, parts[2], parts[1], definition, "@i" in parts)


def captions_of(path: Path) -> list[list[str]]:
    """The captions of a Parquet set, a list a picture, white space made plain."""
    lists = pq.read_table(path, columns=["captions"]).column(0).to_pylist()
    return [[" ".join(c.split()) for c in captions if c and c.strip()] for captions in lists]


def sentences(text: str) -> list[str]:
    """`text` cut after full stops and bullets, so that a piece fits the text tower."""
    return [s.strip() for s in re.split(r"(?<=[.!?])\s+|\s*[•|]\s*", text) if len(s.strip()) > 2]


def _brand(rng: random.Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))).capitalize()


def made_up(things: list[str], count: int, seed: int) -> list[str]:
    """`count` shop-like phrases from FORMS; the same for the same seed."""
    rng = random.Random(seed)
    return [
        rng.choice(FORMS).format(
            c=rng.choice(COLOURS),
            c2=rng.choice(COLOURS),
            m=rng.choice(MATERIALS),
            q=rng.choice(QUALITIES),
            p=rng.choice(PLACES),
            n=rng.choice(things),
            n2=rng.choice(things),
            k=rng.choice((2, 3, 4, 6, 12, 30)),
            b=_brand(rng),
        )
        for _ in range(count)
    ]


def caption_variants(caption: str, rng: random.Random) -> list[str]:
    """Parts of a caption as a query would hold them: its sentences, and a span of its words."""
    parts = sentences(caption)
    variants = parts if len(parts) > 1 else []
    words = caption.split()
    if len(words) > 4:
        variants = [*variants, _span(words, 6, rng)]
    return variants


def _span(words: list[str], longest: int, rng: random.Random) -> str:
    """From two to `longest` of more than two words, as they stand."""
    start = rng.randrange(len(words) - 2)
    return " ".join(words[start : start + rng.randint(2, longest)])


def phrases(
    sets: Iterable[Path],
    wordnet_folder: Path,
    classes: Iterable[str],
    made: int = 150_000,
    seed: int = 0,
) -> list[str]:
    """All distinct phrases to distil on, sorted, so that the list is the same in every run."""
    rng = random.Random(seed)
    found: set[str] = set()
    for path in sorted(sets):
        for caption in (c for captions in captions_of(path) for c in captions):
            found.update([caption[:400], *caption_variants(caption, rng)])
    things: set[str] = set()
    for word in wordnet(wordnet_folder):
        if word.named and rng.random() > 0.15:
            continue
        found.add(word.lemma)
        if word.kind == "n" and word.file in THINGS and not word.named:
            things.add(word.lemma)
            found.add(f"{word.lemma}: {word.definition}" if rng.random() < 0.3 else word.definition)
        elif rng.random() < 0.25:
            found.add(word.definition)
    artifacts = sorted(
        {w.lemma for w in wordnet(wordnet_folder) if w.kind == "n" and w.file == "06"}
    )
    found.update(made_up(artifacts, made * 2 // 3, seed))
    found.update(made_up(sorted(things), made // 3, seed + 1))
    for name in classes:
        found.update([name, f"a photo of a {name}", f"a {rng.choice(COLOURS)} {name}"])
    return sorted(p for p in found if len(p) > 1)


def more_phrases(
    sets: Iterable[Path], wordnet_folder: Path, count: int, seed: int = 2
) -> list[str]:
    """About `count` further phrases to distil on: made up, or spans of captions and of glosses.

    A rare word of `phrases` stands in one or two of its texts; here it is met in company, as
    queries have it.
    """
    rng = random.Random(seed)
    words = list(wordnet(wordnet_folder))
    nouns = [w for w in words if w.kind == "n" and not w.named]
    things = sorted({w.lemma for w in nouns if w.file in THINGS})
    artifacts = sorted({w.lemma for w in nouns if w.file == "06"})
    found = set(
        made_up(things, count * 2 // 5, seed) + made_up(artifacts, count * 3 // 10, seed + 1)
    )
    texts = sorted({w.definition for w in words if not w.named})
    texts += [c for path in sorted(sets) for captions in captions_of(path) for c in captions]
    for text in rng.choices([t for t in texts if len(t.split()) > 4], k=count * 3 // 10):
        found.add(_span(text.split(), 10, rng))
    return sorted(found)


def unseen_synonyms(
    sets: Iterable[Path], wordnet_folder: Path, count: int = 1500, seed: int = 0
) -> tuple[list[str], list[tuple[int, int]]]:
    """WordNet's names of artifacts, and pairs of rows in them that name one thing.

    The first of a pair has a word that no caption has, and no word in common with the second.
    """
    captions = (c for path in sets for group in captions_of(path) for c in group)
    seen = {word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())}
    things: dict[str, list[str]] = {}
    for word in wordnet(wordnet_folder):
        if word.kind == "n" and word.file == "06":
            things.setdefault(word.definition, []).append(word.lemma.lower())
    names = sorted({name for group in things.values() for name in group})
    rows = {name: row for row, name in enumerate(names)}
    pairs = [
        (rows[one], rows[other])
        for group in things.values()
        for one in group
        for other in group
        if not set(re.findall(r"[a-z]+", one)) <= seen and not set(one.split()) & set(other.split())
    ]
    return names, random.Random(seed).sample(pairs, min(count, len(pairs)))


def is_held_out(phrase: str, share: float = 0.02) -> bool:
    """Whether a phrase belongs to the unseen ones: by its hash, so that no list has to be kept."""
    digest = hashlib.sha256(phrase.lower().encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
