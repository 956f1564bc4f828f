"""Pages per CPU-second of our download handler beside Scrapy's stock http11 handler, in one run.

`python -m benchmarks.handler [--pages N] [--rounds N] [--delay S]`. Both run the same spider over the same
list of pages with the same settings, in processes of their own and by turns; only `DOWNLOAD_HANDLERS`
differs. The site sends its pages as they are, once more closing each connection as ours does, and as gzip.
Ours is also shown without Twisted's reactor, as the crawl runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess

from benchmarks import site
from benchmarks.crawl import local_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scrapy.http import Response

STOCK, OURS, BARE = "stock", "ours", "bare"
"""Stock on the reactor, ours on the reactor, ours without it."""
_HANDLERS = {
    STOCK: "scrapy.core.downloader.handlers.http11.HTTP11DownloadHandler",
    OURS: "crawler.transport.handler.TextOnlyDownloadHandler",
    BARE: "crawler.transport.handler.TextOnlyDownloadHandler",
}
UNDER_WAY = 16
USER_AGENT = "Mozilla/5.0 (compatible)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one crawl cost, and what it got."""

    pages: int
    cpu_s: float
    bodies: str
    """Digest over all bodies, whatever their order."""

    @property
    def rate(self) -> float:
        """Give pages per CPU-second."""
        return self.pages / self.cpu_s


class ListSpider(scrapy.Spider):
    """Fetch a list of pages and do nothing with them but to keep a digest."""

    name = "list"

    def __init__(self, *, url: str, pages: int, said: dict[str, Any]) -> None:
        super().__init__(self.name)
        self._url = url
        self._pages = pages
        self._said = said
        self._bodies = 0
        self._seen = 0
        self._started_s = 0.0

    async def start(self) -> AsyncIterator[scrapy.Request]:
        """Give every page of the list."""
        self._started_s = time.process_time()
        for number in range(self._pages):
            yield scrapy.Request(self._url + site.path_of(number).lstrip("/"), self.parse, dont_filter=True)

    def parse(self, response: Response) -> None:
        """Count a page and its digest; a sum does not depend on the order."""
        self._seen += 1
        self._bodies += int.from_bytes(hashlib.sha256(response.url.encode() + response.body).digest(), "big")

    def closed(self, reason: str) -> None:
        """Say what it cost, without start and end of the process."""
        cpu_s = time.process_time() - self._started_s
        self._said |= {"pages": self._seen, "cpu_s": cpu_s, "bodies": f"{self._bodies:x}", "why": reason}


def settings(kind: str, *, delay_s: float, gzip: bool) -> dict[str, Any]:
    """Give the settings of one crawl; for two kinds on the reactor only the handlers differ."""
    return {
        "LOG_ENABLED": False,
        "DOWNLOAD_HANDLERS": {"http": _HANDLERS[kind], "https": _HANDLERS[kind]},
        "TWISTED_REACTOR_ENABLED": kind != BARE,
        "ASYNCIO_EVENT_LOOP": None,
        "CONCURRENT_REQUESTS": UNDER_WAY,
        "CONCURRENT_REQUESTS_PER_DOMAIN": UNDER_WAY,
        "DOWNLOAD_DELAY": delay_s,
        "RANDOMIZE_DOWNLOAD_DELAY": False,
        # Stock needs the middleware for gzip; ours decodes by itself, and the middleware passes it by.
        "COMPRESSION_ENABLED": gzip,
        # At its default Scrapy makes a hundred tasks for each page, whoever fetches it.
        "CONCURRENT_ITEMS": 1,
        "DEFAULT_REQUEST_HEADERS": {},
        "USER_AGENT": USER_AGENT,
        "COOKIES_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "LEADLINE_PRACTICE": True,
    }


def crawl(kind: str, url: str, pages: int, *, delay_s: float, gzip: bool) -> dict[str, Any]:
    """Crawl in this process and give what it cost."""
    said: dict[str, Any] = {}
    process = AsyncCrawlerProcess(settings(kind, delay_s=delay_s, gzip=gzip))
    crawler = process.create_crawler(ListSpider)
    process.crawl(crawler, url=url, pages=pages, said=said)
    process.start()
    return said


def run(kind: str, url: str, asked: argparse.Namespace, *, gzip: bool) -> Run:
    """Crawl in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.handler", "--kind", kind, "--url", url]
    command += ["--pages", str(asked.pages), "--delay", str(asked.delay), *(["--gzip"] if gzip else [])]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    if said["pages"] != asked.pages:
        raise SystemExit(f"{kind} got {said['pages']} of {asked.pages} pages")
    return Run(pages=said["pages"], cpu_s=said["cpu_s"], bodies=said["bodies"])


def one_round(url: str, asked: argparse.Namespace, *, gzip: bool, number: int) -> tuple[float, float]:
    """Run each kind once; print and give the ratios of ours to stock, on the reactor and without it."""
    kinds = [STOCK, OURS, BARE]
    order = kinds if number % 2 else kinds[::-1]
    found = {kind: run(kind, url, asked, gzip=gzip) for kind in order}
    if len({one.bodies for one in found.values()}) != 1:
        raise SystemExit("the handlers did not get the same bodies")
    stock, ours, bare = (found[kind].rate for kind in kinds)
    print(
        f"  round {number}: stock {stock:.0f} pages per CPU-second, ours {ours:.0f} "
        f"(ratio {ours / stock:.2f}), without reactor {bare:.0f} ({bare / stock:.2f})",
        flush=True,
    )
    return ours / stock, bare / stock


def compare(asked: argparse.Namespace, title: str, *manner: str) -> None:
    """Run all rounds over one site and print the ratios."""
    gzip = "--gzip" in manner
    print(f"{title}:", flush=True)
    with local_site(asked.pages, *manner) as url:
        pairs = [one_round(url, asked, gzip=gzip, number=turn + 1) for turn in range(asked.rounds)]
    for name, ratios in zip(("ratio", "ratio without reactor"), zip(*pairs, strict=True), strict=True):
        print(f"  {name}: median {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}", flush=True)


def main() -> None:
    """Compare by turns, or crawl once where a kind is given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handler", description=__doc__)
    parser.add_argument("--pages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay", type=float, default=0.0001, help="seconds between two requests, for both")
    parser.add_argument("--kind", choices=[STOCK, OURS, BARE], help="crawl once, in this process")
    parser.add_argument("--url")
    parser.add_argument("--gzip", action="store_true")
    asked = parser.parse_args()
    if asked.kind:
        print(json.dumps(crawl(asked.kind, asked.url, asked.pages, delay_s=asked.delay, gzip=asked.gzip)))
        return
    compare(asked, "connections kept by the site (stock asks many pages over each)")
    compare(asked, "connections closed by the site (one a page for both)", "--closing")
    compare(asked, "gzip, connections kept", "--gzip")


if __name__ == "__main__":
    main()
