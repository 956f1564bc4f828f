"""Rewrite a page so that any parser reads it in linear time: no depth, no formatting, few attributes.

What a page of hundreds of thousands of nested, mis-nested or attribute-laden tags says is still there: all
text in order, cut where block-level elements begin or end, and all links. Every other tag goes. In doubt the
rewritten page shows more than a browser would: scripts and styles are left out only where nothing before
them (a drawing, a formula, a selection) could make a browser read them as markup.
"""

# ruff: noqa: SIM905 - word lists read better
from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from caselog.errors import RefusedError
from crawler.reading.blocks import paragraphs
from crawler.reading.prescan import (
    ATTRIBUTE,
    BOMB_ATTRIBUTES,
    MARKUP,
    MAX_TAGS,
    PARSER_BOMB,
    VOID,
    is_bomb_tag,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Part = str | list["_Part"]

DEEPEST_SOURCE: Final = 8
"""How many `srcdoc` documents within each other are read; markup further inside is read as text."""
_CUT: Final = "<hr>"
_KEPT: Final = {
    "a": ("href", "rel"),
    "area": ("href", "rel"),
    "base": ("href",),
    "frame": ("src",),
    "iframe": ("src", "srcdoc"),
    "input": ("type",),
    "link": ("rel", "href"),
    "meta": ("http-equiv", "content"),
}
"""The attributes that are read, by tag."""
_INLINE: Final = frozenset(
    """abbr acronym b bdi bdo big cite code data del dfn em font i image img input ins kbd label mark nobr q
    rb rp rt rtc ruby s samp small span strike strong sub sup time tt u var wbr""".split()
)
_IGNORED: Final = frozenset("body frameset head html".split())
_UNCUT: Final = _INLINE | _IGNORED | {"template", "noembed", "noframes"}
_ROWS: Final = frozenset("caption col colgroup tbody td tfoot th thead tr".split())
_CELLS: Final = frozenset("caption td th".split())
_HIDDEN: Final = frozenset("script style".split())
_FALLBACK: Final = frozenset("iframe noembed noframes noscript".split())
"""A browser reads these as raw text or as markup; here they are markup that ends where raw text does."""
_LITERAL: Final = frozenset("plaintext textarea title xmp".split())
_PREFORMATTED: Final = frozenset("listing pre".split())
_UNSURE: Final = frozenset("frameset math select svg".split())
"""Inside these a browser may read as markup what elsewhere is a script or plain text."""
_BLANK_LINE = re.compile(r"\n[ \t\f\v]*\n\s*")
_PLAIN_LINK = re.compile(r"[ \t\n\f\r]+href=\"?+([^ \t\n\f\r\"'<>=`]++)\"?+>", re.IGNORECASE)
"""The rest of a link's tag with nothing but a target."""
_NAMED_ATTRIBUTE = re.compile(ATTRIBUTE)


def flatten(text: str, level: int = 0) -> str:
    """Give a page with the same text and links, and nothing that costs a parser more than its length.

    Raises:
        RefusedError: With code ``parser_bomb``: more tags, or more in one tag, than a page may cost.
    """
    return _Flat(text, level).rewritten()


def refused() -> RefusedError:
    """Give the error for a page that no parser should see."""
    return RefusedError("The page would cost a parser too much.", "It is left out.", code=PARSER_BOMB)


class _Flat:
    """Walk over the tags of a page and write down the flat one."""

    def __init__(self, text: str, level: int) -> None:
        self._text = text
        self._level = level
        self._out: list[_Part] = []
        self._main = self._out
        self._tables: list[_Table] = []
        self._open: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._fence = 0
        """Where the element ends whose content may be markup or not; no tag or comment reaches over it."""
        self._is_unsure = False
        self._open_preformatted = 0

    def rewritten(self) -> str:
        """Give the flat page."""
        text, search, at, tags = self._text, MARKUP.search, 0, 0
        while (found := search(text, at)) is not None:
            start, end = found.span()
            if at < start:
                self._write(text[at:start])
            if start < self._fence < end:
                end = self._fence
            tags += 1
            if tags > MAX_TAGS:
                raise refused()
            name = found[1]
            at = self._tag(name.lower(), start, end) if name else self._other(start, end)
        if at < len(text):
            self._write(text[at:])
        return _joined(self._main)

    def _write(self, text: str) -> None:
        plain = text.replace("<", "&lt;") if "<" in text else text
        self._out.append(_BLANK_LINE.sub(_CUT, plain) if self._open_preformatted else plain)

    def _cut(self) -> None:
        """End a block; twice is as good as once."""
        out = self._out
        if not out or out[-1] is not _CUT:
            out.append(_CUT)

    def _other(self, start: int, end: int) -> int:
        """Pass over a comment; what stands in a CDATA section may be text (HTML standard, 13.2.5.42)."""
        if self._text.startswith("<![CDATA[", start):
            self._write(self._text[start + 9 : end])
        return end

    def _tag(self, name: str, start: int, end: int) -> int:
        """Write down what stays of one tag; give where to go on."""
        if name[0] == "/":
            self._end(name[1:])
            return end
        if end - start > BOMB_ATTRIBUTES and is_bomb_tag(self._text[start:end]):
            raise refused()
        if name in _HIDDEN or name in _LITERAL:
            return self._raw(name, start, end)
        if name in _KEPT:
            self._keep(name, start + 1 + len(name), end)
        elif name == "br":
            self._out.append("<br>")
        elif name not in _UNCUT:
            self._block(name)
        self._is_unsure = self._is_unsure or name in _UNSURE
        if name in _FALLBACK and end >= self._fence:
            self._fence = self._end_of(name, end)
        return end

    # ---- blocks and tables ----

    def _block(self, name: str) -> None:
        if name == "table" or name in _ROWS:
            self._table(name)
            return
        if name == "form" and self._open.get("form"):
            return
        self._cut()
        if name not in VOID:
            self._open[name] = self._open.get(name, 0) + 1
            self._open_preformatted += name in _PREFORMATTED

    def _end(self, name: str) -> None:
        if name == "a":
            self._out.append("</a>")
        elif name == "br":
            self._out.append("<br>")
        elif name == "table" or name in _ROWS:
            self._end_table(name)
        elif name == "p":
            self._cut()
        elif self._open.get(name):
            self._open[name] -= 1
            self._open_preformatted -= name in _PREFORMATTED
            self._cut()

    def _table(self, name: str) -> None:
        """Follow tables: what stands in one outside its cells is shown before it (13.2.6.1)."""
        tables = self._tables
        if name == "table":
            if tables and not tables[-1].is_in_cell:
                self._leave_table()
            self._cut()
            tables.append(_Table(self._out))
            self._out = tables[-1].fostered
        elif tables:
            table = tables[-1]
            table.is_in_cell = name in _CELLS
            self._out = table.cells if table.is_in_cell else table.fostered
            if table.is_in_cell:
                self._cut()

    def _end_table(self, name: str) -> None:
        if not self._tables:
            return
        if name == "table":
            self._leave_table()
            self._cut()
        elif name in _CELLS or self._tables[-1].is_in_cell:
            self._table("tr")

    def _leave_table(self) -> None:
        self._out = self._tables.pop().before

    # ---- scripts, titles, links ----

    def _raw(self, name: str, tag: int, start: int) -> int:
        """Leave out scripts and styles, write down what is literal text; go on inside when unsure.

        A style attribute makes a browser show a script's or style's own text.
        """
        end = self._end_of(name, start)
        if tag < self._fence < end:
            end = max(start, self._fence)
        if tag >= self._fence and (name in _LITERAL or self._values(("style",), tag + 1, start)):
            self._literal(name, start, end)
        if not self._is_unsure:
            return end
        if tag >= self._fence:
            self._fence = end
        self._cut()
        return start

    def _literal(self, name: str, start: int, end: int) -> None:
        self._cut()
        text = self._text[start:end]
        for paragraph in [text] if name == "title" else paragraphs(text):
            self._write(paragraph)
            self._cut()

    def _end_of(self, name: str, start: int) -> int:
        """Give where the end tag of a raw element begins; each is looked for once."""
        known = self._ends.get(name, -1)
        if known < start:
            found = None if name == "plaintext" else _RAW_ENDS[name].search(self._text, start)
            known = self._ends[name] = found.start() if found else len(self._text)
        return known

    def _keep(self, name: str, start: int, end: int) -> None:
        found = _PLAIN_LINK.match(self._text, start) if name == "a" else None
        if found is not None and found.end() == end:
            self._out.append(f'</a><a href="{found[1]}">')
            return
        values = self._values(_KEPT[name], start, end)
        if name == "a":
            self._out.append("</a>")
        if name == "iframe":
            self._cut()
            self._source(values.pop("srcdoc", ""))
        if name == "input" and "password" not in values.get("type", "").lower():
            return
        if values:
            tag = "iframe" if name == "frame" else name
            written = " ".join(f"{key}={value}" for key, value in values.items())
            self._out.append(f"<{tag} {written}>" + ("</iframe>" if tag == "iframe" else ""))

    def _values(self, wanted: tuple[str, ...], start: int, end: int) -> dict[str, str]:
        """Give the first values of the wanted attributes, in quotes, entities as they stand."""
        values: dict[str, str] = {}
        for found in _NAMED_ATTRIBUTE.finditer(self._text, start, end):
            key, equals, raw = found[0].partition("=")
            key = key.rstrip(" \t\n\f\r").lower()
            if equals and key in wanted and key not in values:
                raw = raw.lstrip(" \t\n\f\r")
                values[key] = raw if raw[:1] in {'"', "'"} else '"' + raw.replace('"', "&quot;") + '"'
        return values

    def _source(self, value: str) -> None:
        """Write down the document that stands in a frame's `srcdoc` (4.8.5)."""
        if not value:
            return
        source = html.unescape(value[1:-1])
        if self._level >= DEEPEST_SOURCE:
            self._write(source)
        else:
            self._out.append(flatten(source, self._level + 1))
        self._cut()


_RAW_ENDS: Final = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>]|\Z)", re.IGNORECASE)
    for name in _HIDDEN | _LITERAL | _FALLBACK
}


class _Table:
    """One open table: what is fostered out of it is shown before its cells."""

    __slots__ = ("before", "cells", "fostered", "is_in_cell")

    def __init__(self, before: list[_Part]) -> None:
        self.before = before
        self.fostered: list[_Part] = []
        self.cells: list[_Part] = []
        self.is_in_cell = False
        before += (self.fostered, self.cells)


def _joined(parts: list[_Part]) -> str:
    """Join nested lists in order, without recursion: pages choose their depth."""
    pieces: list[str] = []
    waiting: list[Iterator[_Part]] = [iter(parts)]
    while waiting:
        part = next(waiting[-1], None)
        if part is None:
            waiting.pop()
        elif isinstance(part, str):
            pieces.append(part)
        else:
            waiting.append(iter(part))
    return "".join(pieces)
