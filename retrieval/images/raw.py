"""Raw files of cameras: the picture that the camera made beside them, else one developed here.

Needs `pip install 'retrieval[raw]'`. Called in a process that can be ended alone.
"""

from __future__ import annotations

import io
import struct

from PIL import Image

from retrieval.errors import ImageError
from retrieval.images.kinds import BY_NAME, cannot_be_read
from retrieval.images.tiff_outline import MAGIC, tags_of

# Of the shorter side: a camera's preview of less is a thumbnail.
LEAST_PREVIEW = 1_000
_SUB_FILES, _DNG = 330, 50706


def is_raw(data: bytes) -> bool:
    """Whether to ask the library for raw files first; many of them are a kind of TIFF."""
    if data[:4] not in MAGIC:
        return True
    # Without it what Pillow sees in such a TIFF is better than nothing.
    return BY_NAME["RAW"].is_read and is_raw_tiff(data)


def is_raw_tiff(data: bytes) -> bool:
    """Whether a TIFF seems to be a camera's raw file."""
    try:
        return data[8:10] == b"CR" or not tags_of(data).isdisjoint((_SUB_FILES, _DNG))
    except struct.error:
        return False


def developed(data: bytes) -> Image.Image:
    """The picture of a raw file; raises ImageError."""
    kind = BY_NAME["RAW"]
    if not kind.is_read:
        raise ImageError(cannot_be_read(kind))
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            try:
                preview = raw.extract_thumb()
            except rawpy.LibRawError:
                preview = None
            if preview is not None and preview.format == rawpy.ThumbFormat.JPEG:
                image = Image.open(io.BytesIO(preview.data), formats=("JPEG", "MPO"))
                if min(image.size) >= LEAST_PREVIEW:
                    return image
            return Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True))
    except rawpy.LibRawError as error:
        if data[:4] in MAGIC:  # a TIFF like any other, with a smaller copy of itself
            return Image.open(io.BytesIO(data), formats=("TIFF",))
        raise ImageError(f"a raw file that cannot be developed ({error}); export it") from None
