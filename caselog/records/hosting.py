"""Who hosts a page, and the questions asked to find out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caselog.fields import listing, sealed, text
from caselog.records.choices import CountryLevel
from caselog.records.ids import HostingId, LeadId, QueryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """One look-up of a host: every source's answer, and what follows from them."""

    id: HostingId = HostingId(0)
    lead_id: LeadId | None = None
    host: str = sealed(512, tagged="host")
    mode: str = text(16)
    """How far the look-up went: `intake`, `offline`, `registries`, `all` or `person`."""
    addresses: tuple[str, ...] = listing(2000, default=())
    cname: tuple[str, ...] = sealed(4000, default=())
    ns: tuple[str, ...] = sealed(4000, default=())
    dns: tuple[dict[str, Any], ...] = sealed(16000, default=())
    """Each `{"name", "type", "value", "ttl"}`; failures as `{"name", "type", "error"}`."""
    proxied: bool | None = None
    """None: may be proxied, not known."""
    proxy: str | None = text(64, default=None)
    platform: str | None = text(120, default=None)
    network_name: str | None = text(200, default=None)
    network_range: str | None = text(100, default=None)
    network_handle: str | None = text(100, default=None)
    holder: str | None = text(200, default=None)
    asn: int | None = None
    as_name: str | None = text(200, default=None)
    country: str | None = text(2, default=None)
    country_level: CountryLevel = CountryLevel.UNKNOWN
    country_sources: tuple[dict[str, Any], ...] = listing(4000, default=())
    """Each `{"source", "country", "data_date"}`."""
    registration_country: str | None = text(2, default=None)
    holder_country: str | None = text(2, default=None)
    as_country: str | None = text(2, default=None)
    geofeed_country: str | None = text(2, default=None)
    national_route: str | None = text(120, default=None)
    contacts: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"address", "role", "source", "rank", "why", "guessed"}`, best first."""
    rejected_contacts: tuple[dict[str, Any], ...] = sealed(8000, default=())
    registrar: str | None = text(200, default=None)
    registrar_contact: str | None = sealed(320, default=None)
    answers: tuple[dict[str, Any], ...] = sealed(60000, default=())
    """Each source's own answer, cut down to the facts: `{"source", "at", "sha256", ...}`."""
    set_by: str | None = text(64, default=None)
    resolved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question that left the house: to a name server, a registry or a registrar."""

    id: QueryId = QueryId(0)
    kind: str = text(16)
    """`dns`, `rdap`, `whois`."""
    server: str = text(200)
    name: str = sealed(512)
    outcome: str = text(32)
    asked_at: datetime
