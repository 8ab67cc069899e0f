"""The model that made an index, for its queries: loaded when one needs it; reads their photos."""

from __future__ import annotations

import threading
from pathlib import Path

from retrieval.encoders import Encoder, ModelInput, load_encoder, name_from_here
from retrieval.encoders.adapter import AdaptedEncoder
from retrieval.encoders.batching import Counts, JoiningEncoder
from retrieval.errors import ImageError, IndexMismatch
from retrieval.images.decoding import upright_rgb
from retrieval.images.files import read_photo_bytes
from retrieval.images.pool import DecodingPool
from retrieval.images.reading import PhotoReader, limits_of_the_user
from retrieval.searching.query import ImageInput
from retrieval.settings import Settings
from retrieval.storage.base import Generation

# Of those that are large or unusual.
PHOTOS_AT_ONCE = 2


class QueryEncoder:
    """Encodes queries as the vectors of a generation were; safe to share between threads."""

    def __init__(self, base: Path, settings: Settings) -> None:
        """`base` is what folders of models are told from."""
        self._base = base
        self._settings = settings
        self._reader = PhotoReader(limits_of_the_user(settings), DecodingPool(PHOTOS_AT_ONCE))
        self._encoder: Encoder | None = None
        self._loaded: tuple[str, str, JoiningEncoder] | None = None
        self._lock = threading.Lock()

    def of(self, generation: Generation) -> Encoder:
        """The encoder that made a generation's vectors; raises IndexMismatch if it is not here."""
        manifest = generation.manifest
        with self._lock:
            if self._encoder is None or self._encoder.fingerprint != manifest.fingerprint:
                name = self._settings.model or name_from_here(manifest.model, self._base)
                encoder = self._load(name, manifest.fit)
                adapter = generation.adapter()
                if adapter is not None:
                    encoder = AdaptedEncoder(encoder, adapter)
                if encoder.fingerprint != manifest.fingerprint:
                    made_by = name_from_here(manifest.model, self._base)
                    raise IndexMismatch(
                        f"the index was made by {made_by} ({manifest.fingerprint}), the "
                        f"model here is {encoder.name} ({encoder.fingerprint}); run "
                        f"`retrieval index SOURCE --model {encoder.name}` to make it anew"
                    )
                self._encoder = encoder
            return self._encoder

    def _load(self, name: str, fit: str) -> Encoder:
        """Loads a model, or gives the one that was loaded last for the same name and fit."""
        if self._loaded is None or self._loaded[:2] != (name, fit):
            settings = self._settings.model_copy(update={"fit": fit})
            self._loaded = (name, fit, JoiningEncoder(load_encoder(name, settings)))
        return self._loaded[2]

    @property
    def backend(self) -> str | None:
        """What runs the model; None until it is loaded."""
        return None if self._encoder is None else self._encoder.backend

    @property
    def counts(self) -> Counts:
        """How many texts were remembered, and how many queries were joined."""
        return Counts() if self._loaded is None else self._loaded[2].counts

    def read_photo(self, photo: ImageInput, encoder: Encoder) -> ModelInput:
        """The encoder's input for a photo of a query; raises ImageError."""
        if isinstance(photo, str | Path):
            try:
                data = read_photo_bytes(Path(photo), self._settings.max_image_bytes)
                return self._decoded(data, encoder)
            except ImageError as error:
                raise ImageError(f"photo {photo}: {error}") from None
        if isinstance(photo, bytes):
            return self._decoded(photo, encoder)
        return encoder.prepare(upright_rgb(photo))

    def _decoded(self, data: bytes, encoder: Encoder) -> ModelInput:
        return encoder.prepare(self._reader.read(data, encoder.image_size).pixels)
