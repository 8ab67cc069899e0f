"""What is kept of a catalog and handed over, whatever engine keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from retrieval.common.products import ProductRecord
from retrieval.common.vectors import Vectors

Modality = Literal["images", "texts"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.float32]

# A logistic curve is at 0.05 this many units before its middle.
LOGISTIC_REACH = 2.944
FORMAT = 1


@dataclass(frozen=True)
class ImageRow:
    """A photo on a card; `path` is relative to the folder of the index."""

    id: int
    path: str
    width: int
    height: int
    content_hash: str


@dataclass(frozen=True)
class TextRow:
    """A text on a card; `field` is `title`, `description`, or `attributes` for short values."""

    id: int
    field: str
    content: str


@dataclass(frozen=True)
class Card:
    """All that is shown of a product."""

    id: int
    key: str
    title: str
    description: str
    category: str | None
    brand: str | None
    price: float | None
    attributes: dict[str, Any]
    images: tuple[ImageRow, ...]
    texts: tuple[TextRow, ...]


@dataclass(frozen=True)
class GalleryEntry:
    """What a manifest says of one gallery: its index's type, and its recall@20.

    Attributes:
        search_effort: how much of it a search visits; 0 where it always visits all.
        rescore_depth: the least number of neighbours to fetch, and to score again exactly.
        built: vectors that its cells were learnt from; changed: how many came or went since.
    """

    vectors: int
    index_type: str
    search_effort: int
    recall: dict[str, float]
    rescore_depth: int = 0
    built: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Manifest:
    """What a generation holds.

    Attributes:
        generation: its number.
        revision: of the catalog that it shows.
        fingerprint: of the encoder that made its vectors, adapter included.
        adapter: whether the model's vectors went through `adapter.safetensors`, which lies beside.
        model: name of that encoder, as `--model` takes it.
        files: name -> {"bytes", "sha256"}.
        wanted_type: the index type that was asked for, which the next one is made as, too.
        calibration: by `query>gallery` (`text>images`, ...); without the pairs that the catalog
            has too few examples of.
    """

    generation: int
    created: str
    revision: int
    fingerprint: str
    model: str
    dim: int
    fit: str
    products: int
    wanted_type: str
    galleries: dict[Modality, GalleryEntry]
    calibration: dict[str, Calibration]
    adapter: bool = False
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def recall(self) -> float:
        """The lowest recall@20 over galleries and kinds of query."""
        recalls = [r for gallery in self.galleries.values() for r in gallery.recall.values()]
        return min(recalls, default=1.0)

    @property
    def index_type(self) -> str:
        """The type of the photos' index, or of the texts' where there are no photos."""
        photos = self.galleries["images"]
        return photos.index_type if photos.vectors else self.galleries["texts"].index_type

    @property
    def vectors(self) -> int:
        return sum(gallery.vectors for gallery in self.galleries.values())


@dataclass(frozen=True)
class GenerationState:
    """A published generation as a list shows it; `problem` is one line where it is not whole.

    `rolled_back` is of the live one, where somebody went back to it from a later one.
    """

    number: int
    live: bool
    manifest: Manifest | None
    problem: str | None = None
    rolled_back: bool = False


@dataclass(frozen=True)
class EncoderInfo:
    """The encoder that vectors were made with.

    Attributes:
        name: how to load it, as `--model` takes it; a folder is told from the index.
        dim: components of its vectors.
        details: everything that changes a vector; the fingerprint is made of it.
    """

    fingerprint: str
    name: str
    dim: int
    details: dict[str, Any]

    @property
    def fit(self) -> Any:
        """How photos were fitted into the square that the model sees."""
        return self.details["preprocess"]["fit"]


@dataclass(frozen=True)
class Problem:
    """Something that does not fit.

    Attributes:
        text: one line, with what to do.
        derived: deriving the generation again mends it.
        vector_id: the stored vector that is at fault, if one is.
        of_truth: the truth may be at fault, and the generation right.
    """

    text: str
    derived: bool = False
    vector_id: int | None = None
    of_truth: bool = False


@dataclass(frozen=True)
class StoredImage:
    """A photo as the catalog knows it; `has_vector` is for the encoder that was asked about."""

    path: str
    content_hash: str
    file_hash: str
    size: int
    mtime_ns: int
    width: int
    height: int
    has_vector: bool = False


@dataclass(frozen=True)
class StoredProduct:
    """A product as the catalog knows it."""

    id: int
    row_hash: str
    images: tuple[StoredImage, ...]
    text_hashes: tuple[str, ...]
    texts_have_vectors: bool


@dataclass(frozen=True)
class ProductChange:
    """A product to write: the row, its photos and texts, all with vectors known or at hand.

    Attributes:
        visible: a search could tell the difference; else only times of change are new.
    """

    record: ProductRecord
    images: tuple[StoredImage, ...]
    stored: StoredProduct | None
    visible: bool


@dataclass(frozen=True)
class Calibration:
    """Cosine -> strength for one pair of modalities.

    Attributes:
        threshold: the cosine that REACHED_BY_CHANCE of the pairs that chance makes stay below.
        slope: of the logistic curve through it, which is 0.05 at the mean of such pairs.
    """

    threshold: float
    slope: float

    def strengths(self, cosines: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """0 to 1; below 0.5 a match is no better than chance gives one time in a hundred."""
        exponents = -self.slope * (np.asarray(cosines, dtype=np.float64) - self.threshold)
        return np.asarray(1 / (1 + np.exp(exponents.clip(-60, 60))))


@dataclass(frozen=True)
class CatalogMap:
    """Where products lie: their primary keys (n,), and places (n, 2) in [0, 1]."""

    ids: Ids
    places: Places


@dataclass(frozen=True)
class Matches:
    """What was found, best first; equal scores stand by product id, then by row.

    Attributes:
        ids: (n,) primary keys: of rows where rows were asked for, else of products.
        products: (n,) whose they are.
        scores: (n,) cosines, or BM25 (higher is better). Where an approximate index missed a row
            that a longer list has, that row stands below what the shorter list held.
        order: (n,) of any dtype that numpy sorts; sorts as the ids of the products do.
        complete: nothing else can be found under the condition.
    """

    ids: Ids
    products: Ids
    scores: Scores
    order: npt.NDArray[Any]
    complete: bool

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Rows:
    """Photos or texts with their vectors.

    Attributes:
        ids, products: (n,) primary keys of the rows, and whose they are.
        vectors: (n, d) float32.
        fields: of texts, which each is (`title`, `description`, `attributes`); empty for photos.
    """

    ids: Ids
    products: Ids
    vectors: Vectors
    fields: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Values:
    """What products have in a field: m pairs, several a product where it has a list, none where it
    has nothing.

    Attributes:
        places: (m,) which of the products asked about.
        codes: (m,) which of `names`; `names` holds each value once, as it is shown.
        numbers: (m,) the values of a field of numbers, else None.
    """

    places: Ids
    codes: Ids
    names: tuple[str, ...]
    numbers: Scores | None = None
