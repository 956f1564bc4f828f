"""Look at one address for a check: fetch it, follow its redirects, and keep hashes of what was seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from caselog.errors import CaseError, IntakeError, RefusedError
from crawler.checks.look import Connection, Dns, Look
from crawler.reading.address import canonical_url, host_key
from crawler.reading.fingerprint import block_tags, page_hashes
from crawler.reading.hrefs import LinkReader
from crawler.transport.client import HELD_ELSEWHERE
from crawler.transport.disguise import cut_data_uris
from crawler.transport.fetch import FetchFailed, Refused
from crawler.transport.retry_after import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from crawler.reading.fingerprint import FingerprintKey
    from crawler.reading.matching import Matcher
    from crawler.sandbox.reader import Sandbox
    from crawler.transport.fetch import Fetch

MOST_REDIRECTS = 5
BUSY_WAITS_S = (3.0, 8.0, 20.0)
"""Pauses after 429 or 503 with Retry-After, before that is taken for the answer."""
PROXY_WAITS_S = (0.5, 3.0)
"""Pauses after a failure of the proxy's own, which says nothing of the host."""
CHALLENGE_HEADERS = frozenset({"cf-mitigated", "x-challenge", "x-captcha", "x-ddos-protection"})
_DNS = {
    "dns_nxdomain": Dns.NXDOMAIN,
    "dns_nodata": Dns.NODATA,
    "dns_servfail": Dns.SERVFAIL,
    "dns_timeout": Dns.TIMEOUT,
}
_CONNECTION = {
    "refused": Connection.REFUSED,
    "unreachable": Connection.REFUSED,
    "reset": Connection.RESET,
    "connect_timeout": Connection.TIMEOUT,
    "read_timeout": Connection.TIMEOUT,
    "deadline": Connection.TIMEOUT,
    "tls": Connection.TLS,
    "onion_not_found": Connection.REFUSED,
    "onion_unreachable": Connection.REFUSED,
    "onion_timeout": Connection.TIMEOUT,
}


class HeldAwayError(Exception):
    """Another worker asks this host now: nothing can be said of the page, which stays due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer as a fetcher gives it; lives in memory only."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; a repeated header's last value."""
    text: str
    fetch: Fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a page is read with: the key and the rules of the evidence it is compared with."""

    key: FingerprintKey
    matcher: Matcher | None
    weights: Mapping[int, float]
    """Weights of the evidence's own rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One look, with what the record of it keeps."""

    look: Look
    fetch: Fetch | None
    requests: int
    error: str | None = None


class Looker:
    """Take looks through one fetcher.

    Args:
        fetch: Asks the transport, error pages included; raises `Refused` or `FetchFailed`.
        may_contact: Says whether a host may be asked: the evidence's own and confirmed ones, no excluded one.
        vantage: The name of the view.
        sandbox: Reads the pages.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Seen]],
        may_contact: Callable[[str], bool],
        *,
        vantage: str,
        sandbox: Sandbox,
    ) -> None:
        self.vantage = vantage
        self._fetch = fetch
        self._may_contact = may_contact
        self._sandbox = sandbox
        self._links = LinkReader()

    async def look(self, url: str, compared: Compared) -> Taken:
        """Return what stands at an address, redirects followed where hosts allow it."""
        requests, sets_cookie, seen_urls = 0, False, {url}
        for hops in range(MOST_REDIRECTS + 1):
            try:
                seen, tries = await self._answer(url)
            except CaseError as error:
                if getattr(error, "code", "") == HELD_ELSEWHERE:
                    raise HeldAwayError from error
                look = replace(_failed(error), final_url=url, redirects=hops, sets_cookie=sets_cookie)
                return Taken(
                    look=look, fetch=getattr(error, "fetch", None), requests=requests + 1, error=_code(error)
                )
            requests += tries
            sets_cookie = sets_cookie or "set-cookie" in seen.headers
            target = _target(url, seen)
            if target is None:
                read = await self._read(seen, url, compared)
                look = replace(read, final_url=url, redirects=hops, sets_cookie=sets_cookie)
                return Taken(look=look, fetch=seen.fetch, requests=requests)
            if not self._may_contact(host_key(target)):
                look = Look(
                    status=seen.status, final_url=target, redirects=hops + 1, refused="redirect_scope"
                )
                return Taken(look=look, fetch=seen.fetch, requests=requests, error="redirect_scope")
            if target in seen_urls:
                break
            seen_urls.add(target)
            url = target
        look = Look(connection=Connection.LOOP, final_url=url, redirects=hops + 1, sets_cookie=sets_cookie)
        return Taken(look=look, fetch=None, requests=requests, error="redirect_loop")

    async def _answer(self, url: str) -> tuple[Seen, int]:
        """Return the answer, after a pause or two when the server asks for one."""
        for tries, pause_s in enumerate(BUSY_WAITS_S, start=1):
            seen = await self._past_proxy(url)
            asked_s = _retry_after_s(seen)
            if asked_s is None or asked_s > BUSY_WAITS_S[-1]:
                return seen, tries
            await asyncio.sleep(max(asked_s, pause_s))
        return await self._past_proxy(url), len(BUSY_WAITS_S) + 1

    async def _past_proxy(self, url: str) -> Seen:
        """Return the answer; a proxy's own trouble, such as Tor's just after a circuit fell, may pass."""
        for pause_s in PROXY_WAITS_S:
            try:
                return await self._fetch(url)
            except FetchFailed as failure:
                if failure.code != "proxy":
                    raise
            await asyncio.sleep(pause_s)
        return await self._fetch(url)

    async def _read(self, seen: Seen, url: str, compared: Compared) -> Look:
        """Return the look at an answer that is no redirect."""
        is_challenge = not CHALLENGE_HEADERS.isdisjoint(seen.headers)
        try:
            page = await self._sandbox.read_page(
                cut_data_uris(seen.text),
                url,
                seen.fetch.media_type or "text/html",
                site=host_key(url),
                links=self._links,
            )
        except RefusedError as error:
            return Look(status=seen.status, refused=error.code, is_challenge=is_challenge)
        score = None
        if compared.matcher is not None:
            rules = compared.matcher.match(page.blocks).rules
            score = sum(compared.weights.get(number, 0.0) for number in rules)
        return Look(
            status=seen.status,
            is_challenge=is_challenge,
            has_password_field=page.has_password_field,
            is_shell=page.is_shell or ("refresh" in seen.headers and not page.blocks),
            is_empty=not page.blocks,
            shingles=page_hashes(page.blocks, [compared.key]).by_epoch[compared.key.epoch],
            block_tags=frozenset(tag for tag in block_tags(page.blocks, compared.key) if tag),
            rules_score=score,
        )


def _failed(error: CaseError) -> Look:
    if isinstance(error, Refused):
        status = error.fetch.status if error.fetch else None
        return Look(status=status, refused=error.code)
    code = _code(error)
    if code in _DNS:
        return Look(dns=_DNS[code])
    return Look(connection=_CONNECTION.get(code, Connection.OTHER))


def _code(error: CaseError) -> str:
    return error.code if isinstance(error, Refused | FetchFailed) else error.kind


def _target(url: str, seen: Seen) -> str | None:
    """Return where a redirect leads (RFC 9110, 15.4), None for any other answer."""
    location = seen.headers.get("location")
    if not 300 <= seen.status < 400 or not location:
        return None
    try:
        return canonical_url(urljoin(url, location))
    except (IntakeError, ValueError):
        return None


def _retry_after_s(seen: Seen) -> float | None:
    """Return how long the server asks us to wait, None when it does not (RFC 9110, 10.2.3)."""
    raw = seen.headers.get("retry-after", "")
    if seen.status == 429 or (seen.status == 503 and raw):
        return retry_after_s(raw, datetime.now(UTC)) or 0.0
    return None


def seen_of(response: Any, fetch: Fetch) -> Seen:
    """Return a Scrapy response in the form that looks are made of."""
    names = {name.decode("latin-1").lower(): values for name, values in response.headers.items()}
    headers = {name: values[-1].decode("latin-1") for name, values in names.items() if values}
    return Seen(status=response.status, headers=headers, text=response.text, fetch=fetch)
