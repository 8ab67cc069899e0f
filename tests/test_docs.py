"""The README and the pages of docs/: a newcomer may paste each example, and finds what is named.

Examples run in a folder as `scripts/demo` leaves the project's: the samples, and an index of them.
What needs a network, long, or a catalog that is not ours is parsed by its command and not run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner
from werkzeug.serving import make_server

from retrieval.cli import cli
from retrieval.settings import CONFIG_VARIABLE, PREFIX, Settings, load_settings
from tests.support.shop import SAMPLES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTINGS_PAGE = ROOT / "docs" / "settings.md"
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "retrieval").rglob("*.md"))]
SERVER = "localhost:5000"

# Parsed, not run: a server or minutes of work; other models, other catalogs, plots.
LONG = {"serve", "bench", "adapt", "quantize"}
NOT_HERE = ("local-dir:", "hf-hub:", "int8:", "ViT-", "flipkart", "--report", "--compare")
# What a reader fills in: PATH, ORG/REPO, indexes/OTHER; the id of a product, CH-1771-OAK, is none.
PLACEHOLDER = re.compile(r"(?<![\w-])[A-Z]{3,}(?![\w-])")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
OPTION = re.compile(r"--?[a-z][a-z-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MILLION = 1_000_000


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """(language, text) of each block, in order."""
        return FENCE.findall(self.path.read_text("utf-8"))

    @property
    def prose(self) -> str:
        return FENCE.sub("", self.path.read_text("utf-8"))

    @property
    def inline_code(self) -> list[str]:
        return [" ".join(found.split()) for found in INLINE.findall(self.prose)]

    @property
    def anchors(self) -> set[str]:
        """Of the headings, as GitHub makes them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def words(line: str) -> list[str]:
    """As a shell would split it, without the comment."""
    return shlex.split(line, comments=True)


def command_named(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"there is no command `retrieval {name}`"
    return found


def options_of(command: click.Command) -> set[str]:
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {
        option
        for parameter in command.get_params(context)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if isinstance(parameter, click.Option)
    }


def commands() -> list[click.Command]:
    return [command_named(name) for name in cli.list_commands(click.Context(cli))]


@pytest.fixture
def as_after_the_demo(samples_index: Path, tmp_path: Path) -> Path:
    """The samples and an index of them, as they lie in the project's root; the current folder."""
    (tmp_path / "samples").symlink_to(SAMPLES, target_is_directory=True)
    shutil.copytree(samples_index, tmp_path / "indexes" / "default")
    return tmp_path


@pytest.fixture
def served(as_after_the_demo: Path) -> Iterator[str]:
    """HOST:PORT of `retrieval serve`, in a thread."""
    from retrieval_web import create_app

    app = create_app(load_settings(index=as_after_the_demo / "indexes" / "default"))
    app.extensions["site"].warm()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_example_of_a_page_runs(path: Path, served: str) -> None:
    names: dict[str, Any] = {}
    for language, block in Page(path).blocks:
        if language == "sh":
            for line in block.splitlines():
                follow(line, served)
        elif language == "python":
            exec(compile(block.replace(SERVER, served), named(path), "exec"), names)
        elif language == "toml":
            Settings(**tomllib.loads(block))
        elif language == "nginx":
            told = set(re.findall(r"X-Forwarded-\w+", block))
            assert told == {f"X-Forwarded-{name}" for name in ("For", "Proto", "Host", "Prefix")}
        else:
            raise AssertionError(f"what is a block of {language!r}, and who looks after it?")


def follow(line: str, served: str) -> None:
    """Runs a line of the shell, or says what in it cannot be."""
    program, *arguments = words(line)
    if program == "retrieval":
        if is_run(line):
            result = CliRunner().invoke(cli, arguments)
            assert result.exit_code == 0, f"{line}\n{result.output}{result.exception!r}"
        else:
            understand(line, arguments)
    elif program == "curl":
        ask(line, arguments, served)
    elif program.startswith("scripts/"):
        assert (ROOT / program).is_file(), line
        assert not arguments, f"nothing looks at the options of: {line}"
    else:
        assert program == "pip", f"nothing looks at: {line}"


def is_run(line: str) -> bool:
    return (
        words(line)[1] not in LONG
        and not PLACEHOLDER.search(" ".join(words(line)))
        and not any(part in line for part in NOT_HERE)
    )


def understand(line: str, arguments: list[str]) -> None:
    """Reads the arguments as the command would: its options, their choices, what must be given."""
    command = command_named(arguments[0])
    try:
        command.make_context(arguments[0], arguments[1:])
    except click.UsageError as error:
        raise AssertionError(f"{line}\n{error.format_message()}") from None


def ask(line: str, arguments: list[str], served: str) -> None:
    """What curl would ask: forms by -F, and an address."""
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    rest = iter(arguments)
    addresses = []
    for argument in rest:
        if argument == "-F":
            name, _, value = next(rest).partition("=")
            if value.startswith("@"):
                files[name] = Path(value[1:]).read_bytes()
            else:
                fields[name] = value
        else:
            assert not argument.startswith("-"), f"nothing knows {argument} in: {line}"
            addresses.append(argument)
    (address,) = addresses
    assert address.startswith(SERVER), line
    url = "http://" + address.replace(SERVER, served)
    answer = (
        requests.post(url, data=fields, files=files, timeout=60)
        if files or fields
        else requests.get(url, timeout=60)
    )
    assert answer.status_code == 200, f"{line}\n{answer.text}"
    assert answer.json()["results"], f"{line}\nfinds nothing"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_commands_and_options_named_in_a_text_exist(path: Path) -> None:
    known = set().union(*map(options_of, commands()))
    scripts = "".join(one.read_text("utf-8") for one in (ROOT / "scripts").glob("*.py"))
    for code in Page(path).inline_code:
        parts = code.split()
        options = [found[0] for part in parts if (found := OPTION.match(part))]
        if parts[0] == "retrieval" and len(parts) > 1 and not PLACEHOLDER.match(parts[1]):
            missing = set(options) - options_of(command_named(parts[1]))
            assert not missing, f"`{code}`: retrieval {parts[1]} has no {', '.join(missing)}"
        elif parts[0].startswith("scripts/"):
            assert (ROOT / parts[0]).is_file(), code
            assert all(f'"{option}"' in scripts for option in options), code
        elif parts[0].startswith("--") or parts[0] == "retrieval":
            assert set(options) <= known, f"`{code}`: no command has it"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_settings_named_as_variables_exist(path: Path) -> None:
    known = {CONFIG_VARIABLE} | {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}\w+", path.read_text("utf-8"))) <= known


def settings_table() -> dict[str, str]:
    """The rows of the page of settings: name -> what it says of the default."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", SETTINGS_PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting stands there twice"
    return dict(rows)


def test_the_page_of_settings_has_each_setting_and_no_other() -> None:
    assert set(settings_table()) == set(Settings.model_fields)


def test_the_page_of_settings_tells_the_defaults() -> None:
    for name, said in settings_table().items():
        default = Settings.model_fields[name].default
        if found := re.fullmatch(r"`(.+)`", said):
            assert found[1] == str(default), name
        elif found := re.fullmatch(r"([\d.,]+)( million)?", said):
            number = float(found[1].replace(",", "")) * (MILLION if found[2] else 1)
            assert number == default, name
        else:  # said in words: what is found out at the start, or nothing
            assert name == "decode_workers" or not default, name


@pytest.mark.parametrize("path", LINKED, ids=named)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(Page(path).prose):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{link} leads nowhere"
        assert there.is_relative_to(ROOT), f"{link} leads out of the project"
        assert not anchor or anchor in Page(there).anchors, f"{link}: no such heading"


def test_every_page_is_reached_from_the_readme() -> None:
    links = LINK.findall(Page(ROOT / "README.md").prose)
    assert {named(page) for page in PAGES[1:]} <= {link.partition("#")[0] for link in links}
