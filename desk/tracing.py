"""A person's own tracing of a host: one more dated source beside those that were asked. Pure.

What a person found stands among the answers of a `Hosting` row, and goes along with every later look-up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from caselog.errors import ConfigError
from caselog.process import holds_address
from caselog.records.choices import CountryLevel
from caselog.records.ids import HostingId
from enrich.addresses import parse_address
from enrich.location import Vote, decide
from enrich.ranges import country_code
from exports.addresses import is_mailbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from caselog.records.hosting import Hosting

PERSON = "person"
"""The mode of a row that a person set, and the source of what they found."""
SOURCE_CHARACTERS = 100


class Traced(StrEnum):
    """What a person may find out."""

    COUNTRY = "country"
    CONTACT = "contact"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """One finding of a person."""

    what: Traced
    value: str
    source: str
    """Where the person has it from, such as `reply of the proxy`."""
    reason: str
    by: str
    at: datetime


def tracings(rows: Iterable[Hosting]) -> tuple[Tracing, ...]:
    """Return the newest finding of each kind in these rows, oldest row first."""
    found: dict[Traced, Tracing] = {}
    for row in rows:
        for answer in row.answers:
            if answer.get("source") == PERSON:
                tracing = _read(answer)
                found[tracing.what] = tracing
    return tuple(found.values())


def with_tracings(row: Hosting, found: Iterable[Tracing]) -> Hosting:
    """Return a look-up with what people found: in place of its values, and among its sources."""
    for tracing in found:
        if tracing.what is Traced.COUNTRY:
            row = _with_country(row, tracing)
        elif tracing.what is Traced.CONTACT:
            row = _with_contact(row, tracing)
        row = replace(row, answers=(*_others(row, tracing), _written(tracing)))
    return row


def with_origin(row: Hosting, origin: Hosting) -> Hosting:
    """Return a look-up of a proxied host with the network facts of its revealed origin.

    The names and the registrar stay; the proxy's contacts and country go.
    """
    return replace(
        origin,
        lead_id=row.lead_id,
        host=row.host,
        mode=row.mode,
        cname=row.cname,
        ns=row.ns,
        dns=row.dns,
        platform=row.platform,
        proxied=False,
        proxy=None,
        registrar=row.registrar,
        registrar_contact=row.registrar_contact,
        answers=(*origin.answers, *row.answers),
        resolved_at=row.resolved_at,
    )


def set_by_person(row: Hosting, tracing: Tracing) -> Hosting:
    """Return the row that follows from `row` when a person adds a finding."""
    fresh = replace(row, id=HostingId(0), mode=PERSON, set_by=tracing.by, resolved_at=tracing.at)
    return with_tracings(fresh, [tracing])


def checked_tracing(
    given: Mapping[Traced, str], *, source: str, reason: str, by: str, at: datetime
) -> Tracing:
    """Return what a person found, checked; exactly one thing is given at a time.

    Raises:
        ConfigError: None or several are given, or the value is not of its form.

    """
    named = [(what, value.strip()) for what, value in given.items() if value.strip()]
    if len(named) != 1:
        raise ConfigError("Set one thing at a time.", "Give --country, --contact or --origin.")
    what, value = named[0]
    if not source.strip() or len(source) > SOURCE_CHARACTERS or holds_address(source):
        raise ConfigError(
            f"The source is a short text of at most {SOURCE_CHARACTERS} characters without addresses.",
            'Example: --source "reply of the proxy".',
        )
    if what is Traced.COUNTRY:
        value = country_code(value) or ""
        if not value:
            raise ConfigError("This is no country code.", "Give two letters of ISO 3166-1, such as FI.")
    elif what is Traced.CONTACT and not is_mailbox(value):
        raise ConfigError("This is not one plain mail address.", "Give a role mailbox of the host.")
    elif what is Traced.ORIGIN:
        address = parse_address(value)
        if address is None:
            raise ConfigError("The origin is not an IP address.", "Give the address as it was told.")
        value = str(address)
    return Tracing(what=what, value=value, source=source.strip(), reason=reason, by=by, at=at)


def _with_country(row: Hosting, tracing: Tracing) -> Hosting:
    others = tuple(one for one in row.country_sources if not _is_persons(one))
    mine = {
        "source": f"{PERSON}: {tracing.source}",
        "country": tracing.value,
        "data_date": tracing.at.date().isoformat(),
    }
    votes = [_vote(one) for one in (*others, mine)]
    verdict = decide(votes, tracing.at.date())
    agrees = verdict.country == tracing.value
    return replace(
        row,
        country=tracing.value,
        country_level=verdict.level if agrees else CountryLevel.DISPUTED,
        country_sources=(*others, mine),
        # A route was chosen for the country that the other sources named.
        national_route=row.national_route if row.country == tracing.value else None,
    )


def _with_contact(row: Hosting, tracing: Tracing) -> Hosting:
    others = [one for one in row.contacts if one["source"] != PERSON and one["address"] != tracing.value]
    mine = {
        "address": tracing.value,
        "role": PERSON,
        "source": PERSON,
        "rank": 0,
        "why": f"traced by a person: {tracing.source}",
        "guessed": False,
    }
    return replace(
        row,
        contacts=(mine, *others),
        rejected_contacts=tuple(one for one in row.rejected_contacts if one["address"] != tracing.value),
    )


def _vote(source: dict[str, Any]) -> Vote:
    day = datetime.fromisoformat(source["data_date"]).date()
    return Vote(source=source["source"], country=source["country"], data_date=day)


def _is_persons(source: dict[str, Any]) -> bool:
    return str(source["source"]).startswith(f"{PERSON}: ")


def _others(row: Hosting, tracing: Tracing) -> tuple[dict[str, Any], ...]:
    return tuple(
        one for one in row.answers if one.get("source") != PERSON or one.get("what") != tracing.what.value
    )


def _written(tracing: Tracing) -> dict[str, Any]:
    return {
        "source": PERSON,
        "what": tracing.what.value,
        "value": tracing.value,
        "from": tracing.source,
        "reason": tracing.reason,
        "by": tracing.by,
        "at": tracing.at.isoformat(),
    }


def _read(answer: dict[str, Any]) -> Tracing:
    return Tracing(
        what=Traced(answer["what"]),
        value=answer["value"],
        source=answer["from"],
        reason=answer["reason"],
        by=answer["by"],
        at=datetime.fromisoformat(answer["at"]),
    )
