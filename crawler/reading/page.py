"""Read one text page: blocks of text to hash and match, and links to judge. One parse, no input or output.

A page that would cost a parser too much is written anew without depth first (`flatten`): nothing of its text
is lost by nesting. Documents within the page are read too: `srcdoc` frames, because a browser shows them;
templates, `noembed` and `noframes`, because a script or a style may. What comes out lives in memory only.
Link wording is looked at here, turned into a hint, and left behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from crawler.reading.address import canonical_url
from crawler.reading.blocks import paragraphs, text_blocks
from crawler.reading.flatten import DEEPEST_SOURCE, flatten, refused
from crawler.reading.hrefs import MAX_HREF_LENGTH, LinkReader, PageBase, resolved
from crawler.reading.links import Hint, hint_of
from crawler.reading.prescan import Weight, weigh

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from selectolax.lexbor import LexborNode

    _Target = tuple[str, str]

MAX_LINKS: Final = 5_000
SHELL_LETTERS: Final = 200
_SHELL_LINKS: Final = 3
_JUDGED_WORDINGS: Final = 3

_REFRESH = re.compile(
    r"\s*+[\d.]*+(?:\s*+[;,]\s*+|\s++)(?:url\s*+=\s*+)?+[\"']?+([^\"'\s][^\"']*+)", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")


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
    """Different addresses, in order, at most `MAX_LINKS`, spread over the page and its shapes of address."""
    canonical: str | None = None
    refresh: str | None = None
    """Where the page sends a browser by itself."""
    has_password_field: bool = False
    is_shell: bool = False
    """Almost no text, but scripts that would fetch it."""


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
    weight = weigh(text)
    if weight is Weight.BOMB:
        raise refused()
    return parse_page(flatten(text) if weight is Weight.HARD else text, url, links=links, known=known)


def parse_page(
    text: str,
    url: str,
    *,
    links: LinkReader | None = None,
    known: Container[str] = frozenset(),
) -> PageText:
    """Give the blocks and links of a page that weighs little or was made flat.

    Raises:
        RefusedError: With code ``parser_bomb``; a document within the page is a bomb.
    """
    own = PageBase.of(canonical_url(url))
    return _parsed(text, own, own, links or LinkReader(), _Known(f"{own.origin}/", known))


def _parsed(
    text: str, own: PageBase, base: PageBase, reader: LinkReader, known: _Known, level: int = 0
) -> PageText:
    body = text.encode("utf-8", "replace")
    tree = LexborHTMLParser(body, options=LexborDocumentOptions.WO_EVENTS)
    blocks, tags = text_blocks(tree)
    if "noscript" in tags and _has_open_noscript(text):
        return _parsed(flatten(text), own, base, reader, known, level)
    if "base" in tags:
        base = _base(tree, own, base)
    found, first, anchors = _links(_targets(tree, tags), base, reader, known, most_wording=len(text))
    page = PageText(
        blocks=tuple(blocks),
        links=tuple(found),
        canonical=first.get("canonical"),
        refresh=first.get("refresh"),
        has_password_field="input" in tags and tree.css_first('input[type="password" i]') is not None,
        is_shell="script" in tags and anchors < _SHELL_LINKS and sum(map(len, blocks)) < SHELL_LETTERS,
    )
    if tags.isdisjoint(_HOLDERS):
        return page
    inner = [_inner(source, own, base, reader, known, level + 1) for source in _sources(tree, tags)]
    return _with_inner(page, inner) if inner else page


def _inner(
    text: str, own: PageBase, base: PageBase, reader: LinkReader, known: _Known, level: int
) -> PageText:
    """Read a document within a page; below a sane depth its markup counts as text."""
    if level > DEEPEST_SOURCE:
        return PageText(blocks=tuple(paragraphs(text)))
    weight = weigh(text)
    if weight is Weight.BOMB:
        raise refused()
    return _parsed(flatten(text) if weight is Weight.HARD else text, own, base, reader, known, level)


def _with_inner(page: PageText, inner: list[PageText]) -> PageText:
    links = {link.url: link for one in reversed([page, *inner]) for link in reversed(one.links)}
    return replace(
        page,
        blocks=page.blocks + tuple(block for one in inner for block in one.blocks),
        links=tuple(list(reversed(links.values()))[:MAX_LINKS]),
        has_password_field=page.has_password_field or any(one.has_password_field for one in inner),
    )


_OPEN_VALUE = re.compile(r"=[ \t\n\f\r]*+(?:\"[^\"]*+|'[^']*+)\Z")
_RAW_NAMES: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")


def _has_open_noscript(text: str) -> bool:
    """Say whether something opened in a `noscript` may swallow what browsers with scripts show behind it."""
    lowered = text.lower()
    start = lowered.find("<noscript")
    while start >= 0:
        end = lowered.find("</noscript", start)
        inside = lowered[lowered.find(">", start) + 1 : end if end >= 0 else None]
        if _is_open(inside):
            return True
        start = lowered.find("<noscript", end) if end >= 0 else -1
    return False


def _is_open(inside: str) -> bool:
    if inside.rfind("<!--") > inside.rfind("-->") or inside.rfind("<") > inside.rfind(">"):
        return True
    if "<plaintext" in inside or _OPEN_VALUE.search(inside) is not None:
        return True
    return any(inside.rfind(f"<{name}") > inside.rfind(f"</{name}") for name in _RAW_NAMES)


_HOLDERS: Final = frozenset({"iframe", "template", "noembed", "noframes", "math", "script", "style"})
_TEMPLATE_TAG = re.compile(r"<(/?)template(?=[ \t\n\f\r/>])", re.IGNORECASE)


def _sources(tree: LexborHTMLParser, tags: set[str]) -> Iterator[str]:
    """Give the documents within a page that a browser shows, or that offenders could make it show."""
    if "iframe" in tags:
        for node in tree.css("iframe[srcdoc]"):
            yield node.attrs.get("srcdoc") or ""
    if "template" in tags:
        for node in tree.css("template"):
            yield _TEMPLATE_TAG.sub(r"<\1x-template", node.html or "")
    for name in sorted(tags & {"noembed", "noframes"}):
        for node in tree.css(name):
            yield node.text(deep=True)
    # A style attribute makes a browser show the element's own text; formulas know no scripts or styles.
    shown = "script[style],style[style]"
    if "math" in tags:
        shown += ",math script,math style,math iframe,math noembed,math noframes"
    if not tags.isdisjoint({"script", "style"}):
        for node in tree.css(shown):
            yield escape(node.text(deep=True))


def _base(tree: LexborHTMLParser, own: PageBase, base: PageBase) -> PageBase:
    """Give the page's base, moved by its first `base` element (HTML standard, 4.2.3)."""
    node = tree.css_first("base[href]")
    moved = resolved(node.attrs.get("href") or "", own) if node is not None else None
    return PageBase.of(moved) if moved else base


def without_known(page: PageText, url: str, known: Container[str]) -> PageText:
    """Give a page without the links of its own site that are ``known``, as `read_page` leaves them out."""
    own = _Known(f"{PageBase.of(canonical_url(url)).origin}/", known)
    links = (link for link in page.links if link.kind not in _BODY_KINDS or not own.holds(link.url))
    return replace(page, links=tuple(links))


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
    *,
    most_wording: int,
) -> tuple[list[Link], dict[str, str], int]:
    """Give the different new addresses that the page points to, the first of each kind, and a count.

    Targets are told apart before any address work, which costs the most. The count is of different addresses
    in anchors, known ones included.
    """
    kinds: dict[str, str] = {}
    first: dict[str, str] = {}
    new: dict[str, list[LexborNode]] = {}
    for (href, kind), nodes in _spread(_told_apart(targets)).items():
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
    wording = _Wording(most_wording)
    return (
        [_link(nodes, kinds[url], url, wording) for url, nodes in new.items()],
        first,
        sum(kind == "anchor" for kind in kinds.values()),
    )


def _told_apart(
    targets: Iterable[tuple[LexborNode, str, str | None]],
) -> dict[_Target, list[LexborNode]]:
    """Give the first nodes of each different target and kind, in order."""
    seen: dict[_Target, list[LexborNode]] = {}
    for node, kind, href in targets:
        if not href or len(href) > MAX_HREF_LENGTH:
            continue
        nodes = seen.get((href, kind))
        if nodes is None:
            seen[href, kind] = [node]
        elif len(nodes) < _JUDGED_WORDINGS:
            nodes.append(node)
    return seen


def _spread(targets: dict[_Target, list[LexborNode]]) -> dict[_Target, list[LexborNode]]:
    """Keep `MAX_LINKS` targets of a page with more, in order, the same number of each shape where it can.

    Shapes are targets without their digits. So a few threads among a flood of other links are kept, and of
    the flood its beginning, its end and every n-th between.
    """
    if len(targets) <= MAX_LINKS:
        return targets
    shapes: dict[str, list[_Target]] = {}
    for target in targets:
        shapes.setdefault(target[1] + _DIGITS.sub("0", target[0]), []).append(target)
    kept: set[_Target] = set()
    groups = sorted(shapes.values(), key=len)
    if len(groups) > MAX_LINKS:
        groups = [list(targets)]
    for position, group in enumerate(groups):
        kept.update(_every_nth(group, (MAX_LINKS - len(kept)) // (len(groups) - position)))
    return {target: nodes for target, nodes in targets.items() if target in kept}


def _every_nth(group: list[_Target], count: int) -> list[_Target]:
    """Give ``count`` of a group at even distances, the first and the last among them."""
    if len(group) <= count or count < 2:
        return group[:count]
    return [group[step * (len(group) - 1) // (count - 1)] for step in range(count)]


class _Wording:
    """Read what links say until a page's links said more than the page: links may stand in links."""

    def __init__(self, length: int) -> None:
        self._left = 2 * length

    def hint(self, nodes: list[LexborNode]) -> Hint:
        """Give what all links to one address promise."""
        hints: set[Hint] = set()
        for node in nodes:
            text = node.text(deep=True) if self._left > 0 else ""
            self._left -= len(text)
            hints.add(hint_of(text))
        return _joined_hint(hints)


def _link(nodes: list[LexborNode], kind: str, url: str, wording: _Wording) -> Link:
    if kind != "anchor":
        return Link(url=url, kind=kind)
    rel = " ".join(node.attrs.get("rel") or "" for node in nodes)
    return Link(url=url, rel=tuple(dict.fromkeys(rel.lower().split())), hint=wording.hint(nodes))


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
