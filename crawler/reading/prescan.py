"""Weigh a page in one linear pass before any parser sees it: easy, hard, or a bomb.

Every parser is quadratic somewhere: many attributes in one tag, deep trees, formatting elements that are
opened again in every paragraph, very many names. An easy page costs a parser little however it is built and
is parsed as it stands. A hard one is written anew without depth (`flatten`), away from the event loop. A bomb
holds so many attributes in one tag that even finding its links is not worth the time.

The pass follows the tokeniser of the HTML standard (13.2.5) closely enough never to miss a tag, and keeps a
simplified stack of open elements that is never shallower than the parser's own by more than a small factor;
in doubt it counts too much. It stalls its caller for a few dozen milliseconds at most: pages of more tags
are hard unseen.
"""

# ruff: noqa: SIM905 - word lists read better
from __future__ import annotations

import re
from enum import Enum
from typing import Final

PARSER_BOMB: Final = "parser_bomb"
BOMB_ATTRIBUTES: Final = 8_192
"""Attributes of one tag above which a page is a bomb."""
BOMB_TAG_LENGTH: Final = 131_072
"""Characters of one tag outside quoted values above which a page is a bomb."""
MAX_TAGS: Final = 600_000
"""Tags above which a page is a bomb."""
EASY_TAGS: Final = 24_000
"""Tags that are weighed and parsed in some 100 ms."""
EASY_NAMES: Final = 16_000
"""Different names of attributes that a parser looks up in some 20 ms; the cost is quadratic."""
_FEW_NAMES_LENGTH: Final = 131_072
"""A page of fewer characters cannot hold too many names."""
MAX_TAG_LENGTH: Final = 16_384
"""Characters of one tag outside quoted values."""
MAX_ATTRIBUTES: Final = 256
MAX_DEPTH: Final = 500
MAX_REOPENED: Final = 2_000_000
"""Most open formatting elements times tags: so many elements a parser may make of reopened formatting."""
MAX_WORK: Final = 60_000_000
"""Greatest depth times tags: end tags and paragraphs look through the open elements."""
_LOOK_BACK: Final = 40

_GAP: Final = r"[ \t\n\f\r]"
_VALUE: Final = r"(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+)"
ATTRIBUTE: Final = rf"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{_GAP}*+={_GAP}*+{_VALUE}?+)?+"
_SHORT_TAG: Final = r"(?=[^>]{0,511}>)(?:[^>\"'=]*+(?<=[a-zA-Z0-9_:-])=\"[^\"<>]*+\")*+[^>\"'=]*+>"
"""A tag below 512 characters whose values all stand in double quotes: it surely ends at the first ``>``."""
MARKUP = re.compile(
    r"<(?:(/?[a-zA-Z][^ \t\n\f\r/>]*+)(?:"
    + _SHORT_TAG
    + r"|((?:[ \t\n\f\r/]++|"
    + ATTRIBUTE
    + r")*+)(?:>|\Z)|[^>]*)"
    r"|!--(?:-?>|(?s:.*?)(?:--!?>|\Z))"  # comment
    r"|[!?/][^>]*+(?:>|\Z))"  # bogus comment, doctype
)
"""Finds (name, attributes) of each tag; the attributes of short tags are not worth a look and left empty."""
_ATTRIBUTES = re.compile(ATTRIBUTE)
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")

_SURE_LENGTH: Final = 512
"""A tag of fewer characters cannot hold `MAX_ATTRIBUTES`: each takes at least two."""
_SURE_TAGS: Final = 4_000
_LONG_TAG = re.compile(rf"<[^>]{{{_SURE_LENGTH - 1}}}")
_QUOTED_END = re.compile(rf"={_GAP}*+(?:\"[^\">]*+>|'[^'>]*+>)")
"""A ``>`` inside a quoted value; without one each tag ends at its first ``>``."""

_INSIDE = re.compile(r"<[a-zA-Z][^>]*+")
_NAME = re.compile(r"[^ \t\n\f\r/=]++")

VOID: Final = frozenset(
    """area base basefont bgsound br col embed frame hr image img input keygen link meta param source track
    wbr""".split()
)
_FORMATTING: Final = frozenset("/a /b /big /code /em /font /i /nobr /s /small /strike /strong /tt /u".split())
_FOREIGN: Final = frozenset({"/svg", "/math"})
_BARRIERS: Final = _FOREIGN | frozenset(
    """/annotation-xml /applet /button /caption /desc /foreignobject /marquee /mi /mn /mo /ms /mtext /object
    /select /table /td /template /th /title""".split()
)
_ENDED_BY: Final = {
    "p": ("/p",),
    "li": ("/li",),
    "dd": ("/dd", "/dt"),
    "dt": ("/dd", "/dt"),
    "option": ("/option",),
}
"""Open elements that a start tag ends."""
_ROW_LEVEL: Final = {"/table": 0, "/tbody": 1, "/thead": 1, "/tfoot": 1, "/tr": 2, "/td": 3, "/th": 3}
_PLAIN: Final = frozenset(
    """abbr article aside blockquote body dl div fieldset figure footer form h1 h2 h3 h4 h5 h6 head header
    html label main nav ol script section span style sub sup table textarea time title ul""".split()
)
"""Start tags that only open an element."""


class Weight(Enum):
    """What reading a page would cost."""

    EASY = "easy"
    HARD = "hard"
    BOMB = "bomb"


def weigh(text: str) -> Weight:
    """Give what reading ``text`` would cost. Takes time linear in its length."""
    if _is_surely_harmless(text):
        return Weight.EASY
    return _scanned(text) if text.count("<") <= EASY_TAGS else Weight.HARD


def is_bomb_tag(tag: str) -> bool:
    """Say whether one tag is so long or has so many attributes that its page is a bomb."""
    if len(tag) > BOMB_TAG_LENGTH and len(_QUOTED.sub("", tag)) > BOMB_TAG_LENGTH:
        return True
    return sum(1 for _ in _ATTRIBUTES.finditer(tag)) > BOMB_ATTRIBUTES


def _is_surely_harmless(text: str) -> bool:
    """Say whether a page has too few and too short tags for any limit, however they are nested.

    Each start tag has a ``<`` of its own that no slash follows, so their number bounds depth and formatting.
    """
    tags = text.count("<")
    if tags > _SURE_TAGS or (tags > MAX_DEPTH and tags - text.count("</") > MAX_DEPTH):
        return False
    if _QUOTED_END.search(text) is not None or _LONG_TAG.search(text) is not None:
        return False
    return not _has_many_names(text)


def _has_many_names(text: str) -> bool:
    """Say whether tags hold too many different words outside quotes."""
    if len(text) <= _FEW_NAMES_LENGTH:
        return False
    inside = _QUOTED.sub("", " ".join(_INSIDE.findall(text)))
    return len(inside) > EASY_NAMES * 2 and len(set(_NAME.findall(inside))) > EASY_NAMES


def _scanned(text: str) -> Weight:
    stack = _Stack()
    names = stack.names
    deepest = 0
    found = MARKUP.findall(text)
    for name, attributes in found:
        if attributes and len(attributes) > MAX_ATTRIBUTES and _is_long(attributes):
            return Weight.BOMB if is_bomb_tag(attributes) else Weight.HARD
        if name in _PLAIN:
            names.append("/" + name)
        elif names and name == names[-1] and name not in _FORMATTING:
            names.pop()
            continue
        elif name and name not in VOID:
            stack.take(name)
        if len(names) > deepest:
            deepest = len(names)
            if deepest > MAX_DEPTH:
                return Weight.HARD
    is_costly = stack.most_formatting * len(found) > MAX_REOPENED or deepest * len(found) > MAX_WORK
    return Weight.HARD if is_costly or _has_many_names(text) else Weight.EASY


def _is_long(attributes: str) -> bool:
    """Say whether a tag has many attributes or is long; one long value costs a parser nothing."""
    if len(attributes) > MAX_TAG_LENGTH and len(_QUOTED.sub("", attributes)) > MAX_TAG_LENGTH:
        return True
    return sum(1 for _ in _ATTRIBUTES.finditer(attributes)) > MAX_ATTRIBUTES


class _Stack:
    """The end tags that the open elements wait for, simplified (HTML standard, 13.2.4.2)."""

    __slots__ = ("formatting", "most_formatting", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.formatting = 0
        self.most_formatting = 0

    def take(self, raw: str) -> None:
        """Follow one start or end tag."""
        name = raw if raw.islower() or not raw.isascii() else raw.lower()
        if name[0] == "/":
            self._close(name)
        elif name not in VOID:
            self._open(name)

    def _open(self, name: str) -> None:
        end = "/" + name
        if name == "a":
            if self.formatting:
                self._close(end)  # a link ends the open one wherever it stands (13.2.6.4.7)
        elif name in _ENDED_BY:
            self._end_same(_ENDED_BY[name])
        elif end in _ROW_LEVEL and end != "/table":
            self._end_cell(_ROW_LEVEL[end])
        self.names.append(end)
        if end in _FORMATTING:
            self.formatting += 1
            self.most_formatting = max(self.most_formatting, self.formatting)

    def _end_same(self, closed: tuple[str, ...]) -> None:
        """Take out the open element that a start tag of the same kind ends; formatting above it stays."""
        names = self.names
        if closed == ("/option",) and not _FOREIGN.isdisjoint(names):
            return
        for index in range(len(names) - 1, max(-1, len(names) - _LOOK_BACK), -1):
            name = names[index]
            if name in closed:
                self._end_element(index)
                return
            if name not in _FORMATTING and not (name == "/p" and closed[0] in {"/li", "/dd"}):
                return

    def _end_cell(self, level: int) -> None:
        """Take out an open cell, row or section with all in it, when it surely stands in a table."""
        names = self.names
        for index in range(len(names) - 1, max(0, len(names) - _LOOK_BACK), -1):
            found = names[index]
            if found in {"/table", "/template"} or found in _FOREIGN:
                return
            if _ROW_LEVEL.get(found, 0) >= level and self._is_in_table(index):
                self._cut(self._lowest_ended(index, level))
                return

    def _lowest_ended(self, index: int, level: int) -> int:
        while _ROW_LEVEL.get(self.names[index - 1], 0) >= level:
            index -= 1
        return index

    def _is_in_table(self, index: int) -> bool:
        """Say whether a cell, row or section hangs on a table by rows and sections alone."""
        names = self.names
        while index > 0 and names[index] != "/table":
            if _ROW_LEVEL.get(names[index - 1], 9) >= _ROW_LEVEL[names[index]]:
                return False
            index -= 1
        return names[index] == "/table"

    def _close(self, end: str) -> None:
        names = self.names
        if names and names[-1] == end:
            names.pop()
            self.formatting -= end in _FORMATTING
            return
        for index in range(len(names) - 1, max(-1, len(names) - _LOOK_BACK), -1):
            found = names[index]
            if found == end:
                self._end_here(index)
                return
            if found in _BARRIERS and (
                end not in _ROW_LEVEL or found in {"/table", "/template", "/svg", "/math"}
            ):
                return

    def _end_here(self, index: int) -> None:
        end = self.names[index]
        if end in _FORMATTING:
            del self.names[index]
            self.formatting -= 1
        elif end in _ROW_LEVEL:
            self._cut(index)
        else:
            self._end_element(index)

    def _end_element(self, index: int) -> None:
        """Close an element: what is open in it goes, except formatting, which a parser opens again."""
        self.names[index:] = [found for found in self.names[index + 1 :] if found in _FORMATTING]

    def _cut(self, index: int) -> None:
        """Close a cell, row or table: its own formatting ends with it."""
        self.formatting -= sum(found in _FORMATTING for found in self.names[index:])
        del self.names[index:]
