"""Put one answer together: who hosts a page, in which country, and whom to write to.

In: a host key. Out: one `Hosting` record. Each look-up stands alone: nothing but the range cache outlives it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from caselog.errors import ConfigError, RefusedError, SourceError
from caselog.guard import may_contact
from caselog.records.hosting import Hosting
from enrich.addresses import parse_address, parse_block
from enrich.contacts import PROVIDER, Judge
from enrich.interface import Candidate, Entity, Fetched, Origin, Provider, Ranked, Registration
from enrich.ladder import Failure, Ladder, failure_of
from enrich.location import Verdict, collect_votes, decide, join, may_route, weaken
from enrich.names import Host, HostKind, NameFacts, dns_rows, read_host, resolve_host
from enrich.platforms import find_platform, host_by_system
from enrich.proxies import ProxyVerdict, find_proxy
from enrich.registration import Registrar, registrar_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from enrich.addresses import Address
    from enrich.sources import Sources

ASKING_MODES = frozenset({"registries", "all"})
MAX_NETWORKS = 4
MAX_CONTACTS = 12
MAX_REJECTED = 24
# Ranges for documents and benchmarks: nobody hosts there, so that only practice workspaces look them up.
_PRACTICE_BLOCKS = (
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
    "2001:db8::/32",
    "3fff::/20",
)


NO_CONTACTS = Ranked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the registries and the ladder brought, before it becomes a record."""

    networks: tuple[Fetched, ...] = ()
    contacts: Ranked = NO_CONTACTS
    answers: tuple[Fetched, ...] = ()
    failures: tuple[Failure, ...] = ()


def look_up(
    host: str, *, sources: Sources, now: datetime, mode: str, known_addresses: Sequence[str] = ()
) -> Hosting:
    """Return the hosting record of a host.

    Args:
        host: A host key: name or address, with or without a port.
        sources: What may be asked; without a name source no name is resolved.
        now: The time of the look-up, aware UTC.
        mode: `intake` and `offline` ask no registry; `registries` asks those of numbers; `all` also asks for
            the registrar.
        known_addresses: Addresses that the crawl met, used where names were not or could not be resolved.

    """
    subject = read_host(host, sources.suffixes)
    if subject.kind is HostKind.ONION:
        return Hosting(host=_key(host, subject), mode=mode, resolved_at=now)
    names = resolve_host(subject, sources.names, now) if sources.names else NameFacts()
    addresses = _addresses(subject, names, known_addresses)
    usable = [ip for ip in addresses if _may_look_up(ip, practice=sources.practice)]
    origins = [origin for ip in usable if sources.origins and (origin := sources.origins.origin(ip))]
    proxy = find_proxy(sources.providers, usable, names.cname, (origin.asn for origin in origins))
    verdict = _verdict(usable, proxy, sources, now)
    judge = Judge(never=sources.never, suffixes=sources.suffixes, own_domains=_own_domains(subject))
    ask = mode in ASKING_MODES
    platform, row = find_platform(subject, sources.providers)
    host_row = host_by_system([origin.asn for origin in origins], sources.providers)
    rows = tuple(item for item in (row, proxy.provider, host_row) if item)
    # A verified row of the table stands for the registries: it names the contact already.
    asker = Ladder(sources=sources, judge=judge, now=now, ask=ask and host_row is None)
    found = _network_facts(usable, origins, asker, rows)
    registrar, trace = _registrar(subject, sources, judge, now) if mode == "all" else (Registrar(), Found())
    record = Hosting(host=_key(host, subject), mode=mode, platform=platform, resolved_at=now)
    record = _with_names(record, names, addresses)
    record = _with_location(record, verdict, proxy, sources.national)
    record = _with_origin(record, origins[0] if origins else None)
    record = _with_network(record, found, trace)
    return replace(record, registrar=registrar.name, registrar_contact=registrar.contact)


def _key(host: str, subject: Host) -> str:
    """Return the host key of the record: as it came, port and brackets too, so that it is found by it."""
    given = host.strip().lower()
    return given if ":" in given else subject.name


def _addresses(subject: Host, names: NameFacts, known: Sequence[str]) -> list[Address]:
    if subject.address is not None:
        return [subject.address]
    errors = {answer.error for answer in names.answers if answer.kind in {"A", "AAAA"}}
    texts: Sequence[str] = names.addresses
    if not texts and "nxdomain" not in errors and errors != {"nodata"}:
        texts = known
    found = {ip for text in texts if (ip := parse_address(text))}
    return sorted(found, key=lambda ip: (ip.version, int(ip)))


def _may_look_up(ip: Address, *, practice: bool) -> bool:
    if may_contact(ip, practice=False) is None:
        return True
    if not practice:
        return False
    blocks = (parse_block(text) for text in _PRACTICE_BLOCKS)
    return ip.is_loopback or any(block.holds(ip) for block in blocks if block)


def _own_domains(subject: Host) -> frozenset[str]:
    own = subject.site if subject.kind is HostKind.PLATFORM else subject.registrable
    return frozenset({own} if own else ())


def _verdict(usable: Sequence[Address], proxy: ProxyVerdict, sources: Sources, now: datetime) -> Verdict:
    if proxy.proxied or (proxy.provider and proxy.provider.anycast):
        return Verdict()
    verdict = join([decide(collect_votes(ip, sources.countries), now.date()) for ip in usable])
    return weaken(verdict) if proxy.proxied is None else verdict


def _network_facts(
    usable: Sequence[Address], origins: Sequence[Origin], ladder: Ladder, rows: Sequence[Provider]
) -> Found:
    networks: list[Fetched] = []
    answers: list[Fetched] = []
    failures: list[Failure] = []
    candidates = [_of_table(row) for row in rows if row.contact]
    asn = origins[0].asn if origins else None
    for ip in usable:
        if len(networks) >= MAX_NETWORKS or any(_holds(network, ip) for network in networks):
            continue
        network, failure = _network(ip, ladder)
        networks.extend([network] if network else [])
        failures.extend([failure] if failure else [])
        climb = ladder.climb(ip, network, asn)
        answers.extend(climb.answers)
        failures.extend(climb.failures)
        candidates.extend(climb.candidates)
    return Found(
        networks=tuple(networks),
        contacts=ladder.judge.rank(candidates),
        answers=tuple(answers),
        failures=tuple(failures),
    )


def _network(ip: Address, ladder: Ladder) -> tuple[Fetched | None, Failure | None]:
    try:
        return ladder.sources.registries.network(ip, ladder.now, ask=ladder.ask), None
    except (SourceError, RefusedError, ConfigError) as error:
        return None, {**failure_of("rdap", error, ladder.now), "address": str(ip)}


def _holds(network: Fetched, ip: Address) -> bool:
    span = network.registration.span
    return span is not None and span.holds(ip)


def _of_table(row: Provider) -> Candidate:
    why = f"verified row of the provider table ({row.kind})"
    return Candidate(mail=row.contact or "", role="abuse", source="providers", tier=PROVIDER, why=why)


def _registrar(subject: Host, sources: Sources, judge: Judge, now: datetime) -> tuple[Registrar, Found]:
    if not subject.registrable or subject.kind is HostKind.ADDRESS:
        return Registrar(), Found()
    failures: list[Failure] = []
    for source, question in (("registrar", sources.registries.domain), ("whois", sources.whois.domain)):
        try:
            answer = question(subject.registrable, now)
        except (SourceError, RefusedError, ConfigError) as error:
            failures.append(failure_of(source, error, now))
            continue
        registrar = registrar_of(answer, judge) if answer else Registrar()
        if answer and registrar.name:
            return registrar, Found(answers=(answer,), failures=tuple(failures))
    return Registrar(), Found(failures=tuple(failures))


def _with_names(record: Hosting, names: NameFacts, addresses: Sequence[Address]) -> Hosting:
    return replace(
        record,
        addresses=tuple(str(ip) for ip in addresses)[:40],
        cname=names.cname[:20],
        ns=names.ns[:20],
        dns=dns_rows(names),
    )


def _with_location(
    record: Hosting, verdict: Verdict, proxy: ProxyVerdict, national: Mapping[str, str]
) -> Hosting:
    votes = tuple(
        {"source": vote.source, "country": vote.country, "data_date": vote.data_date.isoformat()}
        for vote in verdict.votes
    )
    return replace(
        record,
        proxied=proxy.proxied,
        proxy=proxy.provider.name if proxy.provider else None,
        country=verdict.country,
        country_level=verdict.level,
        country_sources=votes[:30],
        national_route=national.get(verdict.country or "") if may_route(verdict.level) else None,
    )


def _with_origin(record: Hosting, origin: Origin | None) -> Hosting:
    if origin is None:
        return record
    return replace(record, asn=origin.asn, as_name=origin.name, as_country=origin.country)


def _with_network(record: Hosting, found: Found, trace: Found) -> Hosting:
    answers = (*found.networks, *found.answers, *trace.answers)
    record = replace(
        record,
        contacts=found.contacts.accepted[:MAX_CONTACTS],
        rejected_contacts=found.contacts.rejected[:MAX_REJECTED],
        answers=(*(_facts(answer) for answer in answers), *found.failures, *trace.failures)[:40],
    )
    if not found.networks:
        return record
    network = found.networks[0].registration
    holder = _holder(network)
    return replace(
        record,
        network_name=network.name,
        network_range=str(network.span) if network.span else None,
        network_handle=network.handle[:100] if network.handle else None,
        holder=holder.name if holder else None,
        registration_country=network.country,
        holder_country=holder.country if holder else None,
    )


def _holder(network: Registration) -> Entity | None:
    """Return the registrant; a private person's name is nobody's business here."""
    holders = (e for e in network.entities if "registrant" in e.roles and e.name and e.kind != "individual")
    return next(holders, None)


def _facts(answer: Fetched) -> dict[str, Any]:
    """Return an answer cut down to its facts; nobody's names are among them."""
    registration = answer.registration
    facts = {
        "source": answer.source[:300],
        "at": answer.fetched_at.isoformat(),
        "sha256": answer.sha256,
        "name": registration.name,
        "range": str(registration.span) if registration.span else None,
        "handle": registration.handle,
        "parent": registration.parent_handle,
        "country": registration.country,
        "status": ", ".join(registration.status)[:200] or None,
        "geofeed": registration.geofeed_url,
    }
    return {key: value for key, value in facts.items() if value is not None}


def raise_for_failures(record: Hosting) -> None:
    """Raise SourceError when a look-up could not ask a source, for callers that retry."""
    errors = [row["error"] for row in record.answers if "error" in row]
    if any(word in {"paused", "failed"} for word in errors):
        raise SourceError("A source of the look-up did not answer.", "Run `leadline enrich` again later.")
