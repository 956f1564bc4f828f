"""Read one text page: blocks of text to hash and match, and links to judge. One parse, no input or output.

What comes out lives in memory only. Link wording is looked at here, turned into a hint, and left behind.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from caselog.errors import RefusedError
from crawler.address import AddressError, Parts, canonical_url, directory, joined, split
from crawler.links import Hint, hint_of
from crawler.prescan import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

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
            key = (base.origin, href)
        elif first == "?":
            key = (base.path_url, href)
        else:
            key = (base.directory, href)
        known = self._known
        if key in known:
            return known[key]
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


def read_page(text: str, url: str, media_type: str, *, links: LinkReader | None = None) -> PageText:
    """Give the blocks and links of a page.

    Args:
        text: The decoded body, with `data:` addresses cut out.
        url: The page's own address.
        media_type: ``text/plain`` is not parsed at all.
        links: The crawl's memory of resolved targets.

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
    base = _base(tree, canonical_url(url))
    blocks = tuple(_blocks(tree))
    found, named = _links(tree, base, links if links is not None else LinkReader())
    return PageText(
        blocks=blocks,
        links=tuple(found),
        canonical=named.get("canonical"),
        refresh=named.get("refresh"),
        has_password_field=tree.css_first('input[type="password" i]') is not None,
        is_shell=_is_shell(tree, blocks, found),
    )


def _base(tree: LexborHTMLParser, url: str) -> PageBase:
    """Give the page's base, moved by its first `base` element (HTML standard, 4.2.3)."""
    own = PageBase.of(url)
    node = tree.css_first("base[href]")
    moved = _resolved(node.attrs.get("href") or "", own) if node is not None else None
    return PageBase.of(moved) if moved else own


def _is_shell(tree: LexborHTMLParser, blocks: tuple[str, ...], links: list[Link]) -> bool:
    if sum(map(len, blocks)) >= SHELL_LETTERS or tree.css_first("script") is None:
        return False
    return sum(link.kind == "anchor" for link in links) < _SHELL_LINKS


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


def _blocks(tree: LexborHTMLParser) -> Iterator[str]:
    """Give the text between block-level tags, in document order."""
    parts: list[str] = []
    for node, tag in _walk(tree):
        if tag == "-text":
            parts.append(node.text_content or "")
        elif tag == "br":
            parts.append("\n")
        elif tag not in _INLINE:
            if parts:
                yield from _collapsed("".join(parts))
                parts = []
            if tag in _PREFORMATTED:
                yield from paragraphs(_text_within(node))
    yield from _collapsed("".join(parts))


def _text_within(node: LexborNode) -> str:
    pieces = (
        "\n" if n.tag == "br" else n.text_content or ""
        for n in node.traverse(include_text=True)
        if n.tag in _LINES
    )
    return "".join(pieces)


_LINES: Final = frozenset({"-text", "br"})
_OPAQUE: Final = _DROPPED | _PREFORMATTED


def _walk(tree: LexborHTMLParser) -> Iterator[tuple[LexborNode, str]]:
    """Visit the nodes in order, and block-level elements again when they end.

    The subtrees of dropped and preformatted elements are not entered. No recursion: pages choose their depth.
    """
    node = tree.root
    while node is not None:
        tag = node.tag or ""
        yield node, tag
        child = node.first_child if tag != "-text" and tag not in _OPAQUE else None
        while child is None and node is not None:
            child = node.next
            if child is None:
                node = node.parent
                tag = (node.tag if node is not None else None) or ""
                if node is not None and tag not in _INLINE and tag not in _PREFORMATTED:
                    yield node, tag
        node = child


# ---- links ----


def _links(tree: LexborHTMLParser, base: PageBase, reader: LinkReader) -> tuple[list[Link], dict[str, str]]:
    """Give the different addresses that the page points to, and the first of each kind.

    Targets are told apart before any address work, which costs the most.
    """
    seen: dict[tuple[str, str], list[LexborNode]] = {}
    for node, kind, href in _targets(tree):
        if not href or len(href) > MAX_HREF_LENGTH:
            continue
        nodes = seen.get((href, kind))
        if nodes is None:
            if len(seen) >= MAX_LINKS:
                break
            seen[href, kind] = [node]
        elif len(nodes) < _JUDGED_WORDINGS:
            nodes.append(node)
    out: dict[str, Link] = {}
    first: dict[str, str] = {}
    for (href, kind), nodes in seen.items():
        url = reader.resolve(href, base)
        if url is None:
            continue
        first.setdefault(kind, url)
        if url not in out or out[url].kind == "canonical":
            out[url] = _link(nodes, kind, url)
    return list(out.values()), first


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


def _targets(tree: LexborHTMLParser) -> Iterator[tuple[LexborNode, str, str | None]]:
    for node in tree.css("link[rel][href]"):
        words = (node.attrs.get("rel") or "").lower().split()
        kind = next((word for word in words if word in {"canonical", "next", "prev"}), None)
        if kind is not None:
            yield node, kind, node.attrs.get("href")
    for node in tree.css("meta[http-equiv][content]"):
        if (node.attrs.get("http-equiv") or "").strip().lower() == "refresh":
            yield node, "refresh", _refresh_target(node.attrs.get("content") or "")
    for node in tree.css("frame[src],iframe[src]"):
        yield node, "frame", node.attrs.get("src")
    for node in tree.css("a[href],area[href]"):
        yield node, "anchor", node.attrs.get("href")


def _refresh_target(content: str) -> str | None:
    """Give the target of a refresh (HTML standard, 4.2.5.3), None when the page only loads itself again."""
    if len(content) > MAX_HREF_LENGTH:
        return None
    found = _REFRESH.fullmatch(content.rstrip("\"' \t"))
    return found[1] if found else None
