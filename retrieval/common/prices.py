"""Prices as shops and people write them -> amounts: the right number, or the reason why not.

A price is one number, with a currency before or after it. Whatever else stands there may change
what the number means (`2 for 5`, `3 kg`, `1.5 M`), so it is refused rather than passed over.
Where `1.299` may be either of two amounts, the other prices of its column tell.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Mark = Literal[".", ",", "either"]

MAX_PRICE_CHARACTERS = 60
NOT_A_PRICE = "is not a price"
TWO_MEANINGS = "may be either of two prices; write it with two decimals"

# ISO 4217, those of today and those that old catalogs still name.
_CODES = frozenset(
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp "
    "byn byr bzd cad cdf chf clf clp cny cnh cop crc cuc cup cve czk djf dkk dop dzd egp ern etb "
    "eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr iqd irr isk jmd "
    "jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl ltl lvl lyd mad mdl mga mkd "
    "mmk mnt mop mro mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr "
    "pln pyg qar ron rsd rub rur rwf sar sbd scr sdg sek sgd shp sle sll sos srd ssp std stn svc "
    "syp szl thb tjs tmt tnd top trl try ttd twd tzs uah ugx usd uyu uzs ved vef ves vnd vuv wst "
    "xaf xcd xof xpf yer zar zmw zwl rmb".split()
)
# What shops write in place of a code. A point after any of these belongs to it: `Rs.99` is 99.
_ABBREVIATIONS = frozenset(
    "rs re kr fr sfr bs gs tk br dh dhs din kn km lei leu lv zl zł kč kc ft tl rm rp руб р лв грн "  # noqa: RUF001
    "ден дин тг сом ksh tsh ush nfk nu qr sr kd bd jd dt ld birr".split()
)
_WORDS = frozenset(
    "euro euros eur. dollar dollars pound pounds rupee rupees peso pesos real reais krona kronor "
    "krone kroner złoty złotych zloty franc francs franken yen yuan won baht lira dirham dirhams "
    "fcfa cfa dm b/ s/ рублей евро 円 元 圓 원 บาท บ. د.إ ر.س".split()
)
# With a sign of a currency: US$, R$, NT$, GH₵ and their kin.
_BEFORE_SIGNS = frozenset(
    "a ar au aud b bds bz c ca cad cl co cu ec eur fj gh gy hk hkd j jm l mx mex mxn n na nt nz "
    "nzd r rd rs s sg sgd tt tw twd u us usd xcd z zw".split()
)
# Letters that are a currency before an amount and might be a unit after it.
_ONLY_BEFORE = frozenset("r l q k$ b/ s/ f c us rs. w".split())
_BESIDE = frozenset(
    "ab from von dès des desde da vanaf od от only nur just price preis prix".split()
)
_THOUSANDS = frozenset("k tsd tsd. thousand tausend тыс тыс. tys tys. 千".split())
_TIMES: dict[str, float] = {
    **dict.fromkeys(_THOUSANDS, 1e3),
    **dict.fromkeys(("万", "萬"), 1e4),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 1e5),
    **dict.fromkeys(("mio", "mio.", "million", "millions", "millionen", "млн", "млн."), 1e6),
    **dict.fromkeys(("crore", "crores"), 1e7),
    **dict.fromkeys(("億", "亿"), 1e8),
}
_CENTS = frozenset("¢ ct ct. cent cents cts".split())
# Of these the smallest coin is a thousandth: three decimals are as likely as thousands.
_THREE_DECIMALS = frozenset("bhd iqd jod kwd lyd omr tnd kd bd jd dt ld".split())

_SPACES = re.compile(r"\s+")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u02b9\u0060\u00b4\uff07"), "'")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_OTHERS = {0x066B: ".", 0x066C: "'", 0xFF0E: ".", 0xFF0C: ","}
_MACHINE = re.compile(r"(?:\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}")
_PARTS = re.compile(r"([^\d]*?)([.,]?\d(?:[\d.,' ]*\d)?)([^\d]*)")
# `1.299,-` and `Rs. 99/-`: no cents.
_NO_CENTS = re.compile(r"(?:[.,:]-{1,2}|/-|\.)")
_PER_UNIT = re.compile(r"/ ?[^\W\d_]{1,6}[²³]?\.?")
_SIGNED = re.compile(r"([^\W\d_]*)([^\w\s.,'/*+-])([^\W\d_]*)")


class NoPrice(ValueError):
    """A text is no price; says why, as the end of a sentence that begins with the text."""


@dataclass(frozen=True)
class _Number:
    """A number as it is written.

    Attributes:
        whole, fraction: its digits before and after its last sign, joined.
        mark: the last sign, where it may be a decimal mark.
        decimal: whether the mark is one for sure, or surely is not; None where both may be.
    """

    whole: str
    fraction: str
    mark: str
    decimal: bool | None


@dataclass(frozen=True)
class _Written:
    number: _Number
    currency: bool
    thousandths: bool
    times: float


def parse_price(text: str, decimal_mark: Mark | None = None) -> float | None:
    """As `read_price`; None where it is no price."""
    try:
        return read_price(text, decimal_mark)
    except NoPrice:
        return None


def read_price(text: str, decimal_mark: Mark | None = None) -> float:
    """The amount of a price as shops write it: `$1,299.00`, `12,99 €`, `Rs.99`, `2.5k`.

    Args:
        decimal_mark: what stands before the cents in the other prices of the column: `either`
            where they disagree, None where they do not tell.

    Raises:
        NoPrice: it is no price, or it may be two different ones.
    """
    plain = _normal(text)
    if _MACHINE.fullmatch(plain):
        return _checked(float(plain))
    written = _parsed(plain)
    number = written.number
    decimal = number.decimal
    if decimal is None:
        decimal = _is_decimal(written, decimal_mark)
    value = float(f"{number.whole}{'.' if decimal else ''}{number.fraction}")
    # Digits alone would make 2300.0000000000005 of some thousands.
    return _checked(value if written.times == 1 else round(value * written.times, 6))


def decimal_mark_of(texts: Iterable[str]) -> Mark | None:
    """The decimal mark of a column of prices: `either` where it has both, None where none tells.

    `24,90` tells that it is the comma, `1.299.000` that it is not the point. Where none tells
    for sure, `1.299 €` does: with a currency three digits are thousands.
    """
    sure: set[str] = set()
    likely: set[str] = set()
    for text in texts:
        try:
            written = _parsed(_normal(text))
        except NoPrice:
            continue
        number = written.number
        if number.mark and number.decimal is not None:
            sure.add(number.mark if number.decimal else _other(number.mark))
        elif number.mark and written.currency and not written.thousandths:
            likely.add(_other(number.mark))
    if len(sure) > 1:
        return "either"
    told = sure or likely
    return told.pop() if len(told) == 1 else None  # type: ignore[return-value]


def _other(mark: str) -> str:
    return "," if mark == "." else "."


def _checked(value: float) -> float:
    if not math.isfinite(value):
        raise NoPrice(NOT_A_PRICE)
    return value


def _is_decimal(written: _Written, column: Mark | None) -> bool:
    """Whether the sign in `1.299` or `1,299` stands before decimals."""
    mark = written.number.mark
    if column == "either":
        raise NoPrice(TWO_MEANINGS)
    if written.thousandths or written.times != 1:
        # KWD 1.250 is written as well as KWD 1,250 for a thousand times as much.
        if column is None:
            raise NoPrice(TWO_MEANINGS)
        return column == mark
    if column is None:
        # Alone it is thousands, but for a bare point: so programs write any number.
        if written.currency or mark == ",":
            return False
        raise NoPrice(TWO_MEANINGS)
    if column == mark and written.currency:
        raise NoPrice(TWO_MEANINGS)
    return column == mark


def _normal(text: str) -> str:
    """With ASCII's digits, spaces, apostrophes and dashes; raises NoPrice where it is too long."""
    # Long ones are no prices, and every step below would take its time with them.
    if len(text) > MAX_PRICE_CHARACTERS:
        raise NoPrice(NOT_A_PRICE)
    text = text.translate(_APOSTROPHES).translate(_DASHES).translate(_OTHERS)
    digits = (str(d) if (d := unicodedata.decimal(c, None)) is not None else c for c in text)
    plain = _SPACES.sub(" ", "".join(digits)).strip()
    return plain[1:] if plain[:1] == "+" and plain[1:2].isdigit() else plain


def _parsed(plain: str) -> _Written:
    parts = _PARTS.fullmatch(plain)
    if parts is None:
        raise NoPrice(NOT_A_PRICE)
    before, number, after = parts.groups()
    before = before.casefold()
    if number[0] in ".," and (before[-1:].isalpha() or before[-1:] == "/"):
        # The point of `Rs.99` is the word's; that of `EUR.99` might be the number's.
        if number[0] == "," or before.split()[-1] not in _ABBREVIATIONS:
            raise NoPrice(NOT_A_PRICE)
        number = number[1:]
    after = after.strip().casefold().rstrip("*").rstrip()
    no_cents = _NO_CENTS.match(after)
    if no_cents:
        after = after[no_cents.end() :].strip()
    currencies, times = _beside(before.strip(), after)
    read = _number(number)
    if no_cents and no_cents[0][0] in ".," and len(no_cents[0]) > 1:
        # `1.299,-`: its own decimal mark is the comma, and there are no decimals.
        if read.mark and (read.decimal or read.mark == no_cents[0][0]):
            raise NoPrice(NOT_A_PRICE)
        digits = read.whole + read.fraction
        read = _Number(digits, "", no_cents[0][0], decimal=True)
    return _Written(read, bool(currencies), bool(currencies & _THREE_DECIMALS), times)


def _beside(before: str, after: str) -> tuple[set[str], float]:
    """The currencies that stand beside a number, and what it is to be multiplied by."""
    currencies: set[str] = set()
    times = 1.0
    for token in before.split():
        if token not in _BESIDE:
            if not _is_currency(token, leading=True):
                raise NoPrice(NOT_A_PRICE)
            currencies.add(token.strip("."))
    per_unit = _PER_UNIT.search(after)
    if per_unit and per_unit.end() == len(after) and after[: per_unit.start()].strip():
        after = after[: per_unit.start()]
    for token in after.split():
        factor = _factor(token)
        if factor is not None and times == 1.0 and not (currencies and token in _CENTS):
            times = factor
            sign = token[-1:] if token[-1:] in "€$£₽" else ""
            currencies |= {sign} if sign else set()
        elif _is_currency(token, leading=False):
            currencies.add(token.strip("."))
        else:
            raise NoPrice(NOT_A_PRICE)
    if times < 1:
        currencies.add("cents")
    return currencies, times


def _factor(token: str) -> float | None:
    if token in _CENTS:
        return 0.01
    # `2,5 k€`, `3 t€`
    if token in ("k€", "t€", "k$", "k£"):
        return 1e3
    return _TIMES.get(token)


def _is_currency(token: str, *, leading: bool) -> bool:
    bare = token.rstrip(".")
    if bare in _CODES or bare in _ABBREVIATIONS or token in _WORDS or bare in _WORDS:
        return True
    if leading and bare in _ONLY_BEFORE:
        return True
    signed = _SIGNED.fullmatch(bare)
    if signed is None or unicodedata.category(signed[2]) != "Sc":
        return False
    return all(not word or word in _BEFORE_SIGNS for word in (signed[1], signed[3]))


def _number(text: str) -> _Number:
    """The digits of a number; raises NoPrice where its signs make no sense."""
    if " " in text or "'" in text:
        # Such signs only ever stand between thousands.
        whole, mark, fraction = _split_last(text, ".,")
        groups = re.split("[ ']", whole)
        grouped = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        digits = "".join(groups)
        if not grouped or not digits.isdigit() or (mark and not fraction.isdigit()):
            raise NoPrice(NOT_A_PRICE)
        return _Number(digits, fraction, mark, decimal=True)
    marks = [sign for sign in text if sign in ".,"]
    if not marks:
        return _Number(text, "", "", decimal=True)
    if len(set(marks)) == 1 and len(marks) > 1:
        if not _are_thousands(text.split(marks[0])):
            raise NoPrice(NOT_A_PRICE)
        return _Number(text.replace(marks[0], ""), "", marks[0], decimal=False)
    whole, mark, fraction = _split_last(text, ".,")
    if len(marks) > 1:
        other = marks[0]
        if mark in whole or not _are_thousands(whole.split(other)):
            raise NoPrice(NOT_A_PRICE)
        return _Number(whole.replace(other, ""), fraction, mark, decimal=True)
    if not whole and len(fraction) > 2:
        raise NoPrice(NOT_A_PRICE)
    either = len(fraction) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"
    return _Number(whole, fraction, mark, decimal=None if either else True)


def _split_last(text: str, signs: str) -> tuple[str, str, str]:
    place = max(text.rfind(sign) for sign in signs)
    return (text, "", "") if place < 0 else (text[:place], text[place], text[place + 1 :])


def _are_thousands(groups: list[str]) -> bool:
    """1.299.000, and as in India 1,29,99,000."""
    first, middle = len(groups[0]), {len(group) for group in groups[1:-1]}
    in_threes = 1 <= first <= 3 and middle <= {3}
    in_twos = 1 <= first <= 2 and middle == {2}
    return len(groups[-1]) == 3 and (in_threes or in_twos)
