"""Which evidence is watched: confirmed, not rejected, and due for another look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from caselog.records.choices import Subject, Verdict
from caselog.records.leads import Lead
from caselog.records.pages import Evidence, Page
from caselog.records.people import Decision
from caselog.store import checks, exclusions, leads, sites
from crawler.scope import is_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from caselog.records.ids import EvidenceId
    from caselog.store.log import Reader
    from caselog.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One evidence item to look at, with its address."""

    evidence: Evidence
    url: str
    host: str
    site_tag: str


def due_evidence(workspace: Workspace, now: datetime, *, everything: bool = False) -> list[Watched]:
    """Return the evidence to look at now.

    Args:
        workspace: The opened workspace.
        now: The time of the round.
        everything: Also what is not due yet.
    """
    first_wait = timedelta(hours=workspace.config.checks.ladder_hours[0])
    with workspace.log.read() as reader:
        latest = checks.latest_checks(reader)
        items = []
        for evidence in _open_evidence(reader):
            last = latest.get(evidence.id)
            due_at = last.due_at if last else evidence.recorded_at + first_wait
            if everything or (due_at is not None and due_at <= now):
                items.append(evidence)
        return _with_addresses(reader, items)


def watched_items(workspace: Workspace, evidence_ids: Collection[EvidenceId]) -> list[Watched]:
    """Return those of these evidence items that are still watched."""
    wanted = set(evidence_ids)
    with workspace.log.read() as reader:
        return _with_addresses(reader, [item for item in _open_evidence(reader) if item.id in wanted])


def _open_evidence(reader: Reader) -> list[Evidence]:
    """Return the evidence of confirmed leads that no person has rejected."""
    states = leads.lead_states(reader)
    rejected: set[int] = set()
    for decision in reader.find(Decision, subject=Subject.EVIDENCE):
        (rejected.add if decision.verdict is Verdict.REJECTED else rejected.discard)(decision.subject_id)
    return [
        evidence
        for evidence in reader.find(Evidence)
        if evidence.id not in rejected and states.get(evidence.lead_id) == leads.LeadState.CONFIRMED
    ]


def _with_addresses(reader: Reader, items: list[Evidence]) -> list[Watched]:
    pages = {}
    numbers = sorted({evidence.page_id for evidence in items})
    for start in range(0, len(numbers), 500):
        for page in reader.find(Page, id=tuple(numbers[start : start + 500])):
            pages[page.id] = page
    hosts, tags = sites.site_hosts(reader), sites.site_tags(reader)
    return [
        Watched(
            evidence=evidence,
            url=pages[evidence.page_id].url,
            host=hosts[evidence.site_id],
            site_tag=tags[evidence.site_id],
        )
        for evidence in items
    ]


def may_contact(workspace: Workspace, host: str) -> Callable[[str], bool]:
    """Return the question whether a check of `host` may ask a host: confirmed ones, never excluded ones."""
    with workspace.log.read() as reader:
        closed = exclusions.closed_hosts(reader)
        states = leads.lead_states(reader)
        confirmed = {lead.host for lead in reader.find(Lead) if states[lead.id] == leads.LeadState.CONFIRMED}
    return lambda other: (other == host or other in confirmed) and not is_excluded(other, closed)
