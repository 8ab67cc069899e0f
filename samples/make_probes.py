#!/usr/bin/env python3
"""Makes the sheet of photos that exported models are checked on, from the sample catalog."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHEET = ROOT / "retrieval" / "encoders" / "openvino" / "probes.jpg"
SIDE, COLUMNS, COUNT = 192, 10, 80


def main() -> None:
    photos = sorted((ROOT / "samples" / "images").glob("*.jpg"))
    picked = photos[:: len(photos) // COUNT][:COUNT]
    sheet = Image.new("RGB", (SIDE * COLUMNS, SIDE * (COUNT // COLUMNS)))
    for number, path in enumerate(picked):
        row, column = divmod(number, COLUMNS)
        with Image.open(path) as photo:
            small = photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(small, (SIDE * column, SIDE * row))
    sheet.save(SHEET, quality=80, optimize=True)


if __name__ == "__main__":
    main()
