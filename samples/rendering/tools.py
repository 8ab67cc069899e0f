"""Hand tools and garden tools."""

from __future__ import annotations

import math

from .curves import arc, circle, mirrored
from .kind import Draft


def hammer(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("claw", "mallet")
    if style == "mallet":
        m.tube([(0, -22, 3), (0, -10, 3), (0, 8, 3)], [1.5, 1.3, 1.5], f[1], flat=(1, 0.85))
        m.box((12, 7.5, 6.4), (0, 9, 3.2), f[0], bevel=0.7)
        m.fact("a broad square head", "a thick handle")
        return
    m.tube(
        [(0, -22, 2), (0, -17, 2), (0, -8, 2), (0, 8, 2)],
        [1.6, 1.65, 1.25, 1.15],
        f[1],
        flat=(1, 0.8),
    )
    m.box((4.2, 3, 3), (0, 9, 2), f[0], bevel=0.4)
    m.rod((2, 9, 2), (5.5, 9, 2), 1.1, f[0])
    m.rod((5.2, 9, 2), (7.4, 9, 2), 1.6, f[0])
    for z in (0.9, 3.1):
        m.tube(
            [(-1.5, 9, 2), (-4, 9.2, (z + 2) / 2), (-6.5, 8.2, z), (-8.4, 6.2, z)],
            [1.2, 1.0, 0.7, 0.3],
            f[0],
        )
    m.fact("a curved claw", "a round striking face")


def screwdriver(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("single", "set")
    tints = (
        [f[1]] * 3
        if style == "single"
        else [f[1], "plastic:blue" if f[1] != "plastic:blue" else "plastic:red", "plastic:black"]
    )
    for i in range(1 if style == "single" else 3):
        length = 12 - i * 2.6
        with m.frame(at=(i * 5.4, 0, 1.6), turn=(-90, 0, 0)):
            m.lathe(
                [
                    (0, -12),
                    (1.2, -11.8),
                    (1.55, -10),
                    (1.5, -4),
                    (1.0, -1.8),
                    (1.15, -0.6),
                    (0.9, 0),
                    (0, 0),
                ],
                tints[i],
                smooth=4,
                flutes=(6, 0.12),
            )
            m.cyl(0.38, length, f[0], at=(0, 0, -0.3), bevel=0.05)
            m.box((0.85, 0.22, 1.2), (0, 0, length + 0.1), f[0], bevel=0.05)
    m.fact(
        "a set of three" if style == "set" else "a single flat blade",
        "fluted handles" if style == "set" else "a fluted handle",
    )


def wrench(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("combination", "pair")
    for i in range(1 if style == "combination" else 2):
        with m.frame(at=(i * 5.6, -i * 1.2, 0), scale=1 - 0.2 * i):
            half = [(0.001, -8.4), (0.6, -8.4), (0.75, 0), (0.8, 7.6)]
            jaw = [
                (1.9, 8.6),
                (2.4, 10.4),
                (2.0, 12.4),
                (1.2, 13),
                (1.05, 12.6),
                (1.05, 10.4),
                (0.001, 9.8),
            ]
            m.slab(mirrored([*half, *jaw], 0), 0.75, f[0], bevel=0.2)
            m.tube(
                arc((0, -9.8, 0.45), 1.35, 0, 360, 30, "xy")[:-1], 0.55, f[0], closed=True, smooth=1
            )
    m.fact("an open jaw and a ring end" if style == "combination" else "two sizes")


def saw(m: Draft, f: tuple[str, ...]) -> None:
    teeth = [(i * 34 / 48, 0 if i % 2 else 0.55) for i in range(49)]
    m.slab([*teeth, (34, 4.5), (0, 11)], 0.16, f[0], at=(0, 0, 1), bevel=0)
    with m.frame(at=(-4.4, 5.4, 0.1)):
        ring = [
            (4.4, 5, 1),
            (0, 6.4, 1),
            (-4.4, 4.6, 1),
            (-5, -0.6, 1),
            (-4.6, -5.2, 1),
            (0, -5.6, 1),
            (4.4, -4.6, 1),
        ]
        m.tube(ring, 1.25, f[1], closed=True, flat=(1, 0.8))
        m.box((3.4, 10.6, 1.9), (4.4, 0.2, 1), f[1], bevel=0.5)
    m.fact("a row of sharp teeth", "a closed handle")


def toolbox(m: Draft, f: tuple[str, ...]) -> None:
    m.box((42, 20, 15), (0, 0, 7.5), f[0], bevel=1)
    m.box((43, 21, 4.6), (0, 0, 17), f[0], bevel=1)
    m.tube([(-10, 0, 19), (-9.4, 0, 23.4), (9.4, 0, 23.4), (10, 0, 19)], 1, f[1])
    for x in (-13, 13):
        m.box((3.4, 1, 5), (x, -10.6, 14.4), f[1], bevel=0.3)
    m.fact("a carrying handle", "two latches")


def tape_measure(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(at=(0, 2, 4), turn=(90, 0, 0)):
        m.slab(
            [
                (-3.6, -4),
                (3.6, -4),
                *[
                    (3.8 * math.cos(math.radians(a)), 3.8 * math.sin(math.radians(a)))
                    for a in range(0, 181, 12)
                ],
            ],
            4,
            f[0],
            bevel=0.6,
        )
        m.slab(circle(2.4), 0.2, f[1], at=(0, 0, 3.95), bevel=0.05)
    m.box((9, 1.9, 0.08), (7.6, 0, 0.6), "plastic:yellow", bevel=0)
    for i in range(16):
        m.box(
            (0.08, 1.0 if i % 4 else 1.7, 0.04), (4.2 + i * 0.5, 0, 0.66), "plastic:black", bevel=0
        )
    m.box((0.15, 2, 1.5), (12.1, 0, 0.3), "metal:steel", bevel=0.03)
    m.fact("a yellow tape pulled out", "a hook at the end")


def watering_can(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("garden", "indoor")
    if style == "garden":
        m.vessel([(9, 0), (9, 0), (9.4, 0.8), (9, 18)], 0.3, f[0], smooth=3)
        m.tube([(-8.6, 0, 3), (-14, 0, 8), (-24, 0, 20)], [1.7, 1.2, 1.0], f[0])
        with m.frame(at=(-24, 0, 20), turn=(0, -50, 0)):
            m.lathe([(0.9, 0), (3.4, 3), (3.4, 3.5), (0, 4.1)], f[0])
        m.tube(
            [(8.8, 0, 3.4), (15, 0, 8), (14, 0, 18), (6, 0, 23.5), (-3, 0, 22), (-8.6, 0, 17.4)],
            0.8,
            f[-1],
        )
        m.fact("a sprinkling rose", "one large curved handle")
    else:
        m.lathe(
            [(0, 0), (7, 0), (7.8, 1.4), (5, 11), (2.4, 15), (2.6, 17), (2.2, 17), (0, 15.6)],
            f[0],
            smooth=6,
        )
        m.tube(
            [(-6.2, 0, 3.4), (-11, 0, 7), (-15, 0, 16), (-20, 0, 20)], [1, 0.7, 0.55, 0.45], f[0]
        )
        m.tube([(2.2, 0, 16.4), (10, 0, 17.6), (12, 0, 10), (6.8, 0, 3.6)], 0.6, f[-1])
        m.fact("a long thin spout", "a slim looped handle")


def garden_tool(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("trowel", "fork")
    m.tube([(0, -15, 1.6), (0, -9, 1.6), (0, -2, 1.6)], [1.4, 1.55, 1.1], f[1])
    m.tube([(0, -2.5, 1.6), (0, 1.6, 2.2), (0, 4.6, 1.0)], 0.55, f[0])
    if style == "trowel":
        half = [(0.001, 3), (2.6, 3.6), (3.6, 6), (3.4, 11), (1.6, 16), (0.001, 18)]
        m.slab(mirrored(half), 0.3, f[0], at=(0, 0, 0.7), bevel=0.1)
        m.fact("a pointed scoop")
    else:
        m.box((6.4, 1.2, 0.9), (0, 5, 1), f[0], bevel=0.3)
        for x in (-2.7, 0, 2.7):
            m.tube([(x, 5, 1), (x, 12, 1.4), (x, 17, 0.5)], [0.5, 0.42, 0.2], f[0])
        m.fact("three prongs")
    m.fact("a turned handle")


def bucket(m: Draft, f: tuple[str, ...]) -> None:
    m.vessel([(10, 0), (10, 0), (10.4, 0.8), (14, 25)], 0.3, f[0], smooth=3)
    m.tube(arc((0, 0, 25.2), 14.1, 0, 358, 60, "xy"), 0.6, f[0], closed=True, smooth=1)
    m.tube(
        [
            (-14.2, 0, 23),
            (-13.4, -7, 29),
            (-8, -13, 33),
            (0, -15, 35),
            (8, -13, 33),
            (13.4, -7, 29),
            (14.2, 0, 23),
        ],
        0.35,
        f[1],
    )
    m.rod((-4.5, -15, 34.9), (4.5, -15, 34.9), 1.0, f[2] if len(f) > 2 else f[1], bevel=0.3)
    m.fact("a wire handle with a grip", "a rolled rim")
