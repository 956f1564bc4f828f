"""Tell text in UTF-16 and UTF-32 from anything else that decodes so: nearly all bytes do. Pure.

Text keeps to one or two scripts, and has spaces or full stops of some kind in it; bytes of a picture are
spread over all scripts, or are characters of one script in an endless row.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

_STEP: Final = 512
"""Judged whenever so many characters have come, so that the verdict hangs on nothing but the text."""
_JUDGED_AT_LEAST: Final = 16
"""Fewer characters say nothing."""
_OWN_SCRIPTS: Final = 2
_LEAST_SHARE: Final = 0.9
_HAN, _HANGUL, _LATIN = -1, -2, 0
_STOPS = "\u3000\u3001\u3002\uff0c\uff01\uff1f\u0f0b\u104b"


class WideWatch:
    """Follow the scripts of decoded characters, piece by piece."""

    __slots__ = ("_pauses", "_scripts", "_seen", "_waiting")

    def __init__(self) -> None:
        self._scripts: Counter[int] = Counter()
        self._seen = 0
        self._pauses = 0
        self._waiting = ""

    def feed(self, text: str) -> bool:
        """Take the next characters; False when they are no text."""
        text = self._waiting + text
        whole = len(text) - len(text) % _STEP
        self._waiting = text[whole:]
        return all(self._judge(text[start : start + _STEP]) for start in range(0, whole, _STEP))

    def finish(self) -> bool:
        """Take the end; False when it was no text."""
        return self._judge(self._waiting)

    def _judge(self, text: str) -> bool:
        self._seen += len(text)
        found = Counter(map(_script_of, map(ord, text)))
        self._scripts.update(found)
        self._pauses += found[_LATIN] + sum(map(text.count, _STOPS))
        if self._seen < _JUDGED_AT_LEAST:
            return True
        own = sum(count for _, count in self._scripts.most_common(_OWN_SCRIPTS))
        return own >= _LEAST_SHARE * self._seen and (self._pauses + 1) * _STEP > self._seen


def _script_of(code: int) -> int:
    """Give a number for the script of a character, roughly its block of 256; signs count as Latin."""
    if code < 0x300 or 0x2000 <= code < 0x2C00 or 0x1F000 <= code < 0x1FB00:
        return _LATIN
    if 0x2E80 <= code < 0xA000 or 0xFF00 <= code < 0xFFF0 or 0x20000 <= code < 0x32000:
        return _HAN
    if 0xAC00 <= code < 0xD7B0 or 0x1100 <= code < 0x1200:
        return _HANGUL
    return code >> 8
