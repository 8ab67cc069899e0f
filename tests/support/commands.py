"""The command line as tests call it: in this process where that tells the same, else started."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from retrieval.cli import cli
from retrieval.cli.common import run_main

ROOT = Path(__file__).resolve().parents[2]
REBUILD_SCRIPT = ROOT / "scripts" / "rebuild_index.py"

Done = subprocess.CompletedProcess[str]


def run(*arguments: Any) -> Result:
    """The command without what stands around it: with its own exceptions to look at."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def answer(result: Result, code: int = 0) -> dict[str, Any]:
    assert result.exit_code == code, result.output + repr(result.exception)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def process(*arguments: Any, **options: Any) -> Done:
    """The command as users run it."""
    command = [sys.executable, "-m", "retrieval", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def main(*arguments: Any, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """All of the command, with how it tells of errors, in this process: it starts at once."""
    command = ["retrieval", *map(str, arguments)]
    stdout, stderr = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with (
            mock.patch.object(sys, "argv", command),
            mock.patch.dict(os.environ, env or {}),
            contextlib.chdir(cwd or Path.cwd()),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            warnings.catch_warnings(),
            pytest.raises(SystemExit) as end,
        ):
            run_main(cli)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert isinstance(end.value.code, int)
    return subprocess.CompletedProcess(
        command, end.value.code, stdout.getvalue(), stderr.getvalue()
    )


def started_script(*arguments: Any) -> Done:
    """The script for cron as cron runs it."""
    command = [sys.executable, str(REBUILD_SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def script(*arguments: Any) -> Result:
    """The script for cron in this process."""
    command = runpy.run_path(str(REBUILD_SCRIPT))["main"]
    return CliRunner().invoke(command, [str(argument) for argument in arguments])
