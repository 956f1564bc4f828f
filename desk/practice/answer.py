"""What a practice site is asked and what it answers; values only, no sockets.

The sites are pure functions `(Ask, ...) -> Answer`; `servers` puts them on the wire.
"""

from __future__ import annotations

import html
import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLE = (
    "body{font:16px/1.5 Georgia,serif;max-width:60rem;margin:0 auto;padding:0 1rem}"
    "body{background:#fbf7ef;color:#2b2118}"
    "a{color:#7a3e12}header,footer,aside{padding:.5rem 0;border-bottom:1px solid #d9c7a8}"
    "article{padding:.75rem 0;border-bottom:1px dotted #d9c7a8}nav a{margin-right:.75rem}small{color:#6b5b49}"
)


class Kind(Enum):
    """What sort of thing an answer was, so that hits can be counted."""

    PAGE = "page"
    MEDIA = "media"
    CHANGE = "change"
    ATTACHMENT = "attachment"
    MISSING = "missing"


class Style(Enum):
    """How a site answers for an address that does not exist, or no longer."""

    NOT_FOUND = "not_found"
    """Status 404 inside the site's own frame."""
    SOFT = "soft"
    """Status 200 with a page that says that nothing is there."""
    HOME = "home"
    """A redirect to the home page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as a site sees it."""

    path: str
    query: Mapping[str, str]
    origin: str
    """Scheme, host and port that the request named, without a slash at the end."""
    port: int
    """Port that all practice sites share, for links from one to another."""

    @classmethod
    def of(cls, target: str, *, origin: str, port: int) -> Ask:
        """Give the request for a target as it stands in the request line."""
        parts = urlsplit(target if not target.startswith("//") else "/" + target.lstrip("/"))
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return cls(path=parts.path or "/", query=query, origin=origin, port=port)

    def number(self, key: str, default: int = 1) -> int:
        """Give a whole number from the query; what is no number counts as the default."""
        text = self.query.get(key, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response: status, headers without the length, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    kind: Kind = Kind.PAGE


def page(text: str, *, status: int = 200, kind: Kind = Kind.PAGE) -> Answer:
    """Give an HTML page in UTF-8."""
    return Answer(
        status=status, headers=(("Content-Type", "text/html; charset=utf-8"),), body=text.encode(), kind=kind
    )


def plain(text: str, *, status: int = 200) -> Answer:
    """Give plain text in UTF-8."""
    return Answer(status=status, headers=(("Content-Type", "text/plain; charset=utf-8"),), body=text.encode())


def attachment(text: str, name: str) -> Answer:
    """Give a text as a file to save."""
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
    )
    return Answer(status=200, headers=headers, body=text.encode(), kind=Kind.ATTACHMENT)


def redirect(location: str, *, status: int = 302, kind: Kind = Kind.PAGE) -> Answer:
    """Give a redirect with a short body, as most servers send one."""
    body = f'<!DOCTYPE html><title>Moved</title><p>Go on <a href="{html.escape(location)}">here</a>.</p>'
    headers = (("Location", location), ("Content-Type", "text/html; charset=utf-8"))
    return Answer(status=status, headers=headers, body=body.encode(), kind=kind)


def picture(seed: int) -> Answer:
    """Give a one-coloured PNG of 32 by 32 points; asking for it counts as a media hit."""
    return Answer(
        status=200,
        headers=(("Content-Type", "image/png"),),
        body=_png(bytes((200, 150, seed % 256))),
        kind=Kind.MEDIA,
    )


def _png(colour: bytes, side: int = 32) -> bytes:
    """PNG, third edition: signature, IHDR, IDAT, IEND."""
    rows = b"".join(b"\0" + colour * side for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(tag, data) for tag, data in chunks)


def _chunk(tag: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))


def document(title: str, body: str) -> str:
    """Give a whole HTML document with the practice style sheet in it."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def missing(style: Style, home: str, framed: str) -> Answer:
    """Give a site's answer for an address that is not there, in the site's own style."""
    if style is Style.HOME:
        return redirect(home, kind=Kind.MISSING)
    return page(framed, status=404 if style is Style.NOT_FOUND else 200, kind=Kind.MISSING)
