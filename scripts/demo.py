"""What `scripts/demo` runs once all is installed: indexes the samples, searches in each way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples" / "catalog.csv"
INDEX = Path("indexes/default")


@click.command()
@click.option("--port", default=5000, show_default=True, help="Where the site listens.")
@click.option("--no-serve", is_flag=True, help="Stop after the index is built and searched.")
def main(port: int, no_serve: bool) -> None:
    """Index the sample catalog with the bundled model, search it in each way, start the site."""
    retrieval("index", str(SAMPLES.relative_to(ROOT)), "--model", "starter", "--prune")
    for title, arguments in searches():
        click.secho(f"\n{title}", bold=True)
        click.secho("$ retrieval search " + " ".join(map(quoted, arguments)), dim=True)
        retrieval("search", *arguments, "--limit", "3", "--no-pictures")
    click.echo('\nSearch it yourself: .venv/bin/retrieval search "what you look for"')
    if not no_serve:
        retrieval("serve", "--port", str(port))


def searches() -> list[tuple[str, list[str]]]:
    """One search of each kind, on products that the sample catalog has."""
    photo = "samples/images/" + sorted(path.name for path in SAMPLES.parent.glob("images/*"))[0]
    first_id = SAMPLES.read_text("utf-8").splitlines()[1].split(",")[0]
    return [
        ("By words", ["blue glass vase"]),
        ("By photo", ["--image", photo]),
        ("By photo and words", ["--image", photo, "green"]),
        ("Without something", ["chair", "--minus", "oak"]),
        ("With a filter", ["lamp", "--where", "price<100"]),
        ("By article number", [first_id]),
    ]


def retrieval(*arguments: str) -> None:
    command = [sys.executable, "-m", "retrieval", *arguments, "--index", str(INDEX)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode not in (0, 3):
        sys.exit(done.returncode)


def quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument or "<" in argument else argument


if __name__ == "__main__":
    main()
