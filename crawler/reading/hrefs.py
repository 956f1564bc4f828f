"""Resolve the targets of links to canonical addresses, as browsers do (URL standard, 4.4). Pure."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from crawler.reading.address import (
    AddressError,
    Parts,
    canonical_url,
    directory,
    joined,
    quickly_joined,
    split,
)

MAX_HREF_LENGTH: Final = 4_096
_CACHED_HREFS: Final = 200_000

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
_HTTP = re.compile(r"https?:", re.IGNORECASE)
_EDGES: Final = "".join(map(chr, range(0x21)))
"""What browsers cut off both ends of an address (URL standard, 4.4)."""
_WASTE = re.compile(r"[\t\r\n]+")


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
        url = known[key] = resolved(href, base)
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


def resolved(raw: str, base: PageBase) -> str | None:
    """Give the canonical absolute address of a target as it stands in the page, None when it is no page."""
    plain = quickly_joined(base.origin, raw)
    if plain is not None:
        return plain
    path, mark, query = _WASTE.sub("", raw.strip(_EDGES)).partition("#")[0].partition("?")
    href = path.replace("\\", "/") + mark + query
    if not href or len(href) > MAX_HREF_LENGTH:
        return None
    try:
        return _absolute(href, base)
    except AddressError:
        return None


def _absolute(href: str, base: PageBase) -> str | None:
    if href.startswith("//"):
        return canonical_url(base.origin.partition("//")[0] + _two_slashes(href))
    if href.startswith("/"):
        return _local(base.origin, href)
    if href.startswith("?"):
        return _local(base.origin, base.path_url[len(base.origin) :] + href)
    if _HTTP.match(href):
        scheme, _, rest = href.partition(":")
        return canonical_url(f"{scheme}:{_two_slashes(rest)}") if rest.startswith("//") else None
    if _SCHEME.match(href):
        return None
    return _local(base.origin, base.directory[len(base.origin) :] + href)


def _two_slashes(rest: str) -> str:
    """Give what follows a scheme as browsers read it: any more slashes count for nothing."""
    return "//" + rest.lstrip("/")


def _local(origin: str, local: str) -> str:
    path, mark, query = local.partition("?")
    return joined(origin, path, mark + query)
