"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrieval.common.threads import cores

PACKAGES = ("faiss-cpu", "numpy", "open_clip_torch", "openvino", "pillow", "torch")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


def describe_machine() -> dict[str, Any]:
    """Processor, memory, load and versions, as far as the system tells them."""
    told = _cpu()
    flags = set(str(told.get("flags", "")).split())
    return {
        "processor": told.get("model name") or platform.processor() or platform.machine(),
        "cores": cores(),
        "instructions": [flag for flag in FLAGS if flag in flags],
        "memory_gb": round(_memory() / 1e9, 1),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _cpu() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
