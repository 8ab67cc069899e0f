"""Toys, and a few oddities."""

from __future__ import annotations

import math

from .curves import arc
from .kind import Draft


def _wheel(m: Draft, x: float, y: float, r: float, tyre: str, hub: str, width: float = 1.6) -> None:
    with m.frame(at=(x, y, r), turn=(90, 0, 0)):
        m.cyl(r, width, tyre, at=(0, 0, -width / 2), bevel=0.3)
        m.cyl(r * 0.5, width + 0.3, hub, at=(0, 0, -width / 2 - 0.15), bevel=0.15)


def toy_car(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("beetle", "truck", "racer")
    if style == "beetle":
        m.slab(
            [
                (-8, 0),
                (8, 0),
                (8.3, 2),
                (6.6, 3.2),
                (3.4, 3.8),
                (1.6, 6.6),
                (-3.6, 6.8),
                (-6.4, 4.2),
                (-8.4, 3),
            ],
            7,
            f[0],
            at=(0, 3.5, 1.7),
            turn=(90, 0, 0),
            bevel=0.8,
            segments=4,
        )
        for y in (-3.56, 3.56):
            with m.frame(at=(0, y, 0)):
                m.slab(
                    [(-4.4, 6), (-0.8, 6), (-0.8, 7.9), (-3.3, 7.8)],
                    0.1,
                    "plastic:charcoal",
                    at=(0, 0.05, 0),
                    turn=(90, 0, 0),
                    bevel=0,
                )
                m.slab(
                    [(-0.2, 6), (2.4, 6), (1.3, 7.9), (-0.2, 7.9)],
                    0.1,
                    "plastic:charcoal",
                    at=(0, 0.05, 0),
                    turn=(90, 0, 0),
                    bevel=0,
                )
        m.fact("rounded lines", "dark windows")
        axles = (-4.8, 4.8)
    elif style == "truck":
        m.box((5.6, 7, 7), (5.4, 0, 6), f[0], bevel=0.8)
        m.box((1, 5.6, 2.6), (8, 0, 7.4), "plastic:charcoal", bevel=0.2)
        m.box((17, 6.4, 1.4), (-0.5, 0, 2.4), f[1], bevel=0.3)
        for y in (-3.1, 3.1):
            m.box((10.6, 0.6, 3.4), (-3.6, y, 4.8), f[1], bevel=0.2)
        for x in (-8.7, 1.6):
            m.box((0.6, 6.6, 3.4), (x, 0, 4.8), f[1], bevel=0.2)
        m.fact("a square cab", "an open cargo bed")
        axles = (-5.2, 5.2)
    else:
        m.blob((20, 5.4, 4.4), (0, 0, 3.4), f[0], square=(0.9, 0.8))
        m.ball(1.6, (-0.6, 0, 5.4), f[1])
        m.box((1.2, 8, 1.8), (-8.6, 0, 5.4), f[0], bevel=0.3)
        for y in (-2, 2):
            m.rod((-8.6, y, 3.4), (-8.6, y, 5), 0.35, f[0])
        m.box((1.6, 8.6, 0.5), (8.8, 0, 2.2), f[0], bevel=0.2)
        m.fact("a long streamlined body", "a driver with a round head", "a rear wing")
        axles = (-6, 5.6)
    for x in axles:
        for y in (-4, 4):
            _wheel(
                m,
                x,
                y,
                2.1,
                "rubber:black" if style != "truck" else f[1],
                "plastic:white" if style != "truck" else f[0],
            )
    m.fact("four wheels")


def train(m: Draft, f: tuple[str, ...]) -> None:
    m.box((16, 6, 1.4), (0, 0, 2.6), f[1], bevel=0.3)
    m.rod((-1, 0, 6), (7.6, 0, 6), 2.8, f[0], bevel=0.5)
    m.box((5.4, 6, 7.4), (-4.6, 0, 6.6), f[0], bevel=0.5)
    m.box((6.6, 7, 1), (-4.6, 0, 10.6), f[1], bevel=0.4)
    m.cyl(0.9, 3, f[1], at=(5, 0, 8.4), top=1.5)
    m.ball(1.1, (1.6, 0, 8.8), "lacquer:yellow")
    for y in (-3.05, 3.05):
        m.box((2.6, 0.2, 2.4), (-4.6, y, 7.6), "plastic:charcoal", bevel=0.05)
    for x in (-5, 0, 5):
        for y in (-3.4, 3.4):
            _wheel(m, x, y, 2, f[1], "lacquer:yellow", 1)
    wagon = m.style("wagon", "solo")
    if wagon == "wagon":
        m.rod((-8, 0, 2.6), (-11, 0, 2.6), 0.4, "metal:steel")
        m.box((10, 6, 1.4), (-16, 0, 2.6), f[1], bevel=0.3)
        m.box((9.4, 5.6, 4), (-16, 0, 5.2), f[0], bevel=0.4)
        for axle in (-18.6, -13.4):
            for y in (-3.4, 3.4):
                _wheel(m, axle, y, 1.7, f[1], "lacquer:yellow", 1)
        m.fact("a wagon hitched behind")
    m.fact("a round boiler with a chimney", "a driver's cab", "six engine wheels")


def stacking_rings(m: Draft, f: tuple[str, ...]) -> None:
    palettes = {
        "lacquer": ("red", "orange", "yellow", "green", "blue"),
        "wood": ("walnut", "cherry", "oak", "beech", "birch"),
        "paint": ("burgundy", "coral", "pink", "cream", "sage"),
    }
    family = f[0].split(":")[0]
    m.cyl(7, 1.6, "wood:beech", bevel=0.4)
    m.cyl(1.1, 15, "wood:beech", at=(0, 0, 1))
    z = 1.6
    for i, c in enumerate(palettes[family]):
        r = 6.4 - i * 0.85
        tall = 1.35
        m.tube(
            arc((0, 0, z + tall), r - tall, 0, 352, 44, "xy"),
            tall,
            f"{family}:{c}",
            closed=True,
            smooth=1,
            sides=20,
        )
        z += 2 * tall - 0.1
    m.ball(1.9, (0, 0, z + 1.4), f"{family}:{palettes[family][0]}")
    m.fact("five rings from wide to narrow", "a peg with a ball on top")


def blocks(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("tower", "castle")
    family = f[0].split(":")[0]
    tones = (
        ("red", "yellow", "blue", "green", "orange")
        if family == "lacquer"
        else ("coral", "mint", "lilac", "cream", "sky blue")
    )
    if family == "wood":
        tones = ("beech", "walnut", "oak", "birch", "cherry")
    c = [f"{family}:{t}" for t in tones]
    s = 4.0
    if style == "tower":
        for i, (x, turn) in enumerate(((0, 8), (0.3, -9), (-0.2, 14), (0.2, -4))):
            m.box((s, s, s), (x, 0, s / 2 + i * s), c[i], bevel=0.3, turn=(0, 0, turn))
        m.box((s, s, s), (6, -2.4, s / 2), c[4], bevel=0.3, turn=(0, 0, 30))
        m.slab(
            [(-3, 0), (3, 0), (0, 3.4)], s, c[4], at=(0.2, 2, 4 * s), turn=(90, 0, 0), bevel=0.25
        )
        m.fact("a tower of four cubes with a roof")
    else:
        for x in (-5.2, 5.2):
            m.cyl(2, 9, c[0], at=(x, 0, 0), bevel=0.25)
            m.cyl(2.5, 4.4, c[1], at=(x, 0, 9), top=0.2, bevel=0.1)
        m.box((s, s, s), (-2.0, 0, s / 2), c[2], bevel=0.3)
        m.box((s, s, s), (2.1, 0, s / 2), c[3], bevel=0.3)
        m.slab(
            [
                *(
                    (3.9 * math.cos(math.radians(a)), 3.9 * math.sin(math.radians(a)))
                    for a in range(0, 181, 10)
                ),
                *(
                    (1.6 * math.cos(math.radians(a)), 1.6 * math.sin(math.radians(a)))
                    for a in range(180, -1, -10)
                ),
            ],
            s,
            c[4],
            at=(0, 2, s),
            turn=(90, 0, 0),
            bevel=0.2,
        )
        m.fact("two round towers with pointed roofs", "an arch between them")
    m.fact("blocks in five tones")


PIPS = {
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (1, 1), (-1, 1), (1, -1)),
    5: ((-1, -1), (1, 1), (-1, 1), (1, -1), (0, 0)),
    6: ((-1, -1), (1, 1), (-1, 1), (1, -1), (-1, 0), (1, 0)),
}


def _die(m: Draft, body: str, dots: str, s: float) -> None:
    m.box((s, s, s), (0, 0, s / 2), body, bevel=s * 0.12, segments=5)
    faces = (
        (1, (0, 0, 0)),
        (6, (180, 0, 0)),
        (2, (90, 0, 0)),
        (5, (-90, 0, 0)),
        (3, (0, 90, 0)),
        (4, (0, -90, 0)),
    )
    for value, turn in faces:
        with m.frame(at=(0, 0, s / 2), turn=turn):
            for x, y in PIPS[value]:
                m.blob(
                    (s * 0.19, s * 0.19, s * 0.03),
                    (x * s * 0.25, y * s * 0.25, s / 2),
                    dots,
                    square=(1, 1),
                )


def dice(m: Draft, f: tuple[str, ...]) -> None:
    _die(m, f[0], f[1], 1.6)
    with (
        m.frame(at=(2.4, -0.7, 0), turn=(0, 0, 33)),
        m.frame(at=(0, 0, 0.8), turn=(90, 0, 0)),
        m.frame(at=(0, 0, -0.8)),
    ):
        _die(m, f[0], f[1], 1.6)
    m.fact("a pair with round pips", "rounded corners")


def giant_die(m: Draft, f: tuple[str, ...]) -> None:
    _die(m, f[0], f[1], 45)
    m.fact("round pips as big as saucers", "soft rounded corners")


def rubber_duck(m: Draft, f: tuple[str, ...]) -> None:
    m.blob((9.4, 7.6, 6), (0, 0, 3), f[0], square=(0.9, 1))
    m.tube([(3.2, 0, 3.6), (4.6, 0, 5), (5.6, 0, 6.6)], [2.2, 1.3, 0.3], f[0])
    m.ball(2.75, (-2.2, 0, 7.2), f[0])
    m.blob((2.6, 3, 0.9), (-5.2, 0, 6.7), "plastic:orange", square=(0.9, 1))
    m.blob((2.1, 2.4, 0.7), (-4.9, 0, 6.3), "plastic:orange", square=(0.9, 1))
    for y in (-1, 1):
        m.blob((0.5, 0.7, 0.9), (-4.25, y * 1.35, 8.1), "plastic:black", square=(1, 1))
        m.blob((4.6, 1.4, 3), (0.8, y * 3.5, 3.8), f[0], square=(1, 1), turn=(0, -14, 0))
    m.fact("an orange beak", "two small wings", "an upturned tail")


def spinning_top(m: Draft, f: tuple[str, ...]) -> None:
    with m.frame(turn=(14, 0, 0)):
        m.lathe(
            [
                (0, 0),
                (0.5, 0.5),
                (3.4, 3),
                (4, 4),
                (3.4, 5),
                (0.8, 5.8),
                (0.5, 6.2),
                (0.5, 9),
                (0, 9.2),
            ],
            f[0],
            smooth=4,
        )
        for r, z, c in ((3.98, 4.0, f[1]), (2.4, 5.42, f[1])):
            m.tube(
                arc((0, 0, z), r - 0.1, 0, 352, 44, "xy"), 0.22, c, closed=True, smooth=1, sides=10
            )
    m.fact("a turned stem", "two coloured bands")


def doll_boat(m: Draft, f: tuple[str, ...]) -> None:
    m.slab([(-9, 0), (-6, -3), (4, -3.2), (10, 0), (4, 3.2), (-6, 3)], 3, f[0], bevel=0.6)
    m.rod((0.5, 0, 3), (0.5, 0, 20), 0.4, "wood:beech")
    m.slab([(0, 0), (7.6, 0), (0, 13)], 0.2, f[1], at=(1.1, 0, 5.4), turn=(90, 0, 0), bevel=0.05)
    m.slab([(0, 0), (0, 11), (-5.4, 0)], 0.2, f[1], at=(-0.1, 0, 5.4), turn=(90, 0, 0), bevel=0.05)
    m.fact("two triangular sails", "a wooden mast")


def teddy(m: Draft, f: tuple[str, ...]) -> None:
    fur, nose = f[0], "plastic:black"
    m.blob((15, 12, 17), (0, 0, 8.5), fur, square=(1, 1))
    m.blob((9, 3, 10), (0, -5.2, 8), f[1], square=(1, 1))
    m.ball(6.4, (0, -0.6, 20.5), fur)
    for x in (-1, 1):
        m.blob((5, 2.6, 5), (x * 5.2, 0, 25.6), fur, square=(1, 1))
        m.blob((3, 1.2, 3), (x * 5.2, -1.3, 25.4), f[1], square=(1, 1))
        m.blob((6, 6, 12), (x * 8.6, -2, 11.6), fur, square=(1, 1), turn=(18, x * 34, 0))
        m.blob((6.6, 13, 6.6), (x * 5.4, -8, 3.3), fur, square=(1, 1), turn=(0, 0, x * 16))
        m.blob((4.4, 0.8, 4.4), (x * 7.1, -14.1, 3.4), f[1], square=(1, 1), turn=(0, 0, x * 16))
        m.ball(0.75, (x * 2.5, -6.3, 22), nose)
    m.blob((5.6, 4.4, 4.4), (0, -6, 19), f[1], square=(1, 1))
    m.blob((2.1, 1.4, 1.4), (0, -8.1, 20), nose, square=(1, 1))
    if m.style("plain", "bow") == "bow":
        for x in (-1, 1):
            m.blob(
                (5, 1.8, 3.4),
                (x * 2.6, -6.4, 14.6),
                "velvet:red",
                square=(0.8, 1),
                turn=(0, x * 12, 0),
            )
        m.ball(1.1, (0, -7, 14.6), "velvet:red")
        m.fact("a red bow")
    m.fact("round ears", "two button eyes", "a light muzzle")
