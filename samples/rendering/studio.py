"""The photo studio: places a model, lights it, frames it and takes the picture with Cycles."""

from __future__ import annotations

import io
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image, ImageFilter

from . import backdrops
from .geometry import Model
from .materials import build_material

LONGEST = 2.0
"""Every product is scaled so that its longest side measures this many Blender units."""


MIRRORING = {"glass", "frosted", "metal"}
"""Families of finishes whose surfaces show sharp reflections or what is behind them."""


RENDERED = 0.875
"""Photos are rendered at this part of their size and enlarged: a quarter of the time is saved."""

SHARPEN = ImageFilter.UnsharpMask(radius=0.9, percent=45, threshold=1)


@dataclass(frozen=True)
class Shot:
    """One photo: camera angles in degrees (azimuth 0 is the front), and what stands around."""

    azimuth: float = 28.0
    elevation: float = 18.0
    fill: float = 0.74
    scene: str = "studio"
    tone: str = "white"
    focus: tuple[float, float, float] | None = None
    zoom: float = 1.0
    wood: str = "oak"
    lift: float = 0.0
    main: str = ""


def configure(size: int, samples: int, threads: int = 2) -> None:
    """Start from an empty scene with the render settings of the whole catalog."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = round(size * RENDERED)
    scene["size"] = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode = "FIXED"
    scene.render.threads = threads
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.compression = 10
    scene.view_settings.view_transform = "Khronos PBR Neutral"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    scene["base_samples"] = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = 0.1
    cycles.adaptive_min_samples = 4
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "NONE"
    cycles.denoising_quality = "FAST"
    cycles.max_bounces = 8
    cycles.diffuse_bounces = 1
    cycles.glossy_bounces = 2
    cycles.use_light_tree = False
    cycles.transmission_bounces = 8
    cycles.transparent_max_bounces = 12
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 2.0
    cycles.blur_glossy = 0.5


def base_samples() -> int:
    """Light paths a pixel that `configure` asked for."""
    return int(bpy.context.scene["base_samples"])


def clear() -> None:
    """Remove every object and the data that nothing uses any more."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj, do_unlink=True)
    for group in (
        bpy.data.meshes,
        bpy.data.materials,
        bpy.data.lights,
        bpy.data.cameras,
        bpy.data.worlds,
    ):
        for block in list(group):
            if block.users == 0 or group is bpy.data.worlds:
                group.remove(block)


def place(model: Model, lift: float = 0.0) -> np.ndarray:
    """Put the parts into the scene, `lift` units above the floor. Returns vertices (n, 3)."""
    everything = np.concatenate([p.verts for p in model.parts])
    low, high = everything.min(axis=0), everything.max(axis=0)
    longest = float((high - low).max())
    factor = LONGEST / longest
    origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    texture = (45.0 / longest) ** 0.7
    made: dict[str, Any] = {}
    for index, part in enumerate(model.parts):
        if part.material not in made:
            made[part.material] = build_material(part.material, factor)
        verts = (part.verts - origin) * factor + np.array([0.0, 0.0, lift])
        _emit(f"part{index}", part, verts, part.tex * texture, made[part.material])
    return (everything - origin) * factor + np.array([0.0, 0.0, lift])


def _emit(name: str, part: Any, verts: np.ndarray, tex: np.ndarray, material: Any) -> None:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(verts.tolist(), [], part.faces)
    mesh.validate()
    attribute = mesh.attributes.new("tex", "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", tex.astype(np.float32).ravel())
    _outward(mesh)
    mesh.shade_smooth()
    if part.normals == "area":
        mesh.normals_split_custom_set_from_vertices(_area_normals(mesh).tolist())
    else:
        mesh.set_sharp_from_angle(angle=math.radians(38))
    mesh.materials.append(material)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    if part.subsurf:
        modifier = obj.modifiers.new("subsurf", "SUBSURF")
        modifier.levels = modifier.render_levels = part.subsurf


def _outward(mesh: Any) -> None:
    bm = bmesh.new()
    bm.from_mesh(mesh)
    bmesh.ops.remove_doubles(bm, verts=bm.verts, dist=1e-6)
    bmesh.ops.recalc_face_normals(bm, faces=bm.faces)
    bm.to_mesh(mesh)
    bm.free()


def _area_normals(mesh: Any) -> np.ndarray:
    """Vertex normals (n, 3) weighted by face area, so that bevelled flats stay flat."""
    normals = np.zeros((len(mesh.vertices), 3))
    for polygon in mesh.polygons:
        normals[list(polygon.vertices)] += np.array(polygon.normal[:]) * polygon.area
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def frame_camera(points: np.ndarray, shot: Shot) -> Vector:
    """Aim a long lens so that the points fill `shot.fill` of the frame. Returns its position."""
    camera_data = bpy.data.cameras.new("camera")
    camera_data.lens = 75.0
    camera = bpy.data.objects.new("camera", camera_data)
    bpy.context.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    a, e = math.radians(shot.azimuth), math.radians(shot.elevation)
    direction = Vector(
        (math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e))
    ).normalized()
    rotation = direction.to_track_quat("Z", "Y").to_matrix()
    axes = np.array(rotation)
    right, up = axes[:, 0], axes[:, 1]
    toward = np.array(direction)
    slope = math.tan(math.atan(18.0 / camera_data.lens))
    centre = points.mean(axis=0)
    distance = 8.0
    for _ in range(12):
        relative = points - centre
        depth = distance - relative @ toward
        x, y = relative @ right / depth, relative @ up / depth
        centre = centre + right * (x.max() + x.min()) / 2 * distance
        centre = centre + up * (y.max() + y.min()) / 2 * distance
        reach = max(x.max() - x.min(), y.max() - y.min()) / 2
        distance *= reach / (slope * shot.fill)
    if shot.focus is not None:
        low, high = points.min(axis=0), points.max(axis=0)
        centre = low + (high - low) * np.array(shot.focus)
    position = Vector(centre + toward * distance / shot.zoom)
    camera.matrix_world = Matrix.Translation(position) @ rotation.to_4x4()
    camera_data.clip_end = 500
    return position


def take(model: Model, shot: Shot, seed: int) -> Image.Image:
    """Render one photo of a model as an RGB image."""
    clear()
    points = place(model, shot.lift)
    backdrops.build(shot.scene, shot.tone, shot.wood, points, shot.azimuth, seed)
    _lights(shot, points)
    frame_camera(points, shot)
    scene = bpy.context.scene
    scene.cycles.seed = seed % (2**31)
    families = {p.material.split(":")[0] for p in model.parts}
    scene.cycles.samples = int(base_samples() * (1.4 if families & {"glass", "frosted"} else 1))
    # Denoiser guides are themselves noisy where light is split by glass or mirrored sharply, and
    # would hand their noise on: filter them first, or do without.
    mirroring = families & {"glass", "frosted"} or shot.main in MIRRORING
    scene.cycles.denoising_input_passes = "RGB" if mirroring else "RGB_ALBEDO_NORMAL"
    scene.cycles.denoising_prefilter = "FAST" if families & MIRRORING else "NONE"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shot.png"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = Image.open(path).convert("RGB")
    size = int(scene["size"])
    return image.resize((size, size), Image.Resampling.LANCZOS).filter(SHARPEN)


def _lights(shot: Shot, points: np.ndarray) -> None:
    """A large soft key from the left, a fill from the right, a strip from behind and above."""
    middle = Vector((0.0, 0.0, float(points[:, 2].max()) * 0.5))
    turn = math.radians(shot.azimuth * 0.6)
    for angle, height, reach, size, power in (
        (-48, 3.4, 4.6, 3.2, 215.0),
        (58, 2.2, 5.0, 3.6, 70.0),
        (165, 4.4, 3.4, 2.4, 95.0),
    ):
        a = math.radians(angle) + turn
        position = Vector((math.sin(a) * reach, -math.cos(a) * reach, height))
        _area_light(position, middle, size, power)
    if shot.scene == "wall":
        return
    _area_light(Vector((0, 0, 6.0)), middle, 4.0, 120.0)


def _area_light(position: Vector, target: Vector, size: float, power: float) -> None:
    data = bpy.data.lights.new("light", "AREA")
    data.size = size
    data.energy = power
    light = bpy.data.objects.new("light", data)
    light.matrix_world = (
        Matrix.Translation(position)
        @ (position - target).to_track_quat("Z", "Y").to_matrix().to_4x4()
    )
    bpy.context.collection.objects.link(light)


def encode_jpeg(image: Image.Image, target_bytes: int = 24_000) -> bytes:
    """JPEG bytes at the highest of a few qualities that stays under `target_bytes`."""
    data = b""
    for quality in (88, 84, 80, 75, 70, 64, 58):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        data = buffer.getvalue()
        if len(data) <= target_bytes:
            break
    return data
