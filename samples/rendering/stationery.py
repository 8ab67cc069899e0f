"""Pencils, notebooks and what else lies on a desk."""

from __future__ import annotations

import math

from .curves import arc, rounded_rect
from .kind import Draft, number


def pencil(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("single", "three")
    n = 1 if style == "single" else 3
    colors = [
        f[0],
        "lacquer:blue" if f[0] != "lacquer:blue" else "lacquer:red",
        "lacquer:black" if f[0] != "lacquer:black" else "lacquer:yellow",
    ]
    for i in range(n):
        with m.frame(at=(i * 1.5, (i % 2) * 0.9, 0.4), turn=(-90, 0, (i - 1) * 4 if n > 1 else 0)):
            m.lathe([(0, 0), (0.38, 0), (0.38, 13.4), (0.38, 13.4)], colors[i], sides=6)
            m.lathe([(0.375, 13.4), (0.1, 15), (0, 15)], "wood:birch", sides=24)
            m.lathe([(0.11, 14.95), (0, 15.7)], "plastic:black", sides=16)
            m.cyl(0.4, 1.2, "metal:brass", at=(0, 0, -1.1), bevel=0.05)
            m.cyl(0.36, 0.9, "rubber:pink", at=(0, 0, -1.9), bevel=0.15)
    m.fact(
        "a pink eraser" if n == 1 else "two more in other colours",
        "a sharpened point" if n == 1 else "pink erasers",
    )


def notebook(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("elastic", "spiral", "stack")
    for i in range(2 if style == "stack" else 1):
        z = i * 1.9
        cover = f[-1] if style == "stack" and i == 0 else f[0]
        with m.frame(turn=(0, 0, i * 9)):
            m.box((14, 20.4, 1.2), (0.1, 0, z + 0.85), "paper:cream", bevel=0.05)
            for s in (0.12, 1.6):
                m.box((14.8, 21, 0.25), (0, 0, z + s), cover, bevel=0.1)
            if style != "spiral":
                m.box((0.3, 21, 1.7), (-7.3, 0, z + 0.86), cover, bevel=0.1)
    if style == "elastic":
        m.box((0.7, 21.4, 1.9), (5.4, 0, 0.88), f[-1], bevel=0.1)
        m.box((0.5, 3, 0.05), (-4, -11.6, 0.9), f[-1], bevel=0)
        m.fact("an elastic band", "a ribbon marker")
    elif style == "spiral":
        for k in range(24):
            m.tube(
                arc((-7.2, -9.6 + k * 0.83, 0.9), 1.05, 0, 345, 14, "xz"),
                0.09,
                "metal:steel",
                smooth=1,
                sides=8,
            )
        m.fact("a spiral binding of wire")
    else:
        m.fact("a stack of two")


def ruler(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("straight", "triangle")
    if style == "straight":
        m.box((31, 3.4, 0.35), (0, 0, 0.18), f[0], bevel=0.08)
        for i in range(61):
            tall = 1.1 if i % 10 == 0 else (0.75 if i % 2 == 0 else 0.45)
            m.box(
                (0.13, tall, 0.03), (-15 + i * 0.5, 1.65 - tall / 2, 0.36), "plastic:black", bevel=0
            )
        m.fact("thirty centimetres of marks along one edge")
    else:
        outer = ((-11.0, -7.0), (11.0, -7.0), (-11.0, 11.0))
        inner = ((-8.0, -4.0), (3.8, -4.0), (-8.0, 5.6))
        for i in range(3):
            k = (i + 1) % 3
            m.slab([outer[i], outer[k], inner[k], inner[i]], 0.35, f[0], bevel=0.03)
        for i in range(37):
            tall = 0.9 if i % 10 == 0 else 0.5
            m.box(
                (0.08, tall, 0.03), (-9 + i * 0.5, -6.8 + tall / 2, 0.36), "plastic:black", bevel=0
            )
        m.fact("a set-square triangle", "marks along the long edge")


def stapler(m: Draft, f: tuple[str, ...]) -> None:
    m.slab(rounded_rect(17, 4, 1.4), 1.1, f[0], bevel=0.3)
    m.box((13.5, 1.6, 1.0), (0.6, 0, 2.0), "metal:steel", bevel=0.1)
    with m.frame(at=(-7, 0, 1.4), turn=(0, -9, 0)):
        m.box((15.6, 3, 2.4), (7.2, 0, 2.2), f[0], bevel=1.0, segments=5)
        m.box((13, 1.8, 1.2), (7.4, 0, 0.9), "metal:steel", bevel=0.1)
    m.box((2, 3.2, 3.2), (-6.8, 0, 2.1), "metal:steel", bevel=0.4)
    m.fact("a rounded upper arm", "a metal staple channel")


def scissors(m: Draft, f: tuple[str, ...]) -> None:
    for s in (-1, 1):
        with m.frame(
            turn=(0, 0, s * m.num(11, 11.01)), scale=(s, 1, 1), at=(0, 0, 0.5 if s > 0 else 0.75)
        ):
            m.slab(
                [(-0.75, -1.2), (0.75, -1.2), (0.62, 3), (0.06, 10.6), (-0.12, 10.6), (-0.68, 2)],
                0.22,
                f[0],
                bevel=0.05,
            )
            m.tube(
                [(0.0, -0.8, 0.1), (0.5, -3, 0.1), (0.9, -4.2, 0.1)],
                [0.65, 0.6, 0.55],
                f[1],
                flat=(1, 0.7),
            )
            loop = [
                (0.4, -4.4, 0.1),
                (2.4, -5, 0.1),
                (3.0, -7.4, 0.1),
                (2, -9.6, 0.1),
                (0.3, -9, 0.1),
                (-0.1, -6.6, 0.1),
            ]
            m.tube(loop, 0.5, f[1], closed=True, flat=(1, 0.8))
    m.cyl(0.5, 0.6, "metal:steel", at=(0, 0, 0.6), bevel=0.1)
    m.fact("two ring handles", "slim pointed blades")


def pen_holder(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "square")
    if style == "round":
        m.vessel([(4, 0), (4, 0), (4.2, 0.3), (4.2, 0.3), (4.2, 10.5)], 0.4, f[0])
        m.fact("a round cup")
    else:
        for i in range(4):
            with m.frame(turn=(0, 0, 90 * i)):
                m.box((8.4, 0.6, 10.5), (0, -3.9, 5.25), f[0], bevel=0.15)
        m.box((8, 8, 0.6), (0, 0, 0.3), f[0], bevel=0.1)
        m.fact("a square cup")
    for i, c in enumerate(("yellow", "red", "blue", "black")):
        a = 1.2 + 1.5 * i
        foot = (1.6 * math.cos(a), 1.6 * math.sin(a), 0.8)
        tip = (3.0 * math.cos(a), 3.0 * math.sin(a), 14.5 + i * 0.8)
        m.rod(foot, tip, 0.4, f"lacquer:{c}", bevel=0.1)
    m.fact(f"{number(4)} pens in different colours")
