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
    """The lead whose intake asked; None when the look-up was for the host alone."""
    host: str = sealed(512, tagged="host")
    """The host that was looked up."""
    mode: str = text(16)
    """How far the look-up went: `intake`, `offline`, `registries`, `all` or `person`."""
    addresses: tuple[str, ...] = listing(2000, default=())
    """The IP addresses that the host's name led to."""
    cname: tuple[str, ...] = sealed(4000, default=())
    """The names that the host's name is an alias of, in order."""
    ns: tuple[str, ...] = sealed(4000, default=())
    """The name servers of its domain."""
    dns: tuple[dict[str, Any], ...] = sealed(16000, default=())
    """Each `{"name", "type", "value", "ttl"}`; failures as `{"name", "type", "error"}`."""
    proxied: bool | None = None
    """None: may be proxied, not known."""
    proxy: str | None = text(64, default=None)
    """The reverse proxy in front of the host, where one is known."""
    platform: str | None = text(120, default=None)
    """The platform below whose suffix the host has its name."""
    network_name: str | None = text(200, default=None)
    """What the registry calls the network of its address."""
    network_range: str | None = text(100, default=None)
    """First and last address of that network."""
    network_handle: str | None = text(100, default=None)
    """The registry's own key for that network."""
    holder: str | None = text(200, default=None)
    """To whom the network is registered."""
    asn: int | None = None
    """Number of the autonomous system that announces the network."""
    as_name: str | None = text(200, default=None)
    """What that system is called."""
    country: str | None = text(2, default=None)
    """The hosting country that follows from the sources; None while they leave it open."""
    country_level: CountryLevel = CountryLevel.UNKNOWN
    """How far the sources agree on that country."""
    country_sources: tuple[dict[str, Any], ...] = listing(4000, default=())
    """Each `{"source", "country", "data_date"}`."""
    registration_country: str | None = text(2, default=None)
    """The country of the network's registration."""
    holder_country: str | None = text(2, default=None)
    """The country in the holder's own address."""
    as_country: str | None = text(2, default=None)
    """The country that the autonomous system is registered in."""
    geofeed_country: str | None = text(2, default=None)
    """The country that the network's operator publishes for the address."""
    national_route: str | None = text(120, default=None)
    """The hotline or CERT of the hosting country, by the operator's table."""
    contacts: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"address", "role", "source", "rank", "why", "guessed"}`, best first."""
    rejected_contacts: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"address", "role", "source", "why"}` that nobody may write to."""
    registrar: str | None = text(200, default=None)
    """Who sold the domain."""
    registrar_contact: str | None = sealed(320, default=None)
    """The registrar's mailbox for abuse."""
    answers: tuple[dict[str, Any], ...] = sealed(60000, default=())
    """Each source's own answer, cut down to the facts: `{"source", "at", "sha256", ...}`."""
    set_by: str | None = text(64, default=None)
    """The person whose own tracing is in it."""
    resolved_at: datetime
    """When it was looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question that left the house: to a name server, a registry or a registrar."""

    id: QueryId = QueryId(0)
    kind: str = text(16)
    """`dns`, `rdap`, `whois`."""
    server: str = text(200)
    """Who was asked."""
    name: str = sealed(512)
    """What was asked for."""
    outcome: str = text(32)
    """How it went, as a stable word."""
    asked_at: datetime
    """When it was asked."""
