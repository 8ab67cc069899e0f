"""Clocks, mirrors, frames and soft furnishings."""

from __future__ import annotations

import math

import numpy as np

from .curves import arc, circle, rounded_rect
from .kind import Draft


def wall_clock(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("dots", "bars", "square")
    dark = f[0] in {"wood:walnut", "plastic:black", "metal:iron", "wood:black-stained ash"}
    face, ink = ("plastic:white", "plastic:black")
    if style == "bars" and dark:
        face, ink = "plastic:charcoal", "plastic:white"
    with m.frame(turn=(90, 0, 0)):
        if style == "square":
            m.slab(rounded_rect(32, 32, 5), 3.6, f[0], bevel=0.8)
            m.slab(circle(13.6, 72), 0.2, face, at=(0, 0, 3.5), bevel=0)
            m.fact("a rounded square case")
        else:
            m.lathe(
                [(0, 0), (16, 0), (16.2, 3.4), (15.6, 4), (14.6, 3.4), (14.5, 2.4), (0, 2.4)], f[0]
            )
            m.slab(circle(14.5, 72), 0.2, face, at=(0, 0, 2.35), bevel=0)
            m.fact("a round frame")
        z = 3.7 if style == "square" else 2.6
        for i in range(12):
            a = math.radians(30 * i)
            p = (12 * math.sin(a), 12 * math.cos(a), z)
            if style == "dots":
                m.cyl(0.75 if i % 3 == 0 else 0.45, 0.15, ink, at=p, bevel=0)
            else:
                m.box((0.5 if i % 3 else 0.9, 2.2, 0.2), p, ink, bevel=0, turn=(0, 0, -30 * i))
        hour, minute = m.num(0, 360), m.num(0, 360)
        for angle, length, width in ((hour, 7.0, 0.9), (minute, 10.5, 0.6)):
            a = math.radians(angle)
            m.box(
                (width, length, 0.2),
                (math.sin(a) * length * 0.4, math.cos(a) * length * 0.4, z + 0.3),
                ink,
                bevel=0.05,
                turn=(0, 0, -angle),
            )
        m.cyl(0.8, 0.6, ink, at=(0, 0, z), bevel=0.1)
    m.fact("dots for the hours" if style == "dots" else "bars for the hours", "two hands")


def alarm_clock(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(at=(0, 0, 8), turn=(90, 0, 0)):
        m.lathe(
            [
                (0, -2.6),
                (5.6, -2.6),
                (6.2, -2),
                (6.2, 2.2),
                (5.8, 2.7),
                (5.3, 2.5),
                (5.2, 1.9),
                (0, 1.9),
            ],
            f[0],
        )
        m.slab(circle(5.2, 60), 0.1, "plastic:white", at=(0, 0, 1.9), bevel=0)
        for i in range(12):
            a = math.radians(30 * i)
            m.box(
                (0.25, 0.9, 0.1),
                (4.3 * math.sin(a), 4.3 * math.cos(a), 2.1),
                "plastic:black",
                bevel=0,
                turn=(0, 0, -30 * i),
            )
        for angle, length in ((m.num(0, 360), 2.4), (m.num(0, 360), 3.6)):
            a = math.radians(angle)
            m.box(
                (0.35, length, 0.1),
                (math.sin(a) * length * 0.4, math.cos(a) * length * 0.4, 2.25),
                "plastic:black",
                bevel=0,
                turn=(0, 0, -angle),
            )
    for s in (-1, 1):
        m.rod((s * 3.2, 0, 3), (s * 4.6, 0, 0), 0.5, f[-1])
        with m.frame(at=(s * 3.6, 0, 14), turn=(0, s * 30, 0)):
            m.lathe([(0, 1.7), (1.4, 1.4), (2.4, 0), (2.2, 0), (0, 0.9)], f[-1], smooth=4)
            m.rod((0, 0, -1.2), (0, 0, 0.6), 0.3, f[-1])
    m.tube(arc((0, 0, 14.4), 2.6, 20, 160, 10, "xz"), 0.28, f[-1], smooth=1)
    m.fact("two bells on top", "a carrying handle", "two short feet")


def mirror(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "arch", "rect")
    if style == "round":
        outline = circle(30, 96)
        m.fact("a round frame")
    elif style == "arch":
        outline = [
            (-22, -40),
            (22, -40),
            *[
                (22 * math.cos(math.radians(a)), 22 + 22 * math.sin(math.radians(a)))
                for a in range(0, 181, 6)
            ],
        ]
        m.fact("an arched top")
    else:
        outline = rounded_rect(44, 72, 3)
        m.fact("a rectangular frame with soft corners")
    with m.frame(turn=(90, 0, 0)):
        m.slab(outline, 1.4, "metal:chrome", bevel=0)
        path = [(x, y, 1.0) for x, y in outline]
        m.tube(path, 1.5, f[0], closed=True, smooth=0, sides=12)
    m.fact("a slim border", "a clear reflecting surface")


def picture_frame(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("hills", "circles", "stripes")
    w, h = (30, 40) if style != "stripes" else (40, 30)
    t = 2.4
    for x in (-1, 1):
        m.box((t, 2.4, h + t), (x * w / 2, -1.2, 0), f[0], bevel=0.25)
    for z in (-1, 1):
        m.box((w - t, 2.3, t), (0, -1.2, z * h / 2), f[0], bevel=0.1)
    m.box((w, 0.4, h), (0, -0.5, 0), "paper:white", bevel=0)
    with m.frame(at=(0, -0.72, 0), turn=(90, 0, 0)):
        aw, ah = w - 9, h - 10
        if style == "circles":
            for i, c in enumerate(("coral", "navy", "mustard")):
                m.slab(
                    circle(4.6 - i * 0.6),
                    0.05,
                    f"paper:{c}",
                    at=((i - 1) * 4.4, (1 - i) * 6.2, 0.05 * i),
                    bevel=0,
                )
            m.fact("an abstract print of three dots")
        elif style == "stripes":
            for i, c in enumerate(("teal", "cream", "rust", "sage", "charcoal")):
                m.box((aw, ah / 5, 0.06), (0, (i - 2) * ah / 5, 0.03), f"paper:{c}", bevel=0)
            m.fact("an abstract print of coloured bands")
        else:
            m.box((aw, ah, 0.05), (0, 0, 0), "paper:sky blue", bevel=0)
            m.slab(circle(2.6), 0.05, "paper:yellow", at=(3.6, 7, 0.05), bevel=0)
            for i, c in enumerate(("sage", "green", "forest green")):
                xs = np.linspace(-aw / 2, aw / 2, 25)
                ys = -3.5 - i * 3.4 + 1.8 * np.sin(xs * (0.3 + 0.1 * i) + i * 2)
                line = [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
                m.slab(
                    [(-aw / 2, -ah / 2), (aw / 2, -ah / 2), *reversed(line)],
                    0.05,
                    f"paper:{c}",
                    at=(0, 0, 0.06 * (i + 1)),
                    bevel=0,
                )
            m.fact("a print of green hills and a sun")
    m.fact("a wide white mount")


def cushion(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("square", "bolster", "round")
    if style == "bolster":
        m.rod((-26, 0, 9), (26, 0, 9), 9, f[0], bevel=3.4)
        for s in (-1, 1):
            m.ball(1.3, (s * 26, 0, 9), f[-1])
        m.fact("a cylindrical bolster shape", "buttons at both ends")
        return
    if style == "round":
        with m.frame(at=(0, 0, 20), turn=(72, 0, 0)):
            m.blob((42, 42, 15), (0, 0, 0), f[0], square=(0.85, 1.0))
            m.blob((3.4, 3.4, 2), (0, 0, 7), f[-1], square=(1, 1))
        m.fact("a round shape", "a button in the middle")
        return

    def pillow(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.stack([u, v, v * 0], axis=1)

    with m.frame(at=(0, 0, 22.5), turn=(74, 0, 0)):
        n = 40
        g = np.linspace(-1, 1, n)
        x, y = np.meshgrid(g, g)
        bulge = ((1 - x**4) * (1 - y**4)) ** 0.55
        pinch = 1 - 0.07 * (1 - x**2) * np.abs(y) ** 3
        pinch_y = 1 - 0.07 * (1 - y**2) * np.abs(x) ** 3
        for sign in (1, -1):
            verts = np.stack(
                [23 * x * pinch_y, 23 * y * pinch, sign * 8.2 * bulge], axis=2
            ).reshape(-1, 3)
            faces = [
                (r * n + c, r * n + c + 1, (r + 1) * n + c + 1, (r + 1) * n + c)
                for r in range(n - 1)
                for c in range(n - 1)
            ]
            m.add(verts, faces, f[0], tex=np.stack([23 * x, 23 * y, 0 * x], axis=2).reshape(-1, 3))
        edge = [
            *((a, -1) for a in g[::3]),
            *((1, a) for a in g[::3]),
            *((a, 1) for a in g[::-3]),
            *((-1, a) for a in g[::-3]),
        ]
        ring = [
            (
                23 * a * (1 - 0.07 * (1 - b**2) * abs(a) ** 3),
                23 * b * (1 - 0.07 * (1 - a**2) * abs(b) ** 3),
                0.0,
            )
            for a, b in edge
        ]
        m.tube(ring, 0.45, f[-1], closed=True, smooth=0, sides=8)
    m.fact("a square shape", "a piped edge")


def rug(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("stripes", "round", "border")
    if style == "round":
        for i, r in enumerate((80, 62, 44, 26)):
            m.cyl(r, 1.2 + 0.05 * i, f[i % 2], bevel=0.4, sides=120)
        m.fact("concentric rings in two colours", "a round shape")
        return
    w, d = 170, 115
    m.box((w, d, 1.2), (0, 0, 0.6), f[0], bevel=0.4)
    if style == "stripes":
        for i in range(-3, 4):
            m.box((9, d - 0.4, 0.2), (i * 23, 0, 1.22), f[1], bevel=0)
        m.fact("broad stripes", "fringes at both ends")
    else:
        for x in (-1, 1):
            m.box((5, d - 16, 0.2), (x * (w / 2 - 10), 0, 1.22), f[1], bevel=0)
        for y in (-1, 1):
            m.box((w - 15, 5, 0.2), (0, y * (d / 2 - 10), 1.22), f[1], bevel=0)
        m.fact("a border line in a second colour", "fringes at both ends")
    for x in (-1, 1):
        for i in range(48):
            at = (i - 23.5) * d / 48.5
            m.rod((x * w / 2, at, 0.5), (x * (w / 2 + 6), at + 0.4, 0.3), 0.4, f[1])


def basket(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "tall")
    r, h = (17, 18) if style == "round" else (18, 40)
    rows = 15 if style == "round" else 26
    for i in range(rows):
        t = i / (rows - 1)
        rad = (
            r * (0.82 + 0.26 * math.sin(math.pi * (0.25 + 0.5 * t)))
            if style == "round"
            else r * (0.86 + 0.14 * t)
        )
        ring = []
        for k in range(96):
            a = 2 * math.pi * k / 96
            wave = 0.45 * (1 if i % 2 else -1) * math.cos(a * 16)
            ring.append(((rad + wave) * math.cos(a), (rad + wave) * math.sin(a), h * t + 0.7))
        m.tube(ring, h / rows * 0.56, f[0], closed=True, smooth=0, sides=8)
    m.cyl(r * 0.95, 1, f[0], at=(0, 0, 0.4))
    for s in (-1, 1):
        m.tube(
            [
                (s * (r * 1.02), -5, h - 1),
                (s * r * 1.06, -3.5, h + 4.5),
                (s * r * 1.06, 3.5, h + 4.5),
                (s * r * 1.02, 5, h - 1),
            ],
            0.8,
            f[-1],
        )
    m.fact(
        "two handles", "a woven structure", "a tall shape" if style == "tall" else "a rounded shape"
    )
