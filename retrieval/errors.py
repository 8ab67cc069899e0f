"""Every error that the engine raises on purpose: one line, with what to do about it."""

from __future__ import annotations


def one_line(error: BaseException, most: int = 300) -> str:
    """What an exception says, on one line of at most `most` characters; its kind if nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


class RetrievalError(Exception):
    """Something went wrong that the caller can mend; its text is one line and says how."""


class SettingsError(RetrievalError):
    """A setting has a value that cannot be used."""


class ImageError(RetrievalError):
    """An image cannot be read, or must not be (too large, not an image, truncated)."""


class SourceError(RetrievalError):
    """A source as a whole cannot be read. A single bad row is a `Reject`, not an error."""


class EncoderError(RetrievalError):
    """A model cannot be loaded or run."""


class CatalogError(RetrievalError):
    """`catalog.db` is missing, damaged, or of another version."""


class IndexMissing(RetrievalError):
    """There is no index in the folder, or none was published yet."""


class IndexDamaged(RetrievalError):
    """The files of a generation are not what its manifest says."""


class DiskFull(RetrievalError):
    """There is no room for what is to be written; what was there before stays."""


class GenerationGone(RetrievalError):
    """A generation was dropped while it was read: several were published within a moment."""


class IndexMismatch(RetrievalError):
    """The query would be embedded by another model than the one that made the index."""


class IndexLocked(RetrievalError):
    """Another process is writing to the index."""


class QueryError(RetrievalError):
    """A query that cannot be answered: empty, or with a filter or page that makes no sense."""


class Overtime(RetrievalError):
    """An answer takes longer than its caller allows."""


class ServerError(RetrievalError):
    """A server of a catalog cannot be reached, refuses, or gives no answer that is understood."""


class NotFound(QueryError):
    """A product or a generation was named that is not there."""
