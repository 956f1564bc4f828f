"""The few words that every format shares."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from caselog.records.choices import CountryLevel

if TYPE_CHECKING:
    from datetime import datetime

PRACTICE_MARK = "PRACTICE - NOT A REAL NOTICE - DO NOT ACT ON IT"
ESTABLISHED = frozenset({CountryLevel.AGREED, CountryLevel.MAJORITY})
"""How far sources must agree before a country counts."""
_NEUTRAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_#-]{0,63}\Z")


def stamp(moment: datetime) -> str:
    """Return an aware time as `2026-11-23T04:00:00Z` (RFC 3339, UTC, whole seconds)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def neutral_reference(case_reference: str, uuid: str) -> str:
    """Return the case's reference where it tells nothing, else the beginning of the notice's own number.

    A reference with a dot, a colon or a space in it may be an address or a sentence.
    """
    if _NEUTRAL.match(case_reference):
        return case_reference
    return f"N-{uuid[:8]}"


def established_country(country: str | None, level: CountryLevel | None) -> str | None:
    """Return the hosting country where enough sources agree, else None."""
    return country if country and level in ESTABLISHED else None
