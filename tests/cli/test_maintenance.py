"""The commands that look after an index, and the script for cron."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.storage.folder.lock import writing
from tests.support.commands import answer, run, script, started_script


def test_maintenance_commands_answer_with_the_promised_keys(index: Path) -> None:
    made = answer(run("rebuild", "--index", index, "--index-type", "hnsw", "--json"))
    assert set(made) == {"products", "vectors", "index_type", "recall", "seconds", "generation"}
    assert made["index_type"] == "hnsw"
    assert answer(run("verify", "--index", index, "--json")) == {
        "ok": True, "problems": [], "repaired": [],
    }  # fmt: skip
    listed = answer(run("generations", "--index", index, "--json"))
    assert (listed["current"], len(listed["generations"])) == (2, 2)
    assert answer(run("rollback", "--index", index, "--json"))["current"] == 1
    assert answer(run("rollback", 2, "--index", index, "--json"))["current"] == 2
    for command in ("rebuild", "verify", "generations", "rollback"):
        shown = run(command, "--index", index)
        assert shown.exit_code == 0 and shown.stdout.strip()


def test_verify_gives_exit_code_1_until_it_is_repaired(index: Path) -> None:
    (index / "CURRENT").write_text("9")
    assert answer(run("verify", "--index", index, "--json"), 1)["ok"] is False
    assert answer(run("verify", "--repair", "--index", index, "--json"))["ok"] is True


def test_rollback_makes_no_folder_where_there_is_no_index(tmp_path: Path) -> None:
    assert run("rollback", "--index", tmp_path / "none").exit_code == 1
    assert not (tmp_path / "none").exists()


def test_a_file_of_settings_is_read_below_environment_and_flags(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("retrieval.toml").write_text(f'index = "{index}"\nkeep_generations = 2\n')
    for _ in range(3):
        run("rebuild")
    assert len(answer(run("generations", "--json"))["generations"]) == 2
    monkeypatch.setenv("RETRIEVAL_INDEX", str(tmp_path / "none"))
    assert answer(run("generations", "--json"))["generations"] == []


def test_the_script_for_cron_does_not_bring_back_what_was_rolled_back(index: Path) -> None:
    run("rebuild", "--index", index)
    assert "publishes the catalog as it stands" in run("rollback", "--index", index).stderr
    held = script("--index", index)
    assert held.exit_code == 0
    assert "held reason" in held.stdout
    assert answer(run("generations", "--index", index, "--json"))["current"] == 1


def test_the_script_for_cron_logs_a_line_and_an_exit_code(index: Path, tmp_path: Path) -> None:
    done = started_script("--index", index, "--verify")
    assert done.returncode == 0, done.stderr
    assert "ok products=20 vectors=80 index_type=flat recall=1.0" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    log = tmp_path / "rebuild.log"
    with writing(index):
        locked = started_script("--index", index, "--log", log)
    assert (locked.returncode, locked.stdout) == (4, "")
    assert f"process {os.getpid()}" in log.read_text()
    missing = script("--index", tmp_path / "none", "--log", log)
    assert missing.exit_code == 1
    assert len(log.read_text().splitlines()) == 2
    assert script("--index-type", "nonsense").exit_code == 2
