"""Small parametric modelling kit: numpy meshes in centimetres, z up, the front towards -y.

Every part carries texture coordinates of its own (long axis along z, a random offset), so that wood
grain follows each leg and each board, and no two boards show the same knot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import bmesh
import numpy as np
from mathutils import Euler, Matrix, Vector

from .curves import Point2, Point3, offset_profile, smooth_path

Face = tuple[int, ...]


@dataclass
class Part:
    """One mesh: `verts` (n, 3) float64 in cm, `tex` (n, 3) texture coordinates in cm."""

    verts: np.ndarray
    faces: list[Face]
    material: str
    tex: np.ndarray
    normals: str = "angle"  # "angle": sharp above 40 degrees; "area": weighted by face area
    subsurf: int = 0


@dataclass
class Model:
    """What a kind builds: parts, and true statements about them for the copywriter."""

    rng: np.random.Generator
    parts: list[Part] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    _stack: list[Matrix] = field(default_factory=lambda: [Matrix.Identity(4)])

    # -- frames ---------------------------------------------------------------------------------
    @contextmanager
    def frame(
        self, at: Point3 = (0, 0, 0), turn: Point3 = (0, 0, 0), scale: Point3 | float = 1.0
    ) -> Iterator[None]:
        """Move what is added inside: scaled, turned by xyz Euler degrees, then shifted."""
        factors = (scale,) * 3 if isinstance(scale, (int, float)) else scale
        matrix = Matrix.Translation(Vector(at)) @ _turn(turn) @ Matrix.Diagonal((*factors, 1.0))
        self._stack.append(self._stack[-1] @ matrix)
        try:
            yield
        finally:
            self._stack.pop()

    def add(
        self,
        verts: np.ndarray,
        faces: Sequence[Sequence[int]],
        material: str,
        tex: np.ndarray | None = None,
        normals: str = "angle",
        subsurf: int = 0,
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
    ) -> Part:
        verts = np.asarray(verts, dtype=np.float64)
        if tex is None:
            extent = np.ptp(verts, axis=0)
            long_axis = int(np.argmax(extent))
            tex = np.roll(verts, 2 - long_axis, axis=1)
        tex = tex + self.rng.uniform(-500, 500, 3)
        matrix = np.array(self._stack[-1] @ Matrix.Translation(Vector(at)) @ _turn(turn))
        placed = verts @ matrix[:3, :3].T + matrix[:3, 3]
        listed = [tuple(int(i) for i in f) for f in faces]
        if np.linalg.det(matrix[:3, :3]) < 0:
            listed = [f[::-1] for f in listed]
        part = Part(placed, listed, material, tex, normals, subsurf)
        self.parts.append(part)
        return part

    # -- solids ---------------------------------------------------------------------------------
    def box(
        self,
        size: Point3,
        at: Point3,
        material: str,
        bevel: float = 0.4,
        turn: Point3 = (0, 0, 0),
        taper: float = 1.0,
        segments: int = 3,
    ) -> Part:
        """A box centred on `at` with rounded edges; `taper` scales its lower end."""
        bm = bmesh.new()
        bmesh.ops.create_cube(bm, size=1.0)
        for v in bm.verts:
            shrink = taper if v.co.z < 0 else 1.0
            v.co = Vector((v.co.x * size[0] * shrink, v.co.y * size[1] * shrink, v.co.z * size[2]))
        offset = min(bevel, 0.49 * min(size) * min(1.0, taper))
        if offset > 0:
            bmesh.ops.bevel(
                bm,
                geom=list(bm.edges),
                offset=offset,
                segments=segments,
                affect="EDGES",
                profile=0.5,
            )
        verts, faces = _from_bmesh(bm)
        return self.add(verts, faces, material, normals="area", at=at, turn=turn)

    def slab(
        self,
        outline: Sequence[Point2],
        thickness: float,
        material: str,
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
        bevel: float = 0.2,
        segments: int = 2,
    ) -> Part:
        """An outline in xy (counter-clockwise) given a thickness along z, from 0 upwards."""
        bm = bmesh.new()
        low = [bm.verts.new((x, y, 0.0)) for x, y in outline]
        high = [bm.verts.new((x, y, thickness)) for x, y in outline]
        bm.faces.new(low[::-1])
        bm.faces.new(high)
        for i in range(len(low)):
            k = (i + 1) % len(low)
            bm.faces.new((low[i], low[k], high[k], high[i]))
        bm.normal_update()
        rims = [e for e in bm.edges if abs(e.verts[0].co.z - e.verts[1].co.z) < 1e-9]
        offset = min(bevel, 0.45 * thickness)
        if offset > 0:
            bmesh.ops.bevel(
                bm, geom=rims, offset=offset, segments=segments, affect="EDGES", profile=0.5
            )
        verts, faces = _from_bmesh(bm)
        return self.add(verts, faces, material, at=at, turn=turn)

    def lathe(
        self,
        profile: Sequence[Point2],
        material: str,
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
        sides: int = 72,
        smooth: int = 0,
        flutes: tuple[int, float] | None = None,
    ) -> Part:
        """Turn a profile of (radius, height) about z. `smooth` > 0 runs a spline through it.

        `flutes` is (count, depth): the radius is waved by that fraction around the axis.
        """
        line = np.array(smooth_path(profile, smooth) if smooth else profile, dtype=np.float64)
        line[:, 0] = np.maximum(line[:, 0], 0.0)
        line = _supported(line)
        angles = np.arange(sides) * (2 * math.pi / sides)
        ripple = np.ones(sides)
        if flutes:
            ripple = 1.0 - flutes[1] * (0.5 + 0.5 * np.cos(angles * flutes[0]))
        radius = line[:, 0][:, None] * ripple[None, :]
        height = np.repeat(line[:, 1][:, None], sides, axis=1)
        verts = np.stack([radius * np.cos(angles), radius * np.sin(angles), height], axis=2)
        faces = _grid_faces(len(line), sides, wrap=True)
        return self.add(verts.reshape(-1, 3), faces, material, at=at, turn=turn)

    def vessel(
        self,
        outer: Sequence[Point2],
        wall: float,
        material: str,
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
        smooth: int = 6,
        floor: float | None = None,
        flutes: tuple[int, float] | None = None,
        sides: int = 72,
    ) -> list[Point2]:
        """A hollow turned body: `outer` runs from foot to rim. Returns the inner profile."""
        line = smooth_path(outer, smooth) if smooth else list(outer)
        inner = offset_profile(line, wall, floor if floor is not None else wall * 1.5)
        top_r, top_z = line[-1]
        lip = [
            (top_r - wall * 0.15, top_z + wall * 0.32),
            (top_r - wall * 0.5, top_z + wall * 0.45),
        ]
        lip.append((top_r - wall * 0.85, top_z + wall * 0.32))
        profile = [(0.0, line[0][1]), *line, *lip, *reversed(inner), (0.0, inner[0][1])]
        self.lathe(profile, material, at=at, turn=turn, flutes=flutes, sides=sides)
        return inner

    def cyl(
        self,
        radius: float,
        height: float,
        material: str,
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
        top: float | None = None,
        bevel: float = 0.15,
        sides: int = 48,
    ) -> Part:
        """A cylinder or cone standing on `at`, with softened rims."""
        upper = radius if top is None else top
        b = min(bevel, 0.45 * height, 0.45 * max(min(radius, upper), 1e-3))
        k = 0.29 * b
        profile = [(0.0, 0.0), (radius - b, 0.0), (radius - k, k), (radius, b)]
        profile += [
            (upper, height - b),
            (upper - k, height - k),
            (upper - b, height),
            (0.0, height),
        ]
        return self.lathe(profile, material, at=at, turn=turn, sides=sides)

    def rod(
        self,
        start: Point3,
        end: Point3,
        radius: float,
        material: str,
        end_radius: float | None = None,
        bevel: float = 0.15,
    ) -> Part:
        """A straight round bar between two points."""
        a, b = Vector(start), Vector(end)
        span = b - a
        matrix = Matrix.Translation(a) @ span.to_track_quat("Z", "Y").to_matrix().to_4x4()
        self._stack.append(self._stack[-1] @ matrix)
        part = self.cyl(radius, span.length, material, top=end_radius, bevel=bevel, sides=28)
        self._stack.pop()
        return part

    def tube(
        self,
        points: Sequence[Point3],
        radius: float | Sequence[float],
        material: str,
        smooth: int = 8,
        closed: bool = False,
        sides: int = 16,
        flat: tuple[float, float] = (1.0, 1.0),
        up: Point3 | None = None,
    ) -> Part:
        """A bar along a curve through `points`; `flat` squeezes its section (sideways, upwards)."""
        widths = [radius] * len(points) if isinstance(radius, (int, float)) else list(radius)
        rows = [(*p, w) for p, w in zip(points, widths, strict=True)]
        path = np.array(smooth_path(rows, smooth, closed) if smooth else rows, dtype=np.float64)
        centre, width = path[:, :3], path[:, 3]
        side, lift = _frames(centre, closed, up)
        angles = np.arange(sides) * (2 * math.pi / sides)
        ring = (
            side[:, None, :] * (np.cos(angles) * flat[0])[None, :, None]
            + lift[:, None, :] * (np.sin(angles) * flat[1])[None, :, None]
        )
        verts = centre[:, None, :] + ring * width[:, None, None]
        steps = np.linalg.norm(np.diff(centre, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        tex = np.stack(
            [
                np.cos(angles)[None, :] * width[:, None],
                np.sin(angles)[None, :] * width[:, None],
                np.repeat(along[:, None], sides, axis=1),
            ],
            axis=2,
        ).reshape(-1, 3)
        count = len(centre)
        faces = _grid_faces(count, sides, wrap=True, wrap_rows=closed)
        if not closed:
            faces.append(tuple(range(sides))[::-1])
            faces.append(tuple((count - 1) * sides + i for i in range(sides)))
        return self.add(verts.reshape(-1, 3), faces, material, tex=tex)

    def blob(
        self,
        size: Point3,
        at: Point3,
        material: str,
        square: tuple[float, float] = (0.6, 0.6),
        turn: Point3 = (0, 0, 0),
        rows: int = 28,
        cols: int = 48,
    ) -> Part:
        """A superellipsoid: `square` (seen from the side, from above) from 0.1 boxy to 1 round."""
        v = np.linspace(-math.pi / 2, math.pi / 2, rows)[:, None]
        u = np.linspace(-math.pi, math.pi, cols, endpoint=False)[None, :]
        e1, e2 = square
        x = _spow(np.cos(v), e1) * _spow(np.cos(u), e2)
        y = _spow(np.cos(v), e1) * _spow(np.sin(u), e2)
        z = _spow(np.sin(v), e1) * np.ones_like(u)
        verts = np.stack([x, y, z], axis=2).reshape(-1, 3) * np.array(size) / 2
        faces = _grid_faces(rows, cols, wrap=True)
        return self.add(verts, faces, material, at=at, turn=turn)

    def ball(self, radius: float, at: Point3, material: str) -> Part:
        return self.blob((2 * radius,) * 3, at, material, square=(1.0, 1.0), rows=36, cols=56)

    def sheet(
        self,
        shape: Callable[[np.ndarray, np.ndarray], np.ndarray],
        grid: tuple[int, int],
        thickness: float,
        material: str,
        size: Point2 = (1.0, 1.0),
        at: Point3 = (0, 0, 0),
        turn: Point3 = (0, 0, 0),
    ) -> Part:
        """Cloth or bent panel: `shape(u, v)` gives (n, 3) positions for u, v in 0..1.

        `size` in cm scales the texture coordinates along u and v.
        """
        rows, cols = grid
        v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, cols), indexing="ij")
        front = shape(u.ravel(), v.ravel())
        surface = front.reshape(rows, cols, 3)
        normal = np.cross(np.gradient(surface, axis=1), np.gradient(surface, axis=0)).reshape(-1, 3)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        verts = np.concatenate([front + normal * thickness / 2, front - normal * thickness / 2])
        count = rows * cols
        top = [f[::-1] for f in _grid_faces(rows, cols, wrap=False)]
        bottom = [tuple(count + i for i in f[::-1]) for f in top]
        edge = [*range(cols), *(r * cols + cols - 1 for r in range(1, rows))]
        edge += [count - 1 - i for i in range(1, cols)]
        edge += [r * cols for r in range(rows - 2, 0, -1)]
        rim = [
            (edge[i], edge[(i + 1) % len(edge)], edge[(i + 1) % len(edge)] + count, edge[i] + count)
            for i in range(len(edge))
        ]
        flat = np.stack([u.ravel() * size[0], v.ravel() * size[1], np.zeros(count)], axis=1)
        tex = np.concatenate([flat, flat])
        return self.add(verts, [*top, *bottom, *rim], material, tex=tex, at=at, turn=turn)


def _turn(degrees: Point3) -> Matrix:
    return Euler([math.radians(d) for d in degrees], "XYZ").to_matrix().to_4x4()


def _spow(base: np.ndarray, power: float) -> np.ndarray:
    return np.sign(base) * np.abs(base) ** power


def _supported(line: np.ndarray) -> np.ndarray:
    """The profile with extra points near the ends of long pieces, so that the normals of a corner
    are not blended along a whole wall, which would bend light in glass."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    rows = [line[0]]
    for start, end, length in zip(line[:-1], line[1:], lengths, strict=True):
        if length > 0.04 * lengths.sum():
            rows += [start + (end - start) * t for t in (0.06, 0.94)]
        rows.append(end)
    return np.array(rows)


def _from_bmesh(bm: bmesh.types.BMesh) -> tuple[np.ndarray, list[Face]]:
    bm.verts.index_update()
    verts = np.array([v.co[:] for v in bm.verts], dtype=np.float64)
    faces = [tuple(v.index for v in f.verts) for f in bm.faces]
    bm.free()
    return verts, faces


def _grid_faces(rows: int, cols: int, wrap: bool, wrap_rows: bool = False) -> list[Face]:
    faces: list[Face] = []
    for r in range(rows if wrap_rows else rows - 1):
        below, above = r * cols, ((r + 1) % rows) * cols
        for c in range(cols if wrap else cols - 1):
            n = (c + 1) % cols
            faces.append((below + c, below + n, above + n, above + c))
    return faces


def _frames(
    centre: np.ndarray, closed: bool, up: Point3 | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors (n, 3) across the path at each point, carried along without twisting."""
    if closed:
        tangent = np.roll(centre, -1, axis=0) - np.roll(centre, 1, axis=0)
    else:
        tangent = np.gradient(centre, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    if up is not None:
        side = np.cross(np.asarray(up, dtype=np.float64)[None, :], tangent)
        side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
        return side, np.cross(tangent, side)
    start = np.eye(3)[int(np.argmin(np.abs(tangent[0])))]
    side = np.empty_like(centre)
    current = np.cross(start, tangent[0])
    for i, t in enumerate(tangent):
        current = current - t * float(current @ t)
        current = current / max(float(np.linalg.norm(current)), 1e-12)
        side[i] = current
    return side, np.cross(tangent, side)
