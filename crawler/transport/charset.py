"""Judge bytes against one charset: labels, incremental judges, a guess for pages that declare nothing.

Pure. A judge says piece by piece whether the bytes can be text in its charset: they decode, and almost
nothing in them is a control character, a noncharacter or private use. Labels follow the WHATWG Encoding
Standard where Python's codecs differ from it.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import TYPE_CHECKING, Protocol

from crawler.transport.wide import WideWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST_CHARACTERS = 512
"""No fault at all may stand within these."""
FAULTS_MAX = 32
"""Faults that a body may hold at most, however long."""
FAULTS_FREE = 4
"""So many may stand anywhere after the start, and one more for every thousand characters before."""
FAULTS_TOGETHER, TOGETHER_CHARACTERS = 4, 64
"""More than so many within so few characters are no slip."""

_WHATWG = {
    "ascii": "windows-1252", "iso8859-1": "windows-1252", "latin-1": "windows-1252",
    "us-ascii": "windows-1252",
    "iso8859-9": "windows-1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030", "hz": "",
    "shift_jis": "cp932", "x-sjis": "cp932", "sjis": "cp932", "windows-31j": "cp932", "ms_kanji": "cp932",
    "euc_kr": "cp949", "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "windows-949": "cp949",
    "big5": "big5hkscs", "big5-hkscs": "big5hkscs", "iso-8859-8-i": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "unicode": "utf-16-le", "utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic", "macintosh": "mac-roman", "x-mac-roman": "mac-roman",
}  # fmt: skip
_MULTI_BYTE = frozenset({"cp932", "cp949", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp"})
_WIDE = frozenset({"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"})
_SINGLE_BYTE = frozenset(
    {f"cp125{number}" for number in range(9)}
    | {f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
    | {"cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"}
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"<meta\s[^>]{0,400}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)

# Tab, line feed, form feed, carriage return and escape are text; 0x1A ends old DOS files, a fault.
CONTROLS = bytes(sorted(set(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B} | {0x7F}))
_HARD = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffd-\uffff\U000e0fff]")
_SOFT = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_CONTROL = re.compile(b"[" + re.escape(CONTROLS) + b"]")
# In UTF-8 all of them but the ASCII controls begin with one of these bytes, which most pieces lack.
_RARE_LEADS = (b"\xee", b"\xef", b"\xf3", b"\xf4")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_RUN_BYTES = 512
_LETTER_SHARE = 0.6


def canonical_charset(label: str | None) -> str | None:
    """Give the codec name for a label that pages use, or ``None`` for one that is unknown or not allowed."""
    if not label:
        return None
    wanted = label.strip().strip("\"'").lower()
    if wanted in _WHATWG:
        wanted = _WHATWG[wanted]
    try:
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        return None
    if name in _WHATWG:
        name = codecs.lookup(_WHATWG[name]).name
    known = name == "utf-8" or name in _MULTI_BYTE or name in _WIDE or name in _SINGLE_BYTE
    return name if known else None


def charset_of_mark(start: bytes) -> str | None:
    """Give the charset that a byte order mark at ``start`` names."""
    return next((name for mark, name in _BOMS if start.startswith(mark)), None)


def charset_of_meta(start: bytes) -> str | None:
    """Give the charset that the page's own ``meta`` tag or XML declaration names within its first 4 KB."""
    found = _META.search(start, 0, 4096) or _XML.search(start, 0, 512)
    name = canonical_charset(found.group(1).decode("ascii")) if found else None
    # The tag itself was just read as ASCII, so it cannot be true (HTML Standard, 13.2.3.2).
    return "utf-8" if name in _WIDE else name


class Judge(Protocol):
    """Say piece by piece whether bytes are text in one charset."""

    charset: str

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; False when all of them cannot be text in this charset."""

    def finish(self) -> bool:
        """Take the end of the body; False when it breaks off within a character beyond the allowance."""


class Faults:
    """Count faults against the characters before each: none at the start, few later, never many together.

    Each fault is judged at its own place, so that the verdict does not hang on how a body came in pieces.
    """

    __slots__ = ("_places", "_soft", "characters")

    def __init__(self) -> None:
        self.characters = 0
        self._places: list[int] = []
        self._soft = 0

    def add(self, characters: int, faults: Iterable[int] = (), soft: Iterable[int] = ()) -> bool:
        """Add a piece of so many characters, with the places of its faults; False when there are too many.

        Args:
            characters: How many the piece has.
            faults: Ascending places of what no text holds.
            soft: Ascending places of private-use characters: icon fonts stand on pages as single ones.
        """
        for place in faults:
            if not self._allows(self.characters + place):
                return False
        for place in soft:
            self._soft += 1
            if self._soft > 8 + (self.characters + place) // 50:
                return False
        self.characters += characters
        return True

    def _allows(self, place: int) -> bool:
        places = self._places
        places.append(place)
        if place < FIRST_CHARACTERS or len(places) > min(FAULTS_MAX, FAULTS_FREE + place // 1000):
            return False
        return len(places) <= FAULTS_TOGETHER or place - places[-1 - FAULTS_TOGETHER] >= TOGETHER_CHARACTERS


class DecodingJudge:
    """Judge UTF-8, UTF-16, UTF-32 and the multi-byte charsets of East Asia by decoding them."""

    __slots__ = ("_decoder", "_faults", "_is_utf8", "_wide", "charset")

    def __init__(self, charset: str) -> None:
        self.charset = charset
        self._is_utf8 = charset == "utf-8"
        self._decoder = codecs.getincrementaldecoder(charset)("strict")
        self._faults = Faults()
        self._wide = WideWatch() if charset in _WIDE else None

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; see `Judge`."""
        state = self._decoder.getstate()
        is_whole = self._is_utf8 and not state[0]
        if is_whole and piece.isascii():
            return self._feed_ascii(piece)
        try:
            text = self._decoder.decode(piece)
        except UnicodeError:  # a decoder whose buffer runs over raises the wider one
            lenient = self._decode_leniently(state, piece)
            return lenient is not None and self._judge(lenient)
        # What a lenient decoder replaced stands in the text alone.
        if is_whole and self._decoder.errors == "strict" and _is_clean_utf8(piece):
            return self._faults.add(len(text))
        return self._judge(text) and (self._wide is None or self._wide.feed(text))

    def finish(self) -> bool:
        """Take the end; a character cut off at the end is one fault."""
        try:
            rest = self._decoder.decode(b"", final=True)
        except UnicodeError:  # a decoder whose buffer runs over raises the wider one
            return self._faults.add(0, (0,))
        return self._judge(rest) and (self._wide is None or self._wide.finish())

    def _feed_ascii(self, piece: bytes) -> bool:
        if len(piece.translate(None, CONTROLS)) == len(piece):
            return self._faults.add(len(piece))
        return self._faults.add(len(piece), _places(_CONTROL, piece))

    def _decode_leniently(self, state: tuple[bytes, int], piece: bytes) -> str | None:
        """Decode with U+FFFD for what does not decode, and stay lenient: each one counts as a fault."""
        lenient = codecs.getincrementaldecoder(self.charset)("replace")
        lenient.setstate(state)  # as it was before the bytes that broke it
        self._decoder = lenient
        try:
            return lenient.decode(piece)
        except UnicodeError:  # a row of escapes that even replacing does not end
            return None

    def _judge(self, text: str) -> bool:
        return self._faults.add(
            len(text),
            (found.start() for found in _HARD.finditer(text)),
            (found.start() for found in _SOFT.finditer(text)),
        )


def _is_clean_utf8(piece: bytes) -> bool:
    """Say cheaply that valid UTF-8 holds no fault; False may be wrong."""
    if any(lead in piece for lead in _RARE_LEADS) or _C1.search(piece):
        return False
    return len(piece.translate(None, CONTROLS)) == len(piece)


class TableJudge:
    """Judge a single-byte charset, which decodes nearly anything, by what its bytes stand for."""

    __slots__ = ("_bad", "_faults", "_high", "_high_letters", "_letters", "_run", "charset")

    def __init__(self, charset: str) -> None:
        self.charset = charset
        self._bad, self._letters = _tables(charset)
        self._faults = Faults()
        self._high = 0
        self._high_letters = 0
        self._run = b""

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; see `Judge`."""
        is_clean = len(piece.translate(None, self._bad)) == len(piece)
        faults = () if is_clean else _places(re.compile(b"[" + re.escape(self._bad) + b"]"), piece)
        if not self._faults.add(len(piece), faults):
            return False
        return piece.isascii() or self._is_plausible(piece)

    def finish(self) -> bool:
        """Take the end; single bytes never break off."""
        return True

    def _is_plausible(self, piece: bytes) -> bool:
        """Give False for what no alphabet writes: long stretches without a space, too many signs."""
        mapped = self._run + piece.translate(_HIGH_MAP)
        if b"A" * _RUN_BYTES in mapped:
            return False
        self._run = mapped[-_RUN_BYTES:]
        high = piece.translate(None, _ASCII)
        self._high += len(high)
        self._high_letters += len(high) - len(high.translate(None, self._letters))
        is_dense = self._high > _RUN_BYTES and self._high > 0.3 * self._faults.characters
        return not is_dense or self._high_letters >= _LETTER_SHARE * self._high


_ASCII = bytes(range(0x80))
_HIGH_MAP = bytes(0x20 if byte < 0x80 else 0x41 for byte in range(256))


@cache
def _tables(charset: str) -> tuple[bytes, bytes]:
    """Give the bytes that are no text in ``charset``, and its letters above ASCII."""
    bad = bytearray(CONTROLS)
    letters = bytearray()
    for byte in range(0x80, 0x100):
        character = bytes([byte]).decode(charset, "replace")
        if _HARD.match(character) or _SOFT.match(character):
            bad.append(byte)
        elif character.isalpha():
            letters.append(byte)
        elif character.isprintable() and charset == "cp874":
            letters.append(byte)  # Thai vowels and tone marks are combining signs
    return bytes(bad), bytes(letters)


def _places(wanted: re.Pattern[bytes], piece: bytes) -> Iterator[int]:
    return (found.start() for found in wanted.finditer(piece))


def judge_for(charset: str) -> Judge:
    """Give a fresh judge for a canonical charset name."""
    return TableJudge(charset) if charset in _SINGLE_BYTE else DecodingJudge(charset)


FALLBACKS = ("cp1252", "cp932", "euc_jp", "cp949", "big5hkscs", "gb18030", "cp1251", "koi8-r")
"""Charsets tried for a body that is not UTF-8 and that declares nothing, or declares something untrue."""


def guess_charset(body: bytes) -> str:
    """Give the likeliest legacy charset of a body that is text but not UTF-8."""
    sample = body[: 64 * 1024]
    high = sample.translate(None, _ASCII)
    if len(high) * 6 < len(sample):
        return "cp1252" if _is_mostly_latin(sample) else _cyrillic(high)
    scores = {name: _east_asian_score(sample, name) for name in _EXPECTED}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0.7 else _cyrillic(high)


_EXPECTED = {
    "euc_jp": re.compile("[\u3040-\u30ff\u3001\u3002]|[\u4e00-\u9fff](?=[\u3040-\u30ff])"),
    "cp932": re.compile("[\u3040-\u30ff\u3001\u3002]|[\u4e00-\u9fff](?=[\u3040-\u30ff])"),
    "cp949": re.compile("[\uac00-\ud7a3]"),
    "gb18030": re.compile("[\u4e00-\u9fff\u3001\u3002\uff0c\uff01\uff1a]"),
    "big5hkscs": re.compile("[\u4e00-\u9fff\u3001\u3002\uff0c\uff01\uff1a]"),
}
_COMMON_HAN = frozenset(
    "的是不了在有人我一这這個个们們中大来來上为為和地到以说說时時要就出会會可也你对對生能而子那得于於"
)


def _east_asian_score(sample: bytes, charset: str) -> float:
    text = sample.decode(charset, "replace")
    foreign = [character for character in text if character > "\x7f"]
    if not foreign or foreign.count("\ufffd") > 1 + len(foreign) // 50:
        return 0.0
    share = len(_EXPECTED[charset].findall(text)) / len(foreign)
    if charset in {"gb18030", "big5hkscs"}:
        common = sum(character in _COMMON_HAN for character in foreign) / len(foreign)
        return min(share, 0.6 + 4 * common)
    return share


def _is_mostly_latin(sample: bytes) -> bool:
    letters = sum(sample.count(byte) for byte in b"aeinrst")
    return letters * 8 > len(sample)


def _cyrillic(high: bytes) -> str:
    """Tell KOI8-R from windows-1251 by where the small letters lie."""
    upper_half = sum(byte >= 0xE0 for byte in high)
    lower_half = sum(0xC0 <= byte < 0xE0 for byte in high)
    return "koi8-r" if lower_half > upper_half else "cp1251"
