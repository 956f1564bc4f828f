"""Fetch one text page, fail-closed: the transport itself, without Scrapy around it.

One connection a request, made by ourselves after the guard saw its address; a small receive window until text
is proven; every decoded piece judged; a reset on any doubt. Needs the plain selector event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import ssl
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
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
from crawler.transport.exchange import HeaderLines, connect
from crawler.transport.failure import BadHttpError, translated
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from crawler.transport.flight import Flight
from crawler.transport.holds import HeldElsewhereError
from crawler.transport.inflate import Inflater
from crawler.transport.pace import SentAwayError, pace_keys
from crawler.transport.proxy import parse_proxy
from crawler.transport.resolver import ResolveError, Resolver, addresses_in
from crawler.transport.retry_after import retry_after_s
from crawler.transport.tor import WITHOUT_TOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

    from crawler.transport.admission import HeaderVerdict
    from crawler.transport.exchange import Exchange
    from crawler.transport.pace import Pace, Turn
    from crawler.transport.proxy import Proxy
    from crawler.transport.tor import TorControl

HELD_ELSEWHERE = "held_elsewhere"
"""Another process on the same database may ask the host or its address now; the answer is not awaited."""
_ENDING_MAX = 64
_SLACK_BYTES = 32 * 1024
"""Wire bytes granted over the body's cap for chunk sizes and TLS records."""
_CODINGS: tuple[list[str], ...] = ([], ["chunked"], ["identity"])
_NO_BODY = frozenset({204, 205})
_BODILESS = frozenset({101, 204, 304})
"""Answers whose body the parser never gives, though a server may well send one."""
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
        tor_control: Says whether Tor is ready; without it onions are asked for at once.
        circle: Tor takes other circuits than for the same onion in another circle.
        vantage: ``socks5h://ip:port`` or ``http://ip:port``, through which all that is no onion goes.
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
        tor_control: TorControl | None = None,
        circle: str = "x",
        vantage: str | None = None,
        ca_file: str | None = None,
        may_read_invalid_tls: bool = True,
        pace: Pace | None = None,
    ) -> None:
        self._practice = practice
        self._limits = limits or Limits()
        self._lines = HeaderLines(user_agent)
        self._resolver = Resolver(nameservers, practice=practice, timeout_s=self._limits.connect_s)
        self._tor = parse_proxy(tor_socks, practice=practice, circle=circle) if tor_socks else None
        self.tor_control = tor_control
        self._vantage = parse_proxy(vantage, practice=practice) if vantage else None
        self.pace = pace
        self._may_read_invalid_tls = may_read_invalid_tls
        self._verifying = verifying_context(ca_file)
        self._reading = reading_context()
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
            raise Refused(WITHOUT_TOR)
        if is_onion and self.tor_control is not None:
            code = await self.tor_control.refusal()
            if code is not None:
                raise Refused(code)
        places: tuple[str, ...] = ()
        if self._practice and proxy is not None and not is_onion:
            places = await self._refuse_relaying(host)
        flight = Flight("tor" if is_onion else "proxy" if proxy else "direct")
        flight.reads_invalid_tls = reads_invalid_tls and self._may_read_invalid_tls
        total_s = self._limits.onion_total_s if is_onion else self._limits.total_s
        if proxy is None:
            places = await self._resolve(flight, host)
        if self.pace is not None:
            flight.turn = await self._turn(self.pace, flight, pace_keys(host, target.port or 0, places))
        flight.started_at = datetime.now(UTC)
        try:
            return await self._fly(flight, target, proxy, total_s=total_s, read_errors=read_errors)
        finally:
            if flight.turn is not None:
                flight.turn.leave(flight.status)

    async def _turn(self, pace: Pace, flight: Flight, keys: tuple[str, ...]) -> Turn:
        """Wait for a turn; a host that wants to be left alone, or is another's, is not waited for."""
        try:
            return await pace.turn(keys)
        except SentAwayError:
            raise FetchFailed("told_to_wait", flight.facts()) from None
        except HeldElsewhereError:
            # With its keys, so that whoever plans the crawl knows when the pace may let it through.
            raise Refused(HELD_ELSEWHERE, replace(flight.facts(), pace_keys=keys)) from None

    async def _resolve(self, flight: Flight, host: str) -> tuple[str, ...]:
        """Find the addresses of the host once, before its turn: these and no others are connected to."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            flight.addresses = (host,)
            return flight.addresses
        try:
            flight.dns_answers = await self._resolver.answers(host)
        except ResolveError as error:
            raise FetchFailed(f"dns_{error.code}", flight.facts()) from None
        flight.addresses = addresses_in(flight.dns_answers)
        return flight.addresses

    async def _refuse_relaying(self, host: str) -> tuple[str, ...]:
        """Hand a practice proxy only names that our own resolver leads to loopback; give where."""
        if _is_address(host):
            return (host,)  # judged with the address
        try:
            answers = await self._resolver.answers(host)
        except ResolveError as error:
            raise FetchFailed(f"dns_{error.code}") from None
        places = addresses_in(answers)
        if not places or any(may_contact(place, practice=True) for place in places):
            raise Refused("private_address")
        return places

    def cut_short(self) -> None:
        """Let every fetch that is under way fail with ``deadline`` now."""
        for deadline in self._deadlines:
            deadline.reschedule(0.0)

    async def close(self) -> None:
        """Wait until all connections are closed."""
        for flight in self._ending:
            await flight.closed()
        self._ending.clear()
        await self._resolver.close()

    async def _fly(
        self, flight: Flight, target: URL, proxy: Proxy | None, *, total_s: float, read_errors: bool
    ) -> Answer:
        """Run one request under its deadline; whatever goes wrong ends in a reset."""
        deadline = asyncio.timeout(total_s)
        failure: Refused | FetchFailed
        exchange: Exchange | None = None
        try:
            async with deadline:
                self._deadlines.add(deadline)
                exchange = await self._connect(flight, target, proxy)
                self._send(flight, exchange, target)
                return await self._receive(flight, exchange, read_errors=read_errors)
        except _FAILURES as error:
            flight.reset()
            failure = translated(error, flight)
            # Whoever cuts it short for that blames not the host.
            if isinstance(error, TimeoutError) and flight.turn is not None and flight.turn.has_lapsed:
                failure = Refused(HELD_ELSEWHERE, flight.facts())
        except HeldElsewhereError:
            flight.reset()
            failure = Refused(HELD_ELSEWHERE, flight.facts())
        except ValueError:
            # aiohttp and yarl refuse odd addresses and headers so; their messages quote them.
            flight.reset()
            failure = FetchFailed("bad_http", flight.facts())
        except BaseException:
            flight.reset()
            raise
        finally:
            self._deadlines.discard(deadline)
            if exchange is not None:
                exchange.end()
            self._end(flight)
        # Outside the handler: the cause would quote the address in a traceback.
        raise failure

    def _end(self, flight: Flight) -> None:
        """Let no socket outlive its fetch."""
        if flight.end():
            self._ending.add(flight)
        if len(self._ending) > _ENDING_MAX:
            self._ending = {one for one in self._ending if one.is_open}

    async def _connect(self, flight: Flight, target: URL, proxy: Proxy | None) -> Exchange:
        """Connect for the request: verifying the certificate, else, before anything is sent, without."""
        if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            raise ConfigError("The transport needs the plain selector event loop.", "Run without uvloop.")
        is_tls = target.scheme == "https"
        # To meet an onion takes Tor a good part of its deadline, and nothing else limits it.
        connect_s = self._limits.onion_total_s if flight.via == "tor" else self._limits.connect_s
        how = partial(connect, flight, target, proxy=proxy, connect_s=connect_s, practice=self._practice)
        try:
            return await how(self._verifying if is_tls else None)
        except ssl.SSLError as error:
            flight.tls_problem = tls_problem(error)
            if flight.tls_problem is None:
                raise
        # Once more, to see the certificate; the page itself is asked for only where the setting allows it.
        flight.may_send = flight.reads_invalid_tls
        return await how(self._reading)

    def _send(self, flight: Flight, exchange: Exchange, target: URL) -> None:
        """Send the request, once; raises `BadCertificateError` where the certificate alone was wanted."""
        flight.connected(exchange.transport)
        if not flight.may_send:
            raise BadCertificateError
        if flight.turn is not None and flight.turn.has_lapsed:
            raise HeldElsewhereError(0.0)
        head = self._lines.of(target)
        flight.request_sha256 = hashlib.sha256(head).hexdigest()
        flight.sends()
        exchange.send(head, self._limits.idle_s)

    async def _receive(self, flight: Flight, exchange: Exchange, *, read_errors: bool) -> Answer:
        message, content = await exchange.answer()
        status, headers, raw = message.code, message.headers, tuple(message.raw_headers)
        flight.answered(status, raw, headers.get("Date"))
        if flight.turn is not None:
            flight.turn.retry_after_s = retry_after_s(headers.get("Retry-After", ""), datetime.now(UTC))
        _refuse_framing(message)
        verdict = admit_headers(headers, limit_bytes=self._limits.page_bytes)
        flight.media_type = verdict.media_type
        is_wanted = 200 <= status < 300 or (read_errors and status >= 400)
        body = b""
        if is_wanted and status not in _NO_BODY:
            if verdict.refused is not None:
                raise NotTextError("the headers say so", code=verdict.refused)
            body = await self._read(flight, exchange, content, verdict, has_length=_has_length(message))
        elif status in _BODILESS or not content.at_eof():
            flight.reset()
        return Answer(status=status, headers=raw, body=body, fetch=flight.facts())

    async def _read(
        self,
        flight: Flight,
        exchange: Exchange,
        content: StreamReader,
        verdict: HeaderVerdict,
        *,
        has_length: bool,
    ) -> bytes:
        """Read, decode and judge the body piece by piece."""
        limit = self._limits.page_bytes
        proof = TextProof(verdict.charset, limit_bytes=limit)
        inflater = Inflater() if verdict.is_gzip else None
        flight.reads(content, encoding="gzip" if inflater else None)
        is_open = False

        def take(piece: bytes) -> None:
            nonlocal is_open
            if flight.received(piece) > limit:
                raise NotTextError("the body is over its cap", code="too_large")
            for decoded in inflater.feed(piece) if inflater else (piece,):
                proof.feed(decoded)
            if not is_open and proof.is_proven:
                is_open = True
                flight.open_window(limit + _SLACK_BYTES)

        await exchange.body(take)
        if inflater is not None:
            inflater.finish()
        elif not has_length and flight.is_cut_off():
            raise aiohttp.ClientPayloadError
        flight.charset = proof.finish()
        body = bytes(proof.body)
        flight.finished(len(body), hashlib.sha256(body).hexdigest() if inflater else None)
        flight.media_type = verdict.media_type or _proven_type(body)
        return body


@lru_cache(maxsize=4096)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_framing(message: RawResponseMessage) -> None:
    """Refuse what aiohttp would read as a page of unknown length though its coding says otherwise."""
    codings = message.headers.getall("Transfer-Encoding", ())
    if [coding.strip().lower() for coding in codings] not in _CODINGS or message.code in _UNASKED:
        raise BadHttpError


def _has_length(message: RawResponseMessage) -> bool:
    """Say whether the answer told where it ends; else only the end of the connection does."""
    coding = message.headers.get("Transfer-Encoding", "").strip().lower()
    return coding == "chunked" or "Content-Length" in message.headers


def _proven_type(body: bytes) -> str:
    """Name the type of a body whose server named none."""
    return "text/html" if body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "text/plain"


_FAILURES = (
    aiohttp.ClientError, OSError, NotTextError, HttpProcessingError, BadCertificateError, zlib.error,
)  # fmt: skip
