"""The only door out: what each audience may be told.

`TABLE` is the rule. A renderer takes a `Cut` and nothing else, so a format cannot tell more than its audience
may know. People of the hotline are on no list and have no field here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from caselog.errors import RefusedError
from exports.wording import established_country, neutral_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from caselog.records.choices import CountryLevel
    from exports.items import Authority, NoticeItem, Posting

SMALLEST_CELL = 5
"""Counts below this are joined into one in public figures, and left out when that one is as small."""
LABELS = frozenset({"RED", "AMBER", "AMBER+STRICT", "GREEN", "CLEAR"})
"""The labels of TLP 2.0."""
MAX_FACT = 200
"""Characters of a fact that somebody else wrote, such as a network's name."""


class Audience(StrEnum):
    """Who reads an export."""

    HOST = "host"
    HOTLINE = "hotline"
    POLICE = "police"
    CERT = "cert"
    PUBLIC = "public"


class Datum(StrEnum):
    """A kind of fact, as far as spreading it goes."""

    ITEM_ID = "item_id"
    URL = "url"
    HOST = "host"
    DIGEST = "digest"
    COMMITMENT = "commitment"
    KEYED_DIGEST = "keyed_digest"
    NETWORK = "network"
    COUNTRY = "country"
    TIMES = "times"
    CLASSIFICATION = "classification"
    REPRODUCTION = "reproduction"
    RECIPIENT = "recipient"
    PRESERVATION = "preservation"
    WITNESS = "witness"
    PERSON = "person"


_TRUSTED = frozenset({Audience.HOST, Audience.HOTLINE, Audience.POLICE})
_NAMED = _TRUSTED | {Audience.CERT}
TABLE: Mapping[Datum, frozenset[Audience]] = {
    Datum.ITEM_ID: frozenset(Audience),
    Datum.URL: _TRUSTED,
    Datum.HOST: _NAMED,
    Datum.DIGEST: _TRUSTED,
    Datum.COMMITMENT: _TRUSTED,
    Datum.KEYED_DIGEST: frozenset({Audience.CERT}),
    Datum.NETWORK: _NAMED,
    Datum.COUNTRY: _NAMED,
    Datum.TIMES: _NAMED,
    Datum.CLASSIFICATION: _NAMED,
    Datum.REPRODUCTION: _TRUSTED,
    Datum.RECIPIENT: frozenset({Audience.HOST}),
    Datum.PRESERVATION: _TRUSTED,
    Datum.WITNESS: _NAMED,
    Datum.PERSON: frozenset(),
}
"""Who may be told what; `PERSON` is a reporter or an analyst, and is told to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One item, cut for an audience; None is withheld or not known."""

    item_id: str
    url: str | None = None
    host: str | None = None
    ip: str | None = None
    port: int | None = None
    first_confirmed_at: datetime | None = None
    last_present_at: datetime | None = None
    redirects: int | None = None
    sha256: str | None = None
    keyed_sha256: str | None = None
    commitment: str | None = None
    size_bytes: int | None = None
    classification: str | None = None
    legal_reference: str | None = None
    provider: str | None = None
    asn: int | None = None
    as_name: str | None = None
    network_name: str | None = None
    network_range: str | None = None
    network_handle: str | None = None
    resolved_at: datetime | None = None
    proxied: bool | None = None
    country: str | None = None
    country_level: CountryLevel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands above the items, cut for an audience."""

    number: int
    uuid: str
    case_reference: str
    role: str
    language: str
    profile: str
    tlp: str
    practice: bool
    dated_at: datetime
    authority: Authority
    sender: str
    recipient: str | None
    preserved_by: str | None
    ledger_root: str | None
    ledger_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """All that may leave the house for one audience."""

    audience: Audience
    heading: Heading
    items: tuple[Shown, ...]
    totals: tuple[tuple[str, int], ...] = ()
    """Items by hosting country, for the public only; small cells are joined as `other`, or left out."""


def may_know(audience: Audience, datum: Datum) -> bool:
    """Return whether the table lets `audience` know `datum`."""
    return audience in TABLE[datum]


def redact(items: Iterable[NoticeItem], audience: Audience, posting: Posting) -> Cut:
    """Return what `audience` may be told of `items` and of the notice.

    Raises:
        RefusedError: An address holds characters that cannot be printed (`control_characters`), or the
            traffic light label is none of TLP 2.0 (`tlp`).
    """
    listed = tuple(items)
    for item in listed:
        _refuse_unprintable(item)
    shown = tuple(_shown(item, audience) for item in listed)
    totals = _totals(listed) if audience is Audience.PUBLIC else ()
    return Cut(audience=audience, heading=_heading(posting, audience), items=shown, totals=totals)


def one_line(fact: str | None) -> str | None:
    """Return somebody else's short fact on one line, without control characters; None for nothing."""
    if fact is None:
        return None
    plain = "".join(sign if sign.isprintable() else " " for sign in fact)
    return " ".join(plain.split())[:MAX_FACT] or None


def _refuse_unprintable(item: NoticeItem) -> None:
    if item.url.isprintable() and item.host.isprintable() and item.item_id.isprintable():
        return
    raise RefusedError(
        f"Item {item.evidence_id} has an address with characters that cannot be printed.",
        "Reject the evidence and record its plain address anew.",
        code="control_characters",
    )


def _shown(item: NoticeItem, audience: Audience) -> Shown:
    facts: dict[str, object] = {}
    for datum, values in _facts(item).items():
        if may_know(audience, datum):
            facts |= values
    return Shown(item_id=item.item_id, **facts)  # type: ignore[arg-type]  # the names are checked by a test


def _facts(item: NoticeItem) -> dict[Datum, dict[str, object]]:
    return {
        Datum.URL: {"url": item.url},
        Datum.HOST: {"host": item.host},
        # A short text can be guessed from its plain digest, so a commitment always stands in its place.
        Datum.DIGEST: {"sha256": None if item.commitment else item.sha256},
        Datum.COMMITMENT: {"commitment": item.commitment},
        Datum.KEYED_DIGEST: {"keyed_sha256": item.keyed_sha256},
        Datum.NETWORK: _network_facts(item),
        Datum.COUNTRY: {"country": item.country, "country_level": item.country_level},
        Datum.TIMES: {
            "first_confirmed_at": item.first_confirmed_at,
            "last_present_at": item.last_present_at,
        },
        Datum.CLASSIFICATION: {
            "classification": one_line(item.classification),
            "legal_reference": one_line(item.legal_reference),
        },
        Datum.REPRODUCTION: {"redirects": item.redirects, "size_bytes": _size(item)},
    }


def _size(item: NoticeItem) -> int | None:
    return None if item.commitment else item.size_bytes


def _network_facts(item: NoticeItem) -> dict[str, object]:
    return {
        "ip": item.ip,
        "port": item.port,
        "provider": one_line(item.provider),
        "asn": item.asn,
        "as_name": one_line(item.as_name),
        "network_name": one_line(item.network_name),
        "network_range": one_line(item.network_range),
        "network_handle": one_line(item.network_handle),
        "resolved_at": item.resolved_at,
        "proxied": item.proxied,
    }


def _heading(posting: Posting, audience: Audience) -> Heading:
    notice = posting.notice
    witness = may_know(audience, Datum.WITNESS)
    return Heading(
        number=notice.id,
        uuid=notice.uuid,
        case_reference=neutral_reference(posting.case_reference, notice.uuid),
        role=notice.role,
        language=notice.language,
        profile=notice.profile,
        tlp=_label(notice.tlp, audience),
        practice=notice.practice,
        dated_at=posting.dated_at,
        authority=posting.authority,
        sender=posting.sender,
        recipient=notice.recipient if may_know(audience, Datum.RECIPIENT) else None,
        preserved_by=one_line(posting.preserved_by) if may_know(audience, Datum.PRESERVATION) else None,
        ledger_root=notice.ledger_root if witness else None,
        ledger_size=notice.ledger_size if witness else None,
    )


def _label(tlp: str, audience: Audience) -> str:
    label = tlp.upper().removeprefix("TLP:")
    if label not in LABELS:
        raise RefusedError(
            "The notice has no label of TLP 2.0.", "Draft it again with AMBER+STRICT.", code="tlp"
        )
    # Technical facts go to a CERT for its own organisation only, however open the notice itself is.
    return "AMBER+STRICT" if audience is Audience.CERT and label != "RED" else label


def _totals(items: Iterable[NoticeItem]) -> tuple[tuple[str, int], ...]:
    countries = (established_country(item.country, item.country_level) for item in items)
    counted = Counter(country or "not established" for country in countries)
    large = {name: count for name, count in counted.items() if count >= SMALLEST_CELL}
    rest = counted.total() - sum(large.values())
    return (*sorted(large.items()), *((("other", rest),) if rest >= SMALLEST_CELL else ()))
