"""What `scripts/demo` runs once all is installed: indexes the samples, searches in each way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples" / "catalog.csv"
INDEX = Path("indexes/default")
# Where the default index holds a catalog of its own.
APART = Path("indexes/samples")


@click.command()
@click.option("--port", default=5000, show_default=True, help="Where the site listens.")
@click.option("--no-serve", is_flag=True, help="Stop after the index is built and searched.")
def main(port: int, no_serve: bool) -> None:
    """Index the sample catalog with the bundled model, search it in each way, start the site."""
    index = INDEX if holds_samples_alone(INDEX) else APART
    named = "" if index == INDEX else f" --index {index}"
    if named:
        click.echo(f"{INDEX} holds more than the samples: they go to {index}", err=True)
    retrieval(index, "index", str(SAMPLES.relative_to(ROOT)), "--model", "starter", "--prune")
    for title, arguments in searches():
        click.secho(f"\n{title}", bold=True)
        shown = " ".join(map(quoted, arguments))
        click.secho(f"$ retrieval search {shown}{named}", dim=True)
        retrieval(index, "search", *arguments, "--limit", "3", "--no-pictures")
    click.echo(f'\nSearch it yourself: .venv/bin/retrieval search "what you look for"{named}')
    if not no_serve:
        retrieval(index, "serve", "--port", str(port))


def holds_samples_alone(index: Path) -> bool:
    """Whether to index the samples into `index`, and drop what else is there, loses nothing."""
    if not (ROOT / index / "catalog.db").exists():
        return True
    asked = command(index, "index", str(SAMPLES), "--prune", "--dry-run", "--json")
    looked = subprocess.run(asked, cwd=ROOT, check=False, capture_output=True, text=True)
    if looked.returncode not in (0, 3):
        return False
    report = json.loads(looked.stdout)
    return bool(report["removed"] == 0 and report["model"] == "starter")


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


def command(index: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "retrieval", *arguments, "--index", str(index)]


def retrieval(index: Path, *arguments: str) -> None:
    done = subprocess.run(command(index, *arguments), cwd=ROOT, check=False)
    if done.returncode not in (0, 3):
        sys.exit(done.returncode)


def quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument or "<" in argument else argument


if __name__ == "__main__":
    main()
