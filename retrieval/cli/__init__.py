"""The command `retrieval`: thin; each command calls the engine and shows what it answers."""

from __future__ import annotations

import difflib
from importlib import import_module

import click

from retrieval import __version__
from retrieval.cli.common import run_main

__all__ = ["cli", "main"]

# In the order of `--help`, each with the module that it stands in.
COMMANDS = {
    "index": "indexing",
    "search": "searching",
    "evaluate": "evaluating",
    "adapt": "adapting",
    "quantize": "quantizing",
    "rebuild": "maintenance",
    "remove": "maintenance",
    "verify": "maintenance",
    "generations": "maintenance",
    "rollback": "maintenance",
    "serve": "serving",
    "models": "indexing",
    "bench": "benching",
}


class _Commands(click.Group):
    """Imports a command when it is asked for: a search need not wait for what adapts a model."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"retrieval.cli.{COMMANDS[name]}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = difflib.get_close_matches(args[0], COMMANDS, 1)
            if not meant:
                raise
            raise click.UsageError(f"{error} Did you mean '{meant[0]}'?", ctx) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="retrieval")
def cli() -> None:
    """Search a product catalog by words, by photo, or by both.

    Start with `retrieval index SOURCE`, then `retrieval search "what you look for"`.
    """


def main() -> None:
    """Entry point; exits with 0, 1 (error), 2 (usage), 3 (rows were rejected) or 130 (stopped)."""
    run_main(cli)
