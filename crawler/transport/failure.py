"""Name what ended a fetch: errors of sockets, TLS, names and HTTP become stable codes. Pure."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from crawler.transport.admission import NotTextError
from crawler.transport.certificate import BadCertificateError
from crawler.transport.fetch import FetchFailed, Refused
from crawler.transport.resolver import ResolveError
from crawler.transport.sockets import ProxyError

if TYPE_CHECKING:
    from crawler.transport.fetch import Fetch
    from crawler.transport.flight import Flight

_UNREACHABLE = {101, 113}  # ENETUNREACH, EHOSTUNREACH
_TIMED_OUT = 110  # ETIMEDOUT


class BadHttpError(aiohttp.ClientError):
    """The answer's framing cannot be trusted."""


def translated(error: BaseException, flight: Flight) -> Refused | FetchFailed:
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
    if isinstance(cause, ProxyError):
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
    if isinstance(cause, OSError) and cause.errno == _TIMED_OUT:
        return "connect_timeout"
    return "reset" if isinstance(cause, OSError) else "bad_http"


# In this order: the narrower before the wider.
_CODES: tuple[tuple[type[BaseException], str], ...] = (
    (BadCertificateError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ConnectionTimeoutError, "connect_timeout"),
    (aiohttp.SocketTimeoutError, "read_timeout"),
    (TimeoutError, "deadline"),
    (aiohttp.ClientPayloadError, "truncated"),
    (aiohttp.ClientResponseError, "bad_http"),
    (HttpProcessingError, "bad_http"),
    (aiohttp.ServerDisconnectedError, "reset"),
)
