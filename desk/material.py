"""What notices are made from: evidence with its page, host, legal code and a person's word, read in one go.

In: records. Out: facts that `desk.drafting` and `desk.notice_files` turn into notices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from caselog.records.choices import Presence, Subject, Verdict
from caselog.records.hosting import Hosting
from caselog.records.ids import LeadId
from caselog.records.leads import CaseChange, Lead, Referral, Report
from caselog.records.notices import Delivery, Notice, Release, Reply
from caselog.records.pages import Evidence, Page
from caselog.records.people import Decision
from caselog.store.checks import latest_checks
from caselog.store.leads import LeadState, lead_states
from crawler.reading.address import AddressError, host_key
from desk.casework import members
from desk.tracing import PERSON
from enrich.names import canonical_name
from exports.recipients import contact_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from caselog.records.ids import CaseId, EvidenceId
    from caselog.records.pages import Check
    from caselog.store.log import Reader

IDS_A_QUERY = 500
GONE = frozenset({Presence.REMOVED_PROVISIONAL, Presence.REMOVED_CONFIRMED})
PROVIDERS = "providers"
_WORD = (Verdict.CONFIRMED, Verdict.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One evidence item with what surrounds it."""

    evidence: Evidence
    page: Page
    host: str
    """Canonical name without its port; empty once the page was purged."""
    confirmed: bool
    """A person confirmed it, or it stands at the lead's own address, which a person assessed."""
    rejected: bool
    lead_state: LeadState
    case_id: CaseId | None
    classification: str | None
    check: Check | None
    """The newest look at it."""
    last_present_at: datetime
    """When a look last found it; the fetch that recorded it is the first."""

    @property
    def gone(self) -> bool:
        """Tell whether the newest check says that it was removed."""
        return self.check is not None and self.check.state in GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """What people and servers did with notices so far."""

    notices: tuple[Notice, ...]
    decisions: tuple[Decision, ...]
    releases: tuple[Release, ...]
    deliveries: tuple[Delivery, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """What people decided on mailboxes, by `contact_key`."""

    approved: frozenset[str]
    blocked: frozenset[str]


def read_items(reader: Reader, ids: Iterable[int] | None = None) -> dict[EvidenceId, Item]:
    """Return evidence items with what surrounds them: these, or all."""
    evidence = reader.find(Evidence) if ids is None else _by_ids(reader, Evidence, ids)
    pages = {page.id: page for page in _by_ids(reader, Page, (one.page_id for one in evidence))}
    leads = {lead.id: lead for lead in _by_ids(reader, Lead, (one.lead_id for one in evidence))}
    states, codes = lead_states(reader), _lead_codes(reader)
    words = {one.subject_id: one for one in reader.find(Decision, subject=Subject.EVIDENCE, verdict=_WORD)}
    cases, checks = members(reader.find(CaseChange)), latest_checks(reader)
    return {
        one.id: _item(
            one,
            pages[one.page_id],
            leads[one.lead_id],
            words.get(one.id),
            lead_state=states.get(one.lead_id, LeadState.NEW),
            case_id=cases.get(one.lead_id),
            lead_code=codes.get(one.lead_id),
            check=checks.get(one.id),
        )
        for one in evidence
    }


def read_papers(reader: Reader) -> Papers:
    """Return every notice with all that was done with it."""
    return Papers(
        notices=tuple(reader.find(Notice)),
        decisions=tuple(reader.find(Decision, subject=Subject.NOTICE)),
        releases=tuple(reader.find(Release)),
        deliveries=tuple(reader.find(Delivery)),
        replies=tuple(reader.find(Reply)),
    )


def read_contacts(reader: Reader) -> Contacts:
    """Return which mailboxes people approved and blocked; the newest word on each counts."""
    words = reader.find(Decision, subject=Subject.CONTACT, verdict=(Verdict.APPROVED, Verdict.BLOCKED))
    newest = {contact_key(word.detail): word.verdict for word in words if word.detail}
    return Contacts(
        approved=frozenset(key for key, verdict in newest.items() if verdict is Verdict.APPROVED),
        blocked=frozenset(key for key, verdict in newest.items() if verdict is Verdict.BLOCKED),
    )


def read_hostings(reader: Reader, hosts: Iterable[str]) -> list[Hosting]:
    """Return every look-up of these hosts, its contacts in the roles that recipients are planned by."""
    names = sorted(set(hosts))
    found: list[Hosting] = []
    for start in range(0, len(names), IDS_A_QUERY):
        found += reader.find(Hosting, host=names[start : start + IDS_A_QUERY])
    return [for_recipients(row) for row in found]


def for_recipients(row: Hosting) -> Hosting:
    """Return a look-up whose contacts say whom they speak for: platform, proxy, host or network.

    Look-ups name the role that a registry gave a mailbox (`abuse`); what counts here is whose mailbox it is.
    Behind a proxy, a mailbox that a person traced is the hidden host's own and is written to as such.
    """
    contacts = tuple({**one, "role": _speaks_for(one, row)} for one in row.contacts)
    if row.proxied and any(one["source"] == PERSON for one in row.contacts):
        row = replace(row, proxied=None, holder=None, network_name=None, as_name=None)
    return replace(row, contacts=contacts)


def referral_states(reader: Reader) -> dict[LeadId, frozenset[tuple[str, str]]]:
    """Return the present `(kind, status)` of each lead's hand-overs; the newest news of each counts."""
    newest: dict[int, Referral] = {}
    for row in reader.find(Referral):
        newest[row.first_id or row.id] = row
    found: dict[LeadId, frozenset[tuple[str, str]]] = {}
    for row in newest.values():
        found[row.lead_id] = found.get(row.lead_id, frozenset()) | {(row.kind, row.status)}
    return found


def _item(
    evidence: Evidence,
    page: Page,
    lead: Lead,
    word: Decision | None,
    *,
    lead_state: LeadState,
    case_id: CaseId | None,
    lead_code: str | None,
    check: Check | None,
) -> Item:
    rejected = word is not None and word.verdict is Verdict.REJECTED
    confirmed = (word is not None and not rejected) or (word is None and page.url == lead.url)
    return Item(
        evidence=evidence,
        page=page,
        host=_host(page.url),
        confirmed=confirmed,
        rejected=rejected,
        lead_state=lead_state,
        case_id=case_id,
        classification=(word.classification if word else None) or lead_code,
        check=check,
        last_present_at=(check.last_present if check else None) or page.fetched_at,
    )


def _host(url: str) -> str:
    try:
        return canonical_name(host_key(url))
    except AddressError:  # the page was purged
        return ""


def _speaks_for(contact: Mapping[str, Any], row: Hosting) -> str:
    if contact["source"] == PERSON:
        return "host"
    if contact["source"] != PROVIDERS:
        return "network"
    kind = str(contact["why"]).rpartition("(")[2].rstrip(")")
    if kind == "platform":
        return "platform"
    return "proxy" if row.proxied and kind in {"proxy", "mixed"} else "host"


def _lead_codes(reader: Reader) -> dict[LeadId, str]:
    """Return each lead's legal code: the newest of a decision, else the newest of a report."""
    codes: dict[LeadId, str] = {
        report.lead_id: report.classification for report in reader.find(Report) if report.classification
    }
    for word in reader.find(Decision, subject=Subject.LEAD):
        if word.classification:
            codes[LeadId(word.subject_id)] = word.classification
    return codes


def _by_ids(reader: Reader, kind: type[Any], numbers: Iterable[int]) -> list[Any]:
    wanted = sorted(set(numbers))
    found: list[Any] = []
    for start in range(0, len(wanted), IDS_A_QUERY):
        found += reader.find(kind, id=wanted[start : start + IDS_A_QUERY])
    return found
