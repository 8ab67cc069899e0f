"""Runs a frozen network over a stream of batches: OpenVINO on a CPU that has it, else torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn


class Forward:
    """A frozen module as a fast function of NumPy batches.

    bfloat16 arithmetic in both ways of running: the outputs are training targets and features, for
    which its 1e-2 relative error is far below what augmentation does to them.
    """

    def __init__(
        self,
        module: nn.Module,
        example: tuple[torch.Tensor, ...],
        device: str,
        dynamic: list[list[int]],
    ) -> None:
        self._module, self._device, self._compiled = module.to(device).eval(), device, None
        if device != "cpu":
            return
        try:
            import openvino
        except ImportError:
            return
        graph = openvino.convert_model(module, example_input=example, input=dynamic)
        options = {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "THROUGHPUT"}
        self._compiled = openvino.Core().compile_model(graph, "CPU", options)

    def stream(
        self, batches: Iterable[tuple[Any, tuple[np.ndarray, ...]]]
    ) -> Iterator[tuple[Any, tuple[np.ndarray, ...]]]:
        """Yields (tag, outputs) for (tag, inputs); the order may differ from that of the inputs."""
        return self._openvino(batches) if self._compiled is not None else self._torch(batches)

    def _torch(self, batches):
        for tag, inputs in batches:
            tensors = [torch.from_numpy(x).to(self._device) for x in inputs]
            with torch.inference_mode(), torch.autocast(self._device.split(":")[0], torch.bfloat16):
                outputs = self._module(*tensors)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            yield tag, tuple(x.float().cpu().numpy() for x in outputs)

    def _openvino(self, batches):
        import openvino

        ready: list[tuple[Any, tuple[np.ndarray, ...]]] = []

        def finished(request, tag):
            count = len(request.model_outputs)
            ready.append(
                (tag, tuple(request.get_output_tensor(i).data.copy() for i in range(count)))
            )

        queue = openvino.AsyncInferQueue(self._compiled)
        queue.set_callback(finished)
        for tag, inputs in batches:
            queue.start_async(dict(enumerate(inputs)), tag)
            while ready:
                yield ready.pop()
        queue.wait_all()
        yield from ready
