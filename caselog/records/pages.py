"""What the crawl saw: the operator's rules, pages, evidence, and later checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caselog.fields import listing, octets, sealed, text
from caselog.records.choices import Level, Outcome, Presence, Role, Signal
from caselog.records.ids import CheckId, EvidenceId, LeadId, PageId, RuleId, SiteId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One term of the operator under our own number; a later version replaces an earlier one whole."""

    id: RuleId = RuleId(0)
    version: int
    number: int
    external_id: str = sealed(120)
    term: str = sealed(500)
    weight: float
    kind: str = text(8)
    """`word` or `phrase`."""
    added_by: str = text(64)
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One fetch of one address."""

    id: PageId = PageId(0)
    lead_id: LeadId
    site_id: SiteId
    parent_id: PageId | None = None
    round: int = 1
    """Which visit of this address it is; a re-crawl is a new round."""
    url: str = sealed(tagged="url")
    final_url: str | None = sealed(tagged="url", default=None)
    redirects: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"status", "location"}` in order."""
    status: int | None = None
    outcome: Outcome
    refused: str | None = text(40, default=None)
    """Why the transport or the scope refused it, as a stable word."""
    error: str | None = text(40, default=None)
    """How the fetch failed, as a stable word."""
    role: Role = Role.OTHER
    media_type: str | None = text(80, default=None)
    charset: str | None = text(40, default=None)
    content_encoding: str | None = text(40, default=None)
    size_bytes: int | None = None
    """Length of the body after content-decoding."""
    encoded_size_bytes: int | None = None
    """Length of the body as received, after transfer-decoding."""
    depth: int = 0
    via: str = text(8, default="direct")
    """`direct` or `tor`."""
    vantage: str = text(32, default="own")
    dns_answers: tuple[dict[str, Any], ...] = sealed(8000, default=())
    """Each `{"name", "type", "value"}` that the resolver gave for this fetch."""
    peer_ip: str | None = text(45, default=None)
    peer_port: int | None = None
    tls_sha256: str | None = text(64, default=None)
    tls_version: str | None = text(16, default=None)
    tls_valid: bool | None = None
    tls_problem: str | None = text(40, default=None)
    robots: str | None = text(16, default=None)
    """What the site's robots.txt says of the address: `allowed` or `disallowed`; None before it was read."""
    request_headers_sha256: str | None = text(64, default=None)
    response_headers_sha256: str | None = text(64, default=None)
    connections: int | None = None
    block_print: bytes | None = octets(64, default=None, repr=False)
    """Keyed identity of the page's blocks: the 8 smallest of their tags, 8 bytes each."""
    started_at: datetime
    fetched_at: datetime
    clock_offset_ms: int | None = None
    """The server's own Date minus our clock."""
    tool_version: str = text(32)
    config_sha256: str = text(64)
    terms_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The hashes of one document that matched; see `docs/explanation/evidence.md` for the layers."""

    id: EvidenceId = EvidenceId(0)
    lead_id: LeadId
    site_id: SiteId
    page_id: PageId
    page_ids: tuple[int, ...] = listing(4000)
    """Every page of a document that runs over several, the first included."""
    parts: int = 1
    body_sha256: str | None = text(64, default=None)
    """Layer A, of the decoded body; None where only a salted commitment is kept."""
    encoded_sha256: str | None = text(64, default=None)
    commitment: str | None = text(64, default=None)
    """SHA-256 of salt and body, for plain text short enough to be guessed; the salt lies with the keys."""
    size_bytes: int
    block_tags: bytes = octets(16 * 512, repr=False)
    """Layer B: HMAC-SHA-256 of each evidential block, 16 bytes each."""
    frame_blocks: int = 0
    """How many blocks were left out because they stand on the site's other pages."""
    sketch: bytes = octets(5 * 64, repr=False)
    """Layer C: bottom-k keyed shingle hashes, 5 bytes each, ascending."""
    shingles: int = 0
    shingle_letters: int = 12
    fingerprint_version: int
    norm_version: int
    unicode_version: str = text(16)
    key_epoch: int
    stoplist_version: int
    rules: tuple[int, ...] = listing(4000, default=())
    """The workspace's own rule numbers, never words."""
    score: float = 0.0
    threshold: float = 0.0
    terms_version: int
    matches: tuple[dict[str, Any], ...] = listing(8000, default=())
    """Each `{"evidence_id", "m", "k", "level", "blocks_shared"}`."""
    level: Level
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One later look at an evidence item, and the state that follows from it."""

    id: CheckId = CheckId(0)
    evidence_id: EvidenceId
    lead_id: LeadId
    signal: Signal
    state: Presence
    moved: bool = False
    """The text stands at another host or another network than when it was recorded."""
    containment: float | None = None
    """Share of the stored sketch that the page in hand holds."""
    blocks_shared: int | None = None
    rules_score: float | None = None
    http_status: int | None = None
    error: str | None = text(40, default=None)
    """How the look failed, as a stable word."""
    final_url: str | None = sealed(tagged="url", default=None)
    peer_ip: str | None = text(45, default=None)
    vantage: str = text(32)
    """Which views were taken: `own`, or `own+second`."""
    requests: int = 0
    body_sha256: str | None = text(64, default=None)
    last_present: datetime | None = None
    first_absent: datetime | None = None
    confirmed_at: datetime | None = None
    """When the removal became REMOVED_CONFIRMED."""
    due_at: datetime | None = None
    """When to look again; None is never."""
    checked_at: datetime
