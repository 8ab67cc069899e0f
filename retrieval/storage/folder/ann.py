"""FAISS behind one small interface: build, search under a filter, save, load.

Every type searches by inner product, under ids that are primary keys of the catalog.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.common.threads import cores, threads_for
from retrieval.common.vectors import Vectors, spread_evenly
from retrieval.errors import IndexDamaged, QueryError, one_line
from retrieval.settings import INDEX_TYPES
from retrieval.storage.entities import Ids

# Mapping every type came with FAISS 1.11; before, files are read into memory.
MAPPED = getattr(faiss, "IO_FLAG_MMAP_IFC", 0)
CODED = "ivf-pq4"
HNSW_LINKS = 32
HNSW_BUILD_WIDTH = 128
TRAINING_VECTORS_A_CELL = 64
KMEANS_ROUNDS = 8
# Codes of half a byte for each two components: a 16th of float32, scanned in registers (André et
# al., 2017). They find what is near, and the stored vectors say how near it is.
COMPONENTS_A_CODE = 2
CODE_BITS = 4
LEAST_CODED = 2**CODE_BITS
CODE_TRAINING_VECTORS = 32_768
# Coded neighbours come in a rough order: so many are fetched that the true ones are among them.
CODED_DEPTH = 400
CHUNK = 65_536


class AnnIndex:
    """A FAISS index of one type.

    Attributes:
        kind: one of INDEX_TYPES.
        search_effort: how much of it a search visits (`nprobe` of ivf, `efSearch` of hnsw); 0
            for the exact types, which always visit all.
        rescore_depth: the least number of neighbours to fetch and to score again.
    """

    def __init__(
        self, index: Any, kind: str, search_effort: int = 0, rescore_depth: int = 0
    ) -> None:
        self._index = index
        self.kind = kind
        self.search_effort = search_effort
        self.rescore_depth = rescore_depth

    @classmethod
    def build(cls, kind: str, vectors: npt.NDArray[np.float16], ids: Ids) -> AnnIndex:
        """An index of `vectors` (n, d), float16 rows of length 1, under `ids` (n,), unique.

        Where too few of them differ to learn codes from it is exact: see its `kind`.

        Raises:
            QueryError: unknown `kind`.
        """
        count, dim = vectors.shape
        if kind not in INDEX_TYPES:
            raise QueryError(
                f"index type {kind!r} is unknown; types: auto, {', '.join(INDEX_TYPES)}"
            )
        faiss.omp_set_num_threads(cores())  # a search may have left this thread alone
        sample = _different(_spread_rows(vectors, _training_rows(kind, count)))
        if kind == CODED and len(sample) < LEAST_CODED:
            kind = "flat"  # codes learnt from fewer would find nothing
        # Equal vectors share a cell: with more cells than vectors that differ most would be empty,
        # and a search of a few cells would find nothing.
        index = _empty(kind, dim, min(_cells(kind, count), max(1, len(sample))))
        if kind == CODED and count:
            _train_coded(index, sample, vectors)
        elif not index.is_trained and count:
            index.train(sample)
        for start in range(0, count, CHUNK):
            chunk = np.ascontiguousarray(vectors[start : start + CHUNK], dtype=np.float32)
            index.add_with_ids(chunk, ids[start : start + CHUNK])
        return cls(index, kind, _default_width(index, kind), CODED_DEPTH if kind == CODED else 0)

    def change(self, gone: Ids, vectors: npt.NDArray[np.float16], ids: Ids) -> None:
        """Takes out the ids `gone`, and adds `vectors` (n, d) under `ids` (n,).

        The cells stay as they were learnt: after many changes build it anew. An index that was
        loaded must have been loaded to be changed.
        """
        faiss.omp_set_num_threads(cores())
        if len(gone):
            self._index.remove_ids(faiss.IDSelectorBatch(gone))
        for start in range(0, len(ids), CHUNK):
            chunk = np.ascontiguousarray(vectors[start : start + CHUNK], dtype=np.float32)
            self._index.add_with_ids(chunk, ids[start : start + CHUNK])

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def max_effort(self) -> int:
        """The effort at which a search visits everything."""
        if self.kind.startswith("ivf"):
            return int(self._index.nlist)
        return len(self) if self.kind == "hnsw" else 0

    def search(
        self, queries: Vectors, k: int, allowed: Ids | None = None, search_effort: int | None = None
    ) -> tuple[Vectors, Ids]:
        """The `k` nearest of each query, best first.

        Args:
            queries: (q, d).
            allowed: only these ids, or None for all.
            search_effort: instead of the index's own.

        Returns:
            scores (q, k) and ids (q, k); -1 fills up where there are fewer than k.
        """
        selector = None if allowed is None else _selector(allowed)
        effort = self.search_effort if search_effort is None else search_effort
        parameters = self._parameters(selector, effort)
        # Of the calling thread alone, and next to free.
        faiss.omp_set_num_threads(threads_for(len(queries) * self._visited(effort, k)))
        return self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)  # type: ignore[no-any-return]

    def ids(self) -> Ids:
        """Every id in the index, sorted."""
        if self.kind.startswith("ivf"):
            lists = self._index.invlists
            parts = [
                faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)).copy()
                for number in range(self._index.nlist)
                if lists.list_size(number)
            ]
            ids = np.concatenate(parts) if parts else np.empty(0, np.int64)
        else:
            ids = faiss.vector_to_array(self._index.id_map)
        return np.sort(ids)

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    @classmethod
    def load(
        cls,
        path: Path,
        kind: str,
        search_effort: int,
        rescore_depth: int = 0,
        *,
        to_change: bool = False,
    ) -> AnnIndex:
        """Maps the file where its type allows it, so that opening takes no time.

        Args:
            to_change: read it into memory: FAISS kills the process where a mapped one is changed.

        Raises:
            IndexDamaged: FAISS cannot read the file.
        """
        try:
            return cls(
                faiss.read_index(str(path), 0 if to_change else MAPPED),
                kind,
                search_effort,
                rescore_depth,
            )
        except RuntimeError as error:
            reason = one_line(error, 200)
            raise IndexDamaged(
                f"{path} cannot be read ({reason}); run `retrieval rebuild`"
            ) from None

    def _visited(self, effort: int, k: int) -> int:
        """Components that a query is multiplied by, about."""
        rows = len(self)
        if self.kind == "hnsw":
            rows = min(rows, 2 * HNSW_LINKS * max(effort, k))
        elif self.kind.startswith("ivf"):
            rows = rows * max(1, effort) // max(1, self.max_effort)
        return rows * int(self._index.d)

    def _parameters(self, selector: Any, search_effort: int) -> Any:
        if self.kind.startswith("ivf"):
            return faiss.SearchParametersIVF(sel=selector, nprobe=max(1, search_effort))
        if self.kind == "hnsw":
            return faiss.SearchParametersHNSW(sel=selector, efSearch=max(1, search_effort))
        return faiss.SearchParameters(sel=selector)


def _selector(allowed: Ids) -> Any:
    # One bit an id: built in a pass, where a set of ids costs a hash for each.
    bits = np.zeros(int(allowed.max(initial=0)) + 1, dtype=np.bool_)
    bits[allowed] = True
    return faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))


def _empty(kind: str, dim: int, cells: int) -> Any:
    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "flat":
        return faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
    if kind == "sq8":
        scalar = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, metric)
        return faiss.IndexIDMap2(scalar)
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(dim, HNSW_LINKS, metric)
        graph.hnsw.efConstruction = HNSW_BUILD_WIDTH
        return faiss.IndexIDMap2(graph)
    quantizer = faiss.IndexFlatIP(dim)
    if kind == "ivf":
        index = faiss.IndexIVFFlat(quantizer, dim, cells, metric)
    elif kind == CODED:
        codes = dim // COMPONENTS_A_CODE if dim % COMPONENTS_A_CODE == 0 else dim
        index = faiss.IndexIVFPQFastScan(quantizer, dim, cells, codes, CODE_BITS, metric)
        index.cp.niter = KMEANS_ROUNDS
    else:
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dim, cells, faiss.ScalarQuantizer.QT_8bit, metric
        )
    index.own_fields = True
    quantizer.this.disown()  # the index deletes it
    index.cp.min_points_per_centroid = 1
    return index


def _cells(kind: str, count: int) -> int:
    """About 4 times the square root of the count, as FAISS's guidelines advise; a power of two.

    Of coded vectors a cell is scanned so fast that a quarter as many serve better, and are learnt
    in a tenth of the time.
    """
    times = 1 if kind == CODED else 4
    return max(1, min(count, int(2 ** round(math.log2(max(1.0, times * math.sqrt(count)))))))


def _default_width(index: Any, kind: str) -> int:
    if kind.startswith("ivf"):
        return max(1, int(index.nlist) // 16)
    return 128 if kind == "hnsw" else 0


def _training_rows(kind: str, count: int) -> int:
    return TRAINING_VECTORS_A_CELL * _cells(kind, count) if kind.startswith("ivf") else 100_000


def _spread_rows(vectors: npt.NDArray[np.float16], wanted: int) -> Vectors:
    rows = spread_evenly(len(vectors), wanted)
    return np.ascontiguousarray(vectors[rows], dtype=np.float32)


def _different(rows: Vectors) -> Vectors:
    """Each of the rows once, in their order: copies teach nothing, and draw cells to themselves."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows if len(first) == len(rows) else rows[np.sort(first)]


def _train_coded(index: Any, sample: Vectors, vectors: npt.NDArray[np.float16]) -> None:
    """Learns the cells from `sample`, then the codes of what is left within them.

    Codes are learnt by one thread: hundreds of small problems, at whose ends several threads wait
    for one another, for a minute in place of a second on a busy machine.
    """
    index.train_q1(len(sample), faiss.swig_ptr(sample), False, faiss.METRIC_INNER_PRODUCT)
    sample = _spread_rows(vectors, CODE_TRAINING_VECTORS)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.train(sample)
    finally:
        faiss.omp_set_num_threads(threads)
