"""What a site's robots.txt says of an address: noted on each page, or obeyed (RFC 9309).

One request a site and crawl, through the same transport and pace as all others. Where the rules are only
noted, they are asked for before a site's second page: a site that is asked for one page sees one request, and
that page says nothing of the rules.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from protego import Protego
from scrapy import Request
from scrapy.exceptions import DownloadFailedError, IgnoreRequest

from crawler.reading.address import AddressError, canonical_url, host_key
from crawler.transport.handler import IgnoredFailure, IgnoredRefusal
from crawler.transport.pin import TransportAddon

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

ALLOWED, DISALLOWED = "allowed", "disallowed"
MOST_BYTES: Final = 500 * 1024
"""RFC 9309, 2.5: a crawler reads at least 500 KiB."""
MOST_HOPS: Final = 5
"""RFC 9309, 2.3.1.2."""
LONGEST_DELAY_S: Final = 60.0
NOTING_S: Final = 10.0
"""So long a page waits for rules that are only noted."""
AGAIN_S: Final = 1.0
"""After so long rules that could not be had are asked for again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one robots.txt says; without a parser everything is allowed, unless it could not be had."""

    parsed: Protego | None = None
    is_unreachable: bool = False

    def allow(self, url: str, agent: str) -> bool:
        """Tell whether an address may be asked under the rules."""
        return self.parsed is None or bool(self.parsed.can_fetch(url, agent))

    def delay_s(self, agent: str) -> float:
        """Return the Crawl-delay that the rules ask for, in seconds, cut at `LONGEST_DELAY_S`."""
        asked = self.parsed.crawl_delay(agent) if self.parsed else None
        return min(max(float(asked or 0.0), 0.0), LONGEST_DELAY_S)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question for one site's rules, and when it was put on the loop's clock."""

    task: asyncio.Task[Rules]
    at_s: float

    def is_lost(self) -> bool:
        """Tell whether the answer has come, and was none."""
        return self.task.done() and not self.task.cancelled() and self.task.result().is_unreachable


def rules_of(status: int, text: str) -> Rules:
    """Return the rules that an answer for robots.txt stands for (RFC 9309, 2.3.1)."""
    if 200 <= status < 300:
        return Rules(parsed=Protego.parse(text[:MOST_BYTES]))
    # 2.3.1.3: what is not available forbids nothing. 2.3.1.4: what cannot be reached forbids everything.
    return Rules(is_unreachable=status >= 500)


def robots_url(url: str) -> str:
    """Return the address of the robots.txt that rules over an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"


class RobotsMiddleware:
    """Note or obey the rules for each address of the frontier; a downloader middleware of Scrapy."""

    def __init__(self, crawler: Crawler, *, is_obeyed: bool, agent: str) -> None:
        self._crawler = crawler
        self._is_obeyed = is_obeyed
        self._agent = agent
        self._known: dict[str, _Asked] = {}
        self._gave_pages: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsMiddleware:
        """Make the middleware as ``LEADLINE_ROBOTS`` and ``USER_AGENT`` say."""
        settings = crawler.settings
        return cls(
            crawler, is_obeyed=settings.get("LEADLINE_ROBOTS") == "obey", agent=settings.get("USER_AGENT")
        )

    async def process_request(self, request: Request) -> None:
        """Write the verdict into ``request.meta["robots"]``.

        Raises:
            IgnoredRefusal: The rules are obeyed and forbid the address.
            IgnoredFailure: They are obeyed, and could not be had.
        """
        # Neither for robots.txt itself, nor for checks of pages that a person confirmed.
        if self._is_obeyed and ("row" in request.meta or "is_control" in request.meta):
            await self._obey(request)
        elif "row" in request.meta and host_key(request.url) in self._gave_pages:
            await self._note(request)

    async def process_response(self, request: Request, response: Response) -> Response:
        """Remember sites that give pages; a host that wants to be left alone is not asked for its rules."""
        if response.status == 200 and "row" in request.meta:
            self._gave_pages.add(host_key(request.url))
        return response

    async def _note(self, request: Request) -> None:
        task = self._asked(request).task
        await asyncio.wait((task,), timeout=NOTING_S)
        if task.done() and not task.result().is_unreachable:
            self._verdict(request, task.result())

    async def _obey(self, request: Request) -> None:
        rules = await asyncio.shield(self._asked(request).task)
        if rules.is_unreachable:
            raise IgnoredFailure("robots_unreachable")
        if self._verdict(request, rules) == DISALLOWED:
            raise IgnoredRefusal("robots")

    def _verdict(self, request: Request, rules: Rules) -> str:
        verdict = ALLOWED if rules.allow(request.url, self._agent) else DISALLOWED
        request.meta["robots"] = verdict
        return verdict

    def _asked(self, request: Request) -> _Asked:
        """Return the question for the rules of a site; those that could not be had are asked for again."""
        site, loop = host_key(request.url), asyncio.get_running_loop()
        asked = self._known.get(site)
        if asked is None or (self._is_obeyed and asked.is_lost() and loop.time() - asked.at_s > AGAIN_S):
            asked = self._known[site] = _Asked(loop.create_task(self._ask(request)), loop.time())
        return asked

    async def _ask(self, request: Request) -> Rules:
        """Fetch the rules of a request's site; what the transport refuses or misses is an answer, too."""
        url = robots_url(request.url)
        try:
            for _ in range(MOST_HOPS):
                response = await self._fetch(url, request)
                target = _target(response, url)
                if target is None:
                    break
                url = target
            else:
                return Rules()
        except DownloadFailedError:
            return Rules(is_unreachable=True)
        except IgnoreRequest as error:
            return Rules(is_unreachable=isinstance(error, IgnoredFailure))
        rules = rules_of(response.status, response.text)
        if self._is_obeyed:
            self._slow_down(response, rules)
        return rules

    async def _fetch(self, url: str, request: Request) -> Response:
        engine = self._crawler.engine
        if engine is None:
            raise IgnoreRequest
        meta = {"download_slot": request.meta["download_slot"]}
        return await engine.download_async(Request(url, dont_filter=True, meta=meta))

    def _slow_down(self, response: Response, rules: Rules) -> None:
        """Keep the Crawl-delay of the site where it is longer than ours."""
        addon = self._crawler.get_addon(TransportAddon)
        if addon is not None and addon.transport.pace is not None:
            for key in response.meta["fetch"].pace_keys[:1]:
                addon.transport.pace.at_least(key, rules.delay_s(self._agent))


def _target(response: Response, url: str) -> str | None:
    """Return where an answer sends us on the same site; elsewhere we do not go."""
    location = response.headers.get("Location")
    if not 300 <= response.status < 400 or location is None:
        return None
    try:
        target = canonical_url(urljoin(url, location.decode("latin-1")))
        return target if host_key(target) == host_key(url) else None
    except (AddressError, ValueError):
        return None
