"""The settings of a process: defaults < `retrieval.toml` < environment < flags."""

from __future__ import annotations

import codecs
import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from retrieval.errors import SettingsError

INDEX_TYPES = ("flat", "sq8", "hnsw", "ivf", "ivf-sq8", "ivf-pq4")

CONFIG_VARIABLE = "RETRIEVAL_CONFIG"
DEFAULT_CONFIG = "retrieval.toml"
PREFIX = "RETRIEVAL_"
# Of two spellings of one word, and not of two words.
NEAR_ENOUGH = 0.85
SECRETS = {"token"}


class Settings(BaseSettings):
    """One frozen value a process.

    Each field may also be given as `RETRIEVAL_<FIELD>` in the environment or under its name in
    `retrieval.toml` (or the file that `RETRIEVAL_CONFIG` names).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    index: Path = Field(Path("indexes/default"), description="folder of the index")
    model: str | None = Field(None, description="model; None: the index's own, else `starter`")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    backend: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="what runs the model; auto: torch on a GPU, OpenVINO on a CPU"
    )
    precision: Literal["auto", "bf16", "f32"] = Field(
        "auto", description="on a CPU; auto: bf16 where it has it and neighbours stay"
    )
    cache: Path | None = Field(
        None, description="folder of models made ready for this machine; None: the user's cache"
    )
    fit: Literal["model", "letterbox", "crop", "squash"] | None = Field(
        None,
        description="how a photo becomes the model's square; `model`: as it was trained; "
        "None: the index's own, else letterbox",
    )
    index_type: str | None = Field(
        None, description="type of FAISS index; None: as it was, else auto"
    )
    batch_size: int = Field(32, ge=1, le=4096, description="images in one forward pass")
    decode_workers: int = Field(
        max(2, os.cpu_count() or 2), ge=1, le=256, description="threads that decode images"
    )
    max_image_pixels: int = Field(
        80_000_000, ge=1, description="larger images are rejected before they are decoded"
    )
    max_image_bytes: int = Field(50_000_000, ge=1, description="larger files are rejected unread")
    decode_seconds: float = Field(
        20.0, gt=0, description="processor time for one photo that is large or unusual"
    )
    decode_memory_mb: float = Field(
        2_000.0, gt=0, description="memory for one photo that is large or unusual"
    )
    max_cell_characters: int = Field(1_000_000, ge=1, description="longer cells are rejected")
    keep_generations: int = Field(3, ge=2, description="generations kept for rollback")
    exact_limit: int = Field(
        20_000, ge=0, description="up to this many vectors `auto` searches exactly"
    )
    index_memory_mb: float | None = Field(
        None, gt=0, description="`auto` compresses vectors that would take more memory; None: any"
    )
    recall_goal: float = Field(
        0.98, gt=0, le=1, description="recall@20 that `auto` tunes an approximate index for"
    )
    upload_bytes: int = Field(20_000_000, ge=1, description="larger uploads are refused")
    upload_pixels: int = Field(
        40_000_000, ge=1, description="larger uploads are refused before they are decoded"
    )
    upload_seconds: float = Field(
        4.0, gt=0, description="as decode_seconds, for photos of visitors"
    )
    upload_processes: int = Field(
        2, ge=1, le=64, description="large or unusual photos that the server decodes at once"
    )
    upload_store_bytes: int = Field(
        500_000_000,
        ge=1,
        description="photos that visitors searched by, all together; a tenth of it for one client",
    )
    connections: int = Field(
        1_000, ge=8, le=100_000, description="connections that the server keeps at once"
    )
    client_connections: int = Field(64, ge=1, description="and of them, of one client")
    stop_seconds: float = Field(
        25.0, ge=0, description="a server that is stopped answers for so long what it has accepted"
    )
    rate_limit: str = Field(
        "1200/minute", description="requests of one client that the server answers"
    )
    request_seconds: float = Field(
        20.0, gt=0, description="the server gives up an answer that takes longer"
    )
    cors_origins: str = Field(
        "", description="sites whose scripts may ask the server, separated by commas; `*` for all"
    )
    token: SecretStr | None = Field(
        None, description="bearer token for what changes the server; None: nobody may"
    )
    lock_timeout: float = Field(0.0, ge=0, description="seconds to wait for another writer")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        return init_settings, env_settings, _TomlFile(settings_cls, file)


class _TomlFile(TomlConfigSettingsSource):
    """As editors of Windows save it, too: with a byte order mark, or in UTF-16."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        data = file_path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return tomllib.loads(data.decode("utf-16" if wide else "utf-8-sig"))


def load_settings(**flags: Any) -> Settings:
    """The settings with `flags` over all else; a flag that is None was not given.

    Raises:
        SettingsError: a value is unknown or out of range; names the field.
    """
    values = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            meant = _meant(field)
            hint = f"did you mean {meant!r}?" if meant else "docs/settings.md lists them"
            raise SettingsError(f"there is no setting {field!r}; {hint}") from None
        given_as = "" if field in SECRETS else f" is {first['input']!r}"
        raise SettingsError(
            f"setting {field!r}{given_as}: {first['msg'].lower()}; give it as a flag, "
            f"as {PREFIX}{field.upper()} or in {DEFAULT_CONFIG}"
        ) from None
    except ValueError as error:  # a broken TOML file
        raise SettingsError(
            f"cannot read {os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG)}: {error}"
        ) from None


def check_environment() -> None:
    """Refuses a misspelt RETRIEVAL_* variable: passed over, it would seem to be heeded.

    For the command line alone: a program that uses the engine may have variables of its own.

    Raises:
        SettingsError: names the variable and what may have been meant.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        meant = _meant(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if meant and name.upper() not in known:
            raise SettingsError(
                f"there is no setting {name}; did you mean {PREFIX}{meant.upper()}?"
            )


def _meant(name: str) -> str | None:
    names = difflib.get_close_matches(name.lower(), Settings.model_fields, 1, NEAR_ENOUGH)
    return names[0] if names else None
