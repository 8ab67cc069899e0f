"""The real server, started as users start it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path


class Server:
    """`retrieval serve` in a process of its own."""

    def __init__(self, index: Path) -> None:
        command = [sys.executable, "-m", "retrieval", "serve", "--port", "0", "--index", str(index)]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "RETRIEVAL_RATE_LIMIT": "100000/minute"},
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://\S+:(\d+)/", line)
            if found:
                self.address = f"http://127.0.0.1:{found[1]}"
                break
        else:
            raise AssertionError("the server ended before it listened")
        # Its log must be read, or the pipe fills and it stops.
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def stop(self) -> int:
        self.process.terminate()
        return self.ended()

    def ended(self) -> int:
        """Waits for its end; its exit code."""
        code = self.process.wait(timeout=30)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code
