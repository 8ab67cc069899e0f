"""Shader-node materials for the finishes of `palette`. Textures read the `tex` attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from . import palette
from .palette import Rgb, mix, rgb


class Nodes:
    """A node tree under construction, with the few nodes used here by short names."""

    def __init__(self, name: str, scale: float) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.out = self.new("ShaderNodeOutputMaterial")
        self.scale = scale

    def new(self, kind: str, **settings: Any) -> Any:
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def link(self, source: Any, target: Any) -> None:
        self.tree.links.new(source, target)

    def coords(self, stretch: tuple[float, float, float] = (1, 1, 1)) -> Any:
        """Texture coordinates in centimetres of the product, stretched by axis."""
        attribute = self.new("ShaderNodeAttribute", attribute_name="tex")
        mapping = self.new("ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = [s * self.scale for s in stretch]
        self.link(attribute.outputs["Vector"], mapping.inputs["Vector"])
        return mapping.outputs["Vector"]

    def noise(self, vector: Any, scale: float, detail: float = 4, rough: float = 0.55) -> Any:
        node = self.new("ShaderNodeTexNoise")
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = detail
        node.inputs["Roughness"].default_value = rough
        self.link(vector, node.inputs["Vector"])
        return node.outputs["Fac"]

    def ramp(self, value: Any, stops: list[tuple[float, Rgb]]) -> Any:
        node = self.new("ShaderNodeValToRGB")
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, color) in zip(elements, stops, strict=True):
            element.position = position
            element.color = (*color, 1)
        self.link(value, node.inputs["Fac"])
        return node.outputs["Color"]

    def math(self, operation: str, a: Any, b: Any) -> Any:
        node = self.new("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, (a, b), strict=False):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                self.link(value, socket)
        return node.outputs["Value"]

    def bump(self, height: Any, strength: float, distance: float = 0.02) -> Any:
        node = self.new("ShaderNodeBump")
        node.inputs["Strength"].default_value = strength
        node.inputs["Distance"].default_value = distance
        self.link(height, node.inputs["Height"])
        return node.outputs["Normal"]

    def principled(self, color: Any, normal: Any = None, **inputs: Any) -> Any:
        node = self.new("ShaderNodeBsdfPrincipled")
        if isinstance(color, tuple):
            node.inputs["Base Color"].default_value = (*color, 1)
        else:
            self.link(color, node.inputs["Base Color"])
        for key, value in inputs.items():
            socket = node.inputs[key.replace("_", " ")]
            if isinstance(value, (int, float, tuple)):
                socket.default_value = value
            else:
                self.link(value, socket)
        if normal is not None:
            self.link(normal, node.inputs["Normal"])
        self.link(node.outputs["BSDF"], self.out.inputs["Surface"])
        return node


def _wood(n: Nodes, variant: str) -> None:
    wood = palette.WOODS[variant]
    dark, light = rgb(wood.dark), rgb(wood.light)
    coords = n.coords((1.0, 1.0, 0.09))
    broad = n.noise(coords, 0.22, detail=2)
    wave = n.new("ShaderNodeTexWave", wave_type="BANDS", bands_direction="X", wave_profile="SAW")
    wave.inputs["Scale"].default_value = 0.19
    wave.inputs["Distortion"].default_value = 9.0 * wood.grain
    wave.inputs["Detail"].default_value = 2.5
    wave.inputs["Detail Scale"].default_value = 0.6
    n.link(coords, wave.inputs["Vector"])
    fibre = n.noise(n.coords((1.0, 1.0, 0.03)), 5.5, detail=4, rough=0.65)
    value = n.math("MULTIPLY_ADD", wave.outputs["Fac"], 0.55)
    value.node.inputs[2].default_value = 0.0
    value = n.math("ADD", value, n.math("MULTIPLY", broad, 0.35))
    value = n.math("ADD", value, n.math("MULTIPLY", fibre, 0.45))
    middle = mix(dark, light, 0.6)
    color = n.ramp(value, [(0.22, dark), (0.62, middle), (1.0, light)])
    normal = n.bump(fibre, 0.12, 0.01)
    n.principled(color, normal, Roughness=0.42, Coat_Weight=0.12, Coat_Roughness=0.25)


def _glass(n: Nodes, tint: Rgb, roughness: float = 0.0) -> None:
    """Glass whose shadow is tinted light instead of the black of a shadow without caustics."""
    glass = n.new("ShaderNodeBsdfPrincipled")
    glass.inputs["Base Color"].default_value = (*tint, 1)
    glass.inputs["Transmission Weight"].default_value = 1.0
    glass.inputs["Roughness"].default_value = roughness
    glass.inputs["IOR"].default_value = 1.47
    clear = n.new("ShaderNodeBsdfTransparent")
    clear.inputs["Color"].default_value = (*mix(tint, (1, 1, 1), 0.15), 1)
    path = n.new("ShaderNodeLightPath")
    shader = n.new("ShaderNodeMixShader")
    n.link(path.outputs["Is Shadow Ray"], shader.inputs["Fac"])
    n.link(glass.outputs["BSDF"], shader.inputs[1])
    n.link(clear.outputs["BSDF"], shader.inputs[2])
    n.link(shader.outputs["Shader"], n.out.inputs["Surface"])


def _through(variant: str) -> Rgb:
    """The tint of one surface: light that crosses a hollow body passes four of them."""
    red, green, blue = (c**0.55 for c in rgb(palette.GLASS[variant][0]))
    return (red, green, blue)


def _tinted_glass(n: Nodes, variant: str) -> None:
    _glass(n, _through(variant))


def _frosted(n: Nodes, variant: str) -> None:
    _glass(n, _through(variant), roughness=0.35)


def _metal(n: Nodes, variant: str) -> None:
    hex_value, roughness, _ = palette.METALS[variant]
    color = rgb(hex_value)
    if variant in {"chrome", "gold"}:
        n.principled(color, Metallic=1.0, Roughness=roughness)
        return
    streaks = n.noise(n.coords((1, 1, 0.02)), 6.0, detail=3)
    rough = n.math("ADD", n.math("MULTIPLY", streaks, 0.18), roughness - 0.07)
    normal = n.bump(streaks, 0.05, 0.01)
    n.principled(color, normal, Metallic=1.0, Roughness=rough)


def _weave(n: Nodes, color: Rgb, count: float, depth: float, sheen: float, melange: float) -> None:
    """Over-and-under threads: two crossed waves, `count` threads a centimetre."""
    coords = n.coords()
    waves = []
    for axis in ("X", "Y", "Z"):
        wave = n.new("ShaderNodeTexWave", wave_type="BANDS", bands_direction=axis)
        wave.inputs["Scale"].default_value = count
        wave.inputs["Distortion"].default_value = 0.6
        n.link(coords, wave.inputs["Vector"])
        waves.append(wave.outputs["Fac"])
    height = n.math("ADD", n.math("ADD", waves[0], waves[1]), waves[2])
    height = n.math("MULTIPLY", height, 0.33)
    cloud = n.noise(coords, count * 2.2, detail=3)
    value = n.math("ADD", n.math("MULTIPLY", height, 0.5), n.math("MULTIPLY", cloud, 0.5))
    dark, light = mix(color, (0, 0, 0), melange), mix(color, (1, 1, 1), melange * 0.45)
    shade = n.ramp(value, [(0.25, dark), (0.75, light)])
    n.principled(
        shade,
        n.bump(height, depth, 0.03),
        Roughness=0.92,
        Sheen_Weight=sheen,
        Sheen_Roughness=0.4,
        Specular_IOR_Level=0.15,
    )


def _fabric(n: Nodes, variant: str) -> None:
    _weave(n, rgb(palette.COLORS[variant]), 1.6, 0.35, 0.15, 0.14)


def _linen(n: Nodes, variant: str) -> None:
    _weave(n, rgb(palette.COLORS[variant]), 1.1, 0.5, 0.1, 0.22)


def _canvas(n: Nodes, variant: str) -> None:
    _weave(n, rgb(palette.COLORS[variant]), 1.3, 0.45, 0.05, 0.12)


def _denim(n: Nodes, variant: str) -> None:
    _weave(n, rgb(palette.COLORS[variant]), 2.0, 0.4, 0.05, 0.4)


def _wool(n: Nodes, variant: str) -> None:
    _weave(n, rgb(palette.COLORS[variant]), 0.45, 0.9, 0.3, 0.2)


def _jute(n: Nodes, _: str) -> None:
    _weave(n, rgb("#b89462"), 0.5, 0.9, 0.05, 0.35)


def _velvet(n: Nodes, variant: str) -> None:
    color = rgb(palette.COLORS[variant])
    cloud = n.noise(n.coords(), 0.12, detail=2)
    shade = n.ramp(cloud, [(0.3, mix(color, (0, 0, 0), 0.14)), (0.7, mix(color, (1, 1, 1), 0.03))])
    n.principled(
        shade, Roughness=0.8, Sheen_Weight=0.5, Sheen_Roughness=0.3, Specular_IOR_Level=0.1
    )


def _felt(n: Nodes, variant: str) -> None:
    color = rgb(palette.COLORS[variant])
    fuzz = n.noise(n.coords(), 2.5, detail=6, rough=0.7)
    shade = n.ramp(fuzz, [(0.3, mix(color, (0, 0, 0), 0.15)), (0.7, mix(color, (1, 1, 1), 0.1))])
    n.principled(shade, n.bump(fuzz, 0.3, 0.02), Roughness=0.95, Sheen_Weight=0.3)


def _leather(n: Nodes, variant: str) -> None:
    color = rgb(palette.COLORS[variant])
    coords = n.coords()
    cells = n.new("ShaderNodeTexVoronoi", feature="DISTANCE_TO_EDGE")
    cells.inputs["Scale"].default_value = 2.2
    n.link(coords, cells.inputs["Vector"])
    cloud = n.noise(coords, 0.15, detail=3)
    shade = n.ramp(cloud, [(0.3, mix(color, (0, 0, 0), 0.22)), (0.75, color)])
    normal = n.bump(cells.outputs["Distance"], 0.22, 0.02)
    n.principled(shade, normal, Roughness=0.48, Specular_IOR_Level=0.4)


def _plain(roughness: float, coat: float = 0.0, **extra: float) -> Callable[[Nodes, str], None]:
    def build(n: Nodes, variant: str) -> None:
        color = rgb(palette.COLORS[variant])
        n.principled(color, Roughness=roughness, Coat_Weight=coat, Coat_Roughness=0.08, **extra)

    return build


def _speckled(n: Nodes, variant: str) -> None:
    color = rgb(palette.COLORS[variant])
    coords = n.coords()
    spots = n.noise(coords, 2.6, detail=2)
    glaze = n.noise(coords, 0.25, detail=3)
    dark = mix(color, rgb("#3a2a1c"), 0.6)
    base = n.ramp(glaze, [(0.3, mix(color, (0, 0, 0), 0.1)), (0.7, mix(color, (1, 1, 1), 0.06))])
    mask = n.ramp(spots, [(0.66, (0, 0, 0)), (0.7, (1, 1, 1))])
    blend = n.new("ShaderNodeMix", data_type="RGBA")
    n.link(mask, blend.inputs["Factor"])
    n.link(base, blend.inputs[6])
    blend.inputs[7].default_value = (*dark, 1)
    n.principled(blend.outputs[2], Roughness=0.38, Coat_Weight=0.25, Coat_Roughness=0.2)


def _marble(n: Nodes, variant: str) -> None:
    base, vein = (rgb("#ecebe8"), rgb("#84868a"))
    if variant == "black":
        base, vein = rgb("#161617"), rgb("#a9a7a2")
    elif variant == "green":
        base, vein = rgb("#1f4436"), rgb("#93b3a2")
    coords = n.coords()
    warp = n.noise(coords, 0.09, detail=7, rough=0.62)
    ridge = n.math("ABSOLUTE", n.math("SUBTRACT", warp, 0.5), 0)
    color = n.ramp(ridge, [(0.0, vein), (0.022, mix(base, vein, 0.25)), (0.09, base)])
    n.principled(color, Roughness=0.18, Coat_Weight=0.2)


def _mottled(light: str, dark: str, scale: float, bump: float) -> Callable[[Nodes, str], None]:
    def build(n: Nodes, _: str) -> None:
        grain = n.noise(n.coords(), scale, detail=6, rough=0.68)
        color = n.ramp(grain, [(0.36, rgb(dark)), (0.62, rgb(light))])
        n.principled(color, n.bump(grain, bump, 0.02), Roughness=0.85, Specular_IOR_Level=0.2)

    return build


def _rattan(n: Nodes, variant: str) -> None:
    base = rgb("#1c1a18") if variant == "black" else rgb("#b98a4f")
    streak = n.noise(n.coords((1, 1, 0.08)), 1.8, detail=3)
    color = n.ramp(streak, [(0.3, mix(base, (0, 0, 0), 0.35)), (0.7, mix(base, (1, 1, 1), 0.12))])
    n.principled(color, n.bump(streak, 0.2, 0.02), Roughness=0.55)


def _glow(n: Nodes, variant: str) -> None:
    """A lampshade or bulb that is lit from inside."""
    strength = {"warm": 2.6, "shade": 0.55, "screen": 0.5}.get(variant, 1.0)
    color = rgb("#ffdca8") if variant != "screen" else rgb("#5b8fd0")
    n.principled(color, Roughness=0.5, Emission_Color=(*color, 1), Emission_Strength=strength)


def _wax(n: Nodes, variant: str) -> None:
    color = rgb(palette.COLORS[variant])
    n.principled(color, Roughness=0.45, Subsurface_Weight=0.35, Subsurface_Scale=0.1)


BUILDERS: dict[str, Callable[[Nodes, str], None]] = {
    "wood": _wood,
    "glass": _tinted_glass,
    "frosted": _frosted,
    "metal": _metal,
    "fabric": _fabric,
    "linen": _linen,
    "canvas": _canvas,
    "denim": _denim,
    "wool": _wool,
    "jute": _jute,
    "velvet": _velvet,
    "felt": _felt,
    "leather": _leather,
    "plastic": _plain(0.28),
    "rubber": _plain(0.62, Specular_IOR_Level=0.3),
    "silicone": _plain(0.5),
    "foam": _plain(0.9, Specular_IOR_Level=0.15),
    "ceramic": _plain(0.16, 0.5),
    "porcelain": _plain(0.1, 0.8),
    "stoneware": _speckled,
    "paint": _plain(0.35),
    "lacquer": _plain(0.12, 0.9),
    "enamel": _plain(0.14, 0.7),
    "coated": _plain(0.42),
    "paper": _plain(0.85, Specular_IOR_Level=0.15),
    "card": _mottled("#b98d5f", "#a67b4f", 1.5, 0.05),
    "marble": _marble,
    "granite": _mottled("#8b8a88", "#4b4a49", 4.0, 0.05),
    "terracotta": _mottled("#bd7353", "#a65f40", 0.8, 0.12),
    "concrete": _mottled("#a9a8a5", "#8c8b88", 0.6, 0.15),
    "cork": _mottled("#c39664", "#845a33", 2.2, 0.3),
    "rattan": _rattan,
    "glow": _glow,
    "wax": _wax,
}


def build_material(finish: str, units_per_cm: float) -> Any:
    """A new Blender material for a finish; `units_per_cm` is the scale of the placed model.

    Raises KeyError for a finish that `palette` does not know.
    """
    family, variant = palette.split(finish)
    nodes = Nodes(finish, 1.0 if family != "wood" else max(1.0, 0.012 / units_per_cm * 1.2))
    BUILDERS[family](nodes, variant)
    return nodes.material
