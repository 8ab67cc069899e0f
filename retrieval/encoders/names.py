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
FORMS = (
    "`starter`, ARCH/TAG (such as ViT-B-32/laion2b_s34b_b79k), hf-hub:ORG/REPO or local-dir:PATH"
)


@dataclass(frozen=True)
class ModelName:
    """A parsed model name.

    Attributes:
        given: as the user wrote it.
        architecture: what open_clip calls `model_name`, schema included.
        pretrained: open_clip's tag, or None where the schema says it all.
    """

    given: str
    architecture: str
    pretrained: str | None

    @property
    def folder(self) -> Path | None:
        """The folder of a local model, else None."""
        if self.architecture.startswith(LOCAL):
            return Path(self.architecture.removeprefix(LOCAL))
        return None


def portable_name(given: str, index: Path) -> str:
    """The name as an index stores it: a local folder relative to that of the index."""
    if not given.startswith(LOCAL):
        return given
    folder = Path(given.removeprefix(LOCAL)).resolve()
    return LOCAL + Path(os.path.relpath(folder, index.resolve())).as_posix()


def name_from_here(stored: str, index: Path) -> str:
    """The name that an index stored, as it can be loaded from the current folder."""
    if not stored.startswith(LOCAL):
        return stored
    return LOCAL + os.path.normpath(index.resolve() / stored.removeprefix(LOCAL))


def parse_model_name(given: str) -> ModelName:
    """Raises EncoderError where `given` has none of the FORMS."""
    if given == STARTER:
        return ModelName(given, f"{LOCAL}{STARTER_FOLDER}", None)
    for schema in (LOCAL, HUB):
        if given.startswith(schema):
            if given == schema:
                raise EncoderError(
                    f"model {given!r} lacks what comes after the colon; give {FORMS}"
                )
            return ModelName(given, given, None)
    architecture, slash, tag = given.partition("/")
    if not (architecture and slash and tag):
        raise EncoderError(f"model {given!r} is not a name; give {FORMS}")
    return ModelName(given, architecture, tag)
