"""Pans, kettles, boards, knives and kitchen helpers."""

from __future__ import annotations

import math

from .curves import Point2, circle, mirrored, rounded_rect, smooth_path
from .kind import Draft


def pan(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("frying", "saute")
    r, h = (13, 4.5) if style == "frying" else (12.5, 7)
    base = r * (0.76 if style == "frying" else 0.96)
    m.vessel([(base, 0), (base, 0), (base + 0.5, 0.5), (base + 0.5, 0.5), (r, h)], 0.3, f[0])
    m.tube(
        [(r - 0.6, 0, h - 1), (r + 3, 0, h + 0.3), (r + 10, 0, h + 2.2), (r + 19, 0, h + 2.6)],
        [0.7, 0.9, 1.25, 1.1],
        f[1],
        flat=(1.25, 0.75),
    )
    m.fact(
        "one long handle", "shallow sloping sides" if style == "frying" else "high straight sides"
    )


def pot(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("casserole", "stock")
    r, h = (12.5, 10.5) if style == "casserole" else (11.5, 17)
    m.vessel([(r - 0.8, 0), (r - 0.8, 0), (r, 0.9), (r, h)], 0.4, f[0], smooth=4)
    m.lathe(
        [
            (0, h + 2.6),
            (r * 0.5, h + 2.1),
            (r * 0.9, h + 0.9),
            (r + 0.3, h + 0.4),
            (r + 0.3, h),
            (0, h),
        ],
        f[0],
        smooth=4,
    )
    m.lathe(
        [(0, h + 2.4), (0.9, h + 2.5), (0.9, h + 3.4), (2.1, h + 4), (2, h + 4.8), (0, h + 5)],
        f[1],
        smooth=3,
    )
    z = h * 0.78
    for s in (-1, 1):
        m.tube(
            [
                (s * (r - 0.3), -3.6, z),
                (s * (r + 3), -3, z + 0.2),
                (s * (r + 3), 3, z + 0.2),
                (s * (r - 0.3), 3.6, z),
            ],
            0.7,
            f[-1],
        )
    m.fact(
        "two side handles",
        "a domed lid with a knob",
        "a tall body" if style == "stock" else "a wide low body",
    )


def kettle(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("stovetop", "gooseneck")
    if style == "stovetop":
        m.lathe(
            [(0, 0), (10, 0), (11, 1.4), (10.2, 8), (6.4, 14), (3.4, 15.5), (0, 15.6)],
            f[0],
            smooth=6,
        )
        m.tube([(-8, 0, 7), (-12.4, 0, 10.5), (-14.6, 0, 14)], [2, 1.5, 1.1], f[0])
        for s in (-1, 1):
            m.rod((s * 6.6, 0, 13), (s * 8.6, 0, 20.6), 0.5, f[0])
        m.tube(
            [(-8.7, 0, 20.4), (-6, 0, 23.4), (0, 0, 24.4), (6, 0, 23.4), (8.7, 0, 20.4)], 1.1, f[1]
        )
        m.ball(1.5, (0, 0, 17), f[1])
        m.fact("a handle over the top", "a short spout")
    else:
        m.lathe([(0, 0), (8.6, 0), (8.6, 0), (9, 1), (7, 11), (5.6, 14), (0, 14.4)], f[0], smooth=5)
        m.tube(
            [(-7.4, 0, 4), (-11, 0, 5.4), (-12, 0, 10.4), (-13.4, 0, 14.6), (-16.6, 0, 15.6)],
            [0.9, 0.75, 0.65, 0.6, 0.5],
            f[0],
        )
        m.tube([(5, 0, 13.4), (11, 0, 14.4), (13.6, 0, 12.6), (13.6, 0, 4)], 1.0, f[1])
        m.lathe([(0, 14), (1, 14.2), (0.8, 16), (1.7, 17), (0, 17.6)], f[1], smooth=3)
        m.fact("a thin gooseneck spout", "a handle at the side")


def cutting_board(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("paddle", "block", "round")
    if style == "paddle":
        half: list[Point2] = [(0.001, -15), (8, -15), (8, -15), (11, -12), (11, -12), (11, 8)]
        half += [(11, 8), (7, 13), (3, 16), (2.4, 19), (2.4, 25), (1.6, 27), (0.001, 27.5)]
        m.slab(mirrored(half), 1.8, f[0], bevel=0.4)
        m.slab(circle(0.9), 0.1, "plastic:black", at=(0, 24.4, 1.76), bevel=0)
        m.fact("a handle with a hole")
    elif style == "block":
        m.box((40, 27, 3), (0, 0, 1.5), f[0], bevel=0.5)
        path = [(x, y, 3.0) for x, y in rounded_rect(36, 23, 2)]
        m.tube(
            path,
            0.35,
            "wood:walnut" if f[0] != "wood:walnut" else "wood:ebony",
            closed=True,
            smooth=0,
            sides=8,
        )
        m.fact("a juice groove around the edge")
    else:
        m.cyl(16, 2, f[0], bevel=0.5, sides=96)
        m.fact("a round shape")


def knife(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("chef", "bread", "paring")
    length, tall = {"chef": (20, 4.6), "bread": (22, 3.2), "paring": (9.5, 2.2)}[style]
    top = [(length, tall * 0.12), (length * 0.6, tall * 0.42), (0, tall * 0.5)]
    low = [(0, -tall * 0.5), (length * 0.55, -tall * 0.45), (length * 0.85, -tall * 0.2)]
    if style == "bread":
        low = [(i * length * 0.95 / 30, -tall * (0.5 if i % 2 else 0.42)) for i in range(31)]
        top = [(length, -tall * 0.2), (length * 0.94, tall * 0.4), (0, tall * 0.5)]
    m.slab([*low, *top], 0.22, f[0], at=(0, 0, 0.75), bevel=0.08)
    g = 11.5 if style != "paring" else 9
    handle = [
        (0.4, tall * 0.34),
        (-g * 0.4, 1.3),
        (-g, 1.5),
        (-g - 0.5, -0.8),
        (-g * 0.75, -1.4),
        (-g * 0.3, -1.0),
        (0.4, -tall * 0.38),
    ]
    m.slab([(x, y) for x, y in handle], 1.8, f[1], bevel=0.6)
    for i in range(3):
        m.cyl(0.35, 0.2, "metal:steel", at=(-2 - i * g * 0.33, 0.1, 1.72), bevel=0.05)
    words = {
        "chef": "a broad curved blade",
        "bread": "a long serrated blade",
        "paring": "a short pointed blade",
    }
    m.fact(words[style], "three rivets in the handle")


def cooking_spoon(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("spoon", "spatula", "set")

    def one(kind: str, x: float) -> None:
        m.tube([(x, -16, 0.9), (x, 0, 0.8), (x, 14, 0.9)], [0.9, 0.65, 0.8], f[0])
        if kind == "spoon":
            m.blob((6.2, 9, 1.8), (x, 18, 1), f[0], square=(0.9, 1))
            m.blob((4.6, 7, 0.6), (x, 18, 1.75), f[-1], square=(0.9, 1))
        else:
            with m.frame(at=(x, 18, 0.5)):
                m.slab(
                    [(-1.2, -5), (1.2, -5), (3.1, -1), (3.3, 6), (-2.9, 7), (-3.1, -1)],
                    0.7,
                    f[0],
                    bevel=0.25,
                )

    if style == "set":
        one("spoon", -6)
        one("spatula", 3)
        m.fact("a set of a spoon and a spatula")
    else:
        one(style, 0)
        m.fact("an oval bowl" if style == "spoon" else "a flat slanted blade")
    m.fact("a slim round handle")


def whisk(m: Draft, f: tuple[str, ...]) -> None:
    m.rod((0, -14, 2.6), (0, 0, 2.6), 1.1, f[1], bevel=0.5)
    m.rod((0, -0.5, 2.6), (0, 2.5, 2.6), 0.8, f[0])
    for i in range(6):
        a = math.pi * i / 6
        c, s = math.cos(a) * 3.4, math.sin(a) * 3.4
        loop = [
            (0.1 * c, 2, 2.6 + 0.1 * s),
            (0.55 * c, 8, 2.6 + 0.55 * s),
            (c, 14, 2.6 + s),
            (0.75 * c, 17.6, 2.6 + 0.75 * s),
            (0, 18.8, 2.6),
        ]
        back = [(-x, y, 5.2 - z) for x, y, z in reversed(loop[:-1])]
        m.tube([*loop, *back], 0.13, f[0], sides=8)
    m.fact("a balloon of wire loops", "a straight handle")


def rolling_pin(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("handles", "french")
    with m.frame(turn=(0, 90, 0), at=(-20, 0, 3)):
        if style == "handles":
            m.cyl(3, 26, f[0], at=(0, 0, 7), bevel=0.6)
            for z, s in ((7, -1), (33, 1)):
                with m.frame(at=(0, 0, z), turn=(0, 0 if s > 0 else 180, 0)):
                    m.lathe(
                        [(0.7, 0), (0.8, 0.8), (1.5, 2.5), (1.4, 6), (0.9, 8), (0, 8.6)],
                        f[-1],
                        smooth=5,
                    )
            m.fact("two turned handles")
        else:
            m.lathe(
                [
                    (0, 0),
                    (1.2, 0.2),
                    (1.6, 1),
                    (2.6, 14),
                    (2.7, 20),
                    (2.6, 26),
                    (1.6, 39),
                    (1.2, 39.8),
                    (0, 40),
                ],
                f[0],
                smooth=4,
            )
            m.fact("tapered ends without handles")


def pepper_mill(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("classic", "straight")
    if style == "classic":
        m.lathe(
            [(0, 0), (2.9, 0), (3, 1), (2.2, 3.6), (1.7, 8), (2.3, 11.5), (2.5, 12.5), (0, 12.5)],
            f[0],
            smooth=6,
        )
        m.lathe(
            [(0, 12.7), (2.4, 12.7), (1.7, 14), (2.5, 16.2), (1.4, 18.4), (0, 18.8)],
            f[-1],
            smooth=6,
        )
        m.fact("a waisted body", "a rounded head")
    else:
        m.cyl(2.6, 12, f[0], bevel=0.3)
        m.cyl(2.6, 4.6, f[-1], at=(0, 0, 12.3), bevel=0.5)
        m.fact(
            "a straight cylinder body",
            "a contrasting top" if len(f) > 1 and f[0] != f[-1] else "a plain top",
        )
    m.ball(0.75, (0, 0, 19.2 if style == "classic" else 17.4), "metal:steel")
    m.fact("a small metal knob")


def toaster(m: Draft, f: tuple[str, ...]) -> None:
    m.box((30, 17, 18), (0, 0, 10.5), f[0], bevel=3.4, segments=6)
    m.box((28, 15, 2), (0, 0, 1.2), "plastic:black", bevel=0.5)
    for y in (-3.2, 3.2):
        m.box((22, 2.6, 0.8), (0, y, 19.2), "plastic:black", bevel=0.2)
    m.box((0.6, 1.4, 9), (15, 0, 10.5), "plastic:black", bevel=0.1)
    m.box((2.4, 4.4, 1.6), (16, 0, 14), f[1], bevel=0.5)
    with m.frame(at=(9.4, -8.4, 6), turn=(90, 0, 0)):
        m.cyl(1.7, 1.5, f[1], bevel=0.3)
    m.fact("two slots", "a lever at the side", "a round dial")


def colander(m: Draft, f: tuple[str, ...]) -> None:
    outer = smooth_path([(5.5, 0), (5.2, 1.6), (5.6, 2), (10, 6), (12.4, 11)], 6)
    m.vessel(outer, 0.25, f[0], smooth=0)
    for ring, z in enumerate((4.2, 5.6, 7.0, 8.4)):
        r = next(a for a, b in outer if b >= z)
        for i in range(24):
            a = 2 * math.pi * (i + 0.5 * (ring % 2)) / 24
            m.ball(0.46, ((r - 0.32) * math.cos(a), (r - 0.32) * math.sin(a), z), "plastic:black")
    for s in (-1, 1):
        m.tube(
            [(s * 12, -4, 10.4), (s * 15.2, -3, 10.8), (s * 15.2, 3, 10.8), (s * 12, 4, 10.4)],
            0.45,
            f[-1],
        )
    m.fact("rows of holes", "two looped handles", "a round foot")


def cutlery(m: Draft, f: tuple[str, ...]) -> None:
    def stem(x: float) -> None:
        m.tube(
            [(x, -11, 0.5), (x, -6, 0.5), (x, 0, 0.7), (x, 4, 0.6)],
            [0.85, 0.7, 0.42, 0.42],
            f[-1],
            flat=(1.0, 0.42),
            up=(0, 0, 1),
        )

    for x in (-4.5, 0, 4.5):
        stem(x)
    m.slab(
        [
            (-0.45 - 4.5, 3.6),
            (0.45 - 4.5, 3.6),
            (1.25 - 4.5, 6.2),
            (1.25 - 4.5, 8),
            (-1.25 - 4.5, 8),
            (-1.25 - 4.5, 6.2),
        ],
        0.3,
        f[0],
        at=(0, 0, 0.5),
        bevel=0.1,
    )
    for i in range(4):
        m.rod(
            (-4.5 + (i - 1.5) * 0.72, 7.6, 0.65),
            (-4.5 + (i - 1.5) * 0.68, 12, 0.75),
            0.2,
            f[0],
            end_radius=0.12,
        )
    m.slab(
        [(-0.5, 3.4), (0.9, 3.6), (1.1, 9), (0.5, 12.2), (-0.5, 12.4)],
        0.25,
        f[0],
        at=(0, 0, 0.5),
        bevel=0.08,
    )
    m.blob((3.2, 5.6, 1.0), (4.5, 7, 0.8), f[0], square=(0.9, 1))
    m.fact("a fork, a knife and a spoon", "long plain handles")
