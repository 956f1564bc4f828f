"""Turn records into the rows that commands print: the stable keys of the reference, absent values as None.

Pure. Whatever depends on other records is an argument; `show` defangs an address or leaves it in clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from caselog.records.hosting import Hosting
    from caselog.records.leads import Case, CaseChange, Lead, Proposal, Report
    from caselog.records.notices import Notice, Release
    from caselog.records.pages import Check, Evidence, Page, Rule
    from caselog.records.people import User

    Show = Callable[[str], str]
    Row = dict[str, Any]

LEAD_COLUMNS = ("id", "state", "origin", "report", "url", "added_by", "added_at")
PAGE_COLUMNS = ("id", "lead_id", "url", "status", "outcome", "refused", "role", "size_bytes", "fetched_at")
EVIDENCE_COLUMNS = ("id", "page_id", "state", "level", "score", "rules", "url", "recorded_at", "leaf_index")
HOSTING_COLUMNS = ("id", "host", "country", "country_level", "network_name", "asn", "proxied", "resolved_at")
NOTICE_COLUMNS = ("id", "case", "state", "role", "recipient", "items", "created_at", "released_by")
CHECK_COLUMNS = ("id", "evidence_id", "state", "signal", "moved", "http_status", "url", "checked_at")
PROPOSAL_COLUMNS = ("id", "state", "score", "reasons", "found_on", "url")
SITE_COLUMNS = ("site_id", "tag", "host", "pages", "evidence", "frontier")
RULE_COLUMNS = ("number", "weight", "kind", "id", "term")
USER_COLUMNS = ("name", "role", "active", "token_scope", "added_by", "added_at")
CASE_COLUMNS = ("id", "reference", "leads", "assignee", "merged_into", "opened_by", "opened_at")


def lead_row(
    lead: Lead, *, state: str, reports: Sequence[Report], classification: str | None, show: Show
) -> Row:
    """Return the row of a lead; `report` is the reference of its first report.

    Without a decided `classification` the newest that came with a report stands.
    """
    first = reports[0] if reports else None
    return {
        "id": lead.id,
        "url": show(lead.url),
        "state": state,
        "origin": lead.origin,
        "report": first.reference if first else None,
        "reports": len(reports),
        "source": first.source if first else None,
        "category": _newest(report.category for report in reports),
        "classification": classification or _newest(report.classification for report in reports),
        "added_at": lead.added_at,
        "added_by": lead.added_by,
        "host": show(lead.host),
        "site_id": lead.site_id,
    }


def page_row(page: Page, *, show: Show) -> Row:
    """Return the row of a page."""
    return {
        "id": page.id,
        "lead_id": page.lead_id,
        "site_id": page.site_id,
        "url": show(page.url),
        "final_url": _shown(page.final_url, show),
        "status": page.status,
        "outcome": page.outcome,
        "refused": page.refused,
        "error": page.error,
        "role": page.role,
        "media_type": page.media_type,
        "size_bytes": page.size_bytes,
        "depth": page.depth,
        "via": page.via,
        "peer_ip": page.peer_ip,
        "tls_sha256": page.tls_sha256,
        "fetched_at": page.fetched_at,
        "redirects": _shown_in(page.redirects, ("location",), show),
        "dns_answers": _shown_in(page.dns_answers, ("name", "value"), show),
        "request_headers_sha256": page.request_headers_sha256,
        "tls_valid": page.tls_valid,
        "tls_version": page.tls_version,
        "tls_problem": page.tls_problem,
        "robots": page.robots,
        "clock_offset_ms": page.clock_offset_ms,
        "tool_version": page.tool_version,
        "config_sha256": page.config_sha256,
        "terms_version": page.terms_version,
        "round": page.round,
    }


def evidence_row(
    evidence: Evidence,
    *,
    url: str,
    state: str,
    classification: str | None,
    leaf_index: int | None,
    show: Show,
) -> Row:
    """Return the row of an evidence item; `blocks` is how many evidential blocks it has."""
    return {
        "id": evidence.id,
        "lead_id": evidence.lead_id,
        "page_id": evidence.page_id,
        "page_ids": list(evidence.page_ids) or [evidence.page_id],
        "parts": evidence.parts,
        "url": show(url),
        "body_sha256": evidence.body_sha256,
        "commitment": evidence.commitment,
        "size_bytes": evidence.size_bytes,
        "blocks": len(evidence.block_tags) // 16,
        "sketch_size": len(evidence.sketch) // 5,
        "norm_version": evidence.norm_version,
        "score": evidence.score,
        "rules": list(evidence.rules),
        "matches": [dict(match) for match in evidence.matches],
        "level": evidence.level,
        "state": state,
        "classification": classification,
        "recorded_at": evidence.recorded_at,
        "leaf_index": leaf_index,
    }


def hosting_row(hosting: Hosting, *, show: Show) -> Row:
    """Return the row of a hosting look-up; names derived from the host are shown as the host is."""
    return {
        "id": hosting.id,
        "lead_id": hosting.lead_id,
        "host": show(hosting.host),
        "mode": hosting.mode,
        "addresses": list(hosting.addresses),
        "cname": [show(name) for name in hosting.cname],
        "ns": [show(name) for name in hosting.ns],
        "proxied": hosting.proxied,
        "proxy": hosting.proxy,
        "platform": hosting.platform,
        "network_name": hosting.network_name,
        "network_range": hosting.network_range,
        "holder": hosting.holder,
        "asn": hosting.asn,
        "as_name": hosting.as_name,
        "country": hosting.country,
        "country_level": hosting.country_level,
        "country_sources": [dict(source) for source in hosting.country_sources],
        "registration_country": hosting.registration_country,
        "holder_country": hosting.holder_country,
        "as_country": hosting.as_country,
        "geofeed_country": hosting.geofeed_country,
        "national_route": hosting.national_route,
        "contacts": [dict(contact) for contact in hosting.contacts],
        "rejected_contacts": _shown_in(hosting.rejected_contacts, ("address",), show),
        "registrar": hosting.registrar,
        "registrar_contact": hosting.registrar_contact,
        "set_by": hosting.set_by,
        "resolved_at": hosting.resolved_at,
    }


def notice_row(
    notice: Notice, *, state: str, case: str | None, release: Release | None, delivered_at: datetime | None
) -> Row:
    """Return the row of a notice; `items` are the numbers of its evidence."""
    return {
        "id": notice.id,
        "case": case,
        "recipient": notice.recipient,
        "role": notice.role,
        "reason": notice.reason,
        "state": state,
        "items": list(notice.evidence_ids),
        "language": notice.language,
        "drafted_by": notice.drafted_by,
        "created_at": notice.created_at,
        "released_by": release.released_by if release else None,
        "delivered_at": delivered_at,
    }


def check_row(check: Check, *, url: str, show: Show) -> Row:
    """Return the row of a check."""
    return {
        "id": check.id,
        "evidence_id": check.evidence_id,
        "lead_id": check.lead_id,
        "url": show(url),
        "final_url": _shown(check.final_url, show),
        "signal": check.signal,
        "state": check.state,
        "moved": check.moved,
        "first_absent": check.first_absent,
        "last_present": check.last_present,
        "confirmed_at": check.confirmed_at,
        "due_at": check.due_at,
        "checked_at": check.checked_at,
        "vantage": check.vantage,
        "http_status": check.http_status,
        "error": check.error,
        "containment": check.containment,
    }


def proposal_row(lead: Lead, proposals: Sequence[Proposal], *, state: str, show: Show) -> Row:
    """Return one row for a proposed lead: its number is the lead's, as `leads confirm` takes it.

    A lead that was found several times shows the highest score, where that was, and all reasons.
    """
    best = max(proposals, key=lambda proposal: proposal.score)
    return {
        "id": lead.id,
        "url": show(lead.url),
        "host": show(lead.host),
        "score": best.score,
        "reasons": list(dict.fromkeys(reason for proposal in proposals for reason in proposal.reasons)),
        "found_on": best.found_on,
        "found": len(proposals),
        "state": state,
        "found_at": best.found_at,
    }


def site_row(
    site_id: int, *, tag: str, host: str, pages: int, evidence: int, frontier: Mapping[str, int], show: Show
) -> Row:
    """Return the row of a site with its counts."""
    return {
        "site_id": site_id,
        "tag": tag,
        "host": show(host),
        "pages": pages,
        "evidence": evidence,
        "frontier": dict(frontier),
    }


def rule_row(rule: Rule, *, reveal: bool) -> Row:
    """Return the row of a rule: its own number, and only when revealed the operator's id and term."""
    return {
        "number": rule.number,
        "version": rule.version,
        "weight": rule.weight,
        "kind": rule.kind,
        "id": rule.external_id if reveal else None,
        "term": rule.term if reveal else None,
        "added_by": rule.added_by,
        "added_at": rule.added_at,
    }


def user_row(user: User) -> Row:
    """Return the row of a person, without password and token."""
    return {
        "name": user.name,
        "role": user.role,
        "active": user.active,
        "token_scope": user.token_scope.split(",") if user.token_scope else [],
        "added_by": user.added_by,
        "added_at": user.added_at,
    }


def case_row(case: Case, *, leads: Sequence[int], assignee: str | None, merged_into: int | None) -> Row:
    """Return the row of a case."""
    return {
        "id": case.id,
        "reference": case.reference,
        "leads": list(leads),
        "assignee": assignee,
        "merged_into": merged_into,
        "opened_by": case.opened_by,
        "opened_at": case.opened_at,
    }


def change_row(change: CaseChange) -> Row:
    """Return the row of one change of a case, its note in clear."""
    return {
        "case_id": change.case_id,
        "action": change.action,
        "lead_id": change.lead_id,
        "other_case_id": change.other_case_id,
        "assignee": change.assignee,
        "note": change.note,
        "changed_by": change.changed_by,
        "changed_at": change.changed_at,
    }


def _shown(address: str | None, show: Show) -> str | None:
    return None if address is None else show(address)


def _shown_in(items: Sequence[Mapping[str, Any]], keys: tuple[str, ...], show: Show) -> list[Row]:
    """Return items with the addresses under these keys shown as asked; IP addresses hold none."""
    return [
        {key: show(value) if key in keys and isinstance(value, str) else value for key, value in item.items()}
        for item in items
    ]


def _newest(values: Any) -> str | None:
    return next((value for value in reversed(list(values)) if value), None)
