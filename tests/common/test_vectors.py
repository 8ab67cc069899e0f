"""Vectors survive being stored, and one that is damaged is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from retrieval.common.vectors import from_blobs, to_blob
from retrieval.errors import CatalogError

SHAPES = st.tuples(st.integers(0, 5), st.integers(1, 9))


@given(arrays.arrays(np.float16, SHAPES, elements=st.floats(-2, 2, width=16)))
def test_vectors_come_back_from_bytes_as_they_were_stored(vectors: np.ndarray) -> None:  # type: ignore[type-arg]
    blobs = [to_blob(vector.astype(np.float32)) for vector in vectors]
    assert np.array_equal(from_blobs(blobs, vectors.shape[1]), vectors)


def test_a_vector_cut_short_is_told_with_what_mends_it() -> None:
    blobs = [to_blob(np.ones(4)), to_blob(np.ones(4))[:-1]]
    with pytest.raises(CatalogError, match=r"of the photos has the wrong length; run `retrieval"):
        from_blobs(blobs, 4, "photos")
    with pytest.raises(CatalogError, match="of the catalog has"):
        from_blobs([to_blob(np.ones(3)), to_blob(np.ones(5))], 4)
