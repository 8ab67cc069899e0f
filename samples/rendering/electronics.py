"""Phones, computers, audio, cameras and watches."""

from __future__ import annotations

import math

import numpy as np

from .curves import arc, circle, rounded_rect
from .kind import Draft


def _screen(m: Draft, w: float, h: float, z: float = 0.0) -> None:
    """A dark display with a soft picture of hills on it, in the xy plane."""
    m.slab(rounded_rect(w, h, min(w, h) * 0.04), 0.05, "lacquer:navy", at=(0, 0, z), bevel=0)
    for i, c in enumerate(("turquoise", "teal", "purple")):
        top = [
            (w * (k / 12 - 0.5) * 0.98, h * (0.12 - 0.2 * i + 0.09 * math.sin(k * 0.7 + 2 * i)))
            for k in range(12, -1, -1)
        ]
        m.slab(
            [(-w * 0.49, -h * 0.48), (w * 0.49, -h * 0.48), *top],
            0.02,
            f"lacquer:{c}",
            at=(0, 0, z + 0.04 + 0.02 * i),
            bevel=0,
        )
    m.slab(circle(h * 0.07), 0.02, "lacquer:yellow", at=(w * 0.22, h * 0.3, z + 0.05), bevel=0)


def phone(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("front", "back")
    with m.frame(at=(0, 0, 7.6), turn=(80, 0, 0)):
        if style == "front":
            m.slab(rounded_rect(7.2, 15, 1.1), 0.8, f[0], bevel=0.25)
            m.slab(rounded_rect(6.9, 14.7, 1.0), 0.02, "lacquer:black", at=(0, 0, 0.79), bevel=0)
            _screen(m, 6.5, 14.1, 0.8)
            m.fact("a nearly borderless screen", "rounded corners")
        else:
            m.slab(rounded_rect(7.2, 15, 1.1), 0.8, f[0], bevel=0.25)
            m.slab(rounded_rect(2.8, 2.8, 0.8), 0.2, f[0], at=(-1.8, 5.5, 0.75), bevel=0.08)
            for x, y in ((-2.4, 6.1), (-1.2, 4.9)):
                m.cyl(0.55, 0.2, "lacquer:black", at=(x, y, 0.9), bevel=0.05)
            m.cyl(0.25, 0.12, "plastic:cream", at=(-1.2, 6.1, 0.9), bevel=0.03)
            m.fact("two camera lenses on the back", "rounded corners")


def tablet(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(at=(0, 0, 9), turn=(72, 0, 0)):
        m.slab(rounded_rect(25, 17.5, 1), 0.7, f[0], bevel=0.2)
        m.slab(rounded_rect(24.5, 17, 0.9), 0.03, "lacquer:black", at=(0, 0, 0.68), bevel=0)
        _screen(m, 22.6, 15, 0.7)
    m.fact("a wide bright screen", "a thin border")


def laptop(m: Draft, f: tuple[str, ...]) -> None:
    m.slab(rounded_rect(32, 22, 1.2), 1.1, f[0], bevel=0.3)
    for row in range(5):
        n = 14 if row < 4 else 9
        for i in range(n):
            wide = row == 4 and i == 3
            x = (i - 6.5) * 2.05
            if row == 4 and i >= 3:
                x = -2.0 if wide else 13.3 - (8 - i) * 2.05
            w = 11.4 if wide else 1.75
            m.box((w, 1.55, 0.25), (x, 6.6 - row * 1.95, 1.15), "plastic:charcoal", bevel=0.1)
    m.slab(
        rounded_rect(10, 6, 0.5),
        0.04,
        "metal:aluminium" if f[0] != "metal:aluminium" else "plastic:light grey",
        at=(0, -6.6, 1.09),
        bevel=0,
    )
    with m.frame(at=(0, 10.9, 0.9), turn=(106, 0, 0)), m.frame(at=(0, 10.7, -0.3)):
        m.slab(rounded_rect(32, 21.4, 1.2), 0.7, f[0], bevel=0.2)
        m.slab(rounded_rect(31.2, 20.6, 0.9), 0.03, "lacquer:black", at=(0, 0, 0.69), bevel=0)
        _screen(m, 29.4, 18.6, 0.71)
    m.fact("a full keyboard", "a large touchpad", "an open lid")


def monitor(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(at=(0, 0, 33), turn=(90, 0, 0)):
        m.slab(rounded_rect(60, 36, 1), 2.2, f[0], bevel=0.5)
        m.slab(rounded_rect(59, 35, 0.7), 0.05, "lacquer:black", at=(0, 0, 2.18), bevel=0)
        _screen(m, 57.4, 33.2, 2.2)
    m.box((5, 2, 26), (0, 1.4, 15), f[0], bevel=0.4)
    m.slab(rounded_rect(24, 18, 2), 1, f[0], at=(0, 1, 0), bevel=0.3)
    m.fact("a wide screen", "a slim stand on a flat foot")


def keyboard(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("compact", "retro")
    m.slab(rounded_rect(31, 12, 1), 1.5, f[0], bevel=0.4)
    for row in range(5):
        for i in range(14):
            if row == 4 and 4 <= i <= 9:
                continue
            key = f[1] if style == "compact" or (i not in {0, 13} and row != 4) else f[2]
            m.box((1.85, 1.85, 0.8), ((i - 6.5) * 2.1, 4.2 - row * 2.1, 1.8), key, bevel=0.3)
    m.box((12.4, 1.85, 0.8), (0, 4.2 - 8.4, 1.8), f[1] if style == "compact" else f[2], bevel=0.3)
    m.fact("five rows of square keys", "a long space bar")
    if style == "retro":
        m.fact("coloured outer keys")


def mouse(m: Draft, f: tuple[str, ...]) -> None:
    shell = m.blob((6.2, 11, 6.4), (0, 0, 0.4), f[0], square=(0.8, 0.75), rows=44, cols=72)
    shell.verts[:, 2] = np.maximum(shell.verts[:, 2], 0.0)
    line = []
    for y in np.linspace(-0.6, -5.2, 12):
        z = 0.4 + 3.2 * (1 - (abs(y) / 5.5) ** 2.5) ** 0.4
        line.append((0.0, float(y), float(z)))
    m.tube(line, 0.07, "plastic:charcoal", sides=8)
    with m.frame(at=(0, -3.1, 2.85), turn=(0, 90, 0)):
        m.cyl(0.75, 0.7, f[1], at=(0, 0, -0.35), bevel=0.15)
    m.fact("a scroll wheel", "a low rounded back")


def headphones(m: Draft, f: tuple[str, ...]) -> None:
    band = [
        (-8.6, 0, 8),
        (-8.8, 0, 13),
        (-6, 0, 18.6),
        (0, 0, 20.8),
        (6, 0, 18.6),
        (8.8, 0, 13),
        (8.6, 0, 8),
    ]
    m.tube(band, [0.5, 0.6, 0.8, 0.85, 0.8, 0.6, 0.5], f[0], flat=(1.9, 0.7))
    pad = [(x * 0.91, y, z - 0.9) for x, y, z in band[2:5]]
    m.tube(pad, 0.75, f[1], flat=(2, 0.9))
    for s in (-1, 1):
        with m.frame(at=(s * 8.4, 0, 6), turn=(0, s * 84, 0)):
            m.blob((8.4, 7.2, 3.4), (0, 0, 0.6), f[0], square=(0.5, 1))
            ring = [(x, y, -1.0) for x, y in circle(2.9, 40, 0.85)]
            m.tube(ring, 1.15, f[1], closed=True, smooth=0, sides=14)
            m.cyl(2.2, 0.4, f[-1], at=(0, 0, 2.1), bevel=0.1)
    m.fact("padded ear cups", "a curved headband")


def speaker(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("bookshelf", "portable", "column")
    if style == "portable":
        m.rod((-10, 0, 4.6), (10, 0, 4.6), 4.6, f[0], bevel=0.5)
        for s in (-1, 1):
            with m.frame(at=(s * 10, 0, 4.6), turn=(0, s * 90, 0)):
                m.cyl(4.5, 0.8, f[1], at=(0, 0, -0.2), bevel=0.3)
                m.cyl(3, 0.3, "rubber:black", at=(0, 0, 0.55), bevel=0.1)
        m.box((8, 1.6, 0.5), (0, 0, 9.2), "rubber:black", bevel=0.2)
        m.fact("a cylinder covered in cloth", "controls on top")
        return
    w, d, h = (18, 20, 28) if style == "bookshelf" else (20, 24, 82)
    m.box((w, d, h), (0, 0, h / 2), f[0], bevel=0.7)
    spots = (
        [(h * 0.36, 6.2), (h * 0.78, 2.6)]
        if style == "bookshelf"
        else [(h * 0.3, 6.4), (h * 0.55, 6.4), (h * 0.8, 3.4)]
    )
    for z, r in spots:
        with m.frame(at=(0, -d / 2, z), turn=(90, 0, 0)):
            m.lathe(
                [
                    (0, 0.1),
                    (r * 0.36, 0.9),
                    (r * 0.4, 0.2),
                    (r * 0.8, 0.5),
                    (r * 0.86, 1),
                    (r * 0.98, 1),
                    (r * 1.12, 0.7),
                    (r * 1.14, 0),
                    (0, 0),
                ],
                f[1],
                smooth=2,
            )
            m.blob((r * 0.7, r * 0.7, r * 0.3), (0, 0, 0.6), f[-1], square=(1, 1))
    m.fact(
        "a large and a small driver" if style == "bookshelf" else "three round drivers",
        "a plain cabinet",
    )


def camera(m: Draft, f: tuple[str, ...]) -> None:
    m.box((13, 4.6, 5.4), (0, 0, 3.2), f[1], bevel=0.6)
    m.box((13, 4.7, 1.6), (0, 0, 6.2), f[0], bevel=0.5)
    m.box((12.9, 4.7, 0.8), (0, 0, 0.5), f[0], bevel=0.3)
    m.box((4, 4, 1.8), (0, 0, 7.4), f[0], bevel=0.5)
    with m.frame(at=(0.6, -2.2, 3.6), turn=(90, 0, 0)):
        m.lathe(
            [
                (0, 0),
                (3, 0),
                (3, 1.6),
                (2.7, 1.8),
                (2.7, 3.6),
                (2.4, 3.9),
                (2.1, 3.6),
                (1.8, 2.2),
                (0, 2),
            ],
            "plastic:black",
        )
        m.blob((3.6, 3.6, 1.2), (0, 0, 2.3), "lacquer:navy", square=(1, 1))
        m.tube(arc((0, 0, 2.8), 2.72, 0, 350, 40, "xy"), 0.08, f[0], closed=True, smooth=1, sides=8)
    m.cyl(1.0, 0.9, f[0], at=(4.4, 0, 6.8), bevel=0.15)
    m.cyl(0.5, 0.5, "metal:steel", at=(4.4, 0, 7.6), bevel=0.1)
    m.cyl(0.8, 0.7, f[0], at=(-4.6, 0, 6.8), bevel=0.15)
    m.box((1.8, 0.2, 0.9), (4.2, -2.4, 6.1), "lacquer:charcoal", bevel=0.05)
    m.fact("a round lens", "two dials on top", "a raised viewfinder")


def watch(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "square")
    strap = [(0, -11.4, 0.25), (0, -6, 0.3), (0, -2, 0.7)]
    m.tube(strap, 1.0, f[1], flat=(1, 0.16), up=(0, 0, 1))
    m.tube([(x, -y, z) for x, y, z in strap], 1.0, f[1], flat=(1, 0.16), up=(0, 0, 1))
    m.box((2.4, 0.5, 0.5), (0, 11.6, 0.35), f[0], bevel=0.12)
    for i in range(4):
        m.cyl(0.12, 0.05, "plastic:black", at=(0, -9.8 + i * 1, 0.42), bevel=0)
    if style == "round":
        m.lathe([(0, 0), (1.8, 0), (2.1, 0.3), (2.1, 0.8), (1.8, 1.1), (1.7, 1), (0, 1)], f[0])
        m.slab(circle(1.72, 60), 0.02, f[2], at=(0, 0, 1.0), bevel=0)
    else:
        m.slab(rounded_rect(3.8, 4.2, 0.8), 1.05, f[0], bevel=0.25)
        m.slab(rounded_rect(3.2, 3.6, 0.6), 0.02, f[2], at=(0, 0, 1.04), bevel=0)
    ink = "plastic:white" if f[2] in {"lacquer:black", "lacquer:navy"} else "plastic:black"
    for i in range(12):
        a = math.radians(30 * i)
        m.box(
            (0.1, 0.34, 0.03),
            (1.4 * math.sin(a), 1.4 * math.cos(a), 1.07),
            ink,
            bevel=0,
            turn=(0, 0, -30 * i),
        )
    for angle, length in ((305, 0.9), (60, 1.3)):
        a = math.radians(angle)
        m.box(
            (0.12, length, 0.04),
            (math.sin(a) * length / 2, math.cos(a) * length / 2, 1.1),
            ink,
            bevel=0,
            turn=(0, 0, -angle),
        )
    m.cyl(0.28, 0.4, f[0], at=(2.05, 0, 0.55), turn=(0, 90, 0), bevel=0.08)
    m.fact(
        "a round case" if style == "round" else "a square case", "a pin buckle", "slim hour marks"
    )
