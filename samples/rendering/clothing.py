"""Clothes that lie flat, hats, shoes and belts."""

from __future__ import annotations

import math

import numpy as np

from .curves import mirrored, rounded_rect, smooth_path
from .kind import Draft


def t_shirt(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("plain", "stripes", "pocket")
    half = [
        (0.001, 0),
        (24, 0),
        (24, 0),
        (24.6, 20),
        (24.4, 42),
        (24.4, 42),
        (33, 34),
        (33, 34),
        (40, 43),
        (40, 43),
        (29, 58),
        (21, 64),
        (10, 68),
        (10, 68),
    ]
    neck = [(8.6, 65), (5, 61.5), (0.001, 60)]
    outline = mirrored([*half, *neck], 3)
    inside = np.array(outline)
    x, y = inside[:, 0], inside[:, 1]
    _cloth(m, x, y, f[0])
    collar = [
        (a, b, 1.3)
        for a, b in smooth_path(
            [(-10, 67.6), (-8.6, 64.6), (-5, 61.2), (0, 59.8), (5, 61.2), (8.6, 64.6), (10, 67.6)],
            4,
        )
    ]
    m.tube(collar, 1.1, f[-1], smooth=0, flat=(1, 0.5), up=(0, 0, 1))
    back = [
        (a, b, 0.9)
        for a, b in smooth_path([(-10, 67.6), (-5, 66), (0, 65.4), (5, 66), (10, 67.6)], 4)
    ]
    m.tube(back, 1.1, f[-1], smooth=0, flat=(1, 0.5), up=(0, 0, 1))
    if style == "stripes":
        for i in range(6):
            m.box((47.6, 3, 0.3), (0, 8 + i * 8.4, 1.25), f[-1], bevel=0.05)
        m.fact("bold horizontal stripes")
    elif style == "pocket":
        m.slab(rounded_rect(11, 12, 1.5), 0.5, f[-1], at=(11, 44, 1.1), bevel=0.15)
        m.fact("a chest pocket in a second colour")
    else:
        m.fact("a plain front")
    m.fact("short sleeves", "a round neck")


def _cloth(m: Draft, x: np.ndarray, y: np.ndarray, material: str) -> None:
    m.slab(
        [(float(a), float(b)) for a, b in zip(x, y, strict=True)],
        1.2,
        material,
        bevel=0.5,
        segments=3,
    )
    rng = m.rng
    for _ in range(5):
        cx, cy = rng.uniform(-16, 16), rng.uniform(6, 50)
        dx, dy = rng.uniform(-6, 6), rng.uniform(5, 12)
        m.tube(
            [(cx, cy, 0.9), (cx + dx * 0.5, cy + dy * 0.5, 1.05), (cx + dx, cy + dy, 0.9)],
            [0.1, 0.7, 0.1],
            material,
            flat=(1.3, 0.5),
            up=(0, 0, 1),
        )


def beanie(m: Draft, f: tuple[str, ...]) -> None:
    m.lathe(
        [(0, 19), (2, 18.8), (7, 16.5), (9.8, 11), (10.2, 5), (10.2, 4), (9.4, 4), (0, 4)],
        f[0],
        smooth=6,
        flutes=(44, 0.05),
        sides=176,
    )
    m.lathe(
        [(9.6, 0), (10.7, 0.5), (11, 3.4), (10.8, 6), (10.1, 6.6), (9.6, 5), (9.6, 0)],
        f[0],
        smooth=5,
        flutes=(44, 0.05),
        sides=176,
    )
    if m.style("pom", "plain") == "pom":
        m.ball(3.4, (0, 0, 20.8), f[1])
        for i in range(70):
            a, b = i * 2.4, math.acos(1 - 2 * (i + 0.5) / 70)
            d = (math.sin(b) * math.cos(a), math.sin(b) * math.sin(a), math.cos(b))
            m.blob(
                (1.7, 1.7, 1.7),
                (d[0] * 3.2, d[1] * 3.2, d[2] * 3.2 + 20.8),
                f[1],
                square=(1, 1),
                rows=8,
                cols=10,
            )
        m.fact("a fluffy bobble on top")
    m.fact("a ribbed knit", "a turned-up brim")


def cap(m: Draft, f: tuple[str, ...]) -> None:
    m.lathe(
        [(0, 12), (3, 11.8), (7, 9.6), (9, 5), (9.4, 0.6), (9.2, 0.2), (0, 0.2)], f[0], smooth=6
    )

    def visor(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        angle = (u - 0.5) * math.radians(124)
        r = 9.0 + v * 8.5 * np.cos(angle * 1.42) ** 0.7
        return np.stack(
            [
                np.sin(angle) * r,
                -np.cos(angle) * r,
                1.0 - 1.3 * v + 1.5 * (np.cos(angle) - 0.4) * v,
            ],
            axis=1,
        )

    m.sheet(visor, (10, 40), 0.35, f[-1])
    for i in range(6):
        a = math.radians(60 * i + 30)
        path = [
            (r * math.cos(a), r * math.sin(a), z)
            for r, z in ((9.45, 0.8), (9.08, 5), (7.1, 9.7), (3, 11.9), (0.2, 12.1))
        ]
        m.tube(path, 0.12, f[0], sides=8)
    m.ball(0.75, (0, 0, 12.1), f[-1])
    m.fact("a curved peak", "six stitched panels", "a button on top")


def sun_hat(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("straw", "fedora")
    if style == "straw":
        m.lathe(
            [
                (0, 11.5),
                (5, 11),
                (8.6, 7.5),
                (9.3, 1.4),
                (11, 0.6),
                (20, 1.6),
                (20.2, 1.3),
                (11, 0.2),
                (8.9, 0.6),
                (0, 0.6),
            ],
            f[0],
            smooth=5,
        )
        m.fact("a wide flat brim")
    else:
        m.lathe(
            [
                (0, 11),
                (3, 11.2),
                (6.8, 12.4),
                (8.2, 11),
                (9, 5),
                (9.4, 1),
                (11, 0.4),
                (15.2, 1.8),
                (15.3, 1.4),
                (11, 0),
                (0, 0.2),
            ],
            f[0],
            smooth=5,
        )
        m.fact("a creased crown", "a medium brim")
    m.lathe([(9.0, 1.3), (9.75, 1.4), (9.45, 4.2), (8.9, 4.2)], f[1], smooth=0)
    m.fact("a ribbon around the crown")


def scarf(m: Draft, f: tuple[str, ...]) -> None:
    for i in range(3):
        m.box((34, 22, 2.6), (0, 0, 1.4 + i * 2.5), f[0], bevel=1.2, segments=4)
    for i in range(5):
        m.box((2.6, 22.2, 0.3), (-13 + i * 6.5, 0, 7.85), f[1], bevel=0.1)
        m.box((2.6, 0.3, 6.6), (-13 + i * 6.5, -11.05, 4.2), f[1], bevel=0.1)
    for i in range(26):
        x = -16 + i * 1.28
        m.tube(
            [(x, -10.6, 1.6), (x + 0.2, -13, 0.9), (x + m.num(-0.4, 0.4), -16, 0.4)],
            0.36,
            f[0] if i % 3 else f[1],
            sides=8,
        )
    m.fact("a neat fold", "stripes in a second colour", "a fringe at the end")


def belt(m: Draft, f: tuple[str, ...]) -> None:
    turns, n = 2.6, 110
    end = 2 * math.pi * turns
    path = []
    for i in range(n + 1):
        a = end * i / n
        r = 4.2 + 0.62 * a / (2 * math.pi)
        path.append((r * math.cos(a), r * math.sin(a), 1.8))
    # The strap ends at the front, where the buckle is seen.
    with m.frame(turn=(0, 0, 270 - math.degrees(end))):
        m.tube(path, 1.8, f[0], smooth=0, flat=(0.11, 1.0), up=(0, 0, 1), sides=12)
        with m.frame(at=path[-1], turn=(0, 0, math.degrees(end))):
            ring = [(0.1, 0.0, -2.5), (0.1, 4.2, -2.5), (0.1, 4.2, 2.5), (0.1, 0.0, 2.5)]
            m.tube(ring, 0.34, f[1], closed=True, smooth=3)
            m.rod((0.4, 0, 0), (0.5, 4.4, 0), 0.24, f[1])
    m.fact("a rectangular buckle", "a coiled strap")


def sneaker(m: Draft, f: tuple[str, ...]) -> None:
    for y, turn in ((-6.5, 0), (6.5, 6)):
        with m.frame(at=(0 if y < 0 else -2, y, 0), turn=(0, 0, turn)):
            sole = [
                (-13.5, 0),
                (-12.6, -3.4),
                (-6, -3.6),
                (2, -3.7),
                (9, -4.9),
                (13.4, -3.6),
                (14.8, 0.2),
                (13, 3.8),
                (8, 4.9),
                (1, 3.6),
                (-6, 3.6),
                (-12.6, 3.4),
            ]
            outline = [(float(a), float(b)) for a, b in smooth_path(sole, 4, True)]
            m.slab(outline, 2.6, f[1], bevel=0.5, segments=3)

            def upper(u: np.ndarray, v: np.ndarray) -> np.ndarray:
                t = u * 2 * math.pi
                x0 = np.cos(t)
                x = np.where(x0 > 0, 14.0 * x0, 12.8 * x0)
                wide = 3.3 + 1.3 * np.clip((x + 2) / 12, 0, 1) * np.clip((15 - x) / 6, 0, 1)
                y0 = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.75 * wide
                k = 1 - v
                high = 5.0 + 5.6 / (1 + np.exp((x * (0.55 + 0.1 * v) - 1.0) / 1.9))
                shrink = 1 - 0.45 * v**2.2 - 0.28 * v**7
                xs = np.where(x > -2, x * (1 - 0.55 * v**2.4) - 3.4 * v**2.4, x * (1 - 0.1 * v))
                return np.stack(
                    [xs, y0 * shrink, 2.2 + (high - 2.2) * np.sin(np.pi / 2 * (1 - k**1.25))],
                    axis=1,
                )

            m.sheet(upper, (16, 64), 0.5, f[0])
            m.blob(
                (11, 4.2, 1.6), (-5.4, 0, 9.3), "fabric:charcoal", square=(0.8, 1), turn=(0, -4, 0)
            )
            for i in range(5):
                x, z = 0.0 + i * 1.45, 9.2 - i * 0.72
                m.tube(
                    [(x, -2.5, z - 1.2), (x + 0.1, 0, z - 0.05), (x, 2.5, z - 1.2)],
                    0.34,
                    f[1],
                    sides=10,
                )
    m.fact("a thick rubber sole", "five rows of laces")
