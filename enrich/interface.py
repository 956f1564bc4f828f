"""What a look-up asks of its sources, and the values that sources return.

`enrich.sources` builds the real ones; whoever holds a better cache or limiter hands it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from caselog.errors import SourceError

if TYPE_CHECKING:
    from datetime import date, datetime

    from enrich.addresses import Address, Span

Facts = dict[str, Any]


class PausedError(SourceError):
    """A server asked for patience, or our own limit does: ask again at `retry_at`."""

    def __init__(self, message: str, *, retry_at: datetime) -> None:
        super().__init__(message, "Run the look-up again later.")
        self.retry_at = retry_at


class NotFoundError(SourceError):
    """The server answered that it knows nothing about this; remembered for a day."""


class QueryLog(Protocol):
    """Hears of every question that leaves the house."""

    def __call__(self, *, kind: str, server: str, name: str, outcome: str, at: datetime) -> None:
        """Note one question: `kind` is `dns`, `rdap` or `whois`."""


class CountrySource(Protocol):
    """One voter on the hosting country."""

    @property
    def name(self) -> str:
        """Its name in records."""

    @property
    def data_date(self) -> date:
        """The day of its data."""

    def country(self, ip: Address) -> str | None:
        """Return an ISO 3166-1 alpha-2 code in capitals, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The autonomous system that announces an address."""

    asn: int
    name: str | None = None
    country: str | None = None


class OriginSource(Protocol):
    """Says offline which autonomous system announces an address."""

    def origin(self, ip: Address) -> Origin | None:
        """Return the system, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A remembered answer for a range; `facts` is plain JSON."""

    span: Span
    facts: Facts
    fetched_at: datetime
    expires_at: datetime


class Cache(Protocol):
    """Remembers answers by the range that the registry named."""

    def get(self, ip: Address, now: datetime) -> Cached | None:
        """Return the narrowest answer that holds `ip` and has not run out."""

    def put(self, cached: Cached) -> None:
        """Remember an answer; a second one for the same range replaces the first."""


class Limiter(Protocol):
    """Keeps the pace that a server may be asked at; a stored one survives restarts."""

    def reserve(self, server: str, now: datetime) -> float:
        """Take a turn and return the seconds to wait for it; raises PausedError while paused."""

    def pause(self, server: str, until: datetime) -> None:
        """Ask this server nothing before `until`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One name query: values with their time to live, or the error word."""

    name: str
    kind: str
    values: tuple[str, ...] = ()
    ttl_s: int | None = None
    chain: tuple[str, ...] = ()
    error: str | None = None


class NameSource(Protocol):
    """Asks name servers."""

    def ask(self, name: str, kind: str, now: datetime) -> Answer:
        """Return the answer; failures are values (`nxdomain`, `nodata`, `servfail`, `timeout`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A person, group or organisation in a registry's answer, with what it is there for."""

    roles: tuple[str, ...] = ()
    handle: str | None = None
    name: str | None = None
    kind: str | None = None
    mails: tuple[str, ...] = ()
    bad_mails: tuple[str, ...] = ()
    depth: int = 0
    under: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The facts of one RDAP object: a network, an autonomous system or a domain."""

    span: Span | None = None
    name: str | None = None
    handle: str | None = None
    parent_handle: str | None = None
    country: str | None = None
    kind: str | None = None
    status: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    remarks: tuple[str, ...] = ()
    parent_url: str | None = None
    geofeed_url: str | None = None
    port43: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A parsed answer and where it came from."""

    source: str
    server: str
    registration: Registration
    fetched_at: datetime
    sha256: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A mailbox that somebody published, before anybody judged it."""

    mail: str
    role: str
    source: str
    tier: int
    why: str
    kind: str | None = None
    company: tuple[str, ...] = ()
    """All mailboxes of the same entity, this one included."""
    roles: tuple[str, ...] = ()
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Mailboxes to write to, best first, and those that must not be written to."""

    accepted: tuple[Facts, ...] = ()
    rejected: tuple[Facts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the provider table: a reverse proxy, a platform or a host."""

    name: str
    kind: str
    """`proxy`, `mixed` (proxy and host in the same network), `platform` or `host`."""
    does: str = ""
    ranges: tuple[Span, ...] = ()
    asns: tuple[int, ...] = ()
    cname: tuple[str, ...] = ()
    ns: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    contact: str | None = None
    anycast: bool = False
