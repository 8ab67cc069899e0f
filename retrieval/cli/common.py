"""What all commands share: their common options, how errors are told, how JSON is printed."""

from __future__ import annotations

import functools
import io
import json
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import rich.console
import rich.text

from retrieval.common.text import OBEYED, printable
from retrieval.errors import NotFound, QueryError, RetrievalError, one_line
from retrieval.settings import check_environment, load_settings

Function = TypeVar("Function", bound=Callable[..., Any])

SETTINGS = ("model", "device", "backend")
WIDTH_OF_PIPES = 200
ERROR, USAGE, REJECTED, STOPPED = 1, 2, 3, 130


def common_options(function: Function) -> Function:
    """Adds --index, --json and --debug; passes `settings` on instead of the index."""

    @click.option(
        "--index",
        "index_folder",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of the index [default: indexes/default, or RETRIEVAL_INDEX].",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def with_settings(index_folder: Path | None, debug: bool, as_json: bool, **options: Any) -> Any:
        context = click.get_current_context()
        context.ensure_object(dict)["debug"] = debug
        context.obj["json"] = as_json
        flags = {name: options.pop(name) for name in SETTINGS if name in options}
        check_environment()
        settings = load_settings(index=index_folder, **flags)
        return function(settings=settings, as_json=as_json, **options)

    return with_settings  # type: ignore[return-value]


def model_options(function: Function) -> Function:
    """Adds --device and --backend: where the model runs, and by what."""
    backends = click.Choice(["auto", "openvino", "torch"])
    by_what = click.option("--backend", type=backends, help="What runs the model [default: auto].")
    where = click.option("--device", metavar="NAME", help="auto, cpu, cuda or mps.")
    return where(by_what(function))


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout: exact to who reads it, be it a terminal or an old code page."""
    # In a code page of Windows a reader of JSON, which is UTF-8, would stumble over each umlaut.
    ascii_only = (sys.stdout.encoding or "utf-8").replace("-", "").lower() != "utf8"
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2, allow_nan=False)
    # Those below a space JSON spells out itself.
    click.echo(OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


class _Console(rich.console.Console):
    """One that prints what texts say, and does not obey them."""

    def render_str(self, text: str, **options: Any) -> rich.text.Text:
        return super().render_str(printable(text), **options)


def console() -> rich.console.Console:
    """Where results for people go: stdout. Names with brackets in them are no markup."""
    out = _Console(markup=False, highlight=False, emoji=False)
    if not out.is_terminal:
        out.width = WIDTH_OF_PIPES  # nothing is cut short for a program, or a log
    return out


def note(message: str) -> None:
    """A line beside the result, on stderr."""
    click.echo(" ".join(printable(message).splitlines()), err=True)


def run_main(command: click.Group) -> NoReturn:
    """Runs the command line; every error becomes one line and an exit code."""
    # Stopped by a service manager is stopped all the same: cleanly, to be taken up again.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Pillow warns of broken metadata, which does not keep a photo from being read.
    warnings.filterwarnings("ignore", module=r"PIL\..*")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A letter that a code page lacks must not cost the whole table.
        sys.stdout.reconfigure(errors="replace")
    debug = "--debug" in sys.argv
    try:
        code = command.main(standalone_mode=False)
    except click.UsageError as error:
        _show(error)
        code = error.exit_code
    except click.ClickException as error:
        _show(error)
        code = ERROR
    except (KeyboardInterrupt, click.Abort):
        note("stopped; nothing is half done, what was stored is kept: run the same command again")
        code = STOPPED
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python must not complain about it at its end.
        sys.stdout = None
        code = 0
    except RetrievalError as error:
        code = _tell(error, debug)
        if isinstance(error, QueryError) and not isinstance(error, NotFound):
            code = USAGE
    except Exception as error:
        code = _tell(_unexpected(error), debug)
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: click.ClickException) -> None:
    buffer = io.StringIO()
    error.show(buffer)
    click.echo(printable(buffer.getvalue()), err=True, nl=False)


def _unexpected(error: Exception) -> RetrievalError:
    text = f"{type(error).__name__}: {one_line(error)}"
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}"
    unexpected = RetrievalError(f"{text}; run with --debug for the traceback")
    unexpected.__cause__ = error
    return unexpected


def _tell(error: RetrievalError, debug: bool) -> int:
    if debug:
        click.echo(printable("".join(traceback.format_exception(error))), err=True, nl=False)
    else:
        note(f"error: {error}")
    return ERROR
