"""Tables, desks, shelves, cabinets and beds."""

from __future__ import annotations

from .curves import superellipse
from .kind import Draft, number


def _four(m: Draft, f: str, w: float, d: float, h: float, style: str) -> str:
    for x in (-w / 2, w / 2):
        for y in (-d / 2, d / 2):
            if style == "tapered":
                m.rod((x * 1.06, y * 1.06, 0), (x, y, h), 1.5, f, end_radius=2.8)
            elif style == "hairpin":
                for s in (-1, 1):
                    m.rod((x * 1.03, y * 1.03, 0), (x + s * 4, y, h), 0.7, f)
            else:
                m.box((5.5, 5.5, h), (x, y, h / 2), f, bevel=0.5)
    return {"tapered": "four tapered legs", "hairpin": "hairpin legs"}.get(
        style, "four square legs"
    )


def coffee_table(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("round", "shelf", "oval", "drum")
    if style == "round":
        m.cyl(42, 3.2, f[0], at=(0, 0, 38), bevel=0.8, sides=96)
        for i in range(3):
            import math

            a = math.radians(90 + 120 * i)
            m.rod(
                (34 * math.cos(a), 34 * math.sin(a), 0),
                (24 * math.cos(a), 24 * math.sin(a), 38),
                1.5,
                f[-1],
                end_radius=2.6,
            )
        m.fact("a round top", "three splayed legs")
    elif style == "shelf":
        m.box((110, 60, 3.5), (0, 0, 40), f[0], bevel=0.6)
        m.box((98, 48, 2), (0, 0, 14), f[0], bevel=0.4)
        m.fact("a rectangular top", "a lower shelf", _four(m, f[-1], 98, 48, 38.5, "square"))
    elif style == "oval":
        m.slab(superellipse(118, 62, 0.85), 3.2, f[0], at=(0, 0, 38), bevel=0.8)
        m.fact("an oval top", _four(m, f[-1], 76, 34, 38, "hairpin"))
    else:
        m.lathe(
            [
                (0, 0),
                (24, 0),
                (25, 1),
                (20, 18),
                (25, 35),
                (38, 36.5),
                (38.5, 38),
                (38, 39.5),
                (0, 39.5),
            ],
            f[0],
            sides=96,
            smooth=3,
        )
        m.fact("a round top", "a waisted pedestal")


def dining_table(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("rect", "round", "trestle")
    if style == "round":
        m.cyl(58, 3.5, f[0], at=(0, 0, 71.5), bevel=1, sides=96)
        m.lathe(
            [(0, 0), (30, 0), (30, 2), (9, 6), (6, 20), (7, 60), (16, 71.5), (0, 71.5)],
            f[-1],
            smooth=5,
        )
        m.fact("a round top", "a central pedestal")
        return
    w = m.num(160, 190)
    m.box((w, 88, 4), (0, 0, 73), f[0], bevel=0.8)
    if style == "rect":
        for y in (-32, 32):
            m.box((w - 34, 2.4, 8), (0, y, 67), f[-1], bevel=0.4)
        m.fact("a rectangular top", _four(m, f[-1], w - 22, 70, 71, "tapered"))
    else:
        for x in (-w / 2 + 26, w / 2 - 26):
            for y in (-1, 1):
                m.box((7, 5, 84), (x, y * 14, 35.5), f[-1], bevel=0.5, turn=(y * 27, 0, 0))
        m.box((w - 52, 4, 8), (0, 0, 36), f[-1], bevel=0.5)
        m.fact("a rectangular top", "crossed trestle legs")


def desk(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("drawers", "simple", "frame")
    w = m.num(115, 135)
    m.box((w, 60, 3), (0, 0, 73), f[0], bevel=0.6)
    if style == "drawers":
        x = w / 2 - 22
        m.box((38, 54, 46), (x, 1, 48), f[0], bevel=0.5)
        for i in range(3):
            z = 64 - i * 14.8
            m.box((34, 1.6, 13.4), (x, -26.6, z), f[0], bevel=0.4)
            m.rod((x - 5, -28.8, z), (x + 5, -28.8, z), 0.7, f[-1])
            for s in (-4, 4):
                m.rod((x + s, -28.8, z), (x + s, -27, z), 0.4, f[-1])
        m.fact("three drawers on the right")
        _four(m, f[-1] if "|" not in f else f[0], w - 12, 48, 72, "tapered")
        m.fact("four tapered legs")
    elif style == "simple":
        m.box((w - 16, 46, 10), (0, 0, 67), f[0], bevel=0.5)
        for x in (-w / 4 + 2, w / 4 - 2):
            m.box((w / 2 - 14, 1.4, 8), (x, -23.2, 67), f[0], bevel=0.4)
            m.ball(1.3, (x, -25, 67), f[-1])
        m.fact("two shallow drawers", _four(m, f[0], w - 22, 40, 64, "tapered"))
    else:
        for x in (-w / 2 + 8, w / 2 - 8):
            m.tube(
                [(x, -26, 71), (x, -26, 1.5), (x, 26, 1.5), (x, 26, 71)],
                1.6,
                f[-1],
                smooth=0,
                sides=4,
            )
        m.box((w - 18, 1.5, 30), (0, 25, 56), f[0], bevel=0.3)
        m.fact("an open sled frame", "a back panel")


def bookshelf(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("tall", "ladder", "low")
    w, h, n = {"tall": (80, 180, 5), "ladder": (66, 175, 5), "low": (110, 84, 3)}[style]
    if style == "ladder":
        for x in (-w / 2, w / 2):
            m.rod((x, -22, 0), (x, 10, h), 1.7, f[-1])
            m.rod((x, 14, 0), (x, 11, h), 1.4, f[-1])
        for i in range(n):
            z = 14.0 + i * 35
            d = 36 - i * 5.6
            m.box((w - 1, d, 2), (0, 13 - d / 2, z), f[0], bevel=0.3)
        m.fact("a leaning ladder frame", "five shelves that grow narrower")
        return
    for x in (-w / 2, w / 2):
        m.box((2.4, 30, h), (x, 0, h / 2), f[0], bevel=0.3)
    m.box((w, 1, h - 6), (0, 14.6, h / 2), f[0], bevel=0.1)
    for i in range(n):
        z = 5 + i * (h - 6.5) / (n - 1)
        m.box((w - 2, 29, 2.4), (0, 0, z), f[0], bevel=0.3)
    colors = ("navy", "rust", "cream", "forest green", "grey", "mustard")
    for shelf in range(1, n - 1):
        z = 5 + shelf * (h - 6.5) / (n - 1) + 1.2
        x = -w / 2 + 5
        for i in range(m.count(4, 8)):
            t, tall = m.num(2.2, 4.2), m.num(17, 23)
            m.box(
                (t, 16, tall),
                (x + t / 2, -2, z + tall / 2),
                f"felt:{colors[(i + shelf) % 6]}",
                bevel=0.2,
            )
            x += t + 0.2
    m.fact(f"{number(n - 1)} compartments", "a solid back", "a few books on its shelves")


def sideboard(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("doors", "drawers", "cabinet")
    w, d, h = {"doors": (150, 42, 52), "drawers": (96, 44, 72), "cabinet": (82, 40, 110)}[style]
    lift = 16
    m.box((w, d, h), (0, 0, lift + h / 2), f[0], bevel=0.6)
    _four(m, f[0], w - 18, d - 12, lift, "tapered")
    y = -d / 2 - 0.7
    if style == "drawers":
        for i in range(3):
            z = lift + h * (i + 0.5) / 3
            m.box((w - 5, 2, h / 3 - 1.6), (0, y, z), f[0], bevel=0.4)
            for x in (-w / 4, w / 4):
                m.rod((x - 6, y - 2.4, z), (x + 6, y - 2.4, z), 0.8, f[1])
                for s in (-5, 5):
                    m.rod((x + s, y - 2.4, z), (x + s, y, z), 0.5, f[1])
        m.fact("three wide drawers", "bar handles")
    else:
        n = 3 if style == "doors" else 2
        for i in range(n):
            x = (i - (n - 1) / 2) * (w - 4) / n
            m.box(((w - 4) / n - 0.8, 2, h - 4), (x, y, lift + h / 2), f[0], bevel=0.4)
            m.ball(
                1.5,
                (x + (w / n / 2 - 6) * (1 if i % 2 == 0 else -1), y - 2, lift + h / 2 + 4),
                f[1],
            )
        m.fact(f"{number(n)} doors", "round knobs")
    m.fact("tapered legs")


def nightstand(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("drawer", "open")
    m.box((44, 38, 2.4), (0, 0, 52), f[0], bevel=0.5)
    m.box((42, 36, 15), (0, 0, 43.5), f[0], bevel=0.4)
    m.box((38, 1.6, 12), (0, -18.4, 43.5), f[0], bevel=0.4)
    m.ball(1.4, (0, -20.6, 43.5), f[1])
    if style == "open":
        m.box((40, 34, 1.8), (0, 0, 14), f[0], bevel=0.4)
        m.fact("an open shelf below")
    m.fact("one drawer with a round knob", _four(m, f[0], 36, 30, 37, "tapered"))


def bed(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("panel", "slats", "upholstered")
    w, length = 156, 206
    for x in (-1, 1):
        m.box((4, length, 20), (x * w / 2, 0, 24), f[0], bevel=0.8)
    m.box((w + 4, 4, 20), (0, -length / 2, 24), f[0], bevel=0.8)
    for x in (-1, 1):
        for y in (-1, 1):
            m.box((7, 7, 30), (x * (w / 2 - 2), y * (length / 2 - 2), 15), f[0], bevel=0.8)
    if style == "slats":
        for x in (-1, 1):
            m.box((6, 6, 100), (x * w / 2, length / 2, 50), f[0], bevel=0.8)
        m.box((w, 5, 10), (0, length / 2, 96), f[0], bevel=0.8)
        for i in range(11):
            m.box((5, 2.5, 70), ((i - 5) * w / 11.5, length / 2, 58), f[0], bevel=0.4)
        m.fact("a headboard of upright slats")
    elif style == "panel":
        m.box((w + 6, 6, 92), (0, length / 2, 50), f[0], bevel=1.2)
        m.fact("a solid panel headboard")
    else:
        m.box((w + 8, 10, 106), (0, length / 2 + 2, 54), f[-1], bevel=4, segments=5)
        m.fact("a padded headboard")
    m.box((w - 6, length - 8, 22), (0, 0, 38), "fabric:white", bevel=6, segments=5)
    m.box(
        (w + 1, length * 0.66, 12),
        (0, -length * 0.15, 46),
        f[-1] if len(f) > 1 else "linen:grey",
        bevel=5,
        segments=5,
    )
    for x in (-38, 38):
        m.blob(
            (66, 44, 20),
            (x, length / 2 - 34, 58),
            "linen:white",
            square=(0.7, 0.35),
            turn=(18, 0, 0),
        )
    m.fact("two white pillows")


def wall_shelf(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("bracket", "hexagon", "box")
    if style == "bracket":
        m.box((80, 20, 2.6), (0, -10, 20), f[0], bevel=0.4)
        for x in (-28, 28):
            m.box((2.2, 1.2, 20), (x, -0.8, 10.5), f[1], bevel=0.2)
            m.box((2.2, 18, 1.2), (x, -9.5, 18.2), f[1], bevel=0.2)
            m.tube([(x, -1.2, 3), (x, -9, 9), (x, -16, 17.8)], 0.7, f[1])
        m.fact("a single board", "two brackets")
    elif style == "hexagon":
        import math

        for i in range(6):
            a = math.radians(60 * i + 30)
            m.box(
                (25, 14, 1.8),
                (20.5 * math.cos(a), -7, 20.5 * math.sin(a) + 22),
                f[0],
                bevel=0.3,
                turn=(0, -60 * i - 30 + 90, 0),
            )
        m.fact("a six-sided frame")
    else:
        for z in (0, 28):
            m.box((70, 20, 2), (0, -10, z + 1), f[0], bevel=0.3)
        for x in (-34, 0, 34):
            m.box((2, 20, 28), (x, -10, 15), f[0], bevel=0.3)
        m.fact("two open boxes side by side")


def coat_rack(m: Draft, f: tuple[str, ...]) -> None:
    import math

    m.rod((0, 0, 2), (0, 0, 172), 2.3, f[0], end_radius=1.7)
    for i in range(4):
        a = math.radians(45 + 90 * i)
        c, s = math.cos(a), math.sin(a)
        m.tube([(27 * c, 27 * s, 1.6), (16 * c, 16 * s, 4), (1.5 * c, 1.5 * s, 22)], 1.9, f[0])
        for z in (148, 164):
            m.tube(
                [(1 * c, 1 * s, z - 6), (9 * c, 9 * s, z - 4), (15 * c, 15 * s, z + 6)], 1.1, f[-1]
            )
            m.ball(1.7, (15 * c, 15 * s, z + 6.4), f[-1])
    m.fact("eight curved hooks on two levels", "four feet")
