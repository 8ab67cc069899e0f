"""Source -> catalog -> vectors -> generation: incremental, resumable, in bounded memory.

Records flow through threads that read and decode, a bounded way ahead of the encoder. Products
are committed in batches, each with its vectors: whatever moment a run is killed at, the catalog
holds whole products, and the next run finds them done.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.progress import Progress
from retrieval.common.text import text_hash
from retrieval.encoders import STARTER, Encoder, portable_name
from retrieval.encoders.base import ModelInput
from retrieval.errors import IndexDamaged, IndexMissing, SourceError
from retrieval.images.kinds import told_passed_over
from retrieval.indexing.calibration import unmeasured
from retrieval.indexing.preparing import Prepared, SourceReader
from retrieval.indexing.publishing import publish
from retrieval.indexing.tally import IndexReport, Tally
from retrieval.indexing.unreachable import check_lost_photos, check_photos_are_named
from retrieval.settings import Settings
from retrieval.sources import Reject, Source
from retrieval.storage import open_storage
from retrieval.storage.base import Catalog, Storage
from retrieval.storage.entities import EncoderInfo, Manifest, ProductChange

PRODUCTS_A_COMMIT = 512
TEXTS_A_COMMIT = 512


class Indexer:
    """Brings the index of `settings.index` up to date with sources."""

    def __init__(
        self, settings: Settings, progress: Progress, rejects: list[Reject] | None = None
    ) -> None:
        """`rejects` is filled as the run goes: it is there also where the run does not end well."""
        self._storage = open_storage(settings.index, settings)
        self._settings = settings
        self._progress = progress
        self._rejects = [] if rejects is None else rejects

    def run(
        self, source: Source, encoder: Encoder, *, prune: bool = False, yes: bool = False
    ) -> IndexReport:
        """Embeds what is new or changed in `source`, and publishes a generation if any is.

        Args:
            prune: drop the products that the source does not have.
            yes: go on also where many photos are lost for good.

        Raises:
            IndexLocked: another process writes to the index.
            SourceError: the source has no usable row at all, or photos would be lost; nothing is
                published then.
            KeyboardInterrupt: stopped; what was committed stays, and the next run goes on.
        """
        with self._storage.writing(create=True) as catalog:
            report = IndexReport(model=encoder.name, rejects=self._rejects)
            run = _Run(self._storage, catalog, self._settings, self._progress, encoder, report)
            return run.execute(source, prune, yes)

    def preview(self, source: Source, *, prune: bool = False) -> IndexReport:
        """What `run` would do, photos decoded, but no model loaded and nothing written."""
        with contextlib.ExitStack() as stack:
            known = self._storage.exists()
            catalog = stack.enter_context(self._storage.reading()) if known else None
            active = catalog.active_encoder() if catalog else None
            name = self._settings.model and portable_name(self._settings.model, self._storage.base)
            if active and name not in (None, active.name):
                active = None  # another model: nothing is embedded by it yet
            model = self._settings.model or (active.name if active else STARTER)
            # What is stored is known by its pixels as they were seen.
            side = active.details["preprocess"]["size"] if active else None
            reader = SourceReader(self._storage.base, self._settings, None, side)
            report = IndexReport(model, rejects=self._rejects)
            tally = Tally(report, catalog.removals() if catalog else {})
            fingerprint = active.fingerprint if active else None
            with self._progress.task("looking", source.count()) as task:
                for item in reader.stream(source, catalog, fingerprint):
                    task.advance()
                    tally.preview(item)
            tally.hide(source, catalog)
            report = tally.previewed(catalog, prune)
            report.taken, report.passed_over = dict(source.taken), dict(source.passed_over)
            return report


def encoder_info(encoder: Encoder, base: Path) -> EncoderInfo:
    """What a catalog keeps of an encoder; folders are told from `base`."""
    name = portable_name(encoder.name, base)
    return EncoderInfo(encoder.fingerprint, name, encoder.dim, encoder.details.as_dict())


def _none_usable(report: IndexReport) -> str:
    if report.passed_over and not report.rejects:
        return f"no usable row ({told_passed_over(report.passed_over)})"
    if not report.rejects:
        return "no usable row: it has none at all"
    first = report.rejects[0]
    where = "" if first.row is None else f"row {first.row}, "
    return f"no usable row ({report.rejected} rejected; {where}{first.field}: {first.reason})"


class _Run:
    """One run of the indexer; lives as long as the lock is held."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        settings: Settings,
        progress: Progress,
        encoder: Encoder,
        report: IndexReport,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._settings = settings
        self._progress = progress
        self._encoder = encoder
        self._fingerprint = encoder.fingerprint
        catalog.register_encoder(encoder_info(encoder, storage.base))
        self._reader = SourceReader(storage.base, settings, encoder)
        self._tally = Tally(report, catalog.removals())
        self._batch: list[Prepared] = []
        self._squares = 0
        self._texts = 0
        self._embedded_images = 0

    def execute(self, source: Source, prune: bool, yes: bool) -> IndexReport:
        started = time.perf_counter()
        report = self._tally.report
        if not yes:
            check_photos_are_named(source, self._catalog)
        with self._progress.task("indexing", source.count()) as task:
            for item in self._reader.stream(source, self._catalog, self._fingerprint):
                task.advance()
                if self._tally.add(item):
                    self._take(item)
            self._commit()
        self._tally.hide(source, self._catalog)
        report.taken, report.passed_over = dict(source.taken), dict(source.passed_over)
        if not self._tally.usable:
            raise SourceError(f"{source.path} has {_none_usable(report)}; nothing was changed")
        if prune and not self._tally.nameless:
            report.removed = self._catalog.remove_except(self._tally.seen)
        elif prune:
            self._tally.add_rejects(self._tally.why_not_pruned())
        elif not self._tally.nameless:
            report.beside = self._catalog.count_except(self._tally.seen)
        self._complete_others(yes)
        encoding = time.perf_counter() - started
        manifest = self._publish()
        counts = self._catalog.counts()
        report.products, report.images = counts["products"], counts["images"]
        report.texts = counts["texts"]
        report.generation = manifest.generation
        report.adapted = manifest.adapter
        report.notes += unmeasured(manifest)
        report.seconds = round(time.perf_counter() - started, 3)
        report.images_per_second = round(self._embedded_images / max(encoding, 1e-9), 1)
        return report

    def _complete_others(self, yes: bool) -> None:
        """Embeds stored products that the source did not have, where the model is a new one.

        Those whose photos cannot be read are left out where these are gone for good.
        """
        waiting = self._catalog.incomplete(self._fingerprint)
        if not len(waiting):
            return
        records = self._catalog.records(waiting)
        blind: list[Prepared] = []
        with self._progress.task("embedding earlier products", len(waiting)) as task:
            for item in self._reader.stream(records, self._catalog, self._fingerprint):
                task.advance()
                if isinstance(item, Reject):
                    continue
                if item.record.key not in self._tally.seen:
                    self._tally.add_rejects(item)
                if item.without_vector:
                    blind.append(replace(item, inputs={}))
                self._take(item)
            self._commit()
        check_lost_photos(
            [(item.record, item.without_vector) for item in blind],
            self._catalog.counts()["images"],
            self._encoder.name,
            yes=yes,
        )
        self._leave_out(blind)

    def _leave_out(self, blind: list[Prepared]) -> None:
        """Drops photos that are gone for good and that this model never saw.

        No vector can ever be made of them, and a generation in which some lack one is not
        published. A product that has nothing else goes with them.
        """
        lost: list[str] = []
        for item in blind:
            images = tuple(image for image in item.images if image not in item.without_vector)
            if images or item.record.texts:
                self._take(replace(item, images=images, visible=True, to_write=True))
            else:
                lost.append(item.record.key)
        self._commit()
        if lost:
            self._catalog.remove(lost)
            self._tally.report.removed += len(lost)

    def _take(self, prepared: Any) -> None:
        if not prepared.to_write:
            self._tally.report.reused += len(prepared.images) + len(prepared.record.texts)
            return
        self._batch.append(prepared)
        self._squares += len(prepared.inputs)
        self._texts += len(prepared.record.texts)
        full = self._squares >= self._settings.batch_size or self._texts >= TEXTS_A_COMMIT
        if full or len(self._batch) >= PRODUCTS_A_COMMIT:
            self._commit()

    def _commit(self) -> None:
        """Embeds what the batch lacks and writes it all in one transaction."""
        if not self._batch:
            return
        inputs: dict[str, ModelInput] = {}
        texts: dict[str, str] = {}
        for prepared in self._batch:
            inputs.update(prepared.inputs)
            texts.update({text_hash(content): content for _, content in prepared.record.texts})
        known = self._catalog.known_vectors([*inputs, *texts], self._fingerprint)
        vectors = self._embed(
            {key: square for key, square in inputs.items() if key not in known},
            {key: content for key, content in texts.items() if key not in known},
        )
        items = sum(len(p.images) + len(p.record.texts) for p in self._batch)
        self._tally.report.embedded += len(vectors)
        self._tally.report.reused += max(0, items - len(vectors))
        changes = [ProductChange(p.record, p.images, p.stored, p.visible) for p in self._batch]
        self._catalog.write(changes, vectors, self._fingerprint)
        self._batch, self._squares, self._texts = [], 0, 0

    def _embed(
        self, inputs: dict[str, ModelInput], texts: dict[str, str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        if inputs:
            made = self._encoder.encode_images(list(inputs.values()))
            vectors.update(zip(inputs, made, strict=True))
        if texts:
            made = self._encoder.encode_texts(list(texts.values()))
            vectors.update(zip(texts, made, strict=True))
        self._embedded_images += len(inputs)
        return vectors

    def _publish(self) -> Manifest:
        self._catalog.activate_encoder(self._fingerprint)
        with contextlib.suppress(IndexMissing, IndexDamaged):
            live = self._storage.live_manifest()
            if live.revision == self._catalog.revision():
                # Nothing to publish, which would do it: a run that was killed left it behind.
                self._catalog.clean_up()
                return live
        # Whatever this run did itself: the one that replaced them may have been killed.
        self._catalog.drop_unused_vectors()
        return publish(self._catalog, self._progress)
