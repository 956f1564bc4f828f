"""A synthetic forum for benchmarks: pages of about 28 KB with about 130 links each, 76 of them crawlable.

`python -m benchmarks.site --pages 5000` writes the pages, prints `port N` and serves until it is stopped.
Every page has words of its own; all pages are reached from `/`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import random
from functools import lru_cache

from desk.practice import text

PAGE_BYTES = 28_000
CRAWLABLE_LINKS = 76
OTHER_LINKS = 54
_KEPT_PAGES = 8192
WORDS = tuple(
    dict.fromkeys((*text.WHO, *text.VERBS, *text.KINDS, *text.THINGS, *text.PLACES, *text.HOWS, *text.TIMES))
)


def linked_from(number: int, pages: int) -> list[int]:
    """Give the pages that a page links to: the next one, two further down a tree, and a spread of others."""
    wanted = [number + 1, 2 * number + 1, 2 * number + 2]
    step = max(1, pages // CRAWLABLE_LINKS)
    wanted += [number + step * turn + turn for turn in range(1, CRAWLABLE_LINKS + 8)]
    found = dict.fromkeys(one % pages for one in wanted)
    found.pop(number, None)
    return list(found)[:CRAWLABLE_LINKS]


def path_of(number: int) -> str:
    """Give the path of a page."""
    return f"/t/{number}" if number else "/"


def write_page(number: int, pages: int) -> bytes:
    """Give one page as HTML; the same bytes for the same numbers."""
    rng = random.Random(number)
    links = "".join(
        f'<li><a href="{path_of(one)}">Loaf {one}</a></li>\n' for one in linked_from(number, pages)
    )
    others = "".join(_other_link(number, turn) for turn in range(OTHER_LINKS))
    head = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Loaf {number}</title></head>'
        f"<body><h1>Loaf {number}</h1><nav><ul>\n{links}</ul></nav>\n"
    )
    foot = f"<footer>{others}</footer></body></html>\n"
    posts: list[str] = []
    size = len(head) + len(foot)
    while size < PAGE_BYTES:
        posts.append(f'<article id="p{len(posts)}"><p>{" ".join(rng.choices(WORDS, k=70))}.</p></article>\n')
        size += len(posts[-1])
    return (head + "".join(posts) + foot).encode()


def _other_link(number: int, turn: int) -> str:
    """Links that a text crawler leaves alone: pictures, actions, other sites, repetitions, scripts."""
    kinds = (
        f'<a href="/pictures/{number}-{turn}.jpg"><img src="/pictures/{number}-{turn}s.jpg" alt=""></a> ',
        f'<a href="/like?post={number * 100 + turn}">Like</a> ',
        f'<a href="/login?next=/t/{number}">Log in</a> ',
        f'<a href="http://crust{turn}.example/">Elsewhere</a> ',
        f'<a href="{path_of(number)}#p{turn}">#{turn}</a> ',
        '<a href="mailto:baker@crumb.example">Write</a> ',
    )
    return kinds[turn % len(kinds)]


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; whole requests only, which is all that a GET needs."""

    def __init__(self, missing: bytes, pages: int, *, zipped: bool, closing: bool) -> None:
        self._pages = pages
        self._missing = missing
        self._zipped = zipped
        self._closing = closing
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            closing = self._closing or b"connection: close" in head.lower()
            self._transport.write(self._reply(head.split(b" ", 2)[1]))
            if closing:
                self._transport.close()
                return

    def _reply(self, path: bytes) -> bytes:
        if path == b"/":
            return rendered(0, self._pages, zipped=self._zipped)
        number = path[3:] if path.startswith(b"/t/") else b""
        if number.isdigit() and int(number) < self._pages:
            return rendered(int(number), self._pages, zipped=self._zipped)
        return self._missing


@lru_cache(maxsize=_KEPT_PAGES)
def rendered(number: int, pages: int, *, zipped: bool = False) -> bytes:
    """Give a whole response with its page, kept so that serving costs next to nothing."""
    body = write_page(number, pages)
    return _response(b"200 OK", gzip.compress(body, mtime=0) if zipped else body, zipped=zipped)


def _response(status: bytes, body: bytes, *, zipped: bool = False) -> bytes:
    coding = b"Content-Encoding: gzip\r\n" if zipped else b""
    head = b"HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n%sContent-Length: %d\r\n\r\n"
    return head % (status, coding, len(body)) + body


async def serve(pages: int, port: int, *, zipped: bool, closing: bool) -> None:
    """Print the port and serve until the process is stopped."""
    missing = _response(b"404 Not Found", b"<!DOCTYPE html><title>Gone</title><p>No such loaf.</p>")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(missing, pages, zipped=zipped, closing=closing), "127.0.0.1", port, backlog=1024
    )
    print("port", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description=__doc__)
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gzip", action="store_true", help="send every page as gzip")
    parser.add_argument("--closing", action="store_true", help="close the connection after each answer")
    chosen = parser.parse_args()
    for number in range(min(chosen.pages, _KEPT_PAGES)):
        rendered(number, chosen.pages, zipped=chosen.gzip)
    asyncio.run(serve(chosen.pages, chosen.port, zipped=chosen.gzip, closing=chosen.closing))


if __name__ == "__main__":
    main()
