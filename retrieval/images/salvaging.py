"""Photos that are nearly whole: what is there of one that was cut within its last rows.

Decoders do not tell how far they came. So a cut photo is decoded twice, with two different ends:
behind its data where the decoder wants some, else beneath the pixels that it writes. Where both
pictures are equal the photo's own data made them; what differs is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from retrieval.images.outline import Outline

# Of its pixels: of more, too little is left to be searched by.
MOST_MISSING = 1 / 16
# Of a progressive JPEG, whose last scan makes finer what all the others show already.
MOST_ROUGH = 1 / 4
# Of the side of a block that JPEG and WebP are made of; a block is whole, or it is missing.
BLOCK = 16
_COEFFICIENTS = 64
_ZEROS = bytes(16)
_ENDS = (b"\0", b"\x55", b"\xaa", b"\x33")
_MADE_UP = 1 << 16
_END_OF_JPEG = b"\xff\xd9"

Opened = Callable[[bytes], Image.Image]


@dataclass(frozen=True)
class Missing:
    """Which pixels of a stored picture are not in its file: a mask of its size, of mode L.

    Attributes:
        rough: they are there, but for their finest detail.
    """

    mask: Image.Image
    rough: bool = False

    def told(self, height: int) -> str:
        """A line, for a photo of `height` stored rows."""
        box = self.mask.getbbox()
        top, bottom = (box[1], box[3]) if box else (0, 0)
        rows = max(1, round((bottom - top) * height / self.mask.height))
        share = self.mask.histogram()[255] / (self.mask.width * self.mask.height)
        what = "the finest detail" if self.rough else "something"
        return f"incomplete: of {rows} of its {height} rows {what} is missing, {share:.1%} of it"


def nearly_whole(
    data: bytes, outline: Outline, opened: Opened
) -> tuple[Image.Image, Missing | None] | None:
    """The picture of a photo that could not be loaded, and what of it is missing.

    Args:
        opened: opens a file's bytes as the photo was.

    Returns:
        None where more than MOST_MISSING of it is missing, or none of it can be had.
    """
    if outline.kind == "JPEG" and outline.progressive:
        return _of_scans(data, opened, _ends_of_jpeg(data, outline))
    if outline.kind == "JPEG":
        return _of_blocks(opened, _ends_of_jpeg(data, outline))
    if outline.kind == "WEBP":
        return _of_blocks(opened, _ends_of_webp(data))
    picture = _of_rows(data, opened)
    if picture is None and outline.kind == "TIFF":
        # Many programs write the list of tags last, and zeros are what most of them end with.
        return _of_blocks(opened, 2 * [data + bytes(64)])
    return picture


def _ends_of_jpeg(data: bytes, outline: Outline) -> list[bytes]:
    if outline.ended or not _has_all_scans(outline):
        return []
    if data.endswith(_ZEROS):  # a download that reserved its place, and stopped
        data = data.rstrip(b"\0")
    data = data.rstrip(b"\xff") if not data.endswith(b"\xff\0") else data
    return [data + end * 256 + _END_OF_JPEG for end in _ENDS[:2]]


def _has_all_scans(outline: Outline) -> bool:
    """Whether the last scan was begun: cut before it, all of the photo lacks something."""
    if not outline.scans:
        return False
    seen = {component for scan in outline.scans for component in scan.components}
    if not outline.progressive:
        return len(seen) in (1, 3, 4)
    done = {
        (component, place)
        for scan in outline.scans
        if scan.low == 0
        for component in scan.components
        for place in range(scan.first, min(scan.last + 1, _COEFFICIENTS))
    }
    return len(done) == len(seen) * _COEFFICIENTS


def _ends_of_webp(data: bytes) -> list[bytes]:
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        if end > len(data):
            break
        if name == b"ANMF":
            # Of several pictures the first is seen, and that is whole.
            alone = _riff(data[8:end])
            return [alone, alone]
        place = end
    else:
        return []
    if end - len(data) > MOST_MISSING * len(data):
        return []
    # What is made up may be read faster than what was lost: the chunk is made longer.
    more = end - len(data) + _MADE_UP
    more += (len(data) - place + more) % 2
    head, body = data[8:place], data[place + 8 :]
    lengthened = head + name + struct.pack("<I", len(body) + more)
    return [_riff(lengthened + body + made_up * more) for made_up in _ENDS]


def _riff(content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _of_scans(
    data: bytes, opened: Opened, ends: list[bytes]
) -> tuple[Image.Image, Missing | None] | None:
    picture = _of_blocks(opened, ends, MOST_ROUGH)
    if picture is None or picture[1] is None:
        return picture
    image = opened(data + _END_OF_JPEG)
    image.load()
    return image, Missing(picture[1].mask, rough=True)


def _of_blocks(
    opened: Opened, ends: list[bytes], most: float = MOST_MISSING
) -> tuple[Image.Image, Missing | None] | None:
    pictures: list[Image.Image] = []
    for data in ends:
        try:
            image = opened(data)
            image.load()
        except MemoryError:
            raise
        except Exception:  # that end makes no sense to the decoder: another may
            continue
        pictures.append(image)
        if len(pictures) == 2:
            break
    if len(pictures) < 2:
        return None
    differs = _differing(*pictures)
    rows = np.flatnonzero(differs.any(axis=1))
    if len(rows):
        # All that stands behind the first block that differs is missing, too: there both
        # decoders may have filled in the same grey.
        top = int(rows[0])
        left = int(np.flatnonzero(differs[top : top + BLOCK].any(axis=0))[0])
        differs[top : top + BLOCK, left:] = True
        differs[top + BLOCK :] = True
    return _unless_too_little(pictures[0], differs, most)


def _of_rows(data: bytes, opened: Opened) -> tuple[Image.Image, Missing | None] | None:
    try:
        pictures = [_written_over(opened(data), value) for value in (0, 255)]
    except MemoryError:
        raise
    except Exception:  # not even its header can be read
        return None
    if any(picture is None for picture in pictures):
        return None
    first, second = pictures
    assert first is not None and second is not None
    return _unless_too_little(second, _differing(first, second))


def _written_over(image: Image.Image, value: int) -> Image.Image | None:
    """What a decoder writes over a ground of one value, until it fails."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return None
    prepare = image.load_prepare
    boxes = [tile[1] for tile in image.tile]

    def prepared() -> None:
        prepare()
        bands = image.im.bands
        ink = value if bands == 1 else (value,) * bands
        for box in boxes:
            image.im.paste(ink, box)

    image.__dict__["load_prepare"] = prepared
    try:
        image.load()
    except MemoryError:
        raise
    except Exception:
        image.tile = []
        image.load()  # fails where there are no pixels at all
    return image


def _differing(first: Image.Image, second: Image.Image) -> npt.NDArray[np.bool_]:
    """Bool (height, width)."""
    differs: npt.NDArray[np.bool_] = np.not_equal(np.asarray(first), np.asarray(second))
    return np.any(differs, axis=2) if differs.ndim == 3 else differs


def _unless_too_little(
    image: Image.Image, missing: npt.NDArray[np.bool_], most: float = MOST_MISSING
) -> tuple[Image.Image, Missing | None] | None:
    share = float(missing.mean())
    if share > most:
        return None
    if not share:
        return image, None
    return image, Missing(Image.fromarray(missing.astype(np.uint8) * 255))
