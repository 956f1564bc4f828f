"""Three hundred small sites on loopback addresses, some of which want the crawler to fail.

`python -m benchmarks.crowd_site --sites 300 --pages 12 [--hostile-share 10]` prints `port N`, serves until it
is stopped, and then prints one JSON object: for each honest site the paths asked, the most requests in flight
and the shortest time between two of them; and how many requests each kind of hostile site saw.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from desk.practice import text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

WORDS = (*text.KINDS, *text.THINGS, *text.PLACES, *text.TIMES)
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
SPEEDS_S = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5)


def address(number: int) -> str:
    """Give the loopback address of a site."""
    return f"127.30.{number // 200}.{number % 200 + 1}"


def is_hostile(number: int, share: int) -> bool:
    """Say whether a site is hostile: one in ``share``; 0 is none."""
    return bool(share) and number % share == share - 1


@dataclass
class Site:
    """What one site saw."""

    paths: list[str] = field(default_factory=list)
    asked_s: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    agents: list[str] = field(default_factory=list)
    """Who asked, by its User-Agent, for each request."""
    under_way: list[str] = field(default_factory=list)
    shared: int = 0
    """Requests that began while another agent's was under way."""


def honest_page(site: int, page: int, pages: int) -> bytes:
    """Give a page of its own words, linked to the next ones and to the first."""
    rng = random.Random(site * 1000 + page)
    links = "".join(f'<a href="/t/{one}">Loaf {one}</a> ' for one in range(1, pages) if one != page)
    posts = "".join(f"<p>{' '.join(rng.choices(WORDS, k=60))}.</p>" for _ in range(12))
    body = f"<!doctype html><title>Loaf {site} {page}</title><nav>{links}</nav>{posts}".encode()
    return HTML + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _html(body: bytes, *lines: bytes) -> bytes:
    return HTML + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _links(number: int) -> bytes:
    rng = random.Random(time.monotonic_ns())
    return b"".join(
        b'<p><a href="/x/%d">Bun %d</a></p>' % (rng.randrange(10**9), one) for one in range(number)
    )


def _noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


async def _drip(start: bytes, drop: bytes) -> AsyncIterator[bytes]:
    yield start
    while True:
        await asyncio.sleep(1)
        yield drop


async def _flood(start: bytes, drop: bytes) -> AsyncIterator[bytes]:
    yield start
    while True:
        yield drop


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _bomb() -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(b" " * 1_000_000) for _ in range(200)) + squeeze.flush()


BOMB = _bomb()
KINDS: dict[str, Callable[[], AsyncIterator[bytes]]] = {
    "drips its body": lambda: _drip(_html(b"<p>"), b"b"),
    "drips its head": lambda: _drip(b"HTTP/1.1 200 OK\r\nX-Oven: ", b"h"),
    "never answers": lambda: _drip(b"", b""),
    "endless head": lambda: _flood(b"HTTP/1.1 200 OK\r\n", b"X-Oven: hot\r\n" * 50),
    "endless 103": lambda: _flood(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50),
    "endless page": lambda: _flood(_html(b"<p>"), b"bread and butter " * 200),
    "gzip bomb": lambda: _once(_html(BOMB, b"Content-Encoding: gzip")),
    "picture as html": lambda: _once(_html(b"\xff\xd8\xff\xe0" + _noise(300_000))),
    "attribute bomb": lambda: _once(_html(b"<a " + b"".join(b"a%d=1 " % n for n in range(60_000)) + b">x")),
    "deep nest": lambda: _once(_html(b"<div>" * 150_000 + b"deep")),
    "many links": lambda: _once(_html(_links(100_000))),
    "new links each time": lambda: _once(_html(_links(40))),
    "redirect loop": lambda: _once(b"HTTP/1.1 302 Found\r\nLocation: /x/%d\r\n\r\n" % time.monotonic_ns()),
    "asks to wait a day": lambda: _once(b"HTTP/1.1 429 Slow\r\nRetry-After: 86400\r\n\r\n"),
    "breaks off": lambda: _once(_html(b"<p>half", b"Content-Length: 9000")),
}


async def _serve_hostile(kind: str, writer: asyncio.StreamWriter) -> None:
    async for piece in KINDS[kind]():
        writer.write(piece)
        await writer.drain()


def _agent(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"user-agent:"):
            return line.partition(b":")[2].strip().decode("latin-1")
    return ""


class Crowd:
    """All sites of one run."""

    def __init__(self, sites: int, pages: int, share: int) -> None:
        self.pages = pages
        self.seen = {address(number): Site() for number in range(sites)}
        self.numbers = {address(number): number for number in range(sites)}
        self.share = share
        self.hostile_seen: dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("sockname")[0]
        number = self.numbers[own]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            if is_hostile(number, self.share):
                kind = list(KINDS)[number // self.share % len(KINDS)]
                self.hostile_seen[kind] = self.hostile_seen.get(kind, 0) + 1
                await _serve_hostile(kind, writer)
            else:
                await self._serve_honest(own, number, path, _agent(head), writer)
        writer.close()

    async def _serve_honest(
        self, own: str, number: int, path: str, agent: str, writer: asyncio.StreamWriter
    ) -> None:
        site = self.seen[own]
        site.agents.append(agent)
        site.shared += any(other != agent for other in site.under_way)
        site.under_way.append(agent)
        site.asked_s.append(time.monotonic())
        site.paths.append(path)
        site.in_flight += 1
        site.most_in_flight = max(site.most_in_flight, site.in_flight)
        try:
            await asyncio.sleep(SPEEDS_S[number % len(SPEEDS_S)])
            name = path.rpartition("/")[2] or "0"
            known = name.isdigit() and int(name) < self.pages
            missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            writer.write(honest_page(number, int(name), self.pages) if known else missing)
            await writer.drain()
        finally:
            site.in_flight -= 1
            site.under_way.remove(agent)

    def report(self) -> dict[str, object]:
        """Give what the honest sites saw."""
        honest = [one for own, one in self.seen.items() if not is_hostile(self.numbers[own], self.share)]
        gaps = [b - a for one in honest for a, b in zip(one.asked_s, one.asked_s[1:], strict=False)]
        wanted = {"/", *(f"/t/{page}" for page in range(1, self.pages))}
        return {
            "honest": len(honest),
            "complete": sum(wanted <= set(one.paths) for one in honest),
            "asked_twice": sum(len(one.paths) != len(set(one.paths)) for one in honest),
            "requests": sum(len(one.paths) for one in honest),
            "most_in_flight": max(one.most_in_flight for one in honest),
            "shortest_gap_s": round(min(gaps, default=0.0), 4),
            "asked_by_two_at_once": sum(one.shared for one in honest),
            "asked_by_several": sum(len(set(one.agents)) > 1 for one in honest),
            "by_agent": dict(sorted(Counter(agent for one in honest for agent in one.agents).items())),
            "hostile_requests": self.hostile_seen,
        }


async def run(sites: int, pages: int, share: int, *, only_honest: bool) -> None:
    crowd = Crowd(sites, pages, share)
    port = 0
    for number in range(sites):
        if only_honest and is_hostile(number, share):
            continue
        server = await asyncio.start_server(crowd.serve, address(number), port, backlog=64)
        port = port or server.sockets[0].getsockname()[1]
    print("port", port, flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    print(json.dumps(crowd.report()), flush=True)
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--hostile-share", type=int, default=10)
    parser.add_argument("--only-honest", action="store_true")
    asked = parser.parse_args()
    asyncio.run(run(asked.sites, asked.pages, asked.hostile_share, only_honest=asked.only_honest))


if __name__ == "__main__":
    main()
