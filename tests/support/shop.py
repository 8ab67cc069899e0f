"""A catalog on disk that a test can change, and the sample catalog."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 150, 60),
    "blue": (40, 60, 200),
    "yellow": (230, 200, 40),
    "purple": (130, 40, 160),
}
SHAPES = ("mug", "plate", "box", "bottle")


def draw_product(shape: str, colour: str, size: tuple[int, int] = (120, 120), seed: int = 0) -> Any:
    """A drawn photo; the seed shifts and textures it, so that no two are the same."""
    chance = random.Random(f"{shape} {colour} {seed}")
    image = Image.new("RGB", size, (250, 250, 250))
    draw = ImageDraw.Draw(image)
    left, top = chance.randint(5, 25), chance.randint(5, 25)
    box = (left, top, size[0] - chance.randint(5, 25), size[1] - chance.randint(5, 25))
    if shape == "plate":
        draw.ellipse(box, fill=COLOURS[colour])
    elif shape == "bottle":
        draw.rectangle((box[0] + 25, box[1], box[2] - 25, box[3]), fill=COLOURS[colour])
    else:
        draw.rectangle(box, fill=COLOURS[colour])
    if shape == "mug":
        draw.arc((box[2] - 20, box[1] + 10, box[2] + 10, box[3] - 10), 270, 90, width=6, fill=0)
    for _ in range(60):
        at = (chance.randrange(size[0]), chance.randrange(size[1]))
        draw.ellipse((*at, at[0] + 5, at[1] + 5), fill=tuple(chance.choices(range(256), k=3)))
    return image


class Shop:
    """A catalog on disk that a test can change: rows of a CSV, and photos beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "catalog.csv"
        self.rows: dict[str, dict[str, str]] = {}
        self.made = 0
        (folder / "images").mkdir(parents=True, exist_ok=True)

    @classmethod
    def copied(cls, folder: Path, to: Path) -> Shop:
        """A copy of a shop that was written; its files keep their times."""
        shutil.copytree(folder, to)
        shop = cls(to)
        with shop.path.open(newline="", encoding="utf-8") as handle:
            shop.rows = {row["id"]: row for row in csv.DictReader(handle)}
        shop.made = len(shop.rows)
        return shop

    def fill(self, count: int) -> Shop:
        """Adds products of every shape and colour, and writes them."""
        for number in range(count):
            shape = SHAPES[number % len(SHAPES)]
            colour = list(COLOURS)[(number // len(SHAPES)) % len(COLOURS)]
            self.add(f"P-{number:03d}", shape, colour)
        self.write()
        return self

    def add(self, key: str, shape: str, colour: str, **values: str) -> None:
        name = f"images/{key}.png"
        self.made += 1
        draw_product(shape, colour, seed=self.made).save(self.folder / name)
        self.rows[key] = {
            "id": key,
            "title": f"{colour.title()} {shape}",
            "description": f"A {shape} in {colour}, number {key}.",
            "image": name,
            "category": f"{shape}s",
            "brand": "Acme",
            "price": str(9 + self.made),
            "colour": colour,
            **values,
        }

    def write(self) -> Path:
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        with self.path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, names)
            writer.writeheader()
            writer.writerows(self.rows.values())
        return self.path


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
