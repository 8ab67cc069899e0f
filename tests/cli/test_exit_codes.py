"""What scripts go by: an error is one line and an exit code, in a pipe as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retrieval import __version__
from tests.support.commands import answer, main, process, run
from tests.support.shop import Shop


def test_each_exit_code_comes_out_of_the_process(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    """Of what was started: a script sees no more of it than its code."""
    assert process("generations", cwd=tmp_path).returncode == 0
    nothing = process("search", "mug", cwd=tmp_path)
    assert nothing.returncode == 1 and "retrieval index SOURCE" in nothing.stderr
    assert process("nonsense").returncode == 2
    shop.rows["P-004"]["price"] = "cheap"
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    assert process("index", shop.write(), *options).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["search", "mug"], 1, "retrieval index SOURCE"),
        (["rebuild"], 1, "retrieval index SOURCE"),
        (["index", "none.csv"], 1, "no such file"),
        (["search"], 1, "retrieval index SOURCE"),
        (["index", "none.csv", "--map", "title"], 2, "FIELD=COLUMN"),
        (["index"], 2, "Give a SOURCE to index"),
        (["search", "--limit", "many"], 2, "--limit"),
        (["search", "x", "--mode", "magic"], 2, "--mode"),
        (["nonsense"], 2, "No such command"),
        (["serach", "mug"], 2, "Did you mean 'search'?"),
        (["search", "mug", "--index", "/dev/null/index"], 1, "/dev/null/index"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = main(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = main("search", "mug", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_setting_out_of_range_is_told(tmp_path: Path) -> None:
    done = main("generations", cwd=tmp_path, env={"RETRIEVAL_BATCH_SIZE": "0"})
    assert done.returncode == 1
    assert "RETRIEVAL_BATCH_SIZE" in done.stderr
    (tmp_path / "retrieval.toml").write_text('batch_size = "many"')
    assert "'batch_size' is 'many'" in main("generations", cwd=tmp_path).stderr
    (tmp_path / "retrieval.toml").write_text("this is not toml")
    assert "retrieval.toml" in main("generations", cwd=tmp_path).stderr


def test_a_misspelt_setting_is_not_passed_over(tmp_path: Path) -> None:
    """Else the model would run on another device, or the server for more people, than was said."""
    wrong = main("generations", cwd=tmp_path, env={"RETRIEVAL_DEVCE": "cpu"})
    assert wrong.returncode == 1 and "did you mean RETRIEVAL_DEVICE?" in wrong.stderr
    others = {"RETRIEVAL_AUGMENTED_GENERATION": "1"}
    assert main("generations", cwd=tmp_path, env=others).returncode == 0
    (tmp_path / "retrieval.toml").write_text("batchsize = 8")
    told = main("generations", cwd=tmp_path).stderr
    assert "no setting 'batchsize'; did you mean 'batch_size'?" in told


def test_unexpected_errors_are_one_line_too(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("retrieval.indexing.maintenance.rebuild", fail)
    done = main("rebuild", "--index", index)
    assert done.returncode == 1
    said = "error: ZeroDivisionError: a b; run with --debug for the traceback\n"
    assert done.stderr == said


def test_a_closed_pipe_is_no_error(index: Path) -> None:
    command = f"{sys.executable} -m retrieval models | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=index
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert __version__ in run("--version").stdout
    for command in ("index", "search", "rebuild", "verify", "generations", "rollback", "models"):
        assert command in run("--help").stdout
        assert run(command, "--help").exit_code == 0


def test_models_are_listed() -> None:
    models = answer(run("models", "--json"))["models"]
    assert set(models[0]) == {
        "name", "pretrained", "bundled", "dim", "image_size", "licence", "speed",
    }  # fmt: skip
    assert "starter  (bundled)" in run("models").stdout
