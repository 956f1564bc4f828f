"""Find out who hosts what: which hosts need a look-up, the look-ups, and their records.

In: confirmed leads and their evidence. Out: `Hosting`, and a `Query` for each question that left the house.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from caselog.errors import IntakeError, RefusedError
from caselog.records.hosting import Hosting, Query
from caselog.records.leads import Lead
from caselog.records.pages import Evidence, Page
from caselog.store.exclusions import closed_hosts
from caselog.store.leads import LeadState, lead_states
from caselog.store.sites import site_hosts
from crawler.scope import is_excluded
from desk import access
from desk.hosting_sources import offline_sources, sources_of
from desk.tracing import Traced, set_by_person, tracings, with_origin, with_tracings
from enrich.hosting import look_up
from enrich.names import Suffixes, canonical_name
from exports.addresses import mail_domain
from exports.recipients import newest_hosting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from caselog.records.ids import LeadId, SiteId
    from caselog.store.log import Reader, Writer
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.tracing import Tracing
    from enrich.sources import Sources

logger = logging.getLogger(__name__)

INTAKE = "intake"
FRESH = timedelta(days=7)
MODES = ("offline", "registries", "all")
FAILURES = frozenset({"failed", "paused", "servfail", "timeout"})
"""What a later look-up may mend; a row that holds one is not fresh."""
NO_FAILURES = frozenset({"not_found", "no_registry", "nxdomain", "nodata", "bad_name"})
"""Answers that are findings, or the operator's own choice."""
PAGES_READ = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichSummary:
    """The counts of one run."""

    hosts: int = 0
    looked_up: int = 0
    from_cache: int = 0
    """Hosts whose newest row was fresh enough."""
    failed: int = 0
    """Hosts for which a source failed; what the others said is recorded."""
    queries: int = 0
    contacts: int = 0
    """Hosts with somebody to write to."""
    without_contact: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One host to look up."""

    host: str
    """Canonical name without its port."""
    lead_id: LeadId | None = None
    """Under whose data key the row is kept."""
    known: tuple[str, ...] = ()
    """Addresses that the crawl met."""
    rows: tuple[Hosting, ...] = ()
    """Earlier rows, oldest first."""


@dataclass(slots=True, kw_only=True)
class QueryNotes:
    """Keeps the questions of one look-up until they are recorded with its answer."""

    notes: list[Query] = field(default_factory=list)

    def __call__(self, *, kind: str, server: str, name: str, outcome: str, at: datetime) -> None:
        """Note one question."""
        self.notes.append(
            Query(kind=kind[:16], server=server[:200], name=name[:500], outcome=outcome[:32], asked_at=at)
        )

    def take(self) -> list[Query]:
        """Return what was noted, and start anew."""
        taken, self.notes = self.notes, []
        return taken


def enrich_hosts(
    workspace: Workspace,
    acting: Acting,
    hosts: Iterable[str] | None = None,
    refresh: bool = False,
    progress: Callable[[int], None] | None = None,
    *,
    clock: Callable[[], datetime] = access.now,
) -> EnrichSummary:
    """Look hosts up and record what was found; a source that fails is recorded, and the others go on.

    Args:
        workspace: The workspace.
        acting: Who asks; the caller has checked the role.
        hosts: Any hosts; None stands for those of confirmed leads that have evidence.
        refresh: Look up also what was looked up within the last seven days.
        progress: Called with 1 after each host.
        clock: The present time.

    Raises:
        RefusedError: A live workspace names no authority, a practice one a server off loopback; a named
            host is excluded; or another process looks hosts up.
        ConfigError: A setting of `[enrich]` is wrong.

    """
    del acting
    workspace.require_authority()
    notes = QueryNotes()
    sources = sources_of(workspace, log_query=notes, clock=clock)
    with workspace.log.read() as reader:
        wanted = wanted_hosts(reader, hosts)
    summary = EnrichSummary(hosts=len(wanted))
    # Two runs at once would ask the same registry about the same range.
    with workspace.alone("enrich"):
        for one in wanted:
            summary = _enrich_one(
                workspace, one, sources=sources, notes=notes, summary=summary, refresh=refresh, now=clock()
            )
            if progress:
                progress(1)
    return summary


def wanted_hosts(reader: Reader, named: Iterable[str] | None = None) -> tuple[Wanted, ...]:
    """Return the hosts to look up, in the order of their leads or as named.

    Raises:
        RefusedError: A named host is excluded or stopped.

    """
    never = closed_hosts(reader)
    sites = {site: canonical_name(key) for site, key in site_hosts(reader).items()}
    leads = _leads_with_evidence(reader, sites)
    if named is None:
        hosts = [host for host in leads if not is_excluded(host, never)]
    else:
        hosts = list(dict.fromkeys(canonical_name(host) for host in named))
        _refuse_excluded(hosts, never)
    sites_of: dict[str, list[SiteId]] = {}
    for site, name in sites.items():
        sites_of.setdefault(name, []).append(site)
    rows: dict[str, list[Hosting]] = {host: [] for host in hosts}
    for start in range(0, len(hosts), 500):
        for row in reader.find(Hosting, host=hosts[start : start + 500]):
            rows[row.host].append(row)
    return tuple(
        Wanted(
            host=host,
            lead_id=leads.get(host) or _lead_on(reader, host),
            known=known_addresses(reader, sites_of.get(host, [])),
            rows=tuple(rows[host]),
        )
        for host in hosts
    )


def known_addresses(reader: Reader, sites: Sequence[SiteId]) -> tuple[str, ...]:
    """Return the addresses under which the crawl last met these sites."""
    if not sites:
        return ()
    for page in reader.find(Page, site_id=list(sites), newest_first=True, limit=PAGES_READ):
        answers = [str(row.get("value")) for row in page.dns_answers if row.get("type") in {"A", "AAAA"}]
        peer = [page.peer_ip] if page.peer_ip and page.via == "direct" else []
        if answers or peer:
            return tuple(dict.fromkeys([*answers, *peer]))
    return ()


def is_fresh(rows: Sequence[Hosting], mode: str, now: datetime) -> bool:
    """Tell whether the newest look-up is young, went far enough, and missed no source."""
    looked = [row for row in rows if row.mode in MODES]
    if not looked or MODES.index(looked[-1].mode) < MODES.index(mode):
        return False
    return now - looked[-1].resolved_at < FRESH and not failures(looked[-1]) & FAILURES


def failures(row: Hosting) -> frozenset[str]:
    """Return the words with which sources of a look-up failed, those of name servers included."""
    errors = {str(one["error"]) for one in (*row.answers, *row.dns) if one.get("error")}
    return frozenset(errors) - NO_FAILURES


def look_up_traced(
    wanted: Wanted, sources: Sources, *, mode: str, now: datetime, rows: Sequence[Hosting] | None = None
) -> Hosting:
    """Return a look-up of a host with what people found out about it before."""
    found = tracings(wanted.rows if rows is None else rows)
    record = look_up(wanted.host, sources=sources, now=now, mode=mode, known_addresses=wanted.known)
    origin = next((one for one in found if one.what is Traced.ORIGIN), None)
    if origin is not None:
        record = with_origin(record, look_up_at(wanted.host, origin.value, sources, mode=mode, now=now))
    return replace(with_tracings(record, found), lead_id=wanted.lead_id)


def look_up_at(host: str, address: str, sources: Sources, *, mode: str, now: datetime) -> Hosting:
    """Return a look-up of a host as if it stood at `address`, without asking name servers or registrars."""
    there = replace(sources, names=None)
    mode = "registries" if mode == "all" else mode
    return look_up(host, sources=there, now=now, mode=mode, known_addresses=[address])


def count_wanted(workspace: Workspace) -> int:
    """Return how many hosts of confirmed leads have evidence."""
    with workspace.log.read() as reader:
        sites = {site: canonical_name(key) for site, key in site_hosts(reader).items()}
        return len(_leads_with_evidence(reader, sites))


def add_tracing(workspace: Workspace, host: str, tracing: Tracing) -> Hosting:
    """Append a row with what a person found: the newest row, its value changed, the person a source more.

    Raises:
        RefusedError: The host is excluded, the mailbox is on its own domain, or the settings forbid the
            look-up of an origin.

    """
    notes = QueryNotes()
    if tracing.what is Traced.CONTACT:
        _refuse_own_domain(tracing.value, host)
    with workspace.log.read() as reader:
        (wanted,) = wanted_hosts(reader, [host])
    row = newest_hosting(wanted.rows).get(wanted.host) or look_up(
        wanted.host, sources=offline_sources(workspace), now=tracing.at, mode=INTAKE
    )
    if tracing.what is Traced.ORIGIN:
        workspace.require_authority()
        sources = sources_of(workspace, log_query=notes, clock=access.now)
        mode = workspace.config.enrich.mode
        there = look_up_at(wanted.host, tracing.value, sources, mode=mode, now=tracing.at)
        row = with_origin(row, there)
    with workspace.log.write() as writer:
        for query in notes.take():
            writer.append(query)
        return writer.append(replace(set_by_person(row, tracing), lead_id=wanted.lead_id))


def intake_hook(workspace: Workspace) -> Callable[[Writer, Lead], None]:
    """Return what gives each new lead its offline row, in the transaction that adds the lead.

    Raises:
        ConfigError: A file that `[enrich]` names is missing or malformed.

    """
    sources = offline_sources(workspace)

    def add(writer: Writer, lead: Lead) -> None:
        record = look_up(canonical_name(lead.host), sources=sources, now=lead.added_at, mode=INTAKE)
        writer.append(replace(record, lead_id=lead.id))

    return add


def intake_row(workspace: Workspace, writer: Writer, lead: Lead, now: datetime) -> Hosting:
    """Append what is known offline about a lead's host: network and country of an address, or the platform.

    No question leaves the house, not even to a name server.
    """
    record = look_up(canonical_name(lead.host), sources=offline_sources(workspace), now=now, mode=INTAKE)
    return writer.append(replace(record, lead_id=lead.id))


def add_intake_rows(workspace: Workspace, lead_ids: Iterable[LeadId]) -> int:
    """Give each of these leads an offline row where it has none; return how many were added."""
    hook = intake_hook(workspace)
    added = 0
    with workspace.log.write() as writer:
        for lead_id in lead_ids:
            if not writer.count(Hosting, lead_id=lead_id):
                hook(writer, writer.get(Lead, lead_id))
                added += 1
    return added


def _enrich_one(
    workspace: Workspace,
    wanted: Wanted,
    *,
    sources: Sources,
    notes: QueryNotes,
    summary: EnrichSummary,
    refresh: bool,
    now: datetime,
) -> EnrichSummary:
    mode = workspace.config.enrich.mode
    if not refresh and is_fresh(wanted.rows, mode, now):
        return _counted(replace(summary, from_cache=summary.from_cache + 1), wanted.rows[-1])
    record: Hosting | None = None
    try:
        record = look_up_traced(wanted, sources, mode=mode, now=now)
    finally:
        asked = notes.take()
        with workspace.log.write() as writer:
            for query in asked:
                writer.append(query)
            record = _append(writer, record) if record else None
    summary = replace(summary, queries=summary.queries + len(asked))
    if record is None:
        return replace(summary, failed=summary.failed + 1, without_contact=summary.without_contact + 1)
    logger.info("hosting %s: %s queries, failures %s", record.id, len(asked), sorted(failures(record)))
    return _counted(
        replace(
            summary,
            looked_up=summary.looked_up + 1,
            failed=summary.failed + bool(failures(record)),
        ),
        record,
    )


def _append(writer: Writer, record: Hosting) -> Hosting | None:
    try:
        return writer.append(record)
    except IntakeError as error:  # a registry's answer too long for a field
        logger.warning("a look-up could not be recorded: %s", type(error).__name__)
        return None


def _counted(summary: EnrichSummary, row: Hosting) -> EnrichSummary:
    has_contact = bool(row.contacts or row.registrar_contact)
    return replace(
        summary,
        contacts=summary.contacts + has_contact,
        without_contact=summary.without_contact + (not has_contact),
    )


def _leads_with_evidence(reader: Reader, sites: Mapping[SiteId, str]) -> dict[str, LeadId]:
    """Return the hosts of evidence under confirmed leads, each with its first such lead."""
    states = lead_states(reader)
    found: dict[str, LeadId] = {}
    for item in reader.find(Evidence):
        if states.get(item.lead_id) is LeadState.CONFIRMED and item.site_id in sites:
            found.setdefault(sites[item.site_id], item.lead_id)
    return found


def _lead_on(reader: Reader, host: str) -> LeadId | None:
    found = reader.find(Lead, host=host, limit=1)
    return found[0].id if found else None


def _refuse_own_domain(mailbox: str, host: str) -> None:
    suffixes = Suffixes()
    own = suffixes.registrable(canonical_name(host), private=True)
    if own is not None and own == suffixes.registrable(mail_domain(mailbox), private=True):
        raise RefusedError(
            "The mailbox is on the offending site's own domain: a notice there would warn the offender.",
            "Name a mailbox of the company that hosts it.",
            code="own_domain",
        )


def _refuse_excluded(hosts: Iterable[str], never: frozenset[str]) -> None:
    if any(is_excluded(host, never) for host in hosts):
        raise RefusedError(
            "A named host is excluded or stopped, so nothing is asked about it.",
            "Allow it again first: leadline exclude remove HOST.",
            code="excluded",
        )
