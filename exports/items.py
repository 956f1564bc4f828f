"""What a notice is made from: the facts on each item, who writes, and the notice itself.

The desk builds these from records; nothing here has been cut for an audience yet, so no renderer takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caselog.records.choices import CountryLevel

if TYPE_CHECKING:
    from datetime import datetime

    from caselog.records.ids import EvidenceId
    from caselog.records.notices import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who writes, under which law; the same facts as the settings' `[authority]`."""

    organisation: str
    country: str
    """ISO 3166-1 alpha-2."""
    contact: str
    """A role mailbox, never a person's."""
    legal_basis: str
    profile: str = "eu-dsa"
    """`eu-dsa`, `uk`, `us` or `generic`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeItem:
    """One confirmed address under notice, with everything that some audience may be told about it."""

    evidence_id: EvidenceId
    item_id: str
    """The keyed (HMAC) name of the item, the same for every audience; tells nothing by itself."""
    url: str
    host: str
    """Canonical host key without its port."""
    ip: str | None = None
    port: int | None = None
    first_confirmed_at: datetime
    last_present_at: datetime
    redirects: int = 0
    """How many redirects a reader follows before the page."""
    sha256: str | None = None
    """SHA-256 of the page's body."""
    keyed_sha256: str | None = None
    """HMAC of that digest under the workspace's key: it proves sameness to us alone."""
    commitment: str | None = None
    """Salted SHA-256 of a text short enough to be guessed; then the plain digest is never told."""
    size_bytes: int | None = None
    classification: str | None = None
    """The legal code, as the analyst gave it."""
    legal_reference: str | None = None
    provider: str | None = None
    asn: int | None = None
    as_name: str | None = None
    network_name: str | None = None
    network_range: str | None = None
    network_handle: str | None = None
    resolved_at: datetime | None = None
    proxied: bool = False
    country: str | None = None
    country_level: CountryLevel = CountryLevel.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A notice on its way out: the record, and what the record does not hold."""

    notice: Notice
    authority: Authority
    case_reference: str
    sender: str
    """The From address; its domain is in the Message-ID."""
    dated_at: datetime
    """When the notice was released; keep it, so that a second rendering has the same bytes."""
    preserved_by: str | None = None
    """Who preserves the content; None is nobody."""
