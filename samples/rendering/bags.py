"""Bags, suitcases, umbrellas, glasses and rings."""

from __future__ import annotations

import math

import numpy as np

from .curves import arc, circle, rounded_rect
from .kind import Draft


def backpack(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("classic", "roll")
    m.blob((30, 18, 42), (0, 0, 21), f[0], square=(0.35, 0.45))
    m.blob((24, 8, 18), (0, -8.6, 12), f[0], square=(0.35, 0.4))
    m.tube([(-10, -12.4, 18), (0, -13.2, 18.6), (10, -12.4, 18)], 0.35, f[1], sides=8)
    if style == "classic":
        m.tube(
            [(-13.6, -4, 34), (-8, -7.6, 37.4), (0, -8.4, 38.4), (8, -7.6, 37.4), (13.6, -4, 34)],
            0.35,
            f[1],
            sides=8,
        )
        m.fact("a zipped front pocket")
    else:
        m.rod((-14, 0, 43.5), (14, 0, 43.5), 3.6, f[0], bevel=1.0)
        m.box((2.4, 20, 1), (0, 0, 47), f[1], bevel=0.2)
        m.box((2.4, 0.8, 18), (0, -9.6, 36), f[1], bevel=0.2)
        m.box((4, 1, 3), (0, -10, 32), "metal:steel", bevel=0.3)
        m.fact("a rolled top with a buckle", "a front pocket")
    m.tube(
        [
            (-3, 3, 41),
            (-3, 3, 46 if style == "classic" else 41),
            (3, 3, 46 if style == "classic" else 41),
            (3, 3, 41),
        ],
        0.7,
        f[1],
    )
    for s in (-1, 1):
        m.tube(
            [(s * 6, 8, 39), (s * 10, 14.5, 32), (s * 11, 14.5, 16), (s * 10, 8, 5)],
            1.9,
            f[1],
            flat=(1.0, 0.35),
        )
    m.fact("two shoulder straps")


def tote(m: Draft, f: tuple[str, ...]) -> None:
    def side(sign: float) -> None:
        def panel(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            x = (u - 0.5) * 38
            depth = 5.2 * np.cos(np.pi * (u - 0.5)) ** 0.5 * (1 - 0.35 * v) * np.clip(v * 6, 0.6, 1)
            wave = 0.4 * np.sin(u * 9 + sign) * v
            return np.stack([x * (1 + 0.03 * v), sign * (depth + wave), v * 40], axis=1)

        m.sheet(panel, (24, 36), 0.35, f[0])
        m.tube(
            [
                (-8, sign * 4.2, 36),
                (-7.4, sign * 4.6, 46),
                (-3, sign * 2.6, 58),
                (3, sign * 2.6, 58),
                (7.4, sign * 4.6, 46),
                (8, sign * 4.2, 36),
            ],
            1.25,
            f[1],
            flat=(1.0, 0.2),
        )

    side(-1)
    side(1)
    m.slab([(x, y) for x, y in rounded_rect(37.4, 9.6, 4)], 0.6, f[0], bevel=0.1)
    m.fact("two long handles", "an open top")
    if m.style("band", "plain") == "band":
        m.box((8, 0.5, 5), (0, -4.9, 14), f[1], bevel=0.1, turn=(-3, 0, 0))
        m.fact("a sewn-on leather patch" if f[1].startswith("leather") else "a sewn-on patch")


def handbag(m: Draft, f: tuple[str, ...]) -> None:
    m.slab(
        [(-14, 0), (14, 0), (15, 2), (12.5, 19), (-12.5, 19), (-15, 2)],
        10,
        f[0],
        at=(0, 5, 0),
        turn=(90, 0, 0),
        bevel=1.6,
        segments=4,
    )
    m.slab(
        [(-12.8, 19.4), (-13.4, 11), (-7, 7.6), (7, 7.6), (13.4, 11), (12.8, 19.4)],
        0.6,
        f[0],
        at=(0, -4.9, 0),
        turn=(90, 0, 0),
        bevel=0.25,
    )
    m.box((25.6, 10.8, 0.7), (0, -0.2, 19.2), f[0], bevel=0.3)
    m.box((3, 0.8, 2.4), (0, -5.7, 8.6), f[1], bevel=0.3)
    m.tube([(-8.4, 0, 19), (-7.6, 0, 25), (0, 0, 29), (7.6, 0, 25), (8.4, 0, 19)], 0.75, f[0])
    for s in (-1, 1):
        m.tube(
            arc((s * 8.4, 0, 19.6), 1.2, 0, 340, 17, "xz"),
            0.25,
            f[1],
            closed=True,
            smooth=1,
            sides=8,
        )
    m.fact("a front flap with a metal clasp", "one arched handle")


def suitcase(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("trolley", "vintage")
    if style == "trolley":
        m.box((40, 23, 58), (0, 0, 33), f[0], bevel=4, segments=5)
        for i in range(7):
            m.box((1.6, 23.8, 50), ((i - 3) * 5.2, 0, 33), f[0], bevel=0.7)
        for x in (-15, 15):
            for y in (-8, 8):
                m.rod((x - 1, y, 2.2), (x + 1, y, 2.2), 2.2, "rubber:black", bevel=0.4)
        for x in (-8, 8):
            m.rod((x, 8, 60), (x, 8, 92), 0.8, "metal:aluminium")
        m.box((20, 3, 3), (0, 8, 93), "plastic:black", bevel=0.9)
        m.fact("a ribbed hard shell", "a pull-out handle", "four wheels")
    else:
        m.box((56, 19, 38), (0, 0, 19), f[0], bevel=2.2, segments=4)
        m.box((57, 19.4, 0.8), (0, 0, 25), f[1], bevel=0.2)
        for x in (-17, 17):
            m.box((3.4, 19.8, 38.6), (x, 0, 19), f[1], bevel=0.4)
            m.box((4.6, 1.4, 3.6), (x, -10, 25), "metal:brass", bevel=0.3)
        m.tube([(-7, 0, 38), (-6.4, 0, 42), (6.4, 0, 42), (7, 0, 38)], 1.0, f[1])
        m.fact("two straps with brass buckles", "a carrying handle")


def umbrella(m: Draft, f: tuple[str, ...]) -> None:
    n = 8
    grid = 40
    verts, faces = [], []
    for r in range(grid + 1):
        t = r / grid
        for k in range(n * 12):
            a = 2 * math.pi * k / (n * 12)
            local = (k % 12) / 12
            sag = math.sin(math.pi * local)
            radius = 48 * t * (1 - 0.06 * sag * t)
            z = 86 - 26 * t**2.1 + 1.0 * sag * t**2
            verts.append((radius * math.cos(a), radius * math.sin(a), z))
    w = n * 12
    for r in range(grid):
        for k in range(w):
            faces.append(
                (r * w + k, r * w + (k + 1) % w, (r + 1) * w + (k + 1) % w, (r + 1) * w + k)
            )
    second = f[1] if m.style("plain", "panels") == "panels" else f[0]
    even = [face for face in faces if (face[0] % w) // 12 % 2 == 0]
    odd = [face for face in faces if (face[0] % w) // 12 % 2 == 1]
    array = np.array(verts)
    m.add(array, even, f[0])
    m.add(array, odd, second)
    m.rod((0, 0, 8), (0, 0, 91), 0.7, "metal:steel")
    for k in range(n):
        a = 2 * math.pi * k / n
        m.rod((0, 0, 62), (25 * math.cos(a), 25 * math.sin(a), 78), 0.3, "metal:steel")
    m.tube([(0, 0, 14), (0, 0, 3), (-2, 0, -1.4), (-5.4, 0, -1.4), (-7, 0, 2.4)], 1.3, f[-1])
    m.fact("eight panels", "a curved hook handle")
    if second != f[0]:
        m.fact("panels in two colours by turns")


def glasses(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "square")
    for s in (-1, 1):
        if style == "round":
            ring = [(s * 3.3 + x, 0, 2.8 + z) for x, z in circle(2.4, 40)]
        else:
            ring = [(s * 3.3 + x, 0, 2.8 + z) for x, z in rounded_rect(5.2, 4.2, 1.2)]
        m.tube(ring, 0.28, f[0], closed=True, smooth=0, sides=10)
        with m.frame(at=(s * 3.3, 0.05, 2.8), turn=(90, 0, 0)):
            m.slab(
                circle(2.35, 40) if style == "round" else rounded_rect(5.1, 4.1, 1.2),
                0.12,
                f[1],
                bevel=0,
            )
        m.tube(
            [
                (s * 5.8, 0, 3.4),
                (s * 6.4, 0.4, 3.5),
                (s * 6.5, 2, 3.5),
                (s * 6.3, 9.5, 3.3),
                (s * 6.2, 12, 2.0),
                (s * 6.1, 13.5, 0.2),
            ],
            0.25,
            f[0],
        )
    m.tube([(-1, 0, 3.2), (0, -0.1, 3.7), (1, 0, 3.2)], 0.25, f[0])
    dark = f[1] in {"plastic:black", "lacquer:black"}
    m.fact(
        "round lenses" if style == "round" else "squared lenses",
        "dark tinted glasses" if dark else "tinted see-through lenses",
    )


def ring(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(at=(0, 0, 1.1), turn=(90, 0, 0)):
        m.tube(
            arc((0, 0, 0), 0.95, 0, 354, 59, "xy"), 0.13, f[0], closed=True, smooth=1, flat=(1, 1.5)
        )
    z = 2.16
    if m.style("stone", "band") == "stone":
        m.lathe(
            [(0, -0.34), (0.42, 0.08), (0.43, 0.12), (0.26, 0.26), (0, 0.26)],
            f[1],
            at=(0, 0, z + 0.2),
            sides=10,
        )
        for i in range(4):
            a = math.radians(45 + 90 * i)
            m.tube(
                [
                    (0.1 * math.cos(a), 0.1 * math.sin(a), z - 0.1),
                    (0.4 * math.cos(a), 0.4 * math.sin(a), z + 0.22),
                    (0.38 * math.cos(a), 0.38 * math.sin(a), z + 0.36),
                ],
                0.06,
                f[0],
                sides=8,
            )
        m.fact("a faceted stone held by four claws")
    else:
        m.ball(0.42, (0, 0, z + 0.26), f[1])
        m.fact("a single round bead")
    m.fact("a smooth polished band")
