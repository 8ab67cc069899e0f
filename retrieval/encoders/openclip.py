"""Any open_clip model, run by torch: on a GPU, and where OpenVINO cannot or must not."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from retrieval.common.vectors import Vectors, normalise
from retrieval.encoders.base import EncoderDetails, ModelInput
from retrieval.encoders.licences import licence_of, speed_of
from retrieval.encoders.long_texts import encode_split
from retrieval.encoders.names import STARTER, ModelName, parse_model_name
from retrieval.encoders.openvino.runtime import bf16_runs_here
from retrieval.encoders.resizing import resize_by_torch
from retrieval.errors import EncoderError, one_line
from retrieval.images.model_input import Fit, chosen_fit, fit_square
from retrieval.settings import Settings

HUB_ADDRESS = "https://huggingface.co"
TEXT_RULE = "split at words, mean weighted by tokens"
SPECIAL_TOKENS = 2  # start and end of text
_SHOWN = {torch.float16: "fp16", torch.bfloat16: "bf16", None: "fp32"}
_RESIZE_TO_FIT: dict[str, Fit] = {"shortest": "crop", "longest": "letterbox", "squash": "squash"}


class OpenClipEncoder:
    """Implements `retrieval.encoders.base.Encoder`; safe to share between threads.

    Source of models and weights: open_clip (Ilharco et al., 2021; Cherti et al., 2023).
    """

    def __init__(self, name: str, settings: Settings) -> None:
        """Loads the model, downloading it where open_clip knows how.

        Raises:
            EncoderError: unknown name, missing or damaged files, no such device.
        """
        parsed = parse_model_name(name)
        self.name = name
        self._device = pick_device(settings.device)
        self._batch_size = settings.batch_size
        self.model = _load_model(parsed, self._device)
        self.tokenizer = OpenClipTokenizer(name)
        self._half = _half_precision(self._device, settings.precision)
        if self._half:
            self.model.to(memory_format=torch.channels_last)
        self.backend = f"torch {self._device.type} {_SHOWN[self._half]}"
        preprocess = open_clip.get_model_preprocess_cfg(self.model)
        self.image_size = _square_size(preprocess, name)
        self.own_fit: Fit = _RESIZE_TO_FIT[preprocess.get("resize_mode", "shortest")]
        self._fit = chosen_fit(self.own_fit, settings.fit)
        mode = "bilinear" if preprocess.get("interpolation") == "bilinear" else "bicubic"
        self._resize = resize_by_torch(mode)
        mean, std = preprocess["mean"], preprocess["std"]
        self.mean = torch.tensor(mean, device=self._device).view(1, 3, 1, 1) * 255
        self.scale = 1 / (torch.tensor(std, device=self._device).view(1, 3, 1, 1) * 255)
        self.context = self.tokenizer.context
        self.details = EncoderDetails(
            model=_model_config(parsed),
            weights=_hash_weights(self.model),
            preprocess={
                "size": self.image_size,
                "fit": self._fit,
                "mean": list(mean),
                "std": list(std),
                "interpolation": mode,
            },
            library=f"open_clip {open_clip.__version__.split('.')[0]}",
            precision="float",
            text=TEXT_RULE,
        )
        self.fingerprint = self.details.fingerprint()
        self.dim = int(self.encode_texts(["a"]).shape[1])

    def prepare(self, pixels: Image.Image) -> ModelInput:
        return fit_square(pixels, self.image_size, self._fit, self._resize)

    def encode_images(self, inputs: Sequence[ModelInput]) -> Vectors:
        return self._in_batches(inputs, self._image_batch)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        limit = max(1, self.context - SPECIAL_TOKENS)
        encode = lambda parts: self._in_batches(parts, self._text_batch)  # noqa: E731
        return encode_split(texts, self.tokenizer.count, limit, encode)

    def cost(self) -> dict[str, dict[str, int]]:
        square = np.zeros((3, self.image_size, self.image_size), np.uint8)
        runs = {
            "image": lambda: self._image_batch([square]),
            "text": lambda: self._text_batch([""]),
        }
        flops: dict[str, int] = {}
        parameters: dict[str, int] = {}
        for side, run in runs.items():
            counter = FlopCounterMode(display=False)
            with torch.no_grad(), _plain_attention(), counter:
                run()  # type: ignore[no-untyped-call]
            flops[side] = int(counter.get_total_flops())
        visual = getattr(self.model, "visual", None)
        seen = {id(p) for p in visual.parameters()} if visual is not None else set()
        for parameter in self.model.parameters():
            side = "image" if id(parameter) in seen else "text"
            parameters[side] = parameters.get(side, 0) + parameter.numel()
        return {"flops": flops, "parameters": parameters}

    def _in_batches(self, items: Sequence[Any], run: Any) -> Vectors:
        if not items:
            return np.empty((0, self.dim), dtype=np.float32)
        starts = range(0, len(items), self._batch_size)
        with torch.inference_mode(), self._precision():
            batches = [run(items[start : start + self._batch_size]) for start in starts]
        return normalise(np.concatenate(batches))

    def _image_batch(self, inputs: Sequence[ModelInput]) -> Any:
        pixels = torch.from_numpy(np.stack(inputs)).to(self._device).float()
        if self._half:  # the order that convolutions in half precision are made for
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        return self.model.encode_image((pixels - self.mean) * self.scale).float().cpu().numpy()

    def _text_batch(self, texts: Sequence[str]) -> Any:
        tokens = self.tokenizer(texts)
        return self.model.encode_text(tokens.to(self._device)).float().cpu().numpy()

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        if self._half:
            with torch.autocast(self._device.type, self._half):
                yield
        else:
            yield


class OpenClipTokenizer:
    """The tokenizer of a model of open_clip's; safe to share between threads."""

    def __init__(self, name: str) -> None:
        self.inner = _load_tokenizer(parse_model_name(name))
        self.context = int(getattr(self.inner, "context_length", None) or 77)
        # open_clip's cache of pairs is a plain dict; Hugging Face's tokenizers are not re-entrant.
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Int64 (n, context)."""
        with self._lock:
            tokens: torch.Tensor = self.inner(list(texts))
            return tokens

    def count(self, text: str) -> int:
        """Tokens of a text, without those for its start and end."""
        with self._lock:
            if isinstance(self.inner, open_clip.SimpleTokenizer):
                return len(self.inner.encode(text))
            wrapped = getattr(self.inner, "tokenizer", None)
            if wrapped is not None:
                # A Hugging Face tokenizer; the count includes its special tokens, as the limit
                # leaves room for two only.
                return max(0, len(wrapped(text)["input_ids"]) - SPECIAL_TOKENS)
            return int((self.inner([text]) != 0).sum())


def _half_precision(device: torch.device, wanted: str) -> torch.dtype | None:
    """What a device multiplies several times as fast as float32; None where it does not."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and wanted != "f32" and (wanted == "bf16" or bf16_runs_here()):
        return torch.bfloat16
    return None


def known_models() -> list[dict[str, Any]]:
    """See `retrieval.encoders.loading.list_models`."""
    starter = open_clip.get_model_config(parse_model_name(STARTER).architecture)
    models = [_entry(STARTER, None, starter)]
    for architecture, tag in open_clip.list_pretrained():
        config = open_clip.get_model_config(architecture)
        models.append(_entry(f"{architecture}/{tag}", tag, config))
    return models


def _entry(name: str, tag: str | None, config: dict[str, Any] | None) -> dict[str, Any]:
    config = config or {}
    size = config.get("vision_cfg", {}).get("image_size")
    side = size if isinstance(size, int) or size is None else int(size[0])
    return {
        "name": name,
        "pretrained": tag,
        "bundled": name == STARTER,
        "dim": config.get("embed_dim"),
        "image_size": side,
        "licence": licence_of(name).name,
        "speed": speed_of(name, side),
    }


def _load_model(name: ModelName, device: torch.device) -> Any:
    _check_local_files(name)
    try:
        with _quiet_open_clip():
            model = open_clip.create_model(
                name.architecture,
                pretrained=name.pretrained,
                precision="fp32",
                device=device,
                require_pretrained=True,
            )
    except Exception as error:
        raise EncoderError(_why_not_loaded(name, error)) from error
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def _load_tokenizer(name: ModelName) -> Any:
    try:
        with _quiet_open_clip():
            return open_clip.get_tokenizer(name.architecture)
    except Exception as error:
        raise EncoderError(
            f"the tokenizer of model {name.written} cannot be loaded ({one_line(error)}); "
            "models with a Hugging Face tokenizer need `pip install transformers` and its files"
        ) from error


def _check_local_files(name: ModelName) -> None:
    folder = name.folder
    if folder is None:
        return
    if not (folder / "open_clip_config.json").is_file():
        raise EncoderError(
            f"model {name.written}: {folder} has no open_clip_config.json; "
            "give the folder of a model in open_clip's format"
        )
    if not any(any(folder.glob(p)) for p in ("*.safetensors", "*.bin", "*.pth")):
        raise EncoderError(
            f"model {name.written}: {folder} has no weights; put open_clip_model.safetensors there"
        )


def _why_not_loaded(name: ModelName, error: Exception) -> str:
    reason = one_line(_root_of(error))
    if name.folder is not None:
        return f"model {name.written}: the files in {name.folder} cannot be loaded ({reason})"
    repository = _hub_repository(name)
    if name.pretrained is not None and repository is None:
        known = open_clip.list_pretrained_tags_by_model(name.architecture)
        if name.pretrained not in known:
            choice = (
                f"tags of {name.architecture}: {', '.join(known)}"
                if known
                else ("`retrieval models` lists what there is")
            )
            return f"model {name.written} is not known; {choice}"
    place = f"{HUB_ADDRESS}/{repository}" if repository else _pretrained_url(name)
    return (
        f"model {name.written} is not on this machine and cannot be downloaded ({reason}): "
        f"fetch open_clip_config.json and open_clip_model.safetensors (or "
        f"open_clip_pytorch_model.bin) from {place} on a machine that can, copy both into one "
        "folder here, and use --model local-dir:FOLDER"
    )


def _hub_repository(name: ModelName) -> str | None:
    if name.pretrained is None:
        return name.architecture.partition(":")[2] or None
    config = open_clip.get_pretrained_cfg(name.architecture, name.pretrained) or {}
    return str(config["hf_hub"]).rstrip("/") if config.get("hf_hub") else None


def _pretrained_url(name: ModelName) -> str:
    config = open_clip.get_pretrained_cfg(name.architecture, name.pretrained or "") or {}
    return str(config.get("url") or "where its authors publish it")


def pick_device(wanted: str) -> torch.device:
    """The device of a name, `auto` included; raises EncoderError where it cannot be used."""
    if wanted == "auto":
        if torch.cuda.is_available():
            wanted = "cuda"
        elif torch.backends.mps.is_available():
            wanted = "mps"
        else:
            wanted = "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:  # which lists twenty kinds of hardware
        raise EncoderError(
            f"there is no device {wanted!r}; use --device cpu, cuda, mps or auto"
        ) from None
    try:
        torch.empty(1, device=device)
    except Exception as error:  # torch raises RuntimeError, AssertionError or NotImplementedError
        raise EncoderError(
            f"device {wanted!r} cannot be used ({one_line(error)}); "
            "use --device cpu, cuda, mps or auto"
        ) from None
    return device


def _square_size(preprocess: dict[str, Any], name: str) -> int:
    size = preprocess["size"]
    if isinstance(size, int):
        return size
    if len(set(size)) != 1:
        raise EncoderError(f"model {name} sees images of {size}, which are not square")
    return int(size[0])


def _model_config(name: ModelName) -> dict[str, Any]:
    return dict(open_clip.get_model_config(name.architecture) or {})


def _hash_weights(model: Any) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tuple(tensor.shape)} {tensor.dtype} ".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    # Attention is counted where it is written out; fused kernels would count as nothing.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _quiet_open_clip() -> Iterator[None]:
    # open_clip tells of each step on the root logger, the hub of each of ten retries; what matters
    # comes back as an error.
    loggers = [logging.getLogger(name) for name in (None, "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _root_of(error: BaseException) -> BaseException:
    """What an error came of in the end: the hub wraps `no such host` in five layers of advice.

    What a server answered is told as it is: why a model is refused stands in it.
    """
    seen = {id(error)}
    while getattr(error, "response", None) is None:
        earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if earlier is None or id(earlier) in seen:
            break
        seen.add(id(earlier))
        error = earlier
    return error
