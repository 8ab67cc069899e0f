"""How many threads a piece of work is worth, told in one place.

Each library brings a pool of its own, which wakes every core for work of a fraction of a
millisecond and spins until its slowest thread is done: beside other searches, or any other process,
that takes several times as long as the work itself.
"""

from __future__ import annotations

import os

# About five milliseconds of one core: below that, waking and waiting for others costs more.
MULTIPLICATIONS_A_THREAD = 50_000_000

_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


# A child has none of the threads of its parent's pools, and a loop that is divided among them waits
# for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def cores() -> int:
    """That this process may use; 1 where it was forked from one that may have had pools."""
    if _forked:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(multiplications: int) -> int:
    """1 for what is done before others have woken, up to all cores for what takes long."""
    return max(1, min(cores(), multiplications // MULTIPLICATIONS_A_THREAD))
