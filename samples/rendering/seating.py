"""Chairs, stools, armchairs, sofas and benches."""

from __future__ import annotations

import numpy as np

from .curves import arc
from .kind import Draft, number


def _legs(m: Draft, f: str, w: float, d: float, h: float, style: str, splay: float = 1.1) -> None:
    for x in (-w / 2, w / 2):
        for y in (-d / 2, d / 2):
            if style == "square":
                m.box((3.6, 3.6, h), (x, y, h / 2), f, bevel=0.4, taper=0.7)
            elif style == "thin":
                m.rod((x * splay, y * splay, 0), (x, y, h), 0.9, f)
            else:
                m.rod((x * splay, y * splay, 0), (x, y, h), 1.25, f, end_radius=2.1)


def dining_chair(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("slats", "spindles", "panel", "ladder", "upholstered")
    w, d, seat = m.num(42, 47), m.num(41, 45), m.num(44, 47)
    leg = "square" if style in {"panel", "ladder"} else "round"
    _legs(m, f[0], w - 7, d - 7, seat, leg)
    m.box((w, d, 3.2), (0, 0, seat), f[0], bevel=1.2)
    lean, top = 6.0, seat + m.num(38, 45)
    y0 = d / 2 - 3
    for x in (-w / 2 + 2.5, w / 2 - 2.5):
        m.tube(
            [(x, y0, seat), (x, y0 + lean * 0.4, seat + 20), (x * 1.03, y0 + lean, top)], 1.7, f[0]
        )
    span = w - 6

    def rail(z: float, tall: float, thick: float = 1.6) -> None:
        y = y0 + lean * ((z - seat) / (top - seat)) ** 1.3
        curve = [(-span / 2, y, z), (0, y + 2.2, z), (span / 2, y, z)]
        m.tube(curve, tall / 2, f[0], flat=(thick / tall * 1.2, 1.0), up=(0, 0, 1), sides=20)

    if style == "slats":
        for x in (-0.3, -0.1, 0.1, 0.3):
            m.tube(
                [
                    (x * span, y0 + 0.5, seat),
                    (x * span, y0 + 4, seat + 20),
                    (x * span, y0 + lean + 1.4, top - 3),
                ],
                1.6,
                f[0],
                flat=(1.0, 0.45),
            )
        rail(top - 3, 7)
        m.fact("a back of four upright slats")
    elif style == "spindles":
        for i in range(7):
            x = (i - 3) * span / 7.5
            m.tube([(x, y0, seat), (x, y0 + lean + 1.6, top - 2)], 0.65, f[0], smooth=0)
        rail(top - 2, 6, 2.2)
        m.fact("a back of seven thin spindles")
    elif style == "ladder":
        n = m.count(3, 4)
        for i in range(n):
            rail(seat + 14 + i * (top - seat - 18) / (n - 1), 5.5)
        m.fact(f"a ladder back with {number(n)} rails")
    else:
        z = (seat + top) / 2 + 6
        m.box(
            (span, 2.2 if style == "panel" else 4.5, top - seat - 16),
            (0, y0 + lean * 0.72, z),
            f[0] if style == "panel" else f[-1],
            bevel=1.0,
            turn=(-8, 0, 0),
        )
        m.fact("a solid panel back" if style == "panel" else "a padded back")
    if len(f) > 1:
        m.blob((w - 2, d - 2, 6), (0, 0, seat + 3.2), f[1], square=(0.5, 0.3))
        m.fact("an upholstered seat pad")
    m.fact("four straight legs" if leg == "square" else "four round tapered legs")


def shell_chair(m: Draft, f: tuple[str, ...]) -> None:
    def shell(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = (u - 0.5) * 2
        t = v
        y = np.where(t < 0.5, -22 + 80 * t, 18 + 14 * np.clip(t - 0.5, 0, 1) ** 0.9)
        z = np.where(
            t < 0.5,
            46 - 10 * np.sin(t * np.pi) ** 1.0 * 0.35,
            42.5 + 78 * np.clip(t - 0.5, 0, 1) ** 1.25,
        )
        front = np.clip((0.08 - t) / 0.08, 0, 1)
        z = z - 2.5 * front
        width = 22.5 - 4 * np.clip(t - 0.75, 0, 1) * 4 * (t > 0.75)
        curl = np.abs(x) ** 2.6
        lift = 9 * np.sin(np.pi * np.clip(t, 0.05, 0.95)) ** 0.7
        return np.stack([x * width, y - 6 * curl * (t > 0.45), z + curl * lift], axis=1)

    m.sheet(shell, (36, 28), 1.1, f[0])
    if m.style("legs", "wire") == "legs":
        for x in (-1, 1):
            for y in (-1, 1):
                m.rod((x * 23, y * 21 - 1, 0), (x * 11, y * 9 - 1, 42), 1.0, f[1], end_radius=1.7)
        m.fact("four splayed legs")
    else:
        for x in (-1, 1):
            m.tube(
                [(x * 9, -13, 43), (x * 21, -21, 0.6), (x * 21, 19, 0.6), (x * 9, 12, 42)],
                0.75,
                f[1],
                smooth=0,
            )
        m.fact("a sled base of bent rod")
    m.fact("a moulded one-piece shell")


def stool(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("bar", "milking", "cushion", "workshop")
    h = {"bar": 72, "milking": 44, "cushion": 46, "workshop": 62}[style]
    r = 17
    n = 3 if style == "milking" else 4
    import math

    feet = []
    for i in range(n):
        a = 2 * math.pi * (i + 0.5) / n
        foot = (r * 1.12 * math.cos(a), r * 1.12 * math.sin(a), 0.0)
        feet.append(foot)
        m.rod(
            foot, (r * 0.62 * math.cos(a), r * 0.62 * math.sin(a), h - 2), 1.2, f[0], end_radius=1.8
        )
    if style in {"bar", "workshop"}:
        z = h * 0.32
        ring = r * (1.12 - 0.5 * 0.32) + 0.2
        m.tube(arc((0, 0, z), ring, 0, 345, 23, "xy"), 0.8, f[-1], closed=True, smooth=1)
        m.fact("a round footrest ring")
    if style == "cushion":
        m.cyl(r, 3, f[0], at=(0, 0, h - 3), bevel=0.8)
        m.blob((2 * r, 2 * r, 9), (0, 0, h + 2.5), f[-1], square=(0.5, 1))
        m.fact("a padded round seat")
    else:
        m.lathe(
            [(0, h - 3), (r - 2, h - 3), (r, h - 1.4), (r - 0.4, h), (r - 4, h - 0.5), (0, h - 1)],
            f[0],
            smooth=4,
        )
        m.fact("a dished round seat")
    m.fact(f"{number(n)} splayed legs")


def armchair(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("club", "tub", "wooden")
    cover, wood = f[0], f[1]
    if style == "wooden":
        for x in (-32, 32):
            m.rod((x, -30, 0), (x, -27, 56), 1.9, wood)
            m.rod((x, 30, 0), (x, 22, 56), 1.9, wood)
            m.tube([(x, -32, 57), (x, -10, 58.5), (x, 26, 56)], 2.6, wood, flat=(1.3, 0.6))
        m.box((62, 4, 7), (0, -24, 30), wood, bevel=1)
        m.box((62, 4, 7), (0, 24, 28), wood, bevel=1)
        m.blob((60, 62, 17), (0, -2, 38), cover, square=(0.35, 0.25), turn=(4, 0, 0))
        m.blob((60, 17, 56), (0, 27, 66), cover, square=(0.3, 0.35), turn=(-14, 0, 0))
        m.fact("an open wooden frame", "two loose cushions")
        return
    arm = 0.25 if style == "club" else 0.55
    m.box((70, 70, 20), (0, 0, 26), cover, bevel=3, segments=5)
    m.blob((56, 62, 18), (0, -6, 42), cover, square=(0.3, 0.22))
    m.blob(
        (70 if style == "tub" else 60, 20, 58),
        (0, 29, 60),
        cover,
        square=(arm, arm),
        turn=(-8, 0, 0),
    )
    for x in (-36, 36):
        m.blob((17, 72, 44 if style == "club" else 52), (x, -1, 38), cover, square=(arm, arm))
    _legs(m, wood, 62, 60, 17, "round")
    m.fact("broad padded arms" if style == "club" else "a rounded tub back", "four turned legs")


def sofa(m: Draft, f: tuple[str, ...]) -> None:
    seats = 2 + m.design % 2
    style = m.style("box", "soft", "slim")
    cover, leg = f[0], f[1]
    w = seats * 66 + 8
    soft = {"box": 0.16, "soft": 0.42, "slim": 0.22}[style]
    m.box((w, 82, 16), (0, 0, 24), cover, bevel=3, segments=5)
    arm = {"box": 16, "soft": 22, "slim": 10}[style]
    for x in (-1, 1):
        m.blob(
            (arm, 84, 42 if style != "slim" else 34),
            (x * (w + arm - 4) / 2, 0, 38),
            cover,
            square=(soft, soft),
        )
    m.blob((w, 20, 60), (0, 34, 48), cover, square=(soft, 0.2))
    for i in range(seats):
        middle = (i - (seats - 1) / 2) * 66
        m.blob((65, 66, 17), (middle, -8, 39), cover, square=(0.32, 0.2))
        m.blob((63, 18, 42), (middle, 19, 64), cover, square=(0.35, 0.35), turn=(-10, 0, 0))
    _legs(m, leg, w - 14, 62, 17, "round" if style != "slim" else "thin")
    m.fact(f"{number(seats)} seat cushions and {number(seats)} back cushions")
    m.fact({"box": "square arms", "soft": "plump rounded arms", "slim": "slim arms"}[style])


def bench(m: Draft, f: tuple[str, ...]) -> None:
    style = m.style("slatted", "back")
    w = m.num(110, 135)
    for i in range(4):
        m.box((w, 8, 2.6), (0, (i - 1.5) * 9.6, 44), f[0], bevel=0.5)
    for x in (-w / 2 + 12, w / 2 - 12):
        m.box((4, 36, 4), (x, 0, 41), f[-1], bevel=0.5)
        for y in (-15, 15):
            m.box((4, 4, 42), (x, y, 21), f[-1], bevel=0.5)
        if style == "back":
            m.box((4, 4, 48), (x, 21, 62), f[-1], bevel=0.5, turn=(-9, 0, 0))
    if style == "back":
        for z, back in ((60, 18.2), (71, 20.0), (82, 21.7)):
            m.box((w, 2.4, 8), (0, back - 1.4, z), f[0], bevel=0.5, turn=(-9, 0, 0))
        m.fact("a backrest of three boards")
    m.fact("a seat of four slats")


def ottoman(m: Draft, f: tuple[str, ...]) -> None:
    if m.style("pouf", "footstool") == "pouf":
        m.blob((52, 52, 36), (0, 0, 18), f[0], square=(0.55, 1.0))
        m.tube(arc((0, 0, 18), 26.1, 0, 350, 35, "xy"), 0.5, f[0], closed=True, smooth=1)
        m.fact("a round drum shape", "a piped seam around the middle")
    else:
        m.box((58, 42, 15), (0, 0, 27), f[0], bevel=4, segments=5)
        _legs(m, f[1], 46, 30, 20, "round")
        m.fact("a rectangular padded top", "four short wooden legs")
