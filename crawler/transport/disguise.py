"""Find media that was written down as letters: base64, hexadecimal, uuencode, percent signs.

Pure. Looks only at the visible part of a page (outside tags, scripts and styles); the state that ASP.NET
keeps in hidden fields or the fonts in a style sheet are no disguise. `cut_data_uris` cuts `data:` URIs out.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

DISGUISED_BYTES = 4096
_TOKEN_BYTES = 57
"""A word of this many letters is none; a version 3 onion name has 56."""
_VISIBLE_LETTERS_MIN = 64

_ENCODED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_%\\,-")
_TOKEN_MAP = bytes(
    0x41 if byte in _ENCODED else 0x0A if byte in b"\r\n" else 0x20 if byte in b" \t" else 0x2E
    for byte in range(256)
)
_HEX_MAP = bytes(0x41 if byte in b"0123456789abcdefABCDEFxX \t,:" else 0x2E for byte in range(256))
_HEX_BYTES = 40
"""A line of a dump has so many at least."""
_HEX_TOKEN = b"A" * _HEX_BYTES
_HEX_RUN = re.compile(b"A{%d,}" % _HEX_BYTES)
_MIXED = re.compile(
    rb"(?=[A-Za-z+]{0,40}[0-9])(?=[a-z0-9+]{0,40}[A-Z])(?=[A-Z0-9+]{0,40}[a-z])[A-Za-z0-9+]{20,}"
)
"""Small and capital letters and digits in one row: no word."""
_QUOTED = re.compile(rb"(?:=[0-9A-F]{2})+")
_DUMP_LINE = re.compile(
    rb"^[ \t]*[0-9a-fA-F]{4,16}:?[ \t]+(?:[0-9a-fA-F]{2,8}[ \t]+){6,}[^\n]*", re.MULTILINE
)
"""As xxd and od write them: a place, bytes, and perhaps their characters."""
_DIGEST_LINE = re.compile(
    rb"^\\?(?=(?:.{32}|.{40}|.{64}|.{96}|.{128})[ \t*])[0-9a-fA-F]{32,128}[ \t*]+[^\s<]{3,}",
    re.MULTILINE,
)
"""As ``sha256sum`` writes them: a digest, then a name."""
_SPACES = b" \t\r\n"
_DENSE_ENTROPY = 6.1
"""Bits a character: base85 has 6.4, base64, which its rows betray, 6.0, squeezed programs 5.4, prose 4.5."""
_TOKEN = b"A" * _TOKEN_BYTES
_STRETCH_BYTES = 2048
_SPARSE = 29
"""A prime that no usual length of lines is a multiple of: a sample then sees its share of the line ends."""
_OTHER_LETTERS = b"ghijklmnopqrstuvwyzGHIJKLMNOPQRSTUVWYZ"
"""Letters that stand neither in a hexadecimal number nor, as the x of ``0x``, before it."""
_RUN = re.compile(b"A{%d,}" % _TOKEN_BYTES)
_UU_LINE = re.compile(rb"(?:^|\n)M[ -`]{59,60}(?=\r?\n)")
_RAW_ELEMENTS = (b"script", b"style", b"template", b"svg")
_TAG_NAME = re.compile(b"<(" + b"|".join(_RAW_ELEMENTS) + rb")\b", re.IGNORECASE)

_RAW_END = {b"</" + name: re.compile(b"</" + name, re.IGNORECASE) for name in _RAW_ELEMENTS}

_DATA_URI = re.compile(
    r"data:(?:[\w.+-]{1,64}/[\w.+*-]{1,64})?(?:;[\w.+=%-]{0,64}){0,8},[!#-&*-;=?-\[\]-~]*",
    re.IGNORECASE | re.ASCII,
)


def cut_data_uris(text: str) -> str:
    """Give ``text`` without the content of `data:` URIs (RFC 2397); linear in its length."""
    is_found = any(piece[-4:].lower() == "data" for piece in text.split(":"))
    return _DATA_URI.sub("data:,", text) if is_found else text


class DisguiseWatch:
    """Watch a body piece by piece; cheap until something in it looks encoded."""

    __slots__ = ("_body", "_counter", "_tail")

    def __init__(self) -> None:
        self._counter: _Counter | None = None
        self._body = bytearray()
        self._tail = b""

    def feed(self, piece: bytes) -> bool:
        """Take the next ASCII-compatible bytes; False when the visible part is media in disguise."""
        if self._counter is None:
            self._body += piece
            if not _is_suspicious(self._tail + piece):
                self._tail = piece[-64:]
                return True
            self._counter = _Counter()
            piece = bytes(self._body)
            self._body.clear()
        self._counter.feed(piece)
        return not self._counter.is_disguise()

    def finish(self) -> bool:
        """Take the end; False for a page that holds encoded media and nothing to read."""
        if self._counter is None:
            return True
        self._counter.finish()
        return not (self._counter.is_empty_wrapper() or self._counter.is_disguise())


def _is_suspicious(piece: bytes) -> bool:
    """Tell whether a piece may hold encoded media; most pages pay for no more than this look."""
    if _TOKEN in piece.translate(_TOKEN_MAP):
        return True
    # A short rest tells nothing: the end of any page has few spaces.
    starts = range(0, max(1, len(piece) - _STRETCH_BYTES // 4), _STRETCH_BYTES)
    return any(_is_odd(piece[start : start + _STRETCH_BYTES]) for start in starts)


def _is_odd(stretch: bytes) -> bool:
    """Tell whether a stretch is unlike prose and markup; a sparse sample rules most out."""
    sample = stretch[::_SPARSE]
    if sample.isupper():  # uuencode has no small letter
        return True
    is_short_of_letters = 8 * len(sample.translate(None, _OTHER_LETTERS)) > 7 * len(sample)
    if is_short_of_letters and _HEX_TOKEN in stretch.translate(_HEX_MAP):
        return True
    if 12 * _spaces(sample) >= len(sample) > 24 * sample.count(b"="):
        return False
    return _has_odd_share(stretch)


def _has_odd_share(stretch: bytes) -> bool:
    """Tell whether there are fewer spaces than in any prose, or the many signs of quoted-printable."""
    return 25 * _spaces(stretch) < len(stretch) or 12 * stretch.count(b"=") > len(stretch)


def _spaces(data: bytes) -> int:
    return len(data) - len(data.translate(None, b" \n\t"))


class _Counter:
    """Count encoded and other visible bytes behind tags, scripts and styles."""

    __slots__ = (
        "_ascii",
        "_closing",
        "_is_in_tag",
        "_pending",
        "_visible_tail",
        "encoded",
        "hidden",
        "other",
        "total",
        "uuencoded",
    )

    def __init__(self) -> None:
        self._is_in_tag = False
        self._closing = b""
        self._pending = b""
        self._visible_tail = b""
        self._ascii: Counter[int] = Counter()
        self.encoded = 0
        self.other = 0
        self.hidden = 0
        self.total = 0
        self.uuencoded = 0

    def feed(self, piece: bytes) -> None:
        self.total += len(piece)
        # Before tags are cut: the alphabet of uuencode holds their signs.
        self.uuencoded += sum(len(line) for line in _UU_LINE.findall(piece))
        visible = bytearray()
        data = self._pending + piece
        self._pending = b""
        place = 0
        while place < len(data):
            place = self._step(data, place, visible)
        self._count(bytes(visible))

    def finish(self) -> None:
        """Count the last line, which no line end closed."""
        self._count(b"\n")

    def is_disguise(self) -> bool:
        if self.uuencoded >= DISGUISED_BYTES and 4 * self.uuencoded > 3 * self.total:
            return True
        if self.encoded >= DISGUISED_BYTES and self.encoded > 3 * self.other:
            return True
        return self._is_dense()

    def _is_dense(self) -> bool:
        """Say whether the visible ASCII carries more than any language does: base85 has no other mark."""
        total = self._ascii.total()
        if total < DISGUISED_BYTES or 2 * total < self.encoded + self.other:
            return False
        bits = -sum(count / total * log2(count / total) for count in self._ascii.values())
        return bits > _DENSE_ENTROPY

    def is_empty_wrapper(self) -> bool:
        return self.hidden + self.encoded >= DISGUISED_BYTES and self.other < _VISIBLE_LETTERS_MIN

    def _step(self, data: bytes, place: int, visible: bytearray) -> int:
        """Take one tag, one raw element or one stretch of visible bytes; give the next place."""
        if self._is_in_tag or self._closing:
            return self._skip(data, place)
        tag = data.find(b"<", place)
        if tag < 0:
            visible += data[place:]
            return len(data)
        visible += data[place:tag] + b" "
        if len(data) - tag < 12 and data.find(b">", tag) < 0:
            self._pending = data[tag:]
            return len(data)
        raw = _TAG_NAME.match(data, tag)
        self._closing = b"</" + raw.group(1).lower() if raw else b""
        self._is_in_tag = not raw
        return tag + 1

    def _skip(self, data: bytes, place: int) -> int:
        """Skip what is hidden, up to the end of the tag or of the raw element."""
        if self._closing:
            found = _RAW_END[self._closing].search(data, place)
            end = found.start() if found else -1
            if end < 0:
                keep = max(place, len(data) - len(self._closing) + 1)
                self._hide(data[place:keep])
                self._pending = data[keep:]
                return len(data)
            self._hide(data[place:end])
            self._closing, self._is_in_tag = b"", True
            return end
        end = data.find(b">", place)
        self._is_in_tag = end < 0
        end = len(data) if end < 0 else end + 1
        self._hide(data[place:end])
        return end

    def _hide(self, data: bytes) -> None:
        if len(data) < _TOKEN_BYTES:
            return
        self.hidden += sum(len(run) for run in _RUN.findall(data.translate(_TOKEN_MAP)))

    def _count(self, visible: bytes) -> None:
        """Count whole lines only, so that no token is torn; a line of 8 KB is counted as it is."""
        data = self._visible_tail + visible
        cut = len(data) if len(data) > 8192 else data.rfind(b"\n") + 1
        self._visible_tail = data[cut:]
        whole = data[:cut]
        self._ascii.update(whole.translate(None, _NOT_SOLID_ASCII))
        solid = len(whole) - sum(whole.count(space) for space in _SPACES)
        listed = sum(len(line) for line in _DIGEST_LINE.findall(whole))
        encoded = sum(len(run) for run in _RUN.findall(whole.translate(_TOKEN_MAP))) - listed
        for count in (_hexadecimal(whole) - listed, _mixed(whole), _quoted(whole)):
            encoded = max(encoded, count)
        self.encoded += min(encoded, solid)
        self.other += max(0, solid - encoded)


def _hexadecimal(data: bytes) -> int:
    """Count the digits in long runs of spaced hexadecimal numbers; plain decimal numbers are none."""
    runs = (found.span() for found in _HEX_RUN.finditer(data.translate(_HEX_MAP)))
    digits = (data[start:end].translate(None, _SPACES) for start, end in runs)
    dumped = sum(len(line.translate(None, _SPACES)) for line in _DUMP_LINE.findall(data))
    return max(dumped, sum(len(run) for run in digits if run.translate(None, b"0123456789,:")))


def _mixed(data: bytes) -> int:
    """Count the letters and digits in rows that no language writes."""
    return sum(len(run) for run in _MIXED.findall(data))


def _quoted(data: bytes) -> int:
    """Count the bytes that stand as quoted-printable (RFC 2045, 6.7)."""
    return sum(len(run) for run in _QUOTED.findall(data))


_NOT_SOLID_ASCII = _SPACES + bytes(range(0x80, 0x100))
