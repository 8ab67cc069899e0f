"""Which texts can be stored and shown."""

from __future__ import annotations


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8; lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
