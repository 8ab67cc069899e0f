"""Vases, bottles, jugs, teapots, plant pots, candles and jars."""

from __future__ import annotations

import functools
import math

import numpy as np

from .curves import Point2
from .kind import Draft


def vase(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("bottle", "round", "cylinder", "trumpet", "amphora")
    s = m.num(0.9, 1.2)
    flutes = None
    outer: list[Point2]
    if style == "bottle":
        outer = [(5, 0), (7, 3), (8.5, 10), (5.5, 18), (2.6, 23), (2.3, 28), (3.2, 31)]
        m.fact("a long narrow neck", "a bottle shape")
    elif style == "round":
        outer = [(4.5, 0), (8, 3), (10.5, 9.5), (8.2, 16), (4.2, 18.6), (4.6, 20.5)]
        m.fact("a round belly", "a short collar")
    elif style == "cylinder":
        outer = [(5.6, 0), (5.6, 0), (6, 0.6), (6, 0.6), (6.2, 24)]
        flutes = (24, 0.045)
        m.fact("fluted sides", "a straight cylinder shape")
    elif style == "trumpet":
        outer = [(5.2, 0), (5, 1), (3.3, 6), (3.6, 16), (5.6, 25), (9, 31)]
        m.fact("a wide flared mouth", "a slim waist")
    else:
        outer = [(4.2, 0), (5, 2), (9, 13), (8.6, 19), (4.6, 24), (3.6, 27), (5, 29.5)]
        for side in (-1, 1):
            loop = [(side * 4.0, 0, 26.2), (side * 8.4, 0, 26.4), (side * 9.4, 0, 21.5)]
            m.tube([(a * s, b, c * s) for a, b, c in [*loop, (side * 7.6, 0, 20.6)]], 0.75, f[0])
        m.fact("two small handles", "a high shoulder")
    m.vessel([(r * s, z * s) for r, z in outer], 0.55, f[0], smooth=8, flutes=flutes)


def bottle(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("swing", "sport", "carafe")
    if style == "sport":
        m.cyl(3.6, 19, f[0], bevel=0.8)
        m.lathe([(3.5, 18.6), (3.3, 20), (2.4, 21.2), (2.4, 21.6)], f[0], smooth=4)
        m.cyl(2.7, 3.6, f[1], at=(0, 0, 21.4), bevel=0.4)
        m.tube([(-2.2, 0, 24.6), (-1.9, 0, 27), (1.9, 0, 27), (2.2, 0, 24.6)], 0.45, f[1])
        m.fact("a screw cap", "a carrying loop")
        return
    outer = [(3.4, 0), (4, 0.5), (4, 15), (3.6, 18), (1.6, 22.5), (1.35, 26), (1.5, 28)]
    if style == "carafe":
        outer = [(4.6, 0), (5.6, 0.8), (5.4, 5), (2.5, 15), (2.1, 18), (3.2, 24)]
    m.vessel(outer, 0.3, f[0], smooth=8)
    if style == "swing":
        m.cyl(1.25, 2.4, f[1], at=(0, 0, 27.2), top=1.55, bevel=0.4)
        m.fact("a stopper", "a narrow neck")
    else:
        m.ball(2.6, (0, 0, 26.4), f[1])
        m.fact("a ball-shaped stopper", "a wide base")


def pitcher(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("rustic", "slim")
    outer: list[Point2]
    if style == "rustic":
        outer = [(5, 0), (6.2, 1), (7.6, 7), (6, 14), (4.6, 18), (5.4, 22)]
    else:
        outer = [(4.6, 0), (5.2, 0.8), (5.2, 9), (4.7, 17), (4.6, 20), (5.2, 24)]
    m.vessel(outer, 0.5, f[0], smooth=8)
    h = outer[-1][1]
    rim = outer[-1][0]
    m.tube(
        [
            (rim - 0.6, 0, h - 1),
            (rim + 3.6, 0, h - 0.2),
            (rim + 5.2, 0, h * 0.62),
            (outer[2][0] - 0.3, 0, h * 0.26),
        ],
        0.75,
        f[0],
        flat=(1.2, 0.9),
    )
    m.lathe(
        [(0.01, 0), (1.0, 0.5), (1.9, 2.6), (2.0, 2.7), (1.7, 2.7), (0.9, 0.8), (0.01, 0.5)],
        f[0],
        at=(-rim + 0.9, 0, h - 2.4),
        turn=(0, -24, 0),
        smooth=4,
    )
    m.fact("a pouring spout", "one large handle")
    m.fact("a full belly" if style == "rustic" else "a tall slim body")


def teapot(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "low")
    k = 1.0 if style == "round" else 0.72
    body = [(4.2, 0), (6, 0.8), (8.6, 6.5), (7.2, 12), (3.6, 14.2)]
    m.lathe([(0, 0), *[(r, z * k) for r, z in body], (0, 14.3 * k)], f[0], smooth=8)
    z = 14.0 * k
    m.lathe(
        [
            (0, z),
            (3.9, z),
            (4.1, z + 0.5),
            (3.2, z + 1.3),
            (0.9, z + 2),
            (0.8, z + 2.4),
            (1.5, z + 3.2),
            (1.1, z + 4),
            (0, z + 4.2),
        ],
        f[1],
        smooth=4,
    )
    m.tube(
        [(-6, 0, 4.5 * k), (-10, 0, 6.2 * k), (-11.6, 0, 9.5 * k), (-13.8, 0, 12.6 * k)],
        [2.4, 1.7, 1.15, 0.85],
        f[0],
    )
    m.tube(
        [(6.2, 0, 11.8 * k), (10.5, 0, 12.6 * k), (12.4, 0, 8.6 * k), (8.2, 0, 3.6 * k)], 0.75, f[0]
    )
    m.fact("a curved spout", "a lid with a round knob", "a looped handle")
    m.fact("a round belly" if style == "round" else "a low squat body")


def plant_pot(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("classic", "bowl", "cylinder", "square")
    if style == "square":
        for x, y, w, d in ((0, -7.6, 16, 0.9), (0, 7.6, 16, 0.9), (-7.6, 0, 0.9, 16)):
            m.box((w, d, 15), (x, y, 7.5), f[0], bevel=0.25)
        m.box((0.9, 16, 15), (7.6, 0, 7.5), f[0], bevel=0.25)
        m.box((15, 15, 1), (0, 0, 0.6), f[0])
        m.box((14.4, 14.4, 1), (0, 0, 12.6), "cork", bevel=0)
        top = 13.0
        m.fact("a square shape")
    else:
        shapes = {
            "classic": [(5, 0), (5, 0), (7.3, 11), (7.3, 11), (8.2, 11.1), (8.4, 14.5)],
            "bowl": [(5, 0), (7.4, 1.4), (9.6, 7), (8.9, 12)],
            "cylinder": [(7, 0), (7, 0), (7.6, 0.6), (7.7, 14)],
        }
        outer = shapes[style]
        m.vessel(outer, 0.7, f[0], smooth=4)
        top = outer[-1][1] - 1.6
        m.lathe([(0, top), (outer[-1][0] - 0.8, top)], "cork")
        words = {"classic": "a collared rim", "bowl": "a rounded bowl shape"}
        m.fact(words.get(style, "straight sides"))
    _plant(m, top)
    m.fact("a leafy green plant inside")


def _blade(lean: float, length: float, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    width = 2.3 * np.sin(np.pi * np.clip(v, 0.02, 1) ** 0.8) ** 0.9
    across = (u - 0.5) * 2 * width
    bend = np.radians(lean) * (0.5 + 0.9 * v)
    along = v * length
    up = np.cos(bend) * along + 0.5 * (u - 0.5) ** 2
    return np.stack([across, np.sin(bend) * along, up], axis=1)


def _plant(m: Draft, z: float) -> None:
    """A rosette of bent leaves that grows from height `z`, outer leaves shorter and more bent."""
    leaves = m.count(13, 17)
    for i in range(leaves):
        turn = i * 137.5
        m.sheet(
            functools.partial(_blade, 12 + 55 * (i / leaves), 18 - 7 * (i / leaves)),
            (12, 6),
            0.08,
            "leather:forest green" if i % 3 else "leather:green",
            at=(0.8 * math.cos(i), 0.8 * math.sin(i), z),
            turn=(0, 0, turn),
        )


def candle(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("pillar", "jar", "trio")
    if style == "jar":
        m.vessel([(3.9, 0), (3.9, 0), (4.1, 0.4), (4.1, 0.4), (4.1, 8.6)], 0.3, f[1])
        m.cyl(3.7, 6.2, f[0], at=(0, 0, 0.6), bevel=0.3)
        spots = [(0.0, 0.0, 6.8)]
        m.fact("a container of glass", "a single wick")
    elif style == "pillar":
        m.cyl(3.6, 14, f[0], bevel=0.5)
        spots = [(0.0, 0.0, 14.0)]
        m.fact("a thick pillar shape", "a single wick")
    else:
        spots = []
        for x, y, h in ((-5.2, 1, 14), (1.8, 3.2, 10), (0.6, -4.4, 6.5)):
            m.cyl(3.2, h, f[0], at=(x, y, 0), bevel=0.5)
            spots.append((x, y, h))
        m.fact("a set of three heights")
    for x, y, z in spots:
        m.tube(
            [(x, y, z - 0.2), (x + 0.1, y, z + 0.7), (x + 0.35, y, z + 1.3)], 0.12, "plastic:black"
        )


def jar(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("tall", "low")
    h = 17 if style == "tall" else 10
    m.vessel(
        [(4.8, 0), (4.8, 0), (5.3, 0.6), (5.3, 0.6), (5.3, h - 1.5), (5.3, h - 1.5), (5.0, h)],
        0.35,
        f[0],
    )
    m.cyl(5.2, 1.6, f[1], at=(0, 0, h), bevel=0.3)
    m.cyl(4.5, 1.2, f[1], at=(0, 0, h - 1.1), bevel=0.1)
    m.fact("a fitted lid", "a tall straight body" if style == "tall" else "a low wide body")
