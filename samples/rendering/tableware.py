"""Mugs, bowls, plates and drinking glasses."""

from __future__ import annotations

from .curves import Point2, smooth_path
from .kind import Draft


def mug(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("straight", "barrel", "tapered", "conic")
    h = m.num(9.0, 10.5)
    profiles = {
        "straight": [(3.7, 0), (3.7, 0), (4.2, 0.6), (4.2, 0.6), (4.25, h)],
        "barrel": [(3.2, 0), (3.9, 0.6), (4.9, h * 0.45), (4.4, h * 0.85), (4.2, h)],
        "tapered": [(2.7, 0), (3.1, 0.5), (3.8, h * 0.4), (4.4, h * 0.8), (4.7, h)],
        "conic": [(4.9, 0), (4.9, 0), (5, 0.6), (5, 0.6), (3.7, h)],
    }
    words = {
        "straight": "straight sides",
        "barrel": "a rounded belly",
        "tapered": "a body that widens towards the rim",
        "conic": "a wide steady foot",
    }
    m.vessel(profiles[style], 0.38, f[0], smooth=6)
    top, low, out = h * 0.82, h * 0.24, 7.4
    x = {"straight": 4.1, "barrel": 4.4, "tapered": 4.1, "conic": 4.2}[style]
    m.tube(
        [
            (x - 0.3, 0, top),
            (x + 1.6, 0, top + 0.1),
            (out, 0, h * 0.6),
            (out - 0.7, 0, low + 0.6),
            (x - 0.2 if style != "tapered" else 3.4, 0, low),
        ],
        0.52,
        f[0],
        flat=(1.25, 0.85),
    )
    m.fact(words[style], "one handle")
    if len(f) > 1:
        m.lathe([(0, h * 0.86), (profiles[style][-1][0] - 0.42, h * 0.86)], f[1])
        m.fact("a filling of dark coffee")


def bowl(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("deep", "wide", "footed")
    r = m.num(8.5, 11)
    if style == "deep":
        outer = [(r * 0.38, 0), (r * 0.5, 0.5), (r * 0.88, r * 0.36), (r, r * 0.72)]
        m.fact("deep curved sides")
    elif style == "wide":
        r *= 1.35
        outer = [(r * 0.35, 0), (r * 0.5, 0.5), (r * 0.85, r * 0.2), (r, r * 0.36)]
        m.fact("a wide shallow form")
    else:
        outer = [(r * 0.42, 0), (r * 0.4, 1.6), (r * 0.5, 2.2), (r * 0.9, r * 0.45), (r, r * 0.75)]
        m.fact("a raised foot ring")
    m.vessel(outer, 0.5 if "glass" in f[0] else 0.7, f[0], smooth=8)
    m.fact("a smooth rounded rim")


def plate(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("rimmed", "coupe", "stack")
    if style == "coupe":
        outer = [(7.5, 0), (9, 0.4), (12, 1.4), (13.4, 2.8)]
        m.fact("a coupe shape without a rim")
    else:
        outer = [(8, 0), (9, 0.5), (9.8, 1.5), (13.6, 2.2)]
        m.fact("a broad flat rim")
    for i in range(4 if style == "stack" else 1):
        m.vessel([(r, z + i * 1.15) for r, z in outer], 0.55, f[0], smooth=5, floor=0.6)
    if style == "stack":
        m.fact("a stack of four")


def wine_glass(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("red", "flute", "coupe")
    stem = m.num(8, 9.5)
    bowls: dict[str, list[Point2]] = {
        "red": [(3.6, 2), (4.7, 5), (4.3, 9), (3.5, 12)],
        "flute": [(1.8, 2), (2.6, 6), (2.7, 11), (2.3, 16)],
        "coupe": [(3.4, 1.1), (5.0, 2.7), (5.6, 4.6), (5.7, 5.4)],
    }
    words = {
        "red": "a generous round bowl",
        "flute": "a tall narrow bowl",
        "coupe": "a wide saucer",
    }
    foot = 3.9 if style == "red" else 3.3
    body = bowls[style]
    profile = [(0, 0), (foot, 0), (foot + 0.1, 0.18), (foot - 0.2, 0.34), (1.2, 0.7), (0.42, 1.6)]
    profile += [(0.38, stem * 0.6), (0.5, stem - 0.5)]
    profile += [(r * 0.62, stem + z * 0.18) for r, z in body[:1]]
    profile += [(r, stem + z) for r, z in body]
    outside = smooth_path(profile, 6)
    inside = smooth_path(
        [
            (0, stem + 0.5),
            (body[0][0] * 0.55, stem + 0.75),
            *((r - 0.18, stem + z) for r, z in body),
        ],
        6,
    )
    rim_r, rim_z = outside[-1]
    rim = [(rim_r - 0.04, rim_z + 0.07), (rim_r - 0.14, rim_z + 0.07)]
    m.lathe([*outside, *rim, *reversed(inside)], f[0])
    m.fact(words[style], "a slender stem", "a round foot")


def tumbler(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("highball", "faceted", "ribbed")
    r, h = (3.3, 14) if style == "highball" else (4.1, 9)
    outer = [(r * 0.86, 0), (r * 0.86, 0), (r * 0.9, 0.4), (r * 0.9, 0.4), (r, h)]
    flutes = {"highball": None, "faceted": (8, 0.08), "ribbed": (30, 0.05)}[style]
    m.vessel(outer, 0.28, f[0], floor=1.0, flutes=flutes)
    with m.frame(at=(r * 2.5, r * 1.5, 0)):
        m.vessel(outer, 0.28, f[0], floor=1.0, flutes=flutes)
    words = {"highball": "a tall slim shape", "faceted": "facets around the body"}
    m.fact("two matching glasses", words.get(style, "fine vertical ribs"), "a heavy base")
