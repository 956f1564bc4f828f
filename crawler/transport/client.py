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
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from caselog.errors import ConfigError
from caselog.guard import may_contact
from crawler.transport.admission import NotTextError, TextProof, admit_headers, admit_url
from crawler.transport.certificate import reading_context, tls_problem, verifying_context
from crawler.transport.fetch import Answer, Fetch, FetchFailed, Limits, Refused
from crawler.transport.flight import Flight
from crawler.transport.resolver import ResolveError, Resolver
from crawler.transport.sockets import AddressInfo, AddressRefusedError, GuardedSocket, open_guarded
from crawler.transport.socks import SocksConnector, SocksError, SocksProxy, parse_proxy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import SimpleNamespace

    from aiohttp.client_reqrep import ClientResponse
    from aiohttp.connector import Connection

    from crawler.transport.admission import HeaderVerdict
    from crawler.transport.fetch import DnsAnswer

ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0"
_SLACK_BYTES = 32 * 1024
"""Wire bytes granted over the body's cap for chunk sizes and TLS records."""
_INFLATED_PIECE_BYTES = 32 * 1024
_UNREACHABLE = {101, 113}  # ENETUNREACH, EHOSTUNREACH

# Sockets and look-ups of concurrent requests find their own flight here; aiohttp offers no other way.
_FLIGHT: ContextVar[Flight] = ContextVar("flight")


class _Response(aiohttp.ClientResponse):
    """Tell the flight which connection was chosen: aiohttp forgets it when a short body has ended."""

    async def start(self, connection: Connection) -> ClientResponse:
        """See aiohttp."""
        _FLIGHT.get().connected(connection.transport)
        return await super().start(connection)


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

    Raises:
        ConfigError: A proxy or name server is malformed, or not loopback in a practice workspace.
    """

    def __init__(
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
    ) -> None:
        self._practice = practice
        self._limits = limits or Limits()
        self._headers = {
            "User-Agent": user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "Connection": "close",
        }
        self._resolver = Resolver(
            nameservers, practice=practice, report=_report_answers, timeout_s=self._limits.connect_s
        )
        self._tor = parse_proxy(tor_socks, practice=practice) if tor_socks else None
        self._vantage = parse_proxy(vantage, practice=practice) if vantage else None
        self._may_read_invalid_tls = may_read_invalid_tls
        self._verifying = verifying_context(ca_file)
        self._reading = reading_context()
        self._sessions: dict[SocksProxy | None, aiohttp.ClientSession] = {}
        self._deadlines: set[asyncio.Timeout] = set()

    async def fetch(self, url: str, *, read_errors: bool = False) -> Answer:
        """Fetch ``url`` by one GET and give its text; redirects are given back, not followed.

        Args:
            url: An http or https address.
            read_errors: Read the text of 4xx and 5xx answers as well.

        Raises:
            Refused: A safeguard said no.
            FetchFailed: Nothing usable arrived.
        """
        code = admit_url(url, practice=self._practice)
        if code is not None:
            raise Refused(code)
        target = URL(url, encoded=url.isascii())
        is_onion = (target.host or "").rstrip(".").endswith(".onion")
        proxy = self._tor if is_onion else self._vantage
        if is_onion and proxy is None:
            raise Refused("onion_without_tor")
        if self._practice and proxy is not None and not is_onion:
            await self._refuse_relaying(target.host or "")
        flight = Flight("tor" if is_onion else "proxy" if proxy else "direct")
        total_s = self._limits.onion_total_s if is_onion else self._limits.total_s
        return await self._fly(flight, target, proxy, total_s=total_s, read_errors=read_errors)

    async def _refuse_relaying(self, host: str) -> None:
        """Hand a practice proxy only names that our own resolver leads to loopback."""
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return  # judged with the address
        try:
            answers = await self._resolver.answers(host)
        except ResolveError as error:
            raise FetchFailed(f"dns_{error.code}") from None
        places = [str(answer["value"]) for answer in answers if answer["type"] in {"A", "AAAA"}]
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
        await self._resolver.close()

    async def _fly(
        self, flight: Flight, target: URL, proxy: SocksProxy | None, *, total_s: float, read_errors: bool
    ) -> Answer:
        """Run one request under its deadline; whatever goes wrong ends in a reset."""
        token = _FLIGHT.set(flight)
        deadline = asyncio.timeout(total_s)
        failure: Refused | FetchFailed
        try:
            async with deadline:
                self._deadlines.add(deadline)
                async with await self._send(flight, target, proxy) as response:
                    return await self._receive(flight, response, read_errors=read_errors)
        except (aiohttp.ClientError, OSError, NotTextError, HttpProcessingError, zlib.error) as error:
            flight.reset()
            failure = _translated(error, flight)
        except ValueError:
            # aiohttp and yarl refuse odd addresses and headers so; their messages quote them.
            flight.reset()
            failure = FetchFailed("bad_http", flight.facts())
        except BaseException:
            flight.reset()
            raise
        finally:
            _FLIGHT.reset(token)
            self._deadlines.discard(deadline)
        # Outside the handler: the cause would quote the address in a traceback.
        raise failure

    async def _send(self, flight: Flight, target: URL, proxy: SocksProxy | None) -> aiohttp.ClientResponse:
        """Send the request once: verifying the certificate, else, before anything is sent, without."""
        session = self._session(proxy)
        try:
            return await session.get(target, ssl=self._verifying, allow_redirects=False)
        except aiohttp.ClientConnectorCertificateError as error:
            cause = error.certificate_error
            flight.tls_problem = (
                tls_problem(cause) if isinstance(cause, ssl.SSLCertVerificationError) else "invalid"
            )
            if not self._may_read_invalid_tls:
                raise
        return await session.get(target, ssl=self._reading, allow_redirects=False)

    async def _receive(
        self, flight: Flight, response: aiohttp.ClientResponse, *, read_errors: bool
    ) -> Answer:
        raw = tuple(response.raw_headers)
        flight.answered(response.status, raw, response.headers.get("Date"))
        verdict = admit_headers(response.headers, limit_bytes=self._limits.page_bytes)
        flight.media_type = verdict.media_type
        is_wanted = 200 <= response.status < 300 or (read_errors and response.status >= 400)
        body = b""
        if is_wanted and response.status not in {204, 205}:
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
        inflater = _Inflater() if verdict.is_gzip else None
        flight.content_encoding = "gzip" if inflater else None
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
        flight.charset = proof.finish()
        body = bytes(proof.body)
        flight.size = (len(body), hashlib.sha256(body).hexdigest())
        flight.encoded_size_bytes = flight.encoded_size_bytes or 0
        flight.media_type = verdict.media_type or _proven_type(body)
        return body

    def _session(self, proxy: SocksProxy | None) -> aiohttp.ClientSession:
        session = self._sessions.get(proxy)
        if session is None:
            if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
                raise ConfigError("The transport needs the plain selector event loop.", "Run without uvloop.")
            session = self._sessions[proxy] = self._new_session(self._connector(proxy))
        return session

    def _connector(self, proxy: SocksProxy | None) -> aiohttp.BaseConnector:
        if proxy is not None:
            return SocksConnector(proxy, lambda guarded: _FLIGHT.get().opened(guarded))
        return aiohttp.TCPConnector(
            socket_factory=self._open,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            limit=0,
        )

    def _new_session(self, connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_on_headers_sent)
        return aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            skip_auto_headers=("Content-Type",),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            response_class=_Response,
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._limits.connect_s, sock_read=self._limits.idle_s
            ),
            read_bufsize=4096,
            max_line_size=8190,
            max_field_size=8190,
            max_headers=128,
        )

    def _open(self, address_info: AddressInfo) -> GuardedSocket:
        """Make the socket for one final address, in the flight that asks for it."""
        flight = _FLIGHT.get()
        try:
            guarded = open_guarded(address_info, practice=self._practice)
        except AddressRefusedError as error:
            flight.refused_address = error.code
            raise
        try:
            flight.opened(guarded)
        except BaseException:
            guarded.close()
            raise
        return guarded


class _Inflater:
    """Decode gzip (RFC 1952) in bounded pieces; one member only."""

    __slots__ = ("_inflate",)

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Give what ``piece`` decodes to, never more than 32 KB at a time."""
        if self._inflate.eof:
            raise NotTextError("bytes follow the end of the gzip body", code="encoding")
        try:
            while piece:
                yield self._inflate.decompress(piece, _INFLATED_PIECE_BYTES)
                piece = self._inflate.unconsumed_tail
        except zlib.error:
            raise NotTextError("the body is not gzip", code="encoding") from None
        if self._inflate.unused_data.strip(b"\x00"):
            raise NotTextError("bytes follow the end of the gzip body", code="encoding")

    def finish(self) -> None:
        """Take the end; raises when the gzip body is not whole."""
        if not self._inflate.eof:
            raise aiohttp.ClientPayloadError("the gzip body is cut off")


def _proven_type(body: bytes) -> str:
    """Name the type of a body whose server named none."""
    return "text/html" if body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "text/plain"


def _report_answers(answers: tuple[DnsAnswer, ...]) -> None:
    _FLIGHT.get().dns_answers = answers


async def _on_headers_sent(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    sent: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    """Mark the request as sent and keep the digest of its head; called just before the bytes go out."""
    flight = _FLIGHT.get()
    lines = [f"{sent.method} {sent.url.raw_path_qs} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in sent.headers.items()]
    flight.request_sha256 = hashlib.sha256("\r\n".join(lines).encode()).hexdigest()
    flight.is_sent = True


def _translated(error: BaseException, flight: Flight) -> Refused | FetchFailed:
    """Give the outcome that ``error`` stands for."""
    facts: Fetch = flight.facts()
    if flight.is_spent:
        return Refused("too_large", facts)
    if isinstance(error, NotTextError):
        return Refused(error.code, facts)
    if flight.refused_address is not None and not flight.has_connected:
        return Refused(flight.refused_address, facts)
    if isinstance(error, aiohttp.InvalidURL):
        return Refused("bad_url", facts)
    return FetchFailed(_failure_code(error), facts)


def _failure_code(error: BaseException) -> str:
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ResolveError):
        return f"dns_{cause.code}"
    if isinstance(cause, SocksError):
        return cause.code
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code
    return _connect_code(cause)


def _connect_code(cause: BaseException) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return "refused"
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return "unreachable"
    return "reset" if isinstance(cause, OSError) else "bad_http"


# In this order: the narrower before the wider.
_CODES: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "tls"),
    (aiohttp.ClientConnectorSSLError, "tls"),
    (aiohttp.ConnectionTimeoutError, "connect_timeout"),
    (aiohttp.SocketTimeoutError, "read_timeout"),
    (TimeoutError, "deadline"),
    (aiohttp.ClientPayloadError, "truncated"),
    (aiohttp.ClientResponseError, "bad_http"),
    (HttpProcessingError, "bad_http"),
    (aiohttp.ServerDisconnectedError, "reset"),
)
