"""Read host names, and ask name servers what a host is called, where it is and who serves its names.

Failures are values, one a query: `nxdomain`, `nodata`, `servfail`, `timeout`; nothing is guessed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
import tldextract

from caselog.errors import ConfigError
from enrich.addresses import parse_address
from enrich.interface import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from enrich.addresses import Address
    from enrich.interface import NameSource, QueryLog

QUERY_TIMEOUT_S = 3.0
QUERY_LIFETIME_S = 6.0
MAX_VALUES = 32


class HostKind(StrEnum):
    """What a host key is."""

    ONION = "onion"
    ADDRESS = "address"
    DOMAIN = "domain"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host as the look-up sees it."""

    name: str
    """Canonical: lower-case, ASCII, without port and final dot."""
    kind: HostKind
    address: Address | None = None
    registrable: str | None = None
    """The name that a registrar sold, such as `bread.example`."""
    site: str | None = None
    """The name that one customer holds: below a platform's suffix, else the registrable one."""
    platform: str | None = None
    """The suffix below which a platform gives names to its customers."""


class Suffixes:
    """The public suffix list that comes with the library; nothing is fetched and nothing cached."""

    def __init__(self) -> None:
        self._extract = _bundled_list()

    def registrable(self, name: str, *, private: bool = False) -> str | None:
        """Return the registrable domain of `name`; None for a suffix itself.

        A suffix that the list does not know counts as one label, as the list's default rule says.
        """
        name = name.rstrip(".").lower()
        found = self._extract(name, include_psl_private_domains=private)
        if found.suffix:
            return f"{found.domain}.{found.suffix}" if found.domain else None
        labels = name.split(".")
        if labels[-1].isdigit():
            return None
        return ".".join(labels[-2:]) if len(labels) >= 2 and all(labels) else None

    def platform(self, name: str) -> str | None:
        """Return the private suffix that `name` stands below or is, else None."""
        found = self._extract(name, include_psl_private_domains=True)
        return found.suffix if found.is_private else None


@cache
def _bundled_list() -> tldextract.TLDExtract:
    """Return the library's own list, built once: that takes longer than a thousand look-ups in it."""
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def read_host(host: str, suffixes: Suffixes) -> Host:
    """Return what `host` is: onion service, address, name below a platform, or domain."""
    name = canonical_name(host)
    if name == "onion" or name.endswith(".onion"):
        return Host(name=name, kind=HostKind.ONION)
    address = parse_address(name.strip("[]"))
    if address is not None:
        return Host(name=str(address), kind=HostKind.ADDRESS, address=address)
    platform = suffixes.platform(name)
    return Host(
        name=name,
        kind=HostKind.PLATFORM if platform else HostKind.DOMAIN,
        registrable=suffixes.registrable(name),
        site=suffixes.registrable(name, private=True),
        platform=platform,
    )


def canonical_name(host: str) -> str:
    """Return `host` without port and final dot, in lower-case ASCII (IDNA); unreadable names stay."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    return name if name.isascii() else ascii_domain(name) or name


def ascii_domain(name: str) -> str | None:
    """Return the ASCII form of a domain name, or None when it has none."""
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


class Resolver:
    """Asks the configured name servers, else the system's."""

    def __init__(self, servers: Sequence[str], log_query: QueryLog) -> None:
        self._log = log_query
        self._label = ",".join(servers) or "system"
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [_name_server(server) for server in servers]
        self._resolver.timeout = QUERY_TIMEOUT_S
        self._resolver.lifetime = QUERY_LIFETIME_S

    def ask(self, name: str, kind: str, now: datetime) -> Answer:
        """Return the records of one kind; the chain of aliases comes with them."""
        answer = self._resolve(name, kind)
        self._log(kind="dns", server=self._label, name=name, outcome=answer.error or "answer", at=now)
        return answer

    def _resolve(self, name: str, kind: str) -> Answer:
        try:
            found = self._resolver.resolve(name + ".", kind, search=False, raise_on_no_answer=False)
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            return Answer(name=name, kind=kind, error=_failure(error))
        chain = tuple(
            str(record.target).rstrip(".").lower()
            for alias in found.chaining_result.cnames
            for record in alias
        )
        if found.rrset is None:
            return Answer(name=name, kind=kind, chain=chain[:MAX_VALUES], error="nodata")
        values = tuple(record.to_text() for record in found.rrset)[:MAX_VALUES]
        return Answer(name=name, kind=kind, values=values, ttl_s=found.rrset.ttl, chain=chain[:MAX_VALUES])


def _failure(error: Exception) -> str:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "nxdomain"
    if isinstance(error, dns.exception.Timeout):
        return "timeout"
    if isinstance(error, dns.resolver.NoAnswer):
        return "nodata"
    return "servfail" if isinstance(error, dns.resolver.NoNameservers) else "bad_name"


def _name_server(text: str) -> dns.nameserver.Nameserver:
    host, port = split_server(text, 53)
    if parse_address(host) is None:
        raise ConfigError("A name server is not an address.", "Write [network] resolver as 192.0.2.1:53.")
    return dns.nameserver.Do53Nameserver(host, port)


def split_server(text: str, default_port: int) -> tuple[str, int]:
    """Return host and port of `192.0.2.1:53`, `[2001:db8::1]:53` or a bare host.

    Raises:
        ConfigError: The port is no number.

    """
    host, port = text.strip(), ""
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError("A server's port is not a number.", "Write servers as host:port.")
    return host, int(port) if port else default_port


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """All that name servers said about one host."""

    addresses: tuple[str, ...] = ()
    cname: tuple[str, ...] = ()
    ns: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()


def resolve_host(host: Host, source: NameSource, now: datetime) -> NameFacts:
    """Ask for the host's addresses and aliases, and its domain's name servers, authority and mail servers.

    An onion service or an address is never asked about. Two time-outs for the host end the questions.
    """
    if host.kind in {HostKind.ONION, HostKind.ADDRESS}:
        return NameFacts()
    answers = [source.ask(host.name, kind, now) for kind in ("A", "AAAA")]
    domain = host.registrable
    if domain and any(answer.error != "timeout" for answer in answers):
        answers.extend(source.ask(domain, kind, now) for kind in ("NS", "SOA", "MX"))
    found = [str(ip) for answer in answers[:2] for value in answer.values if (ip := parse_address(value))]
    servers = [
        value.rstrip(".").lower() for answer in answers if answer.kind == "NS" for value in answer.values
    ]
    aliases = [name for answer in answers[:2] for name in answer.chain]
    return NameFacts(
        addresses=tuple(dict.fromkeys(found)),
        cname=tuple(dict.fromkeys(aliases)),
        ns=tuple(sorted(servers)),
        answers=tuple(answers),
    )


def dns_rows(facts: NameFacts) -> tuple[dict[str, object], ...]:
    """Return the answers as a record keeps them: a row a value, a row a failure."""
    rows: list[dict[str, object]] = []
    for answer in facts.answers:
        if answer.error:
            rows.append({"name": answer.name, "type": answer.kind, "error": answer.error})
        rows.extend(
            {"name": answer.name, "type": answer.kind, "value": value[:300], "ttl": answer.ttl_s}
            for value in answer.values
        )
    return tuple(rows[:80])
