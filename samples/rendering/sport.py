"""Balls, weights, boards and rackets."""

from __future__ import annotations

import math

import numpy as np

from .curves import Point3, arc, circle
from .kind import Draft


def ball(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("basketball", "football", "tennis", "beach")
    r = {"basketball": 12.0, "football": 11.0, "tennis": 3.3, "beach": 16.0}[style]
    with m.frame(at=(0, 0, r), turn=(18, 12, 30)):
        if style == "beach":
            _segments(
                m,
                r,
                [f[1], "plastic:white", f[0], "plastic:white", "plastic:yellow", "plastic:white"],
            )
            m.fact("six coloured segments")
            return
        m.ball(r, (0, 0, 0), f[0])
        if style == "basketball":
            for turn in ((0, 0, 0), (90, 0, 0), (0, 90, 0)):
                with m.frame(turn=turn):
                    m.tube(
                        arc((0, 0, 0), r, 0, 354, 59, "xy"),
                        0.22,
                        f[1],
                        closed=True,
                        smooth=1,
                        sides=8,
                    )
            for s in (-1, 1):
                ring = [
                    (s * (4.5 + 2.4 * math.cos(2 * t)), math.sin(t), math.cos(t))
                    for t in np.linspace(0, 2 * math.pi, 61)[:-1]
                ]
                path: list[Point3] = []
                for x, y, z in ring:
                    k = math.sqrt(max(r * r - x * x, 0))
                    path.append((x, y * k, z * k))
                m.tube(path, 0.22, f[1], closed=True, smooth=0, sides=8)
            m.fact("dark grooves in eight panels")
        elif style == "football":
            g = (1 + 5**0.5) / 2
            spots: list[Point3] = [(0, a, b * g) for a in (-1, 1) for b in (-1, 1)]
            spots += [(a, b * g, 0) for a in (-1, 1) for b in (-1, 1)] + [
                (b * g, 0, a) for a in (-1, 1) for b in (-1, 1)
            ]
            for spot in spots:
                _patch(m, r, np.array(spot), f[1])
            m.fact("twelve dark five-sided patches")
        else:
            seam: list[Point3] = []
            for t in np.linspace(0, 2 * math.pi, 81)[:-1]:
                a, b = 0.44, 2.0
                p = np.array(
                    [
                        math.cos(t) + a * math.cos(3 * t),
                        math.sin(t) - a * math.sin(3 * t),
                        b * a**0.5 * math.sin(2 * t),
                    ]
                )
                p = p / np.linalg.norm(p) * r
                seam.append((float(p[0]), float(p[1]), float(p[2])))
            m.tube(seam, 0.16, "plastic:white", closed=True, smooth=0, sides=8)
            m.fact("a white curved seam", "a felt surface")


def _segments(m: Draft, r: float, colors: list[str]) -> None:
    rows, cols = 28, 10
    for i, color in enumerate(colors):
        a0 = 2 * math.pi * i / len(colors)
        verts, faces = [], []
        for v in np.linspace(-math.pi / 2, math.pi / 2, rows):
            for u in np.linspace(a0, a0 + 2 * math.pi / len(colors), cols):
                verts.append(
                    (r * math.cos(v) * math.cos(u), r * math.cos(v) * math.sin(u), r * math.sin(v))
                )
        for j in range(rows - 1):
            for k in range(cols - 1):
                faces.append(
                    (j * cols + k, j * cols + k + 1, (j + 1) * cols + k + 1, (j + 1) * cols + k)
                )
        m.add(np.array(verts), faces, color)
    m.cyl(1.6, 0.5, "plastic:white", at=(0, 0, r - 0.25), bevel=0.2)


def _patch(m: Draft, r: float, centre: np.ndarray, material: str) -> None:
    axis = centre / np.linalg.norm(centre)
    side = np.cross(axis, (0.3, 0.5, 0.8))
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    verts = [tuple(axis * (r + 0.05))]
    faces: list[tuple[int, ...]] = []
    rings = 4
    for j in range(1, rings + 1):
        for i in range(20):
            a = 2 * math.pi * i / 20
            edge = math.cos(math.pi / 5) / math.cos((a % (2 * math.pi / 5)) - math.pi / 5)
            reach = 0.36 * edge * j / rings
            p = axis + (side * math.cos(a) + other * math.sin(a)) * reach
            verts.append(tuple(p / np.linalg.norm(p) * (r + 0.05)))
    for i in range(20):
        faces.append((0, 1 + i, 1 + (i + 1) % 20))
    for j in range(rings - 1):
        for i in range(20):
            k = (i + 1) % 20
            faces.append(
                (1 + j * 20 + i, 1 + (j + 1) * 20 + i, 1 + (j + 1) * 20 + k, 1 + j * 20 + k)
            )
    m.add(np.array(verts), faces, material)


def dumbbell(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("hex", "round")
    for y in (0, 13) if style == "hex" else (0,):
        with m.frame(at=(y * 0.2, y, 5), turn=(0, 90, 0)):
            m.cyl(1.5, 15, f[1], at=(0, 0, -7.5), bevel=0.1)
            for z in (-14, 6.5):
                if style == "hex":
                    m.slab(
                        [
                            (
                                5.4 * math.cos(math.radians(60 * i)),
                                5.4 * math.sin(math.radians(60 * i)),
                            )
                            for i in range(6)
                        ],
                        7.5,
                        f[0],
                        at=(0, 0, z),
                        bevel=1.0,
                        segments=3,
                    )
                else:
                    m.cyl(7, 3.4, f[0], at=(0, 0, z + (4 if z < 0 else 0)), bevel=0.6)
                    m.cyl(5.4, 3, f[0], at=(0, 0, z + (1 if z < 0 else 3.4)), bevel=0.6)
    m.fact(
        "a pair with six-sided heads" if style == "hex" else "round plates on both sides",
        "a straight grip",
    )


def kettlebell(m: Draft, f: tuple[str, ...]) -> None:
    m.lathe([(0, 0), (6, 0), (9.4, 4), (10, 9), (7.6, 15), (4, 17.4), (0, 18)], f[0], smooth=7)
    m.tube(
        [
            (-5, 0, 14.5),
            (-7.4, 0, 19.5),
            (-5.6, 0, 24),
            (0, 0, 25),
            (5.6, 0, 24),
            (7.4, 0, 19.5),
            (5, 0, 14.5),
        ],
        1.65,
        f[1],
    )
    with m.frame(at=(0, -9.5, 9), turn=(90, 0, 0)):
        m.cyl(3.6, 0.6, f[1], bevel=0.2)
    m.fact("a wide looped handle", "a round weight disc on the front")


def skateboard(m: Draft, f: tuple[str, ...]) -> None:
    def deck(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = (u - 0.5) * 78
        end = np.clip((np.abs(x) - 28) / 11, 0, 1)
        half = 10 * np.sqrt(np.clip(1 - np.clip((np.abs(x) - 29) / 10.01, 0, 1) ** 2, 0, 1)) + 0.02
        y = (v - 0.5) * 2 * half
        return np.stack([x, y, 11 + 5.5 * end**1.5 + 0.8 * (np.abs(v - 0.5) * 2) ** 3], axis=1)

    m.sheet(deck, (16, 80), 1.2, f[0])
    for x in (-19, 19):
        m.box((9, 6, 2.6), (x, 0, 8.8), "metal:aluminium", bevel=0.6)
        m.rod((x, -9, 3.4), (x, 9, 3.4), 0.7, "metal:aluminium")
        m.box((3, 8, 4), (x, 0, 5.4), "metal:aluminium", bevel=0.8)
        for y in (-9, 9):
            with m.frame(at=(x, y, 3.2), turn=(90, 0, 0)):
                m.cyl(3.2, 3.6, f[1], at=(0, 0, -1.8), bevel=0.7)
                m.cyl(1.2, 3.8, "metal:steel", at=(0, 0, -1.9), bevel=0.1)
    m.fact("upturned nose and tail", "four soft wheels")


def racket(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("tennis", "paddle")
    if style == "paddle":
        m.slab([(x, y + 12) for x, y in circle(7.8, 60, 1.02)], 0.7, "wood:birch", bevel=0.15)
        for z in (-0.2, 0.7):
            m.slab(
                [(x, y + 12.5) for x, y in circle(7.7, 60, 0.97)],
                0.22,
                f[0],
                at=(0, 0, z),
                bevel=0.05,
            )
        m.box((2.8, 12, 2.2), (0, -0.8, 0.35), f[1], bevel=0.7)
        m.ball(2.0, (10.5, 2, 2.0), "plastic:white")
        m.fact("a round blade with a rubber face", "a small white ball")
        return
    head = [(x, y + 22, 1.2) for x, y in circle(12.5, 72, 1.3)]
    m.tube(head, 0.95, f[0], closed=True, smooth=0, flat=(0.8, 1.1))
    for i in range(-8, 9):
        x = i * 1.35
        h = 1.3 * math.sqrt(max(12.3**2 - x * x, 0))
        m.rod((x, 22 - h, 1.2), (x, 22 + h, 1.2), 0.1, "plastic:cream")
    for i in range(-10, 11):
        y = i * 1.42
        w = math.sqrt(max(12.3**2 - (y / 1.3) ** 2, 0))
        m.rod((-w, 22 + y, 1.25), (w, 22 + y, 1.25), 0.1, "plastic:cream")
    for s in (-1, 1):
        m.tube(
            [(s * 8.2, 9.6, 1.2), (s * 4, 3.4, 1.2), (s * 1.1, -3.6, 1.2), (s * 0.7, -9, 1.2)],
            0.85,
            f[0],
        )
    m.tube([(0, -7.6, 1.2), (0, -14, 1.2), (0, -26, 1.2)], [1.4, 1.5, 1.65], f[1])
    m.fact("an oval strung head", "a wrapped grip")


def yoga_mat(m: Draft, f: tuple[str, ...]) -> None:
    path = []
    n = 150
    for i in range(n + 1):
        a = 2 * math.pi * 4.4 * i / n
        r = 1.6 + 0.83 * a / (2 * math.pi)
        path.append((r * math.sin(a), r * math.cos(a)))
    base = -min(p[1] for p in path)
    with m.frame(at=(0, 0, base + 0.35), turn=(0, 0, 12)):
        rows = [(x, 0.0, z) for x, z in path]
        _roll(m, rows, f[0])
        for y in (-12, 12):
            m.tube(
                [
                    (5.6 * math.cos(t), y, 5.6 * math.sin(t))
                    for t in np.linspace(0, 2 * math.pi, 41)[:-1]
                ],
                0.9,
                f[1],
                closed=True,
                smooth=0,
                flat=(1, 0.25),
                up=(0, 1, 0),
                sides=8,
            )
    m.fact("a tight roll", "two carrying straps")


def _roll(m: Draft, rows: list, material: str) -> None:
    line = np.array([(x, z) for x, _, z in rows])

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        at = u * (len(line) - 1)
        x = np.interp(at, np.arange(len(line)), line[:, 0])
        z = np.interp(at, np.arange(len(line)), line[:, 1])
        return np.stack([x, (v - 0.5) * 60, z], axis=1)

    m.sheet(surface, (3, 150), 0.6, material)


def bowling(m: Draft, f: tuple[str, ...]) -> None:
    for x, y in ((0, 0), (-9, 12), (9, 12)):
        m.lathe(
            [
                (0, 0),
                (2.6, 0),
                (3.2, 1),
                (6, 12),
                (5, 20),
                (2.4, 26),
                (2.3, 29),
                (3.2, 33),
                (2.2, 37),
                (0, 38),
            ],
            f[0],
            at=(x, y, 0),
            smooth=6,
        )
        for z, r in ((26.4, 2.42), (28.4, 2.36)):
            m.tube(arc((x, y, z), r, 0, 350, 35, "xy"), 0.25, f[1], closed=True, smooth=1, sides=8)
    m.ball(8, (-16, -8, 8), f[1])
    for a in (0, 60, 120):
        m.ball(
            1.1,
            (
                -16 + 2.4 * math.cos(math.radians(a)),
                -8 - 4.4,
                13 + 2.0 * math.sin(math.radians(a)) - 0.4,
            ),
            "plastic:black",
        )
    m.fact("three pins with two bands each", "one ball with finger holes")
