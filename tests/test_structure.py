"""Imports point one way, rooms are rooms, and a library is used where it belongs.

Who moves a module, or adds one, is told here what the map in CONTRIBUTING.md promises.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the first line down: a module imports its own room and the lines before it; rooms on one
# line do not import each other.
LAYERS = (
    ("retrieval.errors",),
    ("retrieval.common",),
    ("retrieval.settings", "retrieval.images"),
    ("retrieval.sources", "retrieval.encoders", "retrieval.storage"),
    ("retrieval.searching",),
    ("retrieval.indexing",),
    ("retrieval", "retrieval.client"),
    ("retrieval.evaluation",),
    ("retrieval.adaptation", "retrieval.bench"),
    ("retrieval_web",),
    ("retrieval.cli",),
    ("retrieval.__main__",),
    ("scripts", "samples", "training"),
)
# Who may import a library; of torch and what needs it, within functions alone but in openclip.py,
# which only those import: a search that OpenVINO answers loads none.
LIBRARIES = {
    ("torch", "open_clip", "torchvision", "timm"): (
        "retrieval.encoders.openclip",
        "retrieval.encoders.openvino.conversion",
        "retrieval.encoders.resizing",
        "retrieval.encoders.loading",
        "retrieval.adaptation.fitting",
        "retrieval.bench.encoding",
        "retrieval.bench.peers",
        "training",
    ),
    ("faiss",): ("retrieval.storage.folder.ann", "retrieval.bench.searching"),
    ("sqlalchemy", "alembic"): ("retrieval.storage",),
    ("sqlite3",): ("retrieval.storage", "retrieval.bench.peers"),
    ("flask", "flask_openapi3", "flask_limiter", "flask_cors", "flask_compress"): (
        "retrieval_web",
    ),
    ("waitress",): ("retrieval_web", "retrieval.cli"),
    ("click", "rich"): ("retrieval.cli", "scripts", "samples", "training"),
    ("retrieval.storage.folder",): (
        "retrieval.storage",
        "retrieval.evaluation.index_loss",
        "retrieval.bench.searching",
    ),
}
# Loaded by nobody's import: each of them imports torch at its top.
TORCH_AT_THE_TOP = (
    "retrieval.encoders.openclip",
    "retrieval.encoders.openvino.conversion",
    "retrieval.adaptation.fitting",
    "retrieval.bench.encoding",
    "retrieval.bench.peers",
    "training",
)
# What is measured with a model is measured before: a rebuild that ran one would show up here.
WITHOUT_ENCODERS = (
    "retrieval.storage",
    "retrieval.indexing.publishing",
    "retrieval.indexing.maintenance",
    "retrieval.indexing.calibration",
    "retrieval.indexing.catalog_map",
)
MOST_LINES = 400
PARTS = ("retrieval", "web", "scripts", "samples", "training")
# A package called `web` would stand in the way of the user's own: it is installed by another name.
INSTALLED_AS = {"web": "retrieval_web"}


@dataclass(frozen=True)
class Import:
    """One import of a module, by its dotted name; `within` a function or at the module's top."""

    importer: str
    imported: str
    line: int
    within: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def modules() -> dict[str, Path]:
    files = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    renamed = {
        ".".join([INSTALLED_AS.get(first, first), *rest]): path
        for name, path in named.items()
        for first, *rest in [name.split(".")]
    }
    return {name.removesuffix(".__init__"): path for name, path in renamed.items()}


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for name, path in modules().items() for found in _imports_of(name, path))


def _imports_of(name: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inner = {id(child) for function in functions for child in ast.walk(function)}
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            # `from package import module` imports the module.
            inside = [f"{base}.{alias.name}" for alias in node.names]
            targets = [full if full in modules() else base for full in inside]
        for target in dict.fromkeys(targets):
            yield Import(name, target, node.lineno, id(node) in inner)


def room(module: str) -> str | None:
    """The line's name that a module belongs to; None where it is a library."""
    rooms = [name for layer in LAYERS for name in layer]
    fitting = [name for name in rooms if module == name or module.startswith(f"{name}.")]
    best = max(fitting, key=len, default=None)
    if best == "retrieval" and module != "retrieval":
        pytest.fail(f"{module} lies in no room; give it one in LAYERS and in CONTRIBUTING.md")
    return best


def level(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


def belongs(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def test_imports_point_down_the_map_and_never_sideways() -> None:
    wrong = []
    for one in imports():
        here, there = room(one.importer), room(one.imported)
        if here is None or there is None or here == there:
            continue
        if level(there) >= level(here):
            wrong.append(str(one))
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within functions, too: such a circle is one that import time merely hides."""
    edges: dict[str, set[str]] = defaultdict(set)
    for one in imports():
        if one.imported in modules() and one.imported != one.importer:
            edges[one.importer].add(one.imported)
    circles = []
    for start in edges:
        reached, ahead = set(), list(edges[start])
        while ahead:
            module = ahead.pop()
            if module not in reached:
                reached.add(module)
                ahead += edges.get(module, ())
        if start in reached:
            circles.append(start)
    assert sorted(circles) == []


def test_a_library_is_imported_where_it_belongs() -> None:
    wrong = [
        str(one)
        for libraries, places in LIBRARIES.items()
        for one in imports()
        if belongs(one.imported, libraries) and not belongs(one.importer, places)
    ]
    assert wrong == []


def test_torch_is_loaded_by_who_needs_it_alone() -> None:
    """A search by words must not wait for the seconds that importing torch takes."""
    torch = next(names for names in LIBRARIES if "torch" in names)
    at_the_top = [
        str(one)
        for one in imports()
        if belongs(one.imported, torch)
        and not one.within
        and not belongs(one.importer, TORCH_AT_THE_TOP)
    ]
    assert at_the_top == []
    loaded = [
        str(one)
        for one in imports()
        if belongs(one.imported, TORCH_AT_THE_TOP)
        and not one.within
        and not belongs(one.importer, TORCH_AT_THE_TOP)
        and not _for_types_alone(one)
    ]
    assert loaded == []


def _for_types_alone(one: Import) -> bool:
    lines = modules()[one.importer].read_text("utf-8").splitlines()
    indented = lines[one.line - 1].startswith("    ")
    above = next((line for line in lines[one.line - 2 :: -1] if not line.startswith("    ")), "")
    return indented and above.startswith("if TYPE_CHECKING")


def test_what_derives_a_generation_imports_no_encoder() -> None:
    """That a rebuild runs no model is a fact of the map, not only of a test that runs one."""
    wrong = [
        str(one)
        for one in imports()
        if belongs(one.importer, WITHOUT_ENCODERS)
        and belongs(one.imported, ("retrieval.encoders",))
    ]
    assert wrong == []


def test_a_module_is_short_enough_to_be_read() -> None:
    long = {
        name: count
        for name, path in modules().items()
        if (count := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_a_room_holds_more_than_one_file() -> None:
    rooms = {path.parent for path in modules().values() if path.parent != ROOT / "scripts"}
    alone = [
        str(folder.relative_to(ROOT))
        for folder in rooms
        if sum(path.name != "__init__.py" for path in folder.glob("*.py")) < 2
        and folder.name not in ("migrations", "versions")
    ]
    assert alone == []


def test_a_package_web_of_the_users_own_is_not_in_the_way(tmp_path: Path) -> None:
    """Many projects have one, and web.py installs one."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "__init__.py").write_text("colour = 'mine'")
    code = (
        "import web, retrieval_web; from retrieval.cli.serving import serve; "
        "print(web.colour, retrieval_web.create_app.__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["mine", "retrieval_web"], done.stderr
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    installed = settings["options.packages.find"]["include"].split()
    assert set(installed) == {"retrieval", "retrieval.*", "retrieval_web"}


def test_the_engine_has_a_dozen_entries() -> None:
    entries = {path.name for path in (ROOT / "retrieval").iterdir() if path.name != "__pycache__"}
    rooms = {name for name in entries if (ROOT / "retrieval" / name).is_dir()}
    assert rooms == {
        "adaptation", "bench", "cli", "common", "encoders", "evaluation",
        "images", "indexing", "searching", "sources", "storage",
    }  # fmt: skip
    files = {"__init__.py", "__main__.py", "client.py", "errors.py", "py.typed", "settings.py"}
    assert entries - rooms == files


_NAMED = re.compile(r"`((?:retrieval|retrieval_web)(?:\.\w+)+)`")
_NOT_MODULES = {"retrieval.toml"}


def test_names_in_prose_lead_somewhere() -> None:
    """A docstring that sends its reader to a module that moved is worse than none."""
    pages = [*modules().values(), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    lost = []
    for path in pages:
        names = set(_NAMED.findall(path.read_text("utf-8"))) - _NOT_MODULES
        lost += [f"{path.relative_to(ROOT)}: {name}" for name in names if not _exists(name)]
    assert lost == []


def _exists(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if module in modules():
            value: object = importlib.import_module(module)
            for part in parts[length:]:
                if not hasattr(value, part) and part not in getattr(value, "__annotations__", {}):
                    return False
                value = getattr(value, part, None)
            return True
    return False


def test_the_map_for_people_has_the_same_lines() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    block = page.partition("Imports go from the first line down")[2].partition("```")[2]
    lines = " ".join(block.partition("```")[0].split()).split("|")
    told = [tuple(name.strip() for name in line.split(",")) for line in lines]
    short = {"retrieval": "retrieval/__init__"}
    held = [
        tuple(short.get(name, name.removeprefix("retrieval.")) for name in layer)
        for layer in LAYERS
    ]
    assert told == held
