"""The names that `--model` takes, and where each one's files come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import EncoderError

STARTER = "starter"
STARTER_FOLDER = Path(__file__).parent / "starter"
LOCAL = "local-dir:"
HUB = "hf-hub:"
INT8 = "int8:"
FOLDERS = (LOCAL, INT8)
FORMS = (
    "`starter`, ARCH/TAG (such as ViT-B-32/laion2b_s34b_b79k), hf-hub:ORG/REPO, local-dir:PATH "
    "or int8:PATH"
)


@dataclass(frozen=True)
class ModelName:
    """A parsed model name.

    Attributes:
        written: as the user wrote it.
        architecture: what open_clip calls `model_name`, schema included.
        pretrained: open_clip's tag, or None where the schema says it all.
    """

    written: str
    architecture: str
    pretrained: str | None

    @property
    def folder(self) -> Path | None:
        """The folder of a local model, else None."""
        schema, path = _schema_of(self.architecture)
        return Path(path) if schema else None

    @property
    def quantized(self) -> bool:
        """Made by `retrieval quantize`, and not open_clip's to load."""
        return self.architecture.startswith(INT8)


def portable_name(name: str, index: Path) -> str:
    """The name as an index stores it: a local folder relative to that of the index."""
    schema, path = _schema_of(name)
    if not schema:
        return name
    return schema + Path(os.path.relpath(Path(path).resolve(), index.resolve())).as_posix()


def name_from_here(stored: str, index: Path) -> str:
    """The name that an index stored, as it can be loaded from the current folder."""
    schema, path = _schema_of(stored)
    return schema + os.path.normpath(index.resolve() / path) if schema else stored


def parse_model_name(name: str) -> ModelName:
    """Raises EncoderError where `name` has none of the FORMS."""
    if name == STARTER:
        return ModelName(name, f"{LOCAL}{STARTER_FOLDER}", None)
    for schema in (*FOLDERS, HUB):
        if name.startswith(schema):
            if name == schema:
                raise EncoderError(f"model {name!r} lacks what comes after the colon; give {FORMS}")
            return ModelName(name, name, None)
    architecture, slash, tag = name.partition("/")
    if not (architecture and slash and tag):
        raise EncoderError(f"model {name!r} is not a name; give {FORMS}")
    return ModelName(name, architecture, tag)


def _schema_of(name: str) -> tuple[str, str]:
    """The schema of a name that is a folder, and its path; ("", name) of any other."""
    schema = next((prefix for prefix in FOLDERS if name.startswith(prefix)), "")
    return schema, name.removeprefix(schema)
