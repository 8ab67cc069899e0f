"""Outlines and paths: plain functions of points in centimetres."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]


def smooth_path(points: Sequence[Sequence[float]], steps: int, closed: bool = False) -> list[tuple]:
    """A centripetal-like Catmull-Rom spline through `points`, `steps` pieces between neighbours.

    Points given twice in a row stay sharp corners.
    """
    pts = [np.asarray(p, dtype=np.float64) for p in points]
    n = len(pts)
    if n < 3 and not closed:
        return [tuple(p) for p in pts]
    result: list[tuple] = []
    for i in range(n if closed else n - 1):
        p1, p2 = pts[i], pts[(i + 1) % n]
        if np.allclose(p1, p2):
            continue
        p0 = pts[(i - 1) % n] if closed or i > 0 else p1
        p3 = pts[(i + 2) % n] if closed or i + 2 < n else p2
        span = float(np.linalg.norm(p2 - p1))
        m1, m2 = _tangent(p0, p1, p2, span), _tangent(p1, p2, p3, span)
        for s in range(steps):
            t = s / steps
            t2, t3 = t * t, t * t * t
            point = (2 * t3 - 3 * t2 + 1) * p1 + (t3 - 2 * t2 + t) * m1
            point = point + (-2 * t3 + 3 * t2) * p2 + (t3 - t2) * m2
            result.append(tuple(point))
    if not closed:
        result.append(tuple(pts[-1]))
    return result


def _tangent(before: np.ndarray, at: np.ndarray, after: np.ndarray, span: float) -> np.ndarray:
    """A tangent scaled to the piece it serves, so that short pieces next to long do not loop."""
    d1, d2 = float(np.linalg.norm(at - before)), float(np.linalg.norm(after - at))
    if d1 < 1e-9 or d2 < 1e-9:
        return (after - before) / max(d1 + d2, 1e-9) * span
    v1, v2 = (at - before) / d1, (after - at) / d2
    blend = (v1 * d2 + v2 * d1) / (d1 + d2)
    return blend * span


def offset_profile(line: Sequence[Point2], wall: float, floor: float) -> list[Point2]:
    """The inside of a turned wall: `line` moved inwards by `wall`, cut off at the floor height."""
    pts = np.asarray(line, dtype=np.float64)
    tangent = np.gradient(pts, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    inward = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    moved = pts + inward * wall
    base = float(pts[:, 1].min()) + floor
    moved[-1] = (pts[-1, 0] - wall, pts[-1, 1])
    kept = [(max(float(r), 0.01), float(z)) for r, z in moved if z >= base]
    first = kept[0]
    return [(first[0] * 0.7, base), *kept] if first[0] > 0.05 else kept


def circle(radius: float, n: int = 48, squash: float = 1.0) -> list[Point2]:
    return [
        (radius * math.cos(2 * math.pi * i / n), radius * squash * math.sin(2 * math.pi * i / n))
        for i in range(n)
    ]


def rounded_rect(w: float, h: float, r: float, n: int = 6) -> list[Point2]:
    """A rectangle about the origin, counter-clockwise, with corners of radius `r`."""
    r = min(r, 0.499 * w, 0.499 * h)
    points: list[Point2] = []
    for cx, cy, start in ((1, 1, 0), (-1, 1, 90), (-1, -1, 180), (1, -1, 270)):
        for i in range(n + 1):
            a = math.radians(start + 90 * i / n)
            points.append((cx * (w / 2 - r) + r * math.cos(a), cy * (h / 2 - r) + r * math.sin(a)))
    return points


def superellipse(w: float, h: float, power: float = 0.6, n: int = 64) -> list[Point2]:
    points = []
    for i in range(n):
        a = 2 * math.pi * i / n
        c, s = math.cos(a), math.sin(a)
        x = math.copysign(abs(c) ** power, c) * w / 2
        points.append((x, math.copysign(abs(s) ** power, s) * h / 2))
    return points


def spline_outline(points: Sequence[Point2], steps: int = 6) -> list[Point2]:
    """A closed smooth outline through control points; doubled points stay corners."""
    return [(float(x), float(y)) for x, y in smooth_path(points, steps, closed=True)]


def mirrored(half: Sequence[Point2], steps: int = 6) -> list[Point2]:
    """A closed outline, symmetric about x = 0, from its right half given bottom to top."""
    line = smooth_path(half, steps) if steps else [tuple(p) for p in half]
    left = [(-x, y) for x, y in reversed(line) if x > 1e-6]
    return [(float(x), float(y)) for x, y in [*line, *left]]


def arc(
    centre: Point3, radius: float, start: float, end: float, n: int = 16, plane: str = "xz"
) -> list[Point3]:
    """Points of an arc in a plane through `centre`, angles in degrees."""
    axes = {"x": 0, "y": 1, "z": 2}
    first, second = axes[plane[0]], axes[plane[1]]
    points: list[Point3] = []
    for i in range(n + 1):
        a = math.radians(start + (end - start) * i / n)
        p = list(centre)
        p[first] += radius * math.cos(a)
        p[second] += radius * math.sin(a)
        points.append((p[0], p[1], p[2]))
    return points


def helix(radius: float, height: float, turns: float, n_per_turn: int = 24) -> list[Point3]:
    n = int(turns * n_per_turn)
    return [
        (
            radius * math.cos(2 * math.pi * turns * i / n),
            radius * math.sin(2 * math.pi * turns * i / n),
            height * i / n,
        )
        for i in range(n + 1)
    ]
