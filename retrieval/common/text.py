"""Which texts can be stored and shown, and what their vectors are stored under."""

from __future__ import annotations

import hashlib


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8; lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_hash(content: str) -> str:
    """Hex SHA-256 that a text's vector is stored under; never equal to that of a photo."""
    return hashlib.sha256(b"text " + content.encode()).hexdigest()
