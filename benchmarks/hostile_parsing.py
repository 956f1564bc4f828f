"""Pages of 2 MiB that cost a parser too much, or too much memory, or hide what they hold.

Each is read as a crawl reads it, by a sandbox of its own that is ended again: the processor time of a row
holds that of the parsing process from its start to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.errors import RefusedError
from crawler.sandbox.reader import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SIZE = 2 * 1024 * 1024
URL = "http://bread.example/oven"
BOMBS = {
    "one tag with 300,000 attributes": "<p " + " ".join(f"a{number}=1" for number in range(300_000)),
    "deep elements": "<div>" * (SIZE // 5),
    "deep elements with text": "<div>rye" * (SIZE // 8),
    "deep lists": "<ul><li>" * (SIZE // 8),
    "deep tables": "<table><tr><td>" * (SIZE // 15),
    "unclosed formatting": "<b><i><font size=1>" * (SIZE // 19),
    "formatting reopened in paragraphs": "<b><i><u><s><em>" * 80 + "<p>x" * (SIZE // 5),
    "mis-nested formatting": "<b><p></b>" * (SIZE // 10),
    "links that hold tables": "<a href=x><table>" * (SIZE // 17),
    "deep drawing": "<svg>" + "<g>" * (SIZE // 3),
    "deep templates": "<template>" * (SIZE // 10),
    "deep unknown elements": "<bread-loaf>" * (SIZE // 12),
    "comments without an end": "<!--" * (SIZE // 4),
    "brackets": "<" * SIZE,
    "ampersands": "&" * SIZE,
    "entities": "&CounterClockwiseContourIntegral;" * (SIZE // 33),
    "one word": "a" * SIZE,
    "one line of blanks": " " * SIZE,
    "line feeds": "\n" * SIZE,
    "100,000 links": "".join(f"<a href=/{number}>b</a>" for number in range(100_000))[:SIZE],
    "links with a long base": f"<base href=/{'a/' * 900}>" + "<a href=../../x>b</a>" * 90_000,
    "links up and down": "".join(f"<a href={'../' * 300}{number}>b</a>" for number in range(2200)),
    "data addresses": "<img src='data:image/png;base64,AAAA'>" * (SIZE // 38),
    "half a data address": "data:" * (SIZE // 5),
    "xml entities": "<!DOCTYPE r [" + "<!ENTITY a '&a;&a;&a;'>" * 90_000,
    "an opened script": "<script>" + "</scrip" * (SIZE // 7),
    "quotes": "<p a='" + "\"'" * (SIZE // 2),
    "nuls": "\0" * SIZE,
    "combining marks": "a" + "\u0301" * (SIZE // 2),
}


def parser_rows() -> Iterator[tuple[str, Callable[[], Awaitable[str]], set[str]]]:
    """Give the name of each page, how to read it, and what may come of it."""
    for name, text in BOMBS.items():
        yield name, lambda text=text: _read(text), {"read", "parser_bomb"}


async def _read(text: str) -> str:
    sandbox = Sandbox()
    try:
        await sandbox.read_page(text, URL, "text/html", site="bread.example")
    except RefusedError as error:
        return error.code
    finally:
        await sandbox.close()
    return "read"
