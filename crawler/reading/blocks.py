"""Cut a page into blocks: the text between block-level tags, in document order. No input or output."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_PARAGRAPH: Final = 2_000
"""Letters of preformatted text above which a paragraph is cut at lines."""
_LEAST_LINE: Final = 80
"""Lines are joined until they have this length, so that short lines are not lost."""
_INLINE: Final = frozenset(
    """-comment -text a abbr acronym b bdi bdo big br cite code data del dfn em font i img input ins kbd
    label mark nobr q rb rp rt rtc ruby s samp small span strike strong sub sup time tt u var wbr""".split()  # noqa: SIM905
)
_UNSEEN: Final = frozenset({"script", "style", "template", "noembed", "noframes", "link", "meta", "base"})
"""Elements that a browser gives no room: a word goes on behind them."""
_UNCUT: Final = _INLINE | _UNSEEN
_DROPPED: Final = frozenset(
    {"script", "style", "template", "noembed", "noframes", "iframe", "-comment", "-doctype"}
)
_PREFORMATTED: Final = frozenset({"pre", "textarea", "listing", "xmp", "plaintext"})
_BLANK_LINE = re.compile(r"\n[ \t\f\v]*\n\s*")


def paragraphs(text: str) -> Iterator[str]:
    """Cut preformatted text at blank lines, and long paragraphs at lines."""
    for paragraph in _BLANK_LINE.split(text.replace("\r\n", "\n").replace("\r", "\n")):
        if len(paragraph) <= MAX_PARAGRAPH:
            yield from _collapsed(paragraph)
        else:
            yield from _joined_lines(paragraph)


def _joined_lines(paragraph: str) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for line in paragraph.split("\n"):
        waiting.append(line)
        size += len(line)
        if size >= _LEAST_LINE:
            yield from _collapsed(" ".join(waiting))
            waiting, size = [], 0
    yield from _collapsed(" ".join(waiting))


def _collapsed(text: str) -> Iterator[str]:
    block = " ".join(text.split())
    if block:
        yield block


def text_blocks(tree: LexborHTMLParser) -> tuple[list[str], set[str]]:
    """Give the text between block-level tags, in document order, and the names of all tags on the page.

    The nodes come in order, without their ends: a block has ended where the next text stands in another
    block-level element. The subtrees of dropped and preformatted elements are left out. No recursion: pages
    choose their depth.
    """
    blocks = _Blocks()
    parts = blocks.parts
    tags: set[str] = set()
    nodes = tree.root.traverse(include_text=True) if tree.root is not None else iter(())
    for node in nodes:
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            if not text.isspace():  # blank text may stand in either of two blocks
                blocks.enter(node)
            parts.append(text)
            continue
        tags.add(tag)
        if tag == "br":
            parts.append("\n")
        elif tag not in _UNCUT:
            blocks.cut()
            if tag in _PREFORMATTED:
                blocks.done += paragraphs(_text_within(node))
        if tag in _OPAQUE and node.first_child is not None:
            tags.update(_skip_within(node, nodes))
    blocks.cut()
    return blocks.done, tags


class _Blocks:
    """Join texts to blocks; each inline element is climbed once to find the block-level one around it."""

    __slots__ = ("_first", "_owner", "_owners", "done", "parts")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.parts: list[str] = []
        self._first: LexborNode | None = None
        self._owner = 0
        self._owners: dict[int, int] = {}

    def enter(self, text: LexborNode) -> None:
        """End the block when a text stands in another block-level element than the block's first."""
        if self._first is None:
            self._first = text
            return
        owner = self._owner_of(text.parent)
        if not self._owner:
            self._owner = self._owner_of(self._first.parent)
        if owner != self._owner:
            self.cut()
            self._first, self._owner = text, owner

    def cut(self) -> None:
        """End the block."""
        if self._first is not None:
            block = " ".join("".join(self.parts).split())
            if block:
                self.done.append(block)
            self._first, self._owner = None, 0
        self.parts.clear()

    def _owner_of(self, node: LexborNode | None) -> int:
        """Give the identity of the nearest block-level element, ``node`` itself included."""
        owner = 0
        climbed: list[int] = []
        while node is not None:
            identity = node.mem_id
            known = self._owners.get(identity)
            if known is not None:
                owner = known
                break
            owner = identity
            climbed.append(identity)
            if node.tag not in _UNCUT:
                break
            node = node.parent
        for identity in climbed:
            self._owners[identity] = owner
        return owner


def _skip_within(node: LexborNode, nodes: Iterator[LexborNode]) -> set[str]:
    """Pass over all nodes within ``node``; give the names of their tags."""
    size = sum(1 for _ in node.traverse(include_text=True)) - 1
    return {inner.tag or "" for inner in islice(nodes, size)}


def _text_within(node: LexborNode) -> str:
    pieces = (
        "\n" if n.tag == "br" else n.text_content or ""
        for n in node.traverse(include_text=True)
        if n.tag in _LINES
    )
    return "".join(pieces)


_LINES: Final = frozenset({"-text", "br"})
_OPAQUE: Final = _DROPPED | _PREFORMATTED
