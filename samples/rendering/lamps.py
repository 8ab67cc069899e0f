"""Lamps and lanterns."""

from __future__ import annotations

import math

from .curves import arc
from .kind import Draft


def _shade(m: Draft, f: str, z: float, low: float, high: float, tall: float) -> None:
    m.lathe(
        [(low, z), (high, z + tall), (high - 0.3, z + tall), (low - 0.3, z), (low, z)], f, sides=72
    )
    m.ball(min(3.2, low * 0.3), (0, 0, z + tall * 0.4), "glow:warm")


def table_lamp(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("gourd", "column", "ball", "mushroom")
    if style == "mushroom":
        m.lathe(
            [(0, 0), (9, 0), (9.2, 0.8), (3.2, 3), (2.6, 18), (3.4, 24), (0, 24)], f[0], smooth=6
        )
        m.lathe(
            [
                (16, 22),
                (15, 28),
                (9, 33),
                (0, 34.5),
                (0, 34),
                (9, 32.4),
                (14.6, 27.6),
                (15.6, 22),
                (16, 22),
            ],
            f[0],
            smooth=4,
        )
        m.ball(3, (0, 0, 25.5), "glow:warm")
        m.fact("a domed mushroom shade", "a slim trumpet foot")
        return
    if style == "gourd":
        m.lathe(
            [(0, 0), (7, 0), (9.5, 5), (9, 11), (4.2, 17), (4.8, 21), (2, 25), (0, 25)],
            f[0],
            smooth=8,
        )
        m.fact("a double-curved base")
    elif style == "column":
        m.cyl(9, 2, f[0], bevel=0.4)
        m.cyl(1.2, 26, f[0], at=(0, 0, 2))
        m.fact("a slender straight stem", "a flat round foot")
    else:
        m.cyl(5.5, 1.6, f[0], bevel=0.4)
        m.ball(9.5, (0, 0, 10.4), f[0])
        m.cyl(1.6, 5, f[0], at=(0, 0, 19))
        m.fact("a base shaped like a ball")
    m.cyl(0.6, 10, "metal:brass", at=(0, 0, 23))
    straight = m.pick("cone", "drum")
    _shade(m, f[1], 27, 14.5, 9 if straight == "cone" else 13.5, 17)
    m.fact("a conical shade" if straight == "cone" else "a drum shade")


def floor_lamp(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("tripod", "arc", "pole")
    if style == "tripod":
        for i in range(3):
            a = math.radians(30 + 120 * i)
            m.rod(
                (32 * math.cos(a), 32 * math.sin(a), 0),
                (3 * math.cos(a), 3 * math.sin(a), 112),
                1.5,
                f[0],
            )
        m.cyl(4, 4, f[0], at=(0, 0, 110))
        _shade(m, f[1], 114, 24, 19, 32)
        m.fact("three long legs", "a wide drum shade")
    elif style == "arc":
        m.cyl(16, 4, f[0], at=(-45, 0, 0), bevel=0.6)
        m.tube(
            [(-45, 0, 3), (-44, 0, 90), (-26, 0, 150), (18, 0, 164), (46, 0, 138)],
            1.2,
            f[0],
            smooth=14,
        )
        m.lathe(
            [
                (17, 0),
                (15, 9),
                (6, 15),
                (1.5, 17),
                (0, 17),
                (0, 16),
                (6, 14),
                (14.4, 8.6),
                (16.4, 0),
                (17, 0),
            ],
            f[-1],
            at=(46, 0, 122),
            smooth=3,
        )
        m.ball(4, (46, 0, 129), "glow:warm")
        m.fact("a wide arched pole", "a round heavy foot")
    else:
        m.cyl(15, 2.4, f[0], bevel=0.5)
        m.cyl(1.1, 138, f[0], at=(0, 0, 2))
        _shade(m, f[1], 122, 21, 15, 28)
        m.fact("a straight pole", "a tapered shade", "a round flat foot")


def pendant(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("bell", "cone", "globe")
    m.cyl(0.25, 40, "plastic:black", at=(0, 0, 24))
    m.cyl(5, 2.4, f[-1], at=(0, 0, 63), bevel=0.5)
    m.cyl(1.9, 5, f[-1], at=(0, 0, 21.5), bevel=0.4)
    if style == "globe":
        m.ball(12, (0, 0, 10.5), f[0])
        m.fact("a perfect globe")
    else:
        out = (
            [(17, 0), (16, 6), (9, 15), (3.4, 21), (0, 22)]
            if style == "bell"
            else [(17, 0), (17, 0), (3, 19), (3, 22), (0, 22)]
        )
        m.lathe(
            [*out, *[(max(r - 0.5, 0), max(z - 0.5, 0)) for r, z in reversed(out)], (17, 0)],
            f[0],
            smooth=6 if style == "bell" else 0,
        )
        m.ball(4, (0, 0, 5), "glow:warm")
        m.fact("a bell-shaped shade" if style == "bell" else "a conical shade")
    m.fact("a black cord", "a round ceiling cap")


def desk_lamp(m: Draft, f: tuple[str, ...]) -> None:
    m.cyl(9, 2.2, f[0], at=(-10, 0, 0), bevel=0.5)
    joint, head = (-18.0, 0.0, 26.0), (6.0, 0.0, 43.0)
    for y in (-0.9, 0.9):
        m.rod((-10, y, 2), (joint[0], y, joint[2]), 0.5, f[-1])
        m.rod((joint[0], y, joint[2]), (head[0], y, head[2]), 0.5, f[-1])
    for p in (joint, head, (-10, 0, 2.6)):
        m.rod((p[0], -1.8, p[2]), (p[0], 1.8, p[2]), 1.2, f[-1])
    with m.frame(at=(9, 0, 40), turn=(0, -28, 0)):
        m.lathe(
            [
                (9, -9),
                (8, -4),
                (4, 1),
                (3, 3),
                (3, 6),
                (0, 6.4),
                (0, 5),
                (2.6, 2),
                (7.6, -4.2),
                (8.7, -9),
                (9, -9),
            ],
            f[0],
            smooth=3,
        )
        m.ball(3, (0, 0, -4.2), "glow:warm")
    m.fact("a jointed double arm", "a tilting bell head", "a round base")


def lantern(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("square", "round")
    if style == "square":
        for x in (-8, 8):
            for y in (-8, 8):
                m.box((1.3, 1.3, 24), (x, y, 14), f[0], bevel=0.15)
        for z in (1, 26.5):
            m.box((18.5, 18.5, 2), (0, 0, z), f[0], bevel=0.3)
        m.box((15, 15, 7), (0, 0, 31), f[0], bevel=0.4, turn=(180, 0, 0), taper=0.4)
        for i in range(4):
            with m.frame(turn=(0, 0, 90 * i)):
                m.box((15, 0.3, 23.5), (0, 7.8, 14), "glass:clear", bevel=0)
        top, ring = 34.0, 2.6
    else:
        m.cyl(8.5, 3, f[0], bevel=0.6)
        m.vessel([(7.2, 3), (7.8, 10), (6.2, 22)], 0.25, "glass:clear", smooth=6)
        m.lathe(
            [(6.6, 22), (8.4, 23), (5, 27), (2.4, 29), (2.2, 31), (0, 31.5), (0, 22)],
            f[0],
            smooth=3,
        )
        for s in (-1, 1):
            m.rod((s * 8.6, 0, 2.5), (s * 7.6, 0, 23), 0.4, f[0])
        top, ring = 30.4, 1.9
    m.cyl(3, 9, "wax:cream", at=(0, 0, 3), bevel=0.4)
    m.tube(arc((0, 0, top), ring, 0, 180, 16, "xz"), 0.4, f[0], smooth=1)
    m.fact(
        "a carrying ring on top",
        "a candle inside",
        "clear panes" if style == "square" else "a glass chimney",
    )
