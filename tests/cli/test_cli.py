"""What people script against: names, keys, exit codes, and one line an error."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from retrieval import __version__
from retrieval.cli import cli
from retrieval.errors import RetrievalError
from retrieval.storage.folder.lock import writing
from tests.support.shop import Shop, read_json_lines

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: Any) -> Result:
    """The command in this process: quick, with its own exceptions to look at."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def process(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command as users run it."""
    command = [sys.executable, "-m", "retrieval", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def answer(result: Result, code: int = 0) -> dict[str, Any]:
    assert result.exit_code == code, result.output + repr(result.exception)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_index_reports_the_promised_keys(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    made = answer(
        run("index", shop.path, "--index", tmp_path / "i", "--model", tiny_model, "--json")
    )
    assert {
        "products", "images", "texts", "embedded", "reused", "rejected", "removed", "seconds",
        "images_per_second", "generation", "model",
    } <= set(made)  # fmt: skip
    assert (made["products"], made["generation"], made["model"]) == (20, 1, tiny_model)
    del shop.rows["P-000"]
    again = answer(run("index", shop.write(), "--index", tmp_path / "i", "--prune", "--json"))
    assert (again["removed"], again["embedded"], again["generation"]) == (1, 0, 2)


def test_the_mapping_is_shown_before_indexing(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    result = run(
        "index", shop.path, "--index", tmp_path / "i", "--model", tiny_model, "--map", "title=brand"
    )
    assert "title <- brand" in result.stderr
    assert "kept as attributes: title, colour" in result.stderr
    assert "products    20" in result.stdout


def test_rejected_rows_give_exit_code_3_and_a_file(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    shop.rows["P-002"]["image"] = "images/none.png"
    shop.rows["P-004"]["price"] = "cheap"
    shop.write()
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    result = run("index", shop.path, *options, "--rejects", tmp_path / "rejects.jsonl")
    assert result.exit_code == 3
    rejects = read_json_lines(tmp_path / "rejects.jsonl")
    assert [(r["row"], r["key"], r["field"]) for r in rejects] == [
        (6, "P-004", "price"),
        (4, "P-002", "image"),
    ] or [(r["row"], r["key"], r["field"]) for r in rejects] == [
        (4, "P-002", "image"),
        (6, "P-004", "price"),
    ]
    assert all(r["reason"] for r in rejects)
    assert "row 4 (P-002), image 'images/none.png': no such file" in result.stderr
    answer(run("index", shop.path, *options, "--json"), 3)
    assert len(read_json_lines(tmp_path / "i" / "rejects.jsonl")) == 2
    shop.rows["P-002"]["image"] = "images/P-002.png"
    shop.rows["P-004"]["price"] = "5"
    answer(run("index", shop.write(), *options, "--json"), 0)
    assert (tmp_path / "i" / "rejects.jsonl").read_text() == ""


def test_a_dry_run_needs_no_model_and_writes_nothing(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_model(*_: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("retrieval.indexing.building.load_encoder", no_model)
    made = answer(run("index", shop.path, "--index", tmp_path / "i", "--dry-run", "--json"))
    assert (made["added"], made["dry_run"], made["generation"]) == (20, True, None)
    assert not (tmp_path / "i").exists()


def test_search_answers_with_the_promised_keys(index: Path, shop: Shop) -> None:
    photo = shop.folder / "images" / "P-003.png"
    found = answer(
        run("search", "red", "bottle", "--image", photo, "--where", "price<100", "--index", index,
            "--weights", "text=0,image=1", "--minus", "plate", "--limit", 3, "--json")
    )  # fmt: skip
    assert {"query", "mode", "took_ms", "total", "generation", "results"} <= set(found)
    assert found["query"]["text"] == ["red bottle"], "words need no quotes"
    assert len(found["results"]) == 3
    more = answer(run("search", "--like", "P-003", "--index", index, "--offset", 2, "--json"))
    assert more["results"][0]["rank"] == 3


@pytest.mark.parametrize("mode", ["vector", "lexical", "hybrid"])
def test_search_shows_a_table(index: Path, mode: str) -> None:
    result = run("search", "red mug", "--index", index, "--mode", mode, "--limit", 2)
    assert result.exit_code == 0
    assert "P-000" in result.stdout
    assert f"1 to 2 of {8 if mode == 'lexical' else 20}, {mode}" in result.stderr


@pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated:DeprecationWarning")
def test_search_shows_photos_where_it_is_asked_to(index: Path) -> None:
    plain = run("search", "red mug", "--index", index, "--limit", 1, "--mode", "lexical")
    shown = run(
        "search", "red mug", "--index", index, "--limit", 1, "--mode", "lexical", "--pictures"
    )
    assert len(shown.stdout.splitlines()) > len(plain.stdout.splitlines())


def test_nothing_found_is_said(index: Path) -> None:
    result = run("search", "zebra", "--index", index, "--mode", "lexical")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing matches" in result.stderr


def test_titles_are_shown_as_they_are_and_not_as_markup(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    shop.rows["P-000"]["title"] = "[red]Mug[/red] :smile: [/"
    run("index", shop.write(), "--index", tmp_path / "i", "--model", tiny_model)
    result = run("search", "P-000", "--index", tmp_path / "i", "--mode", "lexical")
    assert "[red]Mug[/red]" in result.stdout.replace("\n", "")


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


def test_models_are_listed() -> None:
    models = answer(run("models", "--json"))["models"]
    assert set(models[0]) == {"name", "pretrained", "bundled", "dim", "image_size"}
    assert "starter  (bundled)" in run("models").stdout


def test_the_index_is_named_by_the_environment_too(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_INDEX", str(index))
    assert answer(run("search", "mug", "--mode", "lexical", "--json"))["total"] == 5


def test_a_file_of_settings_is_read_below_environment_and_flags(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("retrieval.toml").write_text(f'index = "{index}"\nkeep_generations = 2\n')
    for _ in range(3):
        run("rebuild")
    assert len(answer(run("generations", "--json"))["generations"]) == 2
    monkeypatch.setenv("RETRIEVAL_INDEX", str(tmp_path / "none"))
    assert answer(run("generations", "--json"))["generations"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["search", "mug"], 1, "retrieval index SOURCE"),
        (["rebuild"], 1, "retrieval index SOURCE"),
        (["index", "none.csv"], 1, "no such file"),
        (["search"], 1, "retrieval index SOURCE"),
        (["index", "none.csv", "--map", "title"], 2, "FIELD=COLUMN"),
        (["index"], 2, "Missing argument"),
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
    done = process(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = process("search", "mug", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_setting_out_of_range_is_told(tmp_path: Path) -> None:
    done = process("generations", cwd=tmp_path, env={**os.environ, "RETRIEVAL_BATCH_SIZE": "0"})
    assert done.returncode == 1
    assert "RETRIEVAL_BATCH_SIZE" in done.stderr
    (tmp_path / "retrieval.toml").write_text('batch_size = "many"')
    assert "'batch_size' is 'many'" in process("generations", cwd=tmp_path).stderr
    (tmp_path / "retrieval.toml").write_text("this is not toml")
    assert "retrieval.toml" in process("generations", cwd=tmp_path).stderr


def test_a_misspelt_setting_is_not_passed_over(tmp_path: Path) -> None:
    """Else the model would run on another device, or the server for more people, than was said."""
    wrong = process("generations", cwd=tmp_path, env={**os.environ, "RETRIEVAL_DEVCE": "cpu"})
    assert wrong.returncode == 1 and "did you mean RETRIEVAL_DEVICE?" in wrong.stderr
    others = {**os.environ, "RETRIEVAL_AUGMENTED_GENERATION": "1"}
    assert process("generations", cwd=tmp_path, env=others).returncode == 0
    (tmp_path / "retrieval.toml").write_text("batchsize = 8")
    told = process("generations", cwd=tmp_path).stderr
    assert "no setting 'batchsize'; did you mean 'batch_size'?" in told


def test_version_and_help() -> None:
    assert __version__ in run("--version").stdout
    for command in ("index", "search", "rebuild", "verify", "generations", "rollback", "models"):
        assert command in run("--help").stdout
        assert run(command, "--help").exit_code == 0


def test_the_second_writer_is_told_of_the_first(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    with writing(tmp_path / "i"):
        done = process("index", shop.path, "--index", tmp_path / "i", "--model", tiny_model)
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr


def batches(index: Path) -> int:
    """How many batches an indexer has committed so far."""
    try:
        connection = sqlite3.connect(f"file:{index}/catalog.db?mode=ro", uri=True)
        with contextlib.closing(connection):
            rows = connection.execute("SELECT value FROM state").fetchall()
    except sqlite3.Error:
        return 0
    return int(rows[0][0]) if rows else 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(
    tmp_path: Path, tiny_model: str, sent: signal.Signals
) -> None:
    shop = Shop(tmp_path / "shop")
    photos = ["P-0.png"]
    shop.add("P-0", "mug", "red")
    for number in range(400):
        photos.append(f"n{number}.png")
        Image.new("RGB", (700, 700), (number % 256, number // 2, 0)).save(
            shop.folder / "images" / photos[-1], compress_level=0
        )
        shop.rows[f"N-{number}"] = {
            "id": f"N-{number}", "title": f"n {number}", "image": f"images/{photos[-1]}",
        }  # fmt: skip
    arguments = ("index", shop.write(), "--index", tmp_path / "i", "--model", tiny_model)
    started = subprocess.Popen(
        [sys.executable, "-m", "retrieval", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RETRIEVAL_BATCH_SIZE": "4"},
        # Where the tests themselves run in the background, Ctrl-C is ignored, and inherited so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "i" / ".lock.json").exists():
        assert started.poll() is None
        time.sleep(0.01)
    while batches(tmp_path / "i") < 3:
        assert started.poll() is None
        time.sleep(0.01)
    started.send_signal(sent)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    made = answer(run(*arguments, "--json"))
    assert made["products"] == 401
    assert made["embedded"] < 2 * 401, "the first run's work was kept"


def test_a_closed_pipe_is_no_error(index: Path) -> None:
    command = f"{sys.executable} -m retrieval models | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=index
    )
    assert done.stdout.splitlines()
    assert "Traceback" not in done.stderr


def rebuild_script(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "rebuild_index.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_for_cron_does_not_bring_back_what_was_rolled_back(index: Path) -> None:
    run("rebuild", "--index", index)
    assert "publishes the catalog as it stands" in run("rollback", "--index", index).stderr
    held = rebuild_script("--index", index)
    assert held.returncode == 0
    assert "held reason" in held.stdout
    assert answer(run("generations", "--index", index, "--json"))["current"] == 1


def test_the_script_for_cron_logs_a_line_and_an_exit_code(index: Path, tmp_path: Path) -> None:
    done = rebuild_script("--index", index, "--verify")
    assert done.returncode == 0, done.stderr
    assert "ok products=20 vectors=80 index_type=flat recall=1.0" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    log = tmp_path / "rebuild.log"
    with writing(index):
        locked = rebuild_script("--index", index, "--log", log)
    assert (locked.returncode, locked.stdout) == (4, "")
    assert f"process {os.getpid()}" in log.read_text()
    missing = rebuild_script("--index", tmp_path / "none", "--log", log)
    assert missing.returncode == 1
    assert len(log.read_text().splitlines()) == 2
    assert rebuild_script("--index-type", "nonsense").returncode == 2


def test_unexpected_errors_are_one_line_too(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from retrieval.cli.common import run_main

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("retrieval.indexing.maintenance.rebuild", fail)
    monkeypatch.setattr("sys.argv", ["retrieval", "rebuild", "--index", str(index)])
    with pytest.raises(SystemExit) as caught:
        run_main(cli)
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said == "error: ZeroDivisionError: a b; run with --debug for the traceback\n"
    assert issubclass(RetrievalError, Exception)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--limit", "0", "x"], 2),
        ([], 2),
        (["x", "--where", "nonsense"], 2),
        (["x", "--weights", "foo=1"], 2),
        (["--like", "nobody"], 1),
        (["x", "--where", "flavour=sweet"], 2),
    ],
)
def test_wrong_usage_and_what_is_not_there_have_codes_of_their_own(
    index: Path, options: list[str], code: int
) -> None:
    assert process("search", *options, "--index", index).returncode == code


def test_rejects_are_written_also_where_the_run_fails(tmp_path: Path, tiny_model: str) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes("id,title\n1,red mug,groß\n2,gr\u00fcn\n".encode("latin-1"))
    done = run(
        "index", source, "--index", tmp_path / "i", "--model", tiny_model, "--rejects",
        tmp_path / "rejects.jsonl",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "row 2, row: the row has 3 cells" in str(done.exception)
    assert [reject["row"] for reject in read_json_lines(tmp_path / "rejects.jsonl")] == [2, 3]


def test_products_that_a_source_lacks_are_told_of(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    """A second catalog indexed into the first one's index would show up among its results."""
    options = ("--index", tmp_path / "i", "--model", tiny_model)
    assert "are kept" not in run("index", shop.path, *options).stderr
    shop.rows["P-001"] |= {"image": "images/none.png", "title": "", "description": ""}
    faulty = run("index", shop.write(), *options)
    assert faulty.exit_code == 3 and "are kept" not in faulty.stderr, "it is there, with a fault"
    other = tmp_path / "other.csv"
    other.write_text("id,title\nX-1,lamp\n")
    told = "20 products that the source does not have are kept; --prune drops them"
    assert told in run("index", other, *options, "--dry-run").stderr
    assert told in run("index", other, *options).stderr
    assert "are kept" not in run("index", other, *options, "--prune").stderr


def test_a_table_in_a_folder_of_photos_is_pointed_to(shop: Shop, tmp_path: Path) -> None:
    photos = ("index", shop.path.parent, "--dry-run", "--index", tmp_path / "i")
    assert f"{shop.path.name} beside them is not read" in run(*photos).stderr


def test_rollback_makes_no_folder_where_there_is_no_index(tmp_path: Path) -> None:
    assert run("rollback", "--index", tmp_path / "none").exit_code == 1
    assert not (tmp_path / "none").exists()
