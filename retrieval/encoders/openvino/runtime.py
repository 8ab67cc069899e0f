"""OpenVINO behind a few functions: compile a model for this machine, and run batches through it."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.threads import cores
from retrieval.encoders.openvino.cache import COMPILED

# More streams hold more memory, and stop gaining where the cores share what they read.
MOST_STREAMS = 4
# One photo or one text is soon too little to divide among more.
MOST_THREADS_A_QUERY = 8


@functools.cache
def openvino() -> Any:
    """The library, without its telemetry: on import it would write to the home folder and report
    to a server of its makers; without that package it does neither."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@functools.cache
def _core_of(process: int) -> Any:  # noqa: ARG001 - a forked one has no threads of its parent's
    return openvino().Core()


def _core() -> Any:
    return _core_of(os.getpid())


def bf16_runs_here() -> bool:
    """Whether the CPU multiplies bfloat16 by itself; emulated, it would be slower than float32."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(path: Path, precision: str, *, bulk: bool) -> Any:
    """A model for this machine; what compiling took is kept beside it.

    Args:
        bulk: many batches will be run, a thread or a few for each; else one query at a time, by
            all threads, which halves what it waits for and costs a tenth of what can be done.
    """
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": min(MOST_STREAMS, cores()) if bulk else 1,
        "INFERENCE_NUM_THREADS": cores() if bulk else min(MOST_THREADS_A_QUERY, cores()),
        # Pinned, two processes on one machine would share a core while another idles.
        "ENABLE_CPU_PINNING": False,
    }
    kept = {"CACHE_DIR": str(path.parent / COMPILED)}
    if os.access(path.parent, os.W_OK):
        return _core().compile_model(str(path), "CPU", {**options, **kept})
    try:  # of a model that others made ready, in an image or for all users, what is there is taken
        return _core().compile_model(str(path), "CPU", {**options, **kept})
    except RuntimeError:
        return _core().compile_model(str(path), "CPU", options)


def run(model: Any, batches: Iterable[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """What a model makes of each batch, one below the other; as many run at once as it has streams.

    Safe to call from several threads: each call has requests of its own. A request that is shared
    gives wrong vectors without a word.
    """
    streams = int(model.get_property("NUM_STREAMS"))
    idle = [model.create_infer_request() for _ in range(streams)]
    running: deque[tuple[Any, npt.NDArray[Any]]] = deque()
    made: list[npt.NDArray[np.float32]] = []

    def finish() -> None:
        request, _ = running.popleft()
        request.wait()
        made.append(request.get_output_tensor().data.copy())
        idle.append(request)

    for batch in batches:
        if not idle:
            finish()
        request = idle.pop()
        request.set_input_tensor(openvino().Tensor(batch))
        request.start_async()
        running.append((request, batch))  # the request reads the array itself, not a copy
    while running:
        finish()
    return np.concatenate(made)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Converters tell of each step on every channel; what matters comes back as an error."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
