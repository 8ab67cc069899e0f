"""What a process and all that it started use: processor time and memory."""

from __future__ import annotations

import contextlib
import time

import psutil

QUIET_S = 0.25
QUIET_SHARE = 0.04  # of a core, that a process which does nothing may use


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def processor_seconds(pid: int) -> float:
    """Of the process and its children, those that ended among them."""
    seconds = 0.0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
            seconds += getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    return seconds


def resident_mb(pid: int) -> float:
    total = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def seconds_until_quiet(pid: int, before: float, most: float) -> float:
    """Processor seconds since `before`, once nothing is at work any more: an answer may be given,
    or a client gone, and its photo still be decoded. Waits for `most` seconds."""
    ends = time.monotonic() + most
    now = processor_seconds(pid)
    while time.monotonic() < ends:
        time.sleep(QUIET_S)
        then, now = now, processor_seconds(pid)
        if now - then <= QUIET_S * QUIET_SHARE:
            break
    return now - before
