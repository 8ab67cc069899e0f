"""Musical instruments."""

from __future__ import annotations

import math

from .curves import arc, circle, mirrored, spline_outline
from .kind import Draft


def guitar(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("acoustic", "ukulele", "electric")
    k = 0.62 if style == "ukulele" else 1.0
    with m.frame(turn=(80, 0, 0), at=(0, 0, 0)), m.frame(scale=k):
        if style == "electric":
            body = [
                (0, 0),
                (11, 1),
                (16.5, 8),
                (14, 17),
                (12.6, 23),
                (16, 31),
                (15, 36),
                (11, 35),
                (5, 29),
                (-5, 29),
                (-9, 33),
                (-13.6, 32),
                (-14.6, 27),
                (-12.6, 21),
                (-14.5, 15),
                (-17, 8),
                (-11, 1),
            ]
            m.slab(spline_outline(body, 5), 4.2, f[0], bevel=0.9, segments=4)
            m.slab(
                spline_outline(
                    [(0, 6), (10, 5), (11, 14), (7, 24), (-6, 26), (-8, 14), (-6, 7)], 5
                ),
                0.3,
                f[2],
                at=(0, 0, 4.15),
                bevel=0.1,
            )
            for y in (10, 15, 21):
                m.box((7, 1.6, 0.8), (0, y, 4.7), "plastic:black", bevel=0.3)
            for knob in ((9.6, 5, 4.2), (7, 2.6, 4.2)):
                m.cyl(0.9, 1.2, "metal:chrome", at=knob)
            top, z = 4.2, 27.0
            m.fact("a double-cut solid body", "three pickups")
        else:
            half = [
                (0.001, 0),
                (11, 1),
                (18, 8),
                (19.4, 16),
                (15.4, 25),
                (12.4, 31),
                (13.6, 38),
                (12.8, 44),
                (7.6, 48.4),
                (0.001, 49),
            ]
            m.slab(mirrored(half), 9, f[0], bevel=0.5)
            rim = [(x, y, 9.0) for x, y in mirrored(half)]
            m.tube(rim, 0.4, f[1], closed=True, smooth=0, sides=8)
            m.slab(circle(4.9), 0.05, "plastic:black", at=(0, 31, 9), bevel=0)
            m.tube(
                [(x, y + 31, 9.0) for x, y in circle(5.4)],
                0.3,
                f[1],
                closed=True,
                smooth=0,
                sides=8,
            )
            m.box((15, 2.4, 1), (0, 13, 9.4), f[1], bevel=0.3)
            top, z = 9.0, 46.0
            m.fact("a round sound hole", "a rounded waisted body")
        neck_end = z + 36
        m.box(
            (5.4, neck_end - z + 8, 2.4),
            (0, (neck_end + z) / 2 - 3, top - 0.4),
            "wood:mahogany",
            bevel=0.5,
        )
        m.box(
            (5.2, neck_end - z + 12, 0.6),
            (0, (neck_end + z) / 2 - 6, top + 0.9),
            "wood:ebony",
            bevel=0.1,
        )
        for i in range(14):
            m.box(
                (5.2, 0.25, 0.3),
                (0, neck_end - 2 - 40 * (1 - 0.944**i), top + 1.25),
                "metal:steel",
                bevel=0,
            )
        m.slab(
            [(-2.6, 0), (2.6, 0), (3.8, 14), (-3.8, 14)],
            1.6,
            "wood:mahogany",
            at=(0, neck_end, top - 0.6),
            bevel=0.3,
        )
        pegs = 2 if style == "ukulele" else 3
        for i in range(pegs):
            for s in (-1, 1):
                peg = neck_end + 3 + i * 4.4
                m.rod((s * 3, peg, top + 0.2), (s * 5.6, peg, top + 0.2), 0.4, "metal:chrome")
                m.ball(1.0, (s * 5.9, peg, top + 0.2), "metal:chrome")
        strings = 2 * pegs
        bottom = 13 if style != "electric" else 7
        for i in range(strings):
            x = (i - (strings - 1) / 2) * 3.9 / (strings - 1)
            m.rod((x * 1.3, bottom, top + 1.4), (x, neck_end + 2, top + 1.6), 0.09, "metal:steel")
        m.fact(f"{'four' if strings == 4 else 'six'} strings")


def drum(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("snare", "hand")
    if style == "snare":
        m.cyl(17, 15, f[0], bevel=0.2, sides=80)
        for z in (0.6, 14.4):
            m.tube(
                arc((0, 0, z), 17.4, 0, 355, 71, "xy"),
                0.8,
                "metal:chrome",
                closed=True,
                smooth=1,
                sides=10,
            )
        m.cyl(16.6, 0.4, "plastic:cream", at=(0, 0, 14.9), bevel=0.1, sides=80)
        for i in range(8):
            a = math.radians(45 * i + 20)
            x, y = 17.9 * math.cos(a), 17.9 * math.sin(a)
            m.rod((x, y, 1), (x, y, 14), 0.3, "metal:chrome")
            m.rod((x, y, 5), (x, y, 10), 0.7, "metal:chrome")
        for s in (-1, 1):
            m.rod(
                (-14 + s * 3, -10 * s, 15.9), (20, 7 * s, 16.2), 0.7, "wood:beech", end_radius=0.4
            )
        m.fact("two drumsticks on top", "chromed rims and rods")
    else:
        m.lathe([(0, 0), (9, 0), (10, 2), (8.4, 14), (12, 40), (14, 52), (0, 52)], f[0], smooth=6)
        m.cyl(13.6, 0.8, "leather:cream", at=(0, 0, 51.6), bevel=0.3)
        for z, r in ((49, 14.0), (44, 12.9), (4, 9.8)):
            m.tube(
                arc((0, 0, z), r, 0, 355, 71, "xy"),
                0.55,
                "metal:steel",
                closed=True,
                smooth=1,
                sides=10,
            )
        m.fact("a tall goblet shape", "a stretched skin on top")


def xylophone(m: Draft, f: tuple[str, ...]) -> None:
    rainbow = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
    for s in (-1, 1):
        m.rod((-17, s * 6.4, 1.4), (17, s * 3.6, 1.4), 1.3, f[0])
    for i in range(8):
        length = 19 - i * 1.4
        material = f"lacquer:{rainbow[i]}" if f[1].startswith("lacquer") else f[1]
        m.box((3.4, length, 0.9), ((i - 3.5) * 4.2, 0, 3.2), material, bevel=0.3)
        for s in (-1, 1):
            m.ball(0.4, ((i - 3.5) * 4.2, s * (length / 2 - 2), 3.7), "metal:steel")
    m.rod((-10, -14, 1.0), (11, -12, 1.0), 0.4, "wood:beech")
    m.ball(1.3, (11.5, -12, 1.3), f[0] if f[0].startswith("lacquer") else "lacquer:red")
    m.fact("eight bars from long to short", "a mallet")


def maracas(m: Draft, f: tuple[str, ...]) -> None:
    for x, turn in ((-5, 13), (5.4, -15)):
        with m.frame(at=(x, 0, 3.4), turn=(-90, 0, turn)):
            m.lathe(
                [
                    (0, 0),
                    (0.9, 0.2),
                    (1.1, 1),
                    (0.8, 3),
                    (0.8, 9),
                    (1.3, 11),
                    (3.2, 14),
                    (3.6, 17),
                    (2.4, 20.5),
                    (0, 21.4),
                ],
                f[0],
                smooth=6,
            )
            for z, r in ((15.4, 3.55), (17.4, 3.62)):
                m.tube(
                    arc((0, 0, z), r, 0, 350, 35, "xy"), 0.16, f[1], closed=True, smooth=1, sides=8
                )
    m.fact("a pair with oval heads", "painted rings")


def flute(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(turn=(0, 90, 0), at=(-16, 0, 1.4)):
        m.lathe(
            [
                (0, 0),
                (1.1, 0),
                (1.3, 0.6),
                (1.2, 2),
                (1.0, 5),
                (1.35, 7),
                (1.35, 9),
                (1.15, 9.6),
                (1.0, 24),
                (1.3, 26),
                (1.3, 30),
                (1.0, 32),
                (0, 32),
            ],
            f[0],
            smooth=4,
        )
    for i in range(7):
        m.cyl(0.36, 0.1, "plastic:black", at=(-3 + i * 2.1, 0, 2.42), bevel=0.02)
    m.box((1.6, 1.0, 0.1), (-11, 0, 2.4), "plastic:black", bevel=0.02)
    m.fact("seven finger holes", "a shaped mouthpiece")
