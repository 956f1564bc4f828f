"""Fetch one text page, fail-closed: the transport itself, without Scrapy around it.

One connection a request, made by ourselves after the guard saw its address; a small receive window until text
is proven; every decoded piece judged; a reset on any doubt. Needs the plain selector event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from caselog.errors import ConfigError
from caselog.guard import may_contact
from crawler.transport.admission import NotTextError, TextProof, admit_headers, admit_url
from crawler.transport.certificate import (
    BadCertificateError,
    reading_context,
    tls_problem,
    verifying_context,
)
from crawler.transport.failure import BadHttpError, translated
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from crawler.transport.flight import Flight
from crawler.transport.inflate import Inflater
from crawler.transport.pace import pace_keys
from crawler.transport.resolver import ResolveError, Resolver, addresses_in
from crawler.transport.sessions import (
    FLIGHT,
    direct_connector,
    open_session,
    proxy_connector,
)
from crawler.transport.socks import SocksProxy, parse_proxy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crawler.transport.admission import HeaderVerdict
    from crawler.transport.pace import Pace

_SLACK_BYTES = 32 * 1024
"""Wire bytes granted over the body's cap for chunk sizes and TLS records."""
_CODINGS: tuple[list[str], ...] = ([], ["chunked"], ["identity"])
_NO_BODY = frozenset({204, 205})
_UNASKED = frozenset({206, 226})
"""A part, or a difference: answers to what we never ask (RFC 9110, 14; RFC 3229)."""


class Transport:
    """Fetch pages as text, or not at all.

    Args:
        practice: Reach loopback only; else global unicast only.
        user_agent: The User-Agent to send.
        limits: Time and size.
        nameservers: See `Resolver`.
        tor_socks: ``ip:port`` of Tor's SOCKS port; without it onions are refused.
        vantage: ``socks5h://ip:port`` through which all that is no onion goes.
        ca_file: Authorities to trust instead of the system's.
        may_read_invalid_tls: Read pages behind a certificate that fails, and say so in the facts.
        pace: Shared by all who ask the same hosts; without one nobody waits.

    Raises:
        ConfigError: A proxy or name server is malformed, or not loopback in a practice workspace.
    """

    def __init__(  # noqa: PLR0913  # each is a setting of its own
        self,
        *,
        practice: bool,
        user_agent: str,
        limits: Limits | None = None,
        nameservers: Iterable[str] = (),
        tor_socks: str | None = None,
        vantage: str | None = None,
        ca_file: str | None = None,
        may_read_invalid_tls: bool = True,
        pace: Pace | None = None,
    ) -> None:
        self._practice = practice
        self._limits = limits or Limits()
        self._user_agent = user_agent
        self._resolver = Resolver(nameservers, practice=practice, timeout_s=self._limits.connect_s)
        self._tor = parse_proxy(tor_socks, practice=practice) if tor_socks else None
        self._vantage = parse_proxy(vantage, practice=practice) if vantage else None
        self.pace = pace
        self._may_read_invalid_tls = may_read_invalid_tls
        self._verifying = verifying_context(ca_file)
        self._reading = reading_context()
        self._sessions: dict[SocksProxy | None, aiohttp.ClientSession] = {}
        self._deadlines: set[asyncio.Timeout] = set()
        self._ending: set[Flight] = set()
        """Flights that are over, with sockets that the loop has yet to close."""

    async def fetch(self, url: str, *, read_errors: bool = False, reads_invalid_tls: bool = True) -> Answer:
        """Fetch ``url`` by one GET and give its text; redirects are given back, not followed.

        Args:
            url: An http or https address.
            read_errors: Read the text of 4xx and 5xx answers as well.
            reads_invalid_tls: Read the page behind a certificate that fails, where the transport may.

        Raises:
            Refused: A safeguard said no.
            FetchFailed: Nothing usable arrived.
        """
        code = admit_url(url, practice=self._practice)
        if code is not None:
            raise Refused(code)
        try:
            target = URL(url, encoded=url.isascii())
            host = target.raw_host or ""
        except ValueError:
            # Its message quotes the address.
            raise Refused("bad_url") from None
        is_onion = host.rstrip(".").lower().endswith(".onion")
        proxy = self._tor if is_onion else self._vantage
        if is_onion and proxy is None:
            raise Refused("onion_without_tor")
        if self._practice and proxy is not None and not is_onion:
            await self._refuse_relaying(host)
        flight = Flight("tor" if is_onion else "proxy" if proxy else "direct")
        flight.reads_invalid_tls = reads_invalid_tls and self._may_read_invalid_tls
        total_s = self._limits.onion_total_s if is_onion else self._limits.total_s
        if proxy is None:
            await self._resolve(flight, host)
        if self.pace is not None:
            keys = pace_keys(host, target.port or 0, flight.addresses)
            flight.turn = await self.pace.turn(keys)
        flight.started_at = datetime.now(UTC)
        try:
            return await self._fly(flight, target, proxy, total_s=total_s, read_errors=read_errors)
        finally:
            if flight.turn is not None:
                flight.turn.leave(flight.status)

    async def _resolve(self, flight: Flight, host: str) -> None:
        """Find the addresses of the host once, before its turn: these and no others are connected to."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            flight.addresses = (host,)
            return
        try:
            flight.dns_answers = await self._resolver.answers(host)
        except ResolveError as error:
            raise FetchFailed(f"dns_{error.code}", flight.facts()) from None
        flight.addresses = addresses_in(flight.dns_answers)

    async def _refuse_relaying(self, host: str) -> None:
        """Hand a practice proxy only names that our own resolver leads to loopback."""
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return  # judged with the address
        try:
            answers = await self._resolver.answers(host)
        except ResolveError as error:
            raise FetchFailed(f"dns_{error.code}") from None
        places = addresses_in(answers)
        if not places or any(may_contact(place, practice=True) for place in places):
            raise Refused("private_address")

    def cut_short(self) -> None:
        """Let every fetch that is under way fail with ``deadline`` now."""
        for deadline in self._deadlines:
            deadline.reschedule(0.0)

    async def close(self) -> None:
        """Close all sessions."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        for flight in self._ending:
            await flight.closed()
        self._ending.clear()
        await self._resolver.close()

    async def _fly(
        self, flight: Flight, target: URL, proxy: SocksProxy | None, *, total_s: float, read_errors: bool
    ) -> Answer:
        """Run one request under its deadline; whatever goes wrong ends in a reset."""
        token = FLIGHT.set(flight)
        deadline = asyncio.timeout(total_s)
        failure: Refused | FetchFailed
        try:
            async with deadline:
                self._deadlines.add(deadline)
                async with await self._send(flight, target, proxy) as response:
                    return await self._receive(flight, response, read_errors=read_errors)
        except _FAILURES as error:
            flight.reset()
            failure = translated(error, flight)
        except ValueError:
            # aiohttp and yarl refuse odd addresses and headers so; their messages quote them.
            flight.reset()
            failure = FetchFailed("bad_http", flight.facts())
        except BaseException:
            flight.reset()
            raise
        finally:
            FLIGHT.reset(token)
            self._deadlines.discard(deadline)
            self._end(flight)
        # Outside the handler: the cause would quote the address in a traceback.
        raise failure

    def _end(self, flight: Flight) -> None:
        """Let no socket outlive its fetch."""
        self._ending = {one for one in self._ending if one.is_open}
        if flight.end():
            self._ending.add(flight)

    async def _send(self, flight: Flight, target: URL, proxy: SocksProxy | None) -> aiohttp.ClientResponse:
        """Send the request once: verifying the certificate, else, before anything is sent, without."""
        session = self._session(proxy)
        try:
            return await session.get(target, ssl=self._verifying, allow_redirects=False)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            flight.tls_problem = tls_problem(getattr(error, "certificate_error", None) or error.os_error)
            if flight.tls_problem is None:
                raise
        # Once more, to see the certificate; the page itself is asked for only where the setting allows it.
        flight.may_send = flight.reads_invalid_tls
        return await session.get(target, ssl=self._reading, allow_redirects=False)

    async def _receive(
        self, flight: Flight, response: aiohttp.ClientResponse, *, read_errors: bool
    ) -> Answer:
        raw = tuple(response.raw_headers)
        flight.answered(response.status, raw, response.headers.get("Date"))
        _refuse_framing(response)
        verdict = admit_headers(response.headers, limit_bytes=self._limits.page_bytes)
        flight.media_type = verdict.media_type
        is_wanted = 200 <= response.status < 300 or (read_errors and response.status >= 400)
        body = b""
        if is_wanted and response.status not in _NO_BODY:
            if verdict.refused is not None:
                raise NotTextError("the headers say so", code=verdict.refused)
            body = await self._read(flight, response, verdict)
        elif not response.content.at_eof():
            flight.reset()
        return Answer(status=response.status, headers=raw, body=body, fetch=flight.facts())

    async def _read(self, flight: Flight, response: aiohttp.ClientResponse, verdict: HeaderVerdict) -> bytes:
        """Read, decode and judge the body piece by piece."""
        limit = self._limits.page_bytes
        proof = TextProof(verdict.charset, limit_bytes=limit)
        inflater = Inflater() if verdict.is_gzip else None
        flight.reads(response.content, encoding="gzip" if inflater else None)
        is_open = False
        async for piece in response.content.iter_any():
            if flight.received(piece) > limit:
                raise NotTextError("the body is over its cap", code="too_large")
            for decoded in inflater.feed(piece) if inflater else (piece,):
                proof.feed(decoded)
            if not is_open and proof.is_proven:
                is_open = True
                flight.open_window(limit + _SLACK_BYTES)
        if inflater is not None:
            inflater.finish()
        elif not _has_length(response) and flight.is_cut_off():
            raise aiohttp.ClientPayloadError
        flight.charset = proof.finish()
        body = bytes(proof.body)
        flight.finished(len(body), hashlib.sha256(body).hexdigest() if inflater else None)
        flight.media_type = verdict.media_type or _proven_type(body)
        return body

    def _session(self, proxy: SocksProxy | None) -> aiohttp.ClientSession:
        session = self._sessions.get(proxy)
        if session is None:
            if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
                raise ConfigError("The transport needs the plain selector event loop.", "Run without uvloop.")
            connector = proxy_connector(proxy) if proxy else direct_connector(practice=self._practice)
            session = open_session(connector, user_agent=self._user_agent, limits=self._limits)
            self._sessions[proxy] = session
        return session


def _refuse_framing(response: aiohttp.ClientResponse) -> None:
    """Refuse what aiohttp would read as a page of unknown length though its coding says otherwise."""
    codings = response.headers.getall("Transfer-Encoding", ())
    if [coding.strip().lower() for coding in codings] not in _CODINGS or response.status in _UNASKED:
        raise BadHttpError


def _has_length(response: aiohttp.ClientResponse) -> bool:
    """Say whether the answer told where it ends; else only the end of the connection does."""
    coding = response.headers.get("Transfer-Encoding", "").strip().lower()
    return coding == "chunked" or "Content-Length" in response.headers


def _proven_type(body: bytes) -> str:
    """Name the type of a body whose server named none."""
    return "text/html" if body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "text/plain"


_FAILURES = (
    aiohttp.ClientError, OSError, NotTextError, HttpProcessingError, BadCertificateError, zlib.error,
)  # fmt: skip
