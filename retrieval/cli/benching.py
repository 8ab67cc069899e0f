"""`retrieval bench`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retrieval.cli.common import common_options, console, model_options, note, print_json
from retrieval.cli.progress import for_this_terminal
from retrieval.common.progress import Progress
from retrieval.errors import SourceError
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.bench.measuring import Measurement

SUITES = ("encode", "search", "growth", "serve", "peers")
SAMPLES = Path("samples/images")


@dataclass(frozen=True)
class _Plan:
    settings: Settings
    photos: Path
    count: int
    models: tuple[str, ...]
    sizes: list[int]
    peers: tuple[str, ...]
    progress: Progress

    def run(self, suite: str, folder: Path) -> Iterator[Measurement]:
        """Measures one of SUITES; `folder` is for what it writes meanwhile."""
        return {
            "encode": self._encode,
            "search": self._search,
            "growth": self._growth,
            "serve": self._serve,
            "peers": self._peers,
        }[suite](folder)

    def _encode(self, folder: Path) -> Iterator[Measurement]:
        from retrieval.bench import encoding

        photos = self._chosen_photos()
        yield from encoding.bench_decoding(photos, 224)
        for name in self.models:
            architecture = name.removeprefix(encoding.RANDOM)
            if name != architecture:
                name = encoding.random_model(architecture, folder / architecture)
            yield from encoding.bench_encoding(architecture, name, photos, self.settings)

    def _search(self, folder: Path) -> Iterator[Measurement]:  # noqa: ARG002 - as the others
        from retrieval.bench.searching import bench_search

        for size in self.sizes:
            yield from bench_search(size, self.settings.exact_limit, self.settings.recall_goal)

    def _growth(self, folder: Path) -> Iterator[Measurement]:  # noqa: ARG002 - as the others
        from retrieval.bench.growing import bench_growth
        from retrieval.encoders import STARTER, load_encoder

        encoder = load_encoder(STARTER, self.settings)
        yield from bench_growth(self.sizes, encoder, self.settings, self.progress)

    def _serve(self, folder: Path) -> Iterator[Measurement]:  # noqa: ARG002 - as the others
        from retrieval.bench.serving import bench_serving

        return bench_serving(self.settings.index)

    def _peers(self, folder: Path) -> Iterator[Measurement]:
        from retrieval.bench import encoding, peers

        programs = peers.find_peers(self.peers)
        if not programs:
            note(f"none of {', '.join(peers.PEERS)} is installed; --peer NAME=PROGRAM names one")
            return
        name = encoding.random_model(peers.RCLIP_MODEL, folder / peers.RCLIP_MODEL)
        yield from peers.bench_peers(name, self._chosen_photos(), programs, self.progress)

    def _chosen_photos(self) -> list[Path]:
        """The photos to encode; raises SourceError where they are too few."""
        from retrieval.common.vectors import NEIGHBOURS

        if not self.photos.is_dir():
            raise SourceError(f"{self.photos}: no such folder; give one of JPEGs as --photos")
        photos = sorted(self.photos.glob("*.jp*g"))[: self.count]
        if len(photos) < 2 * NEIGHBOURS:
            raise SourceError(f"{self.photos} has too few JPEGs to measure by; give --photos")
        return photos


@click.command()
@click.argument("suites", nargs=-1, type=click.Choice(SUITES))
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    default=SAMPLES,
    show_default=True,
    help="Folder of JPEGs to encode.",
)
@click.option("--count", default=256, show_default=True, help="Of them, at most.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Models to encode by; random:ARCHITECTURE has random weights [default: starter].",
)
@click.option(
    "--sizes",
    default="1000,10000,100000",
    show_default=True,
    help="Vectors to search among, and products to grow to.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=PROGRAM",
    help="Another tool to compare with, where it is not on PATH: clip-retrieval, rclip.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write JSON, tables, plots."
)
@model_options
@common_options
def bench(
    settings: Settings,
    as_json: bool,
    suites: tuple[str, ...],
    photos: Path,
    count: int,
    models: tuple[str, ...],
    sizes: str,
    peers: tuple[str, ...],
    out: Path | None,
) -> None:
    """Measure speed and memory on this machine, each beside what it is compared with.

    SUITES: encode (photos and words to vectors), search (among vectors), growth (whole catalogs),
    serve (the server of --index under load), peers (other tools on the same photos, as far as they
    are installed); all where none is named.
    """
    from retrieval.bench.goals import hold_against_goals
    from retrieval.bench.machine import describe_machine
    from retrieval.bench.reporting import document, tables, write_results

    machine = describe_machine()
    plan = _Plan(
        settings, photos, count, models or ("starter",), _sizes(sizes), peers, for_this_terminal()
    )
    measurements = []
    with tempfile.TemporaryDirectory(prefix="retrieval-bench-") as folder:
        for suite in suites or SUITES:
            for measurement in plan.run(suite, Path(folder)):
                measurements.append(measurement)
                name = f"{measurement.suite}, {measurement.case}, {measurement.method}"
                note(f"{name}: {measurement.median:,.4g} {measurement.unit}")
    goals = hold_against_goals(measurements)
    if out is not None:
        write_results(out, machine, measurements, goals)
    if as_json:
        print_json(document(machine, measurements, goals))
    else:
        console().print(tables(machine, measurements, goals))


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1_000:
        raise click.UsageError("--sizes: whole numbers from 1000, separated by commas")
    return sizes
