"""Read one text page: blocks of text to hash and match, and links to judge. One parse, no input or output.

What comes out lives in memory only. Link wording is looked at here, turned into a hint, and left behind.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from caselog.errors import RefusedError
from crawler.address import AddressError, Parts, canonical_url, directory, joined, quickly_joined, split
from crawler.links import Hint, hint_of
from crawler.prescan import refusal

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from selectolax.lexbor import LexborNode

MAX_LINKS: Final = 5_000
MAX_HREF_LENGTH: Final = 4_096
MAX_PARAGRAPH: Final = 2_000
"""Letters of preformatted text above which a paragraph is cut at lines."""
SHELL_LETTERS: Final = 200
_SHELL_LINKS: Final = 3
_JUDGED_WORDINGS: Final = 3
_LEAST_LINE: Final = 80
"""Lines are joined until they have this length, so that short lines are not lost."""
_CACHED_HREFS: Final = 200_000

_INLINE: Final = frozenset(
    """-comment -text a abbr acronym b bdi bdo big br cite code data del dfn em font i img input ins kbd
    label mark nobr q rb rp rt rtc ruby s samp small span strike strong sub sup time tt u var wbr""".split()  # noqa: SIM905
)
_DROPPED: Final = frozenset(
    {"script", "style", "template", "noembed", "noframes", "iframe", "-comment", "-doctype"}
)
_PREFORMATTED: Final = frozenset({"pre", "textarea", "listing", "xmp", "plaintext"})
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
_HTTP = re.compile(r"https?:", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n[ \t\f\v]*\n\s*")
_REFRESH = re.compile(
    r"\s*+[\d.]*+(?:\s*+[;,]\s*+|\s++)(?:url\s*+=\s*+)?+[\"']?+([^\"'\s][^\"']*+)", re.IGNORECASE
)
_WASTE = re.compile(r"[\t\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One address that a page points to."""

    url: str
    """Canonical and absolute."""
    rel: tuple[str, ...] = ()
    hint: Hint = Hint.NONE
    """What the wording promises; the wording itself is not kept."""
    kind: str = "anchor"
    """``anchor``, ``frame`` (also inline), ``canonical``, ``next``, ``prev`` or ``refresh``."""

    @property
    def is_next(self) -> bool:
        """Say whether the page calls this its own continuation."""
        return self.kind == "next" or "next" in self.rel or self.hint is Hint.NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What one page says; never stored."""

    blocks: tuple[str, ...]
    """Text cut at block-level tags, white space collapsed, in order; the title first."""
    links: tuple[Link, ...] = ()
    """Different addresses, in order, at most `MAX_LINKS`."""
    canonical: str | None = None
    refresh: str | None = None
    """Where the page sends a browser by itself."""
    has_password_field: bool = False
    is_shell: bool = False
    """Almost no text, but scripts that would fetch it."""


class LinkReader:
    """Resolve link targets with a memory, because the pages of a site repeat most of theirs.

    Args:
        size: Resolved targets to remember; the oldest are forgotten.
    """

    def __init__(self, size: int = _CACHED_HREFS) -> None:
        self._size = size
        self._known: OrderedDict[tuple[str, str], str | None] = OrderedDict()

    def resolve(self, href: str, base: PageBase) -> str | None:
        """Give the canonical absolute address of ``href``, or None when it leads nowhere."""
        first = href[:1]
        if first == "/":
            base_part = base.origin
        elif first == "?":
            base_part = base.path_url
        else:
            base_part = base.directory
        key = (base_part, href)
        known = self._known
        url = known.get(key, "")
        if url != "":
            return url
        url = known[key] = _resolved(href, base)
        if len(known) > self._size:
            known.popitem(last=False)
        return url


@dataclass(frozen=True, slots=True)
class PageBase:
    """What relative addresses of a page are relative to."""

    origin: str
    path_url: str
    """The address without its query."""
    directory: str

    @classmethod
    def of(cls, url: str) -> PageBase:
        """Give the base of a canonical address."""
        parts: Parts = split(url)
        return cls(f"{parts.scheme}://{parts.host}", url.partition("?")[0], directory(url))


def _resolved(raw: str, base: PageBase) -> str | None:
    plain = quickly_joined(base.origin, raw)
    if plain is not None:
        return plain
    href = _WASTE.sub("", raw.strip(" \t\r\n\f")).partition("#")[0].replace("\\", "/")
    if not href or len(href) > MAX_HREF_LENGTH:
        return None
    try:
        return _absolute(href, base)
    except AddressError:
        return None


def _absolute(href: str, base: PageBase) -> str | None:
    if href.startswith("//"):
        return canonical_url(base.origin.partition("//")[0] + href)
    if href.startswith("/"):
        return _local(base.origin, href)
    if href.startswith("?"):
        return _local(base.origin, base.path_url[len(base.origin) :] + href)
    if _HTTP.match(href):
        return canonical_url(href) if "://" in href[:8] else None
    if _SCHEME.match(href):
        return None
    return _local(base.origin, base.directory[len(base.origin) :] + href)


def _local(origin: str, local: str) -> str:
    path, mark, query = local.partition("?")
    return joined(origin, path, mark + query)


def read_page(
    text: str,
    url: str,
    media_type: str,
    *,
    links: LinkReader | None = None,
    known: Container[str] = frozenset(),
) -> PageText:
    """Give the blocks and links of a page.

    Args:
        text: The decoded body, with `data:` addresses cut out.
        url: The page's own address.
        media_type: ``text/plain`` is not parsed at all.
        links: The crawl's memory of resolved targets.
        known: Canonical addresses on the page's own site that need not be given again; never looked at.

    Raises:
        RefusedError: With code ``parser_bomb``; the page was not parsed.
    """
    if media_type == "text/plain":
        return PageText(blocks=tuple(paragraphs(text)))
    code = refusal(text)
    if code is not None:
        raise RefusedError("The page would cost a parser too much.", "It is left out.", code=code)
    body = text.encode("utf-8", "replace")
    tree = LexborHTMLParser(body, options=LexborDocumentOptions.WO_EVENTS)
    blocks, tags = _blocks(tree)
    own = PageBase.of(canonical_url(url))
    base = _base(tree, own) if "base" in tags else own
    found, first, anchors = _links(
        _targets(tree, tags), base, links or LinkReader(), _Known(f"{own.origin}/", known)
    )
    return PageText(
        blocks=tuple(blocks),
        links=tuple(found),
        canonical=first.get("canonical"),
        refresh=first.get("refresh"),
        has_password_field="input" in tags and tree.css_first('input[type="password" i]') is not None,
        is_shell="script" in tags and anchors < _SHELL_LINKS and sum(map(len, blocks)) < SHELL_LETTERS,
    )


def _base(tree: LexborHTMLParser, own: PageBase) -> PageBase:
    """Give the page's base, moved by its first `base` element (HTML standard, 4.2.3)."""
    node = tree.css_first("base[href]")
    moved = _resolved(node.attrs.get("href") or "", own) if node is not None else None
    return PageBase.of(moved) if moved else own


# ---- blocks ----


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


def _blocks(tree: LexborHTMLParser) -> tuple[list[str], set[str]]:
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
        elif tag not in _INLINE:
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
            if node.tag not in _INLINE:
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


# ---- links ----


class _Known(NamedTuple):
    """What need not be given again: only addresses of the page's own site, wherever its base points to."""

    root: str
    urls: Container[str]

    def holds(self, url: str) -> bool:
        """Say whether an address may be left out."""
        return url in self.urls and url.startswith(self.root)


def _links(
    targets: Iterable[tuple[LexborNode, str, str | None]],
    base: PageBase,
    reader: LinkReader,
    known: _Known,
) -> tuple[list[Link], dict[str, str], int]:
    """Give the different new addresses that the page points to, the first of each kind, and a count.

    Targets are told apart before any address work, which costs the most. The count is of different addresses
    in anchors, known ones included.
    """
    kinds: dict[str, str] = {}
    first: dict[str, str] = {}
    new: dict[str, list[LexborNode]] = {}
    for (href, kind), nodes in _told_apart(targets).items():
        url = reader.resolve(href, base)
        if url is None:
            continue
        first.setdefault(kind, url)
        if url not in kinds or kinds[url] == "canonical":
            kinds[url] = kind
            if kind not in _BODY_KINDS or not known.holds(url):
                new[url] = nodes
            else:
                new.pop(url, None)
    return (
        [_link(nodes, kinds[url], url) for url, nodes in new.items()],
        first,
        sum(kind == "anchor" for kind in kinds.values()),
    )


def _told_apart(
    targets: Iterable[tuple[LexborNode, str, str | None]],
) -> dict[tuple[str, str], list[LexborNode]]:
    """Give the first nodes of each different target and kind, in order."""
    seen: dict[tuple[str, str], list[LexborNode]] = {}
    for node, kind, href in targets:
        if not href or len(href) > MAX_HREF_LENGTH:
            continue
        nodes = seen.get((href, kind))
        if nodes is None:
            if len(seen) >= MAX_LINKS:
                break
            seen[href, kind] = [node]
        elif len(nodes) < _JUDGED_WORDINGS:
            nodes.append(node)
    return seen


def _link(nodes: list[LexborNode], kind: str, url: str) -> Link:
    if kind != "anchor":
        return Link(url=url, kind=kind)
    rel = " ".join(node.attrs.get("rel") or "" for node in nodes)
    hints = {hint_of(node.text(deep=True)) for node in nodes}
    return Link(url=url, rel=tuple(dict.fromkeys(rel.lower().split())), hint=_joined_hint(hints))


def _joined_hint(hints: set[Hint]) -> Hint:
    """Give the hint of all links to one address; a button only where every one of them is worded so."""
    if hints == {Hint.STATE}:
        return Hint.STATE
    return next((hint for hint in (Hint.NEXT, Hint.PREVIOUS) if hint in hints), Hint.NONE)


def _targets(tree: LexborHTMLParser, tags: set[str]) -> Iterator[tuple[LexborNode, str, str | None]]:
    """Give what the page points to; looks only for ``tags`` that stand on it."""
    for node in tree.css("link[rel][href]") if "link" in tags else ():
        words = (node.attrs.get("rel") or "").lower().split()
        kind = next((word for word in words if word in {"canonical", "next", "prev"}), None)
        if kind is not None:
            yield node, kind, node.attrs.get("href")
    for node in tree.css("meta[http-equiv][content]") if "meta" in tags else ():
        if (node.attrs.get("http-equiv") or "").strip().lower() == "refresh":
            yield node, "refresh", _refresh_target(node.attrs.get("content") or "")
    for node in tree.css("frame[src],iframe[src]") if not tags.isdisjoint(_FRAMES) else ():
        yield node, "frame", node.attrs.get("src")
    for node in tree.css("a[href],area[href]"):
        yield node, "anchor", node.attrs.get("href")


_FRAMES: Final = frozenset({"frame", "iframe"})
_BODY_KINDS: Final = frozenset({"anchor", "frame"})


def _refresh_target(content: str) -> str | None:
    """Give the target of a refresh (HTML standard, 4.2.5.3), None when the page only loads itself again."""
    if len(content) > MAX_HREF_LENGTH:
        return None
    found = _REFRESH.fullmatch(content.rstrip("\"' \t"))
    return found[1] if found else None
