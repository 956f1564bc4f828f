"""The words between the crawl and its parsing process: one page in, its blocks and links out.

JSON, never pickle: what comes back was made by a process that has just parsed a hostile page, and only
strings and truth values of the expected form are taken from it.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from crawler.reading.links import Hint
from crawler.reading.page import Link, PageText

MOST_BYTES: Final = 64 * 1024 * 1024
"""An answer longer than this is none: no page of the crawl's size says so much."""
LENGTH: Final = struct.Struct("!I")
_KINDS: Final = frozenset({"anchor", "frame", "canonical", "next", "prev", "refresh"})


def framed(message: dict[str, Any]) -> bytes:
    """Give a message as bytes with its length in front."""
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def page_message(page: PageText) -> dict[str, Any]:
    """Give a page in a form that JSON knows."""
    return {
        "blocks": page.blocks,
        "links": [(link.url, link.rel, link.hint, link.kind) for link in page.links],
        "canonical": page.canonical,
        "refresh": page.refresh,
        "has_password_field": page.has_password_field,
        "is_shell": page.is_shell,
    }


def page_of(message: dict[str, Any]) -> PageText:
    """Give the page that a message holds.

    Raises:
        ValueError: The message does not have the form of a page.
        KeyError: Something is missing in it.
        TypeError: Something in it is of another kind.
    """
    return PageText(
        blocks=tuple(_string(block) for block in message["blocks"]),
        links=tuple(_link(*link) for link in message["links"]),
        canonical=_address(message["canonical"]),
        refresh=_address(message["refresh"]),
        has_password_field=bool(message["has_password_field"]),
        is_shell=bool(message["is_shell"]),
    )


def _link(url: object, rel: list[object], hint: str, kind: str) -> Link:
    address = _address(url)
    if address is None or kind not in _KINDS:
        raise ValueError("no link")
    return Link(url=address, rel=tuple(_string(word) for word in rel), hint=Hint(hint), kind=kind)


def _address(value: object) -> str | None:
    if value is None:
        return None
    text = _string(value)
    if not text.startswith(("http://", "https://")):
        raise ValueError("no address")
    return text


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
