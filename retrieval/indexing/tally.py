"""What a run did: its report, and the counting of what comes out of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retrieval.indexing.preparing import Prepared
from retrieval.indexing.unreachable import hidden_by
from retrieval.sources import EMPTY_ROW, Reject, Source
from retrieval.storage.base import Catalog


@dataclass
class IndexReport:
    """What a run did, or with `dry_run` would do.

    Attributes:
        products, images, texts: in the index afterwards.
        embedded: vectors made by the model in this run.
        reused: photos and texts of the source whose vector was there already.
        beside: products that the source does not have and that were kept; 0 where a row that
            cannot be read leaves open whose it is.
        photos_unreachable: photos of the source that cannot be read today; what is known of them
            is kept.
        kept_away: products that were removed by their id, and whose row has not changed since.
        rejected: rows, photos and cells that were left out; see `rejects`.
        indexes_passed_over: folders of the source that are an index.
        incomplete: photos that were read, but for a few of their rows; see `notes`.
        taken, passed_over: pictures of a folder by suffix: those that were looked at, and those
            of kinds that are not read here.
        generation: the live one afterwards; None after a dry run.
        adapted: its vectors went through the catalog's adapter.
        notes: photos that lack a few rows, and what could not be learnt; a line each.
    """

    model: str
    products: int = 0
    images: int = 0
    texts: int = 0
    embedded: int = 0
    reused: int = 0
    photos_unreachable: int = 0
    rejected: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    beside: int = 0
    kept_away: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    generation: int | None = None
    adapted: bool = False
    dry_run: bool = False
    indexes_passed_over: list[str] = field(default_factory=list)
    incomplete: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        lists = ("rejects", "notes")
        return {name: value for name, value in vars(self).items() if name not in lists}


class Tally:
    """Counts what comes out of a source.

    Attributes:
        seen: ids that the source has, also those of rows that could not be used: `--prune` must
            not drop a product because its row has a fault today.
        usable: rows that something could be made of.
        nameless: rows that could not be used, and do not say whose they are.
        hidden: stored products behind folders that could not be looked into.
    """

    def __init__(self, report: IndexReport, removals: Mapping[str, str]) -> None:
        """`removals`: id -> row_hash of what was removed by its id."""
        self.report = report
        self._removals = removals
        self.seen: set[str] = set()
        self.usable = 0
        self.nameless = 0
        self.hidden = 0

    def add(self, item: Prepared | Reject) -> bool:
        """Counts an item; tells whether it is a product that can be searched."""
        self.add_rejects(item)
        if isinstance(item, Prepared):
            self.report.photos_unreachable += item.unreachable
        key = item.key if isinstance(item, Reject) else item.record.key
        if key is not None:
            self.seen.add(key)
        elif isinstance(item, Reject) and item.reason != EMPTY_ROW:
            self.nameless += 1
        if isinstance(item, Reject) or item.empty:
            return False
        self.usable += 1
        if item.stored is None and self._removals.get(key or "") == item.record.row_hash:
            self.report.kept_away += 1
            return False
        self.report.added += item.stored is None
        self.report.updated += item.stored is not None and item.touched
        self.report.unchanged += item.stored is not None and not item.touched
        return True

    def add_rejects(self, item: Prepared | Reject) -> None:
        rejects = [item] if isinstance(item, Reject) else item.rejects
        self.report.rejects += rejects
        if isinstance(item, Prepared):
            self.report.notes += item.notes
            self.report.incomplete += len(item.notes)
        self.report.rejected += len(rejects)

    def hide(self, source: Source, catalog: Catalog | None) -> None:
        """Counts what lies behind folders that the source could not look into."""
        hidden = hidden_by(source, catalog, self.seen)
        self.seen |= hidden.keys
        self.hidden = len(hidden.keys)
        self.report.photos_unreachable += hidden.photos
        self.report.rejects += hidden.rejects
        self.report.rejected += len(hidden.rejects)
        self.report.indexes_passed_over = [str(folder) for folder in source.indexes_passed_over]

    def why_not_pruned(self) -> Reject:
        reason = (
            f"nothing was dropped: {self.nameless} rows above cannot be read, and whose they are "
            "is not known; mend them and run this again"
        )
        return Reject(None, None, "--prune", "", reason)

    def preview(self, item: Prepared | Reject) -> None:
        """Counts an item as it would be after the run."""
        if not self.add(item) or not isinstance(item, Prepared):
            return
        self.report.products += 1
        self.report.images += len(item.images)
        self.report.texts += len(item.record.texts)
        self.report.embedded += item.decoded + item.new_texts
        self.report.reused += len(item.images) - item.decoded
        self.report.reused += len(item.record.texts) - item.new_texts

    def previewed(self, catalog: Catalog | None, prune: bool) -> IndexReport:
        """The report of a dry run, products that the source does not have counted in."""
        self.report.dry_run = True
        self.report.products += self.hidden
        elsewhere = catalog.count_except(self.seen) if catalog else 0
        if prune and not self.nameless:
            self.report.removed = elsewhere
        else:
            self.report.products += elsewhere
            self.report.beside = 0 if self.nameless else elsewhere
        return self.report
