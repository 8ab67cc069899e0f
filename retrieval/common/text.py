"""Which texts can be stored, when two of them are the same to who reads them, and how they are
shown where control characters would do something.

Texts are stored and shown as they came. What is compared, looked up or cut into words goes through
`folded` on both sides, in every engine: a filter, a word, an id.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# What Unicode says to leave out of sight (Default_Ignorable_Code_Point: soft hyphens, zero-width
# spaces and joiners, byte order marks, marks of direction, variation selectors), notes between
# lines, and control characters that are no space.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# A cell of Braille without a dot is drawn as a space is, and is none to Python.
_BLANK = "\u2800"
# What a terminal obeys, and what turns a line of it around: a name could pass for another.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8; lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def visible(text: str) -> str:
    """What is seen of a text, in its case: equal for texts that nobody can tell apart.

    Composed (NFC), without hidden characters, any run of spaces as one, none at the ends.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    bare = _HIDDEN.sub("", text.replace(_BLANK, " "))
    return " ".join(unicodedata.normalize("NFC", bare).split())


def folded(text: str) -> str:
    """`visible`, in any case: what filters, words and ids are compared by.

    `str.casefold` between normal forms, as Unicode says to compare without case: `Stra\u00dfe` and
    `STRASSE` are one.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.casefold().split())
    bare = unicodedata.normalize("NFD", _HIDDEN.sub("", text.replace(_BLANK, " ")))
    return " ".join(unicodedata.normalize("NFC", bare.casefold()).split())


def printable(text: str) -> str:
    """With control characters spelt out (`\\x1b`), for terminals and logs; line breaks stay.

    A cell of a supplier's table could else clear the screen, or rename the window.
    """
    return OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def text_hash(content: str) -> str:
    """Hex SHA-256 that a text's vector is stored under; never equal to that of a photo."""
    return hashlib.sha256(b"text " + content.encode()).hexdigest()
