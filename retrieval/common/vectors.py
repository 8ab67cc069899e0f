"""A sample that is the same every time, and misses no part of a catalog."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def spread_evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """Up to `most` of the numbers 0 to `count` - 1, ascending, first and last among them."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
