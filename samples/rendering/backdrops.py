"""What stands behind and under a product: seamless paper, a table, a room, a wall."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from .materials import BUILDERS, Nodes
from .palette import rgb

TONES: dict[str, str] = {
    "white": "#f4f4f3",
    "grey": "#c3c6ca",
    "blush": "#eecfc6",
    "sky": "#c4dbe8",
    "sage": "#c5d1bd",
    "sand": "#e4d6bf",
    "lilac": "#d6cfe4",
    "butter": "#f1e2ac",
    "slate": "#7d8891",
    "clay": "#c89a80",
    "teal": "#5f9391",
}
"""Paper and wall colours, sRGB."""


def build(scene: str, tone: str, wood: str, points: np.ndarray, azimuth: float, seed: int) -> None:
    """Add the surroundings of a product whose vertices are `points` (n, 3), standing on z = 0."""
    _world(0.55 if scene != "studio" else 0.62)
    rng = np.random.default_rng(seed)
    if scene in {"studio", "paper"}:
        _sweep(_flat(TONES[tone], 0.9), azimuth)
    elif scene == "table":
        _table(TONES[tone], wood, azimuth, rng)
    elif scene == "room":
        _room(TONES[tone], wood, points, azimuth, rng)
    elif scene == "wall":
        _wall(TONES[tone], points)
    elif scene == "boards":
        _planks(rng, 0.75, wood, 1.0)
    else:
        raise ValueError(f"unknown scene {scene!r}")


def _world(strength: float) -> None:
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1)
    background.inputs["Strength"].default_value = strength


def _flat(hex_value: str, roughness: float) -> Any:
    nodes = Nodes("backdrop", 1.0)
    nodes.principled(rgb(hex_value), Roughness=roughness, Specular_IOR_Level=0.1)
    return nodes.material


def _mesh(name: str, verts: list, faces: list, material: Any, tex: list | None = None) -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(verts, [], faces)
    if tex is not None:
        attribute = mesh.attributes.new("tex", "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.asarray(tex, dtype=np.float32).ravel())
    mesh.shade_smooth()
    mesh.materials.append(material)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    return obj


def _sweep(material: Any, azimuth: float) -> None:
    """Seamless paper: a floor that bends up into a wall behind the product."""
    profile = [(-14.0, 0.0), (5.0, 0.0)]
    radius = 4.0
    for i in range(1, 17):
        a = math.radians(90 * i / 16)
        profile.append((5.0 + radius * math.sin(a), radius * (1 - math.cos(a))))
    profile.append((9.0, 16.0))
    verts, faces = [], []
    for y, z in profile:
        verts += [(-24.0, y, z), (24.0, y, z)]
    for i in range(len(profile) - 1):
        faces.append((2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2))
    sweep = _mesh("sweep", verts, faces, material)
    sweep.matrix_world = Matrix.Rotation(math.radians(azimuth), 4, "Z")


def _planks(rng: np.random.Generator, width: float, wood: str, texture: float) -> None:
    """Floor boards or table boards along x, each with its own grain."""
    nodes = Nodes("planks", texture)
    BUILDERS["wood"](nodes, wood)
    # Relief that fine cannot be seen in a floor, and costs three more textures a ray.
    for node in [n for n in nodes.tree.nodes if n.type == "BUMP"]:
        nodes.tree.nodes.remove(node)
    for i in range(-30, 31):
        y = i * width
        shift = rng.uniform(-300, 300, 3)
        gap = 0.004
        x0, x1 = -16.0, 16.0
        verts = [(x0, y, 0), (x1, y, 0), (x1, y + width - gap, 0), (x0, y + width - gap, 0)]
        tex = [((v[1] - y) * 30 + shift[0], shift[1], v[0] * 30 + shift[2]) for v in verts]
        _mesh("plank", verts, [(0, 1, 2, 3)], nodes.material, tex)
    _mesh(
        "under",
        [(-16, -20, -0.01), (16, -20, -0.01), (16, 20, -0.01), (-16, 20, -0.01)],
        [(0, 1, 2, 3)],
        _flat("#2a1d14", 0.9),
    )


def _back_wall(y: float, material: Any, azimuth: float) -> None:
    verts = [(-30.0, y, -20.0), (30.0, y, -20.0), (30.0, y, 20.0), (-30.0, y, 20.0)]
    wall = _mesh("wall", verts, [(0, 1, 2, 3)], material)
    wall.matrix_world = Matrix.Rotation(math.radians(azimuth), 4, "Z")


def _turned(before: set, azimuth: float) -> None:
    for obj in set(bpy.data.objects) - before:
        obj.matrix_world = Matrix.Rotation(math.radians(azimuth), 4, "Z") @ obj.matrix_world


def _table(hex_value: str, wood: str, azimuth: float, rng: np.random.Generator) -> None:
    before = set(bpy.data.objects)
    _planks(rng, 0.9, wood, 1.0)
    _turned(before, azimuth)
    _back_wall(4.6, _flat(hex_value, 0.95), azimuth)


def _room(
    hex_value: str, wood: str, points: np.ndarray, azimuth: float, rng: np.random.Generator
) -> None:
    before = set(bpy.data.objects)
    _planks(rng, 0.3, wood, 0.8)
    depth = float(points[:, 1].max()) + 0.35
    _back_wall(depth, _flat(hex_value, 0.95), 0.0)
    skirting = _flat("#f1f1ef", 0.6)
    verts = []
    for z in (0.0, 0.17):
        verts += [(-30.0, depth - 0.03, z), (30.0, depth - 0.03, z)]
    verts += [(-30.0, depth, 0.18), (30.0, depth, 0.18)]
    _mesh("skirting", verts, [(0, 1, 3, 2), (2, 3, 5, 4)], skirting)
    _turned(before, azimuth * 0.25)


def _wall(hex_value: str, points: np.ndarray) -> None:
    y = float(points[:, 1].max()) + 0.012
    _back_wall(y, _flat(hex_value, 0.95), 0.0)
