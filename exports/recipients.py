"""Who gets which items: from the newest hosting of each host to one group for each provider contact.

Hosting records and candidates go in; groups, referrals and leftovers come out. Every candidate comes out
somewhere: what gets no notice is returned with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exports.addresses import is_mailbox
from exports.wording import established_country

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caselog.records.choices import CountryLevel
    from caselog.records.hosting import Hosting
    from caselog.records.ids import CaseId, EvidenceId, HostingId

MOST_ITEMS = 50
"""Addresses in one notice."""
MOST_ITEMS_TO_NEW = 5
"""Addresses that a contact is told before a person has approved it."""
_HOST_ROLES = ("platform", "host", "network")
_PROXY_ROLES = ("platform", "proxy", "host", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One confirmed evidence item that may go into a notice."""

    evidence_id: EvidenceId
    host: str
    """Host key, with or without a port."""
    case_id: CaseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the settings say on recipients."""

    authority_country: str = ""
    abroad: str = "refer"
    """`refer`, `notify` or `both`; for hosts in another country than the authority's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactBook:
    """What people decided on contacts, and what each has been told so far; keys by `contact_key`."""

    approved: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    told: Mapping[str, frozenset[EvidenceId]] = field(default_factory=dict)
    """Evidence that is on a live notice to this contact already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The items of one notice to one contact."""

    recipient: str
    role: str
    """`host`, `proxy`, `platform`, `network` or `registrar`."""
    reason: str
    provider: str | None
    contact_source: str
    approved: bool
    guessed: bool
    case_id: CaseId | None
    evidence_ids: tuple[EvidenceId, ...]
    hosting_ids: tuple[HostingId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """An item whose host stands in another country, for that country's hotline."""

    evidence_id: EvidenceId
    country: str
    country_level: CountryLevel
    national_route: str | None
    """None: no route is known, a person has to find one."""
    also_notified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An item that gets no notice now, and why."""

    evidence_id: EvidenceId
    reason: str
    """`no_hosting`, `onion`, `no_contact`, `only_rejected`, `blocked_contact`, `form_only`,
    `already_told` or `new_contact_limit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where every candidate went."""

    groups: tuple[Group, ...]
    referred: tuple[Referred, ...]
    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One item on its way to one contact."""

    candidate: Candidate
    hosting: Hosting
    contact: Mapping[str, Any]
    role: str


def contact_key(address: str) -> str:
    """Return the form in which a contact is compared: mailboxes of providers do not differ by case."""
    return address.strip().casefold()


def bare_host(host: str) -> str:
    """Return a host key without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    head, separator, tail = host.rpartition(":")
    return head if separator and tail.isdigit() and ":" not in head else host


def newest_hosting(hostings: Iterable[Hosting]) -> dict[str, Hosting]:
    """Return the row that counts for each host: the newest look-up, the intake row only where it is alone.

    The intake row is made without contacts when a lead comes in, so a second report of a host must not hide
    what a fuller look-up found.
    """
    newest: dict[str, Hosting] = {}
    for row in sorted(hostings, key=_fullness):
        newest[row.host] = row
        newest[bare_host(row.host)] = row
    return newest


def plan_notices(
    candidates: Iterable[Candidate], hostings: Iterable[Hosting], policy: Policy, book: ContactBook
) -> Plan:
    """Return the groups, referrals and leftovers for `candidates`."""
    rows = newest_hosting(hostings)
    targets: list[_Target] = []
    referred: list[Referred] = []
    leftovers: list[Leftover] = []
    for candidate in sorted(candidates, key=lambda one: one.evidence_id):
        hosting = rows.get(candidate.host) or rows.get(bare_host(candidate.host))
        abroad = _referral(candidate, hosting, policy)
        referred += [abroad] if abroad else []
        if abroad and not abroad.also_notified:
            continue
        found = _targets(candidate, hosting, book)
        if isinstance(found, Leftover):
            leftovers.append(found)
        else:
            targets += found
    groups, late = _grouped(targets, book)
    return Plan(groups=groups, referred=tuple(referred), leftovers=(*leftovers, *late))


def _fullness(row: Hosting) -> tuple[bool, Any, int]:
    return row.mode != "intake", row.resolved_at, row.id


def _referral(candidate: Candidate, hosting: Hosting | None, policy: Policy) -> Referred | None:
    if hosting is None or policy.abroad == "notify" or not policy.authority_country:
        return None
    country = established_country(hosting.country, hosting.country_level)
    if country is None or country.upper() == policy.authority_country.upper():
        return None
    return Referred(
        evidence_id=candidate.evidence_id,
        country=country,
        country_level=hosting.country_level,
        national_route=hosting.national_route,
        also_notified=policy.abroad == "both",
    )


def _targets(candidate: Candidate, hosting: Hosting | None, book: ContactBook) -> list[_Target] | Leftover:
    """Return the contacts for one item: the host's or the proxy's, and the registrar beside a proxy."""
    if bare_host(candidate.host).rstrip(".").endswith(".onion"):
        return Leftover(evidence_id=candidate.evidence_id, reason="onion")
    if hosting is None:
        return Leftover(evidence_id=candidate.evidence_id, reason="no_hosting")
    usable = _usable(hosting, book)
    roles = _PROXY_ROLES if hosting.proxied else _HOST_ROLES
    first = _best(usable, roles)
    chosen = [first]
    if hosting.proxied and (first is None or first["role"] != "platform"):
        chosen.append(_best(usable, ("registrar",)))
    targets = [
        _Target(candidate=candidate, hosting=hosting, contact=contact, role=_role(contact, hosting))
        for contact in chosen
        if contact is not None
    ]
    return targets or Leftover(evidence_id=candidate.evidence_id, reason=_why_none(hosting, book))


def _role(contact: Mapping[str, Any], hosting: Hosting) -> str:
    role = str(contact["role"])
    # The addresses of a proxied site are the proxy's, so their contacts are too.
    return "proxy" if hosting.proxied and role in ("host", "network") else role


def _all_contacts(hosting: Hosting) -> tuple[Mapping[str, Any], ...]:
    if not hosting.registrar_contact:
        return hosting.contacts
    registrar = {
        "address": hosting.registrar_contact,
        "role": "registrar",
        "source": "registrar",
        "rank": len(hosting.contacts),
        "why": "abuse contact of the domain's registrar",
        "guessed": False,
        "provider": hosting.registrar,
    }
    return (*hosting.contacts, registrar)


def _usable(hosting: Hosting, book: ContactBook) -> list[Mapping[str, Any]]:
    never = _rejected(hosting) | book.blocked
    return [
        contact
        for contact in _all_contacts(hosting)
        if is_mailbox(str(contact["address"])) and contact_key(str(contact["address"])) not in never
    ]


def _rejected(hosting: Hosting) -> frozenset[str]:
    return frozenset(contact_key(str(contact.get("address", ""))) for contact in hosting.rejected_contacts)


def _best(contacts: Iterable[Mapping[str, Any]], roles: tuple[str, ...]) -> Mapping[str, Any] | None:
    fitting = [contact for contact in contacts if contact["role"] in roles]
    return min(fitting, key=lambda one: _preference(one, roles), default=None)


def _preference(contact: Mapping[str, Any], roles: tuple[str, ...]) -> tuple[int, bool, int]:
    return roles.index(contact["role"]), bool(contact.get("guessed")), int(contact.get("rank", 0))


def _why_none(hosting: Hosting, book: ContactBook) -> str:
    addresses = [str(one["address"]) for one in hosting.contacts if one["role"] in (*_HOST_ROLES, "proxy")]
    if any(contact_key(address) in book.blocked for address in addresses):
        return "blocked_contact"
    if addresses and not any(map(is_mailbox, addresses)):
        return "form_only"
    return "only_rejected" if hosting.rejected_contacts else "no_contact"


def _grouped(targets: list[_Target], book: ContactBook) -> tuple[tuple[Group, ...], list[Leftover]]:
    bundles: dict[tuple[str, str, CaseId | None], list[_Target]] = {}
    leftovers: list[Leftover] = []
    room = {key: MOST_ITEMS_TO_NEW - len(told) for key, told in book.told.items()}
    for target in targets:
        key, evidence_id = contact_key(str(target.contact["address"])), target.candidate.evidence_id
        if evidence_id in book.told.get(key, ()):
            leftovers.append(Leftover(evidence_id=evidence_id, reason="already_told"))
        elif key not in book.approved and room.get(key, MOST_ITEMS_TO_NEW) <= 0:
            leftovers.append(Leftover(evidence_id=evidence_id, reason="new_contact_limit"))
        else:
            room[key] = room.get(key, MOST_ITEMS_TO_NEW) - 1
            bundles.setdefault((key, target.role, target.candidate.case_id), []).append(target)
    pieces = (
        bundle[at : at + MOST_ITEMS]
        for bundle in bundles.values()
        for at in range(0, len(bundle), MOST_ITEMS)
    )
    return tuple(_group(piece, book) for piece in pieces), leftovers


def _group(targets: list[_Target], book: ContactBook) -> Group:
    contact, hosting = targets[0].contact, targets[0].hosting
    hosting_ids = dict.fromkeys(target.hosting.id for target in targets)
    return Group(
        recipient=str(contact["address"]).strip(),
        role=targets[0].role,
        reason=str(contact.get("why", "")),
        provider=_provider(contact, hosting),
        contact_source=str(contact.get("source", "")),
        approved=contact_key(str(contact["address"])) in book.approved,
        guessed=any(bool(target.contact.get("guessed")) for target in targets),
        case_id=targets[0].candidate.case_id,
        evidence_ids=tuple(target.candidate.evidence_id for target in targets),
        hosting_ids=tuple(hosting_ids),
    )


def _provider(contact: Mapping[str, Any], hosting: Hosting) -> str | None:
    if contact["role"] == "registrar":
        return hosting.registrar
    if contact["role"] == "platform":
        return hosting.platform
    if hosting.proxied:
        return hosting.proxy or hosting.holder
    return hosting.holder or hosting.network_name or hosting.as_name
