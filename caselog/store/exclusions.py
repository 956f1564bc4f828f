"""Hosts that are never contacted, or were stopped: what people decided last about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.records.choices import Subject, Verdict
from caselog.records.people import Decision

if TYPE_CHECKING:
    from caselog.store.log import Reader

_EXCLUSION = (Verdict.EXCLUDED, Verdict.INCLUDED)
_STOP = (Verdict.STOPPED, Verdict.INCLUDED)


def excluded_hosts(reader: Reader) -> frozenset[str]:
    """Return the host keys that people excluded and did not include again."""
    return _hosts(reader, Verdict.EXCLUDED, _EXCLUSION)


def stopped_hosts(reader: Reader) -> frozenset[str]:
    """Return the host keys that people stopped and did not include again."""
    return _hosts(reader, Verdict.STOPPED, _STOP)


def closed_hosts(reader: Reader) -> frozenset[str]:
    """Return every host that must not be contacted: excluded for good, or stopped."""
    return excluded_hosts(reader) | stopped_hosts(reader)


def _hosts(reader: Reader, wanted: Verdict, counting: tuple[Verdict, ...]) -> frozenset[str]:
    newest = {
        decision.detail: decision.verdict
        for decision in reader.find(Decision, subject=Subject.SITE, verdict=counting)
        if decision.detail
    }
    return frozenset(host for host, verdict in newest.items() if verdict is wanted)
