"""Where models lie that were made ready for the fast path, and what is written beside them.

An export belongs to one model and one machine, and serves every way to fit photos. Nothing here
imports torch or OpenVINO.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from retrieval.encoders.names import ModelName
from retrieval.images.model_input import Fit
from retrieval.settings import Settings

FORMAT = 2
CPU_INFO = Path("/proc/cpuinfo")
META = "export.json"
IMAGE_MODEL = "image.xml"
TEXT_MODEL = "text.xml"
COMPILED = "compiled"
WEIGHTS = ("*.safetensors", "*.bin", "*.pth", "*.json")


@dataclass(frozen=True)
class Export:
    """What an export is, or why there is none.

    Attributes:
        details: of the torch model it was made of, and equal to it in all that its vectors depend
            on: see `retrieval.encoders.base.EncoderDetails`.
        own_fit: how photos were fitted when the model was trained.
        refused: why it must not be used, or None; then nothing below matters.
        base: the model that a quantized one was made of, as `--model` takes it; else None.
        quantized: towers whose weights and arithmetic are int8, out of `images` and `texts`.
        precision: `bf16` or `f32`, what all other arithmetic is done in.
        context: tokens that the text tower sees.
        cuts: the text tower gives the same where what follows the last token is left out.
        start, end: tokens around a text; None where open_clip's own tokenizer is needed.
        cost: see `retrieval.encoders.base.Encoder.cost`.
        check: how near the vectors of `images` and `texts` are to the model's own: see
            `retrieval.common.vectors.NeighbourOverlap`.
    """

    details: dict[str, Any]
    own_fit: Fit = "crop"
    refused: str | None = None
    base: str | None = None
    quantized: tuple[str, ...] = ()
    precision: str = "f32"
    dim: int = 0
    context: int = 0
    cuts: bool = False
    start: int | None = None
    end: int | None = None
    cost: dict[str, dict[str, int]] | None = None
    check: dict[str, dict[str, float]] | None = None


def export_folder(name: ModelName, settings: Settings) -> Path:
    """The folder of a model's export, whether there is one or not.

    Raises:
        OSError: there is neither a setting nor a home.
    """
    return _user_cache(settings) / "openvino" / _key(name, settings)


def export_folder_of_run(name: ModelName, settings: Settings) -> Path:
    """As `export_folder`, where this process alone keeps models; raises OSError."""
    return run_folder() / "openvino" / _key(name, settings)


def can_write(folder: Path) -> bool:
    """Whether files can be made below a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@functools.cache
def run_folder() -> Path:
    """A folder of this process, gone when it ends; raises OSError where there is room for none."""
    folder = Path(tempfile.mkdtemp(prefix="retrieval-models-"))
    atexit.register(_remove_own, folder, os.getpid())
    return folder


def run_folder_made() -> bool:
    """Whether this process keeps models in a folder of its own."""
    return run_folder.cache_info().currsize > 0


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a worker that was forked must not take it from the others
        shutil.rmtree(folder, ignore_errors=True)


def _user_cache(settings: Settings) -> Path:
    if settings.cache is not None:
        return settings.cache
    try:
        return Path(user_cache_path("retrieval"))
    except (RuntimeError, KeyError) as error:  # a user that the system does not know
        raise OSError(f"there is no home ({error})") from None


def _key(name: ModelName, settings: Settings) -> str:
    told = {
        "format": FORMAT,
        "model": name.written if name.folder is None else _files(name.folder),
        "versions": [version(package) for package in ("open_clip_torch", "openvino", "torch")],
        "precision": settings.precision,
        "processor": processor(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


@functools.cache
def processor() -> list[str]:
    """What tells this processor from others: a home may be shared, or copied, between machines."""
    told = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        for line in CPU_INFO.read_text("utf-8", "replace").splitlines():
            field = line.partition(":")[0].strip().lower()
            if field in ("model name", "flags", "features", "cpu part", "cpu implementer"):
                told.append(line.partition(":")[2].strip())
            if not line.strip():  # the next core is as this one
                break
    return told


def read_export(folder: Path) -> Export | None:
    """What lies in a folder; None where it is not whole, or not there."""
    try:
        return Export(**json.loads((folder / META).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def writing_export(folder: Path) -> Iterator[Path | None]:
    """A new folder to fill, which takes the place of `folder` at the end.

    None where another process has filled it while this one waited.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if read_export(folder) is not None:
            yield None
            return
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield partial
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def forget_export(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def write_meta(folder: Path, export: Export) -> None:
    (folder / META).write_text(json.dumps(asdict(export)), "utf-8")


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """The files of a local model: a model that is put in its place is another one."""
    files = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    stats = [(path, path.stat()) for path in files]
    return [(str(path.resolve()), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
